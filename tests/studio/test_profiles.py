"""Lists of profiles and the drawer: pages, search, columns, personal data, why somebody is in or out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from kohort.ports.users import Grant
from kohort.services.users import Actor, add_user, set_grants, sign_in
from kohort.testing.studio import PASSWORD, RunningStudio, running_studio
from tests.cli.workspaces import AS_OF, CUSTOMERS, Desk, vips
from tests.studio.conftest import OpenPage
from tests.studio.pages import get, link, segment_address, words

BASE = "/audiences/all-customers"


@pytest.fixture(scope="module")
def private(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """A shop whose loyalty tiers and amounts are personal data, and whose keys are, too."""
    folder = tmp_path_factory.mktemp("studio") / "private"
    shutil.copytree(shop, folder)
    desk = Desk(folder)
    text = desk.parent_file.read_text("utf-8")
    text = text.replace("column: loyalty_tier, type: string", "column: loyalty_tier, type: string, visibility: pii")
    text = text.replace("column: amount, type: number", "column: amount, type: number, visibility: pii")
    desk.parent_file.write_text(text, "utf-8")
    desk.ok("ps", "push")
    desk.ok("ps", "run", "--as-of", AS_OF.isoformat())
    desk.ok("sg", "eval")
    with running_studio(folder) as running:
        yield running


# --- lists --------------------------------------------------------------------------------------------------------


def test_profiles_come_a_page_at_a_time_and_lead_back(studio: RunningStudio) -> None:
    first = get(studio, f"{BASE}/profiles")
    assert f"1–50 of {CUSTOMERS}" in words(first)
    second = get(studio, link(first, "Next"))
    assert f"51–60 of {CUSTOMERS}" in words(second)
    assert link(second, "Previous") == f"{BASE}/profiles"


def test_a_search_finds_keys_by_how_they_begin(studio: RunningStudio) -> None:
    found = get(studio, f"{BASE}/profiles?search=c05")
    assert "10 profiles found" in words(found)
    assert "c050" in found
    assert "c049" not in found
    assert "Nobody found" in words(get(studio, f"{BASE}/profiles?search=nobody"))


def test_members_are_searched_within_the_segment(studio: RunningStudio) -> None:
    address = f"{segment_address(studio, 'Value/VIP')}/profiles"
    assert f"{len(vips())} profiles" in words(get(studio, address))
    assert f"{sum(key.startswith('c05') for key in vips())} profiles found" in words(get(studio, f"{address}?search=c05"))


def test_a_variant_has_its_own_members(studio: RunningStudio) -> None:
    address = f"{segment_address(studio, 'Experiments/Offer')}/profiles"
    everybody = get(studio, address)
    variant = get(studio, link(everybody, "A-Offer"))
    total = re.search(r"(\d+) profiles?", words(everybody)[words(everybody).index("All members") :])
    part = re.search(r"(\d+) profiles?", words(variant)[words(variant).index("All members") :])
    assert total
    assert part
    assert 0 < int(part[1]) < int(total[1])
    get(studio, f"{address}?variant=C-Offer", status=404)


def test_chosen_columns_stay_in_the_addresses(studio: RunningStudio) -> None:
    page = get(studio, f"{BASE}/profiles?column=country&column=lifetime_value&search=c")
    assert ">country</th>" in page
    assert ">loyalty_tier</th>" not in page
    assert link(page, "Next").startswith(f"{BASE}/profiles?search=c&")
    assert "column=country&column=lifetime_value" in link(page, "Next")
    assert "column=country&column=lifetime_value" in link(page, "c001")


def test_only_those_who_may_export_find_the_download(studio: RunningStudio) -> None:
    address = f"{segment_address(studio, 'Value/VIP')}/profiles?column=country"
    assert "members.csv?spreadsheet=true&amp;variant=&amp;columns=cdp_customer_id,country" in get(studio, address, "marketer")
    assert "members.csv" not in get(studio, address, "viewer")


def test_values_of_personal_data_are_locked(private: RunningStudio) -> None:
    address = f"{segment_address(private, 'Value/VIP')}/profiles?column=loyalty_tier&profile={vips()[0]}"
    seen, locked = get(private, address, "engineer"), get(private, address, "marketer")
    assert "Gold" in words(seen)
    assert "Gold" not in words(locked)
    assert "locked" in words(locked)
    why = get(private, f"{address}&view=why", "marketer")
    assert "personal data: what it saw is not shown" in words(why)
    did = get(private, f"{BASE}/profiles?profile=c004&view=why&explain=Value/Spenders", "marketer")
    assert "locked" in words(did)


def test_a_page_that_is_not_there_is_said_in_words(studio: RunningStudio) -> None:
    assert "CURSOR_INVALID" in get(studio, f"{BASE}/profiles?cursor=nonsense", status=422)


# --- the drawer as text -------------------------------------------------------------------------------------------


def test_a_profile_shows_what_it_is_and_did_by_date(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/profiles?profile=c004"))
    assert "loyalty_tier Gold" in text
    assert "Feb 26, 2024 (1)" in text
    assert "Purchase 00:00 amount 14.25" in text


def test_a_profile_lists_its_segments_and_since_when(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/profiles?profile={vips()[0]}&view=segments"))
    assert "Value/VIP 2024-03-01" in text
    assert "The oldest evaluation that is kept" in text


def test_why_in_says_what_was_seen_and_what_would_change_it(studio: RunningStudio) -> None:
    key = vips()[0]
    text = words(get(studio, f"{segment_address(studio, 'Value/VIP')}/profiles?profile={key}&view=why"))
    assert "In Value/VIP" in text
    assert "Smallest change to leave" in text
    assert "would turn it" in text
    assert "Never, unless something new happens" in text


def test_why_out_names_the_evidence_and_the_next_change(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/profiles?profile=c004&view=why&explain=Lifecycle/Lapsing"))
    assert "Not in Lifecycle/Lapsing" in text
    assert "not in segment 'Lifecycle/Active'" in text
    assert re.search(r"Next change by itself 2024-\d\d-\d\d.*, in \d+ days", text)
    assert "rows" in text


def test_a_variant_can_be_explained(studio: RunningStudio) -> None:
    text = words(get(studio, f"{BASE}/profiles?profile=c004&view=why&explain=Experiments/Offer/A-Offer"))
    assert "A/B test offer-1" in text
    assert re.search(r"c004 stands at [\d.]+%", text)


def test_a_customer_nobody_knows_is_said_in_the_drawer(studio: RunningStudio) -> None:
    assert 'has the key "nobody"' in words(get(studio, f"{BASE}/profiles?profile=nobody"))
    assert "there is no segment" in words(get(studio, f"{BASE}/profiles?profile=c004&view=why&explain=Nope")).lower()


def test_the_part_is_only_the_drawer(studio: RunningStudio) -> None:
    part = get(studio, f"{BASE}/profiles?profile=c004&part=drawer")
    assert "<html" not in part
    assert "loyalty_tier" in part


def test_somebody_with_one_folder_sees_why_but_no_profiles(own_studio: RunningStudio) -> None:
    kohort, by = own_studio.kohort, Actor("tests")
    user = add_user(kohort.store, kohort.passwords, "limited", "viewer", PASSWORD, actor=by, clock=kohort.clock)
    parent = kohort.store.parents()[0]
    set_grants(kohort.store, user.name, [Grant(parent.id, "Value", "viewer")], actor=by, clock=kohort.clock)
    own_studio.sessions["limited"] = sign_in(kohort.store, kohort.passwords, "limited", PASSWORD, address="", clock=kohort.clock).secret
    get(own_studio, f"{BASE}/profiles", "limited", status=403)
    get(own_studio, f"{segment_address(own_studio, 'Lifecycle/Active')}/profiles", "limited", status=404)
    text = words(get(own_studio, f"{segment_address(own_studio, 'Value/VIP')}/profiles?profile={vips()[0]}", "limited"))
    assert "In Value/VIP" in text
    assert "Attributes" not in text


# --- in a browser -------------------------------------------------------------------------------------------------


def test_the_drawer_opens_from_a_row_explains_and_gives_the_focus_back(studio: RunningStudio, open_page: OpenPage) -> None:
    key = vips()[0]
    page = open_page(studio, f"{segment_address(studio, 'Value/VIP')}/profiles")
    row = page.get_by_role("link", name=key, exact=True)
    row.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", level=2)).to_be_focused()
    expect(page).to_have_url(re.compile(f"profile={key}"))
    expect(drawer.get_by_text("loyalty_tier")).to_be_visible()
    drawer.get_by_role("link", name="Why in or out").click()
    expect(drawer.get_by_text("In Value/VIP")).to_be_visible()
    drawer.get_by_label("Segment").select_option("Engagement/日本の顧客")
    drawer.get_by_role("button", name="Explain").click()
    expect(drawer.get_by_text("Not in Engagement/日本の顧客")).to_be_visible()
    expect(page).to_have_url(re.compile("explain=Engagement"))
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(row).to_be_focused()
    expect(page).not_to_have_url(re.compile("profile="))
    page.go_back()
    expect(drawer.get_by_text("Not in Engagement/日本の顧客")).to_be_visible()


def test_an_address_with_a_profile_opens_its_drawer(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, f"{BASE}/profiles?profile=c004&view=segments")
    expect(page.get_by_role("dialog").get_by_text("Lifecycle/Active").first).to_be_visible()
    page.get_by_role("dialog").get_by_role("link", name="Close").click()
    expect(page.get_by_role("link", name="c004", exact=True)).to_be_focused()


def test_the_drawer_is_there_without_scripts(studio: RunningStudio, browser: Browser) -> None:
    context = browser.new_context(base_url=studio.url, java_script_enabled=False)
    context.add_cookies(studio.cookies("viewer"))  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{BASE}/profiles?profile=c004&view=why&explain=Value/VIP")
    expect(page.get_by_role("dialog").get_by_text("Not in Value/VIP")).to_be_visible()
    page.get_by_role("link", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    context.close()
