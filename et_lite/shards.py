"""Latents in many files: arrays read where they lie, and draws from millions of clips.

Book: scale.
"""

import ctypes
import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open


class Spliced:
    """Arrays (n, C) end to end as one, each left in its file; rows are copied when asked for.

    `digest` tells the contents apart without reading them.
    """

    def __init__(self, arrays: Sequence[np.ndarray], digest: str) -> None:
        self.arrays, self.digest = list(arrays), digest
        self.ends = np.cumsum([len(array) for array in self.arrays])
        self.shape = (int(self.ends[-1]), *self.arrays[0].shape[1:])
        self.dtype = self.arrays[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of it in memory."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows by a slice, or by an array of numbers (…) to (…, C)."""
        wanted = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        found = np.empty((*wanted.shape, *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self.ends, wanted, side="right")
        for owner in np.unique(owners):
            array, mine = self.arrays[owner], owners == owner
            found[mine] = array[wanted[mine] - (self.ends[owner] - len(array))]
        return found


def scattered(mapped: np.ndarray) -> np.ndarray:
    """The same array of a mapped file; the system now fetches the pages asked for and no others.

    What it otherwise reads ahead, megabytes on some machines, a crop does not want.
    """
    if sys.platform == "linux":
        start = mapped.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        size = mapped.ctypes.data + mapped.nbytes - start
        # Advice: where it is refused, all is as it was.
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.MADV_RANDOM)
    return mapped


@dataclass(frozen=True)
class ClipGroup:
    """Clips of one domain by number, and the cumulated chance of each."""

    clips: np.ndarray
    cumulated: np.ndarray

    @classmethod
    def of(cls, clips: np.ndarray, places: np.ndarray) -> "ClipGroup":
        """Clips whose chance is their number of places for a crop."""
        weights = places.astype(float)
        cumulated = (weights / weights.sum()).cumsum()
        return cls(clips, cumulated / cumulated[-1])

    def draw(self, numbers: np.random.Generator) -> int:
        """One clip: what `numbers.choice` with these chances gives, without a pass over all."""
        return int(self.clips[self.cumulated.searchsorted(numbers.random(), side="right")])


def notes(file: Path) -> dict[str, str]:
    """What the header of a latents' file says beside its arrays. ValueError if it is damaged."""
    try:
        with safe_open(file, framework="np") as opened:
            return opened.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{file} does not hold latents ({error}): remove it") from error
