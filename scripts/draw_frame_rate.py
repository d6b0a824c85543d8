"""Draw book/figures/frame_rate.png, and write the clicks that the page plays.

What the page says of costs is computed here; its tests compare the two.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile

from et_lite.listening.plain import flac
from et_lite.plotting import lines
from et_lite.storage import ASSETS, atomic_path

BOOK = Path(__file__).resolve().parent.parent / "book"
FIGURE = BOOK / "figures" / "frame_rate.png"
CLICKS = BOOK / "_assets" / "frame_rate" / "clicks.flac"
FRAME_RATE = 44_100 / 2048  # of Stable Audio Open's autoencoder, and of ours: 22 050 / 1024
WIDTH = 1536  # of Stable Audio Open's transformer
RATES = (50, FRAME_RATE, FRAME_RATE / 2, FRAME_RATE / 4)  # frames a second


def products(frames: float, width: int = WIDTH) -> float:
    """Multiplications of one transformer layer that reads so many frames of so many numbers.

    12 d² T for its matrices (four of d × d around the attention, two of d × 4d after it), and
    2 d T² for comparing every frame with every other and adding up what was found.
    """
    return 12 * width**2 * frames + 2 * width * frames**2


def clicks(wave: np.ndarray, rate: int) -> np.ndarray:
    """The sound (n,) with a click at each frame: first each, then every second, every fourth."""
    seconds = np.arange(round(0.004 * rate)) / rate
    click = 0.25 * np.sin(2 * np.pi * 3000 * seconds) * np.exp(-seconds / 0.001)
    loud, part = 0.5 * wave, len(wave) // 3
    for place, every in enumerate((1, 2, 4)):
        times = np.arange(place * part, (place + 1) * part, every * rate / FRAME_RATE)
        for start in times.astype(int):
            span = loud[start : start + len(click)]
            span += click[: len(span)]
    return loud


def main() -> int:
    """Write the figure and the sound."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    minutes = np.linspace(0, 10, 61)
    frames = {f"{r:.3g} a second": 60 * minutes * r for r in RATES}
    panels = {
        "frames, in thousands": {name: (minutes, t / 1e3) for name, t in frames.items()},
        "products a layer, in 10¹²": {n: (minutes, products(t) / 1e12) for n, t in frames.items()},
    }
    figure = lines(panels, "minutes of sound", "", (0, 5, 10), height=3.0, shared=False)
    with atomic_path(FIGURE) as path:
        figure.savefig(path, dpi=180, bbox_inches="tight")
    wave, rate = soundfile.read(ASSETS / "clips" / "music_1.flac", dtype="float32")
    with atomic_path(CLICKS) as path:
        path.write_bytes(flac(clicks(wave, rate), rate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
