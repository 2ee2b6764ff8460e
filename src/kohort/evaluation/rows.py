"""Which rows of a behavior a condition looks at, as SQL conditions on one row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from sqlglot import exp

from kohort.evaluation.predicates import Predicates, settled
from kohort.evaluation.times import Bounds, instants
from kohort.foundation.windows import Window
from kohort.parent.catalog import FieldCatalog
from kohort.parent.layout import TIMESTAMP
from kohort.rules.core import ALL_ROWS, Aggregate, RowAll, RowAny, RowFilter, RowNot, RowTest, SequenceStep
from kohort.sql import build


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that pass a filter and all of some windows."""

    behavior: str
    filter: RowFilter = ALL_ROWS
    windows: tuple[Window, ...] = ()

    @staticmethod
    def of(part: Aggregate | SequenceStep) -> Selection:
        return Selection(part.behavior, part.filter, part.windows)

    @property
    def is_everything(self) -> bool:
        return self.filter == ALL_ROWS and not self.windows


@dataclass(frozen=True, slots=True)
class Rows:
    """Turns selections into conditions on the columns of a behavior's table; `alias` is that table's name in the query."""

    predicates: Predicates
    catalog: FieldCatalog
    alias: str = ""

    def column(self, name: str) -> exp.Column:
        return build.column(name, self.alias)

    @property
    def time(self) -> exp.Column:
        return self.column(TIMESTAMP)

    @property
    def micros(self) -> exp.Expression:
        """The time of a row as whole microseconds."""
        return self.predicates.dialect.micros(self.time)

    def exists(self) -> exp.Expression:
        """The row is not later than `as_of`."""
        as_of = build.timestamp(self.predicates.moment.as_of, self.predicates.dialect)
        return exp.LTE(this=self.time, expression=as_of)

    def window_conditions(self, selection: Selection) -> list[exp.Expression]:
        """Conditions that the windows add to `exists`: none for what `as_of` bounds already."""
        return self._between(common_bounds(selection, self.predicates.moment.as_of, self.predicates))

    def _between(self, bounds: Bounds) -> list[exp.Expression]:
        outcome = self.predicates.between(self.time, bounds, "timestamp")
        return [] if outcome is True else [settled(self.time, outcome)]

    def selected(self, selection: Selection) -> exp.Expression | None:
        """The row, if it exists, is in the selection; None when every row is."""
        parts = self.window_conditions(selection)
        if selection.filter != ALL_ROWS:
            parts.append(self.passes(selection.filter, selection.behavior))
        return build.all_of(parts) if parts else None

    def scanned(self, selections: Iterable[Selection]) -> list[exp.Expression]:
        """Conditions true of every existing row that some of the selections needs: the rows worth reading."""
        bounds = [common_bounds(one, self.predicates.moment.as_of, self.predicates) for one in selections]
        bounds = [one for one in bounds if not one.is_empty]
        if not bounds:
            return [build.boolean(False)]
        lows = [one.first for one in bounds if one.first is not None]
        highs = [one.last for one in bounds if one.last is not None]
        low = min(lows) if len(lows) == len(bounds) else None
        high = max(highs) if len(highs) == len(bounds) else None
        return [self.exists(), *self._between(Bounds(low, high))]

    def passes(self, row_filter: RowFilter, behavior: str) -> exp.Expression:
        """The row passes a filter; null means no."""
        match row_filter:
            case RowTest(column, test):
                field = self.catalog.behavior[behavior].by_name[column]
                return self.predicates.test(self.column(field.name), test, field.scale)
            case RowAll(parts):
                return build.all_of(self.passes(part, behavior) for part in parts)
            case RowAny(parts):
                return build.any_of(self.passes(part, behavior) for part in parts)
            case RowNot(part):
                return build.complement(self.passes(part, behavior))
            case _:
                assert_never(row_filter)


def common_bounds(selection: Selection, as_of: int, predicates: Predicates) -> Bounds:
    """The times that lie in all windows of a selection, up to `as_of` (which is left open)."""
    first: int | None = None
    last: int | None = None
    for window in selection.windows:
        bounds = instants(window, predicates.moment)
        if bounds.is_empty:
            return bounds
        first = bounds.first if first is None else first if bounds.first is None else max(first, bounds.first)
        last = bounds.last if last is None else last if bounds.last is None else min(last, bounds.last)
    if first is not None and first > as_of:
        return Bounds(1, 0)
    return Bounds(first, None if last is not None and last >= as_of else last)
