"""Measured numbers as curves and as intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from et_lite.plotting.axes import COLOURS, MARKERS, legend_above, new_axes

# x and y of its points; and the low and the high ends of their intervals, where they have some.
Curve = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
Ends = tuple[float, float, float]  # a mean, and the low and the high end of its interval


def lines(
    panels: Mapping[str, Mapping[str, Curve]],
    across: str,
    up: str,
    ticks: Sequence[float] | None = None,
    height: float = 2.4,
    scale: str = "linear",
    shared: bool = True,
) -> Figure:
    """Named curves in named panels side by side, with shared axes and one legend above.

    A name has one colour, dash and marker in every panel; curves of more than 20 points have no
    marker. Ends of intervals are drawn as bars. `ticks` are the numbers on the axis across, `scale`
    is that of the axis up, and where that is not `shared` the panels' numbers cannot be compared.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    figure, axes = new_axes(1, len(panels), height, sharex=True, sharey=shared)
    for axis, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for name, (x, y, *ends) in curves.items():
            place = names.index(name)
            marker = MARKERS[place % len(MARKERS)] if np.size(x) <= 20 else None
            style = {"color": COLOURS[place % len(COLOURS)], "marker": marker, "ms": 5}
            (line,) = axis.plot(x, y, "-" if place < len(COLOURS) else "--", label=name, **style)
            if ends:
                axis.vlines(x, *ends, color=line.get_color(), linewidth=1)
        axis.set_title(title, loc="left")
        axis.set_xlabel(across)
        if ticks is not None:
            axis.set_xticks(ticks)
        axis.set_yscale(scale)
        if scale == "log":  # 0.05, 0.1, 0.2: powers of ten with a factor each crowd the axis
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(color="0.9")
    axes[0][0].set_ylabel(up)
    entries = {e: n for a in axes[0] for e, n in zip(*a.get_legend_handles_labels(), strict=True)}
    legend_above(figure, {name: entry for entry, name in entries.items()})
    return figure


def intervals(
    panels: Mapping[str, Mapping[str, Ends]], across: str, height: float, groups: Mapping[str, int]
) -> Figure:
    """Named means with the ends of their intervals, a row a name, in named panels side by side.

    Names of one of the numbered `groups` have one colour and one marker.
    """
    figure, axes = new_axes(1, len(panels), height, sharex=True, sharey=True)
    names = list(groups)
    for axis, (title, found) in zip(axes[0], panels.items(), strict=True):
        for name, (mean, low, high) in found.items():
            style = {"color": COLOURS[groups[name]], "marker": MARKERS[groups[name]], "ms": 4}
            row, ends = names.index(name), [[mean - low], [high - mean]]
            axis.errorbar(mean, row, xerr=ends, capsize=3, **style)
        axis.set_title(title, loc="left")
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
    axes[0][0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes[0][len(panels) // 2].set_xlabel(across)
    return figure


def ladders(panels: Mapping[str, NDArray], lowest: int, latent_rate: float) -> Figure:
    """Which of T frames are kept, (lengths, T) booleans, for each kept length from `lowest` up.

    Time runs across and the kept length up. Marked are the frames that are kept although the length
    above has dropped them: a nested choice has none (book: sweep).
    """
    figure, axes = new_axes(1, len(panels), 3.0, sharex=True, sharey=True)
    colours = ListedColormap(["#e6edf5", COLOURS[0], COLOURS[1]])
    for axis, (title, kept) in zip(axes[0], panels.items(), strict=True):
        back = np.zeros_like(kept)
        back[:-1] = kept[:-1] & ~kept[1:]
        lengths, frames = kept.shape
        extent = (0, frames / latent_rate, lowest - 0.5, lowest + lengths - 0.5)
        axis.imshow(
            kept.astype(int) + back,
            colours,
            vmin=0,
            vmax=2,
            extent=extent,
            origin="lower",
            aspect="auto",
            interpolation="none",
        )
        axis.set_title(title, loc="left")
        axis.set_xlabel("time (s)")
    axes[0][0].set_ylabel("kept length $N$")
    return figure
