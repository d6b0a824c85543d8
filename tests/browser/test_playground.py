"""The recorded playground in Chromium: it says and draws what Python says, without a kernel."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from et_lite import playground
from et_lite.playground import State, Table
from et_lite.solvers import SOLVERS
from tests.browser.listening.widget import COSTS, FRAME_RATE, FRAMES, RATE, tones, write_page

pytestmark = pytest.mark.browser

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
CHAPTER = "notebooks/08_sweep.html"
PAGE_LIMIT = 300_000
CAPS = (1, 3, 12)


@pytest.fixture(scope="module")
def table() -> Table:
    """Costs and a sound; what is recorded asks the codec for its frame rate alone."""
    codec = SimpleNamespace(latent_rate=FRAME_RATE)
    return Table(codec, tones("original"), RATE, None, COSTS)


@pytest.fixture(scope="module")
def folder(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playground")
    body = playground.recorded(table, "One <1>", CAPS).text
    write_page(folder / "one.html", body)
    write_page(folder / "two.html", body + playground.recorded(table, "Two", (2, 12)).text)
    return folder


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    yield from visit(browser, folder / "one.html")


def visit(browser: Browser, file: Path, **options: object) -> Iterator[Page]:
    """A page opened from a folder, which asks for nothing else and complains of nothing."""
    page = browser.new_page(**options)
    page.set_default_timeout(60_000)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and errors.append(line.text))
    page.goto(file.as_uri())
    yield page
    assert not errors
    assert all(url.startswith(("data:", file.as_uri())) for url in asked)
    page.close()


def choose(page: Page | Locator, solver: str, cap: int, kept: int) -> None:
    page.get_by_label("Solver", exact=True).select_option(solver)
    page.get_by_label("Cap K", exact=True).select_option(str(cap))
    page.get_by_role("slider", name="Kept fraction").fill(str(kept))


def drawn(page: Page | Locator, strip: str) -> list[int]:
    """The frames that a strip draws as kept."""
    places = page.locator(f"svg.frames.{strip} rect.kept").evaluate_all(
        "bars => bars.map(bar => Math.floor(bar.getAttribute('x')))"
    )
    return list(map(int, places))


def told(page: Page | Locator) -> str:
    return page.get_by_role("status").inner_text()


def test_every_state_is_python_s(page: Page, table: Table) -> None:
    lowest = -(-FRAMES // 13)
    for solver, cap, kept in product(SOLVERS, CAPS, (lowest, 20, FRAMES // 2, 70, FRAMES)):
        choose(page, solver, cap, kept)
        state: State = table.at(solver, cap, kept)
        assert told(page) == state.told
        assert drawn(page, "chosen") == state.chosen.segmentation.anchors.tolist()
        assert drawn(page, "least") == state.least.segmentation.anchors.tolist()


def test_keys_move_the_slider_and_what_is_drawn(page: Page) -> None:
    slider = page.get_by_role("slider", name="Kept fraction")
    slider.focus()
    before = int(slider.input_value())
    for key, expected in [("ArrowLeft", before - 1), ("ArrowUp", before), ("End", FRAMES)]:
        slider.press(key)
        assert int(slider.input_value()) == expected
        assert len(drawn(page, "chosen")) == expected
        assert told(page).startswith(f"{expected} of {FRAMES} frames kept")
    assert slider.get_attribute("aria-valuetext").startswith("1.00 · 21.5 frames per second")


def test_everything_is_reached_and_named_by_keyboard(page: Page) -> None:
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                    const at = document.activeElement.shadowRoot.activeElement;
                    const { outlineStyle, outlineWidth } = getComputedStyle(at);
                    const name = at.labels[0].textContent.trim();
                    return [at.tagName, name, outlineStyle, parseFloat(outlineWidth) >= 2];
                }"""
            )
        )
    assert reached == [
        ["SELECT", "Solver", "solid", True],
        ["SELECT", "Cap K", "solid", True],
        ["INPUT", "Kept fraction", "solid", True],
    ]
    names = page.locator(".et-playground [role=img]").evaluate_all(
        "pictures => pictures.map(picture => picture.getAttribute('aria-label'))"
    )
    assert len(names) == 3 and all(names)
    assert page.get_by_role("img", name="Spectrogram: One <1>").count() == 1
    assert page.get_by_role("group", name="Solver playground: One <1>").count() == 1


def test_the_curve_s_point_follows(page: Page) -> None:
    point = page.locator(".curve circle")
    places = []
    for kept in (20, 40, FRAMES):
        choose(page, "dp", 12, kept)
        places.append([float(point.get_attribute(axis)) for axis in ("cx", "cy")])
    (x, y) = np.transpose(places)
    assert (np.diff(x) > 0).all() and (np.diff(y) > 0).all()  # down the page is less cost
    for line in page.locator(".curve path[d]").all():
        numbers = re.findall(r"-?[\d.]+|NaN", line.get_attribute("d"))
        assert "NaN" not in numbers and max(map(float, numbers)) <= 320


def test_touch_moves_it_too(browser: Browser, folder: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    for page in visit(browser, folder / "one.html", **phone):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.get_by_role("slider", name="Kept fraction").bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
        assert 0.8 * FRAMES < len(drawn(page, "chosen")) < FRAMES


def test_without_scripts_there_is_a_table(browser: Browser, folder: Path) -> None:
    for page in visit(browser, folder / "one.html", java_script_enabled=False):
        assert page.get_by_role("row").count() == 1 + len(SOLVERS)
        assert page.get_by_text("One <1>: cost by solver").is_visible()


def test_two_of_them_stay_apart(browser: Browser, folder: Path) -> None:
    for page in visit(browser, folder / "two.html"):
        first, second = page.get_by_role("slider", name="Kept fraction").all()
        first.fill("20")
        second.fill("60")
        words = [status.inner_text() for status in page.get_by_role("status").all()]
        assert [text.split()[0] for text in words] == ["20", "60"]


def test_the_chapter_is_light_and_works_from_a_folder(browser: Browser) -> None:
    chapter = SITE / CHAPTER
    assert chapter.stat().st_size <= PAGE_LIMIT
    page = browser.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(chapter.as_uri())
    shown = page.get_by_role("group", name=re.compile("^Solver playground"))
    choose(shown, "dp", 12, 30)
    assert told(shown).startswith("30 of ") and len(drawn(shown, "chosen")) == 30
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(
        "document.querySelector('.et-listening').listening.state.player?.playing"
    )
    assert not errors
    page.close()
