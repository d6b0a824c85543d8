"""The listening widget's Python: what is rendered, written, embedded and built."""

import base64
import io
import json
import re

import numpy as np
import pytest
import soundfile

from et_lite import listening, plotting
from et_lite.codec import ElasticCodec
from et_lite.listening.live import LiveListening
from et_lite.listening.page import SCRIPT
from et_lite.segments import kept_length
from et_lite.solvers import agglomerative
from scripts import build_listening

RATE = 22_050
KEEPS = (0.3, 0.5, 1.0)


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """Two seconds of a tone that swells, loud enough for a gain to matter."""
    time = np.arange(2 * RATE) / RATE
    return (np.sin(2 * np.pi * 440 * time) * time / 4).astype(np.float32)


@pytest.fixture(scope="module")
def rendering(random_codec: ElasticCodec, wave: np.ndarray) -> listening.Rendering:
    return listening.render(random_codec, wave, RATE, "tone", "A tone", "by <b>us</b>", KEEPS)


def loudness_of(wave: np.ndarray) -> float:
    import pyloudnorm

    return pyloudnorm.Meter(RATE).integrated_loudness(wave.astype(np.float64))


def test_every_version_is_there_and_aligned(rendering, wave):
    names = [version.name for version in rendering.versions]
    elastic = [f"elastic-{keep:.2f}" for keep in KEEPS]
    assert names == ["original", "ceiling", *elastic, "uniform-0.30", "uniform-0.50"]
    assert {version.wave.shape for version in rendering.versions} == {wave.shape}
    kept = {v.name: v.kept for v in rendering.versions}
    assert kept["original"] is None and kept["ceiling"] is None
    assert kept["elastic-0.30"] == kept["uniform-0.30"] == kept_length(rendering.frames, 0.3)


def test_versions_are_what_the_codec_gives(rendering, random_codec, wave):
    factor = 10 ** (rendering.made["headroom_db"] / 20)
    sounds = {version.name: version.wave / factor for version in rendering.versions}
    np.testing.assert_allclose(sounds["original"], wave, atol=1e-6)
    for name, solver in (("elastic-0.50", "agglomerative"), ("uniform-0.50", "uniform")):
        expected = random_codec.decompress(random_codec.compress(wave, RATE, 0.5, solver))[0]
        np.testing.assert_allclose(sounds[name], expected, atol=1e-5)


def test_order_and_costs_belong_together(rendering):
    assert agglomerative(rendering.costs).order.tolist() == rendering.order


def test_gains_make_all_equally_loud_and_none_clip(rendering):
    with_gain = [v.wave * 10 ** (v.gain / 20) for v in rendering.versions]
    levels = [loudness_of(wave) for wave in with_gain]
    assert np.ptp(levels) < 0.05
    assert max(np.abs(wave).max() for wave in with_gain) <= 1 + 1e-6
    for version in rendering.versions:
        assert version.loudness == pytest.approx(loudness_of(version.wave), abs=0.01)


def test_one_factor_for_all_and_no_peak_normalisation(random_codec, wave):
    loud = listening.render(random_codec, wave * 2.5, RATE, "loud", keeps=(1.0,))
    factor = loud.made["headroom_db"]
    assert factor < 0
    assert loud.versions[0].wave == pytest.approx(wave * 2.5 * 10 ** (factor / 20), abs=1e-5)
    quiet = listening.render(random_codec, wave / 100, RATE, "quiet", keeps=(1.0,))
    assert np.abs(quiet.versions[0].wave).max() < 0.01


def test_silence_has_no_gain(random_codec):
    silence = np.zeros(RATE, np.float32)
    original = listening.render(random_codec, silence, RATE, "silence", keeps=(1.0,)).versions[0]
    assert original.gain == 0 or np.isfinite(original.gain)
    assert original.facts()["loudness"] is None
    json.dumps(original.facts(), allow_nan=False)


def test_card_is_honest_and_plain_json(rendering, random_codec):
    card = json.loads(json.dumps(rendering.card(), allow_nan=False))
    assert card["made"]["model"] == random_codec.name
    assert card["made"]["identity"] == random_codec.identity
    assert {"commit", "machine", "solver", "headroom_db"} <= set(card["made"])
    assert len(card["costs"]) == card["frames"] * card["cap"]
    found = np.reshape(card["costs"], (card["frames"], card["cap"]))
    finite = np.isfinite(rendering.costs)
    np.testing.assert_allclose(found[finite], rendering.costs[finite], rtol=0.006)
    picture = base64.b64decode(card["picture"])
    assert picture.startswith(b"\x89PNG")


def test_another_sound_has_another_key(rendering, random_codec, wave):
    other = listening.render(random_codec, wave / 2, RATE, "tone", keeps=KEEPS)
    assert other.key != rendering.key and other.key.startswith("tone-")


def test_written_scripts_carry_the_sound_without_loss(rendering, tmp_path):
    card = rendering.write(tmp_path)
    folder = tmp_path / card["key"]
    assert json.loads((folder / "card.json").read_text()) == json.loads(json.dumps(card))
    for version in rendering.versions:
        text = (folder / f"{version.name}.js").read_text()
        key, flac, picture = re.fullmatch(
            r'ElasticListening\.deliver\("(.*)", "(.*)", "(.*)"\);\n', text
        ).groups()
        assert key == f"{card['key']}/{version.name}"
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(flac)))
        assert rate == RATE
        loudest = 1 - 1 / 32768  # of 16 bits
        np.testing.assert_allclose(wave, version.wave.clip(-1, loudest), atol=0.51 / 32768)
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    wave, _ = soundfile.read(folder / "original.flac")
    assert len(wave) == 2 * RATE
    assert not list(tmp_path.rglob(".tmp-*"))


def test_pages_hold_the_cards_and_plain_players(rendering):
    inside = listening.embedded(rendering).text
    beside = listening.external([rendering.card()], "../sounds/")
    for page in (inside, beside):
        (told,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
        (card,) = json.loads(told)
        assert card["key"] == rendering.key
        assert "by <b>us</b>" in page
    assert f'src="../sounds/{rendering.key}/original.flac"' in beside
    assert "data:audio" not in beside and len(beside) < 60_000
    assert inside.count("data:audio/flac") == len(rendering.versions)
    assert "http" not in inside.replace("http://www.w3.org", "") and "</script" not in (
        SCRIPT.read_text()
    )


def test_what_cannot_be_rendered_is_refused(random_codec, wave):
    with pytest.raises(ValueError, match="2 channels, not 1"):
        listening.render(random_codec, np.stack([wave, wave]), RATE, "stereo")
    with pytest.raises(ValueError, match="lasts 0.10 s"):
        listening.render(random_codec, wave[: RATE // 10], RATE, "short")
    with pytest.raises(ValueError, match="'dp' removes frames in no order"):
        listening.render(random_codec, wave, RATE, "dp", solver="dp")


def test_credits_are_those_of_the_attribution(tmp_path):
    assert "Will Savino</a> (<a href=" in listening.credit("music_1")
    assert listening.credit("effects_1").count("<i>") == 3
    with pytest.raises(ValueError, match="no source of 'nothing'"):
        listening.credit("nothing")
    file = tmp_path / "credits.md"
    file.write_text("| a | T <1> | [N & M](https://example.org/) | f | p | CC0 |\n")
    assert listening.credit("a", file) == (
        'Sound: <i>T &lt;1&gt;</i> by <a href="https://example.org/">N &amp; M</a> (CC0).'
    )


@pytest.fixture
def live(rendering, random_codec, monkeypatch) -> tuple[LiveListening, list]:
    widget, sent = LiveListening(random_codec, rendering), []
    monkeypatch.setattr(
        widget, "send", lambda message, buffers=None: sent.append((message, buffers))
    )
    return widget, sent


def test_the_kernel_sends_a_sound_that_is_asked_for(live, rendering):
    widget, sent = live
    key = f"{rendering.key}/elastic-0.50"
    widget.answer(widget, {"sound": key})
    ((message, (data,)),) = sent
    assert message["sound"] == key and message["picture"]
    wave, _ = soundfile.read(io.BytesIO(data))
    version = next(v for v in rendering.versions if v.name == "elastic-0.50")
    np.testing.assert_allclose(wave, version.wave, atol=0.51 / 32768)


def test_the_kernel_renders_any_kept_length(live, rendering, random_codec):
    widget, sent = live
    widget.answer(widget, {"render": {"clip": 0, "kind": "elastic", "kept": 17}})
    version = sent[0][0]["version"]
    assert (version["kind"], version["kept"]) == ("elastic", 17)
    widget.answer(widget, {"sound": f"{rendering.key}/{version['name']}"})
    wave, _ = soundfile.read(io.BytesIO(sent[1][1][0]))
    original = rendering.versions[0].wave
    keep = 17 / rendering.frames
    payload = random_codec.compress(original, RATE, keep, "agglomerative")
    factor = 10 ** (rendering.made["headroom_db"] / 20)
    expected = random_codec.decompress(payload)[0] * factor
    np.testing.assert_allclose(wave, np.clip(expected, -1, 1), atol=1e-3)
    target = rendering.versions[0].loudness + rendering.versions[0].gain
    assert version["loudness"] + version["gain"] <= target + 1e-6


def test_the_kernel_says_what_it_cannot_do(live, rendering, random_codec):
    widget, sent = live
    widget.answer(widget, {"render": {"clip": 0, "kind": "elastic", "kept": 1}})
    widget.answer(widget, {"sound": "nothing/there"})
    assert "keeps" in sent[0][0]["problem"] and sent[1][0]["about"] == "nothing/there"
    other = ElasticCodec(
        "other", random_codec.autoencoder, random_codec.method, random_codec.window, "c" * 64
    )
    with pytest.raises(ValueError, match="tone was rendered by another model than other"):
        LiveListening(other, rendering)


def test_the_built_script_is_what_the_sources_give():
    """After a change in src: python scripts/build_listening.py."""
    assert SCRIPT.read_text(encoding="utf-8") == build_listening.build()


def test_sources_are_read_in_a_sitting():
    files = sorted((SCRIPT.parent / "src").iterdir())
    assert files
    lengths = {file.name: len(file.read_text().splitlines()) for file in files}
    assert max(lengths.values()) <= 300, lengths


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"main.js": 'import * as x from "./a.js";\n', "a.js": ""}, "cannot join"),
        ({"main.js": "export default 1;\nexport { a };\n"}, "cannot join"),
        (
            {"main.js": 'import { a } from "./a.js";\nconst b = 1;\n', "a.js": "let b = 2;\n"},
            "both define b",
        ),
        (
            {
                "main.js": 'import { a } from "./a.js";\n',
                "a.js": 'import { m } from "./main.js";\n',
            },
            "imports itself",
        ),
    ],
)
def test_the_builder_refuses_what_it_cannot_join(tmp_path, files, problem):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=problem):
        build_listening.build(tmp_path)


def test_colours_are_those_of_the_figures():
    style = (SCRIPT.parent / "src" / "listening.css").read_text().upper()
    used = re.findall(r"--(?:KEPT|ERROR): (#\w+)", style)
    assert len(used) == 4 and set(used) <= set(plotting.COLOURS)
