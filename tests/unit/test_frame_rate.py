"""The page on frame rate says what its formulas give."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.draw_frame_rate import CLICKS, FIGURE, FRAME_RATE, WIDTH, clicks, products

PAGE = (
    (Path(__file__).resolve().parents[2] / "book" / "frame_rate.md")
    .read_text(encoding="utf-8")
    .replace("\u00a0", " ")
)


def rows(head: str) -> list[list[str]]:
    """The rows of the page's table whose first heading is `head`."""
    lines = PAGE[PAGE.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(text: str) -> float:
    return float("".join(text.split()))


def test_codecs_have_the_frame_rates_of_their_hops():
    table = rows("Codec")
    assert len(table) == 5
    for _, samples, hop, rate, song in table:
        assert f"{number(samples) / number(hop):.1f}" == rate
        assert round(180 * number(samples) / number(hop)) == number(song)


def test_half_the_frames_leave_the_work_of_the_table():
    table = rows("length of the sound")
    assert len(table) == 3
    for length, frames, left in table:
        exact = int(length.split()[0]) * 60 * FRAME_RATE
        assert round(exact) == number(frames)
        assert left == f"{products(exact / 2) / products(exact):.0%}".replace("%", " %")


@pytest.mark.parametrize("frames", [1, 1e3, 1e6])
def test_half_the_frames_are_between_half_and_a_quarter_of_the_work(frames):
    assert 0.25 < products(frames / 2) / products(frames) < 0.5


def test_products_are_those_of_a_layer():
    """Counted over the shapes of the matrices, one multiplication after the other."""
    frames, width = 7, 4
    alone = [(width, width)] * 4 + [(width, 4 * width), (4 * width, width)]
    counted = sum(frames * into * out for into, out in alone)
    counted += frames * frames * width  # scores
    counted += frames * frames * width  # sums of values
    assert products(frames, width) == counted


def test_numbers_in_the_text():
    assert 6 * WIDTH == 9216 and round(9216 / FRAME_RATE / 60) == 7 and "9 216 frames" in PAGE
    assert 2 * 24 * WIDTH * 2 == 147_456 and round(147_456 * 180 * FRAME_RATE / 1e6) == 572
    assert round(1000 / FRAME_RATE) == 46 and round(180 * FRAME_RATE / 2) == 1938
    assert products(600 * 50) > 4 * products(600 * FRAME_RATE)
    assert f"{products(600 * 50) / 1e12:.1f} times ten" in PAGE
    # The exercises.
    assert np.ceil(10 * FRAME_RATE) == 216 and round(6144 / FRAME_RATE) == 285
    five = 300 * FRAME_RATE
    assert round(five) == 6460 and round(products(five / 2, 1024) / products(five, 1024), 2) == 0.37


def test_clicks_come_with_the_frames():
    rate = 22_050
    heard = clicks(np.zeros(6 * rate, np.float32), rate)
    starts = np.flatnonzero((np.abs(heard) > 1e-3) & (np.abs(np.roll(heard, 20)) < 1e-6))
    onsets = starts[np.diff(starts, prepend=-rate) > 200] / rate
    counts = [np.sum((onsets >= low) & (onsets < low + 2)) for low in (0, 2, 4)]
    expected = [2 * FRAME_RATE / every for every in (1, 2, 4)]
    assert np.abs(np.subtract(counts, expected)).max() <= 1


def test_what_the_page_shows_is_there():
    stored, rate = soundfile.read(CLICKS)
    assert rate == 22_050 and len(stored) == 6 * rate and 0.05 < np.abs(stored).max() < 1
    assert FIGURE.is_file() and re.search(r"frame_rate/clicks\.flac", PAGE)
