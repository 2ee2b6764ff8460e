"""Answers about the fields of a parent segment."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict


class FieldName(TypedDict):
    name: str
    type: str


class BehaviorName(TypedDict):
    name: str
    fields: list[str]


class FieldNames(TypedDict):
    """Names and types alone."""

    attributes: list[FieldName]
    behaviors: list[BehaviorName]


class Column(TypedDict):
    """A field as editors show it."""

    name: str
    type: str
    label: str
    visibility: str


class Attribute(Column):
    group: str


class Behavior(TypedDict):
    name: str
    label: str
    columns: list[Column]


class Catalog(TypedDict):
    """Every field with its words for people."""

    attributes: list[Attribute]
    behaviors: list[Behavior]


class Fields(TypedDict):
    """The fields that rules may use. refreshed_at: null when nothing was refreshed yet."""

    refreshed_at: datetime | None
    timezone: str
    fields: FieldNames
    catalog: Catalog


class ValueCount(TypedDict):
    """A value, in how many rows it is, and its share of the rows that have one."""

    value: str | int | float | bool
    count: int
    share: float


class Histogram(TypedDict):
    """Bins: edges are one more than counts."""

    edges: list[str | int | float | bool]
    counts: list[int]


class FieldStatistics(TypedDict):
    """How the values of a field are spread."""

    field: str
    type: str
    kind: Literal["attribute", "behavior"]
    rows: int
    nulls: int
    distinct: int
    distinct_exact: bool
    top: list[ValueCount]
    histogram: Histogram | None


class Values(TypedDict):
    items: list[ValueCount]
