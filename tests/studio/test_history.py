"""The History and Details of a segment: versions in words, what they did, going back; what a segment is and who refers to it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from kohort.ports.users import Grant
from kohort.services.users import Actor, add_user, set_grants, sign_in
from kohort.testing.browser import Watch
from kohort.testing.studio import PASSWORD, RunningStudio
from tests.studio.conftest import OpenPage
from tests.studio.histories import SECOND_RULE, change_rule
from tests.studio.pages import get, segment_address, words

VIP = "Value/VIP"


def versions(studio: RunningStudio, path: str = VIP) -> list[str]:
    """The rules a segment had, oldest first, as notes and numbers."""
    store = studio.kohort.store
    record = next(found for found in store.segments(store.parents()[0].id) if found.path == path)
    return [f"{version.number} {version.note}".strip() for version in store.versions(record.id)]


# --- versions -----------------------------------------------------------------------------------------------------


def test_versions_newest_first_in_words(grown: RunningStudio) -> None:
    said = words(get(grown, f"{segment_address(grown, VIP)}/history", "viewer"))
    assert said.index("Version 2") < said.index("Version 1")
    assert "Version 2 Current" in said
    assert "“Fewer, for spring”" in said
    assert "Changed lifetime_value > 1000 lifetime_value > 2000" in said
    assert "First lifetime_value > 1000 and loyalty_tier = 'Gold'" in said
    assert "Go back" not in said


def test_what_a_version_did_to_the_members(grown: RunningStudio) -> None:
    said = words(get(grown, f"{segment_address(grown, VIP)}/history"))
    before = [n for n in range(1, 61) if n % 4 == 0 and n % 10 and n * 50.5 > 1000]
    after = [n for n in before if n * 50.5 > 2000]
    assert f"{len(before)} → {len(after)} 0 entered , −{len(before) - len(after)} left" in said


def test_many_versions_come_in_pages(own_studio: RunningStudio) -> None:
    for number in range(25):
        change_rule(own_studio.kohort, VIP, f"lifetime_value > {number}")
    address = f"{segment_address(own_studio, VIP)}/history"
    newest = get(own_studio, address)
    assert "Version 26" in newest
    assert "Version 6<" not in newest
    oldest = get(own_studio, f"{address}?until=6")
    assert "Version 1<" in oldest
    assert "Older versions" not in oldest


def test_going_back_says_what_it_changes_first(own_grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_grown, f"{segment_address(own_grown, VIP)}/history", "marketer")
    page.get_by_role("button", name="Go back to this version 1").click()
    dialog = page.get_by_role("dialog", name="Go back to version 1?")
    expect(dialog).to_contain_text("members become")
    expect(dialog).to_contain_text("Lifecycle/Deep/Active VIP")
    dialog.get_by_role("button", name="Go back").click()
    expect(page.get_by_role("heading", name="Version 3")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("is as version 1 was")
    assert versions(own_grown) == ["1", "2 Fewer, for spring", "3 revert to 1"]


def test_going_back_does_not_overwrite_what_came_meanwhile(own_grown: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("412")
    page = open_page(own_grown, f"{segment_address(own_grown, VIP)}/history", "marketer")
    page.get_by_role("button", name="Go back to this version 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("members become")
    change_rule(own_grown.kohort, VIP, "lifetime_value > 5")
    dialog.get_by_role("button", name="Go back").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not as it was when you read it")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert len(versions(own_grown)) == 3


# --- details ------------------------------------------------------------------------------------------------------


def test_what_a_segment_is(grown: RunningStudio) -> None:
    said = words(get(grown, f"{segment_address(grown, VIP)}/details", "viewer"))
    assert "Description The best Type Batch" in said
    assert "Folder Value" in said
    assert "by bob" in said
    assert "Version 2" in said
    assert "value: 2000" in said
    assert SECOND_RULE.startswith("lifetime_value > 2000")


def test_a_description_is_edited_without_a_new_version(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, f"{segment_address(own_studio, VIP)}/details", "marketer")
    page.get_by_role("button", name="Edit description").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Description")).to_have_value("The best")
    dialog.get_by_label("Description").fill("The very best\nof all")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The very best of all")).to_be_visible()
    assert versions(own_studio) == ["1"]


def test_who_refers_to_it(grown: RunningStudio) -> None:
    said = words(get(grown, f"{segment_address(grown, 'Lifecycle/Active')}/details"))
    assert "Offer Experiments in its rule" in said
    assert "Active VIP Lifecycle/Deep in its rule" in said
    said = words(get(grown, f"{segment_address(grown, VIP)}/details"))
    assert "Active VIP Lifecycle/Deep evaluated inside it" in said
    assert "None: it looks at attributes and behaviors only." in said


def test_what_may_not_be_seen_is_not_named(own_studio: RunningStudio) -> None:
    kohort = own_studio.kohort
    user = add_user(kohort.store, kohort.passwords, "zoe", "viewer", PASSWORD, actor=Actor("tests"), clock=kohort.clock)
    set_grants(
        kohort.store, user.name, [Grant(kohort.store.parents()[0].id, "Lifecycle", "viewer")], actor=Actor("tests"), clock=kohort.clock
    )
    own_studio.sessions["zoe"] = sign_in(kohort.store, kohort.passwords, "zoe", PASSWORD, address="", clock=kohort.clock).secret
    address = segment_address(own_studio, "Lifecycle/Active")
    page = get(own_studio, f"{address}/details", "zoe")
    assert "Offer" not in page
    assert "1 more that you may not see" in words(page)
    assert "Everybody" not in get(own_studio, f"{address}/overlap", "zoe")
    compared = words(get(own_studio, "/analytics", "zoe"))
    assert "VIP" not in compared.replace("Active VIP", "")
    assert "of another segment" in compared


def test_a_tree_that_is_drawn_once_holds_only_what_one_may_see(own_studio: RunningStudio) -> None:
    kohort = own_studio.kohort
    parent = kohort.store.parents()[0]
    user = add_user(kohort.store, kohort.passwords, "zoe", "viewer", PASSWORD, actor=Actor("tests"), clock=kohort.clock)
    own_studio.sessions["zoe"] = sign_in(kohort.store, kohort.passwords, "zoe", PASSWORD, address="", clock=kohort.clock).secret

    def folders(who: str) -> set[str]:
        return set(re.findall(r'data-folder="([^"/]*)"', get(own_studio, f"/audiences/{parent.slug}", who)))

    everything = folders("admin")
    assert folders("zoe") == everything > {"Lifecycle"}
    for folder in ("Lifecycle", "Value"):
        set_grants(kohort.store, user.name, [Grant(parent.id, folder, "viewer")], actor=Actor("tests"), clock=kohort.clock)
        assert folders("zoe") == {folder}
        assert folders("admin") == everything
    kohort.store.move_segment(
        next(record.id for record in kohort.store.segments(parent.id) if record.folder == "Value"),
        "Fresh",
        "Moved",
        by="tests",
        at=kohort.clock.now(),
    )
    assert "Fresh" in folders("admin")
    assert "Fresh" not in folders("zoe")
