"""Resemblyzer's voice encoder (Wan et al. 2018; Jemine 2019): the embedding of speech, 256 numbers.

Trained to tell speakers apart. Upstream cuts silence out first; here nothing is cut, since a codec
must not choose what it is judged by.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from et_lite.spectra import mel_matrix

RATE, FFT, HOP, BANDS = 16_000, 400, 160, 40
FRAMES, STEP = 160, 80  # 1.6 seconds, every 0.8
HIDDEN = 256
QUIETEST = -30.0  # dB of full scale; the encoder has heard nothing quieter


class VoiceEncoder(nn.Module):
    """Mel frames (B, 160, 40) to unit vectors (B, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, HIDDEN, num_layers=3, batch_first=True)
        self.linear = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 160, 40) to (B, 256)."""
        _, (hidden, _) = self.lstm(frames)
        return normalize(torch.relu(self.linear(hidden[-1])), dim=1)


def spectrogram(wave: Tensor) -> Tensor:
    """Samples (n,) at 16 kHz to frames (n / 160 + 1, 40) of mel power, not its logarithm."""
    level = wave.square().mean().sqrt()
    loud = 10 ** (QUIETEST / 20)
    wave = wave * (loud / level) if 0 < level < loud else wave
    window = torch.hann_window(FFT)
    found = torch.stft(wave, FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    return (mel_matrix(RATE, FFT, BANDS, 0.0) @ found.abs().square()).t()
