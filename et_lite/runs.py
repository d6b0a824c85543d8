"""What every training run shares: seeds of a step, precision, and the log."""

import csv
import ctypes
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from et_lite.storage import atomic_path, load_state, remove_leftovers, save_state

CHECKPOINT = "checkpoint.safetensors"


def step_seeds(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The generators of one step: numpy's for choices, torch's for noise."""
    words = np.random.SeedSequence([seed, step]).generate_state(2, np.uint64)
    noise = torch.Generator().manual_seed(int(words[1] >> np.uint64(1)))
    return np.random.default_rng(int(words[0])), noise


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
