"""What can be said about a segment or a rule beyond its members: who leaves next, how it would have been, what is odd, who refers to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, cast

from fastapi import Query
from pydantic import Field

from kohort.foundation.issues import Issue
from kohort.ports.definitions import ParentRecord
from kohort.rules.core import Expr
from kohort.services.definitions.dependents import Dependent, relations_of
from kohort.services.evaluation.evaluate import Engine, bind_rule, bind_segment
from kohort.services.insight.backtest import Backtest, backtest
from kohort.services.insight.forecast import Forecast, forecast
from kohort.services.insight.lint import LintReport, lint_segments
from kohort.services.issue_document import issue_document
from kohort.web.api.answers import Json
from kohort.web.api.bodies import RuleToTry
from kohort.web.api.desk import AsOf, AtDesk, Desk, ParentName, SegmentId
from kohort.web.api.guard import Routes
from kohort.web.api.rules import drafted, sound_draft
from kohort.web.api.shapes.common import Issue as IssueShape
from kohort.web.api.shapes.insights import Backtest as BacktestShape
from kohort.web.api.shapes.insights import BacktestDay, ForecastDay, LintedSegment, Relations
from kohort.web.api.shapes.insights import Dependent as DependentShape
from kohort.web.api.shapes.insights import Forecast as ForecastShape
from kohort.web.api.shapes.insights import LintReport as LintShape

routes = Routes("Insights")
_ONE = "/parents/{parent}/segments/{segment}"
_DAY = {"as_of": "2024-03-02T00:00:00Z", "population": 11, "left": 1, "entered": 0, "leaving": 1, "joining": 0}
_FORECAST = {"path": "Value/VIP", "total": 14, "leaving": 1, "entering": 0, "days": [_DAY]}
_BACKTEST = {
    "path": "Value/VIP",
    "total": 14,
    "undated": ["lifetime_value"],
    "days": [{"as_of": "2024-02-29T00:00:00Z", "population": 12}],
}
_ISSUE = {"code": "LINT_EMPTY", "severity": "warning", "path": "rule", "message": 'nobody is in "VIP"', "hint": ""}
_LINT = {"total": 14, "segments": [{"path": "Value/VIP", "population": 0, "issues": [_ISSUE], "silenced": 0}]}
_DEPENDENT = {"id": 7, "path": "Lifecycle/Active VIP", "kind": "batch", "as_base": True, "in_rule": False}
_RELATIONS = {"path": "Value/VIP", "dependents": [_DEPENDENT], "hidden": 0, "further": [], "needs": []}


class RuleOverDays(RuleToTry):
    """A rule that need not be saved, and how many days to look back or ahead."""

    days: Annotated[int, Field(ge=1, le=366)] = 14


@routes.on("GET", f"{_ONE}/forecast", "segments.read", problems=("NOT_REFRESHED", 503), example=_FORECAST)
def forecast_of_segment(
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    days: Annotated[int, Query(ge=1, le=366, description="How many days ahead.")] = 14,
    as_of: AsOf = "",
) -> Json:
    """Who leaves and enters on each of the next days if nothing new happens: windows move on, events and attributes stay."""
    with _of_segment(desk, parent, segment, as_of) as (engine, path, expr, moment):
        return Json(_forecast_document(path, forecast(engine, expr, days, as_of=moment)))


@routes.on(
    "POST", "/parents/{parent}/forecast", "rules.try", problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND"), example={**_FORECAST, "path": ""}
)
def forecast_of_rule(desk: AtDesk, parent: ParentName, body: RuleOverDays) -> Json:
    """The same of a rule that need not be saved."""
    with _of_rule(desk, parent, body) as (engine, path, expr, moment):
        return Json(_forecast_document(path, forecast(engine, expr, body.days, as_of=moment)))


@routes.on("GET", f"{_ONE}/backtest", "segments.read", problems=("NOT_REFRESHED", 503), example=_BACKTEST)
def backtest_of_segment(
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    days: Annotated[int, Query(ge=1, le=366, description="How many days back.")] = 30,
    as_of: AsOf = "",
) -> Json:
    """How many the rule of today would have held for on each of the past days. undated: attributes that have no past."""
    with _of_segment(desk, parent, segment, as_of) as (engine, path, expr, moment):
        return Json(_backtest_document(path, backtest(engine, expr, days, as_of=moment)))


@routes.on(
    "POST", "/parents/{parent}/backtest", "rules.try", problems=("NOT_REFRESHED", "SEGMENT_NOT_FOUND"), example={**_BACKTEST, "path": ""}
)
def backtest_of_rule(desk: AtDesk, parent: ParentName, body: RuleOverDays) -> Json:
    """The same of a rule that need not be saved."""
    with _of_rule(desk, parent, body) as (engine, path, expr, moment):
        return Json(_backtest_document(path, backtest(engine, expr, body.days, as_of=moment)))


_Asked = tuple[Engine, str, Expr, datetime | None]
"""The engine, the path of the segment ("" of a rule that is not saved), what to judge, the instant that was asked for."""


@contextmanager
def _of_segment(desk: Desk, parent: str, segment: int, as_of: str) -> Iterator[_Asked]:
    record, stored = desk.segment(parent, segment, "segments.read")
    with desk.engine(record) as engine:
        yield engine, stored.path, engine.bound()[stored.path], desk.instant(as_of, engine.catalog.timezone)


@contextmanager
def _of_rule(desk: Desk, parent: str, body: RuleToTry) -> Iterator[_Asked]:
    record = desk.parent(parent, "rules.try")
    with desk.engine(record) as engine:
        draft = sound_draft(drafted(desk, record, engine, body))
        expr = bind_segment(engine, draft.segment) if draft.is_named else bind_rule(engine, draft.segment.rule, draft.segment.folder)
        yield engine, "", expr, desk.instant(body.as_of, engine.catalog.timezone)


def _forecast_document(path: str, found: Forecast) -> ForecastShape:
    days: list[ForecastDay] = [
        {
            "as_of": day.as_of,
            "population": day.count,
            "left": day.left,
            "entered": day.entered,
            "leaving": day.leaving,
            "joining": day.joining,
        }
        for day in found.days
    ]
    return {"path": path, "total": found.total, "leaving": found.leaving, "entering": found.entering, "days": days}


def _backtest_document(path: str, found: Backtest) -> BacktestShape:
    days: list[BacktestDay] = [{"as_of": day.as_of, "population": day.count} for day in found.days]
    return {"path": path, "total": found.total, "undated": list(found.undated), "days": days}


@routes.on("GET", f"{_ONE}/lint", "segments.read", problems=("NOT_REFRESHED", 503), example=_LINT)
def lint_segment(desk: AtDesk, parent: ParentName, segment: SegmentId) -> Json:
    """What is odd about a segment: contradictions, conditions that change nothing, nobody in it, the same members as another."""
    record, stored = desk.segment(parent, segment, "segments.read")
    with desk.engine(record) as engine:
        return Json(_lint_document(desk, record, engine, lint_segments(engine, [stored.path])))


@routes.on("GET", "/parents/{parent}/lint", "segments.list", problems=("NOT_REFRESHED", 503), example=_LINT)
def lint_parent(desk: AtDesk, parent: ParentName) -> Json:
    """The same of every segment one may see."""
    record = desk.parent(parent, "segments.list")
    with desk.engine(record) as engine:
        seen = [path for path in engine.graph.by_path if desk.sees(record, path)]
        report = lint_segments(engine, seen) if seen else LintReport((), engine.refresh.population)
        return Json(_lint_document(desk, record, engine, report))


def _lint_document(desk: Desk, parent: ParentRecord, engine: Engine, report: LintReport) -> LintShape:
    hidden = [path for path in engine.graph.by_path if not desk.sees(parent, path)]
    listed: list[LintedSegment] = [
        {
            "path": segment.path,
            "population": segment.population,
            "issues": [cast(IssueShape, issue_document(issue)) for issue in segment.issues if not _names(issue, hidden)],
            "silenced": len(segment.silenced),
        }
        for segment in report.segments
    ]
    return {"total": report.total, "segments": listed}


def _names(issue: Issue, paths: list[str]) -> bool:
    return any(f'"{path}"' in issue.message or f"'{path}'" in issue.hint for path in paths)


@routes.on("GET", f"{_ONE}/dependents", "segments.read", example=_RELATIONS)
def dependents_of_segment(desk: AtDesk, parent: ParentName, segment: SegmentId) -> Json:
    """Which segments refer to it, which of them need those in turn, and what it refers to. hidden: how many one may not see."""
    record, stored = desk.segment(parent, segment, "segments.read")
    found = relations_of(desk.kohort.store, record, stored.path)
    dependents = [dependent_document(dependent) for dependent in found.dependents if desk.sees(record, dependent.path)]
    relations: Relations = {
        "path": stored.path,
        "dependents": dependents,
        "hidden": len(found.dependents) - len(dependents),
        "further": [path for path in found.further if desk.sees(record, path)],
        "needs": [path for path in found.needs if desk.sees(record, path)],
    }
    return Json(relations)


def dependent_document(found: Dependent) -> DependentShape:
    """A segment that refers to another one."""
    return {"id": found.id, "path": found.path, "kind": found.kind, "as_base": found.as_base, "in_rule": found.in_rule}
