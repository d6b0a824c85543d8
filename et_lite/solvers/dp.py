"""Exact selection: one dynamic-programming table holds the cheapest segmentation for every rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from et_lite.segments import Segmentation
from et_lite.solvers.kernels import Costs, Floats, Integers, checked, kernel
from et_lite.solvers.selection import Selection, check_kept

MAX_TABLE_BYTES = 2 << 30


@dataclass(frozen=True, eq=False)
class DPTable:
    """The optimum for every kept length from `kept_min` to T (book: chunking)."""

    kept_min: int  # rates below this are not in the table
    lowest: int  # ⌈T/(L + 1)⌉: no segmentation of any cost keeps fewer
    # (T + 1,) least cost with n frames kept; inf where impossible or not in the table.
    curve: Floats
    # For the first j frames of which k are replaced, steps[starts[j] + k] is how many frames the
    # last segment replaces. Row j ends at the most that can be replaced.
    starts: Integers
    steps: NDArray[np.unsignedinteger]

    @property
    def floor(self) -> int:
        """The smallest kept length that the table can answer with."""
        return int(np.isfinite(self.curve).argmax())

    def at(self, kept: int) -> Selection:
        """The cheapest selection that keeps `kept` frames, or the fewest possible.

        Among equals the one with the longest last segment, then the longest before it, and so
        on; the shortest in a table made with `shortest`. Raises ValueError unless
        1 <= kept <= T, and when `kept_min` left that rate out.
        """
        kept = check_kept(kept, len(self.curve) - 1)
        floor = self.floor
        if kept < floor == self.kept_min > self.lowest:
            raise ValueError(
                f"Kept length {kept} is not in this table, which starts at {floor}; "
                f"make it with kept_min={kept} or less."
            )
        got = max(kept, floor)
        lengths = _trace(self.steps, self.starts, got)
        return Selection(Segmentation(lengths), kept, kept >= floor, float(self.curve[got]))


def dp(
    step_costs: NDArray[np.floating], kept_min: int | None = None, shortest: bool = False
) -> DPTable:
    """The optimal segmentations for all kept lengths from `kept_min` (default: all) to T at once.

    From step costs (T, L) in O(T · M · L) time, M = T − kept_min, and a byte for each of at most
    T · M table entries (two where L > 255). Ties go to the longest last segment, or with
    `shortest` to the shortest, CodecSlime's rule. Raises ValueError on NaN, on a `kept_min` outside
    1 to T, and when the table and its rows of costs would pass 2 GiB
    (Bralios et al. 2026, dynamic programming; book: chunking).
    """
    costs = checked(step_costs)
    frames, cap = costs.shape
    kept_min = 1 if kept_min is None else check_kept(kept_min, frames)
    lowest = -(-frames // (cap + 1))
    covered = np.arange(frames + 1)
    most = np.minimum(covered - -(-covered // (cap + 1)), frames - kept_min)
    starts = np.concatenate(([0], np.cumsum(most + 1)))
    step_type = np.min_scalar_type(cap)
    rows = (cap + 2) * int(most[-1] + 1) * 8  # costs: few unless the cap is large
    size = int(starts[-1]) * step_type.itemsize + rows
    if size > MAX_TABLE_BYTES:
        raise ValueError(
            f"The table for {frames} frames would take {size / 2**30:.1f} GiB and the limit is "
            f"{MAX_TABLE_BYTES / 2**30:.0f} GiB: raise kept_min, cut the file into pieces, "
            "or use the solver agglomerative or greedy."
        )
    steps = np.zeros(int(starts[-1]), step_type)
    least = _fill(costs, starts, steps, shortest)
    curve = np.full(frames + 1, np.inf)
    curve[-len(least) :] = least[::-1]  # from k replaced to n = T − k kept
    return DPTable(kept_min, lowest, curve, starts, steps)


@kernel
def _fill(
    costs: Costs, starts: Integers, steps: NDArray[np.unsignedinteger], shortest: bool
) -> Floats:
    """Fill `steps`; returns the least cost of all T frames with k replaced, for every k."""
    frames, cap = costs.shape
    # Only the last cap + 1 rows are read, and one is written: row j lives at j modulo `rows`.
    rows = cap + 2
    width = starts[frames + 1] - starts[frames]
    least = np.full((rows, width), np.inf)
    segment = np.zeros(rows)  # cost so far of the segment that starts at an anchor, same places
    least[0, 0] = 0.0
    for covered in range(1, frames + 1):
        row = least[covered % rows]
        row[:] = np.inf
        last = steps[starts[covered] : starts[covered + 1]]
        segment[(covered - 1) % rows] = 0.0
        # Only a lower cost replaces, so of equal ones the first that is tried stays.
        longest = min(cap, covered - 1, len(last) - 1)
        for turn in range(longest + 1):
            step = turn if shortest else longest - turn
            anchor = covered - 1 - step
            place = anchor % rows
            if step > 0:
                segment[place] += costs[anchor, step - 1]
            cost = segment[place]
            if cost == np.inf:
                continue
            # Slices, so that the compiler sees plain vectors: several times faster than indices.
            count = min(len(last) - step, starts[anchor + 1] - starts[anchor])
            earlier = least[place, :count]
            best, choice = row[step : step + count], last[step : step + count]
            for i in range(count):
                candidate = earlier[i] + cost
                if candidate < best[i]:
                    best[i] = candidate
                    choice[i] = step
    return least[frames % rows]


@kernel
def _trace(steps: NDArray[np.unsignedinteger], starts: Integers, kept: int) -> Integers:
    """Segment lengths (kept,), read backwards from the end of the clip."""
    lengths = np.empty(kept, np.int64)
    covered = len(starts) - 2
    replaced = covered - kept
    for place in range(kept - 1, -1, -1):
        step = int(steps[starts[covered] + replaced])
        lengths[place] = step + 1
        covered -= step + 1
        replaced -= step
    return lengths
