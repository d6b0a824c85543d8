"""The reference pages: every module on one of them, and docstrings that lead to pages."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from book._ext import api_pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "book" / "api").glob("*.md"))


@dataclass
class Sample:
    """A dataclass with one field that says what it is."""

    told: int = 1  # seconds
    untold: int = 2


def shown() -> list[str]:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE)


def test_every_module_is_on_one_page():
    """A package shows what it exports; a module of its own may be shown beside it."""
    assert max(Counter(shown()).values()) == 1
    files = [file.relative_to(ROOT).with_suffix("") for file in (ROOT / "et_lite").rglob("*.py")]
    modules = {".".join(file.parts).removesuffix(".__init__") for file in files} - {"et_lite"}
    covered = {m for m in modules if m in shown() or m.rpartition(".")[0] in shown()}
    assert modules - covered == set()
    assert set(shown()) <= modules


def test_docstrings_lead_to_pages_that_exist():
    text = "".join(f.read_text(encoding="utf-8") for f in (ROOT / "et_lite").rglob("*.py"))
    names = set(api_pages.TAUGHT.findall(text))
    assert len(names) > 5
    assert names - set(api_pages.TEACHES) == set()
    for page in set(api_pages.TEACHES.values()):
        assert any((ROOT / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")), page


def test_a_docstring_becomes_restructured_text_that_says_the_same():
    lines = ["Sums |a − b| of `x | None` (book: latents).", "", "To use it:", "", "    a | b", ""]
    linked = "(book: :doc:`latents </notebooks/01_latents>`)"
    assert api_pages.readable(lines) == [
        f"Sums \\|a − b\\| of `x | None` {linked}.",
        "",
        "To use it::",
        "",
        "    a | b",
        "",
    ]


def test_fields_are_listed_with_what_stands_beside_them():
    assert api_pages.settings(Sample) == ["", "* ``told``: seconds", ""]
