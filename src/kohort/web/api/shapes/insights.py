"""Answers about saved segments and folders as a whole."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import Issue


class ForecastDay(TypedDict):
    """One day ahead. left, entered: against the first day; leaving, joining: against the day before."""

    as_of: datetime
    population: int
    left: int
    entered: int
    leaving: int
    joining: int


class Forecast(TypedDict):
    """How a segment goes on if nothing new happens. leaving, entering: who does so on some day, even if they are back at the end."""

    path: str
    total: int
    leaving: int
    entering: int
    days: list[ForecastDay]


class BacktestDay(TypedDict):
    as_of: datetime
    population: int


class Backtest(TypedDict):
    """How many the rule of today would have held for. undated: attributes whose values of today stand in for those of the past."""

    path: str
    total: int
    undated: list[str]
    days: list[BacktestDay]


class LintedSegment(TypedDict):
    """What is odd about a segment. silenced: how many findings its definition says are meant so."""

    path: str
    population: int
    issues: list[Issue]
    silenced: int


class LintReport(TypedDict):
    total: int
    segments: list[LintedSegment]


class Dependent(TypedDict):
    """A segment that refers to another one. as_base: it is evaluated inside it; in_rule: its rule asks for its members."""

    id: int
    path: str
    kind: str
    as_base: bool
    in_rule: bool


class Relations(TypedDict):
    """Who refers to a segment. hidden: how many one may not see; further: who needs those in turn; needs: what it refers to itself."""

    path: str
    dependents: list[Dependent]
    hidden: int
    further: list[str]
    needs: list[str]


class SegmentPlace(TypedDict):
    id: int
    path: str


class FolderContents(TypedDict):
    """A folder with all segments in it and below, and the segments elsewhere that refer to one of them."""

    path: str
    segments: list[SegmentPlace]
    dependents: list[Dependent]
    hidden: int


class DeletedFolder(TypedDict):
    deleted: str
    segments: list[str]
