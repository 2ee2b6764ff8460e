"""Definition files read and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issues
from kohort.rules.ast import AttributeCondition, Comparison, Group
from kohort.segments.definition import Segment
from kohort.workspace.reading import SegmentFile, read_parent_files, read_segment_files
from kohort.workspace.workspace import Workspace, init_workspace
from kohort.workspace.writing import plan_parent_file, plan_segment_files, write_files

SHOP = "name: Shop\nmaster: { database: shop, table: customers, key_column: id }\n"
RULE = Group("all", (AttributeCondition("age", Comparison("Greater", 30)),))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init_workspace(tmp_path)


def write(workspace: Workspace, path: str, text: str | bytes) -> Path:
    file = workspace.segments_folder("shop") / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def read(workspace: Workspace, *paths: Path) -> list[SegmentFile]:
    files, issues = read_segment_files(workspace, "shop", paths)
    assert list(issues) == []
    return files


def places(issues: Issues) -> list[tuple[str, str, int]]:
    return [(issue.code, issue.file, issue.line) for issue in issues]


class TestReading:
    def test_folders_are_directories_verbatim(self, workspace: Workspace) -> None:
        write(workspace, "top.yml", "name: Top\n")
        write(workspace, "Über uns/1-bota_test/A.B/deep.yaml", "name: Deep\n")
        write(workspace, "x/over.yml", "name: Over\nfolder: Else/Where\n")
        write(workspace, "x/root.yml", 'name: Root\nfolder: ""\n')
        found = {file.segment.path for file in read(workspace)}
        assert found == {"Top", "Über uns/1-bota_test/A.B/Deep", "Else/Where/Over", "Root"}

    def test_hidden_and_other_files_are_left_out(self, workspace: Workspace) -> None:
        for path in (".hidden.yml", ".git/x.yml", "notes.md", "a.yml~", "A/.vip.yml.tmp"):
            write(workspace, path, "{{{")
        assert read(workspace) == []
        assert read_segment_files(workspace, "nothing-there")[0] == []

    def test_only_the_given_files_and_folders(self, workspace: Workspace, tmp_path: Path) -> None:
        a, b = write(workspace, "A/a.yml", "name: a\n"), write(workspace, "B/b.yml", "name: b\n")
        write(workspace, "C/c.yml", "name: c\n")
        outside = tmp_path / "loose.yml"
        outside.write_text("name: loose\n")
        assert [file.segment.path for file in read(workspace, a.parent, b, b, outside)] == ["A/a", "B/b", "loose"]
        with pytest.raises(UserError) as caught:
            read(workspace, tmp_path / "missing.yml")
        assert caught.value.code == "FILE_NOT_FOUND"

    def test_the_older_layout_is_a_list(self, workspace: Workspace) -> None:
        write(workspace, "A/segments.yml", "- name: one\n- name: two\n  folder: B\n")
        files = read(workspace)
        assert [(file.segment.path, file.position) for file in files] == [("A/one", 0), ("B/two", 1)]

    def test_all_problems_of_all_files_come_at_once_with_their_lines(self, workspace: Workspace) -> None:
        write(workspace, "a.yml", "name: a\nrule:\n  type: Nor\n  conditions: []\n")
        write(workspace, "b.yml", "name: [\n")
        write(workspace, "c.yml", b"name: \xff\n")
        write(workspace, "d.yml", "")
        write(workspace, "e.yml", "- name: ok\n- kind: batch\n")
        write(workspace, "f.yml", "name: fine\n")
        files, issues = read_segment_files(workspace, "shop")
        assert {file.segment.name for file in files} == {"ok", "fine"}
        found = places(issues)
        assert ("INVALID_RULE_TYPE", "segments/shop/a.yml", 3) in found
        assert ("YAML_SYNTAX", "segments/shop/b.yml", 2) in found
        assert ("FILE_NOT_TEXT", "segments/shop/c.yml", 0) in found
        assert ("FILE_EMPTY", "segments/shop/d.yml", 1) in found
        assert ("MISSING_NAME", "segments/shop/e.yml", 2) in found

    def test_one_name_twice_says_where_the_other_is(self, workspace: Workspace) -> None:
        write(workspace, "A/one.yml", "# first\nname: VIP\n")
        write(workspace, "A/two.yml", "name: VIP\n")
        _, issues = read_segment_files(workspace, "shop")
        [issue] = issues
        assert (issue.code, issue.file, issue.line) == ("DUPLICATE_NAME", "segments/shop/A/two.yml", 1)
        assert "segments/shop/A/one.yml, line 2" in issue.hint

    def test_parents(self, workspace: Workspace) -> None:
        (workspace.parents_folder / "shop.yml").write_text("\ufeff" + SHOP, encoding="utf-8")
        (workspace.parents_folder / "again.yml").write_text(SHOP.replace("Shop", "shop!"))
        (workspace.parents_folder / "bad.yml").write_text("name: Bad\nmastr: 1\n")
        files, issues = read_parent_files(workspace)
        assert {file.parent.slug for file in files} == {"shop"}
        assert {issue.file for issue in issues.errors} == {"parent_segments/bad.yml", "parent_segments/shop.yml"}
        assert "DUPLICATE_NAME" in issues.codes()


class TestWriting:
    def plan_and_write(self, workspace: Workspace, *segments: Segment) -> list[tuple[str, str]]:
        changes = plan_segment_files(workspace, "shop", segments, read(workspace))
        write_files(changes)
        root = workspace.segments_folder("shop")
        return [(change.action, change.path.relative_to(root).as_posix()) for change in changes]

    def test_new_files_are_slugs_in_directories(self, workspace: Workspace) -> None:
        segments = [Segment("VIP Überflieger!", "A/B c"), Segment("VIP überflieger", "A/B c", RULE), Segment("???"), Segment("!!!")]
        assert self.plan_and_write(workspace, *segments) == [
            ("create", "A/B c/vip-überflieger.yml"),
            ("create", "A/B c/vip-überflieger-1.yml"),
            ("create", "unnamed.yml"),
            ("create", "unnamed-1.yml"),
        ]
        assert {file.segment for file in read(workspace)} == set(segments)

    def test_a_file_that_is_there_is_never_overwritten_by_another_segment(self, workspace: Workspace) -> None:
        write(workspace, "vip.yml", "name: Other\n")
        assert self.plan_and_write(workspace, Segment("VIP")) == [("create", "vip-1.yml")]

    def test_folders_that_cannot_be_directories_are_written_inside(self, workspace: Workspace) -> None:
        segments = [Segment("a", "../../up"), Segment("b", "A/.hidden/x"), Segment("c", "A/" + "ü" * 150), Segment("d", "back\\slash")]
        done = self.plan_and_write(workspace, *segments)
        assert done == [("create", "a.yml"), ("create", "A/b.yml"), ("create", "A/c.yml"), ("create", "d.yml")]
        files, _ = read_segment_files(workspace, "shop")
        assert {file.segment for file in files} >= set(segments[1:])

    def test_a_long_name_gets_a_short_file(self, workspace: Workspace) -> None:
        [(_, path)] = self.plan_and_write(workspace, Segment("語" * 200))
        assert len(path.encode()) < 255

    def test_an_equal_definition_leaves_the_file_as_it_is(self, workspace: Workspace) -> None:
        text = "# mine\nname:   'VIP'\nrule: age > 30   # text\n"
        file = write(workspace, "A/odd-name.yml", text)
        assert self.plan_and_write(workspace, Segment("VIP", "A", RULE)) == [("unchanged", "A/odd-name.yml")]
        assert file.read_text() == text

    def test_a_changed_definition_is_written_where_it_was(self, workspace: Workspace) -> None:
        write(workspace, "A/odd.yml", "name: VIP\nfolder: B\n")
        changed = Segment("VIP", "B", RULE, description="d")
        assert self.plan_and_write(workspace, changed) == [("update", "A/odd.yml")]
        assert [file.segment for file in read(workspace)] == [changed]

    def test_a_rule_written_as_text_stays_text(self, workspace: Workspace) -> None:
        file = write(workspace, "vip.yml", "name: VIP\nrule: age > 40\n")
        self.plan_and_write(workspace, Segment("VIP", "", RULE))
        assert file.read_text() == "name: VIP\nrule: age > 30\n"

    def test_a_list_is_changed_in_place(self, workspace: Workspace) -> None:
        file = write(workspace, "A/segments.yml", "- name: one\n- name: two\n- name: three\n  rule: age > 1\n")
        done = self.plan_and_write(workspace, Segment("two", "A", RULE), Segment("one", "A", description="d"), Segment("new", "A"))
        assert done == [("update", "A/segments.yml"), ("update", "A/segments.yml"), ("create", "A/new.yml")]
        assert [entry.segment.name for entry in read(workspace, file)] == ["one", "two", "three"]
        segments = {entry.segment.name: entry.segment for entry in read(workspace)}
        assert segments["two"].rule == RULE
        assert segments["one"].description == "d"
        assert segments["three"].rule != RULE

    def test_parents(self, workspace: Workspace) -> None:
        file = workspace.parents_folder / "my file.yml"
        file.write_text(SHOP)
        files, _ = read_parent_files(workspace)
        parent = files[0].parent
        assert plan_parent_file(workspace, parent, files).action == "unchanged"
        changed, other = replace(parent, description="d"), replace(parent, name="My file")
        plans = [plan_parent_file(workspace, each, files) for each in (changed, other)]
        assert [(plan.action, plan.path.name) for plan in plans] == [("update", "my file.yml"), ("create", "my-file.yml")]
        write_files(plans)
        files, _ = read_parent_files(workspace)
        assert {found.parent for found in files} == {changed, other}
