"""Conv-Downsample: half the frame rate everywhere, by a convolution with stride two."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from et_lite.config import TrainingConfig
from et_lite.layers import Posterior
from et_lite.methods.base import HoldingMethod
from et_lite.solvers import stride
from et_lite.solvers.selection import SelectionPath

STEP, KERNEL = 2, 4


class ConvDownsample(HoldingMethod):
    """The baseline of one rate, N = ⌈T/2⌉; `paper` has 51 460 288 parameters.

    The networks work at half rate inside. Outside, an inner latent stands at both its frames, so
    that (C, T) and segments mean what they mean elsewhere. A clip of odd length repeats its last
    frame first.
    """

    solver = "stride"
    grid = STEP

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        assert isinstance(self.encoder.leave, nn.Linear)
        assert isinstance(self.decoder.enter, nn.Linear)
        self.encoder.leave = Halving(self.encoder.leave)
        self.decoder.enter = Doubling(self.decoder.enter)

    def encode(self, x: Tensor, keep: Tensor | None = None) -> Posterior:
        """The posterior (B, C, T) of a clip, the same at both frames of a pair."""
        frames = x.shape[-1]
        if frames % STEP:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        return Posterior.from_features(self.encoder(x).repeat_interleave(STEP, -1)[..., :frames])

    def decode(self, z: Tensor, keep: Tensor | None = None) -> Tensor:
        """Outer latents (B, C, T) from the first frame of every pair of (B, C, T)."""
        return self.decoder(z[..., ::STEP])[..., : z.shape[-1]].to(z.dtype)

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """Every second frame and no other rate. ValueError for another solver."""
        self.check_solver(solver)
        return stride(z.shape[-1], STEP)


class Halving(nn.Module):
    """Convolution with kernel 4, stride 2 and one frame of padding, (B, T, C) to (B, T/2, C').

    Written as a linear layer on windows, so that its weight is a matrix (out, in · kernel). It
    begins as a given layer on the mean of the two frames that an output stands for.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.mix = _in_the_middle(layer, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(F.pad(x, (0, 0, 1, 1)).unfold(1, KERNEL, STEP).flatten(2))


class Doubling(nn.Module):
    """Transposed convolution with kernel 4, stride 2 and padding 1, (B, T, C) to (B, 2T, C').

    The same as a plain convolution with the flipped kernel over frames with zeros between them. It
    begins as a given layer on each frame, twice.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.mix = _in_the_middle(layer, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        spread = torch.stack([x, torch.zeros_like(x)], dim=2).flatten(1, 2)
        return self.mix(F.pad(spread, (0, 0, 2, 1)).unfold(1, KERNEL, 1).flatten(2))


@torch.no_grad()
def _in_the_middle(layer: nn.Linear, gain: float) -> nn.Linear:
    """A layer on windows (in · kernel) whose two middle taps are the given layer's weights."""
    mix = nn.Linear(layer.in_features * KERNEL, layer.out_features)
    taps = torch.zeros(layer.out_features, layer.in_features, KERNEL)
    taps[..., 1:3] = gain * layer.weight[..., None]
    mix.weight.copy_(taps.flatten(1))
    mix.bias.copy_(layer.bias)
    return mix
