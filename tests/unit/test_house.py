"""Rules of the house that no linter knows."""

import csv
import re
import subprocess
import tomllib
from pathlib import Path

from et_lite.config import SYSTEMS
from et_lite.data import DOMAINS

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000


def tracked() -> list[Path]:
    """Files that git tracks; the working tree's own where there is no git."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in found.stdout.split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_no_module_is_longer_than_a_sitting() -> None:
    files = sorted((ROOT / "et_lite").rglob("*.py"))
    assert files
    lengths = {file.name: len(file.read_text().splitlines()) for file in files}
    assert max(lengths.values()) <= 300, lengths


def test_assets_stay_small() -> None:
    sizes = {file: file.stat().st_size for file in (ROOT / "assets").rglob("*") if file.is_file()}
    assert sum(sizes.values()) < 60 * MEGABYTE
    assert max(sizes.values()) < 16 * MEGABYTE
    weights = ROOT / "assets" / "weights"
    base = [weights / f"{name}.safetensors" for name in ("spectral-vae", "phase-head")]
    assert sum(sizes[file] for file in base) <= 20 * MEGABYTE


def test_nothing_tracked_names_a_machine() -> None:
    machine = re.compile(rb"/(?:work|root|home|tmp|var/cache)/[a-z]")
    text = [f for f in tracked() if f.suffix in {".py", ".md", ".toml", ".yml", ".json", ".ipynb"}]
    own = Path(__file__).name
    assert [f.name for f in text if f.name != own and machine.search(f.read_bytes())] == []


def test_requirements_agree_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {*project["dependencies"], *extras["audio"], *extras["book"], *extras["test"]}
    declared |= {*extras["corpus"], *extras["evaluation"], *extras["demo"]}
    declared |= {*extras["stable-audio"], *extras["transformers"], *extras["scale"]}
    declared = {line for line in declared if not line.startswith("et-lite")}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.split("#")[0].strip() for line in lines} - {""}
    assert listed == declared


def test_the_space_gets_what_the_demo_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["audio"], *extras["demo"]}
    lines = (ROOT / "space" / "requirements.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    # The Space's own front matter says which gradio.
    assert listed == {n for n in needed if not n.startswith(("et-lite", "gradio"))}
    locked = re.search(r"^gradio==(.+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked and f"sdk_version: {locked[1]}\n" in (ROOT / "space" / "README.md").read_text()


def test_readme_shows_the_stored_results() -> None:
    with open(ROOT / "assets" / "results" / "evaluation.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "mel_distance"]
    readme = (ROOT / "README.md").read_text().splitlines()
    for system in SYSTEMS:
        (line,) = [line for line in readme if line.startswith(f"| {system} |")]
        shown = [cell.split()[0] for cell in line.split("|")[3:6]]
        own = SYSTEMS[system].selection.solver
        stored = {
            row["domain"]: float(row["mean"])
            for row in rows
            if (row["system"], row["keep"], row["solver"]) == (system, "0.5", own)
        }
        assert shown == [f"{stored[domain]:.2f}" for domain in DOMAINS]
