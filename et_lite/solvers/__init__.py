"""Solvers: from the table of step costs of a clip to the frames that are kept.

They know numbers only. Each returns a path that answers every kept length.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from et_lite.solvers.agglomerative import agglomerative
from et_lite.solvers.baselines import random_order, stride, uniform
from et_lite.solvers.dp import DPTable, dp
from et_lite.solvers.greedy import greedy
from et_lite.solvers.kernels import checked
from et_lite.solvers.selection import RemovalOrder, Selection, SelectionPath

__all__ = [
    "SOLVERS",
    "DPTable",
    "RemovalOrder",
    "Selection",
    "SelectionPath",
    "agglomerative",
    "dp",
    "greedy",
    "random_order",
    "solve",
    "solve_rows",
    "stride",
    "uniform",
]

SOLVERS = ("greedy", "dp", "agglomerative", "uniform", "random")
EXACT = ("dp", "codecslime")  # the second is the first with its ties the other way
THREADS_FROM = 512  # frames


def solve(name: str, step_costs: NDArray[np.floating], *, seed: int = 0) -> SelectionPath:
    """Run one solver on the step costs (T, L) of one clip; only `random` reads the seed.

    `codecslime` is `dp` with ties to the shortest last segment, for CodecSlime. Raises ValueError
    for an unknown name and for NaN costs (book: chunking).
    """
    return _solve(name, step_costs, 1, seed)


def solve_rows(
    name: str, step_costs: NDArray[np.floating], kept: NDArray[np.integer], *, seed: int = 0
) -> list[Selection]:
    """One selection a clip, from step costs (B, T, L) and kept lengths (B,).

    Rows share the cores where that is faster. Row b of `random` draws from its own generator,
    seeded by (seed, b). Raises ValueError for an unknown name, NaN costs, shapes that disagree
    and kept lengths outside 1 to T (book: chunking).
    """
    costs, targets = np.asarray(step_costs), np.asarray(kept)
    if costs.ndim != 3 or targets.shape != costs.shape[:1]:
        raise ValueError(
            f"Step costs have shape {costs.shape} and kept lengths {targets.shape}; "
            "they must be (B, T, L) and (B,)."
        )

    def run(rows: NDArray[np.int64]) -> list[Selection]:
        return [
            _solve(name, costs[row], targets[row], (seed, row)).at(targets[row]) for row in rows
        ]

    everything = np.arange(len(costs))
    # Only long exact tables run long enough without Python's lock for threads to gain time.
    workers = min(os.cpu_count() or 1, len(costs)) if name in EXACT else 1
    if workers <= 1 or costs.shape[1] < THREADS_FROM:
        return run(everything)
    with ThreadPoolExecutor(workers) as pool:
        # One block of rows a thread, since a task for every row costs time too.
        blocks = pool.map(run, np.array_split(everything, workers))
        return [selection for block in blocks for selection in block]


def _solve(
    name: str, costs: NDArray[np.floating], kept_min: int, seed: int | tuple[int, int]
) -> SelectionPath:
    if name == "greedy":
        return greedy(costs)
    if name in EXACT:
        return dp(costs, kept_min, shortest=name == "codecslime")
    if name == "agglomerative":
        return agglomerative(costs)
    costs = checked(costs)
    frames, cap = costs.shape
    if name == "uniform":
        return uniform(frames, cap, costs)
    if name == "random":
        return random_order(frames, cap, np.random.default_rng(seed), costs)
    raise ValueError(f"There is no solver {name!r}; choose one of {', '.join(SOLVERS)}.")
