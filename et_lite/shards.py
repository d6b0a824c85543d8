"""Latents in many files: arrays read where they lie, and draws from millions of clips.

Book: scale.
"""

import json
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"F16": "<f2", "F32": "<f4", "I64": "<i8"}  # safetensors' names and numpy's


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
    return _header(file)[0].get("__metadata__", {})


def mapped(file: Path, scattered: bool) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, left in it. ValueError if it is damaged.

    Where reads are `scattered`, the system fetches the pages asked for and no others. What it
    reads ahead by itself, as it does for what the library maps, are megabytes on some machines.
    """
    header, begin = _header(file)
    with open(file, "rb") as opened:
        content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    if scattered and hasattr(content, "madvise"):
        content.madvise(mmap.MADV_RANDOM)
    try:
        return {
            name: np.frombuffer(
                content,
                TYPES[about["dtype"]],
                math.prod(about["shape"]),
                begin + about["data_offsets"][0],
            ).reshape(about["shape"])
            for name, about in header.items()
            if name != "__metadata__"
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(file, error) from error


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its arrays begin: eight bytes say how far."""
    with open(file, "rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        try:
            if not 0 < size <= file.stat().st_size - 8:
                raise ValueError(f"its header would have {size} bytes")
            return dict(json.loads(opened.read(size))), 8 + size
        except (TypeError, ValueError) as error:
            raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file} does not hold latents ({error}): remove it and run et-lite preencode again"
    )
