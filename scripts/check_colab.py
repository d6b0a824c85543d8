"""Say whether the notebooks' requirements fit what Colab's runtime has.

    python scripts/check_colab.py

The runtime's documented versions stand in `constraints-colab.txt` with their date. Exit code 1, and
a line for each package that does not fit.
"""

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# What notebooks import is asked of Colab. These build the book and are never installed there.
BUILDING = {"jupyter-book", "ipykernel", "ipywidgets"}
EXTRAS = ("audio", "book", "demo", "stable-audio", "transformers")
# To install one of these would break the runtime.
UNTOUCHED = re.compile(r"torch|numpy|ipy|jupyter|notebook|nb|sphinx|myst")


def runtime(file: Path = ROOT / "constraints-colab.txt") -> tuple[str, dict[str, str]]:
    """The runtime's Python, and the known versions of its packages."""
    text = file.read_text(encoding="utf-8")
    python = re.search(r"Python (3\.\d+)", text)
    if not python:
        raise ValueError(f"{file.name} names no Python such as 3.13: write it into its first line")
    pins = (line.split("==") for line in text.splitlines() if "==" in line)
    return python[1], {canonicalize_name(name): version.strip() for name, version in pins}


def ranges(file: Path = ROOT / "pyproject.toml") -> tuple[str, list[Requirement]]:
    """The range of Pythons, and the requirements of what notebooks import."""
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    found = [Requirement(line) for line in lines if not line.startswith("et-lite")]
    return project["requires-python"], [r for r in found if r.name not in BUILDING]


def misfits(
    python: str, pins: Mapping[str, str], pythons: str, wanted: Sequence[Requirement]
) -> list[str]:
    """A sentence for each range that leaves out what the runtime has."""
    said = []
    if not SpecifierSet(pythons).contains(f"{python}.0"):
        said.append(f"Python {python} is outside {pythons}: widen requires-python")
    for requirement in wanted:
        held = pins.get(canonicalize_name(requirement.name))
        if held and not requirement.specifier.contains(held):
            said.append(f"{requirement.name} {held} is outside {requirement.specifier}: widen it")
    return said


def unwelcome(pins: Mapping[str, str], file: Path = ROOT / "requirements-colab.txt") -> list[str]:
    """A sentence for each package that would be installed though Colab has it or depends on it."""
    lines = (line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    names = [canonicalize_name(Requirement(line).name) for line in lines if line]
    return [
        f"{name} would be installed on Colab, which has or needs its own: leave it out"
        for name in names
        if name in pins or UNTOUCHED.match(name)
    ]


def main() -> int:
    """Check, and tell."""
    python, pins = runtime()
    said = [*misfits(python, pins, *ranges()), *unwelcome(pins)]
    print(
        "\n".join(said) or f"All ranges hold what Colab has: Python {python}, {len(pins)} packages."
    )
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
