"""Who comes first: the order behind "top N by ..." as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from kohort.evaluation.aggregates import Aggregates, effective
from kohort.evaluation.rows import Rows, Selection
from kohort.parent.layout import CUSTOMER_ID
from kohort.rules.core import Aggregate, TopOrder
from kohort.sql import build

_FRACTION_UNIT = 10**20  # unequal fractions with denominators below 2**31 are more than 10**-19 apart


@dataclass(frozen=True, slots=True)
class Ranking:
    """Orders the profiles of the table called `alias`; `owner` names the profile there and in the behaviors' tables.

    scope: what to read of a behavior's table.
    """

    rows: Rows
    owner: str
    alias: str
    table: Callable[[str], exp.Table]
    scope: tuple[exp.Expression, ...] = ()

    def joined(self, select: exp.Select, order: Sequence[TopOrder]) -> tuple[exp.Select, exp.Order]:
        """`select` joined with the aggregates it is ordered by, and the order: nulls last, ties by cdp_customer_id."""
        terms: list[exp.Expression] = []
        for position, one in enumerate(order):
            if isinstance(one.by, str):
                keys: list[exp.Expression] = [build.column(one.by, self.alias)]
            else:
                alias = f"o{position}"
                select = self._join(select, one.by, alias)
                keys = self._keys(one.by, alias)
            terms += [exp.Ordered(this=key, desc=one.descending, nulls_first=False) for key in keys]
        tie = exp.Ordered(this=build.column(CUSTOMER_ID, self.alias), desc=False, nulls_first=False)
        return select, exp.Order(expressions=[*terms, tie])

    def _join(self, select: exp.Select, aggregate: Aggregate, alias: str) -> exp.Select:
        on = exp.EQ(this=build.column(self.owner, alias), expression=build.column(self.owner, self.alias))
        return select.join(exp.Subquery(this=self._values(aggregate)), on=on, join_type="left", join_alias=alias, copy=False)

    def _values(self, aggregate: Aggregate) -> exp.Select:
        sql = Aggregates(self.rows)
        aggregate = effective(aggregate)
        parts: Sequence[exp.Expression] = sql.parts(aggregate)
        if aggregate.key == "Average":
            average = sql.average(aggregate, parts)
            parts = (average.parts()[0], average.share(_FRACTION_UNIT))
        selected = self.rows.selected(Selection.of(aggregate))
        conditions = [*(one.copy() for one in self.scope), self.rows.exists(), *([] if selected is None else [selected])]
        columns = [build.named(part, f"k{position}") for position, part in enumerate(parts)]
        select = exp.Select(expressions=[build.column(self.owner), *columns]).from_(self.table(aggregate.behavior))
        return select.where(build.all_of(conditions), copy=False).group_by(build.column(self.owner), copy=False)

    def _keys(self, aggregate: Aggregate, alias: str) -> list[exp.Expression]:
        first = build.column("k0", alias)
        if aggregate.key in ("Count", "CountDistinct"):
            return [exp.Coalesce(this=first, expressions=[build.integer(0)])]
        return [first, build.column("k1", alias)] if aggregate.key == "Average" else [first]
