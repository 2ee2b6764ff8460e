"""What goes wrong while somebody edits a segment is said in words, and nothing they wrote is lost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from kohort.services.definitions.save import delete_segment
from kohort.services.definitions.stored import require_parent
from kohort.testing.browser import Watch
from kohort.testing.studio import RunningStudio
from kohort.web.api.guard import COOKIE
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import get, words
from tests.studio.test_segment_editor import BASE, rules_of, size, stored

LONG = "A-name-without-a-space-" + "x" * 170


def edit(page: Page, value: str) -> None:
    page.get_by_label("Value of Lifetime value").fill(value)


def value(page: Page) -> Any:
    return page.get_by_label("Value of Lifetime value")


def test_somebody_deletes_the_segment_meanwhile(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    store = own_studio.kohort.store
    page = open_page(own_studio, rules_of(own_studio, "Lifecycle/Deep/Active VIP"), role="marketer")
    page.get_by_label("Description").fill("Mine")
    gone = stored(own_studio, "Lifecycle/Deep/Active VIP")
    delete_segment(store, require_parent(store, "all-customers"), gone.id, revision=None)
    page.get_by_label("Description").fill("Mine, and more")
    expect(page.get_by_role("alert")).to_contain_text("Somebody deleted this segment. What you have here is not lost")
    expect(page.get_by_label("Description")).to_have_value("Mine, and more")
    page.keyboard.press("Control+s")
    page.get_by_role("dialog", name="Create “Active VIP”").get_by_role("button", name="Create").click()
    expect(page.get_by_text("As saved, version 1")).to_be_visible()
    assert stored(own_studio, "Lifecycle/Deep/Active VIP").document["description"] == "Mine, and more"
    assert stored(own_studio, "Lifecycle/Deep/Active VIP").id != gone.id


def test_the_session_ends(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("401")
    page = open_page(own_studio, rules_of(own_studio, "Value/VIP"), role="marketer")
    expect(size(page)).to_have_text("8")
    kept = page.context.cookies()
    page.context.clear_cookies(name=COOKIE)
    edit(page, "2500")
    expect(page.get_by_role("alert")).to_contain_text("You are signed out. Nothing here is lost.")
    expect(page.get_by_role("link", name="Sign in in another tab")).to_have_attribute("target", "_blank")
    expect(value(page)).to_have_value("2500")
    assert axe_violations(page) == []
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(size(page)).to_have_text("2")
    page.keyboard.press("Control+s")
    page.get_by_role("dialog").get_by_role("button", name="Save new version").click()
    expect(page.get_by_text("As saved, version 2")).to_be_visible()


def test_the_server_is_away_for_a_while(studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("net::ERR_FAILED")
    page = open_page(studio, rules_of(studio, "Value/VIP"))
    expect(size(page)).to_have_text("8")
    page.route("**/api/**", lambda route: route.abort())
    edit(page, "2500")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Nothing here is lost")
    page.unroute("**/api/**")
    expect(size(page)).to_have_text("2")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_rules_are_written_before_the_first_refresh(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("409")
    store = own_studio.kohort.store
    known = store.parents()[0]
    store.save_parent("Beginners", "beginners", {**known.document, "name": "Beginners"}, by="ann", at=known.updated_at)
    assert "Beginners has no profiles yet: its first refresh brings them." in words(get(own_studio, "/audiences/beginners"))
    page = open_page(own_studio, "/audiences/beginners/segments/new", role="marketer")
    expect(page.get_by_role("alert")).to_contain_text("they are counted after the first refresh")
    expect(page.get_by_text("Not counted")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("First")
    page.keyboard.press("Control+s")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First")


@pytest.mark.parametrize("page_of_it", ["", "/rules", "/profiles", "/details"])
def test_long_names_stay_within_their_place(own_studio: RunningStudio, open_page: OpenPage, page_of_it: str) -> None:
    page = open_page(own_studio, f"{BASE}/new", role="marketer")
    made = page.request.post(
        "/api/v1/parents/all-customers/segments",
        data={
            "definition": {
                "name": LONG,
                "folder": "/".join(f"Level {number}" for number in range(9)),
                "ab_test": {"variants": [{"name": "A", "ratio": 50}, {"name": "B" * 60, "ratio": 50}]},
            }
        },
    ).json()
    for path in (f"{BASE}/{made['id']}{page_of_it}", "/audiences/all-customers"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        wide = "element => element.scrollWidth - element.clientWidth"
        assert page.locator("html").evaluate(wide) <= 0, path
        assert page.get_by_role("main").evaluate(wide) <= 0, path
    assert page.locator("#found .table-scroll").evaluate(wide) <= 0
