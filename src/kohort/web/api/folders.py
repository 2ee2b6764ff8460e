"""Folders as a whole: what is in one, move or rename it, delete it with everything inside."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Query

from kohort.ports.definitions import ParentRecord
from kohort.services.definitions.folders import (
    FolderContents,
    delete_folder,
    folder_contents,
    folder_not_found,
    move_folder,
    require_folder_revision,
)
from kohort.services.definitions.revisions import revision_of
from kohort.services.definitions.save import stored_segment
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body, Folder
from kohort.web.api.desk import AtDesk, Desk, IfMatch, ParentName, etag, held
from kohort.web.api.guard import Routes
from kohort.web.api.insights import dependent_document
from kohort.web.api.shapes.insights import FolderContents as FolderShape
from kohort.web.api.shapes.insights import SegmentPlace
from kohort.web.api.shapes.segments import MoveResult as MoveShape

routes = Routes("Folders")
FolderPath = Annotated[str, Query(max_length=1000, min_length=1, description="The path of the folder: Marketing/VIP.")]
_DEPENDENT = {"id": 7, "path": "Lifecycle/Active VIP", "kind": "batch", "as_base": True, "in_rule": False}
_FOLDER = {"path": "Value", "segments": [{"id": 5, "path": "Value/VIP"}], "dependents": [_DEPENDENT], "hidden": 0}
_MOVED = {"moved": [{"id": 5, "old_path": "Value/VIP", "new_path": "Marketing/Value/VIP"}], "rewritten": []}
_ETAG = {"ETag": "The revision of everything inside: send it as If-Match when you move or delete the folder."}


class NewPath(Body):
    """The new path of a folder."""

    to: Folder


def _held(desk: AtDesk, parent: ParentName, path: FolderPath, if_match: IfMatch = "") -> str | None:
    return held(if_match, partial(require_folder_revision, _writable(desk, desk.parent(parent, "parents.read"), path)))


HeldRevision = Annotated[str | None, Depends(_held)]


@routes.on("GET", "/parents/{parent}/folder", "segments.list", problems=("FOLDER_NOT_FOUND",), example=_FOLDER, headers=_ETAG)
def get_folder(desk: AtDesk, parent: ParentName, path: FolderPath) -> Json:
    """What is in a folder and below, and which segments elsewhere refer to it. hidden: how many of these one may not see."""
    record = desk.parent(parent, "segments.list")
    found = _readable(desk, record, path)
    segments: list[SegmentPlace] = [{"id": s.id, "path": s.path} for s in found.segments if desk.sees(record, s.path)]
    dependents = [dependent_document(dependent) for dependent in found.dependents if desk.sees(record, dependent.path)]
    hidden = len(found.dependents) - len(dependents)
    document: FolderShape = {"path": found.path, "segments": segments, "dependents": dependents, "hidden": hidden}
    return Json(document, 200, etag(found.revision))


@routes.on("POST", "/parents/{parent}/folder/move", "segments.write", problems=("FOLDER_NOT_FOUND", "NAME_TAKEN", 412, 428), example=_MOVED)
def move_whole_folder(desk: AtDesk, parent: ParentName, path: FolderPath, body: NewPath, revision: HeldRevision) -> Json:
    """Give a folder another path. Everything inside keeps its place in it; references follow, files of the workspace, too."""
    kohort, record = desk.kohort, desk.parent(parent, "parents.read")
    found, target = _writable(desk, record, path), body.to.strip("/")
    for segment in found.segments:
        desk.access.require("segments.write", record.id, target + segment.folder.removeprefix(found.path))
    before = {s.id: revision_of(s) for s in found.segments}
    with desk.change() as note:
        done = move_folder(kohort.store, kohort.workspace, record, found.path, target, revision=revision, by=desk.by, clock=kohort.clock)
        for moved in done.moved:
            after = revision_of(stored_segment(kohort.store, record, moved.id))
            note("segment.move", "segment", f"{record.slug}:{moved.old_path}", before.get(moved.id, ""), after, f"to {moved.new_path}")
    rewritten = [r for r in done.rewritten if desk.sees(record, r.path)]
    moves: MoveShape = {
        "moved": [{"id": m.id, "old_path": m.old_path, "new_path": m.new_path} for m in done.moved],
        "rewritten": [{"path": r.path, "old_target": r.old_target, "new_target": r.new_target} for r in rewritten],
    }
    return Json(moves)


@routes.on(
    "DELETE",
    "/parents/{parent}/folder",
    "segments.write",
    problems=("FOLDER_NOT_FOUND", "SEGMENT_REFERENCED", 412, 428),
    example={"deleted": "Value", "segments": ["Value/VIP"]},
)
def remove_folder(desk: AtDesk, parent: ParentName, path: FolderPath, revision: HeldRevision) -> Json:
    """Delete a folder with all segments inside. One that segments elsewhere refer to stays."""
    record = desk.parent(parent, "parents.read")
    found = _writable(desk, record, path)
    with desk.change() as note:
        gone = delete_folder(desk.kohort.store, record, found.path, revision=revision)
        for segment in gone.segments:
            note("segment.delete", "segment", f"{record.slug}:{segment.path}", revision_of(segment), detail=f"with the folder {gone.path}")
    return Json({"deleted": gone.path, "segments": [segment.path for segment in gone.segments]})


def _readable(desk: Desk, parent: ParentRecord, path: str) -> FolderContents:
    """The folder, if something in it may be seen. Raises UserError FOLDER_NOT_FOUND."""
    found = folder_contents(desk.kohort.store, parent, path)
    if not any(desk.sees(parent, segment.path) for segment in found.segments):
        raise folder_not_found(found.path)
    return found


def _writable(desk: Desk, parent: ParentRecord, path: str) -> FolderContents:
    """The folder, if everything in it may be changed. Raises UserError FOLDER_NOT_FOUND, FORBIDDEN."""
    found = _readable(desk, parent, path)
    for segment in found.segments:
        desk.access.require("segments.write", parent.id, segment.folder)
    return found
