"""Segments: create, read, change, move, delete, versions, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import Depends, Query

from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.definitions import ParentRecord
from kohort.services.definitions.listing import list_segments
from kohort.services.definitions.move import move_segments
from kohort.services.definitions.revisions import require_revision, revision_of
from kohort.services.definitions.save import create_segment, delete_segment, read_document, stored_segment, update_segment
from kohort.services.definitions.versions import diff_versions, list_versions, revert_segment
from kohort.services.membership.history import segment_history
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Definition, NewDefinition, OldVersion, Place
from kohort.web.api.desk import AtDesk, Desk, IfMatch, ParentName, SegmentId, etag, held
from kohort.web.api.documents import definition_of, diff_document, history_document, segment_document, version_document
from kohort.web.api.guard import Routes
from kohort.web.api.pages import Cursor, Limit, page_of

routes = Routes("Segments")
ChosenVersion = Annotated[int | None, Query(ge=1, lt=2**31, description="The number of a version.")]
_SEGMENT = {"id": 5, "path": "Value/VIP", "folder": "Value", "name": "VIP", "kind": "batch", "version": 2, "population": 12, "share": 0.857}
_WHOLE = {**_SEGMENT, "definition": {"name": "VIP", "folder": "Value", "rule": "lifetime_value > 1000"}, "text": "lifetime_value > 1000"}
_MOVED = {"moved": [{"id": 5, "old_path": "Value/VIP", "new_path": "Marketing/Gold"}], "rewritten": []}
_ETAG = {"ETag": "The revision: send it as If-Match when you change this."}
_BASE = "/parents/{parent}/segments"
_ONE = f"{_BASE}/{{segment}}"


def _held(desk: AtDesk, parent: ParentName, segment: SegmentId, if_match: IfMatch = "") -> str | None:
    return held(if_match, partial(require_revision, desk.segment(parent, segment, "segments.write")[1]))


HeldRevision = Annotated[str | None, Depends(_held)]


@routes.on("GET", _BASE, "segments.list", example={"items": [_SEGMENT], "next": "WyJWSVAiLCA1XQ"})
def list_all_segments(
    desk: AtDesk,
    parent: ParentName,
    folder: Annotated[str | None, Query(max_length=1000, description="Only in this folder; empty is the root.")] = None,
    search: Annotated[str, Query(max_length=200, description="Only whose path holds this, in any case.")] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Json:
    """Segments by folder and name, with the populations of the last evaluation."""
    record = desk.parent(parent, "segments.list")
    listed = {item.path: item for item in list_segments(desk.kohort.store, record)}
    found = [
        segment
        for segment in desk.kohort.store.segments(record.id)
        if desk.sees(record, segment.path)
        and (folder is None or segment.folder == folder.strip("/"))
        and search.casefold() in segment.path.casefold()
    ]
    return Json(page_of(found, lambda s: [s.folder, s.name, s.id], lambda s: segment_document(s, listed.get(s.path)), cursor, limit))


@routes.on("GET", "/parents/{parent}/folders", "segments.list", example={"items": [{"path": "Value", "segments": 2}]})
def list_folders(desk: AtDesk, parent: ParentName) -> Json:
    """The tree of folders, each with how many segments are right in it. A folder is there as long as something is in it."""
    record = desk.parent(parent, "segments.list")
    counts = Counter(s.folder for s in desk.kohort.store.segments(record.id) if desk.sees(record, s.path))
    paths = {part for folder in counts for part in _and_those_around(folder)}
    return Json({"items": [{"path": path, "name": path.rpartition("/")[2], "segments": counts[path]} for path in sorted(paths)]})


def _and_those_around(folder: str) -> Iterator[str]:
    parts = folder.split("/") if folder else []
    yield from ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


@routes.on("POST", _BASE, "segments.write", status=201, problems=("NAME_TAKEN",), example=_WHOLE, headers=_ETAG)
def add_segment(desk: AtDesk, parent: ParentName, body: NewDefinition) -> Json:
    """Create a segment. Its definition says name and folder."""
    kohort, record = desk.kohort, desk.parent(parent, "parents.read")
    wanted = read_document(body.definition)
    desk.access.require("segments.write", record.id, wanted.folder)
    with desk.change() as note:
        saved = create_segment(kohort.store, record, wanted, catalog=_catalog(desk, record), by=desk.by, clock=kohort.clock, note=body.note)
        note("segment.add", "segment", f"{record.slug}:{saved.path}", after=revision_of(saved))
    headers = {**etag(revision_of(saved)), "Location": f"/api/v1/parents/{record.id}/segments/{saved.id}"}
    return Json({**segment_document(saved, None), **definition_of(saved)}, 201, headers)


@routes.on("GET", _ONE, "segments.read", example=_WHOLE, headers=_ETAG)
def get_segment(desk: AtDesk, parent: ParentName, segment: SegmentId) -> Json:
    """A segment with its definition."""
    _, found = desk.segment(parent, segment, "segments.read")
    return _whole(desk, parent, found.id)


@routes.on("PUT", _ONE, "segments.write", problems=("SEGMENT_MOVES", 412, 428), example=_WHOLE, headers=_ETAG)
def put_segment(desk: AtDesk, parent: ParentName, segment: SegmentId, body: Definition, revision: HeldRevision) -> Json:
    """Save a segment. Another meaning makes a new version; name and folder change by a move only."""
    kohort, (record, stored) = desk.kohort, desk.segment(parent, segment, "segments.write")
    wanted = read_document({"name": stored.name, "folder": stored.folder, **body.definition})
    with desk.change() as note:
        before, saved = update_segment(
            kohort.store,
            record,
            stored.id,
            wanted,
            revision=revision,
            catalog=_catalog(desk, record),
            by=desk.by,
            clock=kohort.clock,
            note=body.note,
        )
        if saved != before:
            note("segment.save", "segment", f"{record.slug}:{saved.path}", revision_of(before), revision_of(saved))
    return _whole(desk, parent, saved.id)


@routes.on("DELETE", _ONE, "segments.write", status=200, problems=("SEGMENT_REFERENCED", 412, 428), example={"deleted": "Value/VIP"})
def remove_segment(desk: AtDesk, parent: ParentName, segment: SegmentId, revision: HeldRevision) -> Json:
    """Delete a segment with its versions. One that others refer to stays."""
    record, _ = desk.segment(parent, segment, "segments.write")
    with desk.change() as note:
        gone = delete_segment(desk.kohort.store, record, segment, revision=revision)
        note("segment.delete", "segment", f"{record.slug}:{gone.path}", before=revision_of(gone))
    return Json({"deleted": gone.path})


@routes.on("POST", f"{_ONE}/move", "segments.write", problems=("NAME_TAKEN", 412, 428), example=_MOVED)
def move_segment(desk: AtDesk, parent: ParentName, segment: SegmentId, body: Place, revision: HeldRevision) -> Json:
    """Give it another folder or name. References to it follow; its file in the workspace, too."""
    kohort, (record, stored) = desk.kohort, desk.segment(parent, segment, "segments.write")
    folder = None if body.folder is None else body.folder.strip("/")
    desk.access.require("segments.write", record.id, stored.folder if folder is None else folder)
    with desk.change() as note:
        require_revision(stored_segment(kohort.store, record, segment), revision)
        done = move_segments(
            kohort.store, kohort.workspace, record, [str(segment)], folder=folder, name=body.name, by=desk.by, clock=kohort.clock
        )
        for moved in done.moved:
            after = revision_of(stored_segment(kohort.store, record, moved.id))
            note("segment.move", "segment", f"{record.slug}:{moved.old_path}", revision_of(stored), after, f"to {moved.new_path}")
    rewritten = [asdict(item) for item in done.rewritten if desk.sees(record, item.path)]
    return Json({"moved": [asdict(item) for item in done.moved], "rewritten": rewritten})


# --- versions and history -----------------------------------------------------------------------------------------


@routes.on(
    "GET",
    f"{_ONE}/versions",
    "segments.read",
    example={"items": [{"version": 1, "text": "lifetime_value > 500"}], "next": "WyJWSVAiLCA1XQ"},
)
def list_segment_versions(desk: AtDesk, parent: ParentName, segment: SegmentId, cursor: Cursor = "", limit: Limit = 50) -> Json:
    """Versions, newest first. There is one for each meaning it had."""
    record, stored = desk.segment(parent, segment, "segments.read")
    _, found = list_versions(desk.kohort.store, record, str(stored.id))
    return Json(page_of(found, lambda v: -v.number, lambda v: version_document(stored, v), cursor, limit))


@routes.on(
    "GET",
    f"{_ONE}/diff",
    "segments.read",
    problems=("VERSION_NOT_FOUND",),
    example={"from": "version 1", "to": "version 2", "rule": [], "fields": []},
)
def diff_segment(desk: AtDesk, parent: ParentName, segment: SegmentId, old: ChosenVersion = None, new: ChosenVersion = None) -> Json:
    """What changed between two versions, in words. Default: the newest and the one before it."""
    record, stored = desk.segment(parent, segment, "segments.read")
    return Json(diff_document(diff_versions(desk.kohort.store, record, str(stored.id), old, new)))


@routes.on(
    "POST",
    f"{_ONE}/revert",
    "segments.write",
    problems=("VERSION_NOT_FOUND", 412, 428),
    example=_WHOLE,
    headers=_ETAG,
    name="revert_segment",
)
def revert(desk: AtDesk, parent: ParentName, segment: SegmentId, body: OldVersion, revision: HeldRevision) -> Json:
    """Make a new version of an old one."""
    kohort, (record, stored) = desk.kohort, desk.segment(parent, segment, "segments.write")
    with desk.change() as note:
        require_revision(stored_segment(kohort.store, record, segment), revision)
        done = revert_segment(
            kohort.store, None, record, str(segment), body.version, by=desk.by, clock=kohort.clock, catalog=_catalog(desk, record)
        )
        if done.changed:
            after = revision_of(done.record)
            note("segment.revert", "segment", f"{record.slug}:{stored.path}", revision_of(stored), after, f"to version {body.version}")
    return _whole(desk, parent, segment)


@routes.on(
    "GET", f"{_ONE}/history", "segments.read", problems=("NOT_EVALUATED",), example={"path": "Value/VIP", "days": [], "evaluations": []}
)
def history_of_segment(
    desk: AtDesk, parent: ParentName, segment: SegmentId, days: Annotated[int, Query(ge=1, le=3660, description="How many days back.")] = 30
) -> Json:
    """How its population developed: day by day, growth, who entered and left."""
    kohort, (record, stored) = desk.kohort, desk.segment(parent, segment, "segments.read")
    return Json(history_document(segment_history(kohort.store, kohort.snapshots, record, str(stored.id), days=days)))


def _whole(desk: Desk, parent: str, segment_id: int) -> Json:
    record, found = desk.segment(parent, segment_id, "segments.read")
    listed = next((item for item in list_segments(desk.kohort.store, record) if item.path == found.path), None)
    return Json({**segment_document(found, listed), **definition_of(found)}, 200, etag(revision_of(found)))


def _catalog(desk: Desk, parent: ParentRecord) -> FieldCatalog | None:
    """The fields to check rules against: those of the last refresh; None: nothing was refreshed yet."""
    last = desk.kohort.store.last_refresh(parent.id)
    return catalog_from_document(last.catalog) if last is not None else None
