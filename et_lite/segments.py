"""The segmentation as a value: which frames are kept, and how long each stands for the others.

A segment is an anchor (a kept frame) and the frames after it that are predicted from it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
IntegersLike = Sequence[int] | NDArray[np.integer]


def kept_length(frames: int, keep: float) -> int:
    """How many of `frames` frames the kept fraction `keep` keeps: N = max(1, ⌈keep · T⌉).

    Raises ValueError unless 0 < keep <= 1 and frames >= 1
    (Bralios et al. 2026, kept fraction; book: chunking).
    """
    if not 0 < keep <= 1:
        raise ValueError(
            f"Kept fraction {keep} is not in (0, 1]; 0.5 for example keeps half the frames."
        )
    if frames < 1:
        raise ValueError(
            f"A clip of {frames} frames has nothing to keep; it needs at least 1 frame."
        )
    # 0.7 · 10 is a hair above 7 in floating point and must not round up to 8.
    return max(1, math.ceil(keep * frames - 1e-9))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A clip of T frames cut into N segments, stored as their lengths (N,), int64, read-only.

    Each length is at least 1 and they add up to T. Raises ValueError otherwise
    (Bralios et al. 2026, chunking; book: chunking).
    """

    lengths: Integers

    def __post_init__(self) -> None:
        lengths = _integers("Segment lengths", self.lengths)
        if lengths.min() < 1:
            raise ValueError(
                f"Segment {lengths.argmin()} has length {lengths.min()}; "
                "each must be at least 1, its anchor."
            )
        lengths.setflags(write=False)
        object.__setattr__(self, "lengths", lengths)

    @classmethod
    def from_lengths(cls, lengths: IntegersLike) -> "Segmentation":
        """From segment lengths (N,). Raises ValueError if one is below 1 (book: chunking)."""
        return cls(np.asarray(lengths))

    @classmethod
    def from_anchors(cls, anchors: IntegersLike, frames: int) -> "Segmentation":
        """From the kept frames (N,) of a clip of `frames` frames.

        Raises ValueError unless they start at 0, increase and stay below `frames`
        (book: chunking).
        """
        starts = _integers("Anchors", anchors)
        if starts[0] != 0:
            raise ValueError(
                f"The first anchor is frame {starts[0]}; it must be 0, "
                "for nothing before it could predict frame 0."
            )
        if starts[-1] >= frames:
            raise ValueError(
                f"Anchor {starts[-1]} lies outside a clip of {frames} frames; "
                f"the last may be {frames - 1}."
            )
        lengths = np.diff(starts, append=frames)
        if lengths.min() < 1:
            place = int(lengths.argmin())
            raise ValueError(
                f"Anchor {starts[place]} is followed by {starts[place + 1]}; "
                "sort the anchors and name each once."
            )
        return cls(lengths)

    @classmethod
    def from_offsets(cls, offsets: IntegersLike) -> "Segmentation":
        """From the offset of every frame (T,): 0 at an anchor, k on the k-th frame after it.

        Raises ValueError unless it starts at 0 and every later offset is 0 or one more than
        the one before (Bralios et al. 2026, offset mask; book: chunking).
        """
        values = _integers("Offsets", offsets)
        if values[0] != 0:
            raise ValueError(f"Frame 0 has offset {values[0]}; it must be 0, an anchor.")
        wrong = np.flatnonzero((values[1:] != 0) & (values[1:] != values[:-1] + 1)) + 1
        if len(wrong):
            frame = wrong[0]
            raise ValueError(
                f"Frame {frame} has offset {values[frame]} after {values[frame - 1]}; "
                f"it must be 0 or {values[frame - 1] + 1}."
            )
        return cls.from_anchors(np.flatnonzero(values == 0), len(values))

    @property
    def frames(self) -> int:
        """T, the frames of the whole clip."""
        return int(self.lengths.sum())

    @property
    def kept(self) -> int:
        """N, the frames kept: one anchor a segment."""
        return len(self.lengths)

    @property
    def anchors(self) -> Integers:
        """Start frame of every segment, (N,)."""
        return self.lengths.cumsum() - self.lengths

    @property
    def offsets(self) -> Integers:
        """How far every frame lies after its anchor, (T,); 0 at an anchor."""
        return np.arange(self.frames) - np.repeat(self.anchors, self.lengths)

    @property
    def max_offset(self) -> int:
        """The largest offset: one less than the longest segment."""
        return int(self.lengths.max()) - 1

    @property
    def kept_fraction(self) -> float:
        """N / T, as it came out (a request may have been rounded up)."""
        return self.kept / self.frames

    @property
    def side_information_bits(self) -> float:
        """Bits to say which frames are anchors: log2 of the C(T − 1, N − 1) ways to choose them.

        Frame 0 is always one. A lower bound that an arithmetic coder nears (book: chunking).
        """
        frames, kept = self.frames, self.kept
        ways = math.lgamma(frames) - math.lgamma(kept) - math.lgamma(frames - kept + 1)
        return max(0.0, ways / math.log(2))

    def check_max_offset(self, limit: int) -> None:
        """Raise ValueError if a segment reaches further than `limit` frames past its anchor."""
        if self.max_offset > limit:
            raise ValueError(
                f"A segment reaches {self.max_offset} frames past its anchor and the limit is "
                f"{limit}; raise max_offset or keep more frames."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Segmentation):
            return NotImplemented
        return np.array_equal(self.lengths, other.lengths)

    def __hash__(self) -> int:
        return hash(self.lengths.tobytes())


def _integers(name: str, values: IntegersLike) -> Integers:
    """A copy of `values` as a non-empty int64 vector, or ValueError."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a non-empty list of whole numbers, "
            f"not {array.dtype} of shape {array.shape}."
        )
    return array.astype(np.int64)
