"""The versions of a segment: list them, compare them, go back to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issues
from kohort.parent.catalog import FieldCatalog
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord, SegmentVersion
from kohort.rules.diff import Change, diff_rules
from kohort.segments.definition import ABTest, Segment
from kohort.segments.graph import problems
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.pull import readable_files
from kohort.services.definitions.push import check_segment
from kohort.services.definitions.stored import find_segment, read_stored, segment_ids, segment_of
from kohort.workspace.reading import read_segment_files
from kohort.workspace.workspace import Workspace
from kohort.workspace.writing import FileChange, plan_segment_files, write_files


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A change outside the rule: of `description`, `kind`, `visible`, `base`, `ab_test`, `activations`, `lint.ignore` or `extras`.

    before, after: "" = none.
    """

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SegmentDiff:
    """What changed from one form of a segment to another. old, new: "version 2", or a file; same_meaning: only words changed."""

    path: str
    old: str
    new: str
    rule: tuple[Change, ...]
    fields: tuple[FieldChange, ...]
    same_meaning: bool

    @property
    def is_empty(self) -> bool:
        return not self.rule and not self.fields


@dataclass(frozen=True, slots=True)
class Reverted:
    """A segment after going back: `version` is the newest version; `file` was written ("" when it was equal already)."""

    record: SegmentRecord
    changed: bool
    file: str = ""


def list_versions(store: DefinitionStore, parent: ParentRecord, target: str) -> tuple[SegmentRecord, Sequence[SegmentVersion]]:
    """The segment and its versions, oldest first. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT."""
    record = find_segment(store.segments(parent.id), target)
    return record, store.versions(record.id)


def diff_versions(store: DefinitionStore, parent: ParentRecord, target: str, old: int | None = None, new: int | None = None) -> SegmentDiff:
    """Compare two versions; without `new` the newest, without `old` the one before `new`. Raises UserError VERSION_NOT_FOUND."""
    record, versions = list_versions(store, parent, target)
    last = record.version if new is None else new
    first = max(last - 1, 1) if old is None else old
    before, after = (segment_of(record, _version(record, versions, number).document) for number in (first, last))
    return compare(before, after, f"version {first}", f"version {last}")


def diff_file(store: DefinitionStore, workspace: Workspace, parent: ParentRecord, target: str, old: int | None = None) -> SegmentDiff:
    """Compare a version (the newest, if none is given) with the segment's file. Raises UserError NO_SEGMENT_FILE, VERSION_NOT_FOUND."""
    record, versions = list_versions(store, parent, target)
    number = record.version if old is None else old
    files, issues = read_segment_files(workspace, parent.slug)
    mine = next((file for file in files if (file.segment.folder, file.segment.name) == (record.folder, record.name)), None)
    if mine is None:
        issues.raise_if_errors()
        raise UserError("NO_SEGMENT_FILE", f'no file defines "{record.path}"', hint="pull it with: kohort sg pull NAME")
    before = segment_of(record, _version(record, versions, number).document)
    return compare(before, mine.segment, f"version {number}", workspace.shown(mine.path))


def compare(old: Segment, new: Segment, old_name: str, new_name: str) -> SegmentDiff:
    """The changes from one segment to another, the rule's in words."""
    names = ("description", "kind", "visible", "base", "ab_test", "activations", "lint_ignore", "extras")
    pairs = [(name.replace("_ignore", ".ignore"), _words(getattr(old, name)), _words(getattr(new, name))) for name in names]
    fields = tuple(FieldChange(*pair) for pair in pairs if pair[1] != pair[2])
    same = segment_fingerprint(replace(old, name=new.name)) == segment_fingerprint(new)
    return SegmentDiff(new.path, old_name, new_name, diff_rules(old.rule, new.rule), fields, same)


def revert_segment(
    store: DefinitionStore,
    workspace: Workspace | None,
    parent: ParentRecord,
    target: str,
    number: int,
    *,
    by: str,
    clock: Clock,
    catalog: FieldCatalog | None = None,
    overwrite: bool = False,
) -> Reverted:
    """Make a new version of an old one's document, with the note "revert to N", and write the file.

    Raises InvalidInput when the old rule no longer fits (fields or segments that are gone), UserError VERSION_NOT_FOUND, and
    LOCAL_CHANGES when the file holds changes that were not pushed (`overwrite` drops them). Nothing is changed then.
    """
    with store.transaction():
        record, versions = list_versions(store, parent, target)
        segment = segment_of(record, _version(record, versions, number).document)
        _check_fits(store, parent, record, segment, catalog)
        change = _plan_file(workspace, parent, record, segment, overwrite) if workspace is not None else None
        current = segment_of(record)
        fingerprint = segment_fingerprint(segment)
        if fingerprint == segment_fingerprint(current):
            fingerprint = record.fingerprint
        document = _version(record, versions, number).document
        place = (record.folder, record.name, segment.kind)
        note = f"revert to {number}"
        saved = store.save_segment(parent.id, *place, document, fingerprint, by=by, at=clock.now(), note=note)
        written = change is not None and change.action != "unchanged"
        if change is not None and written:
            write_files([change])
    return Reverted(saved, saved != record, workspace.shown(Path(change.path)) if workspace and change and written else "")


def _version(record: SegmentRecord, versions: Sequence[SegmentVersion], number: int) -> SegmentVersion:
    found = next((version for version in versions if version.number == number), None)
    if found is None:
        hint = f"it has versions 1 to {record.version}" if record.version > 1 else "it has version 1 only"
        raise UserError("VERSION_NOT_FOUND", f'"{record.path}" has no version {number}', hint=hint)
    return found


def _check_fits(
    store: DefinitionStore, parent: ParentRecord, record: SegmentRecord, segment: Segment, catalog: FieldCatalog | None
) -> None:
    """The segment beside all others as they are today."""
    records = store.segments(parent.id)
    others = [read_stored(other.document, other.folder, other.name)[0] for other in records if other.id != record.id]
    issues = Issues([*check_segment(segment, catalog)])
    among = problems([*(other for other in others if other is not None), segment], segment_ids(records))
    issues.extend(among.get(segment.path, Issues()))
    issues.raise_if_errors()


def _plan_file(workspace: Workspace, parent: ParentRecord, record: SegmentRecord, segment: Segment, overwrite: bool) -> FileChange:
    files = readable_files(workspace, parent)
    mine = next((file for file in files if (file.segment.folder, file.segment.name) == (record.folder, record.name)), None)
    if mine is not None and not overwrite and mine.segment not in (segment, segment_of(record)):
        shown = workspace.shown(mine.path)
        raise UserError("LOCAL_CHANGES", f"{shown} holds changes that were not pushed", hint="push or pull the segment first")
    [change] = plan_segment_files(workspace, parent.slug, [segment], files)
    return change


def variants_text(test: ABTest) -> str:
    """An A/B test in a line: A 40%, B 40%, Control 20%, test id offer-1."""
    parts = [f"{variant.name} {variant.ratio}%" for variant in test.variants]
    parts += [f"{test.control_name} {test.control}%"] if test.control else []
    parts += [f"test id {test.test_id}"] if test.test_id else []
    parts += [f"key {test.key_column}"] if test.key_column else []
    parts += [f"named {test.name}"] if test.name else []
    return ", ".join(parts)


def _words(value: object) -> str:
    """A field's value as people read it."""
    if isinstance(value, ABTest):
        return variants_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    text = getattr(value, "text", value)
    return "" if text is None else str(text)
