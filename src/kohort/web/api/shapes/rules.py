"""Answers about rules: counts, previews, overlap, forms."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import Definition, Issue


class Count(TypedDict):
    """How many a rule holds for."""

    count: int
    total: int
    share: float | None
    as_of: datetime


class PartCount(TypedDict):
    """A part of a rule: null where it cannot be counted."""

    kind: str
    match: str | None
    text: str
    count: int | None
    share: float | None


class WaterfallStep(TypedDict):
    path: str
    text: str
    kept: int | None
    dropped: int | None


class Waterfall(TypedDict):
    """The conditions of a group in order."""

    path: str
    start: int
    steps: list[WaterfallStep]


class Sample(TypedDict):
    columns: list[str]
    rows: list[list[Any]]


class OverlapWith(TypedDict):
    """What a rule shares with a segment."""

    segment: str
    count: int
    shared: int
    share: float | None
    share_of_segment: float | None
    jaccard: float | None


class Changed(TypedDict):
    """What saving would change of a segment."""

    segment: str
    before: int
    after: int
    entered: int
    left: int


class SavedChange(Changed):
    """The same of the segment itself and of all that refer to it."""

    version: int
    same_meaning: bool
    dependents: list[Changed]


class Preview(TypedDict):
    """What a rule gives before it is saved."""

    as_of: datetime
    count: int | None
    share: float | None
    share_of: str
    base_count: int
    total: int
    sentence: str
    text: str
    yaml: str
    conditions: dict[str, PartCount]
    waterfalls: list[Waterfall]
    sample: Sample
    overlaps: list[OverlapWith]
    saved: SavedChange | None
    issues: list[Issue]


class SegmentCount(TypedDict):
    path: str
    count: int


class Pair(TypedDict):
    first: str
    second: str
    shared: int
    share_of_first: float | None
    share_of_second: float | None
    jaccard: float | None


class OverlapMatrix(TypedDict):
    """How many members every two segments share. source: kept members, or evaluated now."""

    as_of: datetime
    total: int
    source: Literal["snapshot", "run"]
    segments: list[SegmentCount]
    shared: list[list[int]]
    pairs: list[Pair]


class Forms(TypedDict):
    """What was written, in every form. definition: null when it could not be read; lines: of the YAML, by path."""

    definition: Definition | None
    yaml: str
    text: str
    lines: dict[str, int]
    issues: list[Issue]


class VariantSize(TypedDict):
    name: str
    count: int
    share: float | None


class SplitSizes(TypedDict):
    """How an A/B test would split."""

    variants: list[VariantSize]
