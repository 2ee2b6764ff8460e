"""Finding, making and configuring a workspace."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kohort.foundation.errors import InvalidInput, UserError
from kohort.workspace.files import write_text
from kohort.workspace.workspace import Workspace, find_workspace, init_workspace, open_workspace


def tree(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


class TestInit:
    def test_it_makes_settings_folders_and_an_ignored_state(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path / "a" / "b")
        assert workspace.root == tmp_path / "a" / "b"
        assert tree(workspace.root) == [".gitignore", ".kohort", "kohort.toml", "parent_segments", "segments"]
        assert (workspace.root / ".gitignore").read_text() == ".kohort/\n"
        assert workspace.parent_segment == ""
        assert dict(workspace.settings) == {}

    def test_its_state_is_for_its_owner_alone_and_stays_as_somebody_set_it(self, tmp_path: Path) -> None:
        state = init_workspace(tmp_path).state
        assert state.stat().st_mode & 0o777 == 0o700
        state.chmod(0o750)
        assert init_workspace(tmp_path).state.stat().st_mode & 0o777 == 0o750

    def test_again_it_leaves_everything_and_makes_what_is_missing(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path)
        (tmp_path / "kohort.toml").write_text('parent_segment = "Shop"\n')
        (tmp_path / "segments").rmdir()
        assert init_workspace(tmp_path) == workspace
        assert workspace.parent_segment == "Shop"
        assert (tmp_path / "segments").is_dir()
        assert (tmp_path / ".gitignore").read_text() == ".kohort/\n"

    @pytest.mark.parametrize(
        ("before", "after"),
        [("*.pyc", "*.pyc\n.kohort/\n"), ("a\n", "a\n.kohort/\n"), ("/.kohort\n", "/.kohort\n"), (".kohort/\nb\n", ".kohort/\nb\n")],
    )
    def test_a_gitignore_keeps_its_lines(self, tmp_path: Path, before: str, after: str) -> None:
        (tmp_path / ".gitignore").write_text(before)
        init_workspace(tmp_path)
        assert (tmp_path / ".gitignore").read_text() == after

    def test_inside_another_workspace_it_refuses(self, tmp_path: Path) -> None:
        init_workspace(tmp_path)
        with pytest.raises(UserError) as caught:
            init_workspace(tmp_path / "segments" / "new")
        assert caught.value.code == "INSIDE_WORKSPACE"
        assert str(tmp_path) in caught.value.message
        assert not (tmp_path / "segments" / "new").exists()

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(UserError) as caught:
                init_workspace(path)
            assert caught.value.code == "NOT_A_FOLDER"


class TestFind:
    def test_from_anywhere_below_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        workspace = init_workspace(tmp_path / "w")
        below = workspace.root / "segments" / "shop" / "A"
        below.mkdir(parents=True)
        assert find_workspace(below) == find_workspace(workspace.root) == workspace
        monkeypatch.chdir(below)
        assert open_workspace(Path()) == workspace
        assert find_workspace(tmp_path) is None

    def test_none_is_a_message(self, tmp_path: Path) -> None:
        with pytest.raises(UserError) as caught:
            open_workspace(tmp_path)
        assert (caught.value.code, "kohort init" in caught.value.hint) == ("NO_WORKSPACE", True)

    def test_the_parent_segment_of_a_path(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path)
        assert workspace.parent_slug_of(workspace.segments_folder("shop")) == "shop"
        assert workspace.parent_slug_of(workspace.segments_folder("shop") / "A" / "b.yml") == "shop"
        assert workspace.parent_slug_of(tmp_path / "elsewhere.yml") == ""
        assert workspace.shown(tmp_path / "segments" / "x.yml") == "segments/x.yml"


class TestSettings:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", 'parent_segment = "N"\n'),
            ("# c\n", '# c\nparent_segment = "N"\n'),
            ("a = 1", 'a = 1\nparent_segment = "N"\n'),
            ("# c\n\n[settings]\nuser = 'x' # me\n", "# c\n\nparent_segment = \"N\"\n\n[settings]\nuser = 'x' # me\n"),
            (
                '  parent_segment="Old" # why\nb = 2\n[t]\nparent_segment = "t"\n',
                'parent_segment = "N"\nb = 2\n[t]\nparent_segment = "t"\n',
            ),
            ('"parent_segment" = "Old"\n', 'parent_segment = "N"\n'),
        ],
    )
    def test_choosing_a_parent_segment_leaves_other_lines(self, tmp_path: Path, before: str, after: str) -> None:
        workspace = init_workspace(tmp_path)
        workspace.settings_file.write_text(before)
        workspace.use_parent_segment("N")
        assert workspace.settings_file.read_text() == after
        assert workspace.parent_segment == "N"

    @pytest.mark.parametrize("name", ['a "b" \\ c', "ünï 💡", "tab\tnew\nline\x7f\x00", "'''"])
    def test_any_name_comes_back(self, tmp_path: Path, name: str) -> None:
        workspace = init_workspace(tmp_path)
        workspace.use_parent_segment(name)
        assert workspace.parent_segment == name

    def test_a_file_that_cannot_be_edited_is_left_alone(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path)
        text = 'a = """\n[x]\n"""\nparent_segment = "Old"\n'
        workspace.settings_file.write_text(text)
        with pytest.raises(UserError):
            workspace.use_parent_segment("New")
        assert workspace.settings_file.read_text() == text

    def test_wrong_toml_has_its_line(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path)
        workspace.settings_file.write_text("a = 1\nb = = 2\n")
        with pytest.raises(InvalidInput) as caught:
            _ = workspace.settings
        [issue] = caught.value.issues
        assert (issue.code, issue.file, issue.line, issue.column) == ("SETTINGS_SYNTAX", "kohort.toml", 2, 5)

    @pytest.mark.parametrize("text", ["parent_segment = 1", "settings = 2"])
    def test_wrong_types(self, tmp_path: Path, text: str) -> None:
        workspace = init_workspace(tmp_path)
        workspace.settings_file.write_text(text)
        with pytest.raises(UserError) as caught:
            _ = (workspace.parent_segment, workspace.settings)
        assert caught.value.code == "INVALID_SETTING"

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        workspace = init_workspace(tmp_path)
        workspace.settings_file.write_bytes(b"\xff\xfe")
        with pytest.raises(UserError) as caught:
            _ = workspace.settings
        assert caught.value.code == "SETTINGS_UNREADABLE"


class TestWriting:
    def test_it_replaces_the_file_and_keeps_its_mode(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "a.yml"
        write_text(file, "one\n")
        file.chmod(0o640)
        write_text(file, "two\n")
        assert file.read_text() == "two\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert tree(tmp_path) == ["new", "new/a.yml"]

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real.yml").write_text("old")
        (tmp_path / "link.yml").symlink_to(tmp_path / "real.yml")
        write_text(tmp_path / "link.yml", "new")
        assert (tmp_path / "link.yml").is_symlink()
        assert (tmp_path / "real.yml").read_text() == "new"

    def test_a_failure_leaves_the_old_file_and_no_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "a.yml"
        file.write_text("old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError) as caught:
            write_text(file, "new")
        assert caught.value.code == "DISK_FULL"
        assert file.read_text() == "old"
        assert tree(tmp_path) == ["a.yml"]

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(UserError) as caught:
            write_text(tmp_path / "file" / "a.yml", "new")
        assert caught.value.code == "FILE_NOT_WRITABLE"


def test_a_workspace_names_its_places() -> None:
    workspace = Workspace(Path("/w"))
    assert (workspace.state, workspace.parents_folder) == (Path("/w/.kohort"), Path("/w/parent_segments"))
    assert workspace.segments_folder("shop") == Path("/w/segments/shop")
