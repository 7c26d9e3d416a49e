"""Chromium, and a visit to the page of a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from builders.servers import Served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@contextmanager
def opened() -> Iterator[Browser]:
    """Run Chromium without a window, and yield it until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that is open, with everything that a browser complains about."""

    def __init__(self, browser: Browser, server: Served, path: str = "/", width: int = 1200, **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, locale=context.pop("locale", "en-US"), **context)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.outside: list[str] = []
        home = f"http://127.0.0.1:{server.port}/"
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda one: None if one.url.startswith((home, "data:", "blob:")) else self.outside.append(one.url))
        self.page.goto(home.rstrip("/") + path)
        self.page.wait_for_selector("#main .card, #main form, dialog, #main > div")

    def violations(self) -> list[tuple[str, str]]:
        """Return the findings of axe that are serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]

    def probabilities(self) -> dict[str, str]:
        """Return the probability of each class as it is shown."""
        rows = self.page.locator("section table.bars tbody tr")
        return {
            rows.nth(at).locator("td").nth(0).inner_text(): rows.nth(at).locator("td").nth(2).inner_text() for at in range(rows.count())
        }
