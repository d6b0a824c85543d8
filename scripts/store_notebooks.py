"""Run the notebooks and store them with text and figures, without sound.

    python scripts/store_notebooks.py

What readers see on GitHub. The book runs them again and has the sound too.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm.auto import tqdm

from et_lite.storage import atomic_path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SOUND = "data:audio"


def run(path: Path) -> None:
    """Execute one notebook in a fresh kernel, and store it in place."""
    notebook = nbformat.read(path, 4)
    folder = {"metadata": {"path": str(NOTEBOOKS)}}
    # Cells tagged skip-execution, which need a live kernel behind them, stay without output.
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran: another text every time
        if cell.cell_type == "code":
            kept = [o for o in cell.outputs if SOUND not in o.get("data", {}).get("text/html", "")]
            cell.outputs = kept
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    with atomic_path(path) as temporary:
        nbformat.write(notebook, temporary)


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default all")
    for path in tqdm(
        parser.parse_args().notebooks or sorted(NOTEBOOKS.glob("*.ipynb")), disable=None
    ):
        run(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
