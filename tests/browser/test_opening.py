"""The opening page: a sound and its slider above the fold, and what they weigh."""

import gzip
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
OPENING = "book/intro.html"
MEGABYTE = 1_000_000


def weight(urls: set[str]) -> int:
    """Bytes of these files of the site as a server sends them, gzipped."""
    files = [SITE / unquote(urlparse(url).path).lstrip("/") for url in urls]
    return sum(len(gzip.compress(file.read_bytes(), 6)) for file in files if file.is_file())


@pytest.fixture
def opening(browser: Browser, origins: dict[str, str]) -> tuple[Page, set[str]]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.goto(origins["http"] + OPENING, wait_until="networkidle")
    yield page, asked
    page.close()


def test_the_page_is_light_and_its_sound_comes_when_it_is_played(opening):
    page, asked = opening
    first = set(asked)
    assert 0.1 * MEGABYTE < weight(first) < MEGABYTE
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "document.querySelector('.et-listening').listening.state.player?.playing"
    )
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)
    sounds = {url for url in asked - first if url.endswith(".js")}
    assert 1 < len(sounds) <= 14
    assert weight(asked - first) < 3 * MEGABYTE


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_slider_and_play_are_above_the_fold(opening, size):
    page, _ = opening
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for found in (
        page.get_by_role("slider", name="Kept fraction"),
        page.get_by_role("button", name="Play", exact=True),
    ):
        box = found.bounding_box()
        assert box["y"] + box["height"] < size[1]
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
