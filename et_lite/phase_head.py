"""The learned phase decoder: log-mel frames to a waveform in one pass (after Siuzdak 2023, Vocos).

Magnitude and phase of a short-time spectrum are written by a small network at the frame rate, and
one inverse transform makes the sound. Nothing pools over the clip (book: latents).
"""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from et_lite.config import PhaseHeadConfig, PhaseLossConfig
from et_lite.layers import ConvNeXtStack
from et_lite.spectra import FLOOR, istft, stft

RESOLUTIONS = (512, 1024, 2048)  # FFT sizes at which sounds are compared, hops of a quarter
PRIOR_ROUNDS = 5  # of least squares from bands to magnitudes; the network corrects the rest
FARTHEST = 3.0  # nepers of correction; a wild guess early in training must not overflow


class PhaseHead(nn.Module):
    """Scaled log-mel frames (B, bands, F) to samples (B, F · hop).

    The magnitudes that the bands themselves imply are the starting point, and the network writes
    the phase and a correction: it need not learn what linear algebra knows.
    """

    def __init__(self, config: PhaseHeadConfig) -> None:
        super().__init__()
        self.config = config
        c, bins = config, config.fft // 2 + 1
        self.stack = ConvNeXtStack(
            c.bands, 2 * bins, c.width, c.blocks, c.expansion, c.kernel, pooled=False
        )

    def spectrum(self, log_mel: Tensor, magnitude: Tensor) -> Tensor:
        """Complex spectrogram (B, fft/2 + 1, F); the phase wraps by itself in cosine and sine.

        `magnitude` (B, fft/2 + 1, F) is the autoencoder's own.
        """
        correction, phase = self.stack(log_mel).float().chunk(2, dim=1)
        return torch.polar(magnitude * correction.clamp(-FARTHEST, FARTHEST).exp(), phase)

    def forward(self, log_mel: Tensor, magnitude: Tensor) -> Tensor:
        """The waveform (B, F · hop); frame k is centred on sample (k + ½) hop."""
        return istft(self.spectrum(log_mel, magnitude), self.config.fft, self.config.hop)


def objective(
    head: PhaseHead,
    log_mel: Tensor,
    magnitude: Tensor,
    wave: Tensor,
    mel: Tensor,
    weights: PhaseLossConfig,
) -> dict[str, Tensor]:
    """Losses of one batch: the sound made of (B, bands, F) against the original (B, n).

    `mel` (bands, fft/2 + 1) are the autoencoder's own filters, `magnitude` what they imply.
    """
    rebuilt = head(log_mel, magnitude)
    with torch.autocast(wave.device.type, enabled=False):  # logarithms want every digit
        losses = spectral_losses(rebuilt, wave, mel)
    weighted = [getattr(weights, name) * loss for name, loss in losses.items()]
    return {**losses, "total": torch.stack(weighted).sum()}


def spectral_losses(rebuilt: Tensor, original: Tensor, mel: Tensor) -> dict[str, Tensor]:
    """How far (B, n) is from (B, n) at several resolutions, in magnitude and in phase.

    `log_magnitude` is a mean absolute error in nepers and `convergence` a relative error of the
    magnitudes (Yamamoto et al. 2020). `log_mel` is the error in nepers of whole bands: the best
    guess of one bin's logarithm is too low on average where the sound is noise, and this holds the
    level of the noise. `phase` is one minus the cosine of the error in the phase's differences
    along time and frequency (after Ai and Ling 2023). Those differences can be learned from a
    spectrogram; the phase itself cannot (book: latents).
    """
    terms: dict[str, list[Tensor]] = {name: [] for name in asdict(PhaseLossConfig())}
    for fft in RESOLUTIONS:
        with torch.no_grad():
            target, target_re, target_im = _parts(original, fft)
            root = target.sqrt()  # loud bins count more in the phase, but not by their power
        guess, guess_re, guess_im = _parts(rebuilt, fft)
        terms["log_magnitude"].append((guess.log() - target.log()).abs().mean())
        if target.shape[1] == mel.shape[1]:
            terms["log_mel"].append(((mel @ guess).log() - (mel @ target).log()).abs().mean())
        error = (guess - target).square().sum(dim=(1, 2)).sqrt()
        # A silent crop has no magnitude to be relative to.
        relative = error / target.square().sum(dim=(1, 2)).sqrt().clamp_min(1)
        terms["convergence"].append(relative.mean())
        # The error of the phase as a unit vector; two neighbours' vectors agree where the
        # phase's difference between them is right, whatever the phase is.
        scale = root / (guess * target)
        error_re = (guess_re * target_re + guess_im * target_im) * scale
        error_im = (guess_im * target_re - guess_re * target_im) * scale
        for axis in (1, 2):
            agreement = _product(error_re, axis) + _product(error_im, axis)
            terms["phase"].append(1 - agreement.sum() / _product(root, axis).sum())
    return {name: torch.stack(values).mean() for name, values in terms.items()}


def _parts(wave: Tensor, fft: int) -> tuple[Tensor, Tensor, Tensor]:
    """Magnitude, real and imaginary part of a spectrogram, each (B, fft/2 + 1, frames).

    Real arithmetic on contiguous arrays is several times quicker than complex numbers here.
    """
    spectrum = torch.view_as_real(stft(wave, fft, fft // 4))
    real, imaginary = (part.contiguous() for part in spectrum.unbind(-1))
    # The root's slope at zero is infinite, and the floor is what counts as silence anyway.
    return (real.square() + imaginary.square() + FLOOR**2).sqrt(), real, imaginary


def _product(values: Tensor, axis: int) -> Tensor:
    """Each value times its neighbour along `axis`."""
    size = values.shape[axis] - 1
    return values.narrow(axis, 1, size) * values.narrow(axis, 0, size)
