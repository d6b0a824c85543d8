"""The stepper through greedy selection, opened from a folder."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from et_lite import plotting

pytestmark = pytest.mark.browser

VALUES = np.array([3.0, 5, 6, 1])
STEPS = [(np.array([np.inf, 4, 1, 25]), 2), (np.array([np.inf, np.inf, np.inf, 16]), 3)]


def opened(browser: Browser, folder: Path, **options: object) -> Page:
    file = folder / "steps.html"
    page = browser.new_page(**options)
    file.write_text(f"<!doctype html><title>t</title>{plotting.greedy_steps(VALUES, STEPS).text}")
    page.goto(file.as_uri())
    return page


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    found = opened(browser, tmp_path)
    yield found
    found.close()


def shown(page: Page) -> list[int]:
    """Which of the steps can be seen."""
    items = page.locator(".greedy-steps li")
    return [place for place in range(items.count()) if items.nth(place).is_visible()]


def test_buttons_go_on_and_back_and_end(page):
    forward, back = page.get_by_role("button", name="Next"), page.get_by_role("button", name="Back")
    assert shown(page) == [0] and back.is_disabled()
    forward.click()
    forward.click()
    assert shown(page) == [2] and forward.is_disabled()
    assert "2 of 4 frames are left" in page.locator(".told").inner_text()
    back.click()
    assert shown(page) == [1]


def test_the_slider_works_by_keyboard_and_says_where_it_is(page):
    slider = page.get_by_role("slider", name="Step")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert shown(page) == [1] and slider.get_attribute("aria-valuetext") == "step 2"
    page.keyboard.press("End")
    assert shown(page) == [2] and slider.get_attribute("aria-valuetext") == "the end"


def test_play_runs_to_the_end_and_stops(page):
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # or a busy machine's own seconds would count
    page.get_by_role("button", name="Play").click()
    assert shown(page) == [1]
    page.clock.run_for(3100)
    assert shown(page) == [2]
    page.clock.run_for(10_000)
    assert shown(page) == [2] and page.get_by_role("button", name="Play").is_visible()


@pytest.mark.parametrize(("wish", "moving"), [("no-preference", 1), ("reduce", 0)])
def test_motion_is_left_out_where_it_is_not_wanted(browser, tmp_path, wish, moving):
    page = opened(browser, tmp_path, reduced_motion=wish)
    count = "document.querySelectorAll('li')[0].getAnimations({subtree: true}).length"
    assert (page.evaluate(count) > 0) == bool(moving)
    page.close()


def test_without_scripts_every_step_is_there(browser, tmp_path):
    page = opened(browser, tmp_path, java_script_enabled=False)
    assert page.locator(".greedy-steps li:visible").count() == 3
    assert page.locator(".greedy-steps li p:visible").count() == 3
    assert page.locator(".greedy-steps button:visible").count() == 0
    page.close()
