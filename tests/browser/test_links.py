"""Links inside the built book lead somewhere, to the very heading that they name."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.browser

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGES = sorted(p for p in SITE.rglob("*.html") if "_static" not in p.parts)
# The theme's search page has a link to its own empty place.
IDLE = {"#"}


class Anchors(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, and addresses of links."""
        given = dict(attrs)
        self.places |= {value for key in ("id", "name") if (value := given.get(key))}
        if tag == "a" and (address := given.get("href")):
            self.links.add(address)


@cache
def anchors(page: Path) -> Anchors:
    parser = Anchors()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SITE).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in anchors(page).links - IDLE:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            continue  # `make links` follows these
        target = (page.parent / unquote(address.path)).resolve() if address.path else page
        place = unquote(address.fragment) if target.suffix == ".html" else ""
        if not target.is_file() or (place and place not in anchors(target).places):
            lost.append(link)
    assert lost == []


def test_there_is_a_page_for_wrong_addresses_and_a_map() -> None:
    assert (SITE / "404.html").is_file()
    listed = (SITE / "sitemap.xml").read_text(encoding="utf-8")
    assert "book/intro.html</loc>" in listed and "notebooks/01_latents.html</loc>" in listed
    card = '<meta property="og:image" content="'
    opening = (SITE / "book" / "intro.html").read_text(encoding="utf-8")
    _, found, rest = opening.partition(card)
    image = rest.partition('"')[0].rpartition("_static/")[2]
    assert found and (SITE / "_static" / image).is_file()
