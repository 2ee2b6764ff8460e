"""Sources: the list, a new source with its key, its calls as they arrive, its tables, keys and switches."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from playwright.sync_api import Page, expect

from kohort.bootstrap import Kohort
from kohort.testing.server import RunningServer, make_sources, running_server
from kohort.testing.studio import PASSWORD, RunningStudio
from kohort.web.api.guard import COOKIE
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.test_frame import layout_shift


class LiveStudio(RunningStudio):
    """The studio of a server that takes calls, too."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(cast("Kohort", None), server.api_url)
        self.server = server
        with httpx.Client(base_url=self.url, timeout=60) as client:
            client.post("/api/v1/setup", json={"secret": server.setup_secret, "name": "admin", "password": PASSWORD})
            self.sessions["admin"] = client.cookies[COOKIE]
            client.post("/api/v1/users", json={"name": "viewer", "role": "viewer", "password": PASSWORD})
            client.post("/api/v1/login", json={"name": "viewer", "password": PASSWORD})
            self.sessions["viewer"] = client.cookies[COOKIE]

    def send(self, key: str, *calls: dict[str, object]) -> None:
        answer = httpx.post(f"{self.server.url}/v1/batch", json={"batch": calls}, auth=(key, ""), timeout=30)
        assert answer.status_code == 200


@pytest.fixture(scope="module")
def live(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStudio]:
    folder = tmp_path_factory.mktemp("live") / "shop"
    shutil.copytree(shop, folder)
    with running_server(folder, make_sources(folder, ("Mobile App", "Till", "Kiosk"))) as server:
        yield LiveStudio(server)


def order(number: int, **changes: object) -> dict[str, object]:
    call = {"type": "track", "event": "Order Completed", "userId": f"u{number}", "messageId": f"m{number}", "properties": {"total": number}}
    return {name: value for name, value in (call | changes).items() if value is not None}


def watch_source(page: Page, name: str) -> None:
    """To the live view of a source, from the list: it never stops loading, so it cannot be waited for."""
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()


def shown_key(page: Page) -> str:
    place = page.get_by_label("Write key", exact=True)
    expect(place).to_have_text(re.compile(r"\w{32}"))
    return place.inner_text()


def test_from_a_new_source_to_its_first_calls(live: LiveStudio, open_page: OpenPage) -> None:
    page = open_page(live, "/sources")
    page.get_by_role("link", name="New source").click()
    page.get_by_placeholder("Web Shop").fill("Web Shop")
    page.keyboard.press("Enter")
    key = shown_key(page)
    expect(page.get_by_text(f"-u {key}:")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("link", name="Watch its calls arrive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Web Shop")
    expect(page.get_by_text("Quiet", exact=True)).to_be_visible()
    expect(page.get_by_text("No call has arrived lately.")).to_be_visible()

    _retry(
        lambda: live.send(key, order(1), order(2, userId=None), {"type": "page", "name": "Home", "anonymousId": "a1", "messageId": "p1"})
    )
    rows = page.locator("live-events summary")
    expect(rows).to_have_count(3)
    taken = rows.filter(has_text="Order Completed")
    expect(taken).to_contain_text('{"total":1}')
    expect(taken).to_contain_text("u1")
    rejected = rows.filter(has_text="Rejected")
    expect(rejected).to_contain_text("no_user_anon_id")
    expect(rejected).to_contain_text("neither")
    taken.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text('"messageId": "m1"')).to_be_visible()

    page.get_by_label("Filter events").fill("no_user")
    expect(rows).to_have_count(1)
    page.get_by_label("Filter events").fill("")
    page.get_by_role("button", name="Pause").click()
    live.send(key, order(3))
    expect(page.get_by_role("status").filter(has_text="Paused, 1 new")).to_be_visible()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Resume").click()
    expect(rows).to_have_count(4)
    assert axe_violations(page) == []
    assert key not in page.content()

    page.get_by_role("link", name="Tables").click()
    expect(page.get_by_role("heading", name="Rejected calls")).to_be_visible()
    row = page.get_by_role("row", name="web_shop.order_completed")
    for _ in range(50):  # tables are behind by a second or so
        if row.count():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(row).to_be_visible()
    expect(page.get_by_role("region", name="Rejected calls").get_by_text("no_user_anon_id").first).to_be_visible()
    page.get_by_role("link", name="Sources").first.click()
    expect(page.get_by_role("row", name="Web Shop").get_by_text("Receiving")).to_be_visible()


def test_a_new_key_an_ended_one_and_a_disabled_source(live: LiveStudio, open_page: OpenPage) -> None:
    page = open_page(live, "/sources/mobile_app/keys")
    old = live.server.write_key
    page.get_by_role("button", name="New key").click()
    page.get_by_role("button", name="Make the key").click()
    new = shown_key(page)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row", name=f"••••{old[-4:]}")).to_contain_text("Valid until")
    page.get_by_role("button", name=f"Revoke the key {old[-4:]}").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("row", name=f"••••{old[-4:]}")).to_contain_text("Ended")
    assert new not in page.content()
    page.get_by_label("Requests a second").fill("500")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text="by admin")).to_be_visible()
    expect(page.get_by_label("Requests a second")).to_have_value("500")
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable").last.click()
    expect(page.get_by_text("Disabled", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("Quiet", exact=True)).to_be_visible()


def test_figures_follow_what_arrives_without_a_reload(live: LiveStudio, open_page: OpenPage) -> None:
    page = open_page(live, "/sources")
    row = page.get_by_role("row", name="Till")
    calls = row.get_by_role("cell").nth(3)
    before = int(calls.inner_text())
    page.get_by_role("link", name="Till", exact=True).focus()
    live.send(live.server.write_keys["Till"], order(91), order(92, userId=None))
    expect(calls).to_have_text(str(before + 2), timeout=15_000)
    expect(page.get_by_role("link", name="Till", exact=True)).to_be_focused()
    watch_source(page, "Till")
    expect(page.get_by_text("Receiving", exact=True)).to_be_visible()
    received = page.locator(".kpi", has_text="Calls received")
    live.send(live.server.write_keys["Till"], order(93))
    expect(received).to_contain_text(str(before + 3), timeout=15_000)
    expect(page.locator("live-events summary").filter(has_text="u93")).to_be_visible()


def test_another_name_other_rules_of_identity_and_the_end_of_a_source(live: LiveStudio, open_page: OpenPage) -> None:
    page = open_page(live, "/sources/kiosk/identity")
    expect(page.get_by_text("They are the rules of every source")).to_be_visible()
    page.get_by_role("button", name="Add a type").click()
    row = page.locator("[data-type-row]").last
    row.get_by_label("Type of id").fill("shop_id")
    row.get_by_label("Ids a profile").fill("2")
    row.get_by_label("Within").select_option("monthly")
    row.get_by_label("Key of the trait or property").fill("shopId")
    page.get_by_label("Most trusted first").fill("user_id, shop_id")
    page.locator("[name=blocked]").fill("anonymous\ntest-user")
    page.get_by_label("as a pattern").fill("test-.*")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("They are rules of this source")).to_be_visible()
    saved = page.request.get("/api/v1/sources/kiosk/identity").json()
    assert saved["limits"] == {"shop_id": {"count": 2, "period": "monthly"}, "user_id": {"count": 1, "period": "ever"}}
    assert (saved["custom"], saved["priority"]) == ({"shop_id": "shopId"}, ["user_id", "shop_id"])
    assert (saved["blocked"], saved["blocked_pattern"], saved["left_out"]) == (["anonymous", "test-user"], "test-.*", ["group_id"])
    assert axe_violations(page) == []
    page.get_by_role("button", name="Remove shop_id").click()
    page.get_by_role("button", name="Back to the rules of every source").click()
    page.get_by_role("button", name="Go back", exact=True).click()
    expect(page.get_by_text("They are the rules of every source")).to_be_visible()
    assert page.request.get("/api/v1/sources/kiosk/identity").json()["own"] is False

    page.get_by_role("link", name="Keys and settings").click()
    page.get_by_role("textbox", name=re.compile("^Name")).fill("Kiosks")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kiosks")
    expect(page.get_by_role("button", name="Remove this source")).to_be_disabled()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable").last.click()
    page.get_by_role("button", name="Remove this source").click()
    page.get_by_label("Drop its").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sources")
    expect(page.get_by_role("link", name="Kiosks")).to_have_count(0)
    [entry] = page.request.get("/api/v1/audit?object=kiosk&limit=1").json()["items"]
    assert (entry["action"], entry["detail"]) == ("source.remove", "with its tables")


def test_a_viewer_sees_which_calls_arrive_but_no_values(live: LiveStudio, open_page: OpenPage) -> None:
    live.send(live.server.write_keys["Till"], order(7))
    page = open_page(live, "/sources", role="viewer")
    expect(page.get_by_role("link", name="New source")).to_have_count(0)
    watch_source(page, "Till")
    row = page.locator("live-events summary").filter(has_text="Order Completed").first
    expect(row).to_contain_text('{"total":"•••"}')
    expect(page.get_by_text("Values are shown to engineers and admins.")).to_be_visible()
    expect(page.get_by_role("button", name="Disable")).to_have_count(0)
    page.goto("/sources/till")
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    assert layout_shift(page) == 0
    page.get_by_role("link", name="Identity").click()
    expect(page.get_by_role("cell", name="group_id")).to_be_visible()
    expect(page.get_by_role("textbox", name="Type of id")).to_have_count(0)
    page.get_by_role("link", name="Keys and settings").click()
    expect(page.get_by_role("heading", name="Write keys")).to_be_visible()
    expect(page.get_by_role("button", name="Remove this source")).to_have_count(0)
    expect(page.get_by_role("button", name="New key")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(live: LiveStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(live, "/sources", theme=theme)
    assert axe_violations(page) == []
    for path in ("/sources/new", "/sources/mobile_app/tables", "/sources/mobile_app/keys", "/sources/mobile_app/identity", "/destinations"):
        page.goto(path)
        assert axe_violations(page) == [], path
    page.goto("/sources")
    watch_source(page, "Mobile App")
    assert axe_violations(page) == []


def test_pages_of_a_source_hold_together_on_a_phone(live: LiveStudio, open_page: OpenPage) -> None:
    page = open_page(live, "/sources", width=390)
    for path in ("", "/mobile_app", "/mobile_app/tables", "/mobile_app/keys", "/mobile_app/identity"):
        page.goto(f"/sources{path}")
        assert page.locator("html").evaluate("element => element.scrollWidth - element.clientWidth") <= 0, path


def test_without_a_source_the_list_says_what_one_is(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, "/sources", role="viewer")
    expect(page.get_by_role("heading", name="No source yet")).to_be_visible()
    expect(page.get_by_text("Engineers and admins add sources.")).to_be_visible()


def _retry(send: Callable[[], None]) -> None:
    """The server that takes calls learns of new keys within seconds."""
    for _ in range(60):
        try:
            send()
        except AssertionError:
            time.sleep(0.2)
        else:
            return
    send()
