"""Results kept under what made them, so that long measurements go on where they stopped."""

import ast
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from et_lite.storage import write_json

PACKAGE = Path(__file__).resolve().parent
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def remembered(file: Path, compute: Callable[[], Any]) -> Any:
    """What a JSON file holds; where there is none, what `compute` returns is written there first.

    Its value must be plain JSON.
    """
    if not file.exists():
        write_json(file, compute())
    return json.loads(file.read_text(encoding="utf-8"))


def completed(
    file: Path, wanted: Sequence[str], compute: Callable[[list[str]], dict[str, Any]]
) -> dict[str, Any]:
    """The values of the names `wanted` from a JSON file, which is given what it lacks first.

    `compute` is handed the missing names.
    """
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    missing = [name for name in wanted if name not in known]
    if missing:
        known |= compute(missing)
        write_json(file, known)
    return {name: known[name] for name in wanted}


def version_of(*parts: str) -> str:
    """A short name for all of these together: another part, another name."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def code_hash(*roots: str | Path) -> str:
    """SHA-256 over these modules of the package, or files, and all of the package they import.

    The same weights under changed code are another system. Comments, docstrings and layout do not
    count. ValueError when there is no such file.
    """
    found, waiting = dict[Path, str](), list(roots)
    while waiting:
        root = waiting.pop()
        places = [root] if isinstance(root, Path) else _module(root)
        for file in set(places) - set(found):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            waiting += _imports(tree)
            found[file] = ast.dump(_without_docstrings(tree))
    code = "\n".join(found[file] for file in sorted(found))
    return hashlib.sha256(code.encode()).hexdigest()


def _module(name: str) -> list[Path]:
    """The files of one module or folder of the package."""
    files = [*PACKAGE.glob(f"{name}.py"), *(PACKAGE / name).glob("*.py")]
    if not files:
        raise ValueError(f"et_lite has no module {name!r}: name one that it has")
    return files


def _imports(tree: ast.Module) -> Iterator[str]:
    """The parts of the package that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "et_lite":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("et_lite."):
            yield str(node.module).split(".")[1]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """The same tree, changed in place."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree
