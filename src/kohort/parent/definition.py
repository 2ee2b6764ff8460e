"""What a parent segment is made of, whichever YAML form it was written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

FieldType = Literal["string", "number", "boolean", "timestamp", "date", "string_array", "number_array"]
ScheduleType = Literal["none", "minutes_interval", "hourly", "daily", "weekly", "monthly", "cron"]
Visibility = Literal["clear", "pii", "non_pii", "blocked"]


def slug(name: str, separator: str = "-") -> str:
    """Lower-case words joined by `separator`; letters and digits of any script are kept.

    >>> slug("Customer 360")
    'customer-360'
    >>> slug("Page Views", "_")
    'page_views'
    """
    words = re.findall(r"[^\W_]+", name.lower())
    return separator.join(words) or "unnamed"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table of the warehouse: `<database>.<table>`."""

    database: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.table}"


@dataclass(frozen=True, slots=True)
class PopulationFilter:
    """Keep the master rows whose `column`, as text, is one of `values`."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MasterColumn:
    """What is said of one column of the master table. All its columns are taken, under their own names, said of or not."""

    column: str
    label: str = ""
    visibility: Visibility = "clear"


@dataclass(frozen=True, slots=True)
class Master:
    """The table with one row per customer. key_column "" = not written: taken from the joins (see `ParentSegment.key_column`)."""

    source: TableRef
    key_column: str = ""
    filters: tuple[PopulationFilter, ...] = ()
    columns: tuple[MasterColumn, ...] = ()

    def said_of(self, column: str) -> MasterColumn:
        """What is said of a column; of one that is not named, nothing."""
        return next((said for said in self.columns if said.column == column), MasterColumn(column))


@dataclass(frozen=True, slots=True)
class ColumnPick:
    """One column taken from a source: `column` there, `name` here, with an optional display label and declared type."""

    column: str
    name: str
    label: str = ""
    type: FieldType | None = None
    visibility: Visibility = "clear"


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """Columns joined 1:1 to the customer. parent_key is a master column, child_key a column of the source.

    Either `columns` or `all_columns`. `group` is the heading in the segment editor (default: the table's name).
    """

    name: str
    source: TableRef
    parent_key: str
    child_key: str
    columns: tuple[ColumnPick, ...] = ()
    all_columns: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class BehaviorTable:
    """Timestamped rows joined N:1. Its output table is `behavior_<slug>`. time_column "" = not written (default `time`)."""

    name: str
    source: TableRef
    parent_key: str
    child_key: str
    columns: tuple[ColumnPick, ...] = ()
    all_columns: bool = False
    time_column: str = ""
    default_time_filter: bool = False

    @property
    def slug(self) -> str:
        return slug(self.name, "_")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the parent segment refreshes: parsed, kept and shown.

    time: "HH:MM:SS" ("" when not written); minutes: minutes_interval only; days: weekly day names (Monday ...) or
    monthly days (1-31) as text; cron: cron only; delay_seconds, start, end, skip_*: digdag's options, as written.
    """

    type: ScheduleType = "none"
    time: str = ""
    timezone: str = ""
    days: tuple[str, ...] = ()
    cron: str = ""
    minutes: int = 0
    delay_seconds: int = 0
    start: str = ""
    end: str = ""
    skip_on_overtime: bool = False
    skip_delayed_by: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """Engine hints of the platform: kept and shown, without effect here."""

    hive_only: bool = False
    trino_pool: str | None = None
    hive_pool: str | None = None


@dataclass(frozen=True, slots=True)
class ParentSegment:
    """The data model of one set of customers. `timezone` is an IANA name: the zone of calendar words."""

    name: str
    master: Master
    description: str = ""
    attributes: tuple[AttributeTable, ...] = ()
    behaviors: tuple[BehaviorTable, ...] = ()
    schedule: Schedule = Schedule()
    engine: Engine = Engine()
    timezone: str = "UTC"

    @property
    def slug(self) -> str:
        return slug(self.name)

    @property
    def key_column(self) -> str:
        """The master key: as written, else the parent_key most joins use (the first of them on a tie)."""
        if self.master.key_column:
            return self.master.key_column
        joins: tuple[AttributeTable | BehaviorTable, ...] = (*self.attributes, *self.behaviors)
        keys = [join.parent_key for join in joins]
        return max(keys, key=keys.count) if keys else ""
