"""The Fréchet distance against its formula and known answers, its halves, and its draws."""

import numpy as np
import pytest
import scipy.linalg

from et_lite.frechet import Reference, centred, frechet_distance


def textbook(a: np.ndarray, b: np.ndarray) -> float:
    """The formula as it is written, with scipy's matrix root."""
    one, two = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(one @ two)
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(one + two - 2 * root.real))


@pytest.fixture
def numbers() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("first", "second"), [(400, 300), (400, 9), (8, 9)])
def test_it_is_the_formula(numbers, first, second) -> None:
    mixing = numbers.normal(size=(12, 12))
    a = numbers.normal(size=(first, 12)) @ mixing
    b = numbers.normal(size=(second, 12)) @ numbers.normal(size=(12, 12)) + 1
    assert frechet_distance(a, b) == pytest.approx(textbook(a, b), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_known_answers(numbers) -> None:
    a = numbers.normal(size=(50, 200))  # fewer than dimensions
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 0.5) == pytest.approx(200 * 0.25)
    spread = a - a.mean(0)
    assert frechet_distance(a, a.mean(0) + 3 * spread) == pytest.approx(4 * (spread**2).sum() / 49)
    constant = np.ones((5, 3))
    assert frechet_distance(constant, constant + 2) == pytest.approx(12)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), "give at least two"),
        (np.ones(3), np.ones((4, 3)), "give at least two"),
        (np.ones((4, 3)), np.ones((4, 2)), "3 and 2 dimensions"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_said(first, second, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        frechet_distance(first, second)


@pytest.fixture
def clips(numbers) -> list[np.ndarray]:
    """Nine clips of six sources, three to five windows each; sources differ."""
    sources = numbers.normal(size=(6, 20))
    return [sources[i % 6] + numbers.normal(size=(3 + i % 3, 20)) for i in range(9)]


UNITS = [f"u{i % 6}" for i in range(9)]


def test_draws_are_the_distance_over_resampled_sources(clips, numbers) -> None:
    rebuilt = [clip + 0.3 * numbers.normal(size=clip.shape) for clip in clips]
    reference = Reference(clips, UNITS, draws=20)
    draws = reference.resampled(rebuilt)
    # The same draws by hand, with whole sources repeated.
    chosen = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=20)
    for times, found in zip(chosen, draws, strict=True):
        again = [i for i in range(9) for _ in range(times[i % 6])]
        by_hand = [np.concatenate([side[i] for i in again]) for side in (rebuilt, clips)]
        assert found == pytest.approx(frechet_distance(*by_hand), rel=1e-6)
    assert (reference.resampled(clips) < 1e-6).all()
    ends = centred(reference.distance(rebuilt), draws)
    assert ends.low < ends.mean == reference.distance(rebuilt) < ends.high
    assert ends.high - ends.low == pytest.approx(np.diff(np.quantile(draws, [0.025, 0.975]))[0])


def test_halves_share_no_clip_and_the_floor_is_the_originals_own(clips, numbers) -> None:
    rebuilt = [clip + 0.3 * numbers.normal(size=clip.shape) for clip in clips]
    reference = Reference(clips, UNITS, splits=4)
    shuffle, by_hand = np.random.default_rng(0).permutation, []
    for order in [shuffle(9) for _ in range(4)]:
        ours = np.concatenate([rebuilt[i] for i in order[:4]])
        by_hand.append(frechet_distance(ours, np.concatenate([clips[i] for i in order[4:]])))
    assert reference.halves(rebuilt) == pytest.approx(np.mean(by_hand))
    assert reference.floor == reference.halves(clips) < reference.halves(rebuilt)
    # Clips that nothing was done to are at no distance from themselves, but above it in halves.
    assert reference.distance(clips) < 1e-9 < reference.floor


def test_one_source_has_no_interval_and_one_clip_no_floor(clips) -> None:
    alone = Reference(clips[:1], UNITS[:1])
    ends = centred(alone.distance(clips[:1]), alone.resampled(clips[:1]))
    assert ends.mean == pytest.approx(0, abs=1e-9) and np.isnan([ends.low, ends.high]).all()
    assert np.isnan(alone.floor)


def test_other_clips_than_the_originals_are_refused(clips) -> None:
    reference = Reference(clips, UNITS)
    with pytest.raises(ValueError, match="compare the same clips"):
        reference.distance(clips[:-1])
    with pytest.raises(ValueError, match="9 clips and 8 units"):
        Reference(clips, UNITS[:-1])
