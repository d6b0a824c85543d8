"""Intervals: known cases, files resampled whole, and the promised coverage."""

import numpy as np
import pytest

from et_lite.intervals import interval, paired_interval


def test_equal_values_have_no_spread() -> None:
    found = interval([2.5] * 6, list("aabbcc"))
    assert found == (2.5, 2.5, 2.5)


def test_same_seed_same_interval() -> None:
    values, units = np.random.default_rng(0).normal(size=50), [str(n // 2) for n in range(50)]
    assert interval(values, units) == interval(values, units)
    assert interval(values, units, seed=1) != interval(values, units)


def test_known_draws_of_two_units() -> None:
    # Both draws hit "a" or both "b", a quarter of the time each: the ends are the units' own means.
    mean, low, high = interval([0.0, 0.0, 0.0, 4.0], ["a", "a", "a", "b"], draws=500)
    assert (mean, low, high) == (1.0, 0.0, 4.0)


def test_independent_crops_give_the_textbook_interval() -> None:
    values = np.random.default_rng(1).normal(size=400)
    mean, low, high = interval(values, [str(n) for n in range(400)], draws=4000)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_crops_that_repeat_their_file_add_nothing() -> None:
    files = np.random.default_rng(2).normal(size=40)
    names = [str(n) for n in range(40)]
    once = interval(files, names)
    tenfold = interval(np.repeat(files, 10), list(np.repeat(names, 10)))
    assert tenfold == pytest.approx(once)


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    numbers = np.random.default_rng(3)
    units, hits = [str(n // 3) for n in range(120)], 0
    for _ in range(300):
        values = np.repeat(numbers.normal(size=40), 3) + 0.5 * numbers.normal(size=120)
        _, low, high = interval(values, units, draws=400)
        hits += low <= 0 <= high
    assert 0.90 <= hits / 300 <= 0.98


def test_pairs_see_what_separate_intervals_do_not() -> None:
    numbers = np.random.default_rng(4)
    hard, units = 5 * numbers.normal(size=60), [str(n) for n in range(60)]
    better = hard - 0.3 + 0.05 * numbers.normal(size=60)
    assert interval(better, units).high > interval(hard, units).low
    assert paired_interval(better, hard, units).high < -0.25


def test_one_unit_has_a_mean_and_no_interval() -> None:
    mean, low, high = interval([1.0, 3.0], ["only", "only"])
    assert mean == 2 and np.isnan([low, high]).all()


@pytest.mark.parametrize(
    ("values", "units", "message"),
    [
        ([], [], "one number for each crop"),
        ([[1.0]], ["a"], "one number for each crop"),
        ([1.0, 2.0], ["a"], "2 values and 1 units"),
        ([1.0, np.nan], ["a", "b"], "value 1 is nan"),
    ],
)
def test_bad_input_is_refused(values, units, message) -> None:
    with pytest.raises(ValueError, match=message):
        interval(values, units)


def test_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="pair values of the same crops"):
        paired_interval([1.0], [1.0, 2.0], ["a"])
