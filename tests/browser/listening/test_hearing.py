"""What is heard follows the mouse, the keys and a finger."""

import numpy as np
import pytest

from et_lite.segments import kept_length
from tests.browser.listening.widget import (
    FRAMES,
    MARKS,
    RECORD,
    SETTLED,
    STATE,
    assert_no_click,
    assert_playhead_glides,
    visit,
)

pytestmark = pytest.mark.browser


def test_sounds_come_with_the_first_play_and_the_baseline_when_it_is_asked_for(opened):
    assert not [url for url in opened.asked if "/sounds/" in url]
    opened.play()
    expected = {f"{name}.js" for name in MARKS if not name.startswith("uniform")}
    for _ in range(100):
        opened.page.wait_for_timeout(100)
        came = {url.rsplit("/", 1)[1] for url in opened.asked if "/sounds/" in url}
        if came >= expected:
            break
    assert came == expected
    opened.slider.press("b")
    assert opened.heard() == "uniform-0.50"
    assert {url.rsplit("/", 1)[1] for url in opened.asked if "uniform" in url} == {
        "uniform-0.50.js"
    }


def test_the_mouse_changes_what_is_heard(opened):
    opened.play()
    assert opened.heard() == "elastic-0.50"
    box = opened.slider.bounding_box()
    y = box["y"] + box["height"] / 2
    opened.page.mouse.move(box["x"] + box["width"] * 0.375, y)  # the thumb at a half
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 1, y, steps=12)
    assert opened.heard() == "elastic-0.20"
    opened.page.mouse.move(box["x"] + box["width"] - 1, y, steps=12)
    opened.page.mouse.up()
    assert opened.heard() == "elastic-1.00"
    assert_no_click(opened.recorded())
    assert_playhead_glides(opened.page.evaluate("window.places"))


def test_keys_change_what_is_heard(opened):
    opened.play()
    opened.slider.focus()
    for key, expected in [
        ("ArrowLeft", "elastic-0.45"),
        ("ArrowRight", "elastic-0.50"),
        ("ArrowRight", "elastic-0.60"),
        ("r", "original"),
        ("b", "uniform-0.60"),
        ("b", "elastic-0.60"),
        ("a", "ceiling"),
        ("a", "elastic-0.60"),
        ("Home", "elastic-0.20"),
    ]:
        opened.page.keyboard.press(key)
        assert opened.heard() == expected, key
    assert_no_click(opened.recorded())
    assert_playhead_glides(opened.page.evaluate("window.places"))
    opened.page.keyboard.press("Space")
    opened.page.wait_for_function(f"{STATE}.player.voices.length === 0")
    opened.page.wait_for_timeout(400)
    assert np.abs(opened.recorded(2048)).max() < 1e-6
    assert not opened.state("player.playing")


def test_a_finger_changes_what_is_heard(browser, address):
    options = {"has_touch": True, "viewport": {"width": 390, "height": 844}}
    for widget in visit(browser, address + "beside.html", **options):
        for name in ("Loop", "Play"):
            widget.page.get_by_role("button", name=name, exact=True).tap()
        widget.page.wait_for_function(f"{STATE}.player?.playing")
        widget.page.evaluate(RECORD)
        box = widget.slider.bounding_box()
        widget.page.touchscreen.tap(box["x"] + 2, box["y"] + box["height"] / 2)
        assert widget.heard() == "elastic-0.20"
        widget.page.get_by_role("button", name="Original").tap()
        assert widget.heard() == "original"
        assert_no_click(widget.recorded())
        assert widget.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_gain_is_shown_and_can_be_switched_off(local):
    local.play()
    gain = local.page.locator("[data-show=gain]")
    local.press("Autoencoder")
    assert local.heard() == "ceiling" and gain.inner_text() == "gain −6.0 dB"
    local.page.wait_for_timeout(SETTLED)
    quiet = np.abs(local.recorded(4096)).max()
    local.press("Same loudness")
    assert local.heard() == "ceiling" and gain.inner_text() == "levels as decoded"
    local.page.wait_for_timeout(SETTLED)
    assert np.abs(local.recorded(4096)).max() / quiet == pytest.approx(10**0.3, rel=0.01)


def test_another_clip_starts_anew_and_stays_at_the_kept_fraction(local):
    local.slider.press("Home")
    local.play()
    local.press("Two")
    local.page.wait_for_function(f"{STATE}.player?.playing && {STATE}.card.title === 'Two'")
    assert local.slider.input_value() == str(kept_length(FRAMES, 0.2))
    local.page.evaluate(RECORD)
    assert local.heard() == "elastic-0.20"
    assert local.state("player.anchor.sample") == 0  # where it began
