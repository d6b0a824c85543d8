"""Pages with the widget, from a server and from a folder."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from et_lite import listening
from et_lite.listening.page import SCRIPT
from tests.browser.conftest import QuietHandler
from tests.browser.listening.widget import Widget, rendering, visit, write_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the widget beside its files, and one that holds everything."""
    folder = tmp_path_factory.mktemp("listening")
    clips = [rendering("one", "One"), rendering("two", "Two")]
    cards = [clip.write(folder / "sounds") for clip in clips]
    shutil.copy(SCRIPT, folder)
    script = f'<script src="{SCRIPT.name}"></script>'
    write_page(folder / "beside.html", listening.external(cards, "sounds/") + script)
    write_page(folder / "inside.html", listening.embedded(clips[0]).text)
    return folder


@pytest.fixture(scope="module", params=["http", "file"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "file":
        yield folder.as_uri() + "/"
        return
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Widget]:
    yield from visit(browser, address + "beside.html")


@pytest.fixture
def local(browser: Browser, folder: Path) -> Iterator[Widget]:
    """From a folder alone: for what does not depend on where the page comes from."""
    yield from visit(browser, (folder / "beside.html").as_uri())
