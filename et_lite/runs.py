"""What every training run shares: seeds of a step, precision, and the log."""

import csv
import ctypes
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from et_lite.config import OptimiserConfig
from et_lite.storage import atomic_path, load_state, remove_leftovers, save_state

CHECKPOINT = "checkpoint.safetensors"


def step_seeds(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The generators of one step: numpy's for choices, torch's for noise."""
    words = np.random.SeedSequence([seed, step]).generate_state(2, np.uint64)
    noise = torch.Generator().manual_seed(int(words[1] >> np.uint64(1)))
    return np.random.default_rng(int(words[0])), noise


def optimisers(
    module: nn.Module, config: OptimiserConfig, outer: Sequence[nn.Module] = ()
) -> list[torch.optim.Optimizer]:
    """Muon for a network's matrices, AdamW for its vectors, depthwise kernels and `outer` layers.

    Muon orthogonalises a matrix's update; for kernels of one channel and for gains that has no
    meaning (the released code does it all the same; book: differences).
    """
    plain = {parameter for layer in outer for parameter in layer.parameters()}
    matrices = [p for p in module.parameters() if p.ndim == 2 and p not in plain]
    others = [p for p in module.parameters() if p.ndim != 2 or p in plain]

    muon = torch.optim.Muon(
        matrices,
        lr=config.muon_lr,
        momentum=config.muon_momentum,
        weight_decay=config.muon_weight_decay,
    )
    adamw = torch.optim.AdamW(
        others, lr=config.adamw_lr, weight_decay=config.weight_decay, eps=config.adamw_eps
    )
    return [muon, adamw]


def set_rates(optimisers: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to `factor` times the rate it was made with."""
    for group in (g for optimiser in optimisers for g in optimiser.param_groups):
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def warm_cosine(step: int, steps: int) -> float:
    """Factor of the learning rate: a linear rise over 100 steps, then a cosine to 2 %."""
    return min(1.0, (step + 1) / 100) * (0.51 + 0.49 * math.cos(math.pi * step / steps))


@cache
def has_bf16(kind: str) -> bool:
    """Whether a device of this kind, cuda or cpu, multiplies bf16 matrices in hardware."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="utf-8")


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bf16 autocast where the hardware has it, else a no-op."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device.type))


def save_checkpoint(run: Path, state: dict[str, Any], identity: dict[str, Any]) -> None:
    """Write a run's state and what the run is. ValueError, and the last one stays, if it is broken.

    `identity` holds plain values: the configuration and the data.
    """
    if not all(bool(t.isfinite().all()) for t in _tensors(state) if t.is_floating_point()):
        raise ValueError(
            f"weights are no longer finite at step {state['step']}: start again from {run}, whose "
            "checkpoint is from before, with a lower learning rate"
        )
    save_state(run / CHECKPOINT, {"identity": identity, "state": state})


def load_checkpoint(run: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state in `run`, None if there is none. ValueError if it is another run's."""
    remove_leftovers(run)
    if not (run / CHECKPOINT).exists():
        return None
    saved = load_state(run / CHECKPOINT)
    # Through JSON, as the saved one went: tuples have become lists.
    if saved.get("identity") != json.loads(json.dumps(identity)):
        raise ValueError(
            f"the checkpoint in {run} is of another configuration or other data than this run: "
            "give the run another folder or repeat its options"
        )
    return saved["state"]


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested dicts and lists."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def prepare_cpu() -> None:
    """Settings without which training on a CPU crawls: no denormals, and memory that is kept."""
    torch.set_flush_denormal(True)  # silence in speech decays into denormals, slow to multiply
    if sys.platform == "linux":
        # glibc gives every large tensor back to the system and fetches zeroed pages for the
        # next one; on virtual machines that can take longer than the arithmetic.
        try:
            mallopt = ctypes.CDLL("libc.so.6").mallopt
        except (OSError, AttributeError):  # another C library: nothing to set
            return
        m_trim_threshold, m_mmap_max = -1, -4
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 2**31 - 1)


class MetricsLog:
    """Rows of `step, name, value` in `metrics.csv`, and TensorBoard where it is installed.

    On resume, rows after the checkpoint's step are dropped, for they will come again.
    """

    def __init__(self, run: Path, step: int) -> None:
        self.file = run / "metrics.csv"
        kept = []
        if self.file.exists():
            with open(self.file, newline="") as file:
                kept = [row for row in csv.reader(file) if row and row[0].isdigit()]
        with atomic_path(self.file) as temporary, open(temporary, "w", newline="") as file:
            rows = [row for row in kept if len(row) == 3 and int(row[0]) <= step]
            csv.writer(file).writerows([["step", "name", "value"], *rows])
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board = None
        else:
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append the values of one step."""
        with open(self.file, "a", newline="") as file:
            csv.writer(file).writerows([[step, name, f"{v:.6g}"] for name, v in values.items()])
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Hand TensorBoard what it still holds back."""
        if self.board is not None:
            self.board.close()


def last_values(run: Path) -> dict[str, float]:
    """The newest value of every name in a run's log, for its card."""
    with open(run / "metrics.csv", newline="") as file:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(file)}


class RunConfig(Protocol):
    """What `fit` reads of a training configuration."""

    @property
    def steps(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def optimiser(self) -> OptimiserConfig: ...


def fit(
    model: nn.Module,
    config: RunConfig,
    run: Path,
    identity: dict[str, Any],
    losses: Callable[[np.random.Generator, torch.Generator], dict[str, torch.Tensor]],
    validate: Callable[[np.random.Generator, torch.Generator], dict[str, torch.Tensor]],
    outer: Sequence[nn.Module] = (),
    save_every: int = 500,
) -> dict[str, float]:
    """Minimise `losses`' total for `config.steps`, resuming from `run`; the last logged values.

    A step's batch and noise depend on the seed and the step's number alone, so a run that was
    stopped goes on as if it had not been.
    """
    device = next(model.parameters()).device
    steppers, first = optimisers(model, config.optimiser, outer), 0
    if state := load_checkpoint(run, identity):
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(steppers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        first = state["step"]
    log = MetricsLog(run, first)
    for step in tqdm(range(first, config.steps), initial=first, total=config.steps, disable=None):
        set_rates(steppers, warm_cosine(step, config.steps))
        with autocast(device):
            terms = losses(*step_seeds(config.seed, step))
        for optimiser in steppers:
            optimiser.zero_grad()
        terms["total"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.optimiser.clip_norm)
        for optimiser in steppers:
            optimiser.step()
        done = step + 1
        if done % 50 == 0 or done == config.steps:
            log.write(done, {name: loss.item() for name, loss in terms.items()})
        if done % save_every == 0 or done == config.steps:
            with torch.no_grad(), autocast(device):
                found = validate(*step_seeds(config.seed + 1, 0))
            log.write(done, {f"valid_{name}": loss.item() for name, loss in found.items()})
            kept = [optimiser.state_dict() for optimiser in steppers]
            state = {"step": done, "model": model.state_dict(), "optimisers": kept}
            save_checkpoint(run, state, identity)
    log.close()
    return last_values(run)
