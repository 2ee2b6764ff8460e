"""A rule as one SQL statement for people and other tools.

    select
      a.*
    from "cdp_audience_1"."customers" a
    where (
      (position('Male' in a."gender") > 0)
    )

Alias `a` and the first lines keep this shape: other tools cut the text up. It reads the public views only, and selects exactly
the members that `evaluate` finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never
from zoneinfo import ZoneInfo

from sqlglot import exp

from kohort.evaluation.aggregates import Aggregates, effective, holds_without_rows
from kohort.evaluation.leaves import sliding_window
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.ranking import Ranking
from kohort.evaluation.rows import Rows, Selection
from kohort.evaluation.sequences import Sequences
from kohort.evaluation.times import Moment
from kohort.evaluation.variants import variant
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.parent.layout import CUSTOMER_ID, output_database
from kohort.rules.core import (
    EVERYBODY,
    Aggregate,
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Expr,
    MemberLeaf,
    Not,
    SequenceLeaf,
    Top,
    VariantLeaf,
)
from kohort.sql import build
from kohort.sql.dialects import DIALECTS, DialectName
from kohort.sql.render import render

CUSTOMERS = "a"
_PLACE, _TOTAL = "place", "total"


def rule_statement(
    expr: Expr,
    *,
    parent_id: int,
    catalog: FieldCatalog,
    as_of: Micros,
    segments: Mapping[str, Expr] | None = None,
    dialect: DialectName = "duckdb",
) -> exp.Select:
    """The statement that selects the members of `expr` with all their columns; segments: path -> rule of those it refers to."""
    predicates = Predicates(DIALECTS[dialect], Moment(as_of, ZoneInfo(catalog.timezone)))
    statements = _Statements(parent_id, Rows(predicates, catalog), segments or {})
    everything = exp.Column(this=exp.Star(), table=exp.to_identifier(CUSTOMERS))
    select = exp.Select(expressions=[everything]).from_(statements.customers(CUSTOMERS))
    if expr == EVERYBODY:
        return select
    return select.where(statements.condition(expr, 0), copy=False)


def rule_sql(
    expr: Expr,
    *,
    parent_id: int,
    catalog: FieldCatalog,
    as_of: Micros,
    segments: Mapping[str, Expr] | None = None,
    dialect: DialectName = "duckdb",
) -> str:
    """`rule_statement` as text for one engine."""
    statement = rule_statement(expr, parent_id=parent_id, catalog=catalog, as_of=as_of, segments=segments, dialect=dialect)
    return render(statement, DIALECTS[dialect])


@dataclass(frozen=True, slots=True)
class _Statements:
    """Conditions on the customers' table; `depth` counts the queries around, each with its own alias of that table."""

    parent_id: int
    rows: Rows
    segments: Mapping[str, Expr]

    def customers(self, alias: str) -> exp.Table:
        return build.table(output_database(self.parent_id), "customers", alias)

    def behavior(self, slug: str) -> exp.Table:
        return build.table(output_database(self.parent_id), f"behavior_{slug}")

    def condition(self, expr: Expr, depth: int) -> exp.Expression:
        """Null means no."""
        match expr:
            case AttributeLeaf(attribute, test):
                field = self.rows.catalog.attribute[attribute]
                column = build.column(field.name, _alias(depth))
                return exp.Paren(this=self.rows.predicates.test(column, test, field.scale))
            case VariantLeaf():
                return exp.Paren(this=variant(expr, _alias(depth), self.rows.predicates.dialect))
            case BehaviorLeaf():
                return exp.Paren(this=self._behavior(expr, depth))
            case SequenceLeaf():
                return exp.Paren(this=self._among(Sequences(self.rows, CUSTOMER_ID, self.behavior).owners(expr), depth))
            case MemberLeaf(path):
                return self.condition(self.segments[path], depth)
            case All(parts):
                return build.all_of(self.condition(part, depth) for part in parts)
            case AnyOf(parts):
                return build.any_of(self.condition(part, depth) for part in parts)
            case Not(part):
                return build.complement(self.condition(part, depth))
            case Top():
                return exp.Paren(this=self._among(self._top(expr, depth + 1), depth))
            case _:
                assert_never(expr)

    def _among(self, query: exp.Select, depth: int, *, negated: bool = False) -> exp.Expression:
        found = exp.In(this=build.column(CUSTOMER_ID, _alias(depth)), query=exp.Subquery(this=query))
        return exp.Not(this=found) if negated else found

    # --- behaviors --------------------------------------------------------------------------------------------------

    def _behavior(self, leaf: BehaviorLeaf, depth: int) -> exp.Expression:
        """Those whose rows pass, or, when having no rows passes, all but those whose rows fail."""
        aggregate = effective(leaf.aggregate)
        without_rows = holds_without_rows(aggregate, leaf.test)
        if aggregate.sliding_micros is None:
            return self._among(self._grouped(aggregate, leaf, failing=without_rows), depth, negated=without_rows)
        found = self._among(self._slid(aggregate, aggregate.sliding_micros, leaf), depth)
        if not without_rows:
            return found
        return build.any_of([found, self._among(self._selected(aggregate), depth, negated=True)])

    def _selected(self, aggregate: Aggregate) -> exp.Select:
        """The owners of the selected rows."""
        selected = self.rows.selected(Selection.of(aggregate))
        conditions = [self.rows.exists(), *([] if selected is None else [selected])]
        select = exp.Select(expressions=[build.column(CUSTOMER_ID)]).from_(self.behavior(aggregate.behavior))
        return select.where(build.all_of(conditions), copy=False)

    def _grouped(self, aggregate: Aggregate, leaf: BehaviorLeaf, *, failing: bool) -> exp.Select:
        """The owners of the groups that pass (or fail) the test."""
        sql = Aggregates(self.rows)
        tested = sql.test(aggregate, sql.parts(aggregate), leaf.test)
        keys = [build.column(CUSTOMER_ID), *(self.rows.column(name) for name in aggregate.grouping)]
        select = self._selected(aggregate).group_by(*keys, copy=False)
        return select.having(build.complement(tested) if failing else tested, copy=False)

    def _slid(self, aggregate: Aggregate, length_micros: int, leaf: BehaviorLeaf) -> exp.Select:
        """The owners of a sliding window that passes the test."""
        sql = Aggregates(self.rows)
        keys = [build.column(CUSTOMER_ID), *(self.rows.column(name) for name in aggregate.grouping)]
        parts = [sliding_window(part, keys, self.rows.micros, length_micros) for part in sql.parts(aggregate)]
        names = [f"v{position}" for position in range(len(parts))]
        values = self._selected(aggregate).select(*(build.named(part, name) for part, name in zip(parts, names, strict=True)), copy=False)
        tested = sql.test(aggregate, [build.column(name) for name in names], leaf.test)
        return exp.Select(expressions=[build.column(CUSTOMER_ID)]).from_(_derived(values)).where(tested, copy=False)

    # --- limits -----------------------------------------------------------------------------------------------------

    def _top(self, top: Top, depth: int) -> exp.Select:
        """The ids of the first ones, by their place among all that match."""
        ranking = Ranking(self.rows, CUSTOMER_ID, _alias(depth), self.behavior)
        select = exp.Select(expressions=[build.column(CUSTOMER_ID, _alias(depth))]).from_(self.customers(_alias(depth)))
        select, order = ranking.joined(select, top.order)
        place = exp.Window(this=exp.RowNumber(), order=order)
        total = exp.Window(this=exp.Count(this=exp.Star()))
        select = select.select(build.named(place, _PLACE), build.named(total, _TOTAL), copy=False)
        if top.part != EVERYBODY:
            select = select.where(self.condition(top.part, depth), copy=False)
        kept = exp.Select(expressions=[build.column(CUSTOMER_ID)]).from_(_derived(select))
        return kept.where(self._is_kept(top), copy=False)

    def _is_kept(self, top: Top) -> exp.Expression:
        """place <= number; of percents: (place - 1) * 100 < total * percents, in whole numbers."""
        if top.kind == "Count":
            return exp.LTE(this=build.column(_PLACE), expression=build.integer(int(top.number)))
        percents, hundred = top.number.as_integer_ratio()
        dialect = self.rows.predicates.dialect
        before = exp.Paren(this=exp.Sub(this=build.wide(build.column(_PLACE), dialect), expression=build.integer(1)))
        left = exp.Mul(this=before, expression=build.integer(100 * hundred))
        right = exp.Mul(this=build.wide(build.column(_TOTAL), dialect), expression=build.integer(percents))
        return exp.LT(this=left, expression=right)


def _alias(depth: int) -> str:
    return f"{CUSTOMERS}{depth or ''}"


def _derived(query: exp.Select) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("q")))
