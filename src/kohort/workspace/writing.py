"""Writes definitions into the files of a workspace. A file whose definition is already equal is left as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.parent.codec import parent_to_document
from kohort.parent.definition import ParentSegment, slug
from kohort.rules.text import parse_rule, write_rule
from kohort.segments.codec import segment_to_document
from kohort.segments.definition import Segment
from kohort.workspace.files import write_text
from kohort.workspace.reading import ParentFile, SegmentFile, folder_of
from kohort.workspace.workspace import Workspace

Action = Literal["create", "update", "unchanged"]
Json = dict[str, Any]

_SLUG_CHARACTERS = 60
_PART_BYTES = 200


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file as it is to be. `name` is the definition's path (or the parent segment's name); `text` the whole new file."""

    path: Path
    name: str
    action: Action
    text: str = ""


def plan_parent_file(workspace: Workspace, parent: ParentSegment, files: Sequence[ParentFile]) -> FileChange:
    """Where and how to write a parent segment: into the file that has its slug, else into a new one."""
    mine = next((file for file in files if file.parent.slug == parent.slug), None)
    if mine is not None and mine.parent == parent:
        return FileChange(mine.path, parent.name, "unchanged")
    text = write_yaml(parent_to_document(parent))
    if mine is not None:
        return FileChange(mine.path, parent.name, "update", text)
    path = _free_path(workspace.parents_folder, parent.name, {file.path for file in files})
    return FileChange(path, parent.name, "create", text)


def plan_segment_files(
    workspace: Workspace, parent_slug: str, segments: Iterable[Segment], files: Sequence[SegmentFile]
) -> list[FileChange]:
    """One change a segment: into the file (or the place in a list) that has its folder and name, else into a new file."""
    root = workspace.segments_folder(parent_slug)
    known = {(file.segment.folder, file.segment.name): file for file in files}
    taken = {file.path.absolute() for file in files}
    lists: dict[Path, dict[int, Json]] = {}
    changes: list[FileChange] = []
    for segment in segments:
        mine = known.get((segment.folder, segment.name))
        if mine is None:
            path = free_segment_path(root, segment, taken)
            taken.add(path.absolute())
            changes.append(FileChange(path, segment.path, "create", segment_text(segment, folder_of(path, root))))
        elif mine.segment == segment:
            changes.append(FileChange(mine.path, segment.path, "unchanged"))
        else:
            document = segment_document(segment, folder_of(mine.path, root), mine.document)
            if mine.position is not None:
                lists.setdefault(mine.path, {})[mine.position] = document
            changes.append(FileChange(mine.path, segment.path, "update", write_yaml(document)))
    texts = {change.path: change.text for change in plan_list_files(lists)}
    return [replace(change, text=texts.get(change.path, change.text)) for change in changes]


def plan_list_files(entries: Mapping[Path, Mapping[int, Json]]) -> list[FileChange]:
    """Files of the older layout (a list of segments) with the given entries, by position, replaced."""
    changes: list[FileChange] = []
    for path, replaced in entries.items():
        document, _ = read_yaml(path.read_bytes().decode("utf-8-sig"))
        whole = [replaced.get(index, entry) for index, entry in enumerate(document.value)]
        changes.append(FileChange(path, path.name, "update", write_yaml(whole)))
    return changes


def free_segment_path(root: Path, segment: Segment, taken: set[Path]) -> Path:
    """A new file's path for a segment: its folder as directories, its name as a slug, a number where that is taken."""
    return _free_path(root / _directory(segment.folder), segment.name, taken)


def segment_text(segment: Segment, folder: str, before: Document | None = None) -> str:
    """The text of a segment's file that stands in `folder`; a rule that was written as text stays text where that is exact."""
    return write_yaml(segment_document(segment, folder, before))


def segment_document(segment: Segment, folder: str, before: Document | None = None) -> Json:
    """The document of a segment's file; `folder:` is written only where the file's place does not say it."""
    document = {key: value for key, value in segment_to_document(segment).items() if key != "folder"}
    if segment.folder != folder:
        document = {"name": document.pop("name"), "folder": segment.folder, **document}
    if before is not None and isinstance(before.value, dict) and isinstance(before.value.get("rule"), str):
        text = write_rule(segment.rule)
        rule, issues = parse_rule(text)
        if issues.ok and rule == segment.rule:
            document["rule"] = text
    return document


def write_files(changes: Iterable[FileChange]) -> None:
    """Write what is new or changed, each file in one step. Raises UserError DISK_FULL, FILE_NOT_WRITABLE."""
    for path, text in {change.path: change.text for change in changes if change.action != "unchanged"}.items():
        write_text(path, text)


def _free_path(folder: Path, name: str, taken: set[Path]) -> Path:
    """`<slug>.yml`, or `<slug>-1.yml`, ... when another definition has that file."""
    stem = slug(name)[:_SLUG_CHARACTERS]
    number = 0
    while True:
        path = folder / (f"{stem}-{number}.yml" if number else f"{stem}.yml")
        if not os.path.lexists(path) and path.absolute() not in taken:
            return path
        number += 1


def _directory(folder: str) -> Path:
    """The directories of a segment folder, verbatim, up to the first name that cannot be a directory's."""
    parts: list[str] = []
    for part in folder.split("/"):
        if not _is_directory_name(part):
            break
        parts.append(part)
    return Path(*parts)


def _is_directory_name(part: str) -> bool:
    if not part or part.startswith(".") or part != part.strip() or not part.isprintable() or "\\" in part:
        return False
    return len(part.encode("utf-8", "replace")) <= _PART_BYTES
