"""The Chromium that tests read pages in: an installed one, with a profile of its own and no network talk.

It is looked for in ``LIVE_TRAFFIC_TEST_CHROMIUM``, then on the path. Without one the tests are skipped,
or fail where ``REQUIRE_SERVERS=1``.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_GIVEN = os.environ.get("LIVE_TRAFFIC_TEST_CHROMIUM")
"""Read once: tests run without settings of ours in the environment."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """The program's path."""
    found = _GIVEN or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is not None:
        return found
    why = "no Chromium on the path; LIVE_TRAFFIC_TEST_CHROMIUM names one"
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@contextmanager
def started() -> Iterator[Browser]:
    """A headless Chromium, which ends with the block."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seen:
    """A page, and everything that it said or asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """What a person reads there, with single blanks."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def values(self, selector: str) -> list[str]:
        """The exact values there, in order."""
        return self.page.eval_on_selector_all(
            f"{selector} data", "found => found.map(e => e.getAttribute('value'))"
        )


@contextmanager
def opened(browser: Browser, path: Path, **context: object) -> Iterator[Seen]:
    """A page opened from disk, drawn to its end."""
    within: BrowserContext = browser.new_context(**context)  # type: ignore[arg-type]
    seen = Seen(within.new_page())
    seen.page.on("console", lambda message: seen.said.append(f"{message.type}: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    seen.page.on("dialog", lambda dialog: (seen.said.append("dialog"), dialog.dismiss()))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    try:
        seen.page.goto(path.as_uri())
        seen.page.wait_for_selector("html[data-ready=yes]", state="attached")
        yield seen
    finally:
        within.close()
