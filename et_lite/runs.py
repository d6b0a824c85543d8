"""What every training run shares: seeds of a step, precision, and the log."""

import csv
import ctypes
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from et_lite.storage import atomic_path


def step_seeds(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The generators of one step: numpy's for choices, torch's for noise."""
    words = np.random.SeedSequence([seed, step]).generate_state(2, np.uint64)
    noise = torch.Generator().manual_seed(int(words[1] >> np.uint64(1)))
    return np.random.default_rng(int(words[0])), noise


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bf16 autocast where the processor multiplies bf16 matrices in hardware, else a no-op."""
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        flags = Path("/proc/cpuinfo")
        able = flags.exists() and "avx512_bf16" in flags.read_text()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


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


def last_values(run: Path) -> dict[str, float]:
    """The newest value of every name in a run's log, for its card."""
    with open(run / "metrics.csv", newline="") as file:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
