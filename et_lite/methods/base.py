"""The interface of a method: re-code latents, choose the frames to keep, and rebuild the rest."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from et_lite.config import TrainingConfig
from et_lite.layers import ConvNeXtStack, Posterior
from et_lite.segments import Segmentation
from et_lite.solvers.selection import SelectionPath


@dataclass(frozen=True)
class TrainingPass:
    """What one forward pass hands to the trainer.

    `auxiliary` are weighted terms whose gradient goes to `auxiliary_parameters` alone.
    """

    rebuilt: Tensor  # (B, C, T), compared with the input by the trainer
    kl: Tensor
    auxiliary: dict[str, Tensor]
    auxiliary_parameters: list[nn.Parameter]
    kept_fraction: float


class ReBottleneck(nn.Module, ABC):
    """Encoder, Gaussian bottleneck and decoder around frozen latents (book: rebottleneck).

    Outer latents `x` and inner latents `z` are both (B, C, T). A method adds how frames are
    chosen (`path`) and how the chosen ones stand for all (`pack`, `unpack`).
    """

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        n = config.network
        sizes = (n.width, n.blocks, n.expansion, n.kernel)
        self.encoder = ConvNeXtStack(n.channels, 2 * n.channels, *sizes)
        self.decoder = ConvNeXtStack(n.channels, n.channels, *sizes)

    def encode(self, x: Tensor) -> Posterior:
        """The posterior over inner latents, mean and scale (B, C, T), of a whole clip."""
        return Posterior.from_features(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Outer latents from inner ones, (B, C, T) to the same, of a whole clip."""
        return self.decoder(z).to(z.dtype)  # whatever autocast computed in

    @abstractmethod
    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, choose `targets` (B,) frames a clip, rebuild and decode, with gradients."""

    @abstractmethod
    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The choice of frames of a clip (C, T) at every rate; `solver=None` is the trained one."""

    @abstractmethod
    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """What is kept of one clip: (C, T) to (C, N)."""

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

    def draw_targets(self, numbers: np.random.Generator, batch: int, frames: int) -> np.ndarray:
        """Kept lengths (B,), uniform between the training range's two ends, inclusive."""
        s = self.config.selection
        low, high = max(1, int(frames * s.keep_low)), min(frames, int(frames * s.keep_high))
        return numbers.integers(low, max(low, high), size=batch, endpoint=True)


def anchors_of(z: Tensor, segmentation: Segmentation) -> Tensor:
    """The frames that a segmentation keeps, (C, T) to (C, N)."""
    return z[:, torch.from_numpy(segmentation.anchors.copy()).to(z.device)]


def in_windows(apply: Callable[[Tensor], Tensor], x: Tensor, window: int) -> Tensor:
    """Apply a length-dependent map (1, C, T) to (1, C', T) in windows of `window` frames.

    Response norms pool over time and training saw one length, so longer clips pass in windows
    of that length that overlap by half and fade into each other (book: rebottleneck).
    """
    frames = x.shape[-1]
    if frames <= window:
        return apply(x)
    # Weights fall towards the edges, where zero padding stands for frames that exist.
    ramp = torch.arange(1, window + 1, dtype=x.dtype, device=x.device)
    weight = torch.minimum(ramp, ramp.flip(0))
    total, output = x.new_zeros(frames), None
    for start in window_starts(frames, window):
        piece = apply(x[..., start : start + window]) * weight
        if output is None:
            output = piece.new_zeros(*piece.shape[:-1], frames)
        output[..., start : start + window] += piece
        total[start : start + window] += weight
    assert output is not None
    return output / total


def window_starts(frames: int, window: int) -> Iterator[int]:
    """Starts of half-overlapping windows; the last one ends with the clip."""
    last = frames - window
    yield from range(0, last, window // 2)
    yield last
