"""Brings stored definitions into files. A file whose definition is already equal is left as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.services.definitions.stored import find_segment, parent_of, segment_of
from kohort.workspace.reading import SegmentFile, read_parent_files, read_segment_files
from kohort.workspace.workspace import Workspace
from kohort.workspace.writing import Action, FileChange, plan_parent_file, plan_segment_files, write_files


@dataclass(frozen=True, slots=True)
class PullItem:
    """One file: what becomes of it, the definition in it, and where it is from the workspace's root."""

    action: Action
    path: str
    file: str


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull did, or with a dry run would do. local_only: segments that have a file and are not stored; they stay."""

    items: tuple[PullItem, ...]
    local_only: tuple[str, ...] = ()
    applied: bool = False

    def count(self, action: Action) -> int:
        return Counter(item.action for item in self.items)[action]

    @property
    def changes(self) -> tuple[PullItem, ...]:
        """The items that are not unchanged."""
        return tuple(item for item in self.items if item.action != "unchanged")


def pull_parents(
    store: DefinitionStore, workspace: Workspace, parents: Sequence[ParentRecord] = (), *, dry_run: bool = False
) -> PullResult:
    """Write parent segments (none given: all) to `parent_segments/<slug>.yml`, or the file that already defines them.

    Raises InvalidInput when a file of the folder cannot be read, for it might define one of them.
    """
    files, issues = read_parent_files(workspace)
    issues.raise_if_errors()
    changes = [plan_parent_file(workspace, parent_of(record), files) for record in (parents or store.parents())]
    return _result(workspace, changes, (), dry_run)


def pull_segments(
    store: DefinitionStore, workspace: Workspace, parent: ParentRecord, targets: Sequence[str] = (), *, dry_run: bool = False
) -> PullResult:
    """Write segments of a parent (by path, name or id; none given: all) to their files.

    Raises InvalidInput when a file of the parent's folder cannot be read, UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT.
    """
    records = store.segments(parent.id)
    wanted = [find_segment(records, target) for target in targets] if targets else records
    files = readable_files(workspace, parent)
    segments = {record.path: segment_of(record) for record in wanted}
    changes = plan_segment_files(workspace, parent.slug, segments.values(), files)
    stored = {(record.folder, record.name) for record in records}
    local = [file.segment.path for file in files if (file.segment.folder, file.segment.name) not in stored]
    return _result(workspace, changes, () if targets else tuple(sorted(local)), dry_run)


def readable_files(workspace: Workspace, parent: ParentRecord) -> list[SegmentFile]:
    """All segment files of a parent segment. Raises InvalidInput when one of them cannot be read."""
    files, issues = read_segment_files(workspace, parent.slug)
    issues.raise_if_errors()
    return files


def _result(workspace: Workspace, changes: Sequence[FileChange], local_only: tuple[str, ...], dry_run: bool) -> PullResult:
    if not dry_run:
        write_files(changes)
    items = tuple(PullItem(change.action, change.name, workspace.shown(Path(change.path))) for change in changes)
    return PullResult(items, local_only, not dry_run)
