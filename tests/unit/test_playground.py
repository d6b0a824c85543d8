"""The solver playground: what its states are, and that both of its versions say the same."""

import base64
import json
import re

import numpy as np
import pytest

from et_lite import playground
from et_lite.playground.live import controls
from et_lite.segments import Segmentation, kept_length
from et_lite.solvers import SOLVERS, solve

RATE = 22_050


@pytest.fixture(scope="module")
def table(random_codec) -> playground.Table:
    """Two seconds of a tone that swells."""
    time = np.arange(2 * RATE) / RATE
    wave = (np.sin(2 * np.pi * 440 * time) * time / 4).astype(np.float32)
    return playground.table_of(random_codec, wave, RATE)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("cap", [1, 3, 12])
def test_a_state_is_the_solver_s_own_under_the_cap(table, solver, cap):
    for kept in (6, table.frames // 2, table.frames):
        state = table.at(solver, cap, kept)
        own = solve(solver, table.costs[:, :cap]).at(kept)
        assert state.chosen.segmentation == own.segmentation
        assert state.chosen.segmentation.max_offset <= cap
        assert state.least.segmentation.kept == own.segmentation.kept
        assert state.gap >= -1e-9


def test_words_say_what_came_out(table):
    half = table.frames // 2
    exact = table.at("dp", 12, half)
    assert exact.gap == 0 and exact.told.startswith(f"{half} of {table.frames} frames kept")
    low = table.at("greedy", 12, 4)
    floor = solve("greedy", table.costs).floor
    assert "Asked for 4: greedy ends here." in low.told and low.told.startswith(f"{floor} of")
    assert table.at("dp", 12, table.frames).gap == 0  # nothing is dropped, by anyone


def test_what_is_not_there_is_refused(table, random_codec):
    with pytest.raises(ValueError, match="cap 13 is not in 1 to 12"):
        table.at("dp", 13, 5)
    with pytest.raises(ValueError, match="no solver 'best'"):
        table.at("best", 12, 5)
    with pytest.raises(ValueError, match="2 channels, not 1"):
        playground.table_of(random_codec, np.zeros((2, RATE), np.float32), RATE)


def test_a_state_can_be_heard(table, random_codec):
    kept = table.frames // 2
    for solver, cap in (("dp", 12), ("agglomerative", 2)):
        heard = table.heard(table.at(solver, cap, kept))
        assert heard.shape == table.wave.shape
    same = random_codec.decompress(random_codec.compress(table.wave, RATE, 0.5, "dp"))[0]
    half = table.heard(table.at("dp", 12, kept_length(table.frames, 0.5)))
    np.testing.assert_allclose(half, same, atol=1e-6)


def stored(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    return json.loads(text)


def test_the_record_holds_every_kept_length(table):
    page = playground.recorded(table, "A <tone>").text
    told = stored(page)
    assert sorted(map(int, told["paths"])) == sorted(playground.CAPS)
    for cap, row in told["paths"].items():
        assert list(row) == list(SOLVERS)
        for name, states in row.items():
            path = table.path(name, int(cap))
            assert len(states["costs"]) == table.frames + 1 - path.floor
            assert states["costs"][-1] == 0
            for place, bits in enumerate(states.get("cuts", [])):
                kept = np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8))
                found = Segmentation.from_anchors(np.flatnonzero(kept), table.frames)
                assert found == path.at(path.floor + place).segmentation
    assert "A &lt;tone&gt;" in page and "http" not in page.replace("http://www.w3.org", "")


def test_the_controls_move_what_is_told_and_shown(table):
    box = controls(table)
    solver, cap, keep, told, picture, button, player = box.children
    seen = {picture.value}
    solver.value = "greedy"
    keep.value = 0.1
    assert "greedy ends here" in told.value
    solver.value, cap.value, keep.value = "dp", 2, 0.5
    half = kept_length(table.frames, 0.5)
    assert told.value == table.at("dp", 2, half).told
    assert 'alt="Spectrogram over two strips' in picture.value
    seen.add(picture.value)
    assert len(seen) == 2 and player.value == ""
    button.click()
    assert "data:audio/flac" in player.value
    cap.value = 3
    assert player.value == ""  # that sound was another setting's
