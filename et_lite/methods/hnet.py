"""H-Net: boundaries where a learned projection turns, and chunks smoothed by their confidence."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from et_lite.config import TrainingConfig
from et_lite.methods.base import HoldingMethod, TrainingPass, anchors_of, offsets_of
from et_lite.segments import Segmentation
from et_lite.solvers.selection import RemovalOrder, SelectionPath


class HNet(HoldingMethod):
    """The baseline of Hwang et al. (2025) as Bralios et al. (2026) re-implement it.

    In training a loss steers how many boundaries there are; afterwards exactly N are taken, frame
    0 and the N − 1 likeliest others. `paper` has 50 872 544 parameters.
    """

    solver = "routing"

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.router = Router(config.network.channels, config.hnet.width)

    def draw_targets(
        self, numbers: np.random.Generator, batch: int, frames: int, progress: float = 0.0
    ) -> np.ndarray:
        """Kept lengths (B,) to steer for, not rounded, from the training range."""
        s = self.config.selection
        return frames * numbers.uniform(s.keep_low, s.keep_high, size=batch)

    def training_pass(self, x: Tensor, targets: np.ndarray, noise: torch.Generator) -> TrainingPass:
        """Encode, take frames likelier than not as boundaries, smooth and decode."""
        keep = torch.from_numpy(targets / x.shape[-1]).float().to(x.device)
        posterior = self.encode(x, keep)
        z = posterior.sample(noise)
        chance = self.router(z)
        starts = chance > 0.5
        sure = torch.where(starts, chance, 1 - chance)
        mixed = smooth(z, chance * starts) * straight_through(sure)[:, None]
        return TrainingPass(
            rebuilt=self.decode(mixed, keep),
            kl=posterior.kl(),
            auxiliary={},
            kept_fraction=starts.float().mean().item(),
            terms={"ratio": self.config.hnet.ratio * ratio_loss(chance, starts, keep)},
        )

    @torch.no_grad()
    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The least likely boundaries of (C, T) go first. ValueError for another solver."""
        self.check_solver(solver)
        chance = self.router(z[None])[0, 1:].cpu().numpy()
        # Of equal ones the latest first.
        order = len(chance) - np.argsort(chance[::-1], kind="stable")
        return RemovalOrder(z.shape[-1], order, np.full(len(order), np.nan))

    def rebuild(self, z: Tensor, segmentations: list[Segmentation]) -> Tensor:
        """Inner latents (B, C, T) smoothed from boundary to boundary and held between them."""
        return smooth(z, self.router(z) * (offsets_of(segmentations, z) == 0))

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The smoothed latents at the boundaries, (C, T) to (C, N); no chance need be sent."""
        return anchors_of(self.rebuild(z[None], [segmentation])[0], segmentation)


class Router(nn.Module):
    """How likely a chunk begins at each frame, (B, C, T) to float32 (B, T); certainly at frame 0.

    Half of one minus the cosine between a projection of the frame and another of the one before.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, width)
        self.key = nn.Linear(channels, width)

    def forward(self, z: Tensor) -> Tensor:
        frames = z.transpose(1, 2)
        query, key = self.query(frames[:, 1:]).float(), self.key(frames[:, :-1]).float()
        chance = (1 - F.cosine_similarity(query, key, dim=-1)) / 2
        return F.pad(chance, (1, 0), value=1.0)


def smooth(z: Tensor, weight: Tensor) -> Tensor:
    """The recurrence y_t = (1 − w_t) y_{t−1} + w_t z_t over (B, C, T), weights (B, T), w_0 = 1.

    Each step is an affine map of y; maps of 1, 2, 4 … steps are composed from pairs of shorter
    ones, so log₂ T rounds do, and nothing is divided that could be near zero.
    """
    decay, value = (1 - weight)[:, None], weight[:, None] * z
    span = 1
    while span < z.shape[-1]:
        later = value[..., span:] + decay[..., span:] * value[..., :-span]
        value = torch.cat([value[..., :span], later], dim=-1)
        decay = torch.cat([decay[..., :span], decay[..., span:] * decay[..., :-span]], dim=-1)
        span *= 2
    return value


def straight_through(sure: Tensor) -> Tensor:
    """Exactly one, with the gradient of `sure`."""
    return sure - sure.detach() + 1


def ratio_loss(chance: Tensor, starts: Tensor, keep: Tensor) -> Tensor:
    """One where a share r of the frames are boundaries and surely so; (B, T), (B, T), (B,) to ().

    F · G / r + (1 − F)(1 − G) / (1 − r), the mean over clips, where F is the share of boundaries,
    G the mean chance, and r `keep` as a whole number of frames, at least one and not all. Its
    gradient takes G alone (Hwang et al. 2025, with N = 1/r).
    """
    frames = chance.shape[-1]
    share = (keep * frames).round().clamp(1, max(frames - 1, 1)) / frames
    hard, soft = starts.to(chance.dtype).mean(dim=-1), chance.mean(dim=-1)
    away = (1 - hard) * (1 - soft) / (1 - share).clamp_min(1e-6)  # a clip of one frame has none
    return (hard * soft / share + away).mean()
