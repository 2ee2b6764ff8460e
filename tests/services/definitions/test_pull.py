"""Pulling stored definitions into files."""

from __future__ import annotations

import shutil

import pytest

from kohort.foundation.errors import InvalidInput, UserError
from kohort.services.definitions.pull import PullResult, pull_parents, pull_segments
from kohort.services.definitions.stored import find_segment, load_graph, load_segments, parent_of, require_parent
from tests.services.conftest import PARENT, Desk


def pull(desk: Desk, *targets: str, dry_run: bool = False) -> PullResult:
    return pull_segments(desk.store, desk.workspace, desk.parent, targets, dry_run=dry_run)


@pytest.fixture
def full(desk: Desk) -> Desk:
    desk.write("A/B/vip.yml", "name: VIP\nrule: age > 30  # text\n")
    desk.write("top.yml", "name: Top\ndescription: all\n")
    desk.push()
    return desk


def test_what_is_equal_is_left_alone(full: Desk) -> None:
    before = full.file("A/B/vip.yml").read_text()
    result = pull(full)
    assert (result.count("unchanged"), result.changes, result.local_only) == (2, (), ())
    assert full.file("A/B/vip.yml").read_text() == before


def test_an_empty_workspace_is_filled_and_pushing_it_back_changes_nothing(full: Desk) -> None:
    shutil.rmtree(full.file("."))
    plan = pull(full, dry_run=True)
    assert ([(item.action, item.file) for item in plan.items], plan.applied) == (
        [("create", "segments/shop/top.yml"), ("create", "segments/shop/A/B/vip.yml")],
        False,
    )
    assert not full.file(".").exists()
    assert pull(full).applied
    assert full.files() == ["A/B/vip.yml", "top.yml"]
    assert full.push().changes == ()


def test_one_by_path_name_or_id(full: Desk) -> None:
    shutil.rmtree(full.file("."))
    for target in ("A/B/VIP", "VIP", str(full.records()["A/B/VIP"].id)):
        assert [item.path for item in pull(full, target, dry_run=True).items] == ["A/B/VIP"]
    with pytest.raises(UserError) as caught:
        pull(full, "VPI")
    assert (caught.value.code, "VIP" in caught.value.hint) == ("SEGMENT_NOT_FOUND", True)


def test_local_changes_are_overwritten_and_local_segments_stay(full: Desk) -> None:
    full.write("top.yml", "name: Top\ndescription: mine\n")
    full.write("new.yml", "name: New\n")
    result = pull(full)
    assert [(item.action, item.path) for item in result.changes] == [("update", "Top")]
    assert result.local_only == ("New",)
    assert full.file("top.yml").read_text() == "name: Top\ndescription: all\n"
    assert full.file("new.yml").exists()


def test_a_file_that_cannot_be_read_stops_it(full: Desk) -> None:
    full.write("top.yml", "name: [\n")
    full.file("A/B/vip.yml").unlink()
    with pytest.raises(InvalidInput):
        pull(full)
    assert full.files() == ["top.yml"]


def test_parents(full: Desk) -> None:
    folder = full.workspace.parents_folder
    assert pull_parents(full.store, full.workspace).changes == ()
    assert (folder / "shop.yml").read_text() == PARENT
    (folder / "shop.yml").unlink()
    result = pull_parents(full.store, full.workspace, [full.parent])
    assert [(item.action, item.path, item.file) for item in result.items] == [("create", "Shop", "parent_segments/shop.yml")]
    assert pull_parents(full.store, full.workspace).changes == ()
    assert parent_of(full.parent).master.key_column == "id"


class TestStored:
    def test_segments_come_with_their_places(self, full: Desk) -> None:
        assert [segment.path for segment in load_segments(full.store, full.parent.id)] == ["Top", "A/B/VIP"]
        graph = load_graph(full.store, full.parent.id)
        assert graph.resolve(str(full.records()["A/B/VIP"].id)) == "A/B/VIP"
        assert "name" not in full.records()["Top"].document

    def test_finding(self, full: Desk) -> None:
        full.write("C/vip.yml", "name: VIP\n")
        full.push()
        records = list(full.records().values())
        assert find_segment(records, "/A/B/VIP/").path == "A/B/VIP"
        with pytest.raises(UserError) as caught:
            find_segment(records, "VIP")
        assert caught.value.code == "AMBIGUOUS_SEGMENT"
        assert "A/B/VIP, C/VIP" in caught.value.message

    def test_parents_by_name(self, full: Desk) -> None:
        assert require_parent(full.store, "shop").name == "Shop"
        for name, code in (("", "NO_PARENT"), ("Shopp", "PARENT_NOT_FOUND")):
            with pytest.raises(UserError) as caught:
                require_parent(full.store, name)
            assert caught.value.code == code

    def test_a_stored_definition_that_cannot_be_read_is_named(self, full: Desk) -> None:
        record = full.records()["Top"]
        full.store.rewrite_segment(record.id, {1: ({"rule": {"type": "Nor"}}, "f")}, by="ann", at=full.clock.now())
        with pytest.raises(UserError) as caught:
            load_segments(full.store, full.parent.id)
        assert (caught.value.code, '"Top"' in caught.value.message) == ("STORED_DEFINITION", True)
        assert [(item.action, item.path) for item in full.push().changes] == [("update", "Top")]
        assert len(load_segments(full.store, full.parent.id)) == 2
