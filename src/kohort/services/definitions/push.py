"""Brings definition files into the store: read all, check all, plan; then save everything or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kohort.foundation.clock import Clock
from kohort.foundation.fingerprints import canonical_json
from kohort.foundation.issues import Issue, Issues
from kohort.parent.catalog import FieldCatalog
from kohort.parent.codec import parent_to_document
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.rules.check import check_rule
from kohort.rules.check_parts import check_names_in_text, check_parts
from kohort.rules.places import located
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, problems
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.segment_folders import require_own_folder
from kohort.services.definitions.stored import read_stored, segment_ids, stored_document
from kohort.workspace.reading import ParentFile, SegmentFile, folder_of, read_parent_files, read_segment_files, within
from kohort.workspace.workspace import Workspace

Action = Literal["create", "update", "describe", "unchanged", "delete", "refused"]
"""create; update: a new version; describe: words only, same version; refused: a delete that others still need."""


@dataclass(frozen=True, slots=True)
class PushItem:
    """One line of a push plan. `version`: after the push (0 for a delete); `file`: from the workspace's root, "" for a delete;
    needed_by: paths of the segments that refer to one whose delete is refused."""

    action: Action
    path: str
    version: int
    file: str = ""
    needed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did, or with a dry run would do. `issues` are warnings, and in a dry run what would refuse it."""

    items: tuple[PushItem, ...]
    issues: Issues = field(default_factory=Issues)
    applied: bool = False

    def count(self, action: Action) -> int:
        return Counter(item.action for item in self.items)[action]

    @property
    def changes(self) -> tuple[PushItem, ...]:
        """The items that are not unchanged."""
        return tuple(item for item in self.items if item.action != "unchanged")


def push_parents(
    store: DefinitionStore, workspace: Workspace, paths: Sequence[Path] = (), *, by: str, clock: Clock, dry_run: bool = False
) -> PushResult:
    """Save the parent segments of the given files (none given: all of the workspace). Raises InvalidInput with every problem."""
    files, issues = read_parent_files(workspace, paths)
    issues.raise_if_errors()
    items: list[PushItem] = []
    with nullcontext() if dry_run else store.transaction():
        known = {record.slug: record for record in store.parents()}
        for file in files:
            item = _parent_item(file, known.get(file.parent.slug), workspace)
            items.append(item)
            if not dry_run and item.action != "unchanged":
                store.save_parent(file.parent.name, file.parent.slug, parent_to_document(file.parent), by=by, at=clock.now())
    return PushResult(tuple(items), issues, not dry_run)


def _parent_item(file: ParentFile, record: ParentRecord | None, workspace: Workspace) -> PushItem:
    name, shown = file.parent.name, workspace.shown(file.path)
    if record is None:
        return PushItem("create", name, 1, shown)
    if record.name == name and canonical_json(record.document) == canonical_json(parent_to_document(file.parent)):
        return PushItem("unchanged", name, record.version, shown)
    return PushItem("update", name, record.version + 1, shown)


def push_segments(
    store: DefinitionStore,
    workspace: Workspace,
    parent: ParentRecord,
    paths: Sequence[Path] = (),
    *,
    by: str,
    clock: Clock,
    catalog: FieldCatalog | None = None,
    delete: bool = False,
    dry_run: bool = False,
) -> PushResult:
    """Save the segments of the given files or folders (none given: all of the parent segment).

    delete: also remove stored segments that have no file (only below the given folders, if any were given). catalog: the fields
    to check rules against; None leaves that check out. Raises InvalidInput with every problem, UserError NO_SEGMENTS_FOLDER,
    FILE_NOT_FOUND, OTHER_PARENT, FOLDER_OF_NO_PARENT; then nothing was saved. In a dry run deletes that others need are items
    `refused` and issues of the result.
    """
    require_own_folder(store, workspace, parent, paths, delete=delete)
    files, issues = read_segment_files(workspace, parent.slug, paths, unsound=True)
    for file in files:
        issues.extend(check_file(file, catalog))
    with nullcontext() if dry_run else store.transaction():
        records = store.segments(parent.id)
        gone = _without_file(records, files, _scope(workspace, parent, paths)) if delete and issues.ok else []
        plan = _Plan.of(records, files, gone)
        issues.extend(plan.graph_issues())
        items = [*(plan.item(file, workspace) for file in files), *plan.delete_items()]
        refusals = [_refusal(item) for item in items if item.action == "refused"]
        if not dry_run or not issues.ok:
            Issues([*issues, *refusals]).raise_if_errors()
            plan.save(store, parent, gone, by, clock)
    return PushResult(tuple(items), Issues([*issues, *refusals]), not dry_run)


def check_file(file: SegmentFile, catalog: FieldCatalog | None) -> Issues:
    """Problems of a file's segment against the fields, placed; of a file with errors, those of what can be read of its rule."""
    rule = file.document.value.get("rule")
    if catalog is None:
        return Issues()
    if not file.sound:
        return file.document.located(check_parts(rule, catalog, ("rule",)))
    found = check_segment(file.segment, catalog)
    names = check_names_in_text(rule, catalog, ("rule",)) if isinstance(rule, str) else Issues()
    if names:
        known = set(names.codes())
        found = Issues([*names, *(issue for issue in found if issue.code not in known)])
    return located(found, file.document)


def check_segment(segment: Segment, catalog: FieldCatalog | None) -> Issues:
    """Problems of one segment against the fields there are; paths lead into its document."""
    if catalog is None:
        return Issues()
    issues = check_rule(segment.rule, catalog, None, ("rule",))
    test = segment.ab_test
    if test is not None and test.key_column and test.key_column not in catalog.attribute:
        message = f'there is no attribute "{test.key_column}"'
        issues.error("UNKNOWN_ATTRIBUTE", message, ("ab_test", "key_column"), "name a column whose values are the same after every refresh")
    return issues


@dataclass(frozen=True)
class _Plan:
    """What is stored and what the files say. `before`, `after`: the segments of the parent now and after the push."""

    records: Mapping[tuple[str, str], SegmentRecord]
    stored: Mapping[tuple[str, str], Segment]
    files: Sequence[SegmentFile]
    gone: Mapping[str, SegmentRecord]
    ids: Mapping[str, str]

    @staticmethod
    def of(records: Sequence[SegmentRecord], files: Sequence[SegmentFile], gone: Sequence[SegmentRecord]) -> _Plan:
        by_place = {(record.folder, record.name): record for record in records}
        read = {place: read_stored(record.document, *place)[0] for place, record in by_place.items()}
        stored = {place: segment for place, segment in read.items() if segment is not None}
        return _Plan(by_place, stored, files, {record.path: record for record in gone}, segment_ids(records))

    @property
    def pushed(self) -> dict[tuple[str, str], SegmentFile]:
        """By place; of two files for one segment the first counts."""
        return {(file.segment.folder, file.segment.name): file for file in reversed(self.files)}

    def after(self, *, with_gone: bool) -> list[Segment]:
        """The segments there will be; with_gone: as if nothing were deleted."""
        others = {place: segment for place, segment in self.stored.items() if with_gone or segment.path not in self.gone}
        return [*{**others, **{place: file.segment for place, file in self.pushed.items()}}.values()]

    def graph_issues(self) -> Issues:
        """Problems between segments that the push has or makes, in files where they stand, else by path. References to what
        is deleted are not among them (the delete is refused)."""
        old = {path: {str(issue) for issue in found} for path, found in problems(self.stored.values(), self.ids).items()}
        files = {file.segment.path: file for file in self.pushed.values()}
        issues = Issues()
        for path, found in problems(self.after(with_gone=True), self.ids).items():
            if path in files:
                issues.extend(located(found, files[path].document) if files[path].sound else ())
            else:
                new = [issue for issue in found if str(issue) not in old.get(path, set())]
                issues.extend(replace(issue, message=f"{path}: {issue.message}") for issue in new)
        return issues

    def item(self, file: SegmentFile, workspace: Workspace) -> PushItem:
        segment, shown = file.segment, workspace.shown(file.path)
        record = self.records.get((segment.folder, segment.name))
        if record is None:
            return PushItem("create", segment.path, 1, shown)
        stored = self.stored.get((segment.folder, segment.name))
        if stored == segment:
            return PushItem("unchanged", segment.path, record.version, shown)
        if stored is not None and segment_fingerprint(stored) == segment_fingerprint(segment):
            return PushItem("describe", segment.path, record.version, shown)
        return PushItem("update", segment.path, record.version + 1, shown)

    def delete_items(self) -> list[PushItem]:
        """The deletes; refused where a segment that stays refers to what would go."""
        graph = SegmentGraph.of(self.after(with_gone=True), self.ids)
        remaining = {segment.path for segment in self.after(with_gone=False)}
        needs = {path: tuple(other for other in graph.dependents(path) if other in remaining) for path in self.gone}
        return [PushItem("refused" if found else "delete", path, 0, needed_by=found) for path, found in needs.items()]

    def save(self, store: DefinitionStore, parent: ParentRecord, gone: Sequence[SegmentRecord], by: str, clock: Clock) -> None:
        at = clock.now()
        for file in self.files:
            segment = file.segment
            place = (segment.folder, segment.name)
            stored, record = self.stored.get(place), self.records.get(place)
            if stored == segment:
                continue
            fingerprint = segment_fingerprint(segment)
            if record is not None and stored is not None and segment_fingerprint(stored) == fingerprint:
                fingerprint = record.fingerprint
            store.save_segment(parent.id, *place, segment.kind, stored_document(segment), fingerprint, by=by, at=at)
        for record in gone:
            store.delete_segment(record.id)


def _without_file(records: Iterable[SegmentRecord], files: Iterable[SegmentFile], folders: Sequence[str] | None) -> list[SegmentRecord]:
    """Stored segments in scope that no file defines. folders: None = everywhere."""
    defined = {(file.segment.folder, file.segment.name) for file in files}
    missing = [record for record in records if (record.folder, record.name) not in defined]
    if folders is None:
        return missing
    return [record for record in missing if any(f"{record.folder}/".startswith(f"{folder}/") or not folder for folder in folders)]


def _scope(workspace: Workspace, parent: ParentRecord, paths: Sequence[Path]) -> list[str] | None:
    """The segment folders that the given paths stand for; None = all. Single files stand for none."""
    if not paths:
        return None
    root = workspace.segments_folder(parent.slug)
    inside = [path for path in within(root, paths) if path.is_dir() and (path.absolute() == root or root in path.absolute().parents)]
    return [folder_of(path / "file", root) for path in inside]


def _refusal(item: PushItem) -> Issue:
    others = ", ".join(f'"{path}"' for path in item.needed_by)
    message = f'"{item.path}" cannot be deleted: {others} refer{"s" if len(item.needed_by) == 1 else ""} to it'
    return Issue("SEGMENT_REFERENCED", message, hint="change or delete those first")
