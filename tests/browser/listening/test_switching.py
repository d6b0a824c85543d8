"""From one version to another, at the same place and without a click."""

from typing import Any

import numpy as np
import pytest

from tests.browser.listening.widget import RATE, SECONDS, Widget, assert_no_click, tones

pytestmark = pytest.mark.browser


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
