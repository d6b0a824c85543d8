"""Evenly spaced frames, each held until the next: the least that choosing frames must beat."""

import numpy as np
import torch
from torch import Tensor

from et_lite.config import TrainingConfig
from et_lite.methods.base import ReBottleneck, TrainingPass, anchors_of
from et_lite.segments import Segmentation
from et_lite.solvers import uniform
from et_lite.solvers.selection import SelectionPath


class UniformHold(ReBottleneck):
    """Our control: Elastic Time's networks and losses with neither a choice nor a predictor.

    A dropped frame repeats the last one kept, however long ago that was: `max_offset` bounds
    rollouts, of which there are none.
    """

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        _check_solver(config.selection.solver)

    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, keep every few frames and decode; gradients take the kept frames alone."""
        posterior = self.encode(x)
        z = posterior.sample(noise)
        path = uniform(z.shape[-1], None)
        segmentations = [path.at(target).segmentation for target in targets]
        return TrainingPass(
            rebuilt=self.decode(self.rebuild(z, segmentations)),
            kl=posterior.kl(),
            auxiliary={},
            auxiliary_parameters=[],
            kept_fraction=float(np.mean([s.kept_fraction for s in segmentations])),
        )

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """Even spacing at every rate, whatever (C, T) holds. ValueError for another solver."""
        _check_solver(solver or self.config.selection.solver)
        return uniform(z.shape[-1], None)

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The kept frames themselves, (C, N)."""
        return anchors_of(z, segmentation)

    def unpack(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Each kept frame as often as its segment is long, (C, T)."""
        return anchors.repeat_interleave(lengths.to(anchors.device), dim=1)


def _check_solver(name: str) -> None:
    """ValueError unless a solver's name is `uniform`."""
    if name != "uniform":
        raise ValueError(
            f"solver {name!r} is not for uniform_hold, which only spaces its frames evenly: "
            "give it the solver 'uniform'"
        )
