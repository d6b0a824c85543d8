"""Keep off a page what it does not need at once: megabytes that a phone would load for nothing."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

# An icon's class, or its name in the state of a widget.
NAME = re.compile(r'(?:\bfa-|"icon": ")([a-z0-9-]+)')
# What ipywidgets' own controls put up by script.
WIDGET_ICONS = {"caret-down", "caret-right", "check", "pause", "play", "retweet", "stop", "times"}
# An icon is `"name":[width,height,[aliases],"code",path]`, its path one string or a list of them.
ICON = re.compile(
    r'"?(?P<name>[\w-]+)"?:\[\d+,\d+,\[(?P<aliases>[^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)
# How a cell's output carries a sound.
SOUND = re.compile(r'preload="metadata"([^>]*?)src="data:audio/flac;base64,([^"]+)"')


def move_sounds(app: Sphinx, page: str, template: str, context: dict[str, Any], doc: Any) -> None:
    """Put the sounds of cells beside the page, where they are loaded when they are played."""

    def moved(found: re.Match[str]) -> str:
        sound = base64.b64decode(found[2])
        name = f"_static/sounds/{hashlib.sha256(sound).hexdigest()[:16]}.flac"
        file = Path(app.outdir) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sound)
        return f'preload="none"{found[1]}src="{context["pathto"](name, 1)}"'

    if app.builder.name == "html" and "body" in context:
        context["body"] = SOUND.sub(moved, context["body"])


def drop_mathjax(app: Sphinx, page: str, template: str, context: dict[str, Any], doc: Any) -> None:
    """Sphinx loads MathJax (2.3 MB) on a page that merely stands above one with maths, too."""
    if 'class="math' not in context.get("body", ""):
        context["script_files"] = [
            script for script in context["script_files"] if "mathjax" not in str(script.filename)
        ]


def trim_icons(app: Sphinx, exception: Exception | None) -> None:
    """The theme's icon script is 1.5 MB; a hundredth of it is shown. Rewrite the built copy."""
    static = Path(app.outdir) / "_static"
    script = static / "scripts" / "fontawesome.js"
    if exception or app.builder.name != "html":
        return
    # The theme's scripts put icons on a page too, with the same class names.
    sources = [
        *Path(app.outdir).rglob("*.html"),
        *static.glob("*.js"),
        *static.glob("scripts/*.js"),
    ]
    texts = [source.read_text(encoding="utf-8") for source in sources if source != script]
    used = WIDGET_ICONS | {name for text in texts for name in NAME.findall(text)}

    def keep(icon: re.Match[str]) -> str:
        names = {icon["name"], *re.findall(r'"([\w-]+)"', icon["aliases"])}
        return icon[0] if names & used else ""

    text = ICON.sub(keep, script.read_text(encoding="utf-8"))
    if len(text) > 200_000:
        logging.getLogger(__name__).warning("the theme's icon script has changed: see light_pages")
    script.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", move_sounds)
    app.connect("html-page-context", drop_mathjax, priority=900)  # after MathJax was put there
    app.connect("build-finished", trim_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
