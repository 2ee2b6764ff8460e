"""The studio over an evaluated shop, in a real browser. A test fails on anything a person would not see: errors, policy, other origins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from kohort.testing.browser import Unavailable, Watch, open_browser
from kohort.testing.studio import RunningStudio, running_studio
from tests.cli.workspaces import make_workspace
from tests.studio.histories import evaluate_every_day

AXE = Path(__file__).parent / "vendor" / "axe.js"
OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each module: while it is open, nothing else in this process can run an event loop."""
    try:
        with open_browser() as found:
            yield found
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "shop"
    make_workspace(folder)
    return folder


@pytest.fixture(scope="module")
def studio(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """To look at; nobody may change its definitions."""
    folder = tmp_path_factory.mktemp("studio") / "looked-at"
    shutil.copytree(shop, folder)
    with running_studio(folder) as running:
        yield running


@pytest.fixture
def own_studio(shop: Path, tmp_path: Path) -> Iterator[RunningStudio]:
    """One of one's own, to change."""
    shutil.copytree(shop, tmp_path / "shop")
    with running_studio(tmp_path / "shop") as running:
        yield running


@pytest.fixture(scope="session")
def grown_shop(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that was evaluated every day for weeks."""
    folder = tmp_path_factory.mktemp("studio") / "grown"
    shutil.copytree(shop, folder)
    evaluate_every_day(folder)
    return folder


@pytest.fixture(scope="module")
def grown(grown_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """The same to look at; nobody may change its definitions."""
    folder = tmp_path_factory.mktemp("studio") / "looked-at"
    shutil.copytree(grown_shop, folder)
    with running_studio(folder) as running:
        yield running


@pytest.fixture
def own_grown(grown_shop: Path, tmp_path: Path) -> Iterator[RunningStudio]:
    """One of one's own, to change."""
    shutil.copytree(grown_shop, tmp_path / "grown")
    with running_studio(tmp_path / "grown") as running:
        yield running


@pytest.fixture
def watch() -> Watch:
    """What went wrong without being shown; `watch.allow(text)` for what a test provokes."""
    return Watch("")


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """open_page(studio, path, role="admin", theme="light"): a page as somebody sees it."""
    contexts = []

    def opened(
        studio: RunningStudio, path: str = "/", role: str = "admin", theme: str = "light", width: int = 1440, height: int = 900
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=studio.url, reduced_motion="reduce")
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.add_cookies(studio.cookies(role, theme))  # type: ignore[arg-type]
        page = context.new_page()
        watch.origin = studio.url
        watch.on(page)
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.problems == []


def axe_violations(page: Page) -> list[str]:
    """What axe finds wrong on a page, in words: rule, element, why."""
    page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
