"""The interface of a method: re-code latents, choose the frames to keep, and rebuild the rest."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from et_lite.config import TrainingConfig
from et_lite.layers import ConvNeXtStack, Posterior
from et_lite.segments import Segmentation
from et_lite.solvers.selection import SelectionPath

FIRST_SCALE = 0.1  # of the posterior, before training


@dataclass(frozen=True)
class Stage:
    """A part of training, which starts with a new discriminator and new optimisers.

    `start` and `end` are shares of the steps, `rate` scales the method's own learning rates, and
    the parts in `frozen` stay as they are.
    """

    start: float = 0.0
    end: float = 1.0
    rate: float = 1.0
    frozen: tuple[str, ...] = ()

    def passed(self, progress: float) -> float:
        """How much of this stage is over, 0 to 1, where `progress` of the whole training is."""
        return (progress - self.start) / (self.end - self.start)


@dataclass(frozen=True)
class TrainingPass:
    """What one forward pass hands to the trainer.

    `auxiliary` are weighted terms whose gradient goes to the method's auxiliary part alone, `terms`
    those that train the method as a whole.
    """

    rebuilt: Tensor  # (B, C, T), compared with the input by the trainer
    kl: Tensor
    auxiliary: dict[str, Tensor]
    kept_fraction: float
    terms: dict[str, Tensor] = field(default_factory=dict)


class ReBottleneck(nn.Module, ABC):
    """Encoder, Gaussian bottleneck and decoder around frozen latents (book: rebottleneck).

    Outer latents `x` and inner latents `z` are both (B, C, T). A method adds how frames are
    chosen (`path`) and how the chosen ones stand for all (`pack`, `unpack`).
    """

    grid = 1  # windows of a longer clip start at multiples of so many frames
    conditioned = False  # whether the networks are told the kept fraction

    @staticmethod
    def whole(rows: Tensor) -> Tensor:
        """Rows (b, …) of a batch as those of all of it; several processes put a gathering here."""
        return rows

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        n = config.network
        sizes = (n.width, n.blocks, n.expansion, n.kernel)
        told = config.hnet.condition if self.conditioned else 0
        self.encoder = ConvNeXtStack(n.channels, 2 * n.channels, *sizes, condition=told)
        self.decoder = ConvNeXtStack(n.channels, n.channels, *sizes, condition=told)
        # Latents pass at first, so that a short training is about the frames that are missing, and
        # errors between inner latents begin as those between outer ones (book: differences).
        self.encoder.begin_by_passing()
        self.decoder.begin_by_passing()
        assert isinstance(self.encoder.leave, nn.Linear)
        nn.init.constant_(self.encoder.leave.bias[n.channels :], math.log(math.expm1(FIRST_SCALE)))

    def encode(self, x: Tensor, keep: Tensor | None = None) -> Posterior:
        """The posterior over inner latents, mean and scale (B, C, T), of a whole clip.

        Only a `conditioned` method reads the kept fractions `keep` (B,).
        """
        return Posterior.from_features(self.encoder(x))

    def decode(self, z: Tensor, keep: Tensor | None = None) -> Tensor:
        """Outer latents from inner ones, (B, C, T) to the same, of a whole clip."""
        return self.decoder(z).to(z.dtype)  # whatever autocast computed in

    @abstractmethod
    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, choose what `draw_targets` asks of each clip, rebuild and decode."""

    @abstractmethod
    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The choice of frames of a clip (C, T) at every rate; `solver=None` is the trained one.

        For a `conditioned` method it holds at the rate that the clip was encoded for.
        """

    @abstractmethod
    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """What is kept of one clip: (C, T) to (C, N)."""

    def mark(self, z: Tensor, segmentations: list[Segmentation]) -> Tensor:
        """What the decoder is given of rebuilt latents (B, C, T): by default these alone."""
        return z

    @abstractmethod
    def unpack(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Every frame from the kept ones alone, with gradients: (C, N), lengths (N,) to (C, T)."""

    def rebuild(self, z: Tensor, segmentations: list[Segmentation]) -> Tensor:
        """Inner latents (B, C, T) as they come back from what is kept of them, with gradients."""
        batch, channels, frames = z.shape
        # Every clip starts with an anchor of its own, so the batch passes as one long clip.
        joined = z.transpose(0, 1).reshape(channels, batch * frames)
        whole = Segmentation(np.concatenate([s.lengths for s in segmentations]))
        anchors = self.pack(joined, whole)
        rebuilt = self.unpack(anchors, torch.from_numpy(whole.lengths.copy()))
        return rebuilt.view(channels, batch, frames).transpose(0, 1)

    def auxiliary_parameters(self) -> list[nn.Parameter]:
        """What learns from auxiliary terms too, at a rate of its own; nothing by default."""
        return []

    def stage(self, progress: float) -> Stage:
        """The stage of a training step at `progress`, 0 to 1; by default there is one."""
        return Stage()

    def draw_targets(
        self, numbers: np.random.Generator, batch: int, frames: int, progress: float = 0.0
    ) -> np.ndarray:
        """What a training step asks of each clip: here kept lengths (B,).

        They are uniform between the training range's two ends, inclusive.
        """
        s = self.config.selection
        low, high = max(1, int(frames * s.keep_low)), min(frames, int(frames * s.keep_high))
        return numbers.integers(low, max(low, high), size=batch, endpoint=True)


class HoldingMethod(ReBottleneck):
    """A method with no predictor: what is kept of a segment is held until the next one."""

    solver: str  # the only one

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.check_solver(config.selection.solver)

    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, choose, hold and decode; gradients take what is kept alone."""
        posterior = self.encode(x)
        z = posterior.sample(noise)
        segmentations = self.choose(z.detach(), targets)
        return TrainingPass(
            rebuilt=self.decode(self.rebuild(z, segmentations)),
            kl=posterior.kl(),
            auxiliary={},
            kept_fraction=float(np.mean([s.kept_fraction for s in segmentations])),
        )

    def choose(self, z: Tensor, targets: np.ndarray) -> list[Segmentation]:
        """A segmentation a clip of (B, C, T) for what training asks of it (B,)."""
        pairs = zip(z, targets, strict=True)
        return [self.path(clip).at(target).segmentation for clip, target in pairs]

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The anchors themselves, (C, N)."""
        return anchors_of(z, segmentation)

    def unpack(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Each kept frame as often as its segment is long, (C, T)."""
        return anchors.repeat_interleave(lengths.to(anchors.device), dim=1)

    def check_solver(self, name: str | None) -> None:
        """ValueError unless a solver's name is the method's own or None."""
        if name not in (None, self.solver):
            raise ValueError(
                f"solver {name!r} is not for {self.config.method}, which has its own way to choose "
                f"frames: give it the solver {self.solver!r}"
            )


def anchors_of(z: Tensor, segmentation: Segmentation) -> Tensor:
    """The frames that a segmentation keeps, (C, T) to (C, N)."""
    return z[:, torch.from_numpy(segmentation.anchors.copy()).to(z.device)]


def offsets_of(segmentations: list[Segmentation], like: Tensor) -> Tensor:
    """How far every frame is from its anchor, (B, T), where `like` lies."""
    return torch.from_numpy(np.stack([s.offsets for s in segmentations])).to(like.device)


def in_windows(apply: Callable[[Tensor], Tensor], x: Tensor, window: int, grid: int = 1) -> Tensor:
    """Apply a length-dependent map (1, C, T) to (1, C', T) in windows of `window` frames.

    Response norms pool over time and training saw one length, so longer clips pass in windows
    of that length that overlap by half and fade into each other (book: rebottleneck). They start
    at multiples of `grid` and fade in such steps; the last may be a little shorter for it.
    """
    frames = x.shape[-1]
    if frames <= window:
        return apply(x)
    # Weights fall towards the edges, where zero padding stands for frames that exist.
    ramp = torch.arange(1, -(-window // grid) + 1, dtype=x.dtype, device=x.device)
    weight = torch.minimum(ramp, ramp.flip(0)).repeat_interleave(grid)[:window]
    total, output = x.new_zeros(frames), None
    for start in window_starts(frames, window, grid):
        fade = weight[: frames - start]
        piece = apply(x[..., start : start + window]) * fade
        if output is None:
            output = piece.new_zeros(*piece.shape[:-1], frames)
        output[..., start : start + window] += piece
        total[start : start + window] += fade
    assert output is not None
    return output / total


def window_starts(frames: int, window: int, grid: int = 1) -> Iterator[int]:
    """Starts of half-overlapping windows, multiples of `grid`; the last one ends with the clip."""
    last = -(-(frames - window) // grid) * grid
    yield from range(0, last, max(window // 2 // grid, 1) * grid)
    yield last
