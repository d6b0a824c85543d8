"""What every solver returns: a path through the kept lengths, and one selection on it."""

from dataclasses import dataclass
from operator import index
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from et_lite.segments import Segmentation
from et_lite.solvers.kernels import Costs, Floats, Integers


@dataclass(frozen=True)
class Selection:
    """A segmentation, and how it compares with what was asked for (book: chunking)."""

    segmentation: Segmentation
    requested: int  # kept length asked for; segmentation.kept is the one got
    reached: bool  # False when the solver could not keep exactly so many
    cost: float  # sum of the step costs of the replaced frames; NaN if the solver saw no costs


class SelectionPath(Protocol):
    """The answers of one solver for one clip, for every kept length (book: chunking)."""

    @property
    def floor(self) -> int:
        """The smallest kept length it can answer with."""
        ...

    def at(self, kept: int) -> Selection:
        """The selection that keeps `kept` frames, or the fewest possible if that is more.

        A path of one kept length alone answers with that. Raises ValueError unless 1 <= kept <= T.
        """
        ...


@dataclass(frozen=True, eq=False)
class RemovalOrder:
    """Frames in the order in which they stop being kept: each prefix answers one kept length.

    The anchors are therefore nested: those of a lower rate are among those of every higher one
    (Bralios et al. 2026, greedy selection; book: chunking).
    """

    frames: int  # T
    order: Integers  # (M,) frames, first removed first
    deltas: Floats  # (M,) what each removal adds to the total cost; NaN if no costs were given

    @property
    def floor(self) -> int:
        """T − M: what is left when no further frame can be removed."""
        return self.frames - len(self.order)

    def at(self, kept: int) -> Selection:
        """Replay the first T − kept removals. Raises ValueError unless 1 <= kept <= T."""
        kept = check_kept(kept, self.frames)
        removals = min(self.frames - kept, len(self.order))
        bounds = np.ones(self.frames + 1, dtype=bool)  # the anchors, and the end of the clip
        bounds[self.order[:removals]] = False
        segmentation = Segmentation(np.diff(np.flatnonzero(bounds)))
        cost = float(self.deltas[:removals].sum())
        return Selection(segmentation, kept, kept >= self.floor, cost)


def check_kept(kept: int, frames: int) -> int:
    """`kept` as an int, or ValueError unless 1 <= kept <= frames."""
    kept = index(kept)
    if not 1 <= kept <= frames:
        raise ValueError(
            f"Kept length {kept} is not in 1 to {frames}, the frames of the clip; "
            "`kept_length` turns a kept fraction into one."
        )
    return kept


def check_cap(frames: int, max_offset: int | None) -> int:
    """The cap L = min(K, T − 1), None meaning no cap; ValueError if a number is out of range."""
    if frames < 1:
        raise ValueError(f"A clip of {frames} frames has nothing to keep; it needs at least 1.")
    if max_offset is not None and max_offset < 0:
        raise ValueError(f"max_offset is {max_offset}; it must be 0 or more, or None for no cap.")
    return frames - 1 if max_offset is None else min(max_offset, frames - 1)


def total_cost(step_costs: Costs | NDArray[np.floating], segmentation: Segmentation) -> float:
    """Sum of the step costs (T, L) of the frames that `segmentation` replaces, in float64."""
    offsets = segmentation.offsets
    replaced = np.flatnonzero(offsets)
    steps = offsets[replaced]
    return float(step_costs[replaced - steps, steps - 1].sum(dtype=np.float64))
