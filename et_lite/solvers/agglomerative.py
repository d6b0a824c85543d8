"""Agglomerative selection: again and again, merge the two neighbours that are cheapest to merge.

An addition of this project: unlike greedy selection it freezes nothing, so it keeps its nested
anchors but reaches much lower rates at a cost close to the optimum.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from et_lite.solvers.kernels import Costs, Floats, Integers, checked, kernel
from et_lite.solvers.selection import RemovalOrder


def agglomerative(step_costs: NDArray[np.floating]) -> RemovalOrder:
    """The removal order of merging neighbouring segments, from step costs (T, L).

    A merge removes the anchor of its right-hand segment, at the change in total cost, which may
    be negative; equal changes go to the lowest anchor. O(T (L + log T)). Raises ValueError on NaN
    (not in the paper; book: chunking).
    """
    costs = checked(step_costs)
    order, deltas = _merge(costs)
    return RemovalOrder(len(costs), order, deltas)


@kernel
def _merge(costs: Costs) -> tuple[Integers, Floats]:
    frames, cap = costs.shape
    order = np.empty(frames - 1, np.int64)
    deltas = np.empty(frames - 1, np.float64)
    if cap == 0:
        return order[:0], deltas[:0]
    reach = np.zeros(frames, np.int64)  # at an anchor: frames it replaces
    before = np.arange(-1, frames - 1)  # at an anchor: the one before it
    # current[a]: what removing anchor a changes now. Every finite value is also in the heap, and
    # a heap entry counts only while it equals this value.
    current = np.full(frames, np.inf)
    heap = [(np.float64(costs[anchor - 1, 0]), anchor) for anchor in range(1, frames)]
    for delta, anchor in heap:
        current[anchor] = delta
    heapq.heapify(heap)
    count = 0
    while heap:
        delta, removed = heapq.heappop(heap)  # of equal changes, the lowest anchor
        if delta != current[removed]:
            continue
        if delta == np.inf:
            break
        order[count], deltas[count] = removed, delta
        count += 1
        current[removed] = np.inf
        left = before[removed]
        right = removed + reach[removed] + 1
        reach[left] += reach[removed] + 1
        if right < frames:
            before[right] = left
        # The merged segment stands in two pairs: with the one before it and the one after it.
        for anchor in (left, right):
            if 0 < anchor < frames:
                previous = before[anchor]
                current[anchor] = np.inf
                if reach[previous] + reach[anchor] + 1 <= cap:
                    current[anchor] = _change(costs, previous, anchor, reach)
                    heapq.heappush(heap, (current[anchor], anchor))
    return order[:count], deltas[:count]


@kernel
def _change(costs: Costs, left: int, removed: int, reach: Integers) -> float:
    """c[left, both] − c[left] − c[removed]: what removing the anchor `removed` adds to the cost."""
    # np.float64 and not float, which numba leaves at single precision.
    change = np.float64(costs[left, reach[left]])
    for step in range(reach[removed]):  # every later frame is predicted from further back
        change += np.float64(costs[left, reach[left] + 1 + step])
        change -= np.float64(costs[removed, step])
    return change
