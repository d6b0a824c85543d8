"""Short-time spectra: the transform and its inverse, mel bands, and phase by Griffin–Lim.

Frame k is centred on sample (k + ½) hop, so that n samples have exactly n / hop frames and a
latent frame covers whole spectrogram frames (book: latents).
"""

import math
from functools import cache

import torch
from torch import Tensor

FLOOR = 1e-4  # magnitudes below this are silence: −80 dB under a full-scale sine's bin


def stft(wave: Tensor, fft: int, hop: int) -> Tensor:
    """Complex spectrogram (B, fft/2 + 1, n / hop) of samples (B, n), under a Hann window."""
    # Without the last hop/2 samples of padding the count would be one more than n / hop.
    side = (fft - hop) // 2
    frames = torch.nn.functional.pad(wave, (side, side)).unfold(-1, fft, hop)
    return torch.fft.rfft(frames * _window(fft, wave.device)).transpose(1, 2)


def istft(spectrum: Tensor, fft: int, hop: int) -> Tensor:
    """The waveform (B, n) whose windowed frames are nearest to `spectrum` (least squares)."""
    window = _window(fft, spectrum.device)
    frames = torch.fft.irfft(spectrum, fft, dim=1) * window[:, None]
    power = window.square()[None, :, None].expand(1, -1, spectrum.shape[-1])
    wave = _overlap_add(frames, hop) / _overlap_add(power, hop).clamp_min(1e-3)
    side = (fft - hop) // 2
    return wave[:, side : wave.shape[1] - side]


@cache
def _window(fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(fft, device=device)


def mel_matrix(rate: int, fft: int, bands: int, low_hz: float) -> Tensor:
    """Triangular mel filters of unit area, (bands, fft/2 + 1), on Slaney's scale."""
    # Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above. Written here since
    # training must run where librosa is not installed; a test holds it equal to librosa's.
    linear, knee = 200 / 3, 1000.0
    step = math.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return hz / linear if hz < knee else knee / linear + math.log(hz / knee) / step

    mels = torch.linspace(to_mel(low_hz), to_mel(rate / 2), bands + 2, dtype=torch.float64)
    above = (mels - knee / linear).clamp_min(0)
    edges = torch.where(mels < knee / linear, mels * linear, knee * (above * step).exp())
    bins = torch.linspace(0, rate / 2, fft // 2 + 1, dtype=torch.float64)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])[:, None]
    return (torch.minimum(rise, fall).clamp_min(0) * area).float()


def mel_inverse(mel: Tensor, bands: Tensor, rounds: int) -> Tensor:
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
    magnitude: Tensor,
    hop: int,
    rounds: int,
    generator: torch.Generator,
    fixed: Tensor | None = None,
) -> Tensor:
    """Complex spectrogram with this magnitude and a consistent phase, (B, F, T).

    Fast Griffin–Lim (Perraudin et al. 2013). `fixed` (B, F, T₀) are leading frames of an
    earlier piece; they are held, so that the phase carries on across the cut (book: latents).
    """
    fft = 2 * (magnitude.shape[1] - 1)
    angle = 2 * math.pi * torch.rand(magnitude.shape, generator=generator)
    spectrum = torch.polar(magnitude, angle)
    held = 0 if fixed is None else fixed.shape[-1]
    previous = spectrum
    for _ in range(rounds):
        if fixed is not None:
            spectrum[..., :held] = fixed
        consistent = stft(istft(spectrum, fft, hop), fft, hop)
        pushed = consistent + 0.99 * (consistent - previous)
        parts = torch.view_as_real(pushed)  # quicker than complex absolute value and division
        scale = magnitude * (parts.square().sum(dim=-1) + 1e-20).rsqrt()
        spectrum = torch.view_as_complex(parts * scale[..., None])
        previous = consistent
    if fixed is not None:
        spectrum[..., :held] = fixed
    return spectrum


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
