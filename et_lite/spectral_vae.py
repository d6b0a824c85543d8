"""The bundled autoencoder's network: log-mel spectrogram to latents and back, phase by Griffin–Lim.

Four spectrogram frames of 256 samples make one latent frame of 1024 samples (21.5 Hz at
22 050 Hz). Nothing pools over the clip, so long files can be cut without a seam (book: latents).
"""

import math

import torch
from torch import Tensor, nn

from et_lite.config import SpectralVAEConfig
from et_lite.layers import ConvNeXtStack, Posterior

FLOOR = 1e-4  # magnitudes below this are silence: −80 dB under a full-scale sine's bin
CENTRE, SPREAD = -4.0, 3.0  # bring log magnitudes near zero mean and unit spread


def mel_matrix(config: SpectralVAEConfig) -> Tensor:
    """Triangular mel filters of unit area, (bands, fft/2 + 1), on Slaney's scale."""
    # Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above. Written here since
    # training must run where librosa is not installed; a test holds it equal to librosa's.
    linear, knee = 200 / 3, 1000.0
    step = math.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return hz / linear if hz < knee else knee / linear + math.log(hz / knee) / step

    mels = torch.linspace(
        to_mel(config.low_hz), to_mel(config.sample_rate / 2), config.bands + 2, dtype=torch.float64
    )
    above = (mels - knee / linear).clamp_min(0)
    edges = torch.where(mels < knee / linear, mels * linear, knee * (above * step).exp())
    bins = torch.linspace(0, config.sample_rate / 2, config.fft // 2 + 1, dtype=torch.float64)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])[:, None]
    return (torch.minimum(rise, fall).clamp_min(0) * area).float()


class SpectralVAE(nn.Module):
    """Log-mel spectrogram autoencoder, waveform (B, n) to latents (B, 64, n / 1024) and back.

    The linear paths beside the stacks carry the bulk of the spectrogram, the stacks the rest;
    that trains quickly and leaves latents that change smoothly (book: latents).
    """

    mel: Tensor
    window: Tensor
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
        self.register_buffer("mel", mel_matrix(config), persistent=False)
        self.register_buffer("window", torch.hann_window(config.fft), persistent=False)
        # Set once after training, so that the Re-Bottleneck sees channels of unit scale.
        self.register_buffer("latent_mean", torch.zeros(c.channels, 1))
        self.register_buffer("latent_scale", torch.ones(c.channels, 1))

    def stft(self, wave: Tensor) -> Tensor:
        """Complex spectrogram (B, fft/2 + 1, n / hop); frame k is centred on sample (k + ½) hop."""
        c = self.config
        # Without the last hop/2 samples of padding the count would be one more than n / hop.
        side = (c.fft - c.hop) // 2
        frames = nn.functional.pad(wave, (side, side)).unfold(-1, c.fft, c.hop)
        return torch.fft.rfft(frames * self.window).transpose(1, 2)

    def istft(self, spectrum: Tensor) -> Tensor:
        """The waveform (B, n) whose windowed frames are nearest to `spectrum` (least squares)."""
        c = self.config
        frames = torch.fft.irfft(spectrum, c.fft, dim=1) * self.window[:, None]
        power = self.window.square()[None, :, None].expand(1, -1, spectrum.shape[-1])
        wave = _overlap_add(frames, c.hop) / _overlap_add(power, c.hop).clamp_min(1e-3)
        side = (c.fft - c.hop) // 2
        return wave[:, side : wave.shape[1] - side]

    def features(self, wave: Tensor) -> Tensor:
        """Scaled log-mel frames grouped by latent frame: (B, n) to (B, group · bands, n / 1024)."""
        c = self.config
        with torch.autocast(wave.device.type, enabled=False):  # the target itself stays exact
            magnitude = (self.mel @ self.stft(wave).abs()).transpose(1, 2)
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

    def magnitude(self, latents: Tensor) -> Tensor:
        """Linear-frequency magnitudes (B, fft/2 + 1, 4T) from unit-scale latents (B, C, T)."""
        c = self.config
        features = self.reconstruct(latents * self.latent_scale + self.latent_mean)
        batch, _, frames = features.shape
        logs = features.transpose(1, 2).reshape(batch, frames * c.group, c.bands)
        bands = (logs * SPREAD + CENTRE).exp().transpose(1, 2)
        return mel_inverse(self.mel, bands)


def mel_inverse(mel: Tensor, bands: Tensor, rounds: int = 20) -> Tensor:
    """Non-negative magnitudes (B, F, T) whose mel bands are nearest to `bands` (B, M, T).

    Multiplicative updates for least squares (Lee and Seung 2001): they keep positive what
    starts positive, where a pseudo-inverse would ring below zero.
    """
    spread = mel.t() / mel.t().sum(dim=1, keepdim=True).clamp_min(1e-8)
    start = spread @ (bands / mel.sum(dim=1)[:, None])
    target, estimate = mel.t() @ bands, start.clamp_min(1e-8)
    for _ in range(rounds):
        estimate = estimate * target / (mel.t() @ (mel @ estimate)).clamp_min(1e-12)
    return estimate


def griffin_lim(
    vae: SpectralVAE, magnitude: Tensor, generator: torch.Generator, fixed: Tensor | None = None
) -> Tensor:
    """Complex spectrogram with this magnitude and a consistent phase, (B, F, T).

    Fast Griffin–Lim (Perraudin et al. 2013). `fixed` (B, F, T₀) are leading frames of an
    earlier piece; they are held, so that the phase carries on across the cut (book: latents).
    """
    angle = 2 * math.pi * torch.rand(magnitude.shape, generator=generator)
    spectrum = torch.polar(magnitude, angle)
    held = 0 if fixed is None else fixed.shape[-1]
    previous = spectrum
    for _ in range(vae.config.iterations):
        if fixed is not None:
            spectrum[..., :held] = fixed
        consistent = vae.stft(vae.istft(spectrum))
        pushed = consistent + 0.99 * (consistent - previous)
        parts = torch.view_as_real(pushed)  # quicker than complex absolute value and division
        scale = magnitude * (parts.square().sum(dim=-1) + 1e-20).rsqrt()
        spectrum = torch.view_as_complex(parts * scale[..., None])
        previous = consistent
    if fixed is not None:
        spectrum[..., :held] = fixed
    return spectrum


def objective(
    vae: SpectralVAE, wave: Tensor, kl: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Losses of one batch (B, n): `spectrum` (mean absolute error, nepers), `kl`, `total`."""
    features = vae.features(wave)
    posterior = vae.posterior(features)
    rebuilt = vae.reconstruct(posterior.sample(generator))
    spectrum = (rebuilt - features).abs().mean() * SPREAD
    divergence = posterior.kl()
    return {"spectrum": spectrum, "kl": divergence, "total": spectrum + kl * divergence}


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum frames (B, n, T), each `hop` samples after the last, into (B, (T − 1) · hop + n).

    A frame is n / hop blocks of `hop` samples; adding whole blocks is far quicker than `fold`.
    """
    batch, size, count = frames.shape
    blocks = frames.reshape(batch, size // hop, hop, count).transpose(2, 3)
    total = frames.new_zeros(batch, count - 1 + size // hop, hop)
    for index in range(size // hop):
        total[:, index : index + count] += blocks[:, index]
    return total.flatten(1)
