"""What happens at a frame, on sounds where everybody can tell."""

import numpy as np
import pytest

from et_lite.moments import MOMENTS, moments

RATE, HOP = 22_050, 1024


def names(wave: np.ndarray) -> list[str]:
    return [MOMENTS[place] for place in moments(wave, RATE, HOP)]


def test_a_tone_after_silence_begins_with_an_onset_and_is_steady() -> None:
    time = np.arange(40 * HOP) / RATE
    wave = np.where(np.arange(len(time)) < 20 * HOP, 0, 0.3 * np.sin(2 * np.pi * 440 * time))
    found = names(wave)
    assert len(found) == 40 and set(found[:19]) == {"silence"}
    assert "onset" in found[19:22] and found.count("onset") == 1
    assert set(found[24:38]) == {"steady tone"}


def test_noise_is_none_of_the_named() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * HOP)
    assert np.mean([name in ("steady tone", "silence") for name in names(noise)]) < 0.05


def test_clicks_are_onsets_where_they_are() -> None:
    wave = np.random.default_rng(0).normal(0, 1e-3, 80 * HOP)
    for frame in (20, 45, 70):
        wave[frame * HOP + 300 : frame * HOP + 700] += 0.5
    found = np.flatnonzero(np.array(names(wave)) == "onset")
    assert np.abs(found[:, None] - [20, 45, 70]).min(axis=0).max() == 0


def test_quiet_is_beside_the_loudest_and_a_faint_clip_is_silent() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 40 * HOP)
    faded = np.where(np.arange(len(noise)) < 20 * HOP, noise, noise / 1000)
    assert set(names(faded)[20:]) <= {"silence", "onset"}
    assert set(names(noise * 1e-5)) == set(names(0 * noise)) == {"silence"}


def test_the_last_frame_may_be_part_of_one() -> None:
    assert len(names(np.ones(3 * HOP + 1))) == 4
    with pytest.raises(ValueError, match=r"shape \(0,\)"):
        moments(np.zeros(0), RATE, HOP)
