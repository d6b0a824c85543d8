"""Every page of the built book, from a server and from a folder, without a network."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

pytestmark = pytest.mark.browser

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
# The front page only sends on to the introduction: it has its own test.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if path != SITE / "index.html" and "_static" not in path.parts
)
if not PAGES:
    pytest.fail(f"There is no book in {SITE}: run `make book` first.", pytrace=False)

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
PAGE_LIMIT = 300_000


@dataclass
class Visit:
    """An opened page, and what went wrong on the way."""

    page: Page
    name: str
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, origin: str) -> None:
        """Note what the page asks for and complains of; let nothing out."""

        def gate(route: Route) -> None:
            if route.request.url.startswith((origin, "data:", "blob:")):
                route.continue_()
            else:
                self.outside.append(route.request.url)
                route.abort()

        def listen(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.errors.append(message.text)

        self.page.route("**/*", gate)
        self.page.on("console", listen)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda request: self.failed.append(request.url))
        self.page.on(
            "response",
            lambda answer: answer.status >= 400 and self.failed.append(answer.url),
        )


@pytest.fixture(scope="module", params=["http", "file"])
def origin(request: pytest.FixtureRequest, origins: dict[str, str]) -> str:
    return origins[request.param]


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, origin: str) -> Iterator[Visit]:
    page = browser.new_page(viewport=DESK)
    opened = Visit(page, request.param)
    opened.watch(origin)
    page.goto(origin + request.param, wait_until="networkidle")
    yield opened
    page.close()


def test_front_page_leads_to_the_introduction(browser: Browser, origin: str) -> None:
    page = browser.new_page()
    page.goto(origin + "index.html")
    page.wait_for_url(origin + "book/intro.html")
    page.close()


def test_nothing_fails(visit: Visit) -> None:
    assert not visit.outside, "asked another host"
    assert not visit.failed
    assert not visit.errors


def test_has_one_heading(visit: Visit) -> None:
    headings = visit.page.locator("main h1:visible").all_inner_texts()
    assert len(headings) == 1 and headings[0].strip(" #")


def test_images_load_and_say_what_they_show(visit: Visit) -> None:
    images = visit.page.evaluate(
        """() => Promise.all([...document.images].map(async image => ({
            source: image.src.slice(0, 100),
            alt: image.alt.trim(),
            loaded: await image.decode().then(() => true, () => false),
        })))"""
    )
    for image in images:
        assert image["loaded"], image
        # Without a text of its own, a figure gets the name of its file.
        assert image["alt"] and not image["alt"].endswith((".png", ".svg", ".jpeg")), image


def test_players_have_sound(visit: Visit) -> None:
    durations = visit.page.evaluate(
        """() => Promise.all([...document.querySelectorAll('audio')].map(player =>
            new Promise(done => {
                player.addEventListener('canplaythrough', () => done(player.duration));
                player.addEventListener('error', () => done(0), true);
                setTimeout(() => done(0), 10000);
                player.preload = 'auto';
                player.load();
            })))"""
    )
    assert all(duration > 0 for duration in durations), durations


def test_maths_is_typeset(visit: Visit) -> None:
    formulas = visit.page.locator("article .math").count()
    if formulas:
        visit.page.wait_for_function("window.MathJax?.startup?.promise")
        visit.page.evaluate("MathJax.startup.promise")
    assert visit.page.locator("article .math mjx-container").count() == formulas
    assert visit.page.locator("[data-mjx-error]").count() == 0


def test_widgets_are_shown(visit: Visit) -> None:
    views = visit.page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
    shown = visit.page.locator(".widget-subarea > .jupyter-widgets")
    if views:
        shown.nth(views - 1).wait_for()
    assert shown.count() == views


def test_fits_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    visit.page.set_viewport_size(DESK)
    assert width <= PHONE["width"]


@pytest.mark.parametrize("name", ["differences", "made", "notation", "paths"])
def test_no_table_is_cut_on_a_phone(browser: Browser, origins: dict[str, str], name: str) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(f"{origins['file']}book/{name}.html")
    tables = page.locator(".pst-scrollable-table-container")
    assert tables.count()
    cut = "tables => tables.map(table => table.scrollWidth - table.clientWidth)"
    assert max(tables.evaluate_all(cut)) <= 1
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_size(name: str) -> None:
    assert (SITE / name).stat().st_size <= PAGE_LIMIT


def test_the_book_can_be_heard_and_seen() -> None:
    """The checks of players and pictures above have something to check."""
    text = "".join((SITE / name).read_text(encoding="utf-8") for name in PAGES)
    assert "<audio" in text
    assert "_images/" in text
