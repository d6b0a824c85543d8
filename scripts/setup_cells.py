"""Give every notebook the same first code cell, which prepares Colab.

    python scripts/setup_cells.py

The repository's address is that of `_config.yml`, and nothing else names it. Run it when that
changes, or for a new notebook.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from et_lite.storage import atomic_path

ROOT = Path(__file__).resolve().parent.parent
TITLE = "# @title Setup:"
CODE = """\
{title} on Colab this fetches the package and the sounds; elsewhere it fetches nothing
# No et_lite here? Run `make venv`, and take .venv as this notebook's kernel.
import importlib.util
import subprocess
import sys
from pathlib import Path

url, book = "{url}", Path("{name}")
if "google.colab" in sys.modules and not importlib.util.find_spec("et_lite"):
    if not book.exists():
        subprocess.run(["git", "clone", "--quiet", "--depth=1", url, str(book)], check=True)
    sys.path.insert(0, str(book.resolve()))
from et_lite.colab import prepare

print(prepare())"""


def repository_url(config: Path = ROOT / "_config.yml") -> str:
    """The one address of the repository. ValueError when the configuration names none."""
    found = re.search(r"^  url: (\S+)$", config.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{config.name} has no repository url, not one: put it back")
    return found[1]


def setup_code(url: str) -> str:
    """The cell's code for a repository."""
    return CODE.format(title=TITLE, url=url, name=url.rstrip("/").rpartition("/")[2])


def with_setup(notebook: NotebookNode, code: str) -> NotebookNode:
    """The notebook with its setup cell replaced, or put below its first cell."""
    cells = notebook.cells
    old = [i for i, c in enumerate(cells) if c.source.startswith(TITLE)]
    if old:
        cells[old[0]].source = code
        return notebook
    cell = nbformat.v4.new_code_cell(code)
    cell.metadata.update(cellView="form", jupyter={"source_hidden": True}, tags=["remove-cell"])
    cells.insert(1, cell)
    return notebook


def main() -> int:
    """Rewrite all notebooks, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default all")
    code = setup_code(repository_url())
    for path in parser.parse_args().notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = with_setup(nbformat.read(path, 4), code)
        with atomic_path(path) as temporary:
            nbformat.write(notebook, temporary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
