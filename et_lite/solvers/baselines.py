"""Selections that do not look at the costs: even spacing, one rate alone, random removals."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from et_lite.segments import Segmentation
from et_lite.solvers.kernels import Costs, checked
from et_lite.solvers.selection import RemovalOrder, Selection, check_cap, check_kept, total_cost


@dataclass(frozen=True, eq=False)
class UniformPath:
    """Evenly spaced anchors for every kept length; not nested (book: chunking)."""

    frames: int
    max_offset: int  # already at most T − 1
    step_costs: Costs | None = None

    @property
    def floor(self) -> int:
        """⌈T/(K + 1)⌉: all segments full."""
        return -(-self.frames // (self.max_offset + 1))

    def at(self, kept: int) -> Selection:
        """Anchors ⌊i · T/N⌋, i = 0 … N − 1. Raises ValueError unless 1 <= kept <= T."""
        kept = check_kept(kept, self.frames)
        got = max(kept, self.floor)
        segmentation = Segmentation.from_anchors(np.arange(got) * self.frames // got, self.frames)
        if self.step_costs is not None:
            cost = total_cost(self.step_costs, segmentation)
        else:  # nothing replaced costs nothing, whatever the costs
            cost = 0.0 if got == self.frames else math.nan
        return Selection(segmentation, kept, kept >= self.floor, cost)


@dataclass(frozen=True, eq=False)
class FixedPath:
    """One segmentation, whatever kept length is asked for; other lengths are out of its reach."""

    segmentation: Segmentation

    @property
    def floor(self) -> int:
        """The only kept length there is."""
        return self.segmentation.kept

    def at(self, kept: int) -> Selection:
        """The one selection. Raises ValueError unless 1 <= kept <= T."""
        kept = check_kept(kept, self.segmentation.frames)
        return Selection(self.segmentation, kept, kept == self.floor, math.nan)


def stride(frames: int, step: int) -> FixedPath:
    """Every `step`-th of `frames` frames, ⌈T/step⌉ in all; the last segment may be shorter."""
    return FixedPath(Segmentation.from_anchors(np.arange(0, frames, step), frames))


def uniform(
    frames: int, max_offset: int | None, step_costs: NDArray[np.floating] | None = None
) -> UniformPath:
    """Evenly spaced anchors in a clip of `frames` frames, at most `max_offset` replaced in a row.

    Step costs (T, L) only fill in `Selection.cost`. Raises ValueError on numbers out of range or
    a table that does not cover them (ablation of Bralios et al. 2026; book: chunking).
    """
    cap = check_cap(frames, max_offset)
    return UniformPath(frames, cap, _table(step_costs, frames, cap))


def random_order(
    frames: int,
    max_offset: int | None,
    rng: np.random.Generator,
    step_costs: NDArray[np.floating] | None = None,
) -> RemovalOrder:
    """Remove frames 1 … T − 1 in random order, skipping those that would pass `max_offset`.

    Step costs (T, L) only fill in the deltas. Raises ValueError like `uniform`
    (ablation of Bralios et al. 2026; book: chunking).
    """
    cap = check_cap(frames, max_offset)
    costs = _table(step_costs, frames, cap)
    merges = []
    reach = [0] * frames  # at an anchor: frames it replaces
    anchor_of = list(range(frames))  # at the last frame of a segment: its anchor
    for frame in (rng.permutation(frames - 1) + 1).tolist():
        left = anchor_of[frame - 1]
        merged = reach[left] + 1 + reach[frame]
        if merged <= cap:
            merges.append((left, reach[left], frame, reach[frame]))
            reach[left] = merged
            anchor_of[left + merged] = left
    lefts, steps, order, tails = np.array(merges, np.int64).reshape(-1, 4).T
    deltas = np.full(len(order), math.nan)
    if costs is not None:
        c = np.pad(costs.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))  # segment costs
        deltas = c[lefts, steps + 1 + tails] - c[lefts, steps] - c[order, tails]
    return RemovalOrder(frames, order, deltas)


def _table(step_costs: NDArray[np.floating] | None, frames: int, cap: int) -> Costs | None:
    if step_costs is None:
        return None
    costs = checked(step_costs)
    if len(costs) != frames or costs.shape[1] < cap:
        raise ValueError(
            f"Step costs have shape {costs.shape}; {frames} frames with at most {cap} replaced "
            f"in a row need ({frames}, {cap})."
        )
    return costs
