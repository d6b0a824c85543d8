"""Chromium over the built book. As a program: say where Chromium is, or fail (`make browser`)."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"


def chromium() -> str | None:
    """The first Chromium there is: the one named, the system's, or Playwright's own."""
    if named := os.environ.get("ET_CHROMIUM"):
        return shutil.which(named)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and does not tell of each."""

    def log_message(self, *args: object) -> None:
        """The tests look at failed requests in the browser."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.fail("No Chromium: run `make browser`, or name its program in ET_CHROMIUM.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            # What slips past the tests' own gate finds no host; Chromium's own errands stay home.
            args=[
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
            ],
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def origins() -> Iterator[dict[str, str]]:
    """Where the site starts, as a server gives it and as a folder does."""
    handler = partial(QuietHandler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"http": f"http://127.0.0.1:{server.server_port}/", "file": SITE.as_uri() + "/"}
        server.shutdown()


if __name__ == "__main__":
    path = chromium()
    print(path or "No Chromium found.")
    sys.exit(path is None)
