"""Pictures for the notebooks and the book: functions from numbers to figures and tables of text.

Time runs in seconds. A latent frame t stands for the time from t to t + 1 frame lengths.
"""

from et_lite.plotting.axes import COLOURS, MARKERS, png
from et_lite.plotting.charts import Curve, intervals, ladders, lines
from et_lite.plotting.markup import Markup, image
from et_lite.plotting.sounds import (
    bare_spectrogram,
    boundaries_over,
    costs_under,
    hertz_marks,
    latents_under,
    spectrogram,
    values_under,
)
from et_lite.plotting.steps import greedy_steps
from et_lite.plotting.text import cost_table, strip, table

__all__ = [
    "COLOURS",
    "MARKERS",
    "Curve",
    "Markup",
    "bare_spectrogram",
    "boundaries_over",
    "cost_table",
    "costs_under",
    "greedy_steps",
    "hertz_marks",
    "image",
    "intervals",
    "ladders",
    "latents_under",
    "lines",
    "png",
    "spectrogram",
    "strip",
    "table",
    "values_under",
]
