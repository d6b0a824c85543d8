"""What holds for every cost table: curves, bounds, floors and nested anchors."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from et_lite.solvers import SOLVERS, agglomerative, dp, greedy, solve
from tests import reference


@st.composite
def cost_tables(draw, max_frames=40, caps=(1, 2, 3, 12, None)):
    frames = draw(st.integers(1, max_frames))
    cap = draw(st.sampled_from(caps))
    kind = draw(st.sampled_from(reference.KINDS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return reference.make_costs(kind, frames, cap, rng)


@given(cost_tables(), st.sampled_from(SOLVERS))
def test_a_selection_is_what_it_says(costs, name):
    frames, cap = costs.shape
    path = solve(name, costs)
    assert -(-frames // (cap + 1)) <= path.floor <= frames
    for kept in range(1, frames + 1):
        selection = path.at(kept)
        segmentation = selection.segmentation
        assert selection.requested == kept
        assert segmentation.frames == frames
        assert segmentation.kept == max(kept, path.floor)
        assert selection.reached == (kept >= path.floor)
        segmentation.check_max_offset(cap)
        expected = reference.offsets_cost(costs, segmentation.offsets)
        assert selection.cost == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(cost_tables())
def test_the_optimal_curve_falls_to_zero_and_bounds_every_solver(costs):
    frames = len(costs)
    table = dp(costs)
    curve = table.curve[table.floor :]
    assert np.isfinite(curve).all()
    assert np.isinf(table.curve[: table.floor]).all()
    assert (np.diff(curve) <= 0).all()
    assert table.curve[frames] == 0
    for name in SOLVERS:
        path = solve(name, costs)
        for kept in range(path.floor, frames + 1):
            assert table.curve[kept] <= path.at(kept).cost * (1 + 1e-9) + 1e-9


@given(cost_tables(max_frames=97), st.sampled_from(["greedy", "agglomerative", "random"]))
def test_anchors_of_a_lower_rate_are_anchors_of_every_higher_one(costs, name):
    path = solve(name, costs)
    lower = set()
    for kept in range(path.floor, len(costs) + 1):
        anchors = set(path.at(kept).segmentation.anchors.tolist())
        assert lower < anchors
        lower = anchors


def greedy_bound(frames, cap):
    """The most anchors that greedy selection can be left with, whatever the costs."""
    return (2 * frames + 1) // 3 if cap == 1 else -(-frames // 2)


@given(cost_tables(max_frames=120))
def test_greedy_reaches_every_rate_above_its_bound(costs):
    assert greedy(costs).floor <= greedy_bound(*costs.shape)


@pytest.mark.parametrize("cap", [1, 2, 12])
@pytest.mark.parametrize("frames", [3, 4, 5, 6, 9, 20, 21, 22, 97])
def test_the_bound_on_the_greedy_floor_is_tight(frames, cap):
    # The frames whose removal freezes most go first: every second one counted from the end,
    # or, where two fill a segment, every third one from frame 2.
    first = np.arange(2, frames, 3) if cap == 1 else np.arange(frames - 1, 0, -2)
    costs = np.full((frames, min(cap, frames - 1)), 5.0, dtype=np.float32)
    costs[first - 1, 0] = 1.0
    assert greedy(costs).floor == greedy_bound(frames, cap)


@given(cost_tables(caps=(None,)), st.integers(1, 30))
def test_columns_past_the_end_of_the_clip_change_nothing(costs, extra):
    wide = np.pad(costs, ((0, 0), (0, extra)), constant_values=np.inf)
    for name in SOLVERS:
        one, other = solve(name, costs), solve(name, wide)
        for kept in range(1, len(costs) + 1):
            assert one.at(kept) == other.at(kept)


@given(cost_tables(max_frames=12, caps=(3,)), st.data())
def test_an_infinite_cost_forbids_its_replacement(costs, data):
    frames, cap = costs.shape
    valid = np.argwhere(np.isfinite(costs))
    assume(len(valid))
    anchor, step = valid[data.draw(st.integers(0, len(valid) - 1))]
    costs[anchor, step] = np.inf
    table = dp(costs)
    best = reference.best_costs(costs, cap)
    assert table.floor == min(kept for kept, cost in best.items() if cost < np.inf)
    for path in (greedy(costs), agglomerative(costs), table):
        for kept in range(1, frames + 1):
            selection = path.at(kept)
            assert np.isfinite(selection.cost)
            assert selection.segmentation.offsets[anchor + step + 1] != step + 1


@settings(max_examples=30)
@given(cost_tables(max_frames=60))
def test_every_starting_rate_gives_the_same_table(costs):
    whole = dp(costs)
    frames = len(costs)
    for kept_min in {1, whole.floor, frames // 2 or 1, frames}:
        part = dp(costs, kept_min)
        first = max(kept_min, whole.floor)
        assert part.floor == first
        assert np.array_equal(part.curve[first:], whole.curve[first:])
        assert np.isinf(part.curve[:first]).all()
        for kept in range(first, frames + 1):
            assert part.at(kept) == whole.at(kept)
