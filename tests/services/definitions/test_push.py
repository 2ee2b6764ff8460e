"""Pushing definition files into the store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issues
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.services.definitions.push import push_parents
from tests.services.conftest import T0, Desk

CATALOG = FieldCatalog(
    (Field("age", "number", "int64"), Field("country", "string", "text")), (Behavior("purchase", (Field("amount", "number", "int64"),)),)
)


def actions(desk: Desk, **options: object) -> list[tuple[str, str, int]]:
    return [(item.action, item.path, item.version) for item in desk.push(**options).items]


def refused(desk: Desk, **options: object) -> Issues:
    before = desk.records()
    with pytest.raises(InvalidInput) as caught:
        desk.push(**options)
    assert desk.records() == before
    return caught.value.issues


def misplaced(desk: Desk, path: str) -> Path:
    file = desk.workspace.root / "segments" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("name: b\n")
    return file


def refusal(desk: Desk, *paths: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        desk.push(*paths)
    return caught.value


class TestParents:
    def push(self, desk: Desk, by: str = "bob", **options: bool) -> list[tuple[str, str, int, str]]:
        result = push_parents(desk.store, desk.workspace, by=by, clock=desk.clock, **options)
        return [(item.action, item.path, item.version, item.file) for item in result.items]

    def test_create_update_unchanged(self, desk: Desk) -> None:
        assert self.push(desk) == [("unchanged", "Shop", 1, "parent_segments/shop.yml")]
        assert desk.parent.updated_by == "ann"
        file = desk.workspace.parents_folder / "shop.yml"
        file.write_text("# note\n" + file.read_text() + "description: all\n")
        (desk.workspace.parents_folder / "b.yml").write_text(file.read_text().replace("Shop", "Beta"))
        wanted = [("create", "Beta", 1, "parent_segments/b.yml"), ("update", "Shop", 2, "parent_segments/shop.yml")]
        assert self.push(desk, dry_run=True) == wanted
        assert (desk.parent.version, len(desk.store.parents())) == (1, 1)
        assert self.push(desk) == wanted
        assert (desk.parent.version, desk.parent.updated_by, desk.parent.document["description"]) == (2, "bob", "all")

    def test_a_problem_anywhere_saves_nothing(self, desk: Desk) -> None:
        (desk.workspace.parents_folder / "a.yml").write_text("name: New\nmaster: { database: d, table: t, key_column: k }\n")
        (desk.workspace.parents_folder / "b.yml").write_text("name: Bad\nmaster: { database: d }\nmistake: 1\n")
        with pytest.raises(InvalidInput) as caught:
            self.push(desk)
        assert {issue.file for issue in caught.value.issues} == {"parent_segments/b.yml"}
        assert desk.store.parent("New") is None


class TestSegments:
    def test_create_then_unchanged(self, desk: Desk) -> None:
        desk.write("A/vip.yml", "name: VIP\nrule: age > 30\n")
        desk.write("top.yml", "name: Top\n")
        assert actions(desk) == [("create", "A/VIP", 1), ("create", "Top", 1)]
        assert actions(desk) == [("unchanged", "A/VIP", 1), ("unchanged", "Top", 1)]
        record = desk.records()["A/VIP"]
        assert (record.folder, record.name, record.kind, record.created_by) == ("A", "VIP", "batch", "ann")
        assert record.created_at == record.updated_at > T0

    def test_a_dry_run_saves_nothing(self, desk: Desk) -> None:
        desk.write("vip.yml", "name: VIP\n")
        result = desk.push(dry_run=True)
        assert [(item.action, item.file) for item in result.items] == [("create", "segments/shop/vip.yml")]
        assert (result.applied, desk.records()) == (False, {})
        assert desk.push().applied

    def test_meaning_makes_versions_and_words_do_not(self, desk: Desk) -> None:
        steps = [
            ("name: VIP\nrule: age > 30 and country = 'US'\n", "create", 1),
            ("name: VIP\nrule: country = 'US' and age > 30\n", "describe", 1),
            ("name: VIP\ndescription: d\nrule: country = 'US' and age > 30\n", "describe", 1),
            ("name: VIP\ndescription: d\nvisible: false\nrule: country = 'US' and age > 30\n", "describe", 1),
            ("name: VIP\ndescription: d\nrule: country = 'US' and age > 31\n", "update", 2),
            ("name: VIP\nkind: realtime\nrule: country = 'US' and age > 31\n", "update", 3),
            ("name: VIP\nbase: Top\nkind: realtime\nrule: country = 'US' and age > 31\n", "update", 4),
            ("name: VIP\nab_test: { variants: [{ name: A, ratio: 50 }] }\n", "update", 5),
            ("name: VIP\nab_test: { id: VIP, variants: [{ name: A, ratio: 50 }] }\n", "describe", 5),
            ("name: VIP\nab_test: { id: x, variants: [{ name: A, ratio: 50 }] }\n", "update", 6),
        ]
        desk.write("top.yml", "name: Top\n")
        desk.push()
        for text, action, version in steps:
            desk.write("vip.yml", text)
            [item] = desk.push().changes
            assert (item.action, item.path, item.version) == (action, "VIP", version), text
            assert desk.records()["VIP"].version == version
        assert [v.number for v in desk.store.versions(desk.records()["VIP"].id)] == [1, 2, 3, 4, 5, 6]

    def test_all_problems_of_all_files_and_nothing_saved(self, desk: Desk) -> None:
        desk.write(
            "a.yml", "name: a\nrule:\n  type: And\n  conditions:\n    - {type: Value, attribute: agee, operator: {type: Equal, value: 1}}\n"
        )
        desk.write("b.yml", "name: b\nrule:\n  type: And\n  conditions:\n    - {type: include, segment: Nobody}\n")
        desk.write("c.yml", "name: c\nbase: d\n")
        desk.write("d.yml", "name: d\nrule: in segment 'c'\n")
        desk.write("e.yml", "name: e\nab_test: { key_column: nope, variants: [{ name: A, ratio: 50 }] }\n")
        desk.write("f.yml", "name: f\nkindd: batch\n")
        desk.write("g.yml", "name: g\n")
        issues = refused(desk, catalog=CATALOG)
        found = {(issue.code, issue.file.rpartition("/")[2], issue.line) for issue in issues}
        assert ("UNKNOWN_ATTRIBUTE", "a.yml", 5) in found
        assert ("MISSING_SEGMENT_REFERENCE", "b.yml", 5) in found
        assert {("SEGMENT_CYCLE", "c.yml", 2), ("SEGMENT_CYCLE", "d.yml", 2)} <= found
        [cycle] = [issue for issue in issues if (issue.code, issue.file.rpartition("/")[2]) == ("SEGMENT_CYCLE", "d.yml")]
        assert cycle.message.startswith("column 1: segments need each other: ")
        assert ("UNKNOWN_ATTRIBUTE", "e.yml", 2) in found
        assert any(file == "f.yml" for _, file, _ in found)
        assert not any(file == "g.yml" for _, file, _ in found)
        assert refused(desk, dry_run=True)

    def test_references_reach_stored_segments(self, desk: Desk) -> None:
        desk.write("A/vip.yml", "name: VIP\n")
        desk.push()
        desk.file("A/vip.yml").unlink()
        desk.write("new.yml", f"name: New\nrule: in segment 'A/VIP' and in segment '{desk.records()['A/VIP'].id}'\n")
        assert actions(desk) == [("create", "New", 1)]

    def test_a_push_that_breaks_others_is_refused(self, desk: Desk) -> None:
        desk.write("A/vip.yml", "name: VIP\n")
        desk.write("user.yml", "name: User\nrule: in segment 'VIP'\n")
        desk.push()
        clash = desk.write("B/vip.yml", "name: VIP\n")
        with pytest.raises(InvalidInput) as caught:
            desk.push(clash)
        [issue] = caught.value.issues
        assert (issue.code, issue.message.startswith("User: ")) == ("AMBIGUOUS_SEGMENT_REFERENCE", True)

    def test_one_file_or_folder(self, desk: Desk) -> None:
        for path, name in (("A/a.yml", "a"), ("A/b.yml", "b"), ("C/c.yml", "c")):
            desk.write(path, f"name: {name}\n")
        assert [item.path for item in desk.push(desk.file("A/b.yml")).items] == ["A/b"]
        assert [item.path for item in desk.push(desk.file("A")).items] == ["A/a", "A/b"]
        assert set(desk.records()) == {"A/a", "A/b"}

    def test_folders_around_the_segments_stand_for_them(self, desk: Desk) -> None:
        desk.write("A/a.yml", "name: a\n")
        root = desk.workspace.root
        other = root / "segments" / "other" / "b.yml"
        other.parent.mkdir()
        other.write_text("name: b\n")
        for folder in (root, root / "segments", desk.file(".")):
            assert [item.path for item in desk.push(folder, delete=True).items] == ["A/a"]

    def test_files_of_another_parent_segment_are_for_that(self, desk: Desk) -> None:
        document = {**desk.parent.document, "name": "Other Shop"}
        desk.store.save_parent("Other Shop", "other", document, by="ann", at=T0)
        found = refusal(desk, misplaced(desk, "other/b.yml"))
        assert (found.code, found.hint) == ("OTHER_PARENT", "name it: --parent 'Other Shop'")
        assert '"Other Shop", not to "Shop"' in found.message

    def test_a_folder_of_no_parent_segment_is_to_be_renamed(self, desk: Desk) -> None:
        named = misplaced(desk, "The Shop/b.yml")
        for asked in ((), (desk.workspace.root / "segments",), (named,), (named.parent,)):
            found = refusal(desk, *asked)
            assert (found.code, found.hint) == ("FOLDER_OF_NO_PARENT", "rename it: mv 'segments/The Shop' segments/shop")
        desk.write("A/a.yml", "name: a\n")
        assert [item.path for item in desk.push().items] == ["A/a"]
        assert refusal(desk, named).hint == "move it: mv 'segments/The Shop' segments/shop/"

    def test_a_file_beside_the_folders_is_to_be_moved(self, desk: Desk) -> None:
        found = refusal(desk, misplaced(desk, "b.yml"))
        assert (found.code, "mv segments/b.yml segments/shop/" in found.hint) == ("FOLDER_OF_NO_PARENT", True)

    def test_a_workspace_without_segments_has_nothing_to_push(self, desk: Desk) -> None:
        assert desk.push().items == ()


class TestDelete:
    def start(self, desk: Desk) -> None:
        for path, text in {
            "A/vip.yml": "name: VIP\n",
            "A/B/deep.yml": "name: Deep\n",
            "AB/other.yml": "name: Other\n",
            "user.yml": "name: User\nbase: VIP\n",
            "test.yml": "name: Test\nab_test: { variants: [{ name: A, ratio: 50 }] }\n",
            "reader.yml": "name: Reader\nrule: in variant 'Test/A-Test'\n",
        }.items():
            desk.write(path, text)
        desk.push()

    def test_without_it_nothing_is_deleted(self, desk: Desk) -> None:
        self.start(desk)
        desk.file("A/B/deep.yml").unlink()
        assert "A/B/Deep" not in [item.path for item in desk.push().items]
        assert "A/B/Deep" in desk.records()

    def test_what_has_no_file_goes(self, desk: Desk) -> None:
        self.start(desk)
        desk.file("A/B/deep.yml").unlink()
        assert [(i.action, i.path, i.version) for i in desk.push(delete=True, dry_run=True).changes] == [("delete", "A/B/Deep", 0)]
        assert "A/B/Deep" in desk.records()
        assert [i.path for i in desk.push(delete=True).changes] == ["A/B/Deep"]
        assert "A/B/Deep" not in desk.records()

    def test_a_folder_limits_it(self, desk: Desk) -> None:
        self.start(desk)
        for path in ("A/B/deep.yml", "AB/other.yml"):
            desk.file(path).unlink()
        assert desk.push(desk.file("user.yml"), delete=True, dry_run=True).changes == ()
        assert [item.path for item in desk.push(desk.file("A"), delete=True).changes] == ["A/B/Deep"]
        assert "AB/Other" in desk.records()

    @pytest.mark.parametrize(("file", "path", "needed_by"), [("A/vip.yml", "A/VIP", "User"), ("test.yml", "Test", "Reader")])
    def test_what_others_need_stays_and_they_are_named(self, desk: Desk, file: str, path: str, needed_by: str) -> None:
        self.start(desk)
        desk.file(file).unlink()
        desk.file("A/B/deep.yml").unlink()
        plan = desk.push(delete=True, dry_run=True)
        assert {(item.action, item.path, item.needed_by) for item in plan.changes} == {
            ("delete", "A/B/Deep", ()),
            ("refused", path, (needed_by,)),
        }
        assert plan.issues.codes() == ["SEGMENT_REFERENCED"]
        [issue] = refused(desk, delete=True)
        assert (issue.code, f'"{needed_by}"' in issue.message) == ("SEGMENT_REFERENCED", True)

    def test_together_with_those_that_need_it_it_goes(self, desk: Desk) -> None:
        self.start(desk)
        for file in ("A/vip.yml", "user.yml"):
            desk.file(file).unlink()
        assert {item.path for item in desk.push(delete=True).changes} == {"A/VIP", "User"}
        desk.file("test.yml").unlink()
        desk.write("reader.yml", "name: Reader\n")
        assert {(item.action, item.path) for item in desk.push(delete=True).changes} == {("update", "Reader"), ("delete", "Test")}

    def test_a_folder_that_is_not_there_deletes_nothing(self, desk: Desk) -> None:
        self.start(desk)
        shutil.rmtree(desk.file("."))
        with pytest.raises(UserError) as caught:
            desk.push(delete=True)
        assert caught.value.code == "NO_SEGMENTS_FOLDER"
        desk.file(".").mkdir()
        assert {item.action for item in desk.push(delete=True).items} == {"delete"}
        assert desk.records() == {}

    def test_files_with_problems_delete_nothing(self, desk: Desk) -> None:
        self.start(desk)
        desk.write("A/vip.yml", "name: [\n")
        assert refused(desk, delete=True).codes() == ["YAML_SYNTAX"]
