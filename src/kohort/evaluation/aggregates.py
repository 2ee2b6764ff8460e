"""Aggregates over the rows of a behavior as SQL, and tests of what they come to, exactly.

An aggregate is one or two SQL aggregates (an average is a sum and a count). Sums are whole numbers: of 10**-scale of a
decimal, of 10**-6 of a float64. A float64 beyond 1e24 either way counts as 1e24 in sums and averages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

from sqlglot import exp

from kohort.evaluation.averages import AverageSql
from kohort.evaluation.numbers import WIDE_MAX, Comparator, on_grid
from kohort.evaluation.predicates import COMPARISONS, Outcome, both, settled
from kohort.evaluation.rows import Rows
from kohort.parent.layout import ARRIVAL
from kohort.rules.core import Aggregate, Compare, IsNullTest, Literal_, Never, OneOf, Range, RowAny, Test
from kohort.sql import build

FLOAT_SCALE = 6
_FLOAT_LIMIT = 1e30


def scale_of(aggregate: Aggregate) -> int:
    """Digits after the point in which the sums of an aggregate are counted."""
    if aggregate.column_storage == "float64":
        return FLOAT_SCALE
    return aggregate.column_scale if aggregate.column_storage == "decimal" else 0


def effective(aggregate: Aggregate) -> Aggregate:
    """The same aggregate; windows of no length hold no row."""
    if aggregate.sliding_micros is None or aggregate.sliding_micros > 0:
        return aggregate
    return replace(aggregate, sliding_micros=None, filter=RowAny(()))


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Turns aggregates into SQL over the columns that `rows` names."""

    rows: Rows

    def parts(self, aggregate: Aggregate, where: exp.Expression | None = None) -> tuple[exp.Expression, ...]:
        """The SQL aggregates over the rows for which `where` holds (None: all)."""
        conditions = [] if where is None else [where]
        found: list[tuple[exp.Expression, list[exp.Expression]]]
        match aggregate.key:
            case "Count":
                found = [(exp.Count(this=exp.Star()), conditions)]
            case "CountDistinct":
                found = [self._count_distinct(aggregate, conditions)]
            case "Sum":
                found = [(exp.Sum(this=self._summand(aggregate)), conditions)]
            case "Average":
                found = [(exp.Sum(this=self._summand(aggregate)), conditions), (exp.Count(this=self._value(aggregate)), conditions)]
            case "Min":
                found = [(exp.Min(this=self._value(aggregate)), conditions)]
            case "Max":
                found = [(exp.Max(this=self._value(aggregate)), conditions)]
            case "First" | "Last":
                found = [self._first_or_last(aggregate, conditions)]
            case _:
                assert_never(aggregate.key)
        return tuple(_filtered(function, needed) for function, needed in found)

    def _value(self, aggregate: Aggregate) -> exp.Expression:
        return self.rows.column(aggregate.columns[0])

    def _summand(self, aggregate: Aggregate) -> exp.Expression:
        value = self._value(aggregate)
        if aggregate.column_storage == "decimal":
            return value
        if aggregate.column_storage != "float64":
            return build.wide(value, self.rows.predicates.dialect)
        scaled = build.call("round", exp.Mul(this=value, expression=build.double(10.0**FLOAT_SCALE)))
        return build.wide(_clamped(scaled, _FLOAT_LIMIT), self.rows.predicates.dialect)

    def _count_distinct(self, aggregate: Aggregate, conditions: list[exp.Expression]) -> tuple[exp.Expression, list[exp.Expression]]:
        columns = [self.rows.column(name) for name in aggregate.columns]
        if len(columns) == 1:
            return exp.Count(this=exp.Distinct(expressions=columns)), conditions
        row = build.call(self.rows.predicates.dialect.row, *columns)
        present = [build.not_null(column.copy()) for column in columns]
        return exp.Count(this=exp.Distinct(expressions=[row])), [*conditions, *present]

    def _first_or_last(self, aggregate: Aggregate, conditions: list[exp.Expression]) -> tuple[exp.Expression, list[exp.Expression]]:
        value = self._value(aggregate)
        order = self.rows.column(aggregate.order_column) if aggregate.order_column else self.rows.time
        place = build.call(self.rows.predicates.dialect.row, order, self.rows.column(ARRIVAL))
        function = exp.ArgMin if aggregate.key == "First" else exp.ArgMax
        return function(this=value, expression=place), [*conditions, build.not_null(value.copy()), build.not_null(order.copy())]

    # --- tests ------------------------------------------------------------------------------------------------------

    def test(self, aggregate: Aggregate, parts: Sequence[exp.Expression], test: Test) -> exp.Expression:
        """`test` of the aggregate, whose SQL aggregates (or columns holding them) are `parts`; null means no."""
        if isinstance(test.predicate, IsNullTest) or aggregate.key not in ("Sum", "Average"):
            return self.rows.predicates.test(parts[0], test, aggregate.column_scale)
        if aggregate.key == "Average":
            average = self.average(aggregate, parts)
            outcome = _each(test, lambda op, literal: average.compare(op, _exact(literal)))
        elif aggregate.column_storage == "decimal":
            return self.rows.predicates.test(parts[0], test, scale_of(aggregate))
        else:
            outcome = _each(test, lambda op, literal: _sum_outcome(aggregate, parts[0], op, literal))
        return settled(parts[0], outcome, test.negated)

    def average(self, aggregate: Aggregate, parts: Sequence[exp.Expression]) -> AverageSql:
        """The average whose SQL aggregates are `parts`."""
        return AverageSql(parts[0], parts[1], aggregate.column_storage, scale_of(aggregate), self.rows.predicates.dialect)


def _clamped(value: exp.Expression, limit: float) -> exp.Expression:
    """The nearest value from -limit to limit; null stays null (LEAST would lose it on some engines)."""
    high, low = build.double(limit), build.double(-limit)
    above = exp.If(this=exp.GT(this=value, expression=high), true=high.copy())
    below = exp.If(this=exp.LT(this=value.copy(), expression=low), true=low.copy())
    return exp.Case(ifs=[above, below], default=value.copy())


def _filtered(function: exp.Expression, conditions: Sequence[exp.Expression]) -> exp.Expression:
    if not conditions:
        return function
    return exp.Filter(this=function, expression=exp.Where(this=build.all_of(one.copy() for one in conditions)))


def _sum_outcome(aggregate: Aggregate, total: exp.Expression, op: Comparator, literal: Literal_) -> Outcome:
    bound = on_grid(op, _exact(literal), scale_of(aggregate), WIDE_MAX)
    return bound if isinstance(bound, bool) else COMPARISONS[bound[0]](this=total.copy(), expression=build.integer(bound[1]))


def _each(test: Test, compare: Callable[[Comparator, Literal_], Outcome]) -> Outcome:
    """A test of a number from comparisons with its literals."""
    match test.predicate:
        case Compare(op, literal):
            return compare(op, literal)
        case Range(low, high):
            return both(True if low is None else compare(">=", low), True if high is None else compare("<=", high))
        case OneOf(literals):
            found = [compare("=", literal) for literal in literals]
            possible = [one for one in found if not isinstance(one, bool)]
            return any(one is True for one in found) or (build.any_of(possible) if possible else False)
        case Never():
            return False
        case _:
            raise AssertionError(f"not a test of a number: {test.predicate}")


def holds_without_rows(aggregate: Aggregate, test: Test) -> bool:
    """Whether the condition holds for a profile none of whose rows is selected: counts are 0 then, all others null."""
    if aggregate.grouping:
        return False
    predicate = test.predicate
    if aggregate.key not in ("Count", "CountDistinct"):
        return isinstance(predicate, IsNullTest) and not test.negated
    match predicate:
        case IsNullTest() | Never():
            found = False
        case _:
            found = _each(test, _zero) is True
    return found != test.negated


def _zero(op: Comparator, literal: Literal_) -> bool:
    number = _exact(literal)
    return {"=": number == 0, "<": number > 0, "<=": number >= 0, ">": number < 0, ">=": number <= 0}[op]


def _exact(literal: Literal_) -> int | Decimal:
    return literal if isinstance(literal, int | Decimal) else Decimal(str(literal))
