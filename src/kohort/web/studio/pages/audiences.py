"""The way in: the parent segments, and the segments and folders of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from kohort.ports.definitions import ParentRecord
from kohort.services.definitions.folders import is_inside
from kohort.services.definitions.listing import ListedSegment
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.studio.pages.parent_frame import newest_and_last
from kohort.web.studio.render import PARENT_COOKIE, render
from kohort.web.studio.routes import PageRoutes
from kohort.web.studio.tables import Sorting, sorting

routes = PageRoutes()
_SORTS = ("name", "profiles", "share", "evaluated")
_BY_NAME = Sorting("name", False)


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
def segments_page(
    request: Request,
    desk: AtDesk,
    parent: ParentName,
    folder: Annotated[str, Query(max_length=1000)] = "",
    search: Annotated[str, Query(max_length=200)] = "",
    sort: Annotated[str, Query(max_length=40)] = "name",
) -> Response:
    """The folders and segments in a folder (or at the root); with a search, all segments below it that have it in their path."""
    record = desk.parent(parent, "segments.list")
    newest, last = newest_and_last(desk, record)
    place, needle = folder.strip("/"), search.strip().casefold()
    listed = [item for item in desk.listed(record) if not item.is_variant and desk.sees(record, item.path)]
    below = [item for item in listed if not place or is_inside(item.folder, place)]
    order = sorting(sort, _SORTS, "name")
    found = [item for item in below if needle in item.path.casefold()]
    is_tree = not needle and order == _BY_NAME
    return render(
        request,
        "audiences/segments.html",
        desk,
        parent=record,
        folder=place,
        search=search.strip(),
        order=order,
        lines=_tree_lines(found, place) if is_tree else order.sorted(found, lambda item: _sort_value(item, order.column)),
        is_tree=is_tree,
        is_gone=bool(place) and not below,
        total=len(below),
        last=last,
        newest=newest,
    )


def _sort_value(item: ListedSegment, column: str) -> Any:
    match column:
        case "profiles":
            return item.population
        case "share":
            return item.share
        case "evaluated":
            return item.evaluated_at
        case _:
            return item.name.casefold()


@dataclass(frozen=True, slots=True)
class FolderLine:
    """A folder in the list, how deep it is below the one that is shown, and how many segments are in it and below."""

    name: str
    path: str
    depth: int
    segments: int


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """A segment in the list below its folder."""

    item: ListedSegment
    depth: int


def _tree_lines(items: Sequence[ListedSegment], place: str, depth: int = 0) -> list[FolderLine | SegmentLine]:
    """Folders first, each with what is in it below, then segments; both by name."""
    prefix = f"{place}/" if place else ""
    lines: list[FolderLine | SegmentLine] = []
    deeper: dict[str, list[ListedSegment]] = {}
    for item in items:
        if item.folder != place:
            deeper.setdefault(item.folder.removeprefix(prefix).partition("/")[0], []).append(item)
    for name, inside in sorted(deeper.items(), key=lambda entry: entry[0].casefold()):
        lines.append(FolderLine(name, prefix + name, depth, len(inside)))
        lines += _tree_lines(inside, prefix + name, depth + 1)
    here = sorted((item for item in items if item.folder == place), key=lambda item: item.name.casefold())
    return lines + [SegmentLine(item, depth) for item in here]


def _parents(desk: Desk) -> list[ParentRecord]:
    return [record for record in desk.kohort.store.parents() if desk.access.may("parents.read", record.id)]
