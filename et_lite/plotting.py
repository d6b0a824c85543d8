"""Pictures and players for the notebooks: functions from numbers to figures and to small HTML.

Time runs in seconds. A latent frame t stands for the time from t to t + 1 frame lengths.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from et_lite.segments import Segmentation

# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH = 5.6  # inches: letters of 10 points stay legible when a phone shrinks the picture
RANGE_DB = 80.0  # what a spectrogram shows below its loudest point
BANDS = 128
STYLE = {
    "figure.dpi": 120,
    "figure.facecolor": "white",  # a light figure, in the dark theme too
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}

Curve = tuple[ArrayLike, ArrayLike]


def spectrogram(sounds: Mapping[str, NDArray], rate: int) -> Figure:
    """Mel spectrograms of named sounds (n,) at `rate` hertz, one above the other, one dB scale."""
    levels = [_decibels(wave, rate) for wave in sounds.values()]
    top = max(level.max() for level in levels)
    figure, axes = _stack([1.0] * len(sounds), 0.5 + 1.35 * len(sounds))
    for axis, name, level, wave in zip(axes, sounds, levels, sounds.values(), strict=True):
        _draw_spectrogram(axis, level - top, rate, len(wave) / rate)
        axis.set_title(name)
    axes[-1].set_xlabel("time (s)")
    return figure


def latents_under(wave: NDArray, rate: int, latents: NDArray, latent_rate: float) -> Figure:
    """The spectrogram of a sound (n,) and under it its latents (C, T) as an image."""
    figure, axes = _under_spectrogram(wave, rate, [1.2], 4.2)
    channels, frames = latents.shape
    extent = (0, frames / latent_rate, channels - 0.5, -0.5)
    # Blue and red apart from white; the sign matters as much as the size.
    axes[1].imshow(
        latents, cmap="RdBu_r", vmin=-3, vmax=3, extent=extent, aspect="auto", interpolation="none"
    )
    axes[1].set(ylabel="channel", title="latents: blue below zero, red above", xlabel="time (s)")
    return figure


def values_under(
    wave: NDArray, rate: int, values: Mapping[str, NDArray], latent_rate: float, label: str
) -> Figure:
    """The spectrogram of a sound (n,) and under it named values (T,), one a latent frame."""
    figure, axes = _under_spectrogram(wave, rate, [0.9], 3.8)
    for (name, row), colour in zip(values.items(), COLOURS, strict=False):
        axes[1].stairs(row, np.arange(len(row) + 1) / latent_rate, color=colour, label=name)
    axes[1].set(ylabel=label, xlabel="time (s)", ylim=(0, None))
    if len(values) > 1:
        axes[1].legend(ncols=len(values), loc="upper right", fontsize=9)
    return figure


def costs_under(wave: NDArray, rate: int, costs: NDArray, latent_rate: float) -> Figure:
    """The spectrogram of a sound (n,) and under it its step costs e[a, l], (T, L), as an image.

    Across: the time of the anchor a. Up: the steps l. Bright is a bad guess (book: predictor).
    """
    figure, axes = _under_spectrogram(wave, rate, [0.9], 4.0)
    frames, steps = costs.shape
    shown = np.where(np.isfinite(costs), costs, np.nan).T
    extent = (0, frames / latent_rate, 0.5, steps + 0.5)
    limit = float(np.nanpercentile(shown, 97))
    picture = axes[1].imshow(
        shown, "cividis", origin="lower", aspect="auto", extent=extent, vmin=0, vmax=limit
    )
    axes[1].set(ylabel="steps $l$", xlabel="time of the anchor $a$ (s)")
    figure.colorbar(picture, ax=axes, label="step cost $e[a, l]$", fraction=0.05, shrink=0.5)
    return figure


def boundaries_over(
    wave: NDArray, rate: int, choices: Mapping[str, Segmentation], latent_rate: float
) -> Figure:
    """The spectrogram of a sound (n,) and a strip for each named segmentation.

    In a strip a kept frame is dark and a predicted one pale (book: chunking).
    """
    height = 0.28 * len(choices)
    figure, axes = _under_spectrogram(wave, rate, [height / 1.6], 2.5 + height)
    strips = axes[1]
    for row, segmentation in enumerate(choices.values()):
        for wanted, alpha in ((0, 1.0), (1, 0.25)):
            frames = np.flatnonzero(np.minimum(segmentation.offsets, 1) == wanted)
            spans = [(frame / latent_rate, 1 / latent_rate) for frame in frames]
            colour = COLOURS[row % len(COLOURS)]
            strips.broken_barh(spans, (row + 0.08, 0.84), color=colour, alpha=alpha, linewidth=0)
    strips.set_yticks(np.arange(len(choices)) + 0.5, list(choices))
    strips.set(ylim=(len(choices), 0), xlabel="time (s)")
    strips.tick_params(left=False)
    strips.spines["left"].set_visible(False)
    return figure


def lines(
    panels: Mapping[str, Mapping[str, Curve]], across: str, up: str, height: float = 2.6
) -> Figure:
    """Named curves in named panels side by side, with shared axes and one legend above.

    A name has one colour and one marker in every panel; curves of more than 20 points have none.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1,
            len(panels),
            sharex=True,
            sharey=True,
            squeeze=False,
            figsize=(WIDTH, height),
            layout="constrained",
        )
    for axis, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for name, (x, y) in curves.items():
            place = names.index(name)
            marker = MARKERS[place % len(MARKERS)] if np.size(x) <= 20 else None
            axis.plot(x, y, color=COLOURS[place % len(COLOURS)], marker=marker, ms=5, label=name)
        axis.set(title=title, xlabel=across)
        axis.grid(color="0.9")
    axes[0][0].set_ylabel(up)
    entries = {e: n for a in axes[0] for e, n in zip(*a.get_legend_handles_labels(), strict=True)}
    once = {name: entry for entry, name in entries.items()}
    figure.legend(
        list(once.values()), list(once), loc="outside upper center", ncols=min(3, len(once))
    )
    plt.close(figure)
    return figure


def cost_table(costs: NDArray, values: Sequence[object] | None = None) -> str:
    """Step costs e[a, l], (T, L), as text: a row an anchor, a column a number of steps.

    `values` (T,) may stand beside the frames. Entries past the end of the clip stay blank
    (book: chunking).
    """
    steps = costs.shape[1]
    heads = ["a", *(["z"] if values is not None else []), *(f"l = {i + 1}" for i in range(steps))]
    rows = [heads]
    for frame, row in enumerate(costs):
        told = [str(frame), *([str(values[frame])] if values is not None else [])]
        rows.append(told + [f"{cost:g}" if np.isfinite(cost) else "" for cost in row])
    return "\n".join("".join(f"{cell:>7}" for cell in row).rstrip() for row in rows)


def strip(segmentation: Segmentation) -> str:
    """A segmentation as a row of T characters: ● a kept frame, · a predicted one."""
    return "".join("·" if offset else "●" for offset in segmentation.offsets)


@dataclass(frozen=True)
class Markup:
    """HTML that a notebook shows when it ends a cell."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


def players(sounds: Mapping[str, NDArray], rate: int) -> Markup:
    """A player for each named sound (n,) at `rate` hertz, as loud as it is.

    Lossless, and never scaled to its own peak, which would hide a difference in level.
    """
    rows = [
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:.2em 1em;margin:.3em 0">'
        f'<span style="flex:0 0 11em">{html.escape(name)}</span>{_audio(name, wave, rate)}</div>'
        for name, wave in sounds.items()
    ]
    return Markup("".join(rows))


@dataclass(frozen=True)
class Stop:
    """One position of a recorded slider: what it is called, says, shows and plays."""

    name: str
    text: str
    wave: NDArray  # (n,)
    figure: Figure
    alt: str  # what the figure shows, in words


def recorded_stops(stops: Sequence[Stop], rate: int, label: str, first: int = 0) -> Markup:
    """A slider over recorded stops. It needs no kernel: picture, text and sound lie in the page.

    Moving it while a sound plays goes on from the same moment in the next one.
    """
    # A page that runs no scripts shows the first stop, which is still true.
    shown = [
        f'<div data-name="{html.escape(stop.name)}"{"" if place == first else " hidden"}>'
        f'<img alt="{html.escape(stop.alt)}" style="width:100%;max-width:42em" '
        f'src="data:image/png;base64,{_png(stop.figure)}">'
        f"<p>{html.escape(stop.text)}</p>{_audio(stop.name, stop.wave, rate)}</div>"
        for place, stop in enumerate(stops)
    ]
    return Markup(
        '<div class="recorded-stops"><label style="display:flex;flex-wrap:wrap;gap:.2em 1em">'
        f"<span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(stops) - 1}" value="{first}" '
        f'aria-valuetext="{html.escape(stops[first].name)}" style="flex:1 1 12em;max-width:24em">'
        f"<output>{html.escape(stops[first].name)}</output></label>"
        f"{''.join(shown)}<script>{SWITCH}</script></div>"
    )


# A classic script: browsers refuse modules to a page opened from a folder.
SWITCH = """
(function (root) {
  var slider = root.querySelector("input"), told = root.querySelector("output");
  var stops = root.querySelectorAll("[data-name]"), now = +slider.value;
  slider.oninput = function () {
    var from = stops[now].querySelector("audio"), moment = from.currentTime, playing = !from.paused;
    from.pause();
    stops[now].hidden = true;
    now = +slider.value;
    stops[now].hidden = false;
    told.textContent = stops[now].dataset.name;
    slider.setAttribute("aria-valuetext", stops[now].dataset.name);
    var to = stops[now].querySelector("audio");
    to.currentTime = moment;
    if (playing) to.play();
  };
})(document.currentScript.parentElement);
"""


def _audio(name: str, wave: NDArray, rate: int) -> str:
    """An audio element with the sound (n,) inside it as FLAC, samples beyond ±1 clipped."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(wave, -1, 1), rate, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<audio controls preload="metadata" aria-label="{html.escape(name)}" '
        f'style="max-width:100%" src="data:audio/flac;base64,{data}"></audio>'
    )


def _png(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return base64.b64encode(file.getvalue()).decode()


def _stack(ratios: list[float], height: float) -> tuple[Figure, list[Axes]]:
    """Axes one above the other that share their time, of these relative heights."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(ratios),
            1,
            sharex=True,
            squeeze=False,
            figsize=(WIDTH, height),
            layout="constrained",
            height_ratios=ratios,
        )
    plt.close(figure)  # or the notebook would show it a second time
    return figure, list(axes[:, 0])


def _under_spectrogram(
    wave: NDArray, rate: int, ratios: list[float], height: float
) -> tuple[Figure, list[Axes]]:
    figure, axes = _stack([1.0, *ratios], height)
    level = _decibels(wave, rate)
    _draw_spectrogram(axes[0], level - level.max(), rate, len(wave) / rate)
    return figure, axes


def _draw_spectrogram(axis: Axes, level: NDArray, rate: int, seconds: float) -> None:
    extent = (0, seconds, 0, BANDS)
    axis.imshow(
        level, "magma", origin="lower", aspect="auto", extent=extent, vmin=-RANGE_DB, vmax=0
    )
    hertz = np.array([h for h in (200, 1000, 4000, 10_000) if h < rate / 2])
    axis.set_yticks(_mel(hertz) / _mel(rate / 2) * BANDS, [f"{h / 1000:g}" for h in hertz])
    axis.set_ylabel("kHz")


def _mel(hertz: ArrayLike) -> NDArray:
    return np.log1p(np.asarray(hertz) / 700)


def _decibels(wave: NDArray, rate: int) -> NDArray:
    """Mean power in mel bands, in decibels, (BANDS, frames), about 86 frames a second."""
    size = 1 << round(np.log2(rate * 0.06))
    hop = round(rate / 86)
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
