"""Elastic Time's training step as it is written down: what ours must equal, and is timed against.

It has the order of work of the released code (https://github.com/dbralios/elastic-time), in our
own words: gradients through every rollout from every frame, frames mixed by a gather from the
table of all rollouts, and a discriminator that collects gradients in the generator step which
nobody uses. Networks, batch, noise, solvers and optimisers are ours.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from et_lite.adversary import LatentDiscriminator, generator_loss
from et_lite.methods import Stage, TrainingPass
from et_lite.methods.elastic_time import ElasticTime
from et_lite.predictor import replaced_loss, rollout_loss, step_costs
from et_lite.runs import autocast
from et_lite.solvers import solve_rows
from et_lite.training import Trainer


class PlainTrainer(Trainer):
    """The trainer of an Elastic Time, with the plain step in the place of the cheap one."""

    def _begin(self, stage: Stage) -> None:
        super()._begin(stage)
        self.method.training_pass = partial(plain_pass, self.method)
        self.discriminator.forward = partial(plain_discriminator, self.discriminator)

    def _generator_step(self, x: Tensor, result: TrainingPass) -> dict[str, Tensor]:
        weights, auxiliary = self.config.loss, result.auxiliary
        with autocast(self.device):
            verdict, fake = self.discriminator(result.rebuilt)
            real = self.discriminator(x)[1]
            terms = {
                "reconstruction": weights.reconstruction * (result.rebuilt - x).square().mean(),
                "adversarial": weights.adversarial * generator_loss(verdict),
                "feature_matching": weights.feature_matching * plain_feature_matching(real, fake),
                "kl": weights.kl * result.kl,
            }
        for optimiser in self.main:
            optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward(retain_graph=True)
        own = self.method.auxiliary_parameters()
        torch.stack(list(auxiliary.values())).sum().backward(inputs=own)
        nn.utils.clip_grad_norm_(self.method.parameters(), self.config.optimiser.clip_norm)
        for optimiser in self.main:
            optimiser.step()
        return {name: term.detach() for name, term in {**terms, **auxiliary}.items()}


def plain_pass(
    method: ElasticTime, x: Tensor, targets: np.ndarray, noise: torch.Generator
) -> TrainingPass:
    """The training pass with every rollout tracked, (B, C, T), and mixed by a table."""
    settings, loss = method.config.selection, method.config.loss
    posterior = method.encode(x)
    z = posterior.sample(noise)
    cap = settings.max_offset
    predictions = method.predictor.rollout(z, max(min(cap, x.shape[-1] - 1), loss.horizon))
    with torch.no_grad():
        # The released DP rolls out anew for its costs. The released greedy takes about two columns
        # a frame in many small calls; it is given the rollouts there are, which is less work.
        again = settings.solver == "dp"
        costs = step_costs(z, method.predictor.rollout(z, cap) if again else predictions[:, :cap])
        costs = costs * torch.arange(1.0, costs.shape[-1] + 1) ** method.config.gap_exponent
    chosen = solve_rows(settings.solver, costs.cpu().numpy(), targets)
    cuts = [c.segmentation for c in chosen]
    offsets = torch.from_numpy(np.stack([cut.offsets for cut in cuts])).to(z.device)
    mixed = plain_mix(z, predictions, offsets)
    return TrainingPass(
        rebuilt=method.decode(method.mark(mixed, cuts)),
        kl=posterior.kl(),
        auxiliary={
            "rollout": loss.rollout * rollout_loss(z, predictions, loss.horizon),
            "replaced": loss.replaced * replaced_loss(z, mixed, offsets),
        },
        kept_fraction=float((offsets == 0).double().mean()),
    )


def plain_mix(latents: Tensor, predictions: Tensor, offsets: Tensor) -> Tensor:
    """Each frame from the table of all rollouts: (B, C, T), (B, L, C, T), (B, T) to (B, C, T)."""
    batch, horizon, channels, frames = predictions.shape
    table = predictions.transpose(1, 2).reshape(batch, channels, horizon * frames)
    here = torch.arange(frames, device=offsets.device)
    place = ((offsets - 1) * frames + here - offsets).clamp_min(0)
    rolled = table.gather(2, place[:, None].expand(-1, channels, -1))
    return torch.where((offsets > 0)[:, None], rolled, latents)


def plain_discriminator(
    discriminator: LatentDiscriminator, latents: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """The discriminator's verdicts and maps (B, width, C, T'), with memory in the default order."""
    image, features = latents[:, None], []
    for conv in discriminator.convs[:-1]:
        image = F.leaky_relu(conv(image), 0.1)
        features.append(image)
    return discriminator.convs[-1](image)[:, 0].float(), features


def plain_feature_matching(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Σ over maps of mean |fake − real| / mean |real|, floor 1e-6; real ones take no gradient."""
    terms = [
        (f - r.detach()).abs().mean() / r.detach().abs().mean().clamp_min(1e-6)
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).sum()
