"""Folders as a whole: what is in one, move it, delete it."""

from __future__ import annotations

import pytest

from kohort.foundation.errors import UserError
from kohort.services.definitions.dependents import relations_of
from kohort.services.definitions.folders import delete_folder, folder_contents, move_folder
from kohort.services.definitions.move import MoveResult
from tests.services.conftest import Desk
from tests.services.definitions.test_move import check_whole


@pytest.fixture
def tree(desk: Desk) -> Desk:
    for path, text in {
        "A/vip.yml": "# mine\nname: VIP\nrule: age > 30\n",
        "A/Deep/near.yml": "name: Near\nrule: in segment 'A/VIP'\n",
        "Ab/other.yml": "name: Other\nrule: age > 40\n",
        "reader.yml": "name: Reader\nbase: A/VIP\nrule: in segment 'Near'\n",
        "later.yml": "name: Later\nrule: in segment 'Reader'\n",
    }.items():
        desk.write(path, text)
    desk.push()
    return desk


def move(desk: Desk, folder: str, target: str, revision: str | None = None) -> MoveResult:
    return move_folder(desk.store, desk.workspace, desk.parent, folder, target, revision=revision, by="bob", clock=desk.clock)


def test_what_is_in_a_folder_and_who_refers_to_it(tree: Desk) -> None:
    found = folder_contents(tree.store, tree.parent, "/A/")
    assert [record.path for record in found.segments] == ["A/VIP", "A/Deep/Near"]
    assert [(d.path, d.as_base, d.in_rule) for d in found.dependents] == [("Reader", True, True)]


@pytest.mark.parametrize("folder", ["", "B", "a", "A/De"])
def test_a_folder_that_is_not_there(tree: Desk, folder: str) -> None:
    with pytest.raises(UserError) as raised:
        folder_contents(tree.store, tree.parent, folder)
    assert raised.value.code == "FOLDER_NOT_FOUND"


def test_everything_inside_keeps_its_place(tree: Desk) -> None:
    result = move(tree, "A", "New/Place")
    assert {m.new_path for m in result.moved} == {"New/Place/VIP", "New/Place/Deep/Near"}
    assert set(tree.records()) == {"New/Place/VIP", "New/Place/Deep/Near", "Ab/Other", "Reader", "Later"}
    assert tree.file("New/Place/vip.yml").read_text() == "# mine\nname: VIP\nrule: age > 30\n"
    assert tree.file("reader.yml").read_text().count("New/Place/VIP") == 1
    check_whole(tree)


def test_a_folder_joins_one_that_is_there(tree: Desk) -> None:
    move(tree, "A", "Ab")
    assert set(tree.records()) == {"Ab/VIP", "Ab/Deep/Near", "Ab/Other", "Reader", "Later"}
    check_whole(tree)


def test_a_place_that_is_taken_changes_nothing(tree: Desk) -> None:
    tree.write("Ab/vip.yml", "name: VIP\n")
    tree.push()
    before, files = tree.records(), tree.files()
    with pytest.raises(UserError) as raised:
        move(tree, "A", "Ab")
    assert raised.value.code == "NAME_TAKEN"
    assert (tree.records(), tree.files()) == (before, files)


@pytest.mark.parametrize(("target", "code"), [("", "INVALID_FOLDER"), ("A/B", "INVALID_FOLDER"), ("x//y", "INVALID_FOLDER")])
def test_targets_that_cannot_be(tree: Desk, target: str, code: str) -> None:
    with pytest.raises(UserError) as raised:
        move(tree, "A", target)
    assert raised.value.code == code


def test_what_changed_meanwhile_is_not_moved(tree: Desk) -> None:
    read = folder_contents(tree.store, tree.parent, "A").revision
    tree.write("A/new.yml", "name: New\n")
    tree.push()
    with pytest.raises(UserError) as raised:
        move(tree, "A", "B", read)
    assert raised.value.code == "CHANGED_MEANWHILE"


def test_a_folder_that_others_refer_to_stays(tree: Desk) -> None:
    with pytest.raises(UserError) as raised:
        delete_folder(tree.store, tree.parent, "A", revision=None)
    assert raised.value.code == "SEGMENT_REFERENCED"
    assert '"Reader"' in raised.value.message


def test_a_folder_goes_with_what_is_in_it(tree: Desk) -> None:
    for path in ("Later", "Reader"):
        tree.store.delete_segment(tree.records()[path].id)
    gone = delete_folder(tree.store, tree.parent, "A", revision=folder_contents(tree.store, tree.parent, "A").revision)
    assert [record.path for record in gone.segments] == ["A/VIP", "A/Deep/Near"]
    assert set(tree.records()) == {"Ab/Other"}


def test_who_refers_to_a_segment(tree: Desk) -> None:
    found = relations_of(tree.store, tree.parent, "A/VIP")
    assert [d.path for d in found.dependents] == ["A/Deep/Near", "Reader"]
    assert found.further == ("Later",)
    assert relations_of(tree.store, tree.parent, "Reader").needs == ("A/Deep/Near", "A/VIP")
