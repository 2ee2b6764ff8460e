"""Pages of a parent segment: model, fields, refreshes, YAML, a new one, and what is not there yet."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from kohort.services.refresh import refresh as refreshing
from kohort.services.sources.registry import NewSource, add_source
from kohort.testing.browser import Watch
from kohort.testing.studio import RunningStudio, running_studio
from tests.cli.workspaces import Desk
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import get, link, segment_address, words
from tests.studio.test_frame import layout_shift

BASE = "/audiences/all-customers"


@pytest.fixture(scope="module")
def begun(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """A second parent segment that was never refreshed, a third whose first refresh failed, and a personal column in the second."""
    folder = tmp_path_factory.mktemp("studio") / "begun"
    shutil.copytree(shop, folder)
    desk = Desk(folder)
    text = desk.parent_file.read_text("utf-8")
    new = text.replace("All Customers", "Beginners").replace("loyalty_tier, type: string", "loyalty_tier, type: string, visibility: pii")
    desk.write("parent_segments/beginners.yml", new)
    desk.write("parent_segments/broken.yml", text.replace("All Customers", "Broken").replace("table: metrics", "table: metrcs"))
    desk.ok("ps", "push")
    desk.refused("ps", "run", "Broken")
    with running_studio(folder) as running:
        yield running


# --- as text ------------------------------------------------------------------------------------------------------


def test_the_model_shows_tables_joins_and_what_was_taken_in(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/model", "viewer"))
    assert "shop.metrics" in text
    assert "customer_id = customer_id" in text
    assert "100% of customers" in text
    assert "daily at 03:00:00 (Asia/Tokyo) kept, not run: nothing starts by itself yet" in text


def test_fields_show_types_fill_and_values(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/fields", "viewer"))
    assert "loyalty_tier string 75.00% 3 Bronze, Gold, Silver" in text
    assert "Purchase shop.purchases" in text
    assert "email_open" in get(studio, f"{BASE}/fields?search=campaign")
    assert "No such field" in words(get(studio, f"{BASE}/fields?search=nothing"))


def test_a_field_has_its_distribution(studio: RunningStudio) -> None:
    part = get(studio, f"{BASE}/fields/one?field=lifetime_value", "viewer")
    assert "<html" not in part
    assert 'role="img" aria-label="Distribution of lifetime_value from 50.5 to' in part
    assert "Without a value 6 (10.00%)" in words(part)
    assert "there is no field" in words(get(studio, f"{BASE}/fields/one?field=nope")).lower()


def test_the_report_of_a_refresh_says_what_was_read(studio: RunningStudio) -> None:
    assert "Refresh 1 Success" in words(get(studio, f"{BASE}/refreshes"))
    text = words(get(studio, f"{BASE}/refreshes/1"))
    assert "shop.purchases" in text
    assert "Profiles 60" in text
    get(studio, f"{BASE}/refreshes/99", status=404)


def test_without_a_refresh_every_page_says_what_to_do(begun: RunningStudio) -> None:
    at = "/audiences/beginners"
    assert "Refresh now" in words(get(begun, f"{at}/profiles", "engineer"))
    assert "Refresh now" not in words(get(begun, f"{at}/profiles", "viewer"))
    assert "these are the fields that the tables promise" in words(get(begun, f"{at}/fields"))
    assert "Engineers may start one" in words(get(begun, f"{at}/refreshes", "viewer"))
    assert "figures appear after the first refresh" in words(get(begun, f"{at}/model"))
    assert "not in the last refresh" not in words(get(begun, f"{at}/model"))


@pytest.mark.parametrize("tab", ["", "/profiles", "/model", "/fields", "/refreshes", "/yaml"])
def test_every_tab_says_that_the_last_refresh_failed(begun: RunningStudio, tab: str) -> None:
    page = get(begun, f"/audiences/broken{tab}")
    assert "Not refreshed yet Last refresh failed" in words(page)
    assert link(page, "Last refresh failed").startswith("/audiences/broken/refreshes/")


def test_a_failed_refresh_lists_its_issues(begun: RunningStudio) -> None:
    assert "The first refresh failed" in words(get(begun, "/audiences/broken/profiles"))
    assert "The fields are not known yet" in words(get(begun, "/audiences/broken/fields"))
    text = words(get(begun, "/audiences/broken/refreshes/1"))
    assert "There is no table shop.metrcs" in text
    assert "TABLE_NOT_FOUND" in text
    assert 'Did you mean "shop.metrics"?' in text


def test_only_engineers_edit_and_add(studio: RunningStudio) -> None:
    assert "<yaml-editor" not in get(studio, f"{BASE}/yaml", "marketer")
    assert "lifetime_value" in get(studio, f"{BASE}/yaml", "marketer")
    assert "<yaml-editor" in get(studio, f"{BASE}/yaml", "engineer")
    get(studio, "/audiences/new-parent", "marketer", status=403)
    assert "shop.customers" in get(studio, "/audiences/new-parent/tables", "engineer")


# --- in a browser -------------------------------------------------------------------------------------------------


def test_a_refresh_is_watched_until_it_is_done(own_studio: RunningStudio, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, build = threading.Event(), refreshing._build

    def slow(run: Any, *rest: Any) -> Any:
        run.progress.step("Take in customers", 1, 9)
        go_on.wait(20)
        return build(run, *rest)

    monkeypatch.setattr(refreshing, "_build", slow)
    page = open_page(own_studio, f"{BASE}/refreshes", role="engineer")
    page.get_by_role("button", name="Refresh now").click()
    running = page.get_by_role("region", name="Running refresh")
    expect(running.get_by_text("Take in customers · step 2 of 9")).to_be_visible()
    expect(page.get_by_text("Refreshing", exact=True)).to_be_visible()
    go_on.set()
    expect(running).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("^Refresh 2 Success"))).to_be_visible()
    expect(page.get_by_role("status").get_by_text("The refresh of All Customers is done.")).to_be_visible()


def test_a_running_refresh_can_be_stopped(own_studio: RunningStudio, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    build = refreshing._build

    def slow(run: Any, *rest: Any) -> Any:
        for _ in range(400):
            run.progress.step("Take in customers", 1, 9)
            time.sleep(0.05)
        return build(run, *rest)

    monkeypatch.setattr(refreshing, "_build", slow)
    page = open_page(own_studio, f"{BASE}/refreshes", role="engineer")
    page.get_by_role("button", name="Refresh now").click()
    page.get_by_role("button", name="Stop").focus()
    page.wait_for_timeout(1500)
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name=re.compile("^Refresh 2 Stopped"))).to_be_visible()
    expect(page.get_by_text("Last refresh stopped")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("The refresh of All Customers was stopped.")).to_be_visible()
    expect(page.locator(".toast-bad")).to_have_count(0)


def test_what_is_done_with_the_keyboard_leaves_the_focus_where_it_was(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, f"{BASE}/refreshes", role="engineer")
    page.get_by_role("button", name="Evaluate segments").focus()
    page.evaluate("document.activeElement.dataset.before = ''")
    page.keyboard.press("Enter")
    expect(page.locator("[data-before]")).to_have_count(0)
    expect(page.get_by_role("button", name="Evaluate segments")).to_be_focused()
    page.get_by_role("button", name="Refresh now").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name=re.compile("^Refresh 2 Success"))).to_be_visible(timeout=30_000)
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")


def test_a_refresh_that_is_refused_at_once_is_in_the_history(begun: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("422")
    page = open_page(begun, "/audiences/broken/refreshes", role="engineer")
    before = page.get_by_role("row", name=re.compile("Failed")).count()
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_role("status").get_by_text("There is no table shop.metrcs")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Failed"))).to_have_count(before + 1)
    page.get_by_role("button", name="As of…").click()
    page.get_by_role("textbox", name="Instant").fill("2024-01-01")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name=re.compile("Failed"))).to_have_count(before + 2)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_field_opens_beside_the_list(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, f"{BASE}/fields", role="viewer")
    link = page.get_by_role("link", name="lifetime_value")
    link.focus()
    page.keyboard.press("Enter")
    side = page.get_by_role("region", name="Values of a field")
    expect(side.get_by_role("img", name="Distribution of lifetime_value")).to_be_visible()
    expect(side.get_by_role("heading", level=2)).to_be_focused()
    expect(page).to_have_url(re.compile("field=lifetime_value"))
    page.keyboard.press("Escape")
    expect(link).to_be_focused()


def test_a_mistake_in_the_definition_is_shown_with_its_line_and_then_saved(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, f"{BASE}/yaml", role="engineer")
    text = page.get_by_label("Definition as YAML")
    before = text.input_value()
    text.fill(before.replace("type: boolean", "type: bolean"))
    page.get_by_role("button", name="Save").click()
    line = before[: before.index("type: boolean")].count("\n") + 1
    expect(page.get_by_role("button", name=f"Line {line}", exact=True)).to_be_visible()
    expect(text).to_be_focused()
    text.fill(before.replace("Everybody who ever signed up", "All of them"))
    page.get_by_role("button", name="Check against the tables").click()
    expect(page.get_by_text("No issues.")).to_be_visible()
    expect(page.get_by_role("row", name="Metrics (attribute)")).to_contain_text("100%")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as version 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()


def test_somebody_elses_change_is_not_overwritten(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("412")
    page = open_page(own_studio, f"{BASE}/yaml", role="engineer")
    store, record = own_studio.kohort.store, own_studio.kohort.store.parents()[0]
    store.save_parent(record.name, record.slug, {**record.document, "description": "Theirs"}, by="ann", at=record.updated_at)
    text = page.get_by_label("Definition as YAML")
    text.fill(text.input_value().replace("Everybody who ever signed up", "Mine"))
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#yaml-issues")).to_contain_text(re.compile("changed", re.IGNORECASE))
    expect(text).to_have_value(re.compile("Mine"))


def test_a_new_parent_segment_is_added_from_yaml(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, "/audiences/new-parent", role="engineer")
    expect(page.get_by_text("shop.customers")).to_be_visible()
    definition = "name: Only Customers\nmaster:\n  database: shop\n  table: customers\n  key_column: customer_id\n"
    page.get_by_label("Definition as YAML").fill(definition.replace("table: customers", "table: custmers"))
    page.get_by_role("button", name="Check against the tables").click()
    expect(page.get_by_text("there is no table shop.custmers", exact=False)).to_be_visible()
    page.get_by_label("Definition as YAML").fill(definition)
    page.get_by_role("button", name="Add").click()
    expect(page).to_have_url(f"{own_studio.url}/audiences/only-customers/refreshes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Only Customers")


def test_a_new_parent_segment_begins_from_a_source(own_studio: RunningStudio, open_page: OpenPage) -> None:
    kohort = own_studio.kohort
    for name in ("Site", "Empty"):
        add_source(kohort.store, NewSource(name, ""), (), by="ann", clock=kohort.clock)
    with kohort.shared_warehouse.use() as warehouse:
        warehouse.execute("CREATE SCHEMA site")
        warehouse.execute("CREATE TABLE site.users AS SELECT 'u1' AS id, 'gold' AS plan")
    page = open_page(own_studio, "/audiences/new-parent", role="engineer")
    beginning = page.get_by_role("form", name="Begin from a source")
    beginning.get_by_label("Begin from the source").select_option("Empty")
    beginning.get_by_role("button", name="Write it").click()
    expect(page.get_by_role("alert").filter(has_text="has no tables yet")).to_be_visible()
    beginning.get_by_label("Begin from the source").select_option("Site")
    beginning.get_by_role("button", name="Write it").click()
    expect(page.get_by_label("Definition as YAML")).to_have_value(re.compile("table: users"))
    assert "kohort ps" not in page.get_by_label("Definition as YAML").input_value()
    expect(page).to_have_url(f"{own_studio.url}/audiences/new-parent?source=site&master=users")
    assert axe_violations(page) == []
    page.get_by_role("button", name="Add").click()
    expect(page).to_have_url(f"{own_studio.url}/audiences/site/refreshes")


def test_a_refresh_stands_for_the_instant_that_was_asked_for(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    page = open_page(own_studio, f"{BASE}/refreshes", role="engineer")
    page.get_by_role("button", name="As of…").click()
    dialog = page.get_by_role("dialog", name="Refresh as of an instant")
    assert axe_violations(page) == []
    watch.allow("422")
    dialog.get_by_label("Instant").fill("last tuesday")
    dialog.get_by_role("button", name="Refresh").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not an instant")
    dialog.get_by_label("Instant").fill("2024-02-01T00:00Z")
    dialog.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("2024-02-01 00:00 UTC", timeout=30_000)
    assert "As of…" not in get(own_studio, f"{BASE}/refreshes", "marketer")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(studio: RunningStudio, begun: RunningStudio, open_page: OpenPage, theme: str) -> None:
    members = f"{segment_address(studio, 'Experiments/Offer')}/profiles"
    paths = ["profiles", "model", "fields?field=lifetime_value", "refreshes", "refreshes/1", "yaml"]
    drawers = [f"{BASE}/profiles?profile=c004{view}" for view in ("", "&view=why&explain=Lifecycle/Lapsing", "&view=segments")]
    page = open_page(studio, "/audiences", theme=theme)
    for path in (members, *(f"{BASE}/{name}" for name in paths), *drawers, "/audiences/new-parent"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert layout_shift(page) < 0.001, path  # a cold browser may measure text again when a font arrives
        assert axe_violations(page) == [], path
    other = open_page(begun, "/audiences/broken/refreshes/1", theme=theme)
    assert axe_violations(other) == []
