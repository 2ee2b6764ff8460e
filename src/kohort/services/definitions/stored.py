"""Stored records as definitions: what every service that works on segments starts from.

The document of a stored segment does not hold its place: name and folder are those of its record, so that old versions of a
segment that was moved read as what it is called today.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from kohort.documents.document import Document
from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issue, Issues, did_you_mean
from kohort.parent.codec import read_parent
from kohort.parent.definition import ParentSegment
from kohort.ports.definitions import DefinitionStore, Json, ParentRecord, RefreshRecord, SegmentRecord
from kohort.segments.codec import is_plain_name, read_segment, segment_to_document
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph

_READ_SEGMENTS = 5_000


def require_parent(store: DefinitionStore, name: str) -> ParentRecord:
    """The parent segment of that name, slug or id. Raises UserError PARENT_NOT_FOUND, NO_PARENT (for "")."""
    if not name:
        raise UserError("NO_PARENT", "no parent segment is chosen", hint='choose one with: kohort ps use "NAME"')
    record = store.parent(name)
    if record is None:
        known = [parent.name for parent in store.parents()]
        hint = did_you_mean(name, known) or "push one with: kohort ps push FILE"
        raise UserError("PARENT_NOT_FOUND", f'there is no parent segment "{name}"', hint=hint)
    return record


def last_refresh(store: DefinitionStore, record: ParentRecord) -> RefreshRecord:
    """Raises UserError NOT_REFRESHED."""
    done = store.last_refresh(record.id)
    if done is None:
        raise UserError("NOT_REFRESHED", f'"{record.name}" has not been refreshed yet', hint=f'run: kohort ps run "{record.name}"')
    return done


def parent_of(record: ParentRecord) -> ParentSegment:
    """The stored parent segment. Raises UserError STORED_DEFINITION when this program cannot read it."""
    parent, issues = read_parent(Document(record.document))
    if parent is None or not issues.ok:
        raise _unreadable(f'the parent segment "{record.name}"', issues)
    return parent


def stored_document(segment: Segment) -> Json:
    """The document that is stored of a segment: without its place."""
    return {key: value for key, value in segment_to_document(segment).items() if key not in ("name", "folder")}


def read_stored(document: Json, folder: str, name: str) -> tuple[Segment | None, Issues]:
    """The segment of a stored document at a place, and what this program cannot read in it."""
    segment, issues = _read_once(json.dumps(document), folder, name)
    return segment, Issues(list(issues))


@lru_cache(_READ_SEGMENTS)
def _read_once(text: str, folder: str, name: str) -> tuple[Segment | None, tuple[Issue, ...]]:
    """The same of a document's text: reading it takes a hundred times as long as finding it again."""
    plain = name if is_plain_name(name) else "-"  # names that are refused today are kept where they were stored before
    segment, issues = read_segment(Document({"name": plain, **json.loads(text)}), folder)
    if segment is None or not issues.ok:
        return None, tuple(issues)
    return replace(segment, folder=folder, name=name), tuple(issues)


def segment_of(record: SegmentRecord, document: Json | None = None) -> Segment:
    """The stored segment, or one of its versions' documents. Raises UserError STORED_DEFINITION when this program cannot read it."""
    segment, issues = read_stored(record.document if document is None else document, record.folder, record.name)
    if segment is None:
        raise _unreadable(f'the segment "{record.path}"', issues)
    return segment


def load_segments(store: DefinitionStore, parent_id: int) -> list[Segment]:
    """All segments of a parent by (folder, name). Raises UserError STORED_DEFINITION."""
    return [segment_of(record) for record in store.segments(parent_id)]


def segment_ids(records: Iterable[SegmentRecord]) -> dict[str, str]:
    """Id as text -> path: references may name segments by id."""
    return {str(record.id): record.path for record in records}


def load_graph(store: DefinitionStore, parent_id: int) -> SegmentGraph:
    """The segments of a parent and how they depend on each other."""
    records = store.segments(parent_id)
    return SegmentGraph.of([segment_of(record) for record in records], segment_ids(records))


def find_segment(records: Iterable[SegmentRecord], target: str) -> SegmentRecord:
    """The segment that a path, a name unique among all, or an id names. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT."""
    listed = list(records)
    wanted = target.strip("/")
    at_path = [record for record in listed if record.path == wanted]
    named = at_path[:1] or [record for record in listed if record.name == target]
    found = named or [record for record in listed if str(record.id) == target]
    if len(found) > 1:
        places = ", ".join(record.path for record in found)
        raise UserError("AMBIGUOUS_SEGMENT", f'"{target}" is the name of {len(found)} segments: {places}', hint="write the whole path")
    if not found:
        known = [record.path for record in listed] + [record.name for record in listed]
        hint = did_you_mean(target, dict.fromkeys(known)) or "list them with: kohort sg list -r"
        raise UserError("SEGMENT_NOT_FOUND", f'there is no segment "{target}"', hint=hint)
    return found[0]


def _unreadable(what: str, issues: Issues) -> UserError:
    first = f": {issues.errors[0].message}" if issues.errors else ""
    return UserError("STORED_DEFINITION", f"{what} in the store cannot be read{first}", hint="push its file again, or revert it")
