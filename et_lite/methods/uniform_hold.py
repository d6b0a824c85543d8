"""Evenly spaced frames, each held until the next: the least that choosing frames must beat."""

from torch import Tensor

from et_lite.methods.base import HoldingMethod
from et_lite.solvers import uniform
from et_lite.solvers.selection import SelectionPath


class UniformHold(HoldingMethod):
    """Our control: Elastic Time's networks and losses with neither a choice nor a predictor.

    A dropped frame repeats the last one kept, however long ago that was: `max_offset` bounds
    rollouts, of which there are none.
    """

    solver = "uniform"

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """Even spacing at every rate, whatever (C, T) holds. ValueError for another solver."""
        self.check_solver(solver)
        return uniform(z.shape[-1], None)
