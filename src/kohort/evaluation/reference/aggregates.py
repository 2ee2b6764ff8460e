"""Filters over rows, aggregates, sliding windows and sequences of one profile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from kohort.evaluation.reference.data import Profile, Row
from kohort.evaluation.reference.operators import Operators
from kohort.evaluation.reference.windows import moment
from kohort.foundation.calendar import Duration
from kohort.parent.catalog import Behavior, FieldCatalog
from kohort.rules.ast import TIME_COLUMN, Aggregation, BehaviorCondition, ColumnCondition, FilterCondition, FilterGroup, Step


@dataclass(frozen=True, slots=True)
class Result:
    """What an aggregate came to, and how it compares: "exact" for counts, sums and averages, else the column's storage."""

    value: Any
    storage: str


class Rows:
    """Questions about the rows of one profile at a time; events later than `as_of` do not exist."""

    def __init__(self, catalog: FieldCatalog, operators: Operators) -> None:
        self.catalog = catalog
        self.operators = operators

    def of(self, profile: Profile, behavior: str, filter_group: FilterGroup | None) -> list[Row]:
        """The rows that exist and pass the filter."""
        rows = [row for row in profile.rows.get(behavior, ()) if moment(row.time) <= self.operators.as_of]
        if filter_group is None:
            return rows
        return [row for row in rows if self._passes(filter_group, row, self.catalog.behavior[behavior])]

    def _passes(self, condition: FilterCondition, row: Row, behavior: Behavior) -> bool:
        match condition:
            case ColumnCondition():
                value, storage = self.cell(row, condition.column, behavior)
                passed = self.operators.passes(condition.operator, value, storage, condition.array_matching)
            case FilterGroup(match="all"):
                passed = all(self._passes(part, row, behavior) for part in condition.conditions)
            case FilterGroup(match="any"):
                passed = any(self._passes(part, row, behavior) for part in condition.conditions)
            case _:
                raise AssertionError(condition)
        return passed != condition.exclude

    def cell(self, row: Row, column: str, behavior: Behavior) -> tuple[Any, str]:
        """A column's value in a row and its storage."""
        field = behavior.by_name[column]
        return (row.time if field.name == TIME_COLUMN else row.values.get(field.name)), field.storage

    # --- aggregates -------------------------------------------------------------------------------------------------

    def results(self, condition: BehaviorCondition, profile: Profile) -> list[Result]:
        """What the aggregate comes to in each group and sliding window; without those, one result."""
        behavior = self.catalog.behavior[condition.behavior]
        return [self.aggregate(condition.aggregation, part, behavior) for part in self.parts(condition, profile)]

    def parts(self, condition: BehaviorCondition, profile: Profile) -> list[list[Row]]:
        """The rows of each group and sliding window; without those, all rows that pass the filter."""
        behavior = self.catalog.behavior[condition.behavior]
        rows = self.of(profile, condition.behavior, condition.filter)
        groups = self._groups(rows, condition.aggregation.grouping, behavior)
        return [part for group in groups for part in _slides(group, condition.sliding)]

    def _groups(self, rows: list[Row], grouping: tuple[str, ...], behavior: Behavior) -> Iterable[list[Row]]:
        """The rows by equal values of the grouping columns, null being a value of its own; no rows, no group."""
        if not grouping:
            return [rows]
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(self.cell(row, column, behavior)[0] for column in grouping), []).append(row)
        return groups.values()

    def aggregate(self, aggregation: Aggregation, rows: Sequence[Row], behavior: Behavior) -> Result:
        """One aggregate over the given rows. Null when there is no value to work with; counts are 0 then."""
        if aggregation.key == "Count":
            return Result(len(rows), "exact")
        if aggregation.key == "CountDistinct":
            tuples = [tuple(self.cell(row, column, behavior)[0] for column in aggregation.columns) for row in rows]
            return Result(len({one for one in tuples if None not in one}), "exact")
        column = aggregation.columns[0]
        storage = behavior.by_name[column].storage
        kept = [row for row in rows if self.cell(row, column, behavior)[0] is not None]
        if aggregation.key in ("First", "Last"):
            return Result(self._first_or_last(aggregation, kept, column, behavior), storage)
        values = [self.cell(row, column, behavior)[0] for row in kept]
        match aggregation.key:
            case "Sum":
                return Result(sum(_exact(value, storage) for value in values) if values else None, "exact")
            case "Average":
                return Result(sum(_exact(value, storage) for value in values) / Fraction(len(values)) if values else None, "exact")
            case "Min":
                return Result(min(values) if values else None, storage)
            case "Max":
                return Result(max(values) if values else None, storage)
            case _:
                raise AssertionError(aggregation.key)

    def _first_or_last(self, aggregation: Aggregation, rows: list[Row], column: str, behavior: Behavior) -> Any:
        order = aggregation.order_column or TIME_COLUMN
        placed = [row for row in rows if self.cell(row, order, behavior)[0] is not None]
        placed.sort(key=lambda row: (self.cell(row, order, behavior)[0], row.arrival))
        if not placed:
            return None
        return self.cell(placed[0 if aggregation.key == "First" else -1], column, behavior)[0]

    # --- sequences --------------------------------------------------------------------------------------------------

    def completes(self, steps: tuple[Step, ...], profile: Profile) -> bool:
        """Whether some chain of rows completes every step, each strictly later than the one before and within reach of it."""
        reached = {row.time for row in self.of(profile, steps[0].behavior, steps[0].filter)}
        for step in steps[1:]:
            reached = {
                row.time
                for row in self.of(profile, step.behavior, step.filter)
                if any(before < row.time and _within(row.time - before, step.within) for before in reached)
            }
        return bool(reached)


def _within(gap_micros: int, limit: Duration | None) -> bool:
    return limit is None or timedelta(microseconds=gap_micros) <= _length(limit)


def _length(duration: Duration) -> timedelta:
    units = {f"{unit}s": amount for unit, amount in duration.parts}
    return timedelta(**units)


def _slides(rows: list[Row], length: Duration | None) -> list[list[Row]]:
    """The rows of each window `(t - length, t]` that ends at a row's time t; no rows: one empty window."""
    if length is None or not rows:
        return [rows]
    return [[row for row in rows if moment(end.time) - _length(length) < moment(row.time) <= moment(end.time)] for end in rows]


def _exact(value: Any, storage: str) -> Fraction:
    """A number as it is summed. float64: rounded to 6 digits after the point, ties away from zero; beyond 1e24 it counts as 1e24."""
    if storage != "float64":
        return Fraction(value)
    millionths = Decimal(max(-1e24, min(1e24, value)) * 1e6)
    return Fraction(millionths.to_integral_value(ROUND_HALF_UP)) / 10**6
