"""What the solvers share: the compiler's settings and the check of a cost table."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float32]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., object])


def kernel(function: Kernel) -> Kernel:
    """Compile with numba. Rows run on threads, so it lets the lock go.

    Never `parallel=True`: two Python threads inside numba's own pool abort the process. A kernel
    calls no kernel of another file, for numba's cache would not notice when that file changes.
    """
    return cast(Kernel, numba.njit(nogil=True, cache=True)(function))


@kernel
def _first_bad(costs: Costs) -> int:
    """Flat index of the first valid entry that is NaN or −inf; −1 if there is none."""
    frames, cap = costs.shape
    for anchor in range(frames):
        for step in range(min(cap, frames - 1 - anchor)):
            if not costs[anchor, step] > -np.inf:
                return anchor * cap + step
    return -1


def checked(step_costs: NDArray[np.floating]) -> Costs:
    """The cost table as contiguous float32 (T, L) with L < T, or ValueError.

    Entry [a, l − 1] is the error of the l-step prediction from anchor a for frame a + l. Entries
    past the end of the clip are never read. +inf is allowed and forbids that replacement.
    """
    costs = np.ascontiguousarray(step_costs, dtype=np.float32)
    if costs.ndim != 2 or len(costs) == 0:
        raise ValueError(
            f"Step costs have shape {costs.shape}; "
            "a solver takes the (T, L) table of one clip with T at least 1."
        )
    frames, cap = costs.shape
    if cap > frames - 1:  # no anchor has that many frames after it
        costs = np.ascontiguousarray(costs[:, : frames - 1])
    bad = _first_bad(costs)
    if bad >= 0:
        anchor, step = divmod(bad, costs.shape[1])
        raise ValueError(
            f"The cost of predicting frame {anchor + step + 1} from anchor {anchor} is "
            f"{costs[anchor, step]}; look for NaN or infinite values in the latents."
        )
    return costs
