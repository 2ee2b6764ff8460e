"""Tests, filters and aggregates of the core form as Polars expressions. Null means no wherever a truth is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, assert_never

import polars as pl

from kohort.evaluation.rows import Selection
from kohort.evaluation.times import Bounds, Moment, days, instants
from kohort.foundation.instants import DAY
from kohort.parent.catalog import Storage
from kohort.rules.ast import ArrayMatching
from kohort.rules.core import (
    Aggregate,
    Compare,
    InWindow,
    IsNullTest,
    Literal_,
    Matches,
    Never,
    OneOf,
    Predicate,
    Range,
    RowAll,
    RowAny,
    RowFilter,
    RowNot,
    RowTest,
    Test,
    TextAny,
)

_ELEMENTS: dict[Storage, Storage] = {"text_array": "text", "int64_array": "int64", "float64_array": "float64"}
_EPOCH = datetime(1970, 1, 1)
MILLION = 10**6
"""Sums of floats are counted in millionths, as Kohort counts them."""


def passes(value: pl.Expr, test: Test, moment: Moment) -> pl.Expr:
    """A test of a value; null where the value is null (never of null tests)."""
    if isinstance(test.predicate, IsNullTest):
        return value.is_not_null() if test.negated else value.is_null()
    if test.storage in _ELEMENTS:
        return _array(value, test, moment)
    found = _outcome(value, test.predicate, test.storage, moment)
    return ~found if test.negated else found


def _array(value: pl.Expr, test: Test, moment: Moment) -> pl.Expr:
    matching = test.matching or ArrayMatching("any")
    element = passes(pl.element(), Test(test.predicate, _ELEMENTS[test.storage], test.negated), moment)
    passed = value.list.eval(element.fill_null(False)).list.sum()
    match matching.key:
        case "any":
            return passed > 0
        case "all":
            return passed == value.list.len()
        case "at_least":
            return passed >= matching.count
        case "at_most":
            return passed <= matching.count
        case "exactly":
            return passed == matching.count
        case _:
            assert_never(matching.key)


def _outcome(value: pl.Expr, predicate: Predicate, storage: Storage, moment: Moment) -> pl.Expr:
    match predicate:
        case Compare(op, literal):
            return compared(value, op, _literal(literal, storage))
        case Range(low, high):
            parts = [] if low is None else [value >= _literal(low, storage)]
            return all_of([*parts, *([] if high is None else [value <= _literal(high, storage)])])
        case OneOf(literals):
            if storage in ("text", "int64", "float64"):
                return value.is_in(list(literals))
            return any_of([value == _literal(one, storage) for one in literals])
        case TextAny(how, values):
            return any_of([_text(value, how, one) for one in values])
        case Matches(pattern):
            return value.str.contains(pattern)
        case InWindow(window):
            bounds = days(window, moment) if storage == "date" else instants(window, moment)
            return all_of(within(value, bounds, storage))
        case Never():
            return pl.when(value.is_not_null()).then(False)
        case IsNullTest():
            raise AssertionError("null is tested before")
        case _:
            assert_never(predicate)


def _text(value: pl.Expr, how: str, part: str) -> pl.Expr:
    if how == "contain":
        return value.str.contains(part, literal=True)
    return value.str.starts_with(part) if how == "start" else value.str.ends_with(part)


def compared(value: pl.Expr, op: str, literal: Any) -> pl.Expr:
    match op:
        case "=":
            return value == literal
        case "<":
            return value < literal
        case "<=":
            return value <= literal
        case ">":
            return value > literal
        case _:
            return value >= literal


def _literal(literal: Literal_, storage: Storage) -> Any:
    if storage == "timestamp":
        return pl.lit(_EPOCH + timedelta(microseconds=int(literal)), dtype=pl.Datetime("us"))
    if storage == "date":
        return pl.lit(_day(int(literal)))
    return pl.lit(literal)


def _day(number: int) -> date:
    return (_EPOCH + timedelta(microseconds=number * DAY)).date()


def within(value: pl.Expr, bounds: Bounds, storage: Storage) -> list[pl.Expr]:
    """A time between bounds, both included."""
    if bounds.is_empty:
        return [pl.lit(False)]
    low = [] if bounds.first is None else [value >= _literal(bounds.first, storage)]
    return [*low, *([] if bounds.last is None else [value <= _literal(bounds.last, storage)])]


def all_of(parts: Sequence[pl.Expr]) -> pl.Expr:
    return reduce(lambda left, right: left & right, parts) if parts else pl.lit(True)


def any_of(parts: Sequence[pl.Expr]) -> pl.Expr:
    return reduce(lambda left, right: left | right, parts) if parts else pl.lit(False)


def row_passes(row_filter: RowFilter, moment: Moment) -> pl.Expr:
    """A row passes a filter."""
    match row_filter:
        case RowTest(column, test):
            return passes(pl.col(column), test, moment)
        case RowAll(parts):
            return all_of([row_passes(part, moment) for part in parts])
        case RowAny(parts):
            return any_of([row_passes(part, moment) for part in parts])
        case RowNot(part):
            return ~row_passes(part, moment).fill_null(False)
        case _:
            assert_never(row_filter)


def selected(selection: Selection, bounds: Bounds, moment: Moment) -> list[pl.Expr]:
    """The row is in the selection, which lies within `bounds`; nothing for what every row passes."""
    parts = within(pl.col("timestamp"), bounds, "timestamp")
    return [*parts, row_passes(selection.filter, moment)] if not _is_everything(selection.filter) else parts


def _is_everything(row_filter: RowFilter) -> bool:
    return isinstance(row_filter, RowAll) and not row_filter.parts


def exists(moment: Moment) -> pl.Expr:
    """The row is not later than the instant."""
    return pl.col("timestamp") <= _literal(moment.as_of, "timestamp")


# --- aggregates -----------------------------------------------------------------------------------------------------------


def value_of(aggregate: Aggregate) -> pl.Expr:
    """What of a row is aggregated."""
    if aggregate.key == "Count":
        return pl.lit(True)
    if len(aggregate.columns) > 1:
        raise NotImplementedError("distinct rows of several columns")
    value = pl.col(aggregate.columns[0])
    if aggregate.key in ("Sum", "Average") and aggregate.column_storage == "float64":
        return (value * MILLION).round(0, mode="half_away_from_zero").cast(pl.Int64)
    return value


def summed_up(aggregate: Aggregate, value: pl.Expr) -> list[pl.Expr]:
    """The aggregate, and of sums and averages the count, over values that are null in rows that do not count, in the order of time."""
    match aggregate.key:
        case "Count":
            return [value.count()]
        case "CountDistinct":
            return [value.drop_nulls().n_unique()]
        case "Sum" | "Average":
            return [value.sum(), value.count()]
        case "Min":
            return [value.min()]
        case "Max":
            return [value.max()]
        case "First":
            return [value.drop_nulls().first()]
        case "Last":
            return [value.drop_nulls().last()]
        case _:
            assert_never(aggregate.key)


def aggregate_passes(aggregate: Aggregate, parts: Sequence[pl.Expr], test: Test, moment: Moment) -> pl.Expr:
    """The test of an aggregate whose parts are at hand."""
    if aggregate.key not in ("Sum", "Average") or isinstance(test.predicate, IsNullTest):
        return passes(parts[0], test, moment)
    total, count = parts
    unit = MILLION if aggregate.column_storage == "float64" else 1
    weight = count.cast(pl.Int64) if aggregate.key == "Average" else pl.lit(1, dtype=pl.Int64)
    found = all_of([_total_passes(total, weight, op, Decimal(str(literal)) * unit) for op, literal in _bounds(test.predicate)])
    return pl.when(count > 0).then(~found if test.negated else found)


def _total_passes(total: pl.Expr, weight: pl.Expr, op: str, literal: Decimal) -> pl.Expr:
    """total op literal * weight, in whole numbers or decimals."""
    digits = max(0, -int(literal.as_tuple().exponent))
    return compared(total * 10**digits, op, weight * int(literal.scaleb(digits)))


def _bounds(predicate: Predicate) -> list[tuple[str, Literal_]]:
    match predicate:
        case Compare(op, literal):
            return [(op, literal)]
        case Range(low, high):
            return [*([] if low is None else [(">=", low)]), *([] if high is None else [("<=", high)])]
        case _:
            raise NotImplementedError(f"a sum that is {type(predicate).__name__}")
