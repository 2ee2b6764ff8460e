"""Reads the definition files of a workspace: every definition, and every problem of all files at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohort.documents.document import Document
from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issue, Issues
from kohort.parent.codec import read_parent
from kohort.parent.definition import ParentSegment
from kohort.segments.codec import read_segment
from kohort.segments.definition import Segment
from kohort.workspace.files import read_document
from kohort.workspace.workspace import Workspace

SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class ParentFile:
    """A parent segment and the file it stands in."""

    path: Path
    parent: ParentSegment
    document: Document


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment and where it stands: alone in `path`, or (older layout) at `position` of the list in it.

    sound: False when the file has errors and the segment holds only what could be read.
    """

    path: Path
    segment: Segment
    document: Document
    position: int | None = None
    sound: bool = True


def read_parent_files(workspace: Workspace, paths: Sequence[Path] = ()) -> tuple[list[ParentFile], Issues]:
    """The parent segments in the given files or folders (none given: all of the workspace), and all problems."""
    found: list[ParentFile] = []
    issues = Issues()
    for path in definition_files(paths or [workspace.parents_folder], required=bool(paths)):
        document, problems = read_document(path, workspace.shown(path))
        issues.extend(problems)
        if document is None:
            continue
        parent, problems = read_parent(document)
        issues.extend(document.located(problems))
        if parent is not None and problems.ok:
            found.append(ParentFile(path, parent, document))
    issues.extend(_twice([(file.parent.slug, file.parent.name, file.document) for file in found], "parent segment"))
    return found, issues


def read_segment_files(
    workspace: Workspace, parent_slug: str, paths: Sequence[Path] = (), *, unsound: bool = False
) -> tuple[list[SegmentFile], Issues]:
    """The segments in the given files or folders (none given: all of the parent segment), and all problems.

    unsound: also the segments of files with errors, as far as they have a name. A folder around the parent segment's own stands
    for that. Raises UserError FILE_NOT_FOUND, OTHER_PARENT.
    """
    found: list[SegmentFile] = []
    issues = Issues()
    root = workspace.segments_folder(parent_slug)
    for path in definition_files(within(root, paths) or [root], required=bool(paths)):
        _refuse_other_parent(workspace, parent_slug, path)
        document, problems = read_document(path, workspace.shown(path))
        issues.extend(problems)
        if document is None:
            continue
        for position, part in _parts(document):
            segment, problems = read_segment(part, folder_of(path, root))
            issues.extend(part.located(problems))
            if segment is not None and (problems.ok or unsound):
                found.append(SegmentFile(path, segment, part, position, problems.ok))
    issues.extend(_twice([(file.segment.path, file.segment.path, file.document) for file in found], "segment"))
    return found, issues


def definition_files(paths: Iterable[Path], *, required: bool) -> Iterator[Path]:
    """The YAML files among `paths` and under the folders among them, sorted, each once; hidden ones are left out.

    Raises UserError FILE_NOT_FOUND for a path that is not there, when `required`.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            if required:
                raise UserError("FILE_NOT_FOUND", f"there is no file or folder {path}", hint="check the path")
            continue
        for file in _files_under(path) if path.is_dir() else [path]:
            if file.absolute() not in seen:
                seen.add(file.absolute())
                yield file


def within(root: Path, paths: Iterable[Path]) -> list[Path]:
    """The paths, with `root` in place of every folder around it."""
    return [root if path.resolve() in root.resolve().parents else path for path in paths]


def folder_of(path: Path, root: Path) -> str:
    """The segment folder that a file's place says: its directories below the root, "" elsewhere."""
    absolute = path.absolute()
    folder = absolute.parent.relative_to(root).as_posix() if root in absolute.parents else "."
    return "" if folder == "." else folder


def _files_under(folder: Path) -> list[Path]:
    found: list[Path] = []
    for current, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(current, name) for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    return sorted(found)


def _parts(document: Document) -> list[tuple[int | None, Document]]:
    """The document itself, or the entries of the list it is (the older layout: one `segments.yml` a folder)."""
    if isinstance(document.value, list):
        return [(index, document.at((index,))) for index in range(len(document.value))]
    return [(None, document)]


def _refuse_other_parent(workspace: Workspace, parent_slug: str, path: Path) -> None:
    other = workspace.parent_slug_of(path)
    if other not in ("", parent_slug):
        message = f'{workspace.shown(path)} lies in the folder "{other}", not in "{parent_slug}" of this parent segment'
        raise UserError("OTHER_PARENT", message, hint="choose the parent segment of that folder with --parent")


def _twice(definitions: Iterable[tuple[str, str, Document]], what: str) -> Issues:
    """An issue for every definition whose place another one has taken."""
    issues = Issues()
    first: dict[str, Document] = {}
    for key, name, document in definitions:
        earlier = first.setdefault(key, document)
        if earlier is not document:
            line, _ = earlier.place(("name",))
            hint = f"it is also in {earlier.file}, line {line}: rename or delete one of them"
            issue = Issue("DUPLICATE_NAME", f'the {what} "{name}" is defined twice', ("name",), hint=hint)
            issues.extend(document.located(Issues([issue])))
    return issues
