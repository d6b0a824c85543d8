"""A waveform-domain autoencoder, for contrast (benchmarks/base_autoencoder.md).

The modified discrete cosine transform goes in and out, so the phase must pass through the latents.
A linear path beside the stacks gives it coherence. Same rate, same channels, same training loop.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from et_lite.layers import ConvNeXtStack, Posterior
from et_lite.phase_head import spectral_losses
from et_lite.spectra import mel_matrix

HOP, GROUP, CHANNELS = 256, 4, 64


def mdct_basis(hop: int) -> Tensor:
    """Sine-windowed basis (2 · hop, hop) that is its own inverse (Princen and Bradley 1986)."""
    time, bin_ = torch.arange(2 * hop)[:, None], torch.arange(hop)[None]
    window = torch.sin(torch.pi * (time + 0.5) / (2 * hop))
    return (
        window
        * (2 / hop) ** 0.5
        * torch.cos(torch.pi / hop * (time + 0.5 + hop / 2) * (bin_ + 0.5))
    )


class WaveformVAE(nn.Module):
    """Samples (B, n) to a posterior (B, 64, n / 1024), and latents back to samples."""

    basis: Tensor
    mel: Tensor

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        features = HOP * GROUP
        self.encoder = ConvNeXtStack(features, 2 * CHANNELS, width, blocks, 3, 7, pooled=False)
        self.decoder = ConvNeXtStack(CHANNELS, features, width, blocks, 3, 7, pooled=False)
        self.encoder_skip = nn.Linear(features, CHANNELS)
        self.decoder_skip = nn.Linear(CHANNELS, features)
        self.register_buffer("mel", mel_matrix(22_050, 2048, 160, 20.0), persistent=False)
        self.register_buffer("basis", mdct_basis(HOP), persistent=False)
        self.register_buffer("spread", torch.ones(HOP))  # of each bin, over the corpus
        self.register_buffer("latent_scale", torch.ones(CHANNELS, 1))
        self.register_buffer("latent_mean", torch.zeros(CHANNELS, 1))

    def bins(self, wave: Tensor) -> Tensor:
        """Coefficients (B, n / 256, 256), each bin divided by its spread."""
        frames = F.pad(wave, (HOP // 2, HOP // 2 + HOP)).unfold(-1, 2 * HOP, HOP)
        return frames[:, : wave.shape[-1] // HOP] @ self.basis / self.spread

    def features(self, wave: Tensor) -> Tensor:
        """Coefficients grouped by latent frame, (B, n) to (B, 1024, n / 1024)."""
        return self.bins(wave).reshape(len(wave), -1, HOP * GROUP).transpose(1, 2)

    def posterior(self, bins: Tensor) -> Posterior:
        """Latent Gaussian from features, before the unit scaling."""
        # The stacks see compressed values: the raw ones span 80 dB.
        found = Posterior.from_features(self.encoder(bins.sign() * bins.abs().sqrt()))
        skip = self.encoder_skip(bins.transpose(1, 2)).transpose(1, 2).float()
        return Posterior(found.mean + skip, found.scale)

    def wave(self, latents: Tensor) -> Tensor:
        """Samples (B, T · 1024) from latents before the unit scaling."""
        skip = self.decoder_skip(latents.transpose(1, 2)).float()
        bins = self.decoder(latents).transpose(1, 2).float() + skip
        frames = (bins.reshape(len(bins), -1, HOP) * self.spread) @ self.basis.t()
        first, second = frames.chunk(2, dim=-1)
        joined = F.pad(first, (0, 0, 0, 1)) + F.pad(second, (0, 0, 1, 0))
        return joined.flatten(1)[:, HOP // 2 : HOP // 2 + first.shape[1] * HOP]


def objective(
    vae: WaveformVAE, wave: Tensor, kl: float, noise: torch.Generator
) -> dict[str, Tensor]:
    """Spectral losses, an error relative to the level, and the divergence."""
    posterior = vae.posterior(vae.features(wave))
    rebuilt = vae.wave(posterior.sample(noise))
    losses = spectral_losses(rebuilt, wave, vae.mel)
    relative = ((rebuilt - wave).abs().mean(-1) / (wave.abs().mean(-1) + 3e-3)).mean()
    divergence = posterior.kl()
    total = losses["log_magnitude"] + losses["log_mel"] + losses["convergence"] + relative
    total = total + kl * divergence
    return {"spectrum": losses["log_magnitude"], "kl": divergence, "total": total}


@dataclass
class WaveformAutoencoder:
    """The same small interface as the bundled autoencoder's."""

    vae: WaveformVAE
    name: str = "waveform"
    sample_rate: int = 22_050
    hop: int = HOP * GROUP
    channels: int = CHANNELS
    identity: str = "waveform"

    @torch.no_grad()
    def encode(self, wave: Tensor) -> Posterior:
        """(S, n) samples to a posterior over (S, C, T)."""
        found = self.vae.posterior(self.vae.features(F.pad(wave, (0, -wave.shape[-1] % self.hop))))
        mean = (found.mean - self.vae.latent_mean) / self.vae.latent_scale
        return Posterior(mean, found.scale / self.vae.latent_scale)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(S, C, T) latents to (S, T · 1024) samples."""
        return self.vae.wave(latents * self.vae.latent_scale + self.vae.latent_mean)
