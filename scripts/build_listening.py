"""Build the listening widget's one classic script from its modules.

    python scripts/build_listening.py

Browsers refuse modules to a page opened from a folder. The modules import each other by name alone,
so joining them in one function, each after those it needs, is all that is to do; a name that two of
them define at their top level is refused, for joined they would be one.
"""

import json
import re
import sys
from pathlib import Path

from et_lite.storage import atomic_path

FOLDER = Path(__file__).resolve().parents[1] / "et_lite" / "listening"
IMPORT = re.compile(r'^import (?:\{[^}]*\}|(?P<name>\w+)) from "\./(?P<file>[\w.]+)";\n', re.M)
TOP_LEVEL = re.compile(
    r"^(?:export )?(?:async )?(?:function|class|const|let) (?P<name>\w+|\[[^\]]*\])", re.M
)
EXPORT = re.compile(r"^export (?=(?:async|function|class|const|let)\b)", re.M)
HEAD = "/* Built by scripts/build_listening.py from the modules in src: change those. */\n"


def build(folder: Path = FOLDER / "src", entry: str = "main.js") -> str:
    """The script that the modules in `folder` amount to. ValueError for what it cannot join."""
    order: list[str] = []
    _collect(folder, entry, order, ())
    bodies, owners = [], dict[str, str]()
    for name in order:
        body = _body(folder, name)
        for found in TOP_LEVEL.findall(body):
            for defined in re.findall(r"\w+", found):
                if defined in owners:
                    raise ValueError(f"{name} and {owners[defined]} both define {defined}: rename")
                owners[defined] = name
        bodies.append(f"// {name}\n{body.strip()}\n")
    return f'{HEAD}(() => {{\n"use strict";\n\n' + "\n".join(bodies) + "})();\n"


def _collect(folder: Path, name: str, order: list[str], above: tuple[str, ...]) -> None:
    """Put `name` into `order`, after everything it imports."""
    if name in above:
        raise ValueError(f"{name} imports itself through {above[-1]}: take one import out")
    if name in order:
        return
    if name.endswith(".js"):
        for needed in IMPORT.finditer((folder / name).read_text(encoding="utf-8")):
            _collect(folder, needed["file"], order, (*above, name))
    order.append(name)


def _body(folder: Path, name: str) -> str:
    """What a file adds to the script: a style sheet becomes a text of its name in capitals."""
    text = (folder / name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        return f"const CSS = {json.dumps(text, ensure_ascii=False)};\n"
    body = re.sub(EXPORT, "", IMPORT.sub("", text))
    if left := re.search(r"^(?:import|export)\b.*", body, re.M):
        raise ValueError(f"{name} says {left[0]!r}, which this cannot join: import names only")
    return body


def main() -> None:
    """Write `listening.js`, or with --check fail when it is not what the modules give."""
    target, text = FOLDER / "listening.js", build()
    if "--check" in sys.argv:
        sys.exit(target.read_text(encoding="utf-8") != text)
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{target.name}: {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
