"""What the stored notebooks must and must not contain. That they run is for `make notebooks`."""

import json
import re
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from packaging.requirements import Requirement

from et_lite import colab
from scripts import check_colab, setup_cells

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
    """`python scripts/setup_cells.py` puts it there."""
    code = setup_cells.setup_code(setup_cells.repository_url())
    assert {path.stem: setup_cell(path) == code for path in NOTEBOOKS} == {
        path.stem: True for path in NOTEBOOKS
    }


def test_setup_cell_is_put_in_once():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title")])
    for url in ("https://host/a/before", "https://host/a/after"):
        setup_cells.with_setup(notebook, setup_cells.setup_code(url))
    title, setup = notebook.cells
    assert title.source == "# A title" and setup.metadata["tags"] == ["remove-cell"]
    assert 'Path("after")' in setup.source and "before" not in setup.source


@pytest.fixture
def on_colab(monkeypatch) -> None:
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


def run_setup(monkeypatch, folder: Path, code: str) -> list[list[str]]:
    """The commands that the setup cell runs in a folder, where no et_lite is installed."""
    calls: list[list[str]] = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(code, {})
    return calls


def test_setup_fetches_nothing_elsewhere(monkeypatch, tmp_path, capsys):
    code = setup_cells.setup_code("https://host/someone/a-book")
    assert run_setup(monkeypatch, tmp_path, code) == []
    assert "nothing is fetched" in capsys.readouterr().out


def test_setup_clones_on_colab_and_adds_only_what_is_missing(
    monkeypatch, tmp_path, capsys, on_colab
):
    missing = ["auraloss>=0.4"]
    monkeypatch.setattr(colab, "missing", lambda needed: missing)
    code = setup_cells.setup_code("https://host/someone/a-book")
    clone, install = run_setup(monkeypatch, tmp_path, code)
    assert clone[:2] == ["git", "clone"] and "--depth=1" in clone
    assert clone[-2:] == ["https://host/someone/a-book", "a-book"]
    assert install[-1:] == missing and "-c" in install
    assert "installed auraloss>=0.4" in capsys.readouterr().out

    (tmp_path / "a-book").mkdir()
    missing.clear()
    assert run_setup(monkeypatch, tmp_path, code) == []
    assert "installed nothing" in capsys.readouterr().out


def test_colab_keeps_every_package_that_it_has(monkeypatch, tmp_path):
    """pip is told the version of each of them, torch and numpy above all."""
    told = {}

    def note(command, check):
        told["lines"] = Path(command[command.index("-c") + 1]).read_text().split()

    monkeypatch.setattr("subprocess.run", note)
    colab._install(["something>=1"])
    for package in ("torch", "numpy", "nbformat"):
        assert f"{package}=={version(package)}" in told["lines"]


def test_missing_packages_are_found(tmp_path):
    file = tmp_path / "needed.txt"
    file.write_text("# a comment\nnumpy>=99  # there, if too old\nno-such-package-here>=1\n")
    assert colab.missing(file) == ["no-such-package-here>=1"]


def test_our_ranges_hold_what_colab_has():
    python, pins = check_colab.runtime()
    assert {"torch", "numpy", "gradio"} <= set(pins)
    assert check_colab.misfits(python, pins, *check_colab.ranges()) == []
    assert check_colab.unwelcome(pins) == []


def test_a_range_that_leaves_colab_out_is_named(tmp_path):
    wanted = [Requirement("torch>=99"), Requirement("numpy>=1")]
    pins = {"torch": "2.11.0", "numpy": "2.1.3"}
    said = check_colab.misfits("3.13", pins, ">=3.14", wanted)
    assert len(said) == 2 and "3.13" in said[0] and "torch 2.11.0" in said[1]
    file = tmp_path / "needed.txt"
    file.write_text("torch>=2\njupyterlab\nauraloss>=0.4\n")
    assert [line.split()[0] for line in check_colab.unwelcome(pins, file)] == [
        "torch",
        "jupyterlab",
    ]


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
    assert used or not any('/ "clips"' in "".join(cell["source"]) for cell in code(cells))
    for clip, row in rows:
        if clip.title() in used:
            author, licence = row.split("|")[1], row.split("|")[4]
            assert re.search(r"\[(.*?)\]", author)[1] in said
            assert re.search(r"CC0|BY-SA|BY", licence)[0] in said
