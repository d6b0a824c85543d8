"""The solvers against literal transcriptions of the algorithms: not one mask may differ."""

import numpy as np
import pytest

from et_lite.solvers import agglomerative, dp, greedy
from tests import reference

FRAMES = (1, 2, 3, 7, 20, 47, 48, 96, 97)
CAPS = (1, 2, 3, 12, None)
REPEATS = 2
CASES = len(FRAMES) * len(CAPS) * len(reference.KINDS) * REPEATS


def tables(cap, kind, longest=97):
    """The cost tables of one cap and kind, with the cap as a number."""
    seed = (CAPS.index(cap), reference.KINDS.index(kind))
    rng = np.random.default_rng(seed)
    for frames in (frames for frames in FRAMES if frames <= longest):
        limit = frames if cap is None else cap
        for _ in range(REPEATS):
            yield reference.make_costs(kind, frames, cap, rng), limit, rng


def targets(frames, rng):
    """The ends, the middle and two kept lengths at random."""
    return {1, frames, (frames + 1) // 2, *rng.integers(1, frames + 1, 2).tolist()}


def test_there_are_at_least_500_cases():
    assert CASES >= 500


@pytest.mark.parametrize("kind", reference.KINDS)
@pytest.mark.parametrize("cap", CAPS)
def test_greedy_masks_are_the_reference_masks(cap, kind):
    for costs, limit, rng in tables(cap, kind):
        path = greedy(costs)
        for kept in targets(len(costs), rng):
            expected = reference.greedy_offsets(costs, limit, kept)
            selection = path.at(kept)
            assert selection.segmentation.offsets.tolist() == expected.tolist()
            assert selection.reached == ((expected == 0).sum() == kept)
            assert selection.cost == pytest.approx(
                reference.offsets_cost(costs, expected), rel=1e-12
            )
        # The floor is where the reference gets stuck.
        assert path.floor == (reference.greedy_offsets(costs, limit, 1) == 0).sum()


@pytest.mark.parametrize("kind", reference.KINDS)
@pytest.mark.parametrize("cap", CAPS)
def test_dp_masks_are_the_reference_masks(cap, kind):
    for costs, limit, rng in tables(cap, kind):
        frames = len(costs)
        table, back = reference.dp_table(costs, limit)
        path = dp(costs)
        assert np.array_equal(path.curve[1:], table[frames, :frames][::-1])
        assert path.curve[0] == np.inf
        for kept in range(path.floor, frames + 1):
            expected = reference.dp_offsets(back, frames, kept)
            selection = path.at(kept)
            assert selection.reached
            assert selection.segmentation.offsets.tolist() == expected.tolist()
            assert selection.cost == pytest.approx(
                reference.offsets_cost(costs, expected), rel=1e-12
            )
        # A table that starts at one rate gives the same answer at that rate.
        kept = int(rng.integers(path.floor, frames + 1))
        assert dp(costs, kept_min=kept).at(kept) == path.at(kept)


@pytest.mark.parametrize("kind", reference.KINDS)
@pytest.mark.parametrize("cap", CAPS)
def test_agglomerative_masks_are_the_reference_masks(cap, kind):
    for costs, limit, _ in tables(cap, kind, longest=20):  # the transcription is very slow
        frames = len(costs)
        masks = reference.agglomerative_offsets(costs, limit)
        path = agglomerative(costs)
        assert path.floor == frames - len(masks) + 1
        for merges, expected in enumerate(masks):
            selection = path.at(frames - merges)
            assert selection.segmentation.offsets.tolist() == expected.tolist()
            assert selection.cost == pytest.approx(
                reference.offsets_cost(costs, expected), rel=1e-12
            )


@pytest.mark.parametrize("kind", ["integer", "heavy"])
@pytest.mark.parametrize("cap", CAPS)
def test_agglomerative_masks_on_longer_clips(cap, kind):
    rng = np.random.default_rng(7)
    costs = reference.make_costs(kind, 48, cap, rng)
    masks = reference.agglomerative_offsets(costs, 48 if cap is None else cap)
    path = agglomerative(costs)
    for merges, expected in enumerate(masks):
        offsets = path.at(48 - merges).segmentation.offsets
        assert offsets.tolist() == expected.tolist()


@pytest.mark.parametrize("kind", reference.KINDS)
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 8, 10, 12])
def test_dp_is_optimal_among_all_segmentations(frames, kind):
    rng = np.random.default_rng((frames, reference.KINDS.index(kind)))
    for cap in CAPS:
        costs = reference.make_costs(kind, frames, cap, rng)
        best = reference.best_costs(costs, frames if cap is None else cap)
        path = dp(costs)
        assert path.floor == min(best)
        for kept, cost in best.items():
            assert path.at(kept).cost == pytest.approx(cost, rel=1e-12, abs=1e-12)
