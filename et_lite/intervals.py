"""Means over evaluation crops and how sure they are (book: evaluation).

Crops of one source file are alike, so intervals resample whole files, not crops.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95  # of every interval
SEED = 0  # of every resampling


class Interval(NamedTuple):
    """A mean and the ends of its interval; the ends are NaN where one unit is all there is."""

    mean: float
    low: float
    high: float


def interval(
    values: ArrayLike, units: Sequence[str], seed: int = SEED, draws: int = 2000
) -> Interval:
    """Mean of `values` (crops,) and its 95 % percentile bootstrap over the source `units` (crops,).

    Each draw takes as many units as there are, with replacement, and all crops of each
    (cluster bootstrap, Davison and Hinkley 1997, section 3.8).
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueError(f"values have shape {numbers.shape}: give one number for each crop")
    if len(units) != len(numbers):
        raise ValueError(
            f"there are {len(numbers)} values and {len(units)} units: give each value its unit"
        )
    if not np.isfinite(numbers).all():
        bad = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"value {bad} is {numbers[bad]}: leave out crops that have no finite one")
    means = _draw_means(numbers, units, seed, draws)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(numbers.mean()), float(low), float(high))


def paired_interval(
    first: ArrayLike, second: ArrayLike, units: Sequence[str], seed: int = SEED, draws: int = 2000
) -> Interval:
    """The same for the differences `first` − `second` on the same crops, each (crops,)."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(
            f"shapes {one.shape} and {two.shape} differ: pair values of the same crops"
        )
    return interval(one - two, units, seed, draws)


def _draw_means(
    values: NDArray[np.float64], units: Sequence[str], seed: int, draws: int
) -> NDArray[np.float64]:
    """Means (draws,) over the crops of resampled units; NaN for a single unit."""
    names, owner = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    if len(names) == 1:
        return np.full(draws, np.nan)
    sums, counts = np.bincount(owner, weights=values), np.bincount(owner)
    times = times_drawn(len(names), seed, draws)
    return np.asarray((times @ sums) / (times @ counts))


@lru_cache(maxsize=8)  # a table asks for the same draws thousands of times
def times_drawn(units: int, seed: int, draws: int) -> NDArray[np.float64]:
    """How often each unit is drawn, (draws, units): multinomial, so that draws need no list."""
    share = np.full(units, 1 / units)
    times = np.random.default_rng(seed).multinomial(units, share, size=draws)
    return times.astype(np.float64)  # products of integers are slow
