"""Rules of the house that no linter knows."""

import csv
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

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
    declared |= {*extras["corpus"], *extras["evaluation"]}
    declared |= {*extras["stable-audio"], *extras["transformers"]}
    declared = {line for line in declared if not line.startswith("et-lite")}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.split("#")[0].strip() for line in lines} - {""}
    assert listed == declared


def test_readme_shows_the_stored_results() -> None:
    with open(ROOT / "assets" / "results" / "first_results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["solver"] == "greedy"]
    half = [float(row["mel_distance"]) for row in rows if row["keep"] == "0.5"]
    line = next(
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| greedy")
    )
    shown = float(line.split("|")[4].split("/")[0])
    assert len(half) == 6 and shown == pytest.approx(sum(half) / 6, abs=0.005)
