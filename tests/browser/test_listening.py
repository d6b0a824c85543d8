"""The listening widget in Chromium: heard, drawn and counted, from a server and a folder."""

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from et_lite import listening
from et_lite.listening.page import SCRIPT
from et_lite.listening.plain import flac
from et_lite.listening.rendering import KEEPS, Rendering, Version
from et_lite.segments import Segmentation, kept_length
from et_lite.solvers import agglomerative, uniform
from tests.browser.conftest import QuietHandler

pytestmark = pytest.mark.browser

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the widget beside its files, and one that holds everything."""
    folder = tmp_path_factory.mktemp("listening")
    clips = [rendering("one", "One"), rendering("two", "Two")]
    cards = [clip.write(folder / "sounds") for clip in clips]
    shutil.copy(SCRIPT, folder)
    script = f'<script src="{SCRIPT.name}"></script>'
    write_page(folder / "beside.html", listening.external(cards, "sounds/") + script)
    write_page(folder / "inside.html", listening.embedded(clips[0]).text)
    return folder


def write_page(file: Path, body: str) -> None:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sound</title>'
    head += '<link rel="icon" href="data:,"></head>'
    file.write_text(f"{head}<body><main><h1>Sound</h1>{body}</main></body></html>")


@pytest.fixture(scope="module", params=["http", "file"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "file":
        yield folder.as_uri() + "/"
        return
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


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


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Widget]:
    yield from visit(browser, address + "beside.html")


@pytest.fixture
def local(browser: Browser, folder: Path) -> Iterator[Widget]:
    """From a folder alone: for what does not depend on where the page comes from."""
    yield from visit(browser, (folder / "beside.html").as_uri())


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


def test_sounds_come_with_the_first_play_and_the_baseline_when_it_is_asked_for(opened):
    assert not [url for url in opened.asked if "/sounds/" in url]
    opened.play()
    expected = {f"{name}.js" for name in MARKS if not name.startswith("uniform")}
    for _ in range(100):
        opened.page.wait_for_timeout(100)
        came = {url.rsplit("/", 1)[1] for url in opened.asked if "/sounds/" in url}
        if came >= expected:
            break
    assert came == expected
    opened.slider.press("b")
    assert opened.heard() == "uniform-0.50"
    assert {url.rsplit("/", 1)[1] for url in opened.asked if "uniform" in url} == {
        "uniform-0.50.js"
    }


def test_the_mouse_changes_what_is_heard(opened):
    opened.play()
    assert opened.heard() == "elastic-0.50"
    box = opened.slider.bounding_box()
    y = box["y"] + box["height"] / 2
    opened.page.mouse.move(box["x"] + box["width"] * 0.375, y)  # the thumb at a half
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 1, y, steps=12)
    assert opened.heard() == "elastic-0.20"
    opened.page.mouse.move(box["x"] + box["width"] - 1, y, steps=12)
    opened.page.mouse.up()
    assert opened.heard() == "elastic-1.00"
    assert_no_click(opened.recorded())
    assert_playhead_glides(opened.page.evaluate("window.places"))


def test_keys_change_what_is_heard(opened):
    opened.play()
    opened.slider.focus()
    for key, expected in [
        ("ArrowLeft", "elastic-0.45"),
        ("ArrowRight", "elastic-0.50"),
        ("ArrowRight", "elastic-0.60"),
        ("r", "original"),
        ("b", "uniform-0.60"),
        ("b", "elastic-0.60"),
        ("a", "ceiling"),
        ("a", "elastic-0.60"),
        ("Home", "elastic-0.20"),
    ]:
        opened.page.keyboard.press(key)
        assert opened.heard() == expected, key
    assert_no_click(opened.recorded())
    assert_playhead_glides(opened.page.evaluate("window.places"))
    opened.page.keyboard.press("Space")
    opened.page.wait_for_function(f"{STATE}.player.voices.length === 0")
    opened.page.wait_for_timeout(400)
    assert np.abs(opened.recorded(2048)).max() < 1e-6
    assert not opened.state("player.playing")


def test_a_finger_changes_what_is_heard(browser, address):
    options = {"has_touch": True, "viewport": {"width": 390, "height": 844}}
    for widget in visit(browser, address + "beside.html", **options):
        for name in ("Loop", "Play"):
            widget.page.get_by_role("button", name=name, exact=True).tap()
        widget.page.wait_for_function(f"{STATE}.player?.playing")
        widget.page.evaluate(RECORD)
        box = widget.slider.bounding_box()
        widget.page.touchscreen.tap(box["x"] + 2, box["y"] + box["height"] / 2)
        assert widget.heard() == "elastic-0.20"
        widget.page.get_by_role("button", name="Original").tap()
        assert widget.heard() == "original"
        assert_no_click(widget.recorded())
        assert widget.page.evaluate("document.documentElement.scrollWidth") <= 390


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


def test_the_playhead_glides_though_the_audio_clock_ticks(local):
    """The clock moves in blocks of 0.1 s, and loses a second where the sound stalls."""
    found = local.page.evaluate("""() => {
        const context = { currentTime: 0 };
        const clock = ElasticListening.parts.glidingClock(context, 0);
        return Array.from({ length: 400 }, (_, frame) => {
            const time = frame / 60;
            context.currentTime = Math.floor(time * 10) / 10 - (frame > 200 ? 1 : 0);
            return clock(1000 * time);
        });
    }""")
    steps = np.diff(found) - 1 / 60
    assert np.abs(steps).max() < 0.02
    assert found[200] == pytest.approx(200 / 60, abs=0.11)
    assert found[399] == pytest.approx(399 / 60 - 1, abs=0.11)


def test_a_switch_leaves_the_place_where_it_is(local):
    before, after = local.page.evaluate("""async () => {
        const context = new OfflineAudioContext(1, 22050, 22050);
        const buffer = context.createBuffer(1, 22050, 22050);
        const player = new ElasticListening.parts.Player(context);
        player.set({ buffer, level: 1 });
        player.play();
        const places = [];
        context.suspend(0.5).then(() => {
            for (const level of [1, 0.5]) {
                player.set({ buffer, level });
                places.push(player.sampleAt(context.currentTime));
            }
            context.resume();
        });
        await context.startRendering();
        return places;
    }""")
    assert before == after == pytest.approx(0.5 * RATE - LEAD, abs=128)


OFFLINE = """async ([waves, moves, samples]) => {
    const { Player } = ElasticListening.parts;
    const context = new OfflineAudioContext(1, samples, 22050);
    const sounds = waves.map((wave) => {
        const buffer = context.createBuffer(1, wave.length, 22050);
        buffer.copyToChannel(Float32Array.from(wave), 0);
        return buffer;
    });
    const player = new Player(context);
    player.set({ buffer: sounds[0], level: 1 });
    player.play();
    for (const [time, what, value] of moves) {
        context.suspend(time).then(() => {
            if (what === 'version') player.set({ buffer: sounds[value], level: 1 });
            if (what === 'level') player.set({ buffer: player.sound.buffer, level: value });
            if (what === 'seek') player.seek(value);
            if (what === 'loop') player.setLoop(value);
            context.resume();
        });
    }
    return Array.from((await context.startRendering()).getChannelData(0));
}"""
LEAD = 1103  # samples from a move to its effect: 50 ms
FADE = 397  # samples of a crossfade: 18 ms


def offline(widget: Widget, waves: list[np.ndarray], moves: list[Any], samples: int) -> np.ndarray:
    told = [[wave.tolist() for wave in waves], moves, samples]
    return np.array(widget.page.evaluate(OFFLINE, told))


def test_versions_that_are_equal_switch_without_a_trace(local):
    """Sample-aligned, no dip and no click, even when a switch comes amid the last one."""
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) / 8
    moves = [(0.1 + 0.006 * place, "version", place % 3) for place in range(40)]
    found = offline(local, [noise] * 3, moves, RATE)
    level = np.sqrt((noise**2).mean())
    settled = slice(LEAD + FADE + 2, None)
    error = found[settled] - noise[: RATE - LEAD][FADE + 2 :]
    assert 20 * np.log10(np.abs(error).max() / level) < -50


def test_a_switch_is_a_linear_crossfade_of_18_ms(local):
    one, two = tones("original", RATE), tones("elastic-0.20", RATE)
    found = offline(local, [one, two], [(0.5, "version", 1)], RATE)
    begin = -(-RATE // 2 // 128) * 128  # a context stops between its blocks
    share = np.clip((np.arange(RATE) - begin) / FADE, 0, 1)
    expected = one * (1 - share) + two * share
    error = found[LEAD:] - expected[: RATE - LEAD]
    assert np.abs(error[FADE + 2 :]).max() < 2e-3


def test_seeks_loops_and_levels_make_no_click(local):
    moves = [
        (0.5, "seek", 30_000),
        (0.8, "level", 0.5),
        (1.1, "loop", {"start": 40_000, "end": 45_000}),
        (2.0, "level", 1),
        (2.5, "loop", None),
    ]
    assert_no_click(offline(local, [tones("original")], moves, 3 * RATE))


def test_a_loop_comes_round_to_the_same_sample(local):
    wave = tones("original") * np.linspace(0, 1, RATE * SECONDS, dtype=np.float32)
    moves = [(0.1, "loop", {"start": 2000, "end": 9000})]
    found = offline(local, [wave], moves, 2 * RATE)
    late = found[RATE : RATE + 7000]
    np.testing.assert_allclose(late, found[RATE + 7000 : RATE + 14_000], atol=1e-5)


@pytest.mark.parametrize("voice", ["elastic", "uniform"])
def test_drawn_boundaries_are_those_of_the_package(local, voice):
    if voice == "uniform":
        local.press("Even spacing")
    first, last = (int(local.slider.get_attribute(end)) for end in ("min", "max"))
    assert (first, last) == (kept_length(FRAMES, 0.2), FRAMES)
    for kept in (first, 31, 50, last - 1, last):
        local.slider.fill(str(kept))
        drawn = local.page.eval_on_selector_all(
            ".frames .kept", "all => all.map(one => Math.floor(one.getAttribute('x')))"
        )
        path = PATH if voice == "elastic" else uniform(FRAMES, 12, COSTS)
        selection = path.at(kept)
        assert len(drawn) == kept
        assert drawn == selection.segmentation.anchors.tolist()
        mean = selection.cost / max(1, FRAMES - kept)
        assert f"mean {mean:.2f}" in local.page.locator(".legend").inner_text()
        assert f"{kept / FRAMES:.2f} · {kept / FRAMES * FRAME_RATE:.1f} of 21.5" in (
            local.page.locator("[data-show=kept]").inner_text()
        )


def test_the_slider_says_what_it_shows_and_what_is_heard(local):
    local.slider.fill(str(kept_length(FRAMES, 0.5) + 2))
    text = local.slider.get_attribute("aria-valuetext")
    assert text.startswith("0.52 kept, 11.3 of 21.5 frames per second.")
    assert "Elastic Time at 0.50, the rendered stop nearest to it (43 of 86 frames)" in text


def test_gain_is_shown_and_can_be_switched_off(local):
    local.play()
    gain = local.page.locator("[data-show=gain]")
    local.press("Autoencoder")
    assert local.heard() == "ceiling" and gain.inner_text() == "gain −6.0 dB"
    local.page.wait_for_timeout(SETTLED)
    quiet = np.abs(local.recorded(4096)).max()
    local.press("Same loudness")
    assert local.heard() == "ceiling" and gain.inner_text() == "levels as decoded"
    local.page.wait_for_timeout(SETTLED)
    assert np.abs(local.recorded(4096)).max() / quiet == pytest.approx(10**0.3, rel=0.01)


def test_a_click_seeks_and_a_drag_loops(opened):
    opened.play()
    box = opened.page.locator(".plot").bounding_box()

    def across(share: float) -> tuple[float, float]:
        return box["x"] + share * box["width"], box["y"] + 40

    opened.page.mouse.click(*across(0.5))
    opened.page.wait_for_timeout(150)
    assert 0.5 * SECONDS < place_of(opened) < 0.8 * SECONDS
    opened.page.mouse.move(*across(0.25))
    opened.page.mouse.down()
    opened.page.mouse.move(*across(0.35), steps=4)
    opened.page.mouse.up()
    opened.page.wait_for_timeout(700)
    assert 0.25 * SECONDS <= place_of(opened) <= 0.35 * SECONDS
    assert opened.state("region.start") == pytest.approx(0.25 * SECONDS, abs=0.02)
    assert opened.page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    assert_no_click(opened.recorded())
    opened.slider.press("l")
    opened.page.wait_for_timeout(700)
    assert place_of(opened) > 0.35 * SECONDS or not opened.state("player.playing")


def place_of(widget: Widget) -> float:
    return (
        float(
            widget.page.locator(".playhead").evaluate(
                "head => parseFloat(head.style.transform.slice(11))"
            )
        )
        / 100
        * SECONDS
    )


def test_the_blind_test_counts_and_tells_nothing(opened):
    opened.slider.press("x")
    score = opened.page.locator("[data-show=score]")
    score.wait_for()
    assert score.inner_text() == "No answer yet."
    right = 0
    for answers in range(1, 7):
        hidden = opened.state("test.x")
        guess = hidden if answers <= 5 else {"A": "B", "B": "A"}[hidden]
        right += guess == hidden
        opened.press(f"X is {guess}")
        assert score.inner_text().startswith(f"{right} of {answers} right, p = ")
    assert score.inner_text() == "5 of 6 right, p = 0.109"
    assert opened.slider.is_disabled()
    assert opened.page.locator("[data-show=gain]").inner_text() == ""
    opened.play()
    for letter in "AB":
        opened.press(letter)
        name = {"A": "elastic-0.50", "B": "original"}[letter]
        assert opened.heard() == name
        assert opened.page.locator(".spectrum img").get_attribute("alt").endswith("the original")
    opened.press("X")
    expected = {"A": "elastic-0.50", "B": "original"}[opened.state("test.x")]
    assert opened.heard() == expected
    opened.press("Leave")
    assert opened.slider.is_enabled()


def test_another_clip_starts_anew_and_stays_at_the_kept_fraction(local):
    local.slider.press("Home")
    local.play()
    local.press("Two")
    local.page.wait_for_function(f"{STATE}.player?.playing && {STATE}.card.title === 'Two'")
    assert local.slider.input_value() == str(kept_length(FRAMES, 0.2))
    local.page.evaluate(RECORD)
    assert local.heard() == "elastic-0.20"
    assert local.state("player.anchor.sample") == 0  # where it began


def test_without_scripts_there_are_players(browser, address):
    for page in ("beside.html", "inside.html"):
        for widget in visit(browser, address + page, java_script_enabled=False):
            players = widget.page.locator("audio")
            assert players.count() >= 4
            assert all(player.is_visible() for player in players.all())
            assert widget.page.get_by_text("One: the autoencoder alone").is_visible()


def test_plain_players_have_sound(opened, folder):
    for audio in opened.page.locator("audio").all():
        source = audio.get_attribute("src")
        assert (folder / source).read_bytes().startswith(b"fLaC")


def test_everything_in_one_page_plays_too(browser, address):
    for widget in visit(browser, address + "inside.html"):
        widget.play()
        assert widget.heard() == "elastic-0.50"
        widget.slider.press("b")
        assert widget.heard() == "uniform-0.50"
        assert widget.asked == [address + "inside.html"] or all(
            url.startswith(("data:", "blob:")) for url in widget.asked[1:]
        )


ATTACH = """([card, answers]) => {
    const asked = [];
    const heard = [];
    const code = (letter) => letter.charCodeAt(0);
    const bytes = (text) => new DataView(Uint8Array.from(atob(text), code).buffer);
    const answer = (message, sent) => setTimeout(() => heard.forEach((on) => on(message, sent)));
    const model = {
        get: () => [card],
        on: (event, call) => heard.push(call),
        send(question) {
            asked.push(question);
            const found = answers[JSON.stringify(question)];
            if (found) answer(found[0], found[1].map(bytes));
        },
    };
    const el = document.body.appendChild(document.createElement('div'));
    el.className = 'live';
    ElasticListening.attach({ model, el });
    window.asked = asked;
}"""


def test_a_kernel_renders_the_kept_length_where_the_slider_rests(local):
    """The messages are those of `et_lite.listening.live`, whose own tests pin what it answers."""
    clip = rendering("live", "Live")
    card, kept = clip.card(), 50
    assert kept not in {version.kept for version in clip.versions}
    picture, name = card["picture"], f"elastic-{kept}"
    version = {"name": name, "kind": "elastic", "kept": kept, "gain": 0.0}

    def sound(own: str) -> list[Any]:
        return [{"picture": picture}, [base64.b64encode(flac(tones(own), RATE)).decode()]]

    answers = {
        '{"render":{"clip":0,"kind":"elastic","kept":50}}': [{"version": version, "clip": 0}, []]
    }
    for own, of in [("elastic-0.50", "elastic-0.50"), (name, "elastic-0.20")]:
        key = f"{card['key']}/{own}"
        told, data = sound(of)
        answers[json.dumps({"sound": key}, separators=(",", ":"))] = [{**told, "sound": key}, data]
    local.page.evaluate("document.querySelector('.et-listening').remove()")
    local.page.evaluate(ATTACH, [card, answers])
    local.page.evaluate("document.querySelector('.live > div').className = 'et-listening'")
    local.play()
    assert local.heard() == "elastic-0.50"
    local.slider.fill(str(kept))
    local.page.wait_for_function(f"{STATE}.card.versions.some(({{ kept }}) => kept === {kept})")
    assert local.heard() == "elastic-0.20"  # what this kernel sends for it
    assert f"a rendered stop ({kept} of {FRAMES} frames)" in (
        local.page.locator("[data-show=heard]").inner_text()
    )


def test_reduced_motion_is_honoured(browser, address):
    for widget in visit(browser, address + "beside.html", reduced_motion="reduce"):
        widget.play()
        widget.page.wait_for_timeout(1500)
        shares = {share for _, share in widget.page.evaluate("window.places")}
        assert 2 <= len(shares) <= 6


def test_a_sound_that_is_missing_is_said(browser, address, folder):
    sound = next(folder.glob("sounds/two-*/elastic-0.50.js"))
    hidden = sound.rename(sound.with_suffix(".away"))
    page = browser.new_page()
    page.goto(address + "beside.html")
    page.get_by_role("button", name="Two").click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert "elastic-0.50.js did not load" in page.get_by_role("alert").inner_text()
    hidden.rename(sound)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"{STATE}.player?.playing")
    assert not page.get_by_role("alert").is_visible()
    page.close()


def test_parts_agree_with_the_package(local):
    parts = "ElasticListening.parts"
    chances = local.page.evaluate(
        f"[[0, 5], [5, 5], [8, 10], [60, 100]].map(([r, n]) => {parts}.chanceOf(r, n))"
    )
    np.testing.assert_allclose(chances, [1, 1 / 32, 56 / 1024, 0.028443966820], rtol=1e-8)
    for kept in (20, 60, FRAMES):
        offsets = local.page.evaluate(
            f"{parts}.offsetsOfOrder({json.dumps(PATH.order.tolist())}, {FRAMES}, {kept})"
        )
        assert Segmentation.from_offsets(offsets) == PATH.at(kept).segmentation
