"""What the widget draws and says, and the blind test."""

import json

import numpy as np
import pytest

from et_lite.segments import Segmentation, kept_length
from et_lite.solvers import uniform
from tests.browser.listening.widget import (
    COSTS,
    FRAME_RATE,
    FRAMES,
    PATH,
    SECONDS,
    Widget,
    assert_no_click,
)

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("voice", ["elastic", "uniform"])
def test_drawn_boundaries_are_those_of_the_package(local, voice):
    if voice == "uniform":
        local.press("Even spacing")
    first, last = (int(local.slider.get_attribute(end)) for end in ("min", "max"))
    assert (first, last) == (kept_length(FRAMES, 0.2), FRAMES)
    for kept in (first, 31, 50, last - 1, last):
        local.slider.fill(str(kept))
        drawn = local.page.eval_on_selector_all(
            ".frames .kept", "all => all.map(one => Math.floor(one.getAttribute('x')))"
        )
        path = PATH if voice == "elastic" else uniform(FRAMES, 12, COSTS)
        selection = path.at(kept)
        assert len(drawn) == kept
        assert drawn == selection.segmentation.anchors.tolist()
        mean = selection.cost / max(1, FRAMES - kept)
        assert f"mean {mean:.2f}" in local.page.locator(".legend").inner_text()
        assert f"{kept / FRAMES:.2f} · {kept / FRAMES * FRAME_RATE:.1f} of 21.5" in (
            local.page.locator("[data-show=kept]").inner_text()
        )


def test_the_slider_says_what_it_shows_and_what_is_heard(local):
    local.slider.fill(str(kept_length(FRAMES, 0.5) + 2))
    text = local.slider.get_attribute("aria-valuetext")
    assert text.startswith("0.52 kept, 11.3 of 21.5 frames per second.")
    assert "Elastic Time at 0.50, the rendered stop nearest to it (43 of 86 frames)" in text


def test_a_click_seeks_and_a_drag_loops(opened):
    opened.play()
    box = opened.page.locator(".plot").bounding_box()

    def across(share: float) -> tuple[float, float]:
        return box["x"] + share * box["width"], box["y"] + 40

    opened.page.mouse.click(*across(0.5))
    opened.page.wait_for_timeout(150)
    assert 0.5 * SECONDS < place_of(opened) < 0.8 * SECONDS
    opened.page.mouse.move(*across(0.25))
    opened.page.mouse.down()
    opened.page.mouse.move(*across(0.35), steps=4)
    opened.page.mouse.up()
    opened.page.wait_for_timeout(700)
    assert 0.25 * SECONDS <= place_of(opened) <= 0.35 * SECONDS
    assert opened.state("region.start") == pytest.approx(0.25 * SECONDS, abs=0.02)
    assert opened.page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    assert_no_click(opened.recorded())
    opened.slider.press("l")
    opened.page.wait_for_timeout(700)
    assert place_of(opened) > 0.35 * SECONDS or not opened.state("player.playing")


def place_of(widget: Widget) -> float:
    return (
        float(
            widget.page.locator(".playhead").evaluate(
                "head => parseFloat(head.style.transform.slice(11))"
            )
        )
        / 100
        * SECONDS
    )


def test_the_blind_test_counts_and_tells_nothing(opened):
    opened.slider.press("x")
    score = opened.page.locator("[data-show=score]")
    score.wait_for()
    assert score.inner_text() == "No answer yet."
    right = 0
    for answers in range(1, 7):
        hidden = opened.state("test.x")
        guess = hidden if answers <= 5 else {"A": "B", "B": "A"}[hidden]
        right += guess == hidden
        opened.press(f"X is {guess}")
        assert score.inner_text().startswith(f"{right} of {answers} right, p = ")
    assert score.inner_text() == "5 of 6 right, p = 0.109"
    assert opened.slider.is_disabled()
    assert opened.page.locator("[data-show=gain]").inner_text() == ""
    opened.play()
    for letter in "AB":
        opened.press(letter)
        name = {"A": "elastic-0.50", "B": "original"}[letter]
        assert opened.heard() == name
        assert opened.page.locator(".spectrum img").get_attribute("alt").endswith("the original")
    opened.press("X")
    expected = {"A": "elastic-0.50", "B": "original"}[opened.state("test.x")]
    assert opened.heard() == expected
    opened.press("Leave")
    assert opened.slider.is_enabled()


def test_parts_agree_with_the_package(local):
    parts = "ElasticListening.parts"
    chances = local.page.evaluate(
        f"[[0, 5], [5, 5], [8, 10], [60, 100]].map(([r, n]) => {parts}.chanceOf(r, n))"
    )
    np.testing.assert_allclose(chances, [1, 1 / 32, 56 / 1024, 0.028443966820], rtol=1e-8)
    for kept in (20, 60, FRAMES):
        offsets = local.page.evaluate(
            f"{parts}.offsetsOfOrder({json.dumps(PATH.order.tolist())}, {FRAMES}, {kept})"
        )
        assert Segmentation.from_offsets(offsets) == PATH.at(kept).segmentation
