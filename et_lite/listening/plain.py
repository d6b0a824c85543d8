"""Players for the notebooks: sound inside the page, as loud as it is.

Plain HTML and a classic script, so that a page works from a folder and without a kernel.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from et_lite.plotting.markup import Markup


def players(sounds: Mapping[str, NDArray], rate: int) -> Markup:
    """A player for each named sound (n,) at `rate` hertz.

    Lossless, and never scaled to its own peak, which would hide a difference in level.
    """
    rows = [
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:.2em 1em;margin:.3em 0">'
        f'<span style="flex:0 0 14em">{html.escape(name)}</span>{_audio(name, wave, rate)}</div>'
        for name, wave in sounds.items()
    ]
    return Markup("".join(rows))


@dataclass(frozen=True)
class Stop:
    """One position of a recorded slider: what it is called, says, shows and plays."""

    name: str
    text: str
    wave: NDArray  # (n,)
    picture: bytes  # PNG
    alt: str  # what the picture shows, in words


def recorded_stops(stops: Sequence[Stop], rate: int, label: str, first: int = 0) -> Markup:
    """A slider over recorded stops. It needs no kernel: picture, text and sound lie in the page.

    Moving it while a sound plays goes on from the same moment in the next one.
    """
    # A page that runs no scripts shows the first stop, which is still true.
    shown = [
        f'<div data-name="{html.escape(stop.name)}"{"" if place == first else " hidden"}>'
        f'<img alt="{html.escape(stop.alt)}" style="max-width:100%" '
        f'src="data:image/png;base64,{base64.b64encode(stop.picture).decode()}">'
        f"<p>{html.escape(stop.text)}</p>{_audio(stop.name, stop.wave, rate)}</div>"
        for place, stop in enumerate(stops)
    ]
    return Markup(
        '<div class="recorded-stops"><label style="display:flex;flex-wrap:wrap;gap:.2em 1em">'
        f"<span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(stops) - 1}" value="{first}" '
        f'aria-valuetext="{html.escape(stops[first].name)}" style="flex:1 1 12em;max-width:24em">'
        f"<output>{html.escape(stops[first].name)}</output></label>"
        f"{''.join(shown)}<script>{SWITCH}</script></div>"
    )


# A classic script: browsers refuse modules to a page opened from a folder.
SWITCH = """
(function (root) {
  var slider = root.querySelector("input"), told = root.querySelector("output");
  var stops = root.querySelectorAll("[data-name]"), now = +slider.value;
  slider.oninput = function () {
    var from = stops[now].querySelector("audio"), moment = from.currentTime, playing = !from.paused;
    from.pause();
    stops[now].hidden = true;
    now = +slider.value;
    stops[now].hidden = false;
    told.textContent = stops[now].dataset.name;
    slider.setAttribute("aria-valuetext", stops[now].dataset.name);
    var to = stops[now].querySelector("audio");
    to.currentTime = moment;
    if (playing) to.play();
  };
})(document.currentScript.parentElement);
"""


def flac(wave: NDArray, rate: int) -> bytes:
    """The sound (n,) as a FLAC file of 16 bits, samples beyond ±1 clipped."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(wave, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _audio(name: str, wave: NDArray, rate: int) -> str:
    """An audio element with the sound (n,) inside it."""
    data = base64.b64encode(flac(wave, rate)).decode()
    return (
        f'<audio controls preload="metadata" aria-label="{html.escape(name)}" '
        f'style="max-width:100%" src="data:audio/flac;base64,{data}"></audio>'
    )
