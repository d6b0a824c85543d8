"""The bundled autoencoder's network: log-mel spectrogram to latents and back.

Four spectrogram frames of 256 samples make one latent frame of 1024 samples (21.5 Hz at
22 050 Hz). Nothing pools over the clip, so long files can be cut without a seam (book: latents).
"""

import torch
from torch import Tensor, nn

from et_lite.config import SpectralVAEConfig
from et_lite.layers import ConvNeXtStack, Posterior
from et_lite.spectra import FLOOR, mel_inverse, mel_matrix, stft

CENTRE, SPREAD = -4.0, 3.0  # bring log magnitudes near zero mean and unit spread


class SpectralVAE(nn.Module):
    """Log-mel spectrogram autoencoder, waveform (B, n) to latents (B, 64, n / 1024) and back.

    The linear paths beside the stacks carry the bulk of the spectrogram, the stacks the rest;
    that trains quickly and leaves latents that change smoothly (book: latents).
    """

    mel: Tensor
    latent_mean: Tensor
    latent_scale: Tensor

    def __init__(self, config: SpectralVAEConfig) -> None:
        super().__init__()
        self.config = config
        c, features = config, config.group * config.bands
        sizes = (c.width, c.blocks, c.expansion, c.kernel)
        self.encoder = ConvNeXtStack(features, 2 * c.channels, *sizes, pooled=False)
        self.decoder = ConvNeXtStack(c.channels, features, *sizes, pooled=False)
        self.encoder_skip = nn.Linear(features, c.channels)
        self.decoder_skip = nn.Linear(c.channels, features)
        mel = mel_matrix(c.sample_rate, c.fft, c.bands, c.low_hz)
        self.register_buffer("mel", mel, persistent=False)
        # Set once after training, so that the Re-Bottleneck sees channels of unit scale.
        self.register_buffer("latent_mean", torch.zeros(c.channels, 1))
        self.register_buffer("latent_scale", torch.ones(c.channels, 1))

    def features(self, wave: Tensor) -> Tensor:
        """Scaled log-mel frames grouped by latent frame: (B, n) to (B, group · bands, n / 1024)."""
        c = self.config
        with torch.autocast(wave.device.type, enabled=False):  # the target itself stays exact
            parts = torch.view_as_real(stft(wave, c.fft, c.hop))  # quicker than a complex modulus
            magnitude = (self.mel @ parts.square().sum(dim=-1).sqrt()).transpose(1, 2)
        scaled = (magnitude.clamp_min(FLOOR).log() - CENTRE) / SPREAD
        batch, frames, _ = scaled.shape
        return scaled.reshape(batch, frames // c.group, c.group * c.bands).transpose(1, 2)

    def posterior(self, features: Tensor) -> Posterior:
        """Latent Gaussian from features, mean and scale (B, C, T), before the unit scaling."""
        posterior = Posterior.from_features(self.encoder(features))
        skip = self.encoder_skip(features.transpose(1, 2)).transpose(1, 2)
        return Posterior(posterior.mean + skip.float(), posterior.scale)

    def reconstruct(self, latents: Tensor) -> Tensor:
        """Features from unscaled latents, (B, C, T) to (B, group · bands, T)."""
        skip = self.decoder_skip(latents.transpose(1, 2)).transpose(1, 2)
        return self.decoder(latents).float() + skip.float()

    def encode(self, wave: Tensor) -> Posterior:
        """Posterior over unit-scale latents, (B, n) to (B, C, n / 1024); n a multiple of 1024."""
        posterior = self.posterior(self.features(wave))
        mean = (posterior.mean - self.latent_mean) / self.latent_scale
        return Posterior(mean, posterior.scale / self.latent_scale)

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled log-mel frames (B, bands, 4T) from unit-scale latents (B, C, T)."""
        return self.ungroup(self.reconstruct(latents * self.latent_scale + self.latent_mean))

    def log_mel(self, wave: Tensor) -> Tensor:
        """Scaled log-mel frames (B, bands, n / 256) of samples (B, n)."""
        return self.ungroup(self.features(wave))

    def round_trip(self, features: Tensor, noise: torch.Generator) -> Tensor:
        """Features after a pass through a sample of the latents, (B, group · bands, T)."""
        return self.reconstruct(self.posterior(features).sample(noise))

    def ungroup(self, features: Tensor) -> Tensor:
        """Scaled log-mel frames one by one, (B, group · bands, T) to (B, bands, group · T)."""
        c, (batch, _, frames) = self.config, features.shape
        rows = features.transpose(1, 2).reshape(batch, frames * c.group, c.bands)
        return rows.transpose(1, 2)

    def magnitude(self, log_mel: Tensor, rounds: int) -> Tensor:
        """Linear-frequency magnitudes (B, fft/2 + 1, F) from scaled log-mel (B, bands, F)."""
        with torch.autocast(log_mel.device.type, enabled=False):
            return mel_inverse(self.mel, (log_mel.float() * SPREAD + CENTRE).exp(), rounds)


def objective(
    vae: SpectralVAE, wave: Tensor, kl: float, slowness: float, noise: torch.Generator
) -> dict[str, Tensor]:
    """Losses of one batch (B, n): `spectrum` (mean absolute nepers), `kl`, `change`, `total`.

    `change` is how far latents move from frame to frame in units of their variance, 2 for noise.
    Where two codes are equally good it prefers the one whose frames can be predicted (slow
    feature analysis, Wiskott and Sejnowski 2002; book: autoencoder).
    """
    features = vae.features(wave)
    posterior = vae.posterior(features)
    rebuilt = vae.reconstruct(posterior.sample(noise))
    spectrum = (rebuilt - features).abs().mean() * SPREAD
    divergence, mean = posterior.kl(), posterior.mean
    # Pooled over channels: a variance for each would let a channel swing slowly and widely and
    # keep its detail in ripples too small for a squared error to see (benchmarks).
    change = (mean[..., 1:] - mean[..., :-1]).square().mean() / mean.var().clamp_min(1e-6)
    total = spectrum + kl * divergence + slowness * change
    return {"spectrum": spectrum, "kl": divergence, "change": change, "total": total}
