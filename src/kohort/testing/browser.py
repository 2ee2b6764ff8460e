"""A real browser for tests of pages: Debian's Chromium, driven by Playwright; every page fails on what a person would not see."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

_INSTALL_SECONDS = 300
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
]


class Unavailable(Exception):
    """There is no Chromium here and it could not be had; the text says why."""


def chromium() -> str:
    """Where Chromium is; Debian's package is installed where we may. Raises Unavailable with the reason."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable("Chromium is not installed (on Debian, as an administrator: apt-get install chromium)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update"], env=environment, capture_output=True, timeout=_INSTALL_SECONDS, check=False)
        command = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"Chromium could not be installed: {error}") from error
    found = shutil.which("chromium")
    if done.returncode != 0 or not found:
        raise Unavailable(f"Chromium could not be installed: {(done.stderr.strip().splitlines() or ['apt-get failed'])[-1]}")
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium without a window. Raises Unavailable."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """What went wrong on a page without being shown: errors on the console, of scripts, of the policy, requests elsewhere."""

    origin: str
    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        """Watch a page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"page error: {error}"))
        page.on("request", self._request)

    def allow(self, text: str) -> None:
        """A message that a test provokes, such as the status of a refused call."""
        self.expected.append(text)

    @property
    def problems(self) -> list[str]:
        """What was not expected."""
        return [item for item in self.found if not any(text in item for text in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob") and f"{where.scheme}://{where.netloc}" != self.origin:
            self.found.append(f"request to another place: {request.url}")


def main() -> None:
    """Make Chromium ready for the tests, or say plainly why those that need it will be skipped."""
    try:
        print(f"Chromium for the tests: {chromium()}")
    except Unavailable as error:
        print(f"The tests of the studio in a browser will be skipped: {error}")


if __name__ == "__main__":
    main()
