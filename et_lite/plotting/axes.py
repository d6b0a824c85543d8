"""What all pictures share: colours, sizes, and axes in one style."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH = 4.8  # inches: letters of 10 points stay legible when a phone shrinks the picture
STYLE: Any = {  # what axes read when they are made
    "figure.dpi": 140,
    "figure.facecolor": "white",  # a light figure, in the dark theme too
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.fontsize": 9,
}


def new_axes(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, NDArray]:
    """A figure of this height in inches and its axes (rows, columns)."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows,
            columns,
            squeeze=False,
            figsize=(WIDTH, height),
            layout="constrained",
            **options,
        )
    plt.close(figure)  # or the notebook would show it a second time
    return figure, axes


def legend_above(figure: Figure, entries: Mapping[str, Any]) -> None:
    """Names and what they stand for above the axes, in up to three columns that fit the figure."""
    for columns in range(min(3, len(entries)), 0, -1):
        legend = figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside upper center",
            ncols=columns,
            frameon=False,
        )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def png(figure: Figure) -> bytes:
    """A figure as PNG with a palette: a third of the bytes, and no loss to the eye."""
    file, small = io.BytesIO(), io.BytesIO()
    figure.savefig(file, format="png")
    Image.open(file).convert("RGB").quantize(128).save(small, "PNG", optimize=True)
    return small.getvalue()
