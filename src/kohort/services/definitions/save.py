"""Saves definitions from an editor or a program: checked as files are, kept only when nobody changed them meanwhile.

Files of the workspace are left alone: `kohort sg pull` and `kohort ps pull` bring them up to date.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.documents.document import Document
from kohort.foundation.clock import Clock
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issues
from kohort.parent.catalog import FieldCatalog
from kohort.parent.codec import parent_to_document, read_parent
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.segments.codec import read_segment
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, problems
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.push import check_segment
from kohort.services.definitions.revisions import require_revision
from kohort.services.definitions.stored import find_segment, read_stored, segment_ids, segment_of, stored_document


def read_document(document: Any, folder: str = "") -> Segment:
    """The segment a document describes; `folder` in it says where it is to be. Raises InvalidInput."""
    segment, issues = read_segment(Document(document), folder)
    if segment is None and issues.ok:
        issues.error("MISSING_NAME", "the name of the segment is missing", (), "add name: ...")
    issues.raise_if_errors()
    assert segment is not None
    return segment


def create_segment(
    store: DefinitionStore, parent: ParentRecord, segment: Segment, *, catalog: FieldCatalog | None, by: str, clock: Clock, note: str = ""
) -> SegmentRecord:
    """A new segment. Raises InvalidInput, UserError NAME_TAKEN."""
    with store.transaction():
        if any((record.folder, record.name) == (segment.folder, segment.name) for record in store.segments(parent.id)):
            raise UserError("NAME_TAKEN", f'there is already a segment "{segment.path}"', hint="choose another name or folder")
        return _save(store, parent, segment, segment_fingerprint(segment), catalog, by, clock, note)


def update_segment(
    store: DefinitionStore,
    parent: ParentRecord,
    segment_id: int,
    segment: Segment,
    *,
    revision: str | None,
    catalog: FieldCatalog | None,
    by: str,
    clock: Clock,
    note: str = "",
) -> tuple[SegmentRecord, SegmentRecord]:
    """(before, after). Raises InvalidInput, UserError SEGMENT_NOT_FOUND, CHANGED_MEANWHILE, SEGMENT_MOVES."""
    with store.transaction():
        record = stored_segment(store, parent, segment_id)
        require_revision(record, revision)
        if (record.folder, record.name) != (segment.folder, segment.name):
            message = f'this is "{record.path}", the document says "{segment.path}"'
            raise UserError("SEGMENT_MOVES", message, hint="move or rename it first; references to it follow")
        current, _ = read_stored(record.document, record.folder, record.name)
        if current == segment:
            return record, record
        fingerprint = segment_fingerprint(segment)
        if current is not None and segment_fingerprint(current) == fingerprint:
            fingerprint = record.fingerprint
        return record, _save(store, parent, segment, fingerprint, catalog, by, clock, note)


def _save(
    store: DefinitionStore,
    parent: ParentRecord,
    segment: Segment,
    fingerprint: str,
    catalog: FieldCatalog | None,
    by: str,
    clock: Clock,
    note: str,
) -> SegmentRecord:
    records = store.segments(parent.id)
    known = [read_stored(record.document, record.folder, record.name)[0] for record in records]
    others = [other for other in known if other is not None and other.path != segment.path]
    ids = segment_ids(records)
    before = {path: {str(issue) for issue in found} for path, found in problems([s for s in known if s is not None], ids).items()}
    issues = Issues([*check_segment(segment, catalog)])
    for path, found in problems([*others, segment], ids).items():
        if path == segment.path:
            issues.extend(found)
        else:
            new = [issue for issue in found if str(issue) not in before.get(path, set())]
            issues.extend(replace(issue, message=f"{path}: {issue.message}") for issue in new)
    issues.raise_if_errors()
    place = (segment.folder, segment.name, segment.kind)
    return store.save_segment(parent.id, *place, stored_document(segment), fingerprint, by=by, at=clock.now(), note=note)


def delete_segment(store: DefinitionStore, parent: ParentRecord, segment_id: int, *, revision: str | None) -> SegmentRecord:
    """Remove a segment with its versions; what it was. Raises UserError SEGMENT_NOT_FOUND, CHANGED_MEANWHILE, SEGMENT_REFERENCED."""
    with store.transaction():
        record = stored_segment(store, parent, segment_id)
        require_revision(record, revision)
        records = store.segments(parent.id)
        graph = SegmentGraph.of([segment_of(other) for other in records], segment_ids(records))
        needed_by = [path for path in graph.dependents(record.path) if path != record.path]
        if needed_by:
            others = ", ".join(f'"{path}"' for path in needed_by)
            message = f'"{record.path}" cannot be deleted: {others} refer{"s" if len(needed_by) == 1 else ""} to it'
            raise UserError("SEGMENT_REFERENCED", message, hint="change or delete those first")
        store.delete_segment(record.id)
        return record


def stored_segment(store: DefinitionStore, parent: ParentRecord, segment_id: int) -> SegmentRecord:
    """The segment of that id. Raises UserError SEGMENT_NOT_FOUND."""
    found = [record for record in store.segments(parent.id) if record.id == segment_id]
    return found[0] if found else find_segment([], str(segment_id))


def save_parent(
    store: DefinitionStore, document: Any, *, parent: ParentRecord | None, revision: str | None, by: str, clock: Clock
) -> tuple[ParentRecord | None, ParentRecord]:
    """(before, after). parent: the one to change; None: a new one.

    Raises InvalidInput, UserError NAME_TAKEN, SLUG_CHANGES, CHANGED_MEANWHILE.
    """
    with store.transaction():
        stored = store.parent(str(parent.id)) if parent is not None else None
        if stored is not None:
            require_revision(stored, revision)
        definition, issues = read_parent(Document(document))
        if definition is None or not issues.ok:
            raise InvalidInput(issues if issues else _nothing())
        if stored is not None and stored.slug != definition.slug:
            message = f'the slug of "{stored.name}" is {stored.slug} for life, the document gives {definition.slug}'
            raise UserError("SLUG_CHANGES", message, hint=f"keep the name {stored.name}, or write one with that slug")
        if stored is None and any(record.slug == definition.slug for record in store.parents()):
            raise UserError(
                "NAME_TAKEN", f'there is already a parent segment with the slug "{definition.slug}"', hint="choose another name"
            )
        saved = store.save_parent(definition.name, definition.slug, parent_to_document(definition), by=by, at=clock.now())
        return stored, saved


def _nothing() -> Issues:
    issues = Issues()
    issues.error("INVALID_PARENT", "this is no parent segment", hint="begin with name: ...")
    return issues
