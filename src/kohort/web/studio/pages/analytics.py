"""All segments of a parent segment side by side: how they grow, which moved most, what they share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.services.definitions.folders import is_inside
from kohort.services.definitions.revisions import revision_of
from kohort.services.evaluation.overlap import OverlapMatrix, overlap_matrix
from kohort.services.membership.trends import SegmentTrend, Trends, segment_trends
from kohort.web.api.desk import AtDesk, Desk
from kohort.web.studio.charts import Series, chart, spark_points
from kohort.web.studio.kept import kept_answers
from kohort.web.studio.render import PARENT_COOKIE, render
from kohort.web.studio.routes import PageRoutes
from kohort.web.studio.tables import Sorting, sorting

routes = PageRoutes()
SPANS = ((30, "Last 30 days"), (90, "Last 90 days"), (365, "Last year"))
_LINES, _MATRIX, _MOVERS = 4, 12, 5
_SORTS = ("name", "folder", "profiles", "share", "day", "week", "month")

ParentSlug = Annotated[str, Query(alias="parent", max_length=300)]
ChosenSegments = Annotated[list[Annotated[int, Query(ge=1, lt=2**31)]], Query(alias="segment", max_length=200)]


@dataclass(frozen=True, slots=True)
class Row:
    """One segment in the table. spark: the points of its line; inside: what its share is of, "" for the whole parent segment."""

    trend: SegmentTrend
    spark: str
    inside: str


@routes.page("/analytics", "parents.list")
def analytics_page(
    request: Request,
    desk: AtDesk,
    slug: ParentSlug = "",
    folder: Annotated[str, Query(max_length=1000)] = "",
    days: Annotated[int, Query(ge=7, le=3660)] = 90,
    chosen: ChosenSegments = [],  # noqa: B006
    sort: Annotated[str, Query(max_length=40)] = "-profiles",
    before: Annotated[str, Query(max_length=300, description="The parent segment that the filters were chosen for.")] = "",
) -> Response:
    """The page, with filters in its address."""
    parent = _parent(request, desk, slug)
    if parent is None:
        return render(request, "analytics/none.html", desk)
    if before and before != parent.slug:
        folder, chosen = "", []
    seen = [record for record in desk.kohort.store.segments(parent.id) if desk.sees(parent, record.path)]
    folders = sorted({part for record in seen for part in _around(record.folder)})
    place = folder.strip("/")
    inside = [record for record in seen if not place or is_inside(record.folder, place)]
    trends = _trends(request, desk, parent, inside, days)
    order = sorting(sort, _SORTS, "-profiles")
    rows = [
        Row(trend, spark_points([day.population for day in trend.days]), _inside(desk, parent, trend.inside))
        for trend in _sorted(trends, order)
    ]
    lines = _compared(trends, chosen)
    return render(
        request,
        "analytics/analytics.html",
        desk,
        parent=parent,
        folders=folders,
        folder=place,
        days=days,
        spans=SPANS,
        trends=trends,
        rows=rows,
        order=order,
        chosen=set(chosen),
        compared=_comparison(lines),
        compared_segments=lines,
        movers=_movers(trends),
        matrix_ids=[trend.record.id for trend in (_chosen(trends, chosen) or _largest(trends))[:_MATRIX]],
    )


@routes.page("/analytics/overlap", "parents.list")
def overlap_part(request: Request, desk: AtDesk, slug: ParentSlug = "", chosen: ChosenSegments = []) -> Response:  # noqa: B006
    """What the chosen segments share; brought into the page, or a page of its own."""
    parent = _parent(request, desk, slug)
    if parent is None:
        return render(request, "analytics/none.html", desk)
    records = desk.kohort.store.segments(parent.id)
    paths = {record.id: record.path for record in records if desk.sees(parent, record.path)}
    wanted = tuple(paths[key] for key in dict.fromkeys(chosen) if key in paths)[:_MATRIX]
    matrix, problem = None, None
    if len(wanted) > 1:
        try:
            matrix = _matrix(request, desk, parent, wanted, tuple((record.id, revision_of(record)) for record in records))
        except UserError as error:
            problem = error
    brought = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    return render(
        request,
        "analytics/overlap.html",
        desk,
        parent=parent,
        frame_template="part.html" if brought else "page.html",
        matrix=matrix,
        ids={path: key for key, path in paths.items()},
        problem=problem,
    )


def _inside(desk: Desk, parent: ParentRecord, path: str) -> str:
    """What a share is of, in a word; "": the whole parent segment."""
    return (path.rpartition("/")[2] if desk.sees(parent, path) else "another segment") if path else ""


def _trends(request: Request, desk: Desk, parent: ParentRecord, records: list[SegmentRecord], days: int) -> Trends:
    """Worked out once after each evaluation."""
    store = desk.kohort.store
    newest = next(iter(store.evaluations(parent.id, 1)), None)
    key = ("trends", parent.id, newest.id if newest else 0, days, tuple((record.id, revision_of(record)) for record in records))
    return kept_answers(request).get(key, lambda: segment_trends(store, parent, {record.id for record in records}, days))


def _matrix(request: Request, desk: Desk, parent: ParentRecord, paths: tuple[str, ...], revisions: Any) -> OverlapMatrix:
    kohort = desk.kohort
    with desk.engine(parent) as engine:
        key = ("matrix", parent.id, engine.refresh.number, paths, revisions)
        return kept_answers(request).get(key, lambda: overlap_matrix(engine, kohort.store, kohort.snapshots, paths))


def _parent(request: Request, desk: Desk, slug: str) -> ParentRecord | None:
    """The one that is asked for, or was open before, or the first; None: there is none to see."""
    if slug:
        return desk.parent(slug, "segments.list")
    parents = [record for record in desk.kohort.store.parents() if desk.access.may("parents.read", record.id)]
    remembered = request.cookies.get(PARENT_COOKIE, "")
    return next((parent for parent in parents if str(parent.id) == remembered), parents[0] if parents else None)


def _around(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


# --- what is shown ------------------------------------------------------------------------------------------------


def _sorted(trends: Trends, order: Sorting) -> list[SegmentTrend]:
    def key(trend: SegmentTrend) -> Any:
        match order.column:
            case "name":
                return trend.record.name.casefold()
            case "folder":
                return (trend.record.folder.casefold(), trend.record.name.casefold())
            case "share":
                return trend.share
            case "day" | "week" | "month":
                return trend.change({"day": 1, "week": 7, "month": 30}[order.column]).change
            case _:
                return trend.population

    return order.sorted(trends.segments, key)


def _chosen(trends: Trends, chosen: list[int]) -> list[SegmentTrend]:
    by_id = {trend.record.id: trend for trend in trends.segments}
    return [by_id[key] for key in dict.fromkeys(chosen) if key in by_id]


def _largest(trends: Trends) -> list[SegmentTrend]:
    return sorted((trend for trend in trends.segments if trend.population), key=lambda trend: -(trend.population or 0))


def _compared(trends: Trends, chosen: list[int]) -> list[SegmentTrend]:
    return [trend for trend in (_chosen(trends, chosen) or _largest(trends)) if trend.days][:_LINES]


def _comparison(lines: list[SegmentTrend]) -> dict[str, Any] | None:
    if not lines:
        return None
    days: list[date] = sorted({day.day for trend in lines for day in trend.days})
    series, ends = [], []
    for place, trend in enumerate(lines, 1):
        known = {day.day: day.population for day in trend.days}
        series.append(Series(trend.record.name, [known.get(day) for day in days], place))
        ends.append(f"{trend.record.name} {trend.days[0].population:,} to {trend.days[-1].population:,}")
    return chart("line", days, series, f"Profiles from {days[0]} to {days[-1]}: {', '.join(ends)}.")


def _movers(trends: Trends) -> tuple[list[SegmentTrend], list[SegmentTrend]]:
    """(those that grew most over 30 days, those that shrank most), by profiles."""
    known = [trend for trend in trends.segments if trend.change(30).change]
    up = sorted((t for t in known if (t.change(30).change or 0) > 0), key=lambda t: -(t.change(30).change or 0))
    down = sorted((t for t in known if (t.change(30).change or 0) < 0), key=lambda t: t.change(30).change or 0)
    return up[:_MOVERS], down[:_MOVERS]
