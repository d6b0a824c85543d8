"""Solvers on small cases that can be checked by hand, and what they refuse."""

import importlib
import math
import pkgutil

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import et_lite.solvers
from et_lite.solvers import (
    SOLVERS,
    agglomerative,
    dp,
    greedy,
    random_order,
    solve,
    solve_rows,
    stride,
    uniform,
)
from tests import reference


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def zeros(frames, cap):
    return reference.make_costs("zero", frames, cap, np.random.default_rng(0))


def test_ties_collapse_at_the_end_for_dp_and_at_the_start_for_greedy():
    costs = zeros(10, 12)
    assert dp(costs).at(5).segmentation.offsets.tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]
    assert greedy(costs).at(5).segmentation.offsets.tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0, 0]
    assert agglomerative(costs).order.tolist() == list(range(1, 10))


def test_codecslimes_ties_go_to_the_shortest_last_segment(rng):
    path = solve("codecslime", zeros(10, 3))
    assert path.at(5).segmentation.lengths.tolist() == [4, 3, 1, 1, 1]
    assert path.floor == 3 and not path.at(2).reached
    for kind in ("uniform", "zero"):
        tables = np.stack([reference.make_costs(kind, 600, 3, rng) for _ in range(2)])
        targets = np.array([150, 311])
        for table, kept, row in zip(
            tables, targets, solve_rows("codecslime", tables, targets), strict=True
        ):
            alone = solve("codecslime", table).at(kept)
            assert np.array_equal(row.segmentation.lengths, alone.segmentation.lengths)
            assert row.cost == alone.cost == dp(table).at(kept).cost  # equals of the optimum


def test_a_stride_has_one_kept_length():
    for frames, step in ((1, 2), (7, 2), (8, 2), (10, 3)):
        path = stride(frames, step)
        assert path.floor == -(-frames // step)
        for kept in range(1, frames + 1):
            selection = path.at(kept)
            assert (selection.segmentation.anchors == np.arange(0, frames, step)).all()
            assert selection.reached == (kept == path.floor) and selection.requested == kept
    with pytest.raises(ValueError, match="Kept length 8 is not in 1 to 7"):
        stride(7, 2).at(8)


def test_greedy_freezes_an_anchor_that_has_been_predicted_from():
    # Frame 2 goes first, so frame 1 is frozen although it would be the cheapest of all next.
    costs = np.array([[2, 9], [1, 9], [8, np.inf], [np.inf, np.inf]], dtype=np.float32)
    path = greedy(costs)
    assert path.order.tolist() == [2, 3]
    assert path.deltas.tolist() == [1, 9]
    assert path.floor == 2
    stuck = path.at(1)
    assert not stuck.reached
    assert stuck.requested == 1
    assert stuck.segmentation.lengths.tolist() == [1, 3]


def test_greedy_costs_may_fall_along_the_order():
    costs = np.array([[3, 1], [4, 1], [np.inf, np.inf]], dtype=np.float32)
    assert greedy(costs).deltas.tolist() == [3, 1]


def test_merging_counts_every_frame_that_is_predicted_from_further_back():
    # Frame 2 goes first (2 < 3). Removing 1 then costs e[0, 1] + e[0, 2] - e[1, 1] = 3 + 7 - 2.
    costs = np.array([[3, 7], [2, np.inf], [np.inf, np.inf]], dtype=np.float32)
    path = agglomerative(costs)
    assert path.order.tolist() == [2, 1]
    assert path.deltas.tolist() == [2, 8]
    assert path.at(1).cost == 10


def test_merging_may_lower_the_cost():
    # 3 goes from 2 for 5, then 1 from 0 for 6; from 0 both 2 and 3 are then predicted perfectly.
    costs = np.full((4, 3), np.inf, dtype=np.float32)
    costs[0] = [6, 0, 0]
    costs[1, :2] = [9, 9]
    costs[2, 0] = 5
    path = agglomerative(costs)
    assert path.order.tolist() == [3, 1, 2]
    assert path.deltas.tolist() == [5, 6, -5]
    assert path.at(1).cost == 6


def test_costs_add_up_in_double_precision():
    # In float32 these steps would vanish beside the first.
    costs = np.full((200, 199), 1e-4, dtype=np.float32)
    costs[0, 0] = costs[1, 0] = 4096
    tiny = float(np.float32(1e-4))
    for path in (greedy(costs), agglomerative(costs), dp(costs)):
        kept = path.floor
        selection = path.at(kept)
        expected = reference.offsets_cost(costs, selection.segmentation.offsets)
        assert selection.cost == pytest.approx(expected, rel=1e-15)
    assert dp(costs).at(1).cost == pytest.approx(4096 + 198 * tiny, rel=1e-15)


def test_a_single_frame_is_kept():
    for name in SOLVERS:
        selection = solve(name, np.empty((1, 0), np.float32)).at(1)
        assert selection.segmentation.lengths.tolist() == [1]
        assert selection.reached
        assert selection.cost == 0


@pytest.mark.parametrize("name", SOLVERS)
def test_no_column_means_no_replacement(name):
    selection = solve(name, np.empty((5, 0), np.float32)).at(2)
    assert selection.segmentation.kept == 5
    assert not selection.reached


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("kept", [0, 7, -1])
def test_a_kept_length_out_of_range(name, kept):
    with pytest.raises(ValueError, match=f"Kept length {kept} is not in 1 to 6"):
        solve(name, zeros(6, 3)).at(kept)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_bad_costs_are_named(name, bad, rng):
    costs = reference.make_costs("uniform", 20, 3, rng)
    costs[4, 1] = bad
    with pytest.raises(ValueError, match=f"predicting frame 6 from anchor 4 is {bad}"):
        solve(name, costs)


@pytest.mark.parametrize("name", SOLVERS)
def test_entries_past_the_end_are_never_read(name, rng):
    costs = reference.make_costs("uniform", 9, 4, rng)
    spoiled = np.where(np.isfinite(costs), costs, np.nan)
    for kept in range(1, 10):
        assert solve(name, spoiled).at(kept) == solve(name, costs).at(kept)


@pytest.mark.parametrize("shape", [(4,), (2, 4, 3), (0, 3)])
def test_a_table_of_the_wrong_shape(shape):
    for name in SOLVERS:
        with pytest.raises(ValueError, match="shape"):
            solve(name, np.zeros(shape, np.float32))


def test_an_unknown_solver():
    with pytest.raises(ValueError, match="no solver 'best'; choose one of greedy, dp"):
        solve("best", zeros(6, 3))


def test_dp_refuses_a_rate_that_was_left_out():
    table = dp(zeros(20, 3), kept_min=10)
    assert table.floor == 10
    assert table.at(10).reached
    with pytest.raises(ValueError, match="Kept length 9 is not in this table, which starts at 10"):
        table.at(9)


def test_dp_below_what_the_cap_allows():
    for kept_min in (None, 1, 3, 5):  # a table for less than the possible is a whole table
        selection = dp(zeros(20, 3), kept_min).at(2)
        assert not selection.reached
        assert selection.segmentation.lengths.tolist() == [4] * 5


@pytest.mark.parametrize("kept_min", [0, 21])
def test_dp_starting_rate_out_of_range(kept_min):
    with pytest.raises(ValueError, match="not in 1 to 20"):
        dp(zeros(20, 3), kept_min)


def test_dp_names_a_table_that_is_too_large():
    costs = np.ones((80_000, 12), np.float32)
    with pytest.raises(ValueError, match=r"2\.8 GiB and the limit is 2 GiB: raise kept_min"):
        dp(costs)


def test_dp_offsets_beyond_a_byte():
    costs = zeros(700, None)
    table = dp(costs)
    assert table.steps.dtype == np.uint16
    assert table.at(1).segmentation.lengths.tolist() == [700]
    assert table.at(3).segmentation.lengths.tolist() == [1, 1, 698]
    assert dp(zeros(700, 255)).steps.dtype == np.uint8
    assert dp(zeros(700, 255)).at(3).segmentation.lengths.tolist() == [188, 256, 256]


def test_uniform_anchors():
    path = uniform(10, 3)
    assert path.floor == 3
    assert path.at(4).segmentation.anchors.tolist() == [0, 2, 5, 7]
    assert math.isnan(path.at(4).cost)
    assert path.at(10).cost == 0
    low = path.at(1)
    assert not low.reached
    assert low.segmentation.anchors.tolist() == [0, 3, 6]
    assert uniform(10, None).at(1).segmentation.max_offset == 9


def test_uniform_cost_is_filled_from_the_table(rng):
    costs = reference.make_costs("uniform", 10, 3, rng)
    selection = uniform(10, 3, costs).at(4)
    assert selection.cost == pytest.approx(
        reference.offsets_cost(costs, selection.segmentation.offsets)
    )


def test_random_order_is_a_permutation_without_a_cap(rng):
    path = random_order(50, None, rng)
    assert sorted(path.order.tolist()) == list(range(1, 50))
    assert np.isnan(path.deltas).all()
    assert math.isnan(path.at(25).cost)


def test_random_order_skips_only_what_would_pass_the_cap(rng):
    for cap in (0, 1, 2, 5):
        path = random_order(60, cap, rng)
        lengths = path.at(1).segmentation.lengths
        assert lengths.max() <= cap + 1
        # Nothing that still fits was left: no two neighbours could be joined.
        assert (lengths[1:] + lengths[:-1] > cap + 1).all()


def test_random_order_draws_from_its_generator_alone():
    orders = [random_order(40, 3, np.random.default_rng(s)).order.tolist() for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def seeded_order(frames, max_offset, step_costs=None):
    return random_order(frames, max_offset, np.random.default_rng(0), step_costs)


@pytest.mark.parametrize("make", [uniform, seeded_order])
def test_baselines_refuse_what_does_not_fit(make):
    with pytest.raises(ValueError, match="0 frames"):
        make(0, 3)
    with pytest.raises(ValueError, match="max_offset is -1"):
        make(5, -1)
    with pytest.raises(ValueError, match=r"need \(10, 4\)"):
        make(10, 4, zeros(10, 3))
    with pytest.raises(ValueError, match=r"need \(10, 3\)"):
        make(10, 3, zeros(9, 3))


@pytest.mark.parametrize("name", ["greedy", "dp", "agglomerative", "uniform"])
@pytest.mark.parametrize("frames", [30, 600])
def test_rows_are_solved_each_on_its_own(name, frames, rng):
    costs = np.stack([reference.make_costs("growing", frames, 5, rng) for _ in range(7)])
    kept = rng.integers(frames // 2, frames + 1, 7)
    rows = solve_rows(name, costs, kept)
    assert rows == [solve(name, row).at(n) for row, n in zip(costs, kept, strict=True)]
    assert [row.segmentation.kept for row in rows] == kept.tolist()


def test_random_rows_differ_and_repeat(rng):
    costs = np.stack([zeros(40, 4)] * 3)
    kept = np.full(3, 20)
    first, again = (solve_rows("random", costs, kept, seed=5) for _ in range(2))
    other = solve_rows("random", costs, kept, seed=6)
    assert first == again
    assert first[0] != first[1]
    assert first[0] != other[0]
    assert solve("random", costs[0], seed=5).at(20) == solve("random", costs[0], seed=5).at(20)


def test_rows_of_disagreeing_shapes(rng):
    with pytest.raises(ValueError, match=r"must be \(B, T, L\) and \(B,\)"):
        solve_rows("dp", np.stack([zeros(6, 2)] * 3), np.array([3, 3]))
    with pytest.raises(ValueError, match=r"must be \(B, T, L\) and \(B,\)"):
        solve_rows("dp", zeros(6, 2), np.array([3] * 6))
    assert solve_rows("dp", np.empty((0, 600, 2), np.float32), np.empty(0, np.int64)) == []


def test_kernels_call_no_kernel_of_another_file():
    # Numba's cache knows a kernel by its own file and would keep the old code of the other.
    found = 0
    for info in pkgutil.iter_modules(et_lite.solvers.__path__, "et_lite.solvers."):
        module = importlib.import_module(info.name)
        kernels = {n: k for n, k in vars(module).items() if isinstance(k, Dispatcher)}
        found += len(kernels)
        assert all(k.py_func.__module__ == info.name for k in kernels.values()), info.name
    assert found >= 5
