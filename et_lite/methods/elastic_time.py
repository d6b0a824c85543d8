"""Elastic Time: keep the frames that the predictor cannot guess, roll the others out again."""

import numpy as np
import torch
from torch import Tensor, nn

from et_lite.config import TrainingConfig
from et_lite.methods.base import ReBottleneck, TrainingPass, anchors_of, offsets_of
from et_lite.predictor import Predictor, replaced_loss, rollout_loss, step_costs
from et_lite.segments import Segmentation
from et_lite.solvers import solve, solve_rows
from et_lite.solvers.selection import SelectionPath


class ElasticTime(ReBottleneck):
    """The method of Bralios, Smaragdis and Kim (2026); `paper` has 51 382 272 parameters."""

    predicted: nn.Parameter | None

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        if config.predictor.channels != config.network.channels:
            raise ValueError(
                f"the predictor has {config.predictor.channels} channels and the network "
                f"{config.network.channels}: give both the same"
            )
        self.predictor = Predictor(config.predictor)
        mark = nn.Parameter(torch.randn(config.network.channels)) if config.marked else None
        self.register_parameter("predicted", mark)

    def auxiliary_parameters(self) -> list[nn.Parameter]:
        """The predictor's."""
        return list(self.predictor.parameters())

    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, choose from one table, roll out what was chosen and decode (book: training).

        Reconstruction gradients reach the encoder through kept frames and through the rollouts
        into their anchors; the choice itself takes none.
        """
        loss = self.config.loss
        posterior = self.encode(x)
        z = posterior.sample(noise)
        predictions, segmentations = self._choose(z.detach(), targets)
        # The replaced frames once more, with gradients to their anchors and the predictor.
        mixed = self.rebuild(z, segmentations)
        offsets = offsets_of(segmentations, z)
        # These two are relative to a variance over the batch, however many processes share that.
        latents, predictions = self.whole(z), self.whole(predictions)
        replaced = replaced_loss(latents, self.whole(mixed), self.whole(offsets))
        return TrainingPass(
            rebuilt=self.decode(self.mark(mixed, segmentations)),
            kl=posterior.kl(),
            auxiliary={
                "rollout": loss.rollout * rollout_loss(latents, predictions, loss.horizon),
                "replaced": loss.replaced * replaced,
            },
            kept_fraction=float(np.mean([s.kept_fraction for s in segmentations])),
        )

    def _choose(self, z: Tensor, targets: np.ndarray) -> tuple[Tensor, list[Segmentation]]:
        """Rollouts from every frame of (B, C, T) and the segmentations that their costs lead to.

        Gradients, and those of the predictor alone, pass through the few steps that its own loss
        looks at; tracking all of them would be most of the work of a step.
        """
        settings, tracked = self.config.selection, self.config.loss.horizon
        longest = max(min(settings.max_offset, z.shape[-1] - 1), tracked)
        # Greedy selection lengthens a segment frame by frame: a short table leads to the same
        # choice in every clip of which no segment fills it.
        short_first = settings.solver == "greedy" and tracked < longest
        predictions = self.predictor.rollout(z, tracked if short_first else longest, tracked)
        segmentations = self._solve(z, predictions, targets)
        full = [b for b, s in enumerate(segmentations) if s.max_offset == tracked]
        if short_first and full:
            with torch.no_grad():
                further = self.predictor.rollout(z[full], longest)
            for clip, found in zip(full, self._solve(z[full], further, targets[full]), strict=True):
                segmentations[clip] = found
        return predictions, segmentations

    def _solve(self, z: Tensor, predictions: Tensor, targets: np.ndarray) -> list[Segmentation]:
        """What the trained solver makes of the costs of these rollouts."""
        settings = self.config.selection
        with torch.no_grad():
            costs = self._weighted(step_costs(z, predictions[:, : settings.max_offset]))
        # The one transfer to the host; the solvers know numbers only.
        chosen = solve_rows(settings.solver, costs.cpu().numpy(), targets)
        return [selection.segmentation for selection in chosen]

    @torch.no_grad()
    def costs(self, z: Tensor) -> np.ndarray:
        """The cost table (T, min(K, T − 1)) of one clip (C, T) (book: chunking)."""
        limit = min(self.config.selection.max_offset, z.shape[-1] - 1)
        costs = step_costs(z[None], self.predictor.rollout(z[None], limit))
        return self._weighted(costs)[0].cpu().numpy()

    def _weighted(self, costs: Tensor) -> Tensor:
        """Step costs (B, T, L) that count a frame for more, the further it is from its anchor.

        The decoder sees the kept frames on both sides. It mends most of a single missing frame and
        less of a long gap, which plain errors of inner latents do not know (ours; the paper's
        preset has exponent 0. Book: differences).
        """
        offsets = torch.arange(1, costs.shape[-1] + 1, device=costs.device)
        return costs * offsets.float() ** self.config.gap_exponent

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The choice at every rate by any solver; the table is computed once."""
        return solve(solver or self.config.selection.solver, self.costs(z))

    def mark(self, z: Tensor, segmentations: list[Segmentation]) -> Tensor:
        """Rebuilt latents (B, C, T), with one learned vector added to all that were predicted.

        A held frame can be told by being equal to the one before it. A predicted one looks like any
        other, and a small decoder that cannot tell them apart cannot lean on the kept frames around
        it (ours; the paper's preset goes without. Book: differences).
        """
        if self.predicted is None:
            return z
        return z + self.predicted[:, None] * (offsets_of(segmentations, z) > 0)[:, None]

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The anchors themselves, (C, N)."""
        return anchors_of(z, segmentation)

    def unpack(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Anchors and the rollouts from them, (C, T), in T − N predictor columns."""
        return self.predictor.unroll(anchors, lengths)
