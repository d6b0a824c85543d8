"""One training shared by several processes, as torchrun starts them (book: scale).

Each process takes its rows of one batch, and gradients are averaged. Whatever looks at a whole
batch is made whole, so that any number of processes train as one does.
"""

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

AGAIN = "the same command goes on from the last checkpoint"


@dataclass(frozen=True)
class Processes:
    """How many processes share this training, which of them this is, and where it computes."""

    index: int = 0
    count: int = 1
    device: torch.device = field(
        default_factory=lambda: torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.index == 0

    def rows(self, batch: int) -> slice:
        """This process's clips of a batch. ValueError when they cannot be shared evenly."""
        if batch % self.count:
            raise ValueError(
                f"a batch of {batch} clips cannot be shared by {self.count} processes: "
                "start a number that divides it, or change --batch"
            )
        own = batch // self.count
        return slice(self.index * own, (self.index + 1) * own)

    def pass_by(self, noise: torch.Generator, rows: Tensor) -> None:
        """Draw the noise of the processes before this one, whose rows are as large as these."""
        # Where a row holds a multiple of 16 numbers, what follows is what one process draws for
        # these rows; torch makes normal numbers in blocks of that size.
        if self.index:
            torch.randn(self.index * rows.numel(), generator=noise)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over the processes."""
        if self.count == 1:
            return
        found = [p.grad for p in parameters if p.grad is not None]
        flat = _reduce(torch.cat([gradient.flatten() for gradient in found]))
        parts = flat.split([gradient.numel() for gradient in found])
        for gradient, part in zip(found, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over the processes, with gradients."""
        return value if self.count == 1 else _Mean.apply(value)

    def gather(self, rows: Tensor) -> Tensor:
        """Every process's rows (b, …) as (B, …), with gradients."""
        return rows if self.count == 1 else _Gather.apply(rows, self)

    def means(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The means of single numbers over the processes, for the log."""
        if self.count == 1:
            return values
        stacked = _reduce(
            torch.stack([v.detach().float().to(self.device) for v in values.values()])
        )
        return dict(zip(values, stacked, strict=True))

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.count > 1:
            _reduce(torch.zeros(1, device=self.device))


def join() -> Processes:
    """The processes that torchrun or `accelerate launch` started with this one, or this one alone.

    ValueError when Accelerate is missing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Processes()
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise ValueError(
            f"several processes need accelerate ({error}): run pip install 'et-lite[scale]'"
        ) from error
    state = PartialState(cpu=not torch.cuda.is_available())
    signal.signal(signal.SIGTERM, _stop)  # what torchrun sends when another process has died
    return Processes(state.process_index, state.num_processes, state.device)


def leave() -> None:
    """Close the connections that `join` made."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class _Mean(torch.autograd.Function):
    """What is made of a mean is the same in every process, and so is its gradient.

    Each process gives its own share of that to its own value; `average` divides by their number.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _reduce(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _Gather(torch.autograd.Function):
    """Rows of all processes; a process's own rows take their gradient times the processes.

    For `average` divides by their number, and rows of others take theirs elsewhere.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, processes: Processes) -> Tensor:
        from accelerate.utils import gather

        ctx.processes = processes
        return _together(lambda: gather(rows.contiguous()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        processes: Processes = ctx.processes
        return processes.count * gradients[0][processes.rows(len(gradients[0]))], None


def _reduce(value: Tensor) -> Tensor:
    """The mean over all processes."""
    from accelerate.utils import reduce

    return _together(lambda: reduce(value, "mean"))


def _together(call: Callable[[], Tensor]) -> Tensor:
    """What all processes do at once. ValueError when one of them is gone."""
    try:
        return call()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"another process of this training has ended ({reason}): {AGAIN}") from (
            error
        )


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(
        "et-lite: told to stop, as when another process of this training has ended: " + AGAIN
    )
