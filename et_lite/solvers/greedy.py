"""Greedy selection: again and again, replace the frame that is cheapest to replace."""

import heapq

import numpy as np
from numpy.typing import NDArray

from et_lite.solvers.kernels import Costs, Floats, Integers, checked, kernel
from et_lite.solvers.selection import RemovalOrder


def greedy(step_costs: NDArray[np.floating]) -> RemovalOrder:
    """The removal order of the greedy rule, from step costs (T, L), in O(T log T).

    Equal costs go to the lowest frame. An anchor from which a frame has been predicted stays an
    anchor, so the floor depends on the costs: at most ⌈T/2⌉ for L >= 2 where all costs are finite.
    Raises ValueError on NaN (Bralios et al. 2026, greedy selection; book: chunking).
    """
    costs = checked(step_costs)
    order, deltas = _remove(costs)
    return RemovalOrder(len(costs), order, deltas)


@kernel
def _remove(costs: Costs) -> tuple[Integers, Floats]:
    frames, cap = costs.shape
    order = np.empty(frames - 1, np.int64)
    deltas = np.empty(frames - 1, np.float64)
    if cap == 0:
        return order[:0], deltas[:0]
    # current[t]: what replacing frame t costs now; infinite once it can never be replaced (again).
    current = np.full(frames, np.inf)
    offsets = np.zeros(frames, np.int64)
    heap = [(np.float64(costs[frame - 1, 0]), frame) for frame in range(1, frames)]
    for cost, frame in heap:
        current[frame] = cost
    heapq.heapify(heap)
    count = 0
    while heap:
        cost, frame = heapq.heappop(heap)  # of equal costs, the lowest frame
        if cost != current[frame]:  # out of date: frozen, or its cost has changed since
            continue
        if cost == np.inf:
            break
        order[count], deltas[count] = frame, cost
        count += 1
        offsets[frame] = offsets[frame - 1] + 1
        current[frame] = np.inf
        # Freezing: frame − 1 has been predicted from, so it may no longer change.
        current[frame - 1] = np.inf
        right = frame + 1
        if right < frames and current[right] < np.inf:
            # It would continue this chain, unless the chain is full.
            current[right] = np.inf
            if offsets[frame] < cap:
                current[right] = costs[frame - offsets[frame], offsets[frame]]
                heapq.heappush(heap, (current[right], right))
    return order[:count], deltas[:count]
