"""A segment from nothing to its activations, by somebody who has a keyboard and no mouse."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage


def tab_to(page: Page, wanted: Locator, most: int = 60) -> None:
    """Press Tab until the wanted element has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            expect(wanted).to_be_focused()
            return
        page.keyboard.press("Tab")
    raise AssertionError(
        f"{most} times Tab do not reach it; the focus is at {page.evaluate('document.activeElement.outerHTML.slice(0, 200)')}"
    )


def test_create_preview_save_activate(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, "/audiences", role="marketer")
    keys = page.keyboard
    tab_to(page, page.get_by_role("main").get_by_role("link", name="All Customers"))
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("All Customers")
    tab_to(page, page.get_by_role("main").get_by_role("link", name="New segment"))
    keys.press("Enter")

    tab_to(page, page.get_by_label("Name", exact=True))
    keys.type("Golden")
    tab_to(page, page.get_by_role("combobox", name="Folder"))
    keys.type("Value")
    tab_to(page, page.get_by_role("button", name="Add attribute"))
    keys.press("Enter")
    keys.type("loyal")
    expect(page.get_by_role("option", name="Loyalty tier")).to_be_visible()
    keys.press("Enter")
    tab_to(page, page.get_by_role("combobox", name="Value of Loyalty tier"))
    keys.type("Gol")
    expect(page.get_by_role("option", name="Gold")).to_be_visible()
    keys.press("ArrowDown")
    keys.press("Enter")
    size = page.get_by_role("region", name="Audience size")
    expect(size.locator(".size-count")).to_have_text("15", timeout=60_000)
    expect(page.get_by_role("complementary", name="Preview").get_by_role("status")).to_contain_text("15 profiles")

    keys.press("Control+s")
    dialog = page.get_by_role("dialog", name="Create “Golden”")
    expect(dialog.get_by_label("Note")).to_be_focused()
    keys.type("By keyboard")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Golden", timeout=30_000)
    expect(page.get_by_text("As saved, version 1")).to_be_visible()

    tab_to(page, page.get_by_role("navigation", name="Parts of this segment").get_by_role("link", name="Activations"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="No activations")).to_be_visible()
    expect(page.get_by_role("navigation", name="Segments").get_by_role("link", name="Golden")).to_have_attribute("aria-current", "page")
