"""The stepper through greedy selection shows what greedy does."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from et_lite import plotting
from et_lite.solvers import solve

VALUES = np.array([3, 9, 13, 6, 8, 10, 11, 4, 9, 14, 11, 5])  # of the chapter on chunking
CAP, KEPT = 3, 6


@pytest.fixture(scope="module")
def costs() -> np.ndarray:
    table = np.full((len(VALUES), CAP), np.inf)
    for a in range(len(VALUES)):
        for l in range(1, min(CAP, len(VALUES) - 1 - a) + 1):
            table[a, l - 1] = (VALUES[a + l] - VALUES[a]) ** 2
    return table


@pytest.fixture(scope="module")
def steps(costs) -> list[tuple[np.ndarray, int]]:
    """The solver's own order, with the costs that the rules of greedy give at each step."""
    order, found = solve("greedy", costs).order[: len(VALUES) - KEPT], []
    price, offset = np.append(np.inf, costs[:-1, 0]), np.zeros(len(VALUES), int)
    for t in order:
        found.append((price.copy(), int(t)))
        offset[t] = offset[t - 1] + 1
        price[t - 1] = price[t] = np.inf
        if t + 1 < len(VALUES) and np.isfinite(price[t + 1]):
            full = offset[t] == CAP
            price[t + 1] = np.inf if full else costs[t - offset[t], offset[t]]
    return found


@pytest.fixture(scope="module")
def markup(steps) -> str:
    return plotting.greedy_steps(VALUES, steps)._repr_html_()


@pytest.fixture(scope="module")
def items(markup) -> list[ElementTree.Element]:
    return ElementTree.fromstring(re.search("<ol>.*</ol>", markup, re.DOTALL)[0]).findall("li")


def row(item: ElementTree.Element, place: int) -> list[str]:
    """One row of the numbers under a picture: frames, values or costs."""
    heads = [text for text in item.iter("text") if text.get("text-anchor") == "end"]
    level = heads[place].get("y")
    texts = [t for t in item.iter("text") if t.get("y") == level and t not in heads]
    return [text.text or "" for text in texts]


def test_a_step_for_each_dropped_frame_and_one_for_the_end(items, steps):
    assert len(items) == len(steps) + 1 == 7
    for count, item in enumerate(items[:-1], start=1):
        dots = [circle.get("class").split()[0] for circle in item.iter("circle")]
        assert dots.count("kept") == len(VALUES) - count and dots.count("guess") == count
        (now,) = [circle for circle in item.iter("circle") if "now" in circle.get("class")]
        assert "--from" in now.get("style")


def test_costs_under_each_frame_are_the_ones_given(items, steps):
    for item, (price, dropped) in zip(items, steps, strict=False):
        shown = row(item, 2)
        assert row(item, 0) == [str(t) for t in range(12)]
        assert row(item, 1) == [str(value) for value in VALUES]
        for t, text in enumerate(shown):
            assert text == (f"{price[t]:g}" if np.isfinite(price[t]) else text)
            assert np.isfinite(price[t]) or text in ("-", "x")
        assert shown[dropped] == f"{price.min():g}"


def test_captions_say_what_happens(items, steps):
    said = ["".join(item.find("p").itertext()) for item in items]
    for item, text, (price, dropped) in zip(items, said, steps, strict=False):
        assert item.find("svg").get("aria-label") == text
        assert f"Frame {dropped} is the cheapest, at {price[dropped]:g}" in text
    assert "Frame 7 would be guessed from frame 5 too: 49 becomes 36." in said[0]
    assert "6 of 12 frames are left" in said[-1] and "136" in said[-1]


def test_a_full_segment_is_told():
    values = [0.0, 0.0, 5.0, 9.0]
    first, second = np.array([np.inf, 0, 25, 16]), np.array([np.inf, np.inf, np.inf, 16])
    text = plotting.greedy_steps(values, [(first, 1), (second, 3)]).text
    assert "The segment is full, so frame 2 stays." in text


def test_it_needs_nothing_from_elsewhere(markup):
    assert not re.search(r"https?:|src=|url\(|@import|type=.module", markup)
    assert "prefers-reduced-motion:reduce" in markup and 'aria-live="polite"' in markup
