"""Who made a shipped clip: `assets/ATTRIBUTION.md` as a line of HTML."""

import html
import re
from pathlib import Path

from et_lite.storage import ASSETS

LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]*)\)")


def credit(clip: str, file: Path = ASSETS / "ATTRIBUTION.md") -> str:
    """Titles, authors and licences of a clip's sources. ValueError when none is named."""
    sources = []
    for line in file.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and cells[0] == clip:
            title, author, licence = (_linked(cells[place]) for place in (1, 2, 5))
            sources.append(f"<i>{title}</i> by {author} ({licence})")
    if not sources:
        raise ValueError(f"{file.name} names no source of {clip!r}: add a row for it")
    return f"Sound: {'; '.join(sources)}."


def _linked(cell: str) -> str:
    """A cell of Markdown text and links as HTML."""
    return LINK.sub(r'<a href="\2">\1</a>', html.escape(cell, quote=True))
