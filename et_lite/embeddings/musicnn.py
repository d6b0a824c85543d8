"""MusiCNN (Pons and Serra 2019): the embedding of music, 200 numbers for every three seconds.

Trained to tag MagnaTagATune. Input are log-mel frames of 16 kHz sound; the output is its last layer
before the tags.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from et_lite.spectra import mel_matrix

RATE, FFT, HOP, BANDS = 16_000, 512, 256, 96
FRAMES, STEP = 187, 187  # three seconds, one after the other, as upstream's
# Filters of the first layer and the frames and bands that each sees: timbral ones, temporal ones.
FILTERS = ((204, (7, 38)), (204, (7, 67)), (51, (128, 1)), (51, (64, 1)), (51, (32, 1)))
FRONT, MIDDLE, OUTPUT = sum(count for count, _ in FILTERS), 64, 200
JOINED = FRONT + 3 * MIDDLE
EPSILON = 1e-3  # of TensorFlow's batch normalisation


class MusiCNN(nn.Module):
    """Log-mel frames (B, 187, 96) to (B, 200)."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.BatchNorm2d(1, EPSILON)
        self.front = nn.ModuleList(nn.Conv2d(1, count, shape) for count, shape in FILTERS)
        self.front_norms = nn.ModuleList(nn.BatchNorm1d(count, EPSILON) for count, _ in FILTERS)
        self.middle = nn.ModuleList(
            nn.Conv1d(size, MIDDLE, 7, padding=3) for size in (FRONT, MIDDLE, MIDDLE)
        )
        self.middle_norms = nn.ModuleList(nn.BatchNorm1d(MIDDLE, EPSILON) for _ in range(3))
        self.pooled_norm = nn.BatchNorm1d(2 * JOINED, EPSILON)
        self.dense = nn.Linear(2 * JOINED, OUTPUT)
        self.dense_norm = nn.BatchNorm1d(OUTPUT, EPSILON)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 187, 96) to (B, 200)."""
        x = self.entry(frames[:, None])
        bands = []
        for conv, norm, (_, (span, _)) in zip(self.front, self.front_norms, FILTERS, strict=True):
            found = conv(pad(x, (0, 0, (span - 1) // 2, span // 2)))
            # The largest band after the norm: where its scale is negative, the smallest before.
            rising = norm.get_parameter("weight")[:, None] > 0
            bands.append(norm(relu(torch.where(rising, found.amax(3), found.amin(3)))))
        joined = [torch.cat(bands, dim=1)]
        for conv, norm in zip(self.middle, self.middle_norms, strict=True):
            found = norm(relu(conv(joined[-1])))
            joined.append(found if len(joined) == 1 else found + joined[-1])
        x = torch.cat(joined, dim=1)
        # The largest and the mean of each channel lie side by side.
        pooled = torch.stack([x.amax(2), x.mean(2)], dim=2).flatten(1)
        return self.dense_norm(relu(self.dense(self.pooled_norm(pooled))))


def spectrogram(wave: Tensor) -> Tensor:
    """Samples (n,) at 16 kHz to log-mel frames (n / 256 + 1, 96)."""
    window = torch.hann_window(FFT)
    found = torch.stft(wave, FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    power = mel_matrix(RATE, FFT, BANDS, 0.0) @ found.abs().square()
    return torch.log10(10_000 * power + 1).t()
