"""The directive `listening`: the widget over shipped clips, with its sounds beside the page.

    ```{listening}
    music_1: Music
    speech_1: Speech
    ```

The sounds are rendered at build, by the model that `listening_model` names, and written where the
page's script finds them; a build that changes neither model, clip nor code takes them as they are.
"""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from et_lite import audio, listening
from et_lite.cache import code_hash, remembered, version_of
from et_lite.codec import ElasticCodec
from et_lite.listening.page import SCRIPT
from et_lite.storage import ASSETS, file_hash

PLACE = Path("_static") / "listening"


class Listening(SphinxDirective):
    """Lines of `clip: title`, each a file of `assets/clips` and the name on its button."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The widget as HTML; other builders show nothing."""
        pairs = [line.partition(":")[::2] for line in self.content if line.strip()]
        cards = [self._card(clip.strip(), title.strip()) for clip, title in pairs]
        up = "../" * self.env.docname.count("/")
        base = f"{up}{PLACE.as_posix()}/"
        script = f'<script src="{base}{SCRIPT.name}" defer></script>'
        return [nodes.raw("", listening.external(cards, base) + script, format="html")]

    def _card(self, clip: str, title: str) -> dict[str, Any]:
        """A clip's card; its sounds are rendered first where they are not there yet."""
        file = ASSETS / "clips" / f"{clip}.flac"
        self.env.note_dependency(str(file))
        model = self.config.listening_model
        codec = _codec(model)
        made_of = version_of(codec.identity, file_hash(file), title, code_hash("listening"))
        folder = Path(self.env.app.outdir) / PLACE

        def render() -> dict[str, Any]:
            logging.getLogger(__name__).info(f"rendering {clip} by {model}")
            wave, rate = audio.read(file)
            credit = listening.credit(clip)
            return listening.render(codec, wave, rate, clip, title, credit).write(folder)

        return remembered(folder / f"{made_of}.json", render)


@cache
def _codec(model: str) -> ElasticCodec:
    """The model, loaded once a build."""
    return ElasticCodec.from_pretrained(model)


def copy_script(app: Sphinx, exception: Exception | None) -> None:
    """Put the widget's script beside the sounds."""
    folder = Path(app.outdir) / PLACE
    if not exception and folder.is_dir():
        shutil.copyfile(SCRIPT, folder / SCRIPT.name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("listening_model", "et-dp-widerange", "env", [str])
    app.add_directive("listening", Listening)
    app.connect("build-finished", copy_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
