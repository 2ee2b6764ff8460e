"""Answers about segments, their folders, versions and history."""

from __future__ import annotations

from datetime import date, datetime

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import SegmentDefinition, Written


class Segment(Written):
    """A segment. population and what follows: of the last evaluation, null before the first."""

    id: int
    path: str
    folder: str
    name: str
    kind: str
    version: int
    revision: str
    population: int | None
    share: float | None
    share_of: str | None
    base_population: int | None
    evaluated_at: datetime | None


class SegmentWithDefinition(Segment):
    """A segment with its definition, and its rule as text."""

    definition: SegmentDefinition
    text: str


class SegmentPage(TypedDict):
    items: list[Segment]
    next: str | None


class Folder(TypedDict):
    """A folder and how many segments are right in it."""

    path: str
    name: str
    segments: int


class Folders(TypedDict):
    items: list[Folder]


class Deleted(TypedDict):
    """The path of what is gone."""

    deleted: str


class Moved(TypedDict):
    id: int
    old_path: str
    new_path: str


class Rewritten(TypedDict):
    """A reference whose words changed, in the segment `path`."""

    path: str
    old_target: str
    new_target: str


class MoveResult(TypedDict):
    """What moved, and what referred to it."""

    moved: list[Moved]
    rewritten: list[Rewritten]


class Version(TypedDict):
    """One meaning that a segment had."""

    version: int
    created_at: datetime
    created_by: str
    note: str
    text: str
    definition: SegmentDefinition


class VersionPage(TypedDict):
    items: list[Version]
    next: str | None


class RuleChange(TypedDict):
    kind: str
    before: str
    after: str
    sentence: str


class FieldChange(TypedDict):
    field: str
    before: str
    after: str


Diff = TypedDict(
    "Diff",
    {"path": str, "from": str, "to": str, "same_meaning": bool, "rule": list[RuleChange], "fields": list[FieldChange]},
)


class Day(TypedDict):
    """The population at the end of a day. has_run: something was evaluated on that day."""

    day: date
    population: int | None
    has_run: bool


class Growth(TypedDict):
    days: int
    change: int | None
    ratio: float | None


class HistoryPoint(TypedDict):
    """One evaluation of a segment."""

    evaluation: int
    as_of: datetime
    version: int
    population: int
    share_of: str
    base_population: int
    entered: int | None
    left: int | None


class History(TypedDict):
    """How a segment developed. unreadable: evaluations whose kept members are damaged."""

    path: str
    timezone: str
    days: list[Day]
    growth: list[Growth]
    evaluations: list[HistoryPoint]
    unreadable: list[int]
