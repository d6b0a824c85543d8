"""A sound's spectrogram, alone or with what belongs to its frames under it."""

import io
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from et_lite.plotting.axes import COLOURS, new_axes
from et_lite.segments import Segmentation

RANGE_DB = 80.0  # what a spectrogram shows below its loudest point
BANDS = 96
STEP_DB = 2.5  # the eye hardly sees such steps, and without them a picture takes twice the bytes
MARKED_HERTZ = (200, 1000, 4000, 10_000)


def spectrogram(sounds: Mapping[str, NDArray], rate: int, columns: int = 1) -> Figure:
    """Mel spectrograms of named sounds (n,) at `rate` hertz on one dB scale, one above the other.

    With more `columns`, the sounds fill the first from top to bottom, then the next.
    """
    levels = [_decibels(wave, rate) for wave in sounds.values()]
    top = max(level.max() for level in levels)
    rows = -(-len(sounds) // columns)
    figure, axes = new_axes(rows, columns, 0.45 + 1.15 * rows, sharex=True)
    panels = axes.T.ravel()[: len(sounds)]
    for axis, name, level, wave in zip(panels, sounds, levels, sounds.values(), strict=True):
        _draw_spectrogram(axis, level - top, rate, len(wave) / rate)
        axis.set_title(name, loc="left")
        axis.label_outer()
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    return figure


def latents_under(wave: NDArray, rate: int, latents: NDArray, latent_rate: float) -> Figure:
    """The spectrogram of a sound (n,) and under it its latents (C, T) as an image."""
    figure, above, under = _under_spectrogram(wave, rate, 1.2, 3.7)
    channels, frames = latents.shape
    extent = (0, frames / latent_rate, channels - 0.5, -0.5)
    # Blue and red apart from white; the sign matters as much as the size.
    under.imshow(
        latents, cmap="RdBu_r", vmin=-3, vmax=3, extent=extent, aspect="auto", interpolation="none"
    )
    under.set(ylabel="channel", xlim=above.get_xlim())
    under.set_title("latents: blue below zero, red above", loc="left")
    return figure


def values_under(
    wave: NDArray,
    rate: int,
    values: Mapping[str, NDArray],
    latent_rate: float,
    label: str,
    kept: Segmentation | None = None,
) -> Figure:
    """The spectrogram of a sound (n,) and under it named values (T,), one a latent frame.

    Bars fill the frames that `kept` keeps.
    """
    figure, above, under = _under_spectrogram(wave, rate, 0.9, 3.3)
    for (name, row), colour in zip(values.items(), COLOURS, strict=False):
        edges = np.arange(len(row) + 1) / latent_rate
        under.stairs(row, edges, color=colour, label=name)
        if kept is not None:
            bars = np.where(kept.offsets == 0, row, 0)
            under.stairs(bars, edges, fill=True, color=colour, alpha=0.5)
    under.set(ylabel=label, xlim=above.get_xlim(), ylim=(0, None))
    if len(values) > 1:
        # Between the two pictures, where no value runs through the names.
        under.legend(
            ncols=len(values),
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.1,
            frameon=False,
        )
    return figure


def costs_under(wave: NDArray, rate: int, costs: NDArray, latent_rate: float) -> Figure:
    """The spectrogram of a sound (n,) and under it its step costs e[a, l], (T, L), as an image.

    Across: the time of the anchor a. Up: the steps l. Bright is a bad guess (book: predictor).
    """
    figure, above, under = _under_spectrogram(wave, rate, 0.9, 3.5)
    frames, steps = costs.shape
    shown = np.where(np.isfinite(costs), costs, np.nan).T
    extent = (0, frames / latent_rate, 0.5, steps + 0.5)
    limit = float(np.nanpercentile(shown, 97))
    picture = under.imshow(
        shown, "cividis", origin="lower", aspect="auto", extent=extent, vmin=0, vmax=limit
    )
    under.set(xlim=above.get_xlim(), yticks=range(1, steps + 1, max(1, steps // 4)))
    under.set(ylabel="steps $l$", xlabel="time of the anchor $a$ (s)")
    figure.colorbar(picture, ax=[above, under], label="step cost $e[a, l]$", fraction=0.05)
    return figure


def boundaries_over(
    wave: NDArray, rate: int, choices: Mapping[str, Segmentation], latent_rate: float
) -> Figure:
    """The spectrogram of a sound (n,) and a strip for each named segmentation.

    In a strip a kept frame is dark and a predicted one pale (book: chunking).
    """
    height = 0.25 * len(choices)
    figure, above, strips = _under_spectrogram(wave, rate, height / 1.5, 2.1 + height)
    for row, segmentation in enumerate(choices.values()):
        for wanted, alpha in ((0, 1.0), (1, 0.25)):
            frames = np.flatnonzero(np.minimum(segmentation.offsets, 1) == wanted)
            spans = [(frame / latent_rate, 1 / latent_rate) for frame in frames]
            colour = COLOURS[row % len(COLOURS)]
            strips.broken_barh(spans, (row + 0.08, 0.84), color=colour, alpha=alpha, linewidth=0)
    strips.set_yticks(np.arange(len(choices)) + 0.5, list(choices))
    strips.set(xlim=above.get_xlim(), ylim=(len(choices), 0))
    strips.tick_params(left=False)
    strips.spines["left"].set_visible(False)
    return figure


def bare_spectrogram(wave: NDArray, rate: int, loudest: float | None = None) -> tuple[bytes, float]:
    """A mel spectrogram of (n,) as PNG without axes, and the level in dB that is its white.

    `loudest` gives it another sound's level, so that the two can be compared.
    """
    level = _decibels(wave, rate)
    loudest = float(level.max()) if loudest is None else loudest
    shade = np.round((level - loudest) / STEP_DB) * STEP_DB / RANGE_DB + 1
    colours = plt.get_cmap("magma")(shade.clip(0, 1), bytes=True)[::-1, :, :3]
    file = io.BytesIO()
    Image.fromarray(colours).quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue(), loudest


def hertz_marks(rate: int) -> list[tuple[float, float]]:
    """Frequencies in hertz to mark beside a spectrogram, and their height, 0 to 1."""
    return [(float(h), float(_mel(h) / _mel(rate / 2))) for h in MARKED_HERTZ if h < rate / 2]


def _under_spectrogram(
    wave: NDArray, rate: int, share: float, height: float
) -> tuple[Figure, Axes, Axes]:
    """A spectrogram, and empty axes under it `share` times as high."""
    figure, axes = new_axes(2, 1, height, sharex=True, height_ratios=[1.0, share])
    level = _decibels(wave, rate)
    _draw_spectrogram(axes[0, 0], level - level.max(), rate, len(wave) / rate)
    axes[1, 0].set_xlabel("time (s)")
    return figure, axes[0, 0], axes[1, 0]


def _draw_spectrogram(axis: Axes, level: NDArray, rate: int, seconds: float) -> None:
    level = np.round(level / STEP_DB) * STEP_DB
    extent = (0, seconds, 0, BANDS)
    axis.imshow(
        level,
        "magma",
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=extent,
        vmin=-RANGE_DB,
        vmax=0,
    )
    axis.set_xlim(0, seconds)
    marks = hertz_marks(rate)
    axis.set_yticks([h * BANDS for _, h in marks], [f"{hertz / 1000:g}" for hertz, _ in marks])
    axis.set_ylabel("kHz")


def _mel(hertz: ArrayLike) -> NDArray:
    return np.log1p(np.asarray(hertz) / 700)


def _decibels(wave: NDArray, rate: int) -> NDArray:
    """Mean power in mel bands, in decibels, (BANDS, frames), about 43 frames a second."""
    size = 1 << round(np.log2(rate * 0.06))
    hop = round(rate / 43)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, size // 2), size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2
    # Bands at low frequencies are narrower than a bin: read them off the running sum.
    total = np.pad(power.cumsum(axis=1), ((0, 0), (1, 0)))
    edges = 700 * np.expm1(np.linspace(0, _mel(rate / 2), BANDS + 1))
    place = np.minimum(edges / (rate / 2), 1) * (total.shape[1] - 1)
    left = np.minimum(place.astype(int), total.shape[1] - 2)
    running = total[:, left] + (place - left) * (total[:, left + 1] - total[:, left])
    band = np.diff(running) / np.diff(place)
    return 10 * np.log10(band.T.clip(1e-7))
