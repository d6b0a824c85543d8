"""Layers that the networks share: ConvNeXt-V2 blocks, their condition, and the VAE bottleneck."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GlobalResponseNorm(nn.Module):
    """Scale each channel by its share of the clip's energy, (B, T, C) to the same.

    It pools over all of time, so the result depends on the length of the clip
    (ConvNeXt V2, Woo et al. 2023; book: rebottleneck).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        kept = torch.promote_types(x.dtype, torch.float32)
        # The floor, since a square root has no finite slope where a channel is silent all along.
        energy = x.square().sum(dim=1, keepdim=True, dtype=kept).clamp_min(1e-24).sqrt()
        share = energy / (energy.mean(dim=-1, keepdim=True) + 1e-6)
        # beta + x + gamma · x · share, in one pass over x.
        gain = (1 + self.gamma * share).to(x.dtype)
        return torch.addcmul(self.beta.to(x.dtype), x, gain)


class AdaLN(nn.Module):
    """LayerNorm whose scale and shift a condition sets: (B, T, C) and (B, D) to (B, T, C).

    It starts as plain LayerNorm (Peebles and Xie 2023, adaLN; book: differences).
    """

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(condition, 2 * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulate(F.silu(condition))[:, None].chunk(2, dim=-1)
        return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-5), 1 + scale)


class FourierFeatures(nn.Module):
    """A number between 0 and 1 as a vector, (B,) to (B, D): learned frequencies, mixed linearly.

    Frequencies start as draws from a normal distribution (Tancik et al. 2020; book: differences).
    """

    def __init__(self, frequencies: int, outputs: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(frequencies))
        self.mix = nn.Linear(2 * frequencies, outputs)

    def forward(self, number: Tensor) -> Tensor:
        angle = 2 * torch.pi * number[:, None] * self.frequencies
        return self.mix(torch.cat([angle.cos(), angle.sin()], dim=-1))


class ConvNeXtBlock(nn.Module):
    """One residual ConvNeXt-V2 block over time, (B, T, C) to the same.

    Depthwise convolution, LayerNorm, widen, GELU, response norm, narrow (Woo et al. 2023;
    book: rebottleneck). `pooled=False` leaves the response norm out, for networks whose
    output may not depend on the clip's length; `condition` is the width of a condition (B, D)
    that sets the norm's scale and shift, 0 for none.
    """

    def __init__(
        self, width: int, expansion: int, kernel: int, pooled: bool = True, condition: int = 0
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = AdaLN(width, condition) if condition else nn.LayerNorm(width, eps=1e-6)
        self.widen = nn.Linear(width, expansion * width)
        self.response = GlobalResponseNorm(expansion * width) if pooled else nn.Identity()
        self.narrow = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.norm(y) if condition is None else self.norm(y, condition)
        y = self.response(F.gelu(self.widen(y)))
        return x + self.narrow(y)


class ConvNeXtStack(nn.Module):
    """Project, run the blocks, project again: (B, C_in, T) to (B, C_out, T).

    The 1×1 convolutions are written as linear layers on (B, T, C), so that their weights are
    matrices. No final norm and no outer skip (Bralios et al. 2025; book: rebottleneck).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        blocks: int,
        expansion: int = 2,
        kernel: int = 7,
        pooled: bool = True,
        condition: int = 0,
    ) -> None:
        super().__init__()
        self.enter: nn.Module = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, expansion, kernel, pooled, condition) for _ in range(blocks)
        )
        self.leave: nn.Module = nn.Linear(width, outputs)

    @torch.no_grad()
    def begin_by_passing(self) -> None:
        """Set weights with which the first outputs are the inputs and all further ones zero."""
        enter, leave = self.enter, self.leave
        assert isinstance(enter, nn.Linear) and isinstance(leave, nn.Linear)
        nn.init.orthogonal_(enter.weight)
        zero = [enter.bias, leave.weight, leave.bias]
        for block in self.blocks:
            assert isinstance(block, ConvNeXtBlock)
            zero += [block.narrow.weight, block.narrow.bias]
        for parameter in zero:
            nn.init.zeros_(parameter)
        leave.weight[: enter.in_features] = enter.weight.t()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        y = self.enter(x.transpose(1, 2))
        for block in self.blocks:
            y = block(y, condition)
        return self.leave(y).transpose(1, 2)


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian over latents: mean and scale, each (B, C, T) (book: latents)."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def from_features(cls, features: Tensor) -> "Posterior":
        """Split (B, 2C, T) into mean and scale = softplus(raw) + 1e-4, in float32."""
        mean, raw = features.float().chunk(2, dim=1)
        return cls(mean, F.softplus(raw) + 1e-4)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw, mean + scale · noise, (B, C, T)."""
        # Noise is made on the CPU so that a seed gives the same draw on every device.
        noise = torch.randn(self.mean.shape, generator=generator)
        return self.mean + self.scale * noise.to(self.mean.device)

    def kl(self) -> Tensor:
        """Σ over channels of μ² + σ² − log σ² − 1, mean over clips and frames (no ½)."""
        variance = self.scale.square()
        return (self.mean.square() + variance - variance.log() - 1).sum(dim=1).mean()
