"""The Dashboard of a segment: its figures, charts, and the parts that come after the page."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from kohort.services.evaluation.evaluate import open_engine
from kohort.services.insight.forecast import forecast
from kohort.services.membership.history import daily_moves, segment_history
from kohort.testing.studio import RunningStudio
from kohort.web.studio.formats import change_text, growth_text
from tests.cli.workspaces import CUSTOMERS
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.histories import DAYS, change_rule
from tests.studio.pages import get, link, segment_address, words
from tests.studio.test_frame import layout_shift

ACTIVE = "Lifecycle/Active"


def history(studio: RunningStudio, path: str = ACTIVE, days: int = 90) -> Any:
    kohort = studio.kohort
    return segment_history(kohort.store, kohort.snapshots, kohort.store.parents()[0], path, days=days)


def charts(html: str) -> list[Any]:
    """The figures of every chart of a page."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', html, re.S)]


def part(studio: RunningStudio, path: str) -> str:
    """A part as a page asks for it."""
    cookies = {cookie["name"]: cookie["value"] for cookie in studio.cookies("viewer")}
    answer = httpx.get(studio.url + path, cookies=cookies, headers={"HX-Request": "true"}, timeout=60)
    assert answer.status_code == 200
    return answer.text


# --- figures ------------------------------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_history(grown: RunningStudio) -> None:
    page = get(grown, segment_address(grown, ACTIVE), "viewer")
    known, said = history(grown), words(page)
    month = next(item for item in known.growth if item.days == 30)
    week = daily_moves(known)[-7:]
    entered, left = sum(day.entered or 0 for day in week), sum(day.left or 0 for day in week)
    assert f"Profiles {known.days[-1].population} " in said
    assert f"30-day growth {growth_text(month.ratio)} {change_text(month.change)} profiles" in said
    assert f"Entered / left (7 d) {change_text(entered)} / {change_text(-left)} net {change_text(entered - left)}" in said
    assert f"of {CUSTOMERS} profiles" in said


def test_the_population_of_the_days_that_are_asked_for(grown: RunningStudio) -> None:
    address = segment_address(grown, ACTIVE)
    for days in (30, 365):
        population = charts(get(grown, f"{address}?days={days}"))[0]
        known = history(grown, days=days)
        assert population["labels"] == [day.day.isoformat() for day in known.days[-days:]]
        assert population["series"][0]["values"] == [day.population for day in known.days[-days:]]
    assert len(charts(get(grown, f"{address}?days=30"))[0]["labels"]) == 30
    assert len(charts(get(grown, f"{address}?days=365"))[0]["labels"]) == DAYS + 1


def test_entries_and_exits_add_up(grown: RunningStudio) -> None:
    population, moves = charts(get(grown, f"{segment_address(grown, ACTIVE)}?days=30"))
    sizes = dict(zip(population["labels"], population["series"][0]["values"], strict=True))
    entered, left = (series["values"] for series in moves["series"])
    for place, day in enumerate(moves["labels"][1:], 1):
        assert sizes[day] - sizes[moves["labels"][place - 1]] == entered[place] - left[place]


def test_the_first_day_knows_nobody_who_came(studio: RunningStudio) -> None:
    said = words(get(studio, segment_address(studio, ACTIVE)))
    assert "Entered / left (7 d) – / – known from the second day on" in said
    assert "30-day growth – it was not evaluated 30 days before" in said
    assert "There has to be a second evaluation" in said


def test_a_variant_has_figures_of_its_own(grown: RunningStudio) -> None:
    address = segment_address(grown, "Experiments/Offer")
    whole, variant = get(grown, address), get(grown, f"{address}?variant=A-Offer")
    assert "A-Offer" in words(whole)
    assert "40.00%" in words(whole)
    assert charts(variant)[0]["series"][0]["values"][-1] < charts(whole)[0]["series"][0]["values"][-1]
    assert re.search(r"A-Offer Batch Variant Evaluated .* profiles · [\d.]+% of [\d,]+ total profiles in Offer", words(variant))
    assert link(variant, "Profiles").endswith("/profiles?variant=A-Offer")
    assert link(variant, "Offer") == address
    assert re.findall(r'aria-current="page" data-path="([^"]*)"', variant) == ["Experiments/Offer/A-Offer"]
    assert re.findall(r'aria-current="page" data-path="([^"]*)"', whole) == ["Experiments/Offer"]
    get(grown, f"{address}?variant=C-Offer", status=404)


def test_what_was_never_evaluated_says_so(own_studio: RunningStudio) -> None:
    address = segment_address(own_studio, ACTIVE)
    change_rule(own_studio.kohort, ACTIVE, "purchase in last 10 days")
    assert "These figures are of an older version" in words(get(own_studio, address))
    store = own_studio.kohort.store
    record = next(found for found in store.segments(store.parents()[0].id) if found.path == ACTIVE)
    store.save_segment(record.parent_id, "", "New", "batch", record.document, "x", by="bob", at=own_studio.kohort.clock.now())
    new = segment_address(own_studio, "New")
    assert "Evaluate now" in words(get(own_studio, new, "marketer"))
    assert "Evaluate now" not in words(get(own_studio, new, "viewer"))


# --- parts --------------------------------------------------------------------------------------------------------


def test_who_leaves_next(grown: RunningStudio) -> None:
    kohort = grown.kohort
    address = f"{segment_address(grown, ACTIVE)}/forecast"
    page = get(grown, address, "viewer")
    with kohort.shared_warehouse.use() as warehouse:
        engine = open_engine(warehouse, kohort.store, kohort.store.parents()[0], kohort.settings.range_size, kohort.index_use)
        found = forecast(engine, engine.bound()[ACTIVE], 14)
    assert f"{found.leaving} of {found.days[0].count} within 14 days" in words(page)
    [leaving] = [series["values"] for series in charts(page)[0]["series"] if series["name"] == "Leave"]
    assert leaving == [day.leaving for day in found.days[1:]]
    entries = charts(get(grown, segment_address(grown, ACTIVE)))[1]
    colours = {series["name"][:5]: series["colour"] for series in entries["series"]}
    assert all(colours.get(series["name"][:5], colours["Left"]) == series["colour"] for series in charts(page)[0]["series"])


def test_where_nobody_came_or_went_no_empty_chart_is_drawn(grown: RunningStudio) -> None:
    page = get(grown, segment_address(grown, "Everybody"))
    assert "Nobody entered or left in the last 30 days." in words(page)
    assert len(charts(page)) == 1


def test_a_part_is_a_page_of_its_own_and_a_part_of_one(grown: RunningStudio) -> None:
    for name in ("forecast", "overlap"):
        address = f"{segment_address(grown, ACTIVE)}/{name}"
        assert 'id="rail"' in get(grown, address)
        brought = part(grown, address)
        assert 'id="rail"' not in brought
        assert f'id="{name}"' in brought


def test_what_it_shares_with_others(grown: RunningStudio) -> None:
    said = words(part(grown, f"{segment_address(grown, 'Value/VIP')}/overlap"))
    assert "Everybody" in said
    assert "100%" in said
    said = words(part(grown, f"{segment_address(grown, 'Experiments/Offer')}/overlap?variant=A-Offer"))
    assert "Active" in said


# --- in a browser -------------------------------------------------------------------------------------------------


def test_charts_are_drawn_and_turn_into_tables(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, ACTIVE), "viewer")
    population = page.locator("e-chart").first
    expect(population.locator("canvas")).to_be_visible()
    expect(population.get_by_role("img")).to_have_attribute("aria-label", re.compile("^Profiles in Active from 2024-"))
    expect(page.get_by_role("heading", name="Who leaves next")).to_be_visible()
    expect(page.locator("#forecast e-chart canvas")).to_be_visible()
    expect(page.locator("#overlap").get_by_role("link", name="Everybody")).to_be_visible()
    population.get_by_role("button", name="Show as table").focus()
    page.keyboard.press("Enter")
    table = population.get_by_role("table")
    expect(table.get_by_role("row").nth(1)).to_contain_text("2024-03-01")
    expect(population.locator("canvas")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(population.locator("canvas")).to_be_visible()
    page.locator("#forecast").get_by_role("button", name="Show as table").click()
    days = page.locator("#forecast tbody td:first-child").all_inner_texts()
    assert days == sorted(days), "what comes next is read from the next day on"


def test_a_chart_is_drawn_anew_in_the_other_theme(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, ACTIVE), "viewer")
    drawn = "document.querySelector('e-chart canvas').toDataURL()"
    light = page.evaluate(drawn)
    page.get_by_role("button", name="Theme").click()
    page.wait_for_function(f"before => {drawn} !== before", arg=light)


def test_other_days_keep_the_page(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, ACTIVE), "viewer")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="30 d").click()
    expect(page.get_by_role("link", name="30 d")).to_have_attribute("aria-current", "true")
    expect(page.locator("#overlap").get_by_role("link", name="Everybody")).to_be_visible()
    assert page.evaluate("window.stayed")
    assert page.url.endswith("?days=30")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_tabs(grown: RunningStudio, open_page: OpenPage, theme: str) -> None:
    for tab in ("", "/details", "/history"):
        page = open_page(grown, segment_address(grown, "Value/VIP") + tab, theme=theme)
        assert axe_violations(page) == []
    page = open_page(grown, segment_address(grown, "Experiments/Offer"), theme=theme)
    page.locator("e-chart").first.get_by_role("button").click()
    assert axe_violations(page) == []


def test_nothing_moves_while_the_parts_arrive(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, ACTIVE))
    expect(page.locator("#overlap").get_by_role("link", name="Everybody")).to_be_visible()
    assert layout_shift(page) == 0


def test_a_cold_page_is_small(grown: RunningStudio, open_page: OpenPage) -> None:
    sizes = {}
    charts = segment_address(grown, ACTIVE)
    for path in ("/audiences/all-customers", "/sources", charts):
        page = open_page(grown, "/login", role="")
        page.context.add_cookies(grown.cookies("viewer"))  # type: ignore[arg-type]
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        received: list[float] = []
        session.on("Network.loadingFinished", lambda event, into=received: into.append(event["encodedDataLength"]))
        page.goto(path)
        page.wait_for_load_state("networkidle")
        sizes[path] = sum(received)
        assert layout_shift(page) == 0, path
    assert max(size for path, size in sizes.items() if path != charts) <= 100_000, sizes
    assert sizes[charts] <= 260_000, sizes
