"""How a segment is doing: its size, how it grows, who came and went, what it shares with others, who leaves next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.foundation.instants import load_zone
from kohort.membership.statistics import Growth
from kohort.segments.definition import ABTest
from kohort.services.definitions.listing import ListedSegment
from kohort.services.definitions.revisions import revision_of
from kohort.services.definitions.stored import segment_of
from kohort.services.evaluation.evaluate import Engine
from kohort.services.evaluation.overlap import Overlap, overlaps_with
from kohort.services.insight.forecast import Forecast, forecast
from kohort.services.membership.history import SegmentHistory, daily_moves, segment_history
from kohort.web.api.desk import AtDesk, Desk, ParentName, SegmentId
from kohort.web.studio.charts import Series, chart, line_sentence, moves_sentence
from kohort.web.studio.kept import kept_answers
from kohort.web.studio.pages.segment_frame import SegmentView, render_tab, segment_view, shown_segment
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()

SPANS = ((30, "30 d"), (90, "90 d"), (365, "1 y"))
FORECAST_DAYS = 14
_MOVES_DAYS, _WEEK, _MOST_OVERLAPS = 30, 7, 8
_ADDRESS = "/audiences/{parent}/segments/{segment}"
VariantName = Annotated[str, Query(max_length=1300, description="One of its variants.")]


@dataclass(frozen=True, slots=True)
class Week:
    """Who came and went in the last seven days. None: members of some of their evaluations are not kept."""

    entered: int | None
    left: int | None

    @property
    def net(self) -> int | None:
        return self.entered - self.left if self.entered is not None and self.left is not None else None


@routes.page(_ADDRESS, "segments.read")
def dashboard_page(
    request: Request,
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    days: Annotated[int, Query(ge=7, le=3660)] = 90,
    variant: VariantName = "",
) -> Response:
    """The Dashboard tab, of a segment or of one of its variants."""
    view = segment_view(desk, parent, segment, "segments.read")
    shown = shown_segment(view, variant)
    history = known_history(request, desk, view, shown.path, max(days, _MOVES_DAYS))
    context = _figures(history, days, shown.name) if history else {}
    return render_tab(
        request,
        "segments/dashboard.html",
        desk,
        view,
        "dashboard",
        shown=shown,
        history=history,
        days=days,
        spans=SPANS,
        variants=_variants(view),
        description=segment_of(view.record).description,
        query=f"?variant={shown.name}" if shown.is_variant else "",
        **context,
    )


@routes.page(f"{_ADDRESS}/overlap", "segments.read")
def overlap_part(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId, variant: VariantName = "") -> Response:
    """What it shares with other segments; brought into the Dashboard, or a page of its own."""
    view = segment_view(desk, parent, segment, "segments.read")
    shown = shown_segment(view, variant)
    ids = {record.path: record.id for record in desk.kohort.store.segments(view.parent.id)}
    others = [path for path in ids if path != view.record.path and desk.sees(view.parent, path)]

    def make(engine: Engine) -> list[Overlap]:
        kohort = desk.kohort
        return overlaps_with(engine, kohort.store, kohort.snapshots, shown.path, others)

    pairs, problem = _kept(request, desk, view, ("overlap", shown.path, tuple(others)), make)
    top = [(ids[pair.second], pair) for pair in (pairs or []) if pair.shared][:_MOST_OVERLAPS]
    return _part(request, "segments/overlap.html", desk, view, shown=shown, top=top, others=len(others), problem=problem)


@routes.page(f"{_ADDRESS}/forecast", "segments.read")
def forecast_part(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId, variant: VariantName = "") -> Response:
    """Who leaves next; brought into the Dashboard, or a page of its own."""
    view = segment_view(desk, parent, segment, "segments.read")
    shown = shown_segment(view, variant)

    def make(engine: Engine) -> Forecast:
        return forecast(engine, engine.bound()[shown.path], FORECAST_DAYS)

    found, problem = _kept(request, desk, view, ("forecast", shown.path), make)
    drawn = _forecast_chart(found, view, shown) if found else None
    return _part(request, "segments/forecast.html", desk, view, shown=shown, found=found, drawn=drawn, problem=problem)


def _part(request: Request, template: str, desk: Desk, view: SegmentView, **context: Any) -> Response:
    brought = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    return render_tab(
        request, template, desk, view, "dashboard", frame_template="part.html" if brought else "segments/segment.html", **context
    )


def _kept(request: Request, desk: Desk, view: SegmentView, what: tuple[Any, ...], make: Any) -> tuple[Any, UserError | None]:
    """(the answer on the last refresh and today's definitions, None), or (None, why there is none)."""
    revisions = tuple((record.id, revision_of(record)) for record in desk.kohort.store.segments(view.parent.id))
    try:
        with desk.engine(view.parent) as engine:
            key = (*what, view.parent.id, engine.refresh.number, revisions)
            return kept_answers(request).get(key, lambda: make(engine)), None
    except UserError as problem:
        return None, problem


# --- figures ------------------------------------------------------------------------------------------------------


def known_history(request: Request, desk: Desk, view: SegmentView, path: str, days: int) -> SegmentHistory | None:
    """The history of a segment or variant, worked out once after each evaluation; None: it was never evaluated."""
    kohort, parent = desk.kohort, view.parent
    newest = next(iter(kohort.store.evaluations(parent.id, 1)), None)
    key = ("history", parent.id, newest.id if newest else 0, path, view.record.version, days)
    try:
        return kept_answers(request).get(key, lambda: segment_history(kohort.store, kohort.snapshots, parent, path, days=days))
    except UserError as error:
        if error.code != "NOT_EVALUATED":
            raise
        return None


def _figures(history: SegmentHistory, days: int, name: str) -> dict[str, Any]:
    shown = history.days[-days:]
    begins = len(history.days) < max(days, _MOVES_DAYS)
    moves = daily_moves(history)[1 if begins else 0 :]
    lately = moves[-_MOVES_DAYS:]
    labels, values = [day.day for day in shown], [day.population for day in shown]
    entered, left = [day.entered for day in lately], [day.left for day in lately]
    move_days = [day.day for day in lately]
    bars = [Series("Entered", entered, 1), Series("Left", left, 2, below=True)]
    return {
        "growth": {item.days: item for item in history.growth},
        "today": _of(history.growth, 1),
        "month": _of(history.growth, 30),
        "week": _week([(day.entered, day.left) for day in moves[-_WEEK:]]),
        "population": chart("line", labels, [Series("Profiles", values)], line_sentence(f"Profiles in {name}", labels, values)),
        "moves": chart("bars", move_days, bars, moves_sentence(name, move_days, entered, left)),
        "still": not any((*entered, *left)) and None not in entered,
        "last_day": history.days[-1].day,
        "not_kept": sum(1 for day in lately if day.entered is None),
    }


def _of(growth: Sequence[Growth], days: int) -> Growth:
    return next(item for item in growth if item.days == days)


def _week(moves: Sequence[tuple[int | None, int | None]]) -> Week:
    entered, left = [e for e, _ in moves], [m for _, m in moves]
    if None in entered or None in left or not moves:
        return Week(None, None)
    return Week(sum(e or 0 for e in entered), sum(m or 0 for m in left))


def _forecast_chart(found: Forecast, view: SegmentView, shown: ListedSegment) -> dict[str, Any]:
    days = [_day(day.as_of, view) for day in found.days[1:]]
    leaving, joining = [day.leaving for day in found.days[1:]], [day.joining for day in found.days[1:]]
    series = [Series("Leave", leaving, 2)]
    if any(joining):
        series = [Series("Enter", joining, 1), Series("Leave", leaving, 2, below=True)]
    words = f"{shown.name} from {days[0]} to {days[-1]}, if nothing new happens: {sum(leaving):,} leave, {sum(joining):,} enter."
    return chart("bars", days, series, words, ahead=True)


def _day(moment: datetime, view: SegmentView) -> date:
    """The day that ends or goes on at an instant: midnight belongs to the day before it."""
    zone = load_zone(str(view.parent.document.get("timezone", "UTC"))) or load_zone("UTC")
    return (moment.astimezone(zone) - timedelta(microseconds=1)).date()


@dataclass(frozen=True, slots=True)
class VariantSize:
    """A variant beside what was planned. planned: its share of the segment, 0 to 1."""

    listed: ListedSegment
    planned: float


def _variants(view: SegmentView) -> list[VariantSize]:
    test = segment_of(view.record).ab_test
    if test is None:
        return []
    return [VariantSize(item, ratio / 100) for item, ratio in zip(view.variants, _ratios(test), strict=True)]


def _ratios(test: ABTest) -> list[float]:
    return [*(variant.ratio for variant in test.variants), *([test.control] if test.control else [])]
