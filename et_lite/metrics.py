"""How far a reconstruction is from its original: auraloss distances, one clip a call.

auraloss pools spectral convergence over a batch, so a batch would mix its clips
(Steinmetz and Reiss 2020; book: chunking).
"""

from functools import cache

import auraloss
import numpy as np
import torch
from torch import Tensor, nn


@cache
def _mel(rate: int) -> nn.Module:
    return auraloss.freq.MelSTFTLoss(rate, fft_size=2048, hop_size=512, win_length=2048, n_mels=128)


@cache
def _stft() -> nn.Module:
    return auraloss.freq.MultiResolutionSTFTLoss()


def _pair(rebuilt: np.ndarray, original: np.ndarray) -> tuple[Tensor, Tensor]:
    if rebuilt.shape != original.shape or original.ndim != 2:
        raise ValueError(
            f"shapes {rebuilt.shape} and {original.shape} must be the same (channels, samples): "
            "cut both to one length"
        )
    first, second = (torch.from_numpy(np.asarray(x, np.float32))[None] for x in (rebuilt, original))
    return first, second


@torch.no_grad()
def mel_distance(rebuilt: np.ndarray, original: np.ndarray, rate: int) -> float:
    """Spectral convergence plus mean log difference of 128 mel bands, FFT 2048, hop 512; (S, n)."""
    return float(_mel(rate)(*_pair(rebuilt, original)))


@torch.no_grad()
def stft_distance(rebuilt: np.ndarray, original: np.ndarray) -> float:
    """The same over linear spectra, mean of FFT sizes 512, 1024 and 2048; (S, n) samples."""
    return float(_stft()(*_pair(rebuilt, original)))


def si_sdr(rebuilt: np.ndarray, original: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, mean over channels; (S, n) samples.

    Where a decoder invents the phase it says nothing about what is heard (book: latents).
    """
    return -float(auraloss.time.SISDRLoss()(*_pair(rebuilt, original)))


def distances(rebuilt: np.ndarray, original: np.ndarray, rate: int) -> dict[str, float]:
    """Every metric of one clip by its name; (S, n) samples."""
    return {
        "mel_distance": mel_distance(rebuilt, original, rate),
        "stft_distance": stft_distance(rebuilt, original),
        "si_sdr": si_sdr(rebuilt, original),
    }
