"""Pages on narrow screens: nothing sticks out, nothing covers another thing, and the name of what one looks at can be read."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import segment_address
from tests.studio.test_frame import layout_shift

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


# --- the tree as a drawer -----------------------------------------------------------------------------------------


def test_the_tree_opens_and_closes_as_a_drawer_with_the_keyboard(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, "/audiences/all-customers", role="marketer", width=1000)
    tree, button = page.get_by_role("complementary", name="Segments"), page.get_by_role("button", name="Segments", exact=True)
    expect(tree).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Filter segments")).to_be_focused()
    page.keyboard.press("Escape")
    expect(tree).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Space")
    expect(tree).to_be_visible()
    assert layout_shift(page) == 0
    for _ in range(60):
        page.keyboard.press("Tab")
    expect(tree).to_be_hidden()


def test_a_segment_is_found_in_the_drawer(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, "/runs", role="engineer", width=390)
    tree, button = page.get_by_role("complementary", name="Segments"), page.get_by_role("button", name="Segments", exact=True)
    button.click()
    page.mouse.click(385, 500)
    expect(tree).to_be_hidden()
    button.click()
    tree.get_by_role("button", name="Close").click()
    expect(tree).to_be_hidden()
    button.click()
    page.keyboard.type("spend")
    expect(tree.locator("a[data-path]").filter(visible=True)).to_have_count(1)
    tree.get_by_role("link", name="Spenders").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Spenders")
    expect(tree).to_be_hidden()
    expect(page.get_by_role("main")).to_be_focused()
    button.click()
    expect(tree.get_by_role("link", name="Spenders")).to_have_attribute("aria-current", "page")


def test_there_is_no_drawer_where_the_tree_has_a_place(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, "/audiences/all-customers", width=800)
    tree, button = page.get_by_role("complementary", name="Segments"), page.get_by_role("button", name="Segments", exact=True)
    button.click()
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(tree).to_be_visible()
    expect(button).to_be_hidden()
    assert page.evaluate("document.querySelector('#tree').matches(':popover-open')") is False
    box, content = tree.bounding_box(), page.get_by_role("main").bounding_box()
    assert box is not None
    assert content is not None
    assert box["x"] + box["width"] <= content["x"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_with_the_drawer_open(grown: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(grown, segment_address(grown, "Value/VIP"), theme=theme, width=390)
    page.get_by_role("button", name="Segments", exact=True).click()
    assert axe_violations(page) == []


# --- tabs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", ["Dashboard", "Profiles", "History"])
def test_the_open_tab_is_in_view(grown: RunningStudio, open_page: OpenPage, tab: str) -> None:
    address = segment_address(grown, "Value/VIP") + ("" if tab == "Dashboard" else f"/{tab.lower()}")
    page = open_page(grown, address, width=390, height=600)
    expect(page.locator(".tabs").get_by_role("link", name=tab)).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("scrollY") == 0
    assert layout_shift(page) == 0


def test_the_tab_one_goes_to_is_in_view(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, "Value/VIP"), width=390)
    page.locator(".tabs").get_by_role("link", name="Details").click()
    expect(page.locator(".tabs").get_by_role("link", name="Details")).to_have_attribute("aria-current", "page")
    expect(page.locator(".tabs").get_by_role("link", name="Details")).to_be_in_viewport(ratio=0.9)
