"""Pages that the product made, opened over file:// in headless Chromium, and watched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support import pages
from support.pages import Made

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)

Visit = Callable[..., Page]


# Of a module, not of the session: while it is open, playwright's event loop is the thread's own,
# and tests elsewhere may want one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def made(shared_folder: Path) -> Callable[[str], Made]:
    """The page of a name, made once for all workers."""
    folder = shared_folder / "pages"
    folder.mkdir(exist_ok=True)
    found: dict[str, Made] = {}

    def get(name: str) -> Made:
        if name == "published" and not pages.PUBLISHED:
            pytest.skip("VALUEBIAS_PUBLISHED_DATA is not set")
        if name not in found:
            found[name] = pages.make(name, folder)
        return found[name]

    return get


@pytest.fixture(params=list(pages.PAGES))
def page_made(
    request: pytest.FixtureRequest, browser: Browser, made: Callable[[str], Made]
) -> Made:
    """Each page in turn; ``browser`` first, for without one none need be made."""
    found = made(request.param)
    return found


class Watch:
    """What a page asked for besides itself, and what its console was told."""

    def __init__(self, page: Page, url: str) -> None:
        self.seen: list[str] = []
        page.on("request", lambda r: self._requested(r.url, url))
        page.on("console", lambda m: self._told(m.type, m.text))
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))

    def _requested(self, asked: str, url: str) -> None:
        if asked.partition("#")[0] != url and not asked.startswith("data:"):
            self.seen.append(f"request: {asked[:200]}")

    def _told(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.seen.append(f"console, {kind}: {text}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a page; at the end none may have asked for anything, nor have told its console of an
    error. ``expected`` are the beginnings of what it may tell after all."""
    watches: list[tuple[Watch, tuple[str, ...]]] = []
    contexts = []

    def open_page(
        path: Path, *, expected: tuple[str, ...] = (), width: int = 1280, **look: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **look)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        watches.append((Watch(page, path.as_uri()), expected))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    for watch, expected in watches:
        assert [line for line in watch.seen if not line.startswith(expected or "\0")] == []
        assert all(any(line.startswith(x) for line in watch.seen) for x in expected), watch.seen
