"""Pages as a browser sees them that never saw the studio: how much is sent, when something is shown, how much of it moves afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.load_studio import addresses
from bench.measured import median
from kohort.web.api.guard import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BAR_KB, BAR_CHARTS_KB, BAR_PAINT_MS = 100.0, 260.0, 500.0
VISITS = 3
WIDTH, HEIGHT = 1440, 900
SIGN_IN = "/login"
_SEEN = """() => new Promise(done => {
  const seen = {moved: 0, whole: Boolean(document.querySelector("main")), charts: Boolean(document.querySelector("e-chart")),
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null};
  const add = list => { for (const entry of list.getEntries()) seen.moved += entry.value; };
  new PerformanceObserver(add).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(seen), 100);
})"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One look with an empty cache. kilobytes: everything received, headers included; moved: the cumulative layout shift."""

    kilobytes: float
    painted_ms: float
    moved: float
    charts: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A page over some visits."""

    page: str
    visits: tuple[Visit, ...]

    @property
    def kilobytes(self) -> float:
        return max(visit.kilobytes for visit in self.visits)

    @property
    def bar_kilobytes(self) -> float:
        return BAR_CHARTS_KB if any(visit.charts for visit in self.visits) else BAR_KB

    @property
    def painted_ms(self) -> float:
        return median([visit.painted_ms for visit in self.visits])

    @property
    def slowest_ms(self) -> float:
        return max(visit.painted_ms for visit in self.visits)

    @property
    def moved(self) -> float:
        return max(visit.moved for visit in self.visits)

    @property
    def held(self) -> bool:
        return self.kilobytes <= self.bar_kilobytes and self.painted_ms <= BAR_PAINT_MS and self.moved == 0


def looked_at(browser: Browser, url: str, secret: str, places: Mapping[str, list[str]]) -> tuple[list[Seen], list[str]]:
    """Every page of the route table, and those that could not be measured. The server has seen each once before."""
    found, left_out = [], []
    pages = {page: paths[0] for page, paths in addresses(places).items()} | {SIGN_IN: SIGN_IN}
    for page, path in pages.items():
        signed_in = "" if page == SIGN_IN else secret
        first = visit(browser, url, path, signed_in)
        if first is None:
            left_out.append(page)
            continue
        again = (visit(browser, url, path, signed_in) for _ in range(VISITS))
        found.append(Seen(page, tuple(one for one in again if one is not None)))
    return found, left_out


def visit(browser: Browser, url: str, path: str, secret: str) -> Visit | None:
    """One look; None when there is no such page to look at, or only a part of one."""
    context = browser.new_context(base_url=url, viewport={"width": WIDTH, "height": HEIGHT})
    try:
        if secret:
            context.add_cookies([{"name": COOKIE, "value": secret, "url": url}])
        page = context.new_page()
        received = _received(page)
        answer = page.goto(path)
        if answer is None or answer.status != 200:
            return None
        _until_quiet(page)
        seen = page.evaluate(_SEEN)
        return Visit(sum(received) / 1000, seen["painted"], seen["moved"], seen["charts"]) if seen["whole"] else None
    finally:
        context.close()


def _received(page: Page) -> list[float]:
    """Bytes of every answer, while they arrive."""
    received: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")

    def add(event: dict[str, Any]) -> None:
        received.append(event["encodedDataLength"])

    session.on("Network.loadingFinished", add)
    return received


def _until_quiet(page: Page) -> None:
    """Until nothing more is asked for; a page that listens to events never is, and gets two seconds."""
    from playwright.sync_api import TimeoutError as NotQuiet

    try:
        page.wait_for_load_state("networkidle", timeout=2_000)
    except NotQuiet:
        page.wait_for_timeout(0)
