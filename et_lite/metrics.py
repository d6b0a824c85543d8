"""How far a reconstruction is from its original: auraloss distances, one clip a call.

auraloss pools spectral convergence over a batch, so a batch would mix its clips
(Steinmetz and Reiss 2020; book: chunking).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import auraloss
import numpy as np
import torch
from torch import Tensor, nn


@cache
def _mel(rate: int) -> Sequence[nn.Module]:
    return [
        auraloss.freq.MelSTFTLoss(rate, fft_size=2048, hop_size=512, win_length=2048, n_mels=128)
    ]


@cache
def _stft() -> Sequence[nn.Module]:
    return list(auraloss.freq.MultiResolutionSTFTLoss().stft_losses)


class Original:
    """A clip (S, n) that reconstructions are compared with. Its spectra are computed once."""

    def __init__(self, wave: np.ndarray, rate: int) -> None:
        if wave.ndim != 2:
            raise ValueError(f"the original has shape {wave.shape}: give (channels, samples)")
        self.wave, self.rate = torch.from_numpy(np.asarray(wave, np.float32)), rate
        self._magnitudes: dict[Any, Tensor] = {}

    def distances(self, rebuilt: np.ndarray) -> dict[str, float]:
        """Every metric of a reconstruction (S, n) by its name."""
        return {
            "mel_distance": self.mel_distance(rebuilt),
            "stft_distance": self.stft_distance(rebuilt),
            "si_sdr": self.si_sdr(rebuilt),
        }

    def mel_distance(self, rebuilt: np.ndarray) -> float:
        """Spectral convergence plus mean log difference of 128 mel bands, FFT 2048, hop 512."""
        return self._distance(_mel(self.rate), rebuilt)

    def stft_distance(self, rebuilt: np.ndarray) -> float:
        """The same over linear spectra, mean of FFT sizes 512, 1024 and 2048."""
        return self._distance(_stft(), rebuilt)

    def si_sdr(self, rebuilt: np.ndarray) -> float:
        """Scale-invariant signal-to-distortion ratio in dB, mean over channels.

        Where a decoder invents the phase it says nothing about what is heard (book: latents).
        """
        return -float(auraloss.time.SISDRLoss()(self._checked(rebuilt)[None], self.wave[None]))

    @torch.no_grad()
    def _distance(self, losses: Sequence[Any], rebuilt: np.ndarray) -> float:
        """The mean of auraloss's own terms over these resolutions."""
        wave, total = self._checked(rebuilt), 0.0
        for loss in losses:
            if loss not in self._magnitudes:
                self._magnitudes[loss] = _magnitude(loss, self.wave)
            pair = _magnitude(loss, wave), self._magnitudes[loss]
            total += float(loss.spectralconv(*pair) + loss.logstft(*pair))
        return total / len(losses)

    def _checked(self, rebuilt: np.ndarray) -> Tensor:
        if rebuilt.shape != tuple(self.wave.shape):
            raise ValueError(
                f"shapes {rebuilt.shape} and {tuple(self.wave.shape)} must be the same (channels, "
                "samples): cut both to one length"
            )
        return torch.from_numpy(np.asarray(rebuilt, np.float32))


def _magnitude(loss: Any, wave: Tensor) -> Tensor:
    """The spectrogram that `loss` compares, (S, bins or bands, frames).

    Its own method makes the phase too, which nothing here reads and which takes longer than all
    the rest.
    """
    size, hop, length = loss.fft_size, loss.hop_size, loss.win_length
    found = torch.stft(wave, size, hop, length, loss.window, return_complex=True)
    magnitude = (found.real**2 + found.imag**2).clamp_min(loss.eps).sqrt()
    return magnitude if loss.scale is None else loss.fb @ magnitude


def mel_distance(rebuilt: np.ndarray, original: np.ndarray, rate: int) -> float:
    """`Original.mel_distance` of one pair, each (S, n)."""
    return Original(original, rate).mel_distance(rebuilt)


def stft_distance(rebuilt: np.ndarray, original: np.ndarray) -> float:
    """`Original.stft_distance` of one pair, each (S, n)."""
    return Original(original, rate=0).stft_distance(rebuilt)


def si_sdr(rebuilt: np.ndarray, original: np.ndarray) -> float:
    """`Original.si_sdr` of one pair, each (S, n)."""
    return Original(original, rate=0).si_sdr(rebuilt)
