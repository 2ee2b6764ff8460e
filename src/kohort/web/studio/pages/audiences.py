"""The way in: the parent segments, and the segments and folders of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from kohort.ports.definitions import ParentRecord
from kohort.services.listing import list_segments
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.studio.render import PARENT_COOKIE, render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/", "me.read")
def home(request: Request, desk: AtDesk) -> Response:
    """The parent segment that was open before, or the list of them."""
    parents = _parents(desk)
    remembered = next((p for p in parents if str(p.id) == request.cookies.get(PARENT_COOKIE)), None)
    chosen = remembered or (parents[0] if len(parents) == 1 else None)
    return RedirectResponse(f"/audiences/{chosen.slug}" if chosen else "/audiences", 303)


@routes.page("/audiences", "parents.list")
def parents_page(request: Request, desk: AtDesk) -> Response:
    """Every parent segment one may see, with its population and freshness."""
    rows = [(parent, desk.kohort.store.last_refresh(parent.id)) for parent in _parents(desk)]
    return render(request, "audiences/parents.html", desk, rows=rows)


@routes.page("/audiences/{parent}", "segments.list")
def segments_page(request: Request, desk: AtDesk, parent: ParentName, folder: Annotated[str, Query(max_length=1000)] = "") -> Response:
    """The segments of a parent segment, or of one of its folders."""
    record = desk.parent(parent, "segments.list")
    place = folder.strip("/")
    ids = {segment.path: segment.id for segment in desk.kohort.store.segments(record.id)}
    listed = [
        (ids[item.path], item)
        for item in list_segments(desk.kohort.store, record)
        if not item.is_variant and desk.sees(record, item.path) and f"{item.folder}/".startswith(f"{place}/" if place else "")
    ]
    last = desk.kohort.store.last_refresh(record.id)
    return render(request, "audiences/segments.html", desk, parent=record, folder=place, rows=listed, last=last)


def _parents(desk: Desk) -> list[ParentRecord]:
    return [record for record in desk.kohort.store.parents() if desk.access.may("parents.read", record.id)]
