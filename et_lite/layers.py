"""Layers that the networks share: ConvNeXt-V2 blocks and stacks, and the VAE bottleneck."""

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


class ConvNeXtBlock(nn.Module):
    """One residual ConvNeXt-V2 block over time, (B, T, C) to the same.

    Depthwise convolution, LayerNorm, widen, GELU, response norm, narrow (Woo et al. 2023;
    book: rebottleneck). `pooled=False` leaves the response norm out, for networks whose
    output may not depend on the clip's length.
    """

    def __init__(self, width: int, expansion: int, kernel: int, pooled: bool = True) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.widen = nn.Linear(width, expansion * width)
        self.response = GlobalResponseNorm(expansion * width) if pooled else nn.Identity()
        self.narrow = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.response(F.gelu(self.widen(self.norm(y))))
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
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, expansion, kernel, pooled) for _ in range(blocks)
        )
        self.leave = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.enter(x.transpose(1, 2))
        for block in self.blocks:
            y = block(y)
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
