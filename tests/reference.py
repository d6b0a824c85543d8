"""The selection algorithms word for word: slow, dense, without heaps or shared tables.

The solvers of the package must agree with these exactly. Everything here reads a table
`step_costs[a, l - 1]`, the error of the l-step prediction from anchor a for frame a + l,
and a cap `limit` (K) on the offset.
"""

import itertools
import math

import numpy as np

KINDS = ("constant", "zero", "integer", "uniform", "growing", "heavy")


def make_costs(kind: str, frames: int, cap: int | None, rng: np.random.Generator) -> np.ndarray:
    """A float32 cost table (T, L), infinite past the end; many kinds are full of ties."""
    horizon = frames - 1 if cap is None else min(cap, frames - 1)
    shape = (frames, horizon)
    if kind == "constant":
        table = np.full(shape, 0.1)
    elif kind == "zero":
        table = np.zeros(shape)
    elif kind == "integer":
        table = rng.integers(0, 4, shape)
    elif kind == "uniform":
        table = rng.random(shape)
    elif kind == "growing":
        table = rng.random(shape).cumsum(axis=1)
    elif kind == "heavy":
        table = rng.lognormal(0.0, 3.0, shape)
    else:
        raise ValueError(kind)
    table = table.astype(np.float32)
    for offset in range(1, horizon + 1):
        table[frames - offset :, offset - 1] = np.inf
    return table


def segment_cost(step_costs: np.ndarray, anchor: int, replaced: int) -> float:
    """c[a, l]: the step costs of the l frames after anchor a, infinite past the end."""
    if anchor + replaced > len(step_costs) - 1:
        return math.inf
    return sum(float(step_costs[anchor, offset]) for offset in range(replaced))


def offsets_cost(step_costs: np.ndarray, offsets: np.ndarray) -> float:
    """Total cost of an offset mask."""
    return sum(
        float(step_costs[frame - offset, offset - 1])
        for frame, offset in enumerate(offsets.tolist())
        if offset > 0
    )


def greedy_offsets(step_costs: np.ndarray, limit: int, kept: int) -> np.ndarray:
    """Offset mask of greedy selection down to `kept` frames, or where it gets stuck."""
    frames = len(step_costs)
    offsets = np.zeros(frames, dtype=np.int64)
    cost = np.full(frames, np.inf)
    for t in range(1, frames):
        cost[t] = step_costs[t - 1, 0]
    for _ in range(frames - kept):
        best = int(np.argmin(cost))  # the lowest t among equals
        if not np.isfinite(cost[best]):
            break
        offsets[best] = offsets[best - 1] + 1
        cost[best] = np.inf
        cost[best - 1] = np.inf  # frozen: it has been expanded
        right = best + 1
        if right < frames:
            if offsets[best] >= limit:
                cost[right] = np.inf
            elif np.isfinite(cost[right]):
                anchor = best - offsets[best]
                cost[right] = step_costs[anchor, right - anchor - 1]
    return offsets


def dp_table(step_costs: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """D[j, k] and the last segment's replaced frames, for the first j frames with k replaced."""
    frames = len(step_costs)
    c = [
        [segment_cost(step_costs, a, l) for l in range(min(limit, frames - 1 - a) + 1)]
        for a in range(frames)
    ]
    D = np.full((frames + 1, frames + 1), np.inf).tolist()
    back = np.full((frames + 1, frames + 1), -1).tolist()
    D[0][0] = 0.0
    for j in range(1, frames + 1):
        for k in range(j):
            for l in range(min(limit, j - 1, k), -1, -1):  # earliest anchor first
                value = D[j - l - 1][k - l] + c[j - l - 1][l]
                if value < D[j][k]:
                    D[j][k], back[j][k] = value, l
    return np.array(D), np.array(back)


def dp_offsets(back: np.ndarray, frames: int, kept: int) -> np.ndarray:
    """Read the offset mask for `kept` frames out of the back-pointers."""
    offsets = np.zeros(frames, dtype=np.int64)
    j, k = frames, frames - kept
    while j > 0:
        l = int(back[j, k])
        offsets[j - l - 1 : j] = np.arange(l + 1)
        j, k = j - l - 1, k - l
    return offsets


def agglomerative_offsets(step_costs: np.ndarray, limit: int) -> list[np.ndarray]:
    """Offset masks with 0, 1, 2, … merges, each the cheapest of all merges then possible."""
    frames = len(step_costs)
    segments = [(a, 0) for a in range(frames)]
    masks = [np.zeros(frames, dtype=np.int64)]
    while True:
        best, best_delta = -1, math.inf
        for i, ((a1, l1), (a2, l2)) in enumerate(itertools.pairwise(segments)):
            if l1 + l2 + 1 > limit:
                continue
            delta = (
                segment_cost(step_costs, a1, l1 + l2 + 1)
                - segment_cost(step_costs, a1, l1)
                - segment_cost(step_costs, a2, l2)
            )
            if delta < best_delta:
                best, best_delta = i, delta
        if best < 0:
            return masks
        (a1, l1), (_, l2) = segments[best : best + 2]
        segments[best : best + 2] = [(a1, l1 + l2 + 1)]
        masks.append(np.concatenate([np.arange(l + 1) for _, l in segments]))


def best_costs(step_costs: np.ndarray, limit: int) -> dict[int, float]:
    """Least total cost for every reachable kept length, by trying every segmentation."""
    frames = len(step_costs)
    best: dict[int, float] = {}
    for cuts in itertools.product((False, True), repeat=frames - 1):
        anchors = [0, *(t for t, cut in enumerate(cuts, start=1) if cut), frames]
        lengths = np.diff(anchors)
        if lengths.max() - 1 > limit:
            continue
        offsets = np.concatenate([np.arange(length) for length in lengths])
        cost = offsets_cost(step_costs, offsets)
        best[len(lengths)] = min(cost, best.get(len(lengths), math.inf))
    return best
