"""What the stored notebooks must and must not contain. That they run is for `make notebooks`."""

import json
import re
import statistics
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request: pytest.FixtureRequest) -> list[dict]:
    return json.loads(request.param.read_text(encoding="utf-8"))["cells"]


def code(cells: list[dict], without: str = "-") -> list[dict]:
    return [c for c in cells if c["cell_type"] == "code" and without not in tags(c)]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def setup_cell(path: Path) -> str:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(code(found)[0]["source"])


def test_setup_is_the_same_everywhere_and_names_the_repository():
    setups = {setup_cell(path) for path in NOTEBOOKS}
    assert len(setups) == 1
    (url,) = re.findall(r"^  url: (\S+)$", (ROOT / "_config.yml").read_text(), re.MULTILINE)
    assert f'"{url}"' in setups.pop()


def test_setup_fetches_on_colab_only(monkeypatch, tmp_path, capsys):
    setup, calls = setup_cell(NOTEBOOKS[0]), []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(setup, {})
    assert not calls and "nothing is fetched" in capsys.readouterr().out

    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["google"].colab = sys.modules["google.colab"]
    exec(setup, {})
    (clone, install), book = calls, str(tmp_path / "elastic-time-book")
    assert clone[:2] == ["git", "clone"] and clone[-1] == book == sys.path[0]
    assert install[-2:] == ["-r", f"{book}/requirements-colab.txt"]
    assert book in capsys.readouterr().out


def test_figures_say_what_they_show(cells):
    for cell in code(cells):
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 40, "".join(cell["source"])[:80]


def test_stored_outputs_are_whole_small_and_clean(cells):
    for cell in code(cells, without="skip-execution"):
        assert cell["execution_count"], "run the notebook before storing it"
    text = json.dumps([cell.get("outputs", []) for cell in cells])
    assert '"error"' not in text and '"stderr"' not in text
    assert "data:audio" not in text and "jupyter.widget" not in text
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert len(text) < 1_500_000


def test_visible_cells_are_short(cells):
    seen = [len(c["source"]) for c in code(cells, "remove-cell") if "hide-input" not in tags(c)]
    assert statistics.median(seen) < 12


def test_sounds_are_attributed(cells):
    """Each clip's authors and licences stand in the notebook's last section."""
    said = "".join(cells[-1]["source"])
    rows = re.findall(r"^\| (\w+?)_1 \|(.*)\|$", (ROOT / "assets/ATTRIBUTION.md").read_text(), re.M)
    used = {domain for domain in ("Music", "Speech", "Effects") if domain in said}
    assert used
    for clip, row in rows:
        if clip.title() in used:
            author, licence = row.split("|")[1], row.split("|")[4]
            assert re.search(r"\[(.*?)\]", author)[1] in said
            assert re.search(r"CC0|BY-SA|BY", licence)[0] in said
