"""Elastic Time: keep the frames that the predictor cannot guess, roll the others out again."""

import numpy as np
import torch
from torch import Tensor

from et_lite.config import TrainingConfig
from et_lite.methods.base import ReBottleneck, TrainingPass
from et_lite.predictor import Predictor, mix, replaced_loss, rollout_loss, step_costs
from et_lite.segments import Segmentation
from et_lite.solvers import solve, solve_rows
from et_lite.solvers.selection import SelectionPath


class ElasticTime(ReBottleneck):
    """The method of Bralios, Smaragdis and Kim (2026); `paper` has 51 382 272 parameters."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        if config.predictor.channels != config.network.channels:
            raise ValueError(
                f"the predictor has {config.predictor.channels} channels and the network "
                f"{config.network.channels}: give both the same"
            )
        self.predictor = Predictor(config.predictor)

    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """One rollout serves its loss, the choice of frames and the mixing (book: training).

        Reconstruction gradients reach the encoder through kept frames and through the rollouts
        into their anchors; the choice itself takes none.
        """
        settings, loss = self.config.selection, self.config.loss
        posterior = self.encode(x)
        z = posterior.sample(noise)
        horizon = max(min(settings.max_offset, x.shape[-1] - 1), loss.horizon)
        predictions = self.predictor.rollout(z, horizon)
        with torch.no_grad():
            costs = step_costs(z, predictions[:, : settings.max_offset])
        # The one transfer to the host in a step; the solvers know numbers only.
        chosen = solve_rows(settings.solver, costs.cpu().numpy(), targets)
        offsets = np.stack([selection.segmentation.offsets for selection in chosen])
        h = torch.from_numpy(offsets).to(z.device, non_blocking=True)
        mixed = mix(z, predictions, h)
        return TrainingPass(
            rebuilt=self.decode(mixed),
            kl=posterior.kl(),
            auxiliary={
                "rollout": loss.rollout * rollout_loss(z, predictions, loss.horizon),
                "replaced": loss.replaced * replaced_loss(z, mixed, h),
            },
            auxiliary_parameters=list(self.predictor.parameters()),
            kept_fraction=float((offsets == 0).mean()),
        )

    @torch.no_grad()
    def costs(self, z: Tensor) -> np.ndarray:
        """The cost table (T, min(K, T − 1)) of one clip (C, T) (book: chunking)."""
        limit = min(self.config.selection.max_offset, z.shape[-1] - 1)
        return step_costs(z[None], self.predictor.rollout(z[None], limit))[0].cpu().numpy()

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The choice at every rate by any solver; the table is computed once."""
        return solve(solver or self.config.selection.solver, self.costs(z))

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The anchors themselves, (C, N)."""
        return z[:, torch.from_numpy(segmentation.anchors.copy()).to(z.device)]

    @torch.no_grad()
    def unpack(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Anchors and the rollouts from them, (C, T), in T − N predictor columns."""
        return self.predictor.unroll(anchors, lengths)
