"""Moves and renames segments: only their place changes. Segments that name them by it are rewritten and mean the same as before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issues
from kohort.ports.definitions import DefinitionStore, Json, ParentRecord, SegmentRecord
from kohort.segments.codec import MAX_NAME, is_plain_name
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, problems
from kohort.segments.rewriting import named_targets, with_targets
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.pull import readable_files
from kohort.services.definitions.stored import find_segment, read_stored, segment_ids, segment_of, stored_document
from kohort.workspace.editing import edited_segment
from kohort.workspace.files import move_file, remove_empty_folders, write_text
from kohort.workspace.reading import SegmentFile, folder_of
from kohort.workspace.workspace import Workspace
from kohort.workspace.writing import FileChange, free_segment_path, plan_list_files, segment_document, segment_text

Place = tuple[str, str]  # folder, name


@dataclass(frozen=True, slots=True)
class Moved:
    """One segment that changes its place; `id` stays."""

    id: int
    old_path: str
    new_path: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One reference whose words change: in the segment `path` (its new path), from `old_target` to `new_target`."""

    path: str
    old_target: str
    new_target: str


@dataclass(frozen=True, slots=True)
class MovedFile:
    """One file, from the workspace's root: moved (both differ), or rewritten where it is (both equal)."""

    old_file: str
    new_file: str


@dataclass(frozen=True, slots=True)
class MoveResult:
    """What a move did, or with a dry run would do."""

    moved: tuple[Moved, ...]
    rewritten: tuple[Rewritten, ...] = ()
    files: tuple[MovedFile, ...] = ()
    applied: bool = False


def move_segments(
    store: DefinitionStore,
    workspace: Workspace | None,
    parent: ParentRecord,
    targets: Sequence[str],
    *,
    folder: str | None = None,
    name: str | None = None,
    by: str,
    clock: Clock,
    dry_run: bool = False,
) -> MoveResult:
    """Give segments (by path, unique name or id) another folder ("" is the root) and, for a single one, another name.

    Their files follow, with whatever was not pushed. An A/B test that took the name for its test id keeps that id, so nobody
    changes variant. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT, NAME_TAKEN, INVALID_FOLDER, INVALID_NAME, and
    InvalidInput when a file cannot be read or a place is a variant's; then nothing was changed.
    """
    if name is not None and len(targets) != 1:
        raise UserError("INVALID_NAME", "only one segment at a time can be renamed", hint="name one segment")
    check_words(folder, name)

    def places(records: Sequence[SegmentRecord]) -> Mapping[int, Place]:
        found = {record.id: record for record in (find_segment(records, target) for target in targets)}
        return {key: (r.folder if folder is None else folder, r.name if name is None else name) for key, r in found.items()}

    return move_to_places(store, workspace, parent, places, by=by, clock=clock, dry_run=dry_run)


def move_to_places(
    store: DefinitionStore,
    workspace: Workspace | None,
    parent: ParentRecord,
    places_of: Callable[[Sequence[SegmentRecord]], Mapping[int, Place]],
    *,
    by: str,
    clock: Clock,
    dry_run: bool = False,
) -> MoveResult:
    """Give each segment a place of its own: `places_of` says, of all segments, the new place by id. Raises as `move_segments` does."""
    with store.transaction():
        records = store.segments(parent.id)
        places = _changed_places(records, places_of(records))
        words = _Words.of(records, places)
        _refuse_new_problems(words)
        files = _plan_files(workspace, parent, readable_files(workspace, parent), words) if workspace is not None else []
        moved = tuple(Moved(r.id, r.path, _path(places[r.id])) for r in records if r.id in places)
        shown = tuple(MovedFile(*(workspace.shown(p) for p in (f.old, f.new))) for f in files) if workspace is not None else ()
        result = MoveResult(moved, words.rewritten(), shown, not dry_run)
        if not dry_run:
            _save(store, records, words, by, clock.now())
            if workspace is not None:
                _write(files, workspace.segments_folder(parent.slug))
    return result


def check_words(folder: str | None, name: str | None) -> None:
    """Raises UserError INVALID_FOLDER, INVALID_NAME for what cannot be a folder, or a name."""
    parts = folder.split("/") if folder else []
    if not all(is_plain_name(part) for part in parts):
        raise UserError("INVALID_FOLDER", f'"{folder}" cannot be a folder', hint='write names joined by "/", such as Marketing/VIP')
    if name is not None and not is_plain_name(name):
        raise UserError("INVALID_NAME", f'"{name}" cannot be the name of a segment', hint='write it without "/" and spaces around it')
    if name is not None and len(name) > MAX_NAME:
        raise UserError("NAME_TOO_LONG", f"the name has {len(name)} characters, at most {MAX_NAME} can be stored", hint="shorten it")


def _changed_places(records: Sequence[SegmentRecord], wanted: Mapping[int, Place]) -> dict[int, Place]:
    """Id -> new place of what really moves. Raises NAME_TAKEN when two would have one path."""
    taken: set[str] = set()
    for record in records:
        path = _path(wanted.get(record.id, (record.folder, record.name)))
        if path in taken:
            hint = "choose another folder, or rename one of them first"
            raise UserError("NAME_TAKEN", f'there is already a segment "{path}"', hint=hint)
        taken.add(path)
    return {r.id: wanted[r.id] for r in records if r.id in wanted and wanted[r.id] != (r.folder, r.name)}


def _path(place: Place) -> str:
    folder, name = place
    return f"{folder}/{name}" if folder else name


@dataclass(frozen=True)
class _Words:
    """How references are written before and after. `paths`: path of every segment and variant -> its path afterwards."""

    places: Mapping[Place, Place]
    before: SegmentGraph
    after: SegmentGraph
    paths: Mapping[str, str]

    @staticmethod
    def of(records: Sequence[SegmentRecord], new: Mapping[int, Place]) -> _Words:
        places = {(r.folder, r.name): new[r.id] for r in records if r.id in new}
        ids = segment_ids(records)
        old = [segment_of(record) for record in records]
        moved = [_placed(segment, places) for segment in old]
        paths: dict[str, str] = {}
        for was, becomes in zip(old, moved, strict=True):
            paths[was.path] = becomes.path
            paths.update(zip(was.variant_paths, becomes.variant_paths, strict=True))
        new_ids = {key: paths[path] for key, path in ids.items()}
        return _Words(places, SegmentGraph.of(old, ids), SegmentGraph.of(moved, new_ids), paths)

    def changed(self, segment: Segment) -> Segment:
        """The segment at its new place, with every target it names written so that it is found there."""
        moved = _placed(segment, self.places)
        return with_targets(moved, self._target(segment, moved))

    def _target(self, old: Segment, new: Segment) -> Callable[[str], str]:
        def change(target: str) -> str:
            meant = self.before.resolve(target, old.folder)
            wanted = self.paths.get(meant) if meant is not None else None
            return target if wanted is None or self.after.resolve(target, new.folder) == wanted else wanted

        return change

    def rewritten(self) -> tuple[Rewritten, ...]:
        found: dict[Rewritten, None] = {}
        for segment in self.before.by_path.values():
            moved = self.changed(segment)
            for old, new in zip(named_targets(segment), named_targets(moved), strict=True):
                if old != new:
                    found[Rewritten(moved.path, old, new)] = None
        return tuple(found)


def _refuse_new_problems(words: _Words) -> None:
    """No place may be that of a variant, or otherwise make what was right wrong."""
    old = list(words.before.by_path.values())
    known = {words.paths[path] for path in problems(old, words.before.ids)}
    issues = Issues()
    for path, found in problems([words.changed(segment) for segment in old], words.after.ids).items():
        if path not in known:
            issues.extend(replace(issue, message=f"{path}: {issue.message}") for issue in found)
    issues.raise_if_errors()


def _placed(segment: Segment, places: Mapping[Place, Place]) -> Segment:
    """At its new place; an A/B test keeps the id by which it splits."""
    folder, name = places.get((segment.folder, segment.name), (segment.folder, segment.name))
    test = segment.ab_test
    if test is not None and not test.test_id and name != segment.name:
        test = replace(test, test_id=segment.name)
    return replace(segment, folder=folder, name=name, ab_test=test)


def _save(store: DefinitionStore, records: Sequence[SegmentRecord], words: _Words, by: str, at: datetime) -> None:
    parked = [record for record in records if (record.folder, record.name) in words.places]
    documents = {record.id: _new_documents(store, record, words) for record in records}
    for record in parked:  # two segments may change places
        store.move_segment(record.id, f"\u0001{record.id}", record.name, by=by, at=at)
    for record in parked:
        store.move_segment(record.id, *words.places[record.folder, record.name], by=by, at=at)
    for segment_id, changed in documents.items():
        if changed:
            store.rewrite_segment(segment_id, changed, by=by, at=at)


def _new_documents(store: DefinitionStore, record: SegmentRecord, words: _Words) -> dict[int, tuple[Json, str]]:
    """Version number -> document and fingerprint, of the versions whose words change."""
    changed: dict[int, tuple[Json, str]] = {}
    for version in store.versions(record.id):
        segment, _ = read_stored(version.document, record.folder, record.name)
        if segment is None:
            continue
        new = words.changed(segment)
        if new != _placed(segment, words.places) or new.ab_test != segment.ab_test:
            changed[version.number] = (stored_document(new), segment_fingerprint(new))
    return changed


# --- files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _FilePlan:
    """text: the new content; None = the file moves as it is."""

    old: Path
    new: Path
    text: str | None


def _plan_files(workspace: Workspace, parent: ParentRecord, files: Sequence[SegmentFile], words: _Words) -> list[_FilePlan]:
    root = workspace.segments_folder(parent.slug)
    taken = {file.path.absolute() for file in files}
    plans: list[_FilePlan] = []
    lists: dict[Path, dict[int, Json]] = {}
    for file in files:
        segment = words.changed(file.segment)
        if segment == file.segment:
            continue
        if file.position is not None:
            lists.setdefault(file.path, {})[file.position] = segment_document(segment, folder_of(file.path, root), file.document)
            continue
        plans.append(_plan_file(file, segment, root, taken))
        taken.add(plans[-1].new.absolute())
    changes: list[FileChange] = plan_list_files(lists)
    return [*plans, *(_FilePlan(change.path, change.path, change.text) for change in changes)]


def _plan_file(file: SegmentFile, segment: Segment, root: Path, taken: set[Path]) -> _FilePlan:
    old = file.segment
    if (segment.folder, segment.name) == (old.folder, old.name):
        return _FilePlan(file.path, file.path, _text(file, segment, folder_of(file.path, root)))
    new_path = free_segment_path(root, segment, taken)
    verbatim = replace(segment, folder=old.folder) == old and old.folder == folder_of(file.path, root)
    if verbatim and "folder" not in file.document.value and folder_of(new_path, root) == segment.folder:
        return _FilePlan(file.path, new_path.with_name(file.path.name) if _is_free(new_path, file.path.name, taken) else new_path, None)
    return _FilePlan(file.path, new_path, _text(file, segment, folder_of(new_path, root)))


def _text(file: SegmentFile, segment: Segment, folder: str) -> str:
    """The file as it is to be: changed in place where that is exact, so that comments stay; else written anew."""
    before = file.path.read_bytes().decode("utf-8-sig")
    found = edited_segment(before, file.document, folder, file.segment, segment)
    return segment_text(segment, folder, file.document) if found is None else found


def _is_free(new_path: Path, name: str, taken: set[Path]) -> bool:
    path = new_path.with_name(name)
    return path.absolute() not in taken and not path.exists()


def _write(plans: Sequence[_FilePlan], root: Path) -> None:
    for plan in plans:
        if plan.text is None:
            move_file(plan.old, plan.new, root)
            continue
        write_text(plan.new, plan.text)
        if plan.new != plan.old:
            plan.old.unlink(missing_ok=True)
            remove_empty_folders(plan.old.parent, root)
