"""The frame of every page: signing in, the tree, themes, problems."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from kohort.testing.browser import Watch
from kohort.testing.studio import PASSWORD, RunningStudio
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import segment_address

BASE = "/audiences/all-customers"


def test_somebody_signs_in_and_comes_to_the_page_they_wanted(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, BASE, role="")
    expect(page).to_have_url(f"{studio.url}/login?next={BASE}")
    page.get_by_label("E-mail address or name").fill("viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{studio.url}{BASE}")
    expect(page.get_by_role("heading", level=1)).to_have_text("All Customers")


def test_a_wrong_password_is_said_on_the_page(studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("401")
    page = open_page(studio, "/login", role="")
    page.get_by_label("E-mail address or name").fill("viewer")
    page.get_by_label("Password").fill("wrong horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).to_have_url(f"{studio.url}/login")


def test_signing_out_ends_the_session(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, BASE, role="viewer")
    page.get_by_text("You", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Kohort")
    page.goto(BASE)
    expect(page).to_have_url(f"{own_studio.url}/login?next={BASE}")


def test_the_tree_is_filtered_while_typing(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, BASE)
    lines = page.get_by_role("complementary", name="Segments").get_by_role("link").filter(visible=True)
    before = lines.count()
    page.get_by_label("Filter segments").fill("no such segment at all")
    expect(page.get_by_text("No segment has that in its path.")).to_be_visible()
    page.get_by_label("Filter segments").fill("")
    expect(lines).to_have_count(before)


def test_the_open_line_of_a_long_tree_is_in_view_and_the_tree_stays_where_one_leaves_it(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, segment_address(studio, "Value/VIP"), height=260)
    tree = page.locator("#tree")
    line = tree.locator('[data-path="Value/VIP"]')
    assert page.evaluate("document.getElementById('tree').scrollHeight > 400")
    expect(line).to_be_in_viewport(ratio=1)
    assert (page.evaluate("scrollY"), layout_shift(page)) == (0, 0)
    page.evaluate("document.getElementById('tree').scrollTop = 7")
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_role("link", name="Details")).to_have_attribute("aria-current", "page")
    assert page.evaluate("document.getElementById('tree').scrollTop") == 7
    expect(line).not_to_be_in_viewport()


def test_the_theme_is_kept(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, BASE)
    page.get_by_role("button", name="Theme").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_what_is_not_there_is_said_in_words(studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    page = open_page(studio, "/audiences/nothing-like-it")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    expect(page.get_by_text("PARENT_NOT_FOUND")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/login", "/audiences", BASE, "/audiences/nothing-like-it"])
def test_axe_finds_nothing(studio: RunningStudio, open_page: OpenPage, watch: Watch, path: str, theme: str) -> None:
    watch.allow("404")
    page = open_page(studio, path, role="" if path == "/login" else "admin", theme=theme)
    assert axe_violations(page) == []


def test_nothing_moves_while_a_page_loads(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, BASE)
    assert layout_shift(page) == 0


def layout_shift(page: Page) -> float:
    """How much of a page moved since it was opened, as browsers count it."""
    count = """() => new Promise(done => {
      let sum = 0;
      const add = list => { for (const entry of list.getEntries()) sum += entry.value; };
      new PerformanceObserver(add).observe({type: "layout-shift", buffered: true});
      setTimeout(() => done(sum), 100);
    })"""
    return float(page.evaluate(count))


@pytest.mark.parametrize("path", ["/audiences", "/runs", "/settings"])
def test_nothing_moves_while_a_page_arrives_at_a_slow_machine(studio: RunningStudio, open_page: OpenPage, path: str) -> None:
    page = open_page(studio, path)
    session = page.context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Emulation.setCPUThrottlingRate", {"rate": 10})
    page.reload()
    page.wait_for_load_state("networkidle")
    assert layout_shift(page) == 0
