"""The folder that holds everything of one customer.

kohort.toml                            settings, and the parent segment in use
parent_segments/<slug>.yml             one file a parent segment
segments/<parent slug>/<Folder>/<slug>.yml   one file a segment; folders as people named them
.kohort/                               state: definition store, warehouse, memberships; not for git
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issue, Issues
from kohort.workspace.files import write_text

SETTINGS_FILE = "kohort.toml"
STATE_FOLDER = ".kohort"
PRIVATE = 0o700
"""Who may enter the state folder when it is made: its owner alone, for customers and hashes of passwords are in it."""
PARENTS_FOLDER = "parent_segments"
SEGMENTS_FOLDER = "segments"

_TEMPLATE = """\
# A Kohort workspace: definitions are in parent_segments/ and segments/, state is in .kohort/.

[settings]
"""
_POSITION = re.compile(r"\(at line (\d+), column (\d+)\)")
_PARENT_LINE = re.compile(r"""\s*(parent_segment|"parent_segment"|'parent_segment')\s*=""")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace on disk; `root` is absolute."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS_FILE

    @property
    def state(self) -> Path:
        """Where state is kept."""
        return self.root / STATE_FOLDER

    @property
    def parents_folder(self) -> Path:
        return self.root / PARENTS_FOLDER

    def segments_folder(self, parent_slug: str) -> Path:
        """The root folder of one parent segment's segments."""
        return self.root / SEGMENTS_FOLDER / parent_slug

    def parent_slug_of(self, path: Path) -> str:
        """The slug of the parent segment under whose folder `path` lies; "" elsewhere."""
        segments = self.root / SEGMENTS_FOLDER
        absolute = path.absolute()
        return absolute.relative_to(segments).parts[0] if segments in absolute.parents else ""

    def shown(self, path: Path) -> str:
        """A path as messages name it: from the root, or in full when it lies elsewhere."""
        absolute = path.absolute()
        return absolute.relative_to(self.root).as_posix() if absolute.is_relative_to(self.root) else str(path)

    def read_settings_file(self) -> dict[str, Any]:
        """What `kohort.toml` says. Raises InvalidInput SETTINGS_SYNTAX, UserError SETTINGS_UNREADABLE."""
        try:
            text = self.settings_file.read_bytes().decode("utf-8-sig")
            return tomllib.loads(text)
        except OSError as error:
            hint = "check its permissions"
            raise UserError("SETTINGS_UNREADABLE", f"{self.settings_file} cannot be read: {error.strerror}", hint=hint) from error
        except UnicodeDecodeError as error:
            raise UserError("SETTINGS_UNREADABLE", f"{self.settings_file} is not UTF-8 text", hint="save it as UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput(_syntax_issues(error)) from error

    @property
    def settings(self) -> Mapping[str, Any]:
        """The `[settings]` table of `kohort.toml`, unchecked."""
        table = self.read_settings_file().get("settings", {})
        if not isinstance(table, dict):
            raise UserError("INVALID_SETTING", f"{SETTINGS_FILE}: settings must be a table", hint="write [settings] on a line of its own")
        return table

    @property
    def parent_segment(self) -> str:
        """The name (or slug) of the parent segment in use; "" when none is chosen."""
        value = self.read_settings_file().get("parent_segment", "")
        if not isinstance(value, str):
            raise UserError("INVALID_SETTING", f"{SETTINGS_FILE}: parent_segment must be text", hint='write parent_segment = "Name"')
        return value

    def use_parent_segment(self, name: str) -> None:
        """Write the parent segment in use into `kohort.toml`, leaving every other line as it is."""
        before = self.read_settings_file()
        if before.get("parent_segment") == name:
            return
        text = _with_parent_line(self.settings_file.read_bytes().decode("utf-8-sig"), name)
        if tomllib.loads(text) != {**before, "parent_segment": name}:
            hint = f"write parent_segment = {_quoted(name)} at its top"
            raise UserError("SETTINGS_NOT_CHANGED", f"{SETTINGS_FILE} is written in a way that cannot be edited", hint=hint)
        write_text(self.settings_file, text)


def find_workspace(start: Path) -> Workspace | None:
    """The workspace that `start` is, or lies in."""
    folder = start.absolute().resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / SETTINGS_FILE).is_file():
            return Workspace(candidate)
    return None


def open_workspace(start: Path) -> Workspace:
    """The same, or UserError NO_WORKSPACE."""
    found = find_workspace(start)
    if found is None:
        hint = "make one with: kohort init, or name one with: kohort -w DIR"
        raise UserError("NO_WORKSPACE", f"{start.absolute()} is not a Kohort workspace", hint=hint)
    return found


def init_workspace(directory: Path) -> Workspace:
    """Make a workspace of a folder; one that is a workspace already gets what is missing and is otherwise left alone.

    Raises UserError INSIDE_WORKSPACE when the folder lies in another workspace, NOT_A_FOLDER, FILE_NOT_WRITABLE.
    """
    root = directory.absolute().resolve()
    around = find_workspace(root)
    if around is not None and around.root != root:
        hint = "use that workspace, or choose a folder outside it"
        raise UserError("INSIDE_WORKSPACE", f"{root} lies inside the workspace {around.root}", hint=hint)
    workspace = Workspace(root)
    try:
        for folder in (root, workspace.parents_folder, root / SEGMENTS_FOLDER):
            folder.mkdir(parents=True, exist_ok=True)
        workspace.state.mkdir(mode=PRIVATE, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError("NOT_A_FOLDER", f"{error.filename} is a file, not a folder", hint="choose another folder") from error
    except OSError as error:
        hint = "check the permissions of the folder above it"
        raise UserError("FILE_NOT_WRITABLE", f"{error.filename} cannot be made: {error.strerror}", hint=hint) from error
    _ignore_state(root / ".gitignore")
    if not workspace.settings_file.exists():
        write_text(workspace.settings_file, _TEMPLATE)
    return workspace


def _ignore_state(file: Path) -> None:
    text = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
    entries = {line.strip().strip("/") for line in text.splitlines()}
    if STATE_FOLDER not in entries:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        if not file.exists():
            write_text(file, f"{STATE_FOLDER}/\n")
        else:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(f"{start[len(text) :]}{STATE_FOLDER}/\n")


def _syntax_issues(error: tomllib.TOMLDecodeError) -> Issues:
    found = _POSITION.search(str(error))
    line, column = (int(found[1]), int(found[2])) if found else (0, 0)
    message = _POSITION.sub("", str(error)).strip()
    return Issues([Issue("SETTINGS_SYNTAX", message, hint="this file is TOML", file=SETTINGS_FILE, line=line, column=column)])


def _with_parent_line(text: str, name: str) -> str:
    """The text of `kohort.toml` with `parent_segment` set above its first table."""
    lines = text.splitlines(keepends=True)
    top = next((index for index, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    written = f"parent_segment = {_quoted(name)}\n"
    for index in range(top):
        if _PARENT_LINE.match(lines[index]):
            lines[index] = written
            return "".join(lines)
    if top and not lines[top - 1].endswith("\n"):
        lines[top - 1] += "\n"
    return "".join([*lines[:top], written, *(["\n"] if top < len(lines) else []), *lines[top:]])


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
