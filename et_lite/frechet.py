"""The Fréchet distance between sets of embeddings, and how sure it is (book: evaluation).

Kilgour et al. (2019) took it to sound. A set is a list of clips, each with embeddings (windows, d).
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from et_lite.intervals import LEVEL, SEED, Interval, times_drawn

Rows = NDArray[np.float64]
DRAWS, SPLITS = 200, 10


def frechet_distance(first: NDArray, second: NDArray) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) of embeddings (n, d) and (m, d).

    ValueError for other shapes, fewer than two of either, or numbers that are not finite.
    """
    a, b = _checked(first), _checked(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"embeddings have {a.shape[1]} and {b.shape[1]} dimensions: use one network"
        )
    shift = a.mean(0) - b.mean(0)
    a, b = _spread(a), _spread(b)
    # With Σ = SᵀS the trace of the root is the sum of the singular values of S₁ S₂ᵀ, so nothing
    # complex comes out, however few the embeddings are.
    shared = np.linalg.svd(_square(a) @ _square(b).T, compute_uv=False).sum()
    return float(max(0.0, shift @ shift + (a**2).sum() + (b**2).sum() - 2 * shared))


def _checked(values: NDArray) -> Rows:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 2 or len(numbers) < 2:
        raise ValueError(f"embeddings have shape {numbers.shape}: give at least two, (n, d)")
    if not np.isfinite(numbers).all():
        raise ValueError("some embeddings are not finite: leave out the sounds that made them")
    return numbers


def _spread(rows: Rows) -> Rows:
    """S (n, d) with SᵀS the covariance of the rows."""
    return (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)


def _square(rows: Rows) -> Rows:
    """No more than d rows with the same SᵀS."""
    return rows if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(rows, mode="r"))


def centred(value: float, draws: NDArray[np.float64]) -> Interval:
    """A distance and the middle 95 % of its draws, moved so that their mean is the distance.

    Resampled sources are fewer distinct ones, which makes every draw larger, as it does the
    distance itself. NaN at the ends where there are no draws.
    """
    if not len(draws):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - draws.mean()
    return Interval(value, value + float(low), value + float(high))


class Reference:
    """The original clips of a set, prepared for comparing many systems' rebuilt ones with them.

    `units` (clips,) are the sources that intervals resample. Rebuilt clips come in the same order,
    with as many windows each.
    """

    def __init__(
        self,
        clips: Sequence[NDArray],
        units: Sequence[str],
        draws: int = DRAWS,
        splits: int = SPLITS,
        seed: int = SEED,
    ) -> None:
        if len(clips) != len(units):
            raise ValueError(f"there are {len(clips)} clips and {len(units)} units: give each one")
        self.clips, self.windows = list(clips), [len(clip) for clip in clips]
        self._rows = _checked(np.concatenate(self.clips))
        names, owner = np.unique(np.asarray(units, dtype=str), return_inverse=True)
        self.units = len(names)
        times = times_drawn(self.units, seed, draws) if self.units > 1 else np.empty((0, 1))
        self._weights = times[:, np.repeat(owner, self.windows)]  # (draws, n)
        self.identity = hashlib.sha256(
            repr((list(units), self.windows, draws, splits, seed)).encode() + self._rows.tobytes()
        ).hexdigest()
        shuffle = np.random.default_rng(seed).permutation
        self._orders = [shuffle(len(clips)) for _ in range(splits)]

    def distance(self, clips: Sequence[NDArray]) -> float:
        """FAD of rebuilt clips, against all originals of the same clips."""
        return frechet_distance(self._joined(clips), self._rows)

    def halves(self, clips: Sequence[NDArray]) -> float:
        """FAD of half of the rebuilt clips against the originals of the other half, mean of splits.

        Of the originals themselves it is the floor: what few samples cost, with nothing changed.
        NaN where a half has no two windows.
        """
        self._joined(clips)
        half, found = len(self.clips) // 2, []
        for order in self._orders:
            ours, theirs = [clips[i] for i in order[:half]], [self.clips[i] for i in order[half:]]
            if min(sum(map(len, ours)), sum(map(len, theirs))) > 1:
                found.append(frechet_distance(np.concatenate(ours), np.concatenate(theirs)))
        return float(np.mean(found)) if found else float("nan")

    @cached_property
    def floor(self) -> float:
        """`halves` of the originals."""
        return self.halves(self.clips)

    def resampled(self, clips: Sequence[NDArray]) -> NDArray[np.float64]:
        """`distance` over resampled sources, (draws,); the same draws for whatever is compared.

        No draws where there is one source alone.
        """
        rebuilt = self._joined(clips) - self._rows.mean(0)
        inside, square = rebuilt @ self._basis, (rebuilt**2).sum(1)
        found = []
        for weights, (mean, trace, root) in zip(self._weights, self._roots, strict=True):
            count = weights.sum()
            own = weights @ rebuilt / count
            own_trace = (weights @ square - count * (own @ own)) / (count - 1)
            shared = root @ _covariance(inside, weights) @ root
            overlap = np.sqrt(np.linalg.eigvalsh(shared).clip(0)).sum()
            shift = own - mean
            found.append(shift @ shift + trace + own_trace - 2 * overlap)
        return np.maximum(np.array(found), 0)

    def _joined(self, clips: Sequence[NDArray]) -> Rows:
        windows = [len(clip) for clip in clips]
        if windows != self.windows:
            raise ValueError(
                f"there are {len(windows)} clips with {sum(windows)} windows where the originals "
                f"have {len(self.windows)} with {sum(self.windows)}: compare the same clips"
            )
        return _checked(np.concatenate(list(clips)))

    @cached_property
    def _basis(self) -> Rows:
        """(d, r) orthonormal: outside of what the originals span, they share no variance."""
        _, sizes, directions = np.linalg.svd(self._rows - self._rows.mean(0), full_matrices=False)
        return directions[sizes > 1e-10 * sizes[0]].T

    @cached_property
    def _roots(self) -> list[tuple[Rows, float, Rows]]:
        """Of the originals in each draw: mean (d,), trace of Σ, and Σ^½ (r, r) in the basis."""
        centred = self._rows - self._rows.mean(0)
        inside, found = centred @ self._basis, []
        for weights in self._weights:
            covariance = _covariance(inside, weights)
            values, vectors = np.linalg.eigh(covariance)
            root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
            mean = weights @ centred / weights.sum()
            found.append((mean, float(np.trace(covariance)), root))
        return found


def _covariance(rows: Rows, weights: Rows) -> Rows:
    """Covariance (d, d) of rows that count so many times."""
    count = weights.sum()
    mean = weights @ rows / count
    return ((rows.T * weights) @ rows - count * np.outer(mean, mean)) / (count - 1)
