"""Pages on narrow screens: nothing sticks out, nothing covers another thing, and the name of what one looks at can be read."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage
from tests.studio.pages import segment_address

WIDE = "element => element.scrollWidth - element.clientWidth"
COVERED = """() => [...document.querySelectorAll(".rb-row")].filter(row => {
  const chip = row.querySelector(".chip").getBoundingClientRect();
  const count = document.createRange();
  count.selectNodeContents(row.querySelector(".rb-count"));
  const box = count.getBoundingClientRect();
  return box.left < chip.right && box.top < chip.bottom && box.bottom > chip.top;
}).length"""
STICKING_OUT = """() => [...document.querySelectorAll("main .card :is(table, .control, .button, p, .segmented)")].filter(part => {
  const outer = part.closest(".card").getBoundingClientRect(), box = part.getBoundingClientRect();
  const scrolls = getComputedStyle(part.closest(".card")).overflowX !== "visible";
  return box.width && !scrolls && !part.closest(".table-scroll, dialog, .menu-list") && box.right > outer.right + 1;
}).map(part => part.outerHTML.slice(0, 120))"""
PAGES = ("", "/rules", "/activations", "/profiles", "/details", "/history")


def _holds_together(page: Page) -> None:
    assert page.locator("html").evaluate(WIDE) <= 0, page.url
    assert page.evaluate(STICKING_OUT) == [], page.url
    assert page.get_by_role("heading", level=1).evaluate(WIDE) <= 0, page.url


@pytest.mark.parametrize("width", [1100, 390])
def test_the_name_is_read_whole_and_nothing_sticks_out(grown: RunningStudio, open_page: OpenPage, width: int) -> None:
    address = segment_address(grown, "Experiments/Offer")
    page = open_page(grown, address, role="marketer", width=width)
    for part in PAGES:
        page.goto(address + part)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("heading", level=1)).to_have_text("Offer")
        _holds_together(page)


@pytest.mark.parametrize(
    "path", ["/audiences/all-customers", "/audiences/all-customers/profiles", "/audiences/all-customers/segments/new", "/analytics"]
)
def test_other_pages_hold_together_on_a_phone(grown: RunningStudio, open_page: OpenPage, path: str) -> None:
    page = open_page(grown, path, role="marketer", width=390)
    _holds_together(page)
    assert page.locator(".row-name").evaluate_all("rows => rows.filter(row => row.clientWidth < 100).length") == 0


def test_counts_of_conditions_do_not_cover_their_kind(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, "Experiments/Offer") + "/rules", role="marketer", width=390)
    expect(page.locator(".rb-row .rb-count").first).not_to_be_empty()
    assert page.evaluate(COVERED) == 0


@pytest.mark.parametrize("path", ["/model", "/fields", "/refreshes", "/yaml"])
def test_pages_of_a_parent_segment_hold_together_on_a_phone(grown: RunningStudio, open_page: OpenPage, path: str) -> None:
    page = open_page(grown, f"/audiences/all-customers{path}", width=390)
    _holds_together(page)


@pytest.mark.parametrize(
    "path", ["/audiences/new-parent", "/sources/new", "/destinations", "/runs", "/settings/account", "/settings/users"]
)
def test_pages_of_engineers_and_admins_hold_together_on_a_phone(grown: RunningStudio, open_page: OpenPage, path: str) -> None:
    page = open_page(grown, path, width=390)
    _holds_together(page)
