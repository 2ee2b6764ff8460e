"""The list of segments, and what is done to segments and folders as a whole: rename, move, delete."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from kohort.ports.users import Grant
from kohort.services.definitions.listing import list_segments
from kohort.services.definitions.move import move_segments
from kohort.testing.browser import Watch
from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage, axe_violations
from tests.studio.pages import get, segment_address, words

BASE = "/audiences/all-customers"


def paths(studio: RunningStudio) -> set[str]:
    store = studio.kohort.store
    return {record.path for record in store.segments(store.parents()[0].id)}


def names(html: str) -> list[str]:
    """Folders and segments of the list in their order."""
    listed = html[html.index('id="found"') :]
    return re.findall(r"<a [^>]*>([^<]+)</a>", listed[listed.index("<tbody>") :])


def line(page: Page, name: str) -> None:
    """Focus a line of the tree and ask for its menu with the keyboard."""
    tree = page.get_by_role("complementary", name="Segments")
    row = tree.locator("summary", has_text=name).or_(tree.get_by_role("link", name=name, exact=False).filter(has_text=name)).first
    row.focus()
    row.dispatch_event("contextmenu", {"bubbles": True, "cancelable": True, "button": 0})


def head_menu(page: Page, action: str) -> None:
    page.get_by_label("More actions").click()
    page.get_by_role("button", name=action).click()


# --- the list -----------------------------------------------------------------------------------------------------


def test_folders_with_their_segments(studio: RunningStudio) -> None:
    listed = names(get(studio, BASE, "viewer"))
    assert listed[:3] == ["Engagement", "Openers", "日本の顧客"]
    assert listed[-1] == "Everybody"
    inside = names(get(studio, f"{BASE}?folder=Lifecycle", "viewer"))
    assert inside == ["Deep", "Active VIP", "Active", "Lapsing"]


def test_the_list_is_searched_and_sorted(studio: RunningStudio) -> None:
    assert names(get(studio, f"{BASE}?search=vIp")) == ["Active VIP", "VIP"]
    assert names(get(studio, f"{BASE}?search=lifecycle&sort=-profiles"))[0] == "Active"
    assert names(get(studio, f"{BASE}?sort=-profiles"))[0] == "Everybody"
    assert "Nothing found" in words(get(studio, f"{BASE}?search=nothing-like-it"))
    assert "This folder is empty" in words(get(studio, f"{BASE}?folder=Nothing"))


def test_a_viewer_is_offered_no_changes(studio: RunningStudio) -> None:
    for path in (BASE, f"{BASE}?folder=Value", segment_address(studio, "Value/VIP")):
        page = get(studio, path, "viewer")
        assert "More actions" not in page
        assert "New segment" not in page
        assert "data-parent" not in page
        assert "More actions" in get(studio, path, "marketer") or path == BASE


def test_the_list_is_searched_while_typing(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, BASE, "viewer")
    box = page.get_by_label("Search segments")
    box.press_sequentially("spend")
    expect(page.locator("#found").get_by_role("link", name="VIP")).to_have_count(0)
    expect(page.locator("#found").get_by_role("link", name="Spenders")).to_be_visible()
    expect(box).to_be_focused()
    page.wait_for_url("**search=spend*")
    page.reload()
    expect(page.locator("#found").get_by_role("link", name="Spenders")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(studio: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(studio, f"{BASE}?folder=Lifecycle", theme=theme)
    assert axe_violations(page) == []
    line(page, "Lapsing")
    expect(page.get_by_role("menu")).to_be_visible()
    assert axe_violations(page) == []
    page.get_by_role("menuitem", name="Move").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert axe_violations(page) == []


# --- segments -----------------------------------------------------------------------------------------------------


def test_a_segment_is_renamed_and_keeps_its_page(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("409")
    page = open_page(own_studio, f"{segment_address(own_studio, 'Lifecycle/Active')}/details", "marketer")
    head_menu(page, "Rename")
    dialog = page.get_by_role("dialog", name="Rename segment")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("Lapsing")
    dialog.get_by_role("button", name="Rename").click()
    expect(dialog.get_by_role("alert")).to_contain_text('there is already a segment "Lifecycle/Lapsing"', ignore_case=True)
    dialog.get_by_label("Name").fill("Awake")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Awake")
    expect(page.get_by_role("complementary", name="Segments").get_by_role("link", name="Awake")).to_be_visible()
    assert {"Lifecycle/Awake", "Lifecycle/Lapsing"} <= paths(own_studio)


@pytest.mark.parametrize(("folder", "name"), [("", "Voucher"), ("Old/Tests", "Offer"), ("Lifecycle", "Openers")])
def test_renamed_and_moved_segments_keep_their_populations(own_studio: RunningStudio, folder: str, name: str) -> None:
    kohort = own_studio.kohort
    [parent] = kohort.store.parents()
    sizes = {item.path: item.population for item in list_segments(kohort.store, parent)}
    before = [sizes["Experiments/Offer"], *(sizes[f"Experiments/Offer/{variant}-Offer"] for variant in ("A", "B", "Control"))]
    assert None not in before
    move_segments(kohort.store, kohort.workspace, parent, ["Experiments/Offer"], folder=folder, name=name, by="ann", clock=kohort.clock)
    path = f"{folder}/{name}" if folder else name
    after = {item.path: item.population for item in list_segments(kohort.store, parent)}
    assert [after[path], *(after[f"{path}/{variant}-{name}"] for variant in ("A", "B", "Control"))] == before
    assert "Not evaluated yet" not in words(get(own_studio, segment_address(own_studio, path)))


def test_a_segment_moves_by_its_menu_with_the_keyboard(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, BASE, "marketer")
    line(page, "Openers")
    menu = page.get_by_role("menu", name="Actions for Engagement/Openers")
    expect(menu.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(page.get_by_role("complementary", name="Segments").get_by_role("link", name="Openers")).to_be_focused()
    line(page, "Openers")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Move “Openers”")
    dialog.get_by_label("Folder").fill("Marketing/Mail")
    page.keyboard.press("Enter")
    expect(page.locator("#found").get_by_role("link", name="Mail")).to_be_visible()
    assert "Marketing/Mail/Openers" in paths(own_studio)


def test_the_menu_of_a_line_is_not_covered_by_what_is_beside_the_tree(grown: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(grown, segment_address(grown, "Lifecycle/Active"), "marketer")
    expect(page.locator("e-chart canvas").first).to_be_visible()
    row = page.get_by_role("complementary", name="Segments").locator("li", has=page.locator("a[data-path='Lifecycle/Lapsing']")).last
    row.hover()
    row.get_by_label("Actions for Lifecycle/Lapsing").click()
    expect(page.get_by_role("menu")).to_be_visible()
    on_top = """() => [...document.querySelectorAll(".pop-menu button")].every(item => {
      const box = item.getBoundingClientRect();
      return document.elementFromPoint(box.right - 4, box.top + 4) === item;
    })"""
    assert page.evaluate(on_top)


def test_commands_are_not_what_a_page_tells_people_to_do(studio: RunningStudio) -> None:
    said = words(get(studio, "/audiences/all-customers/segments/9999", "marketer", status=404))
    assert "There is no segment" in said
    assert "kohort sg" not in said


def test_a_segment_that_others_need_cannot_be_deleted(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, segment_address(own_studio, "Value/VIP"), "marketer")
    head_menu(page, "Delete")
    dialog = page.get_by_role("dialog", name="Delete “VIP”?")
    expect(dialog).to_contain_text("one segment refers to it")
    expect(dialog).to_contain_text("Lifecycle/Deep/Active VIP")
    expect(dialog.get_by_role("button", name="Delete")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    assert "Value/VIP" in paths(own_studio)


def test_a_segment_is_deleted_and_its_folder_is_shown(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, segment_address(own_studio, "Value/Spenders"), "marketer")
    head_menu(page, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Value")
    expect(page.locator("#found").get_by_role("link", name="Spenders")).to_have_count(0)
    expect(page.get_by_role("status")).to_contain_text("“Spenders” is deleted.")
    assert "Value/Spenders" not in paths(own_studio)


# --- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_is_renamed_and_its_page_follows(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, f"{BASE}?folder=Lifecycle/Deep", "marketer")
    line(page, "Lifecycle")
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Life & more")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Deep")
    page.wait_for_url(re.compile(r"folder=Life(\+|%20)%26(\+|%20)more%2FDeep"))
    assert {"Life & more/Active", "Life & more/Deep/Active VIP"} <= paths(own_studio)


def test_a_folder_is_moved_from_its_page(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("422")
    page = open_page(own_studio, f"{BASE}?folder=Engagement", "marketer")
    head_menu(page, "Move folder")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Folder").fill("Engagement/Inside")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be moved into itself")
    dialog.get_by_label("Folder").fill("Value")
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Where you are")).to_contain_text("Value")
    assert "Value/Engagement/Openers" in paths(own_studio)


def test_a_folder_is_deleted_with_what_is_in_it(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, f"{BASE}?folder=Engagement", "marketer")
    line(page, "Lifecycle")
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("Experiments/Offer")
    page.keyboard.press("Escape")
    head_menu(page, "Delete folder")
    dialog = page.get_by_role("dialog", name="Delete “Engagement”?")
    expect(dialog).to_contain_text("all 2 segments")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All Customers")
    assert not any(path.startswith("Engagement/") for path in paths(own_studio))


def test_what_is_not_ones_own_to_change_says_so(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("403")
    store = own_studio.kohort.store
    user = store.user("marketer")
    assert user is not None
    store.set_grants(user.id, [Grant(store.parents()[0].id, "", "viewer"), Grant(store.parents()[0].id, "Value", "marketer")])
    page = open_page(own_studio, f"{BASE}?folder=Value", "marketer")
    line(page, "Openers")
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Mine")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("You may not change segments here")
