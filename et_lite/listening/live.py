"""The listening widget with Python behind it: the kept fraction it rests at is rendered at once.

Its sounds come from the kernel when they are wanted, so the notebook stays small; a page without a
kernel shows `listening.embedded` instead.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anywidget
import traitlets

from et_lite.codec import Analysis, ElasticCodec
from et_lite.listening.page import SCRIPT
from et_lite.listening.plain import flac
from et_lite.listening.rendering import Rendering, Version, picture_of, stop_at

EXPORT = "\nexport default { render: (view) => globalThis.ElasticListening.attach(view) };\n"


class LiveListening(anywidget.AnyWidget):
    """The widget over rendered clips, whose slider sounds at every kept length.

    `codec` must be the one that rendered them; ValueError otherwise (book: intro).
    """

    _esm = SCRIPT.read_text(encoding="utf-8") + EXPORT
    cards: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(self, codec: ElasticCodec, *renderings: Rendering) -> None:
        for rendering in renderings:
            if rendering.made["identity"] != codec.identity:
                raise ValueError(
                    f"{rendering.name} was rendered by another model than {codec.name}: "
                    "render it again"
                )
        self.codec, self.renderings = codec, list(renderings)
        self._analyses: dict[int, Analysis] = {}
        # Before any is added: a key names the sounds it was made of.
        self._keys = [rendering.key for rendering in renderings]
        super().__init__(cards=[rendering.card() for rendering in renderings])
        self.on_msg(self.answer)

    def answer(self, _: Any, question: dict[str, Any], buffers: Any = None) -> None:
        """Answer the page: `sound` asks for a version's sound, `render` for another version."""
        kinds: dict[str, Callable[..., None]] = {"sound": self._sound, "render": self._render}
        for kind, asked in question.items():
            try:
                kinds[kind](asked)
            except (KeyError, ValueError, TypeError, IndexError) as error:
                self.send({"problem": str(error), "about": asked})

    def _sound(self, key: str) -> None:
        """Send the FLAC file and the picture of the version called `key`."""
        clip, _, name = key.partition("/")
        rendering = self.renderings[self._keys.index(clip)]
        version = next(version for version in rendering.versions if version.name == name)
        picture = picture_of(rendering, version)
        self.send({"sound": key, "picture": picture}, [flac(version.wave, rendering.rate)])

    def _render(self, asked: dict[str, Any]) -> None:
        """Render a clip at so many frames, unless it is there, and tell the page of it."""
        place, kind, kept = int(asked["clip"]), str(asked["kind"]), int(asked["kept"])
        rendering = self.renderings[place]
        if place not in self._analyses:
            original = rendering.versions[0].wave
            solver = rendering.made["solver"]
            self._analyses[place] = self.codec.analyse(original, rendering.rate, solver)
        version = stop_at(self.codec, self._analyses[place], rendering, kind, kept)
        self._add(place, version)
        self.send({"version": version.facts(), "clip": place})

    def _add(self, place: int, version: Version) -> None:
        known = self.renderings[place]
        others = [other for other in known.versions if other.name != version.name]
        self.renderings[place] = replace(known, versions=[*others, version])
