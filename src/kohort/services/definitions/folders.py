"""Folders as a whole: what is in one and who refers to it, move or rename it, delete it with everything inside.

A folder is there as long as a segment is in it, or below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.fingerprints import fingerprint
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.services.definitions.dependents import Dependent, dependents_among
from kohort.services.definitions.move import MoveResult, Place, check_words, move_to_places
from kohort.services.definitions.revisions import revision_of
from kohort.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A folder: its segments, those of folders below included; segments elsewhere that need one of them; what it is at present."""

    path: str
    segments: tuple[SegmentRecord, ...]
    dependents: tuple[Dependent, ...]
    revision: str


def folder_contents(store: DefinitionStore, parent: ParentRecord, folder: str) -> FolderContents:
    """What is in a folder. Raises UserError FOLDER_NOT_FOUND; the root is no folder."""
    return _contents(store.segments(parent.id), folder)


def _contents(records: Sequence[SegmentRecord], folder: str) -> FolderContents:
    path = folder.strip("/")
    inside = tuple(record for record in records if is_inside(record.folder, path)) if path else ()
    if not inside:
        raise folder_not_found(path)
    outside = tuple(found for found in dependents_among(records, [r.path for r in inside]) if not is_inside(found.folder, path))
    revision = fingerprint([[record.id, revision_of(record)] for record in sorted(inside, key=lambda record: record.id)])
    return FolderContents(path, inside, outside, revision[:16])


def folder_not_found(path: str) -> UserError:
    """What is said of a folder that is not there, and of one that may not be seen."""
    return UserError("FOLDER_NOT_FOUND", f'there is no folder "{path}"', hint="list them first; a folder without segments is gone")


def is_inside(folder: str, around: str) -> bool:
    """Whether a folder is the other one, or below it.

    >>> is_inside("Value/VIP", "Value"), is_inside("Values", "Value")
    (True, False)
    """
    return f"{folder}/".startswith(f"{around}/")


def move_folder(
    store: DefinitionStore,
    workspace: Workspace | None,
    parent: ParentRecord,
    folder: str,
    target: str,
    *,
    revision: str | None,
    by: str,
    clock: Clock,
) -> MoveResult:
    """Give a folder another path; everything inside keeps its place in it, references follow. What is at the target already stays.

    Raises UserError FOLDER_NOT_FOUND, INVALID_FOLDER, NAME_TAKEN, CHANGED_MEANWHILE, InvalidInput; then nothing was changed.
    """
    path, new = folder.strip("/"), target.strip("/")
    check_words(new, None)
    if not new:
        raise UserError("INVALID_FOLDER", "a folder needs a name", hint="write names joined by /, such as Marketing/VIP")
    if new != path and is_inside(new, path):
        raise UserError("INVALID_FOLDER", f'"{path}" cannot be moved into itself', hint="choose a folder outside of it")

    def places(records: Sequence[SegmentRecord]) -> Mapping[int, Place]:
        found = _contents(records, path)
        require_folder_revision(found, revision)
        return {record.id: (new + record.folder.removeprefix(path), record.name) for record in found.segments}

    return move_to_places(store, workspace, parent, places, by=by, clock=clock)


def delete_folder(store: DefinitionStore, parent: ParentRecord, folder: str, *, revision: str | None) -> FolderContents:
    """Remove a folder with all segments inside and their versions; what it was.

    Raises UserError FOLDER_NOT_FOUND, CHANGED_MEANWHILE, and SEGMENT_REFERENCED when segments elsewhere need one inside.
    """
    with store.transaction():
        found = folder_contents(store, parent, folder)
        require_folder_revision(found, revision)
        if found.dependents:
            others = ", ".join(f'"{dependent.path}"' for dependent in found.dependents)
            message = f'"{found.path}" cannot be deleted: {others} refer{"s" if len(found.dependents) == 1 else ""} to what is in it'
            raise UserError("SEGMENT_REFERENCED", message, hint="change or delete those first")
        for record in found.segments:
            store.delete_segment(record.id)
        return found


def require_folder_revision(found: FolderContents, revision: str | None) -> None:
    """None: it does not matter. Raises UserError CHANGED_MEANWHILE."""
    if revision is not None and revision != found.revision:
        message = f'what is in "{found.path}" is not as it was when you read it'
        raise UserError("CHANGED_MEANWHILE", message, hint="read it again, then change it")
