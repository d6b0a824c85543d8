"""The latent discriminator and its least-squares and feature-matching losses (book: training)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from et_lite.config import DiscriminatorConfig


class LatentDiscriminator(nn.Module):
    """Judges patches of latents seen as an image of channels × frames (Bralios et al. 2025).

    At width 256 it has 5 512 194 parameters; 96 frames give a (B, C, 80) map of verdicts.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        width = config.width
        convs = [nn.Conv2d(1, width, (3, 3), padding=1)]
        convs += [nn.Conv2d(width, width, (3, 7), padding=1) for _ in range(config.layers)]
        convs += [nn.Conv2d(width, 1, (3, 3), padding=1)]
        self.convs = nn.ModuleList(weight_norm(conv) for conv in convs)

    def forward(self, latents: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Verdicts (B, C, T − 4 · layers) and activated feature maps, from latents (B, C, T).

        The maps are (B, C, T', width): convolutions of few channels run up to twice as fast with
        the channels innermost, as long as everything that touches the maps keeps that order.
        """
        image, features = latents[:, None].to(memory_format=torch.channels_last), []
        for conv in self.convs[:-1]:
            image = F.leaky_relu(conv(image), 0.1)
            features.append(image.permute(0, 2, 3, 1))
        return self.convs[-1](image)[:, 0].float(), features


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Least-squares loss of the discriminator: real verdicts to 1, fake ones to 0."""
    return (1 - real).square().mean() + fake.square().mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Least-squares loss of the generator: fake verdicts to 1."""
    return (1 - fake).square().mean()


def feature_matching_loss(
    real: list[Tensor],
    fake: list[Tensor],
    share: Callable[[Tensor], Tensor] = lambda total: total,
) -> Tensor:
    """Σ over maps of mean |fake − real| / mean |real|, floor 1e-6; real ones take no gradient.

    `share` makes the mean over processes of a total, where several hold parts of the batch.
    """
    # Maps stay in the precision they come in: their difference keeps its sign there, and nothing
    # else of it is in the gradient.
    terms = [
        share(_total(f - r.detach())) / share(_total(r.detach())).clamp_min(1e-6 * r.numel())
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).sum()


def _total(maps: Tensor) -> Tensor:
    """Sum of the magnitudes of maps (B, …), in float32 or better over clips."""
    # A clip's own sum in the maps' precision: asked for float32 at once, bf16 maps are copied.
    kept = torch.promote_types(maps.dtype, torch.float32)
    return maps.abs().flatten(1).sum(dim=1).sum(dtype=kept)
