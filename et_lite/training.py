"""One trainer for every method: adversarial steps, exact resume, a tidy log (book: training).

The order of a step and the routes of its gradients follow Bralios et al. (2026, section 3). A
step's batch, noise and targets depend on the seed and the step's number alone, so a run that was
stopped goes on as if it had not been; on one thread it does so bit for bit.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from et_lite.adversary import (
    LatentDiscriminator,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
)
from et_lite.config import TrainingConfig, to_dict
from et_lite.data import LatentStore
from et_lite.methods import ReBottleneck, Stage, TrainingPass, build
from et_lite.parallel import Processes
from et_lite.runs import (
    MetricsLog,
    autocast,
    load_checkpoint,
    optimisers,
    prepare_cpu,
    save_checkpoint,
    set_rates,
    step_seeds,
)
from et_lite.segments import kept_length
from et_lite.storage import commit, machine, save_weights

VALIDATION_CLIPS = 32
VALIDATION_KEEPS = (0.5, 1.0)  # with and without dropping, as in Bralios et al. (2026)


class Trainer:
    """The state of a run: method, discriminator, optimisers and the number of steps done."""

    def __init__(
        self,
        config: TrainingConfig,
        store: LatentStore,
        processes: Processes | None = None,
        compiled: bool = False,
    ) -> None:
        self.config, self.store, self.done = config, store, 0
        self.processes, self.compiled = processes or Processes(), compiled
        self.rows, self.device = self.processes.rows(config.batch), self.processes.device
        prepare_cpu()
        torch.manual_seed(config.seed)
        self.method = build(config).to(self.device)
        # Errors relative to a variance over the batch are computed everywhere from everyone's
        # latents, which are small.
        self.method.whole = self.processes.gather  # type: ignore[method-assign]
        self._begin(self.method.stage(0.0))

    def _begin(self, stage: Stage) -> None:
        """Start a stage of the method's training with a new discriminator and new optimisers."""
        self.stage, settings = stage, self.config.optimiser
        for name, part in self.method.named_children():
            part.requires_grad_(name not in stage.frozen)
        self.method.zero_grad()  # a frozen part that held a gradient would still be stepped
        self.discriminator = LatentDiscriminator(self.config.discriminator).to(self.device)
        if self.compiled:
            import torch._functorch.config as functorch

            # A step goes back twice through one graph, which must keep its buffers for that.
            functorch.donated_buffer = False
            for network in (self.method.encoder, self.method.decoder, self.discriminator):
                network.compile()
        self.main = optimisers(self.method, settings)
        self.against = torch.optim.AdamW(
            self.discriminator.parameters(),
            lr=settings.discriminator_lr,
            weight_decay=settings.weight_decay,
        )

    def step(self) -> dict[str, Tensor]:
        """One discriminator and one generator step; the losses as tensors, not yet waited for."""
        c, progress = self.config, self.done / self.config.steps
        if (stage := self.method.stage(progress)) != self.stage:
            torch.manual_seed(c.seed)  # the same discriminator, wherever the run was resumed
            self._begin(stage)
        self._set_rates(stage.passed(progress))
        numbers, noise = step_seeds(c.seed, self.done)
        x = self.store.batch(numbers, noise, c.batch, c.frames)[self.rows].to(self.device)
        targets = self.method.draw_targets(numbers, c.batch, c.frames, progress)[self.rows]
        self.processes.pass_by(noise, x)
        with autocast(self.device):
            result = self.method.training_pass(x, targets, noise)
        judged = self._discriminator_step(x, result.rebuilt.detach())
        losses = self._generator_step(x, result)
        self.done += 1
        return {**losses, "discriminator": judged, "kept": torch.tensor(result.kept_fraction)}

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        with autocast(self.device):
            loss = discriminator_loss(self.discriminator(real)[0], self.discriminator(fake)[0])
        self.against.zero_grad()
        loss.backward()
        parameters = list(self.discriminator.parameters())
        self.processes.average(parameters)
        nn.utils.clip_grad_norm_(parameters, self.config.optimiser.clip_norm)
        self.against.step()
        return loss.detach()

    def _generator_step(self, x: Tensor, result: TrainingPass) -> dict[str, Tensor]:
        weights = self.config.loss
        # The discriminator is only looked through here: it takes no gradient and its real
        # features need no graph.
        self.discriminator.requires_grad_(False)
        with autocast(self.device):
            verdict, fake = self.discriminator(result.rebuilt)
            with torch.no_grad():
                real = self.discriminator(x)[1]
            matched = feature_matching_loss(real, fake, self.processes.mean)
            terms = {
                "reconstruction": weights.reconstruction * (result.rebuilt - x).square().mean(),
                "adversarial": weights.adversarial * generator_loss(verdict),
                "feature_matching": weights.feature_matching * matched,
                "kl": weights.kl * result.kl,
                **result.terms,
            }
        self.discriminator.requires_grad_(True)
        for optimiser in self.main:
            optimiser.zero_grad()
        auxiliary = list(result.auxiliary.values())
        torch.stack(list(terms.values())).sum().backward(retain_graph=bool(auxiliary))
        if auxiliary:
            own = self.method.auxiliary_parameters()
            torch.stack(auxiliary).sum().backward(inputs=own)
        self.processes.average(self.method.parameters())
        nn.utils.clip_grad_norm_(self.method.parameters(), self.config.optimiser.clip_norm)
        for optimiser in self.main:
            optimiser.step()
        return {name: term.detach() for name, term in {**terms, **result.auxiliary}.items()}

    def _set_rates(self, passed: float) -> None:
        o = self.config.optimiser
        factor = 0.5 * (1 + math.cos(math.pi * passed)) if o.cosine else 1.0
        factor *= min(1.0, (self.done + 1) / o.warmup) if o.warmup else 1.0
        set_rates(self.main, factor * self.stage.rate)
        set_rates([self.against], factor)

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "step": self.done,
            "method": self.method.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": [o.state_dict() for o in (*self.main, self.against)],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.done = state["step"]
        # The stage of the last step done: a new one begins with the next step.
        self._begin(self.method.stage(max(0, self.done - 1) / self.config.steps))
        self.method.load_state_dict(state["method"])
        self.discriminator.load_state_dict(state["discriminator"])
        for optimiser, saved in zip((*self.main, self.against), state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)


def train(
    config: TrainingConfig,
    store: LatentStore,
    run: Path,
    save_every: int = 100,
    log_every: int = 20,
    valid: LatentStore | None = None,
    processes: Processes | None = None,
    compiled: bool = False,
) -> ReBottleneck:
    """Train to `config.steps`, resuming from `run` when it holds a checkpoint (book: training).

    Clips of `valid` are rebuilt whenever the run is saved, and their error is logged. Of several
    `processes` the first writes; a run may go on with another number of them. `compiled` networks
    take minutes to begin, and other roundings.
    """
    trainer = Trainer(config, store, processes, compiled)
    processes = trainer.processes
    identity = {"config": to_dict(config), "data": store.digest()}
    if state := load_checkpoint(run, identity):
        trainer.load(state)
    processes.wait()  # until all have read, for the first may write now
    log = MetricsLog(run, trainer.done) if processes.first else None
    unseen = None
    if valid is not None:
        unseen = valid.batch(*step_seeds(0, 0), VALIDATION_CLIPS, config.frames)
    hidden = None if processes.first else True
    bar = tqdm(initial=trainer.done, total=config.steps, disable=hidden, desc=config.method)
    while trainer.done < config.steps:
        losses = trainer.step()
        bar.update()
        last = trainer.done == config.steps
        if trainer.done % log_every == 0 or last:
            losses = processes.means(losses)
            if log is not None:
                log.write(trainer.done, {name: value.item() for name, value in losses.items()})
        if log is not None and (trainer.done % save_every == 0 or last):
            if unseen is not None:
                log.write(trainer.done, validation_errors(trainer.method, unseen))
            save_checkpoint(run, trainer.state(), identity)
    bar.close()
    if log is not None:
        log.close()
    processes.wait()
    return trainer.method.cpu()  # where the codec works


@torch.no_grad()
def validation_errors(method: ReBottleneck, x: Tensor) -> dict[str, float]:
    """Mean squared error of latents (B, C, T) rebuilt from half of their frames, and from all.

    By posterior means and the method's own choice of frames, as a codec does; a rate that the
    method cannot reach is left out.
    """
    found, frames, device = {}, x.shape[-1], next(method.parameters()).device
    x = x.to(device)
    for keep in VALIDATION_KEEPS:
        count = kept_length(frames, keep)
        told = torch.full((len(x),), count / frames, device=device)
        with autocast(device):
            z = method.encode(x, told).mean
            chosen = [method.path(clip).at(count) for clip in z]
            if all(selection.reached for selection in chosen):
                cuts = [selection.segmentation for selection in chosen]
                rebuilt = method.decode(method.mark(method.rebuild(z, cuts), cuts), told)
                found[f"valid_{keep:g}"] = (rebuilt - x).square().mean().item()
    return found


def publish(
    method: ReBottleneck,
    output: Path,
    base: dict[str, Any],
    data: str,
    metrics: dict[str, float] | None = None,
) -> None:
    """Write a trained method's weights and card. `base` names the autoencoder and its hash."""
    card = {
        "kind": "method",
        "name": output.name,
        "config": to_dict(method.config),
        "window": method.config.frames,
        "autoencoder": base,
        "data": data,
        "seed": method.config.seed,
        "metrics": metrics or {},
        "commit": commit(),
        "machine": machine(),
    }
    save_weights(output, method.state_dict(), card)
