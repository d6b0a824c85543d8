"""aiSFX (Ma and Lerch 2022): the embedding of sound effects, 512 numbers for every 2.3 seconds.

Trained to name the category of a sound in effects libraries. Input are log-mel frames of 44.1 kHz
sound, as Essentia makes them.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

RATE, FFT, HOP, BANDS = 44_100, 2048, 1024, 96
FRAMES, STEP = 100, 100  # 2.3 seconds; upstream's overlap by half, for twice the time
WIDTHS = (64, 128, 256, 512)
LOUDEST = 9.457798957824707  # log-mel, over all that it was trained on


class AiSFX(nn.Module):
    """Log-mel frames (B, 100, 96) in 0 to 1, to (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((1, *WIDTHS), WIDTHS, strict=False)
        # Batch normalisation is folded into the weights.
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU()
            )
            for i, o in pairs
        )

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 100, 96) to (B, 512)."""
        x = frames[:, None].to(memory_format=torch.channels_last)  # faster on processors
        for index, block in enumerate(self.blocks):
            x = block(x)
            x = max_pool2d(x, 2) if index < len(WIDTHS) - 1 else x
        return x.mean(3).amax(2)


def spectrogram(wave: Tensor) -> Tensor:
    """Samples (n,) at 44.1 kHz to scaled log-mel frames (n / 1024 + 1, 96)."""
    window = torch.hann_window(FFT, periodic=False)
    found = torch.stft(wave, FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    power = mel_filters() @ found.abs().square()
    return torch.log10(10_000 * power + 1).t() / LOUDEST


def mel_filters() -> Tensor:
    """Triangles of unit sum on HTK's mel scale, drawn on that scale, (96, 1025)."""
    bins = _mel(torch.linspace(0, RATE / 2, FFT // 2 + 1, dtype=torch.float64))
    edges = torch.linspace(0, bins[-1].item(), BANDS + 2, dtype=torch.float64)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = torch.minimum(rise, fall).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True)).float()


def _mel(hertz: Tensor) -> Tensor:
    return 1127.01048 * torch.log1p(hertz / 700)
