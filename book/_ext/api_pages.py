"""The reference pages: docstrings as they are written in the package, for Sphinx's autodoc.

The docstrings are plain text with backticks. What reStructuredText would misread in them is put
right here, `book: chunking` becomes a link to that page, and the comments beside the fields of a
configuration become its list of settings.
"""

import ast
import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

TAUGHT = re.compile(r"\bbook: ([a-z ]+)\)")
# Pages that docstrings name by what they teach. Others are named as their files are.
TEACHES = {
    "demo": "book/demo",
    "differences": "book/differences",
    "intro": "book/intro",
    "latents": "notebooks/01_latents",
    "predictor": "notebooks/02_predictor",
    "chunking": "notebooks/03_chunking",
    "autoencoder": "notebooks/06_autoencoder",
    "rebottleneck": "notebooks/05_training",
    "training": "notebooks/05_training",
    "evaluation": "notebooks/10_results",
    "sweep": "notebooks/08_sweep",
    "your own autoencoder": "notebooks/11_your_autoencoder",
    "scale": "book/scale",
}


def readable(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText that says the same."""
    found = [TAUGHT.sub(_link, _without_bars(line)) for line in lines]
    for place, line in enumerate(found[:-2]):
        opens = line.endswith(":") and not line.endswith("::") and not found[place + 1].strip()
        if opens and _indent(found[place + 2]) > _indent(line):
            found[place] = line + ":"  # code follows
    return found


def _without_bars(line: str) -> str:
    """Bars of an absolute value would begin a substitution; those of types stand in backticks."""
    if _indent(line):
        return line
    quoted = line.split("`")
    return "`".join(t if i % 2 else t.replace("|", "\\|") for i, t in enumerate(quoted))


def _link(match: re.Match[str]) -> str:
    return f"book: :doc:`{match[1]} </{TEACHES[match[1]]}>`)"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def settings(kind: type) -> list[str]:
    """A list of a dataclass's fields and the comments behind them, where there are some."""
    source = dedent(inspect.getsource(kind))
    lines, (node,) = source.splitlines(), ast.parse(source).body
    found = []
    for field in getattr(node, "body", []):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            _, said, comment = lines[(field.end_lineno or 1) - 1].partition("  # ")
            found += [f"* ``{field.target.id}``: {comment}"] if said else []
    return ["", *found, ""] if found else []


def process(app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Rewrite one docstring in place; a module's ends with where its source is."""
    lines[:] = readable(lines)
    if what == "class" and is_dataclass(item):
        lines += settings(item)
    if what == "module":
        root = Path(app.srcdir)
        file = Path(inspect.getfile(item)).resolve().relative_to(root.resolve()).as_posix()
        lines += ["", f"Source: :source:`{file}`", ""]


class Source(SphinxRole):
    """`{source}`README.md``: a file of the repository, as a link to where it is published."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link; the address is that of `_config.yml`."""
        theme = self.config.html_theme_options
        place = f"{theme['repository_url']}/blob/{theme['repository_branch']}/{self.text}"
        link = nodes.reference("", "", nodes.literal("", self.text), refuri=place)
        return [link], []


def add_style(app: Sphinx, page: str, *args: Any) -> None:
    """Load the reference's style on its own pages, and on the indices of all names."""
    if page.startswith(("book/api/", "genindex", "py-modindex")):
        app.add_css_file("reference.css")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_role("source", Source())
    app.connect("html-page-context", add_style)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
