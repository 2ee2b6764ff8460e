"""Somebody who edits a rule: from the last key to the new total on the screen, and from a click to the new row of a long rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measured import median, percentile
from bench.studio_pages import HEIGHT, WIDTH
from kohort.bootstrap import Kohort
from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.definitions import ParentRecord
from kohort.rules.text import parse_rule
from kohort.segments.definition import Segment
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.stored import stored_document
from kohort.web.api.guard import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

BAR_NUMBER_MS, BAR_ROW_MS = 400.0, 100.0
EDITS, ROWS, LONG = 12, 12, 120
BETWEEN_KEYS_MS = 60
LOOK_MS = 10
SETTLE_MS = 100
"""Somebody looks at the button before pressing it: rows that are drawn where they are seen are drawn by then."""
KNOWN_NUMBER = "lifetime_value"
"""An attribute of the workspaces measured here whose values spread, so that totals change with what it is compared with."""
FOLDER = "Bench of the studio"
_WATCH = """() => {
  const state = {asked: 0, shown: 0, rows: 0};
  const painted = then => requestAnimationFrame(() => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(0);
  });
  const busy = () => document.querySelector(".editor-numbers")?.getAttribute("aria-busy") === "true";
  const rows = () => document.querySelectorAll("li.rb-item").length;
  for (const kind of ["keydown", "click", "change"])
    document.addEventListener(kind, event => { if (event.isTrusted) state.asked = event.timeStamp; }, true);
  let wasBusy = busy(), count = rows();
  new MutationObserver(() => {
    if (wasBusy !== busy()) { wasBusy = !wasBusy; if (!wasBusy) painted(() => { state.shown = performance.now(); }); }
    if (count !== rows()) { count = rows(); painted(() => { state.rows = performance.now(); }); }
  }).observe(document.querySelector("segment-editor"), {subtree: true, childList: true, attributes: true, attributeFilter: ["aria-busy"]});
  window.benchState = state;
}"""
_TOTAL = "document.querySelector('.size-count').textContent"
_IDLE = "document.querySelector('.editor-numbers')?.getAttribute('aria-busy') === 'false'"

Edit = Callable[["Page", int], None]


@dataclass(frozen=True, slots=True)
class Waited:
    """How long one kind of edit took, each time. changed: how often the total was another one than before."""

    kind: str
    milliseconds: tuple[float, ...]
    bar_ms: float
    changed: int = 0

    @property
    def median_ms(self) -> float:
        return median(list(self.milliseconds))

    @property
    def p95_ms(self) -> float:
        return percentile(list(self.milliseconds), 0.95)

    @property
    def held(self) -> bool:
        return self.p95_ms <= self.bar_ms


# --- what is edited ---------------------------------------------------------------------------------------------------


def save_short(kohort: Kohort, parent: ParentRecord) -> str:
    """A segment of three conditions that was not evaluated yet; the address of its rules."""
    catalog, numbers, behaviors = _fields(kohort, parent)
    texts = [field.name for field in catalog.attributes if field.type == "string" and field.name.isidentifier()]
    number = KNOWN_NUMBER if KNOWN_NUMBER in numbers else numbers[0]
    rule = f"{number} >= 1 and {behaviors[0]} count >= 1 in last 400 days and {texts[-1]} != 'bench'"
    return _saved(kohort, parent, catalog, "Short", rule)


def save_long(kohort: Kohort, parent: ParentRecord) -> str:
    """A segment of 120 conditions; the address of its rules."""
    catalog, numbers, behaviors = _fields(kohort, parent)
    rule = " or ".join(_condition(number, numbers, behaviors) for number in range(LONG))
    return _saved(kohort, parent, catalog, "Long", rule)


def _fields(kohort: Kohort, parent: ParentRecord) -> tuple[FieldCatalog, list[str], list[str]]:
    """(the fields, the attributes that are numbers, the behaviors)."""
    done = kohort.store.last_refresh(parent.id)
    if done is None:
        raise RuntimeError(f"{parent.name} was not refreshed")
    catalog = catalog_from_document(done.catalog)
    numbers = [field.name for field in catalog.attributes if field.type == "number" and field.name.isidentifier()]
    return catalog, numbers, [behavior.name for behavior in catalog.behaviors]


def _condition(number: int, numbers: list[str], behaviors: list[str]) -> str:
    """One of a long rule: an attribute, then a behavior, and so on, no two alike."""
    if number % 2:
        return f"{behaviors[number % len(behaviors)]} count >= {1 + number} in last {200 + number} days"
    return f"{numbers[number % len(numbers)]} > {number}"


def _saved(kohort: Kohort, parent: ParentRecord, catalog: FieldCatalog, name: str, text: str) -> str:
    rule, issues = parse_rule(text, catalog)
    issues.raise_if_errors()
    segment = Segment(name, FOLDER, rule)
    mark = segment_fingerprint(segment)
    saved = kohort.store.save_segment(
        parent.id, FOLDER, name, segment.kind, stored_document(segment), mark, by="bench", at=kohort.clock.now()
    )
    return f"/audiences/{parent.slug}/segments/{saved.id}/rules"


# --- edits ------------------------------------------------------------------------------------------------------------


def _row(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=re.compile(f"^Condition {number}:"))


def _typed(field: Locator, text: str) -> None:
    field.click()
    field.press("ControlOrMeta+a")
    field.press_sequentially(text, delay=BETWEEN_KEYS_MS)


def _threshold(page: Page, turn: int) -> None:
    _typed(_row(page, 1).get_by_role("spinbutton", name=re.compile("^Value of")), str(11 + turn))


def _times(page: Page, turn: int) -> None:
    _typed(_row(page, 2).get_by_role("spinbutton", name=re.compile("^Value of")), str(2 + turn))


def _window(page: Page, turn: int) -> None:
    _typed(_row(page, 2).get_by_role("spinbutton", name=re.compile("^Length of the window")), str(310 + turn))


def _match(page: Page, turn: int) -> None:
    page.get_by_role("group", name="Match of Rule", exact=True).get_by_role("button").nth(1 - turn % 2).click()


def _value(page: Page, turn: int) -> None:
    field = _row(page, 3).get_by_role("combobox", name=re.compile("^Value of"))
    field.click()
    page.get_by_role("listbox").get_by_role("option").nth(turn % 3).click()


KINDS: dict[str, Edit] = {
    "a number an attribute is compared with": _threshold,
    "how often something was done": _times,
    "in the last so many days": _window,
    "all or any of the conditions": _match,
    "a value chosen from those there are": _value,
}


def edited(browser: Browser, url: str, secret: str, address: str) -> list[Waited]:
    """Every kind of edit of a short rule, each to what nobody has asked for before."""
    page = _opened(browser, url, secret, address)
    return [_edits(page, kind, edit) for kind, edit in KINDS.items()]


def _edits(page: Page, kind: str, edit: Edit) -> Waited:
    spent, changed = [], 0
    for turn in range(EDITS):
        before = page.evaluate(_TOTAL)
        page.evaluate("benchState.shown = 0")
        edit(page, turn)
        _until(page, f"benchState.shown > benchState.asked && {_IDLE}")
        spent.append(float(page.evaluate("benchState.shown - benchState.asked")))
        changed += page.evaluate(_TOTAL) != before
    return Waited(kind, tuple(spent), BAR_NUMBER_MS, changed)


def rows_added(browser: Browser, url: str, secret: str, address: str) -> list[Waited]:
    """A row more at the end of a long rule; taken back each time."""
    page = _opened(browser, url, secret, address)
    return [_rows(page, kind, name) for kind, name in (("an attribute", "Add attribute"), ("a behavior", "Add behavior"))]


def _rows(page: Page, kind: str, name: str) -> Waited:
    spent = []
    for _ in range(ROWS):
        page.evaluate("benchState.rows = 0")
        adder = page.get_by_role("button", name=name, exact=True).last
        adder.scroll_into_view_if_needed()
        page.wait_for_timeout(SETTLE_MS)
        adder.click()
        _until(page, "benchState.rows > benchState.asked")
        spent.append(float(page.evaluate("benchState.rows - benchState.asked")))
        page.get_by_role("button", name="Undo", exact=True).click()
        _until(page, f"document.querySelectorAll('li.rb-item').length === {LONG} && {_IDLE}")
    return Waited(kind, tuple(spent), BAR_ROW_MS)


def _until(page: Page, condition: str) -> None:
    """Wait in the page itself, whose policy lets nothing else look at it."""
    look = f"new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, {LOOK_MS}); look(); }})"
    page.evaluate(look)


def _opened(browser: Browser, url: str, secret: str, address: str) -> Page:
    context = browser.new_context(base_url=url, viewport={"width": WIDTH, "height": HEIGHT})
    context.add_cookies([{"name": COOKIE, "value": secret, "url": url}])
    page = context.new_page()
    page.goto(address)
    _until(page, f"document.querySelector('li.rb-item') && {_IDLE}")
    page.evaluate(_WATCH)
    return page
