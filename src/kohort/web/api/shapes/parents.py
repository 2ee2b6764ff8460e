"""Answers about parent segments."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import Issue, ParentDefinition, Written


class Parent(Written):
    """A parent segment. population, refreshed_at, as_of: of the last good refresh, null before the first."""

    id: int
    slug: str
    name: str
    version: int
    revision: str
    population: int | None
    refreshed_at: datetime | None
    as_of: datetime | None


class ParentWithDefinition(Parent):
    """A parent segment with its definition."""

    definition: ParentDefinition


class ParentPage(TypedDict):
    items: list[Parent]
    next: str | None


class CheckedTable(TypedDict):
    """Rows of a table and how many found a customer. matched: null when there are none."""

    part: Literal["master", "attribute", "behavior"]
    name: str
    source: str
    rows: int
    matched: float | None


class ParentYaml(TypedDict):
    """A parent segment as text."""

    yaml: str


class CheckedParent(TypedDict):
    """A definition that was looked at and not saved. definition: null when it cannot be read."""

    ok: bool
    definition: ParentDefinition | None
    issues: list[Issue]
    tables: list[CheckedTable]
