"""The listening widget on a page of its own: whose sounds tell who they are, and a tap on them."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Locator, Page

from et_lite.listening.rendering import KEEPS, Rendering, Version
from et_lite.segments import kept_length
from et_lite.solvers import agglomerative

RATE, SECONDS, FRAME_RATE = 22_050, 4, 22_050 / 1024
FRAMES = int(SECONDS * FRAME_RATE)
COSTS = np.random.default_rng(0).random((FRAMES, 12)).cumsum(axis=1).astype(np.float32)
PATH = agglomerative(COSTS)

# A tone that all versions share, and a quieter one that tells which version it is.
MARKS = {
    name: 500 + 125 * place
    for place, name in enumerate(
        ["original", "ceiling"]
        + [f"{kind}-{k:.2f}" for kind in ("elastic", "uniform") for k in KEEPS]
    )
    if name != "uniform-1.00"
}


def tones(name: str, samples: int = RATE * SECONDS) -> np.ndarray:
    time = np.arange(samples) / RATE
    shared = 0.2 * np.sin(2 * np.pi * 220 * time)
    return (shared + 0.1 * np.sin(2 * np.pi * MARKS[name] * time)).astype(np.float32)


def rendering(name: str, title: str) -> Rendering:
    def version(own: str) -> Version:
        kind, _, keep = own.partition("-")
        kept = kept_length(FRAMES, float(keep)) if keep else None
        return Version(own, kind, kept, tones(own), -20.0, -6.0 if own == "ceiling" else 0.0)

    made = {"model": "tones", "identity": "0" * 64, "solver": "agglomerative", "headroom_db": 0.0}
    versions = [version(own) for own in MARKS]
    made["commit"] = "0"
    return Rendering(
        name, title, "nobody", RATE, versions, FRAME_RATE, PATH.order.tolist(), COSTS, made
    )


def write_page(file: Path, body: str) -> None:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sound</title>'
    head += '<link rel="icon" href="data:,"></head>'
    file.write_text(f"{head}<body><main><h1>Sound</h1>{body}</main></body></html>")


@dataclass
class Widget:
    """The page with the widget, and what went wrong on it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def slider(self) -> Locator:
        return self.page.get_by_role("slider", name="Kept fraction")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def play(self) -> None:
        """Start, round and round, and record from the player's output and from the playhead."""
        self.press("Loop")
        self.press("Play")
        self.page.wait_for_function(f"{STATE}.player?.playing")
        self.page.evaluate(RECORD)
        self.page.wait_for_timeout(300)

    def heard(self) -> str:
        """The version whose tone is in the last 0.1 s, once it is the only one."""
        self.page.wait_for_function(f"!{STATE}.loading && {STATE}.player.voices.length === 1")
        self.page.evaluate(f"window.settled = {STATE}.player.context.currentTime")
        self.page.wait_for_function("window.until > window.settled + 0.15")
        sound = self.recorded(2205)
        spectrum = {name: abs(tone_in(sound, hertz)) for name, hertz in MARKS.items()}
        first, second = sorted(spectrum, key=spectrum.__getitem__)[:-3:-1]
        assert spectrum[first] > 10 * spectrum[second], (first, second)
        return first

    def recorded(self, last: int = 0) -> np.ndarray:
        """What passed the player's output, or the last so many samples of it."""
        text = self.page.evaluate(PACKED, last)
        return np.frombuffer(base64.b64decode(text), dtype="<f4")

    def state(self, name: str) -> Any:
        return self.page.evaluate(f"{STATE}.{name}")


SETTLED = 500  # milliseconds after a switch: 4096 samples hold nothing from before it
STATE = "document.querySelector('.et-listening').listening.state"
# As text, since numbers pass one by one.
PACKED = """(last) => {
    const bytes = new Uint8Array(Float32Array.from(window.recorded.slice(-last)).buffer);
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}"""
# A worklet, since the page's own thread would miss blocks when the machine is busy.
RECORD = """async () => {
    const { player } = document.querySelector('.et-listening').listening.state;
    const code = `registerProcessor('tap', class extends AudioWorkletProcessor {
        process([[samples]]) {
            const end = (currentFrame + 128) / sampleRate;
            this.port.postMessage({ end, samples: samples ?? new Float32Array(128) });
            return true;
        }
    })`;
    const url = 'data:text/javascript,' + encodeURIComponent(code); // a folder may not make blobs
    await player.context.audioWorklet.addModule(url);
    const tap = new AudioWorkletNode(player.context, 'tap');
    const recorded = (window.recorded = []);
    tap.port.onmessage = ({ data }) => {
        recorded.push(...data.samples);
        window.until = data.end;
    };
    player.output.connect(tap);
    tap.connect(player.context.destination);
    const head = document.querySelector('.et-listening').shadowRoot.querySelector('.playhead');
    window.places = [];
    const look = (now) => {
        window.places.push([now / 1000, parseFloat(head.style.transform.slice(11))]);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def tone_in(sound: np.ndarray, hertz: float) -> complex:
    window = np.hanning(len(sound))
    return complex(sound @ (window * np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / RATE)))


def visit(browser: Browser, url: str, **options: Any) -> Iterator[Widget]:
    page = browser.new_page(**options)
    page.set_default_timeout(60_000)  # two cores may be busy with other work
    widget = Widget(page)
    page.on("request", lambda request: widget.asked.append(request.url))
    page.on("pageerror", lambda error: widget.errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and widget.errors.append(line.text))
    page.goto(url)
    yield widget
    assert not widget.errors
    page.close()


def assert_no_click(sound: np.ndarray) -> None:
    """Nothing above the tones' own band within 50 dB of them, at any moment."""
    begun = np.flatnonzero(np.abs(sound) > 1e-3)[0] + 4096
    frames = np.lib.stride_tricks.sliding_window_view(sound[begun:], 1024)[::256]
    spectrum = np.abs(np.fft.rfft(frames * np.blackman(1024))) ** 2
    hertz = np.fft.rfftfreq(1024, 1 / RATE)
    above = spectrum[:, hertz > max(MARKS.values()) + 500].sum(axis=1)
    assert 10 * np.log10((above / spectrum.sum(axis=1)).max()) < -50


def assert_playhead_glides(places: list[list[float]]) -> None:
    times, shares = np.array(places).T
    seconds = shares / 100 * SECONDS
    assert len(times) > 20
    jumps = np.diff(seconds) - np.diff(times)
    jumps = (jumps + SECONDS / 2) % SECONDS - SECONDS / 2  # the loop comes round
    assert np.abs(jumps).max() < 0.02
