"""Pictures: what they show is what they were given."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from et_lite import plotting
from et_lite.segments import Segmentation

RATE = 22_050
FRAME_RATE = RATE / 1024


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """One second of a 1 kHz tone, loud and then quiet."""
    time = np.arange(RATE) / RATE
    return (np.sin(2 * np.pi * 1000 * time) * np.where(time < 0.5, 0.5, 0.005)).astype(np.float32)


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """An open figure would be shown a second time at the end of a notebook's cell."""
    yield
    assert not plt.get_fignums()


def pixels(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def test_spectrogram_shows_a_tone_at_its_pitch_and_level(wave):
    figure = plotting.spectrogram({"tone": wave, "silence": 0 * wave}, RATE)
    tone, silence = (axis.images[0].get_array() for axis in figure.axes)
    loud, quiet = tone[:, 10], tone[:, 32]
    marks = dict(
        zip(
            [label.get_text() for label in figure.axes[0].get_yticklabels()],
            figure.axes[0].get_yticks(),
            strict=True,
        )
    )
    assert abs(loud.argmax() + 0.5 - marks["1"]) < 1
    assert abs(loud.max() - quiet.max() - 40) < 3  # a hundredth of the amplitude
    assert tone.max() == 0 and silence.max() < -60
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["tone", "silence"]


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
def test_spectrogram_at_other_rates(rate):
    noise = np.random.default_rng(0).standard_normal(rate).astype(np.float32)
    (axis,) = plotting.spectrogram({"noise": noise}, rate).axes
    assert np.isfinite(axis.images[0].get_array()).all()
    assert axis.get_xlim() == (0, 1)


def test_latents_lie_under_their_sound(wave):
    latents = np.random.default_rng(0).standard_normal((8, 22))
    above, under = plotting.latents_under(wave, RATE, latents, FRAME_RATE).axes
    np.testing.assert_array_equal(under.images[0].get_array(), latents)
    assert under.images[0].get_extent()[1] == pytest.approx(22 / FRAME_RATE)
    assert above.get_xlim() == under.get_xlim()


def test_values_under_names_several_and_no_single_one(wave):
    one = plotting.values_under(wave, RATE, {"a": np.arange(22.0)}, FRAME_RATE, "error")
    two = plotting.values_under(wave, RATE, {"a": np.ones(22), "b": np.ones(22)}, FRAME_RATE, "")
    assert one.axes[1].get_legend() is None
    assert [text.get_text() for text in two.axes[1].get_legend().get_texts()] == ["a", "b"]


def test_bars_fill_the_kept_frames_alone(wave):
    cut, scores = Segmentation.from_lengths([1, 3, 2, 10, 6]), np.linspace(0.2, 1, 22)
    under = plotting.values_under(wave, RATE, {"p": scores}, FRAME_RATE, "p", cut).axes[1]
    line, bars = (patch.get_data() for patch in under.patches)
    np.testing.assert_array_equal(line.values, scores)
    np.testing.assert_array_equal(np.flatnonzero(bars.values), cut.anchors)
    np.testing.assert_array_equal(bars.values[cut.anchors], scores[cut.anchors])


def test_costs_past_the_end_stay_blank(wave):
    costs = np.full((22, 4), np.inf)
    for step in range(4):
        costs[: 21 - step, step] = step
    figure = plotting.costs_under(wave, RATE, costs, FRAME_RATE)
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(np.isfinite(shown), np.isfinite(costs).T)
    assert pixels(figure).any()


def test_a_strip_has_every_frame_once_and_kept_ones_dark(wave):
    cut = Segmentation.from_lengths([1, 3, 2, 10, 6])
    figure = plotting.boundaries_over(wave, RATE, {"a": cut, "b": cut}, FRAME_RATE)
    dark, pale = figure.axes[1].collections[:2]
    starts = [[path.vertices[:, 0].min() for path in group.get_paths()] for group in (dark, pale)]
    np.testing.assert_allclose(np.array(starts[0]) * FRAME_RATE, cut.anchors, atol=1e-9)
    every = np.sort(np.concatenate(starts)) * FRAME_RATE
    np.testing.assert_allclose(every, np.arange(22), atol=1e-9)
    assert dark.get_facecolor()[0, 3] == 1 > pale.get_facecolor()[0, 3]


def test_lines_have_one_colour_a_name_in_every_panel():
    curves = {"hold": ([1, 2], [0.5, 0.2]), "ridge": ([1, 2], [0.6, 0.4])}
    figure = plotting.lines(
        {"music": curves, "speech": {"ridge": curves["ridge"]}}, "h", "explained", [1, 2]
    )
    music, speech = figure.axes
    assert music.lines[1].get_color() == speech.lines[0].get_color() != music.lines[0].get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["hold", "ridge"]
    assert list(speech.get_xticks()) == [1, 2]


def test_no_two_names_look_alike():
    curves = {str(n): ([1, 2], [n, n + 1]) for n in range(10)}
    (axis,) = plotting.lines({"": curves}, "h", "error", scale="log").axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 10
    assert axis.get_yscale() == "log"


def test_a_legend_of_long_names_stays_inside_the_figure():
    names = ("the bound, T times H", "number of the choice", "lengths as they were coded")
    figure = plotting.lines({"": {name: ([0, 1], [1, 2]) for name in names}}, "h", "bits")
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert [text.get_text() for text in legend.get_texts()] == list(names)


def test_a_logarithmic_axis_has_plain_numbers():
    figure = plotting.lines({"": {"a": ([0, 1, 2], [0.03, 0.1, 0.7])}}, "h", "loss", scale="log")
    figure.canvas.draw()
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    labels = zip(axis.yaxis.get_majorticklocs(), axis.yaxis.get_majorticklabels(), strict=True)
    shown = [label.get_text() for place, label in labels if low <= place <= high]
    assert shown == ["0.05", "0.1", "0.2", "0.5"]
    assert not any(label.get_text() for label in axis.yaxis.get_minorticklabels())


def test_lines_show_the_ends_of_their_intervals():
    curves = {"a": ([1, 2], [5, 7], [4, 6], [6, 9]), "b": ([1, 2], [1, 2])}
    panels = {"music": curves, "speech": {"a": ([1, 2], [50, 70])}}
    music, speech = plotting.lines(panels, "h", "distance", shared=False).axes
    (bars,) = music.collections
    np.testing.assert_array_equal(bars.get_segments(), [[[1, 4], [1, 6]], [[2, 6], [2, 9]]])
    assert music.get_ylim()[1] < 10 < 50 < speech.get_ylim()[1] and not speech.collections
    assert music.lines[0].get_color() == speech.lines[0].get_color()


def test_intervals_lie_in_the_row_of_their_name():
    panels = {"music": {"a": (1.0, 0.5, 2.0), "b": (3.0, 3.0, 3.5)}, "speech": {"b": (2, 1, 3)}}
    music, speech = plotting.intervals(panels, "distance", 2.0, {"a": 1, "b": 0}).axes
    drawn = [bar[2][0].get_segments()[0] for bar in music.containers]
    np.testing.assert_allclose(drawn, [[[0.5, 0], [2, 0]], [[3, 1], [3.5, 1]]])
    assert [bar[0].get_xydata()[0].tolist() for bar in speech.containers] == [[2, 1]]
    assert [text.get_text() for text in music.get_yticklabels()] == ["a", "b"]
    assert [bar[0].get_color() for bar in music.containers] == [*plotting.COLOURS[1::-1]]
    assert speech.containers[0][0].get_color() == plotting.COLOURS[0]
    assert music.get_ylim()[0] > music.get_ylim()[1]  # from top to bottom


def test_tables_line_up():
    assert plotting.table(["", "n"], [("one", 1), ("many", 1000)]) == "\n".join(
        ["         n", "one      1", "many  1000"]
    )
    costs = np.array([[1, 4], [9, np.inf], [np.inf, np.inf]])
    lines = plotting.cost_table(costs, [3, 2, 1], first=10).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["10", "3", "1", "4"],
        ["11", "2", "9"],
        ["12", "1"],
    ]
    assert len({len(line) for line in lines}) == 1
    assert plotting.strip(Segmentation.from_lengths([1, 3, 1])) == "●●··●"


def test_png_is_the_figure_in_fewer_bytes(wave):
    figure = plotting.spectrogram({"tone": wave}, RATE)
    small = plotting.png(figure)
    shown = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"), dtype=float)
    exact, file = pixels(figure), io.BytesIO()
    figure.savefig(file, format="png")
    assert shown.shape == exact.shape and np.abs(shown - exact).mean() < 4
    assert len(small) < len(file.getvalue())
