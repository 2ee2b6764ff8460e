"""Tests of one value as SQL conditions.

A condition may come out null, and null then means false: it does inside and/or, WHERE, FILTER and BOOL_OR. Whoever negates a
condition takes `sql.build.complement`. A test's own negation needs none: its comparison is null only where the value is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import assert_never

from sqlglot import exp

from kohort.evaluation.numbers import INT64_LIMIT, WIDE_MAX, Comparator, off_grid, on_grid
from kohort.evaluation.times import Bounds, Moment, days, instants
from kohort.foundation.instants import DAY, MAX_MICROS, MIN_MICROS, SECOND
from kohort.parent.catalog import Storage
from kohort.rules.ast import ArrayMatching
from kohort.rules.core import Compare, InWindow, IsNullTest, Literal_, Matches, Never, OneOf, Predicate, Range, Test, TextAny
from kohort.sql import build
from kohort.sql.dialects import SqlDialect

_ELEMENTS: dict[Storage, Storage] = {"text_array": "text", "int64_array": "int64", "float64_array": "float64"}
COMPARISONS: dict[Comparator, type[exp.Expression]] = {"=": exp.EQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}

Outcome = exp.Expression | bool
"""A condition on a value that is not null; True or False when it is the same for every one."""


@dataclass(frozen=True, slots=True)
class Predicates:
    """Turns tests into SQL for one engine at one moment."""

    dialect: SqlDialect
    moment: Moment

    def test(self, value: exp.Expression, test: Test, scale: int = 0) -> exp.Expression:
        """`test` of `value`; scale: digits after the point of a decimal."""
        if isinstance(test.predicate, IsNullTest):
            return build.not_null(value) if test.negated else build.is_null(value)
        if test.storage in _ELEMENTS:
            return self._array(value, test)
        return settled(value, self._outcome(value, test.predicate, test.storage, scale), test.negated)

    def _array(self, value: exp.Expression, test: Test) -> exp.Expression:
        matching = test.matching or ArrayMatching("any")
        element = Test(test.predicate, _ELEMENTS[test.storage], test.negated)
        name = exp.to_identifier("e")
        passes = exp.Lambda(this=self.test(exp.Column(this=name), element), expressions=[name.copy()])
        passed = exp.ArraySize(this=exp.ArrayFilter(this=value.copy(), expression=passes))
        count = build.integer(matching.count)
        match matching.key:
            case "any":
                return exp.GT(this=passed, expression=build.integer(0))
            case "all":
                judged: exp.Expression = exp.EQ(this=passed, expression=exp.ArraySize(this=value.copy()))
            case "at_least":
                judged = exp.GTE(this=passed, expression=count)
            case "at_most":
                judged = exp.LTE(this=passed, expression=count)
            case "exactly":
                judged = exp.EQ(this=passed, expression=count)
            case _:
                assert_never(matching.key)
        return build.all_of([build.not_null(value.copy()), judged])

    def _outcome(self, value: exp.Expression, predicate: Predicate, storage: Storage, scale: int) -> Outcome:
        match predicate:
            case Compare(op, literal):
                return self.compare(value, op, literal, storage, scale)
            case Range(low, high):
                bottom = True if low is None else self.compare(value, ">=", low, storage, scale)
                top = True if high is None else self.compare(value, "<=", high, storage, scale)
                return both(bottom, top)
            case OneOf(literals):
                return self._one_of(value, literals, storage, scale)
            case TextAny(how, values):
                return build.any_of(self._text(value, how, one) for one in values)
            case Matches(pattern):
                return exp.RegexpLike(this=value.copy(), expression=build.text(pattern))
            case InWindow(window):
                if storage == "date":
                    return self.between(value, days(window, self.moment), "date")
                return self.between(value, instants(window, self.moment), "timestamp")
            case Never():
                return False
            case IsNullTest():
                raise AssertionError("null is tested before")
            case _:
                assert_never(predicate)

    def compare(self, value: exp.Expression, op: Comparator, literal: Literal_, storage: Storage, scale: int) -> Outcome:
        """`value op literal`, exactly, whatever the range of the literal."""
        found = self._literal(op, literal, storage, scale)
        if isinstance(found, bool):
            return found
        comparator, right = found
        return COMPARISONS[comparator](this=value.copy(), expression=right)

    def _literal(self, op: Comparator, literal: Literal_, storage: Storage, scale: int) -> tuple[Comparator, exp.Expression] | bool:
        match storage:
            case "int64" | "decimal":
                limit = INT64_LIMIT if storage == "int64" else WIDE_MAX
                bound = on_grid(op, _exact(literal), scale, limit)
                if isinstance(bound, bool):
                    return bound
                return bound[0], build.decimal(off_grid(bound[1], scale)) if scale else build.integer(bound[1])
            case "float64":
                return _float_bound(op, float(literal))
            case "date" | "timestamp":
                micros = int(literal) * (DAY if storage == "date" else 1)
                if not MIN_MICROS <= micros <= MAX_MICROS:
                    return _beyond(op, above=micros > 0)
                return op, build.day(int(literal)) if storage == "date" else build.timestamp(micros, self.dialect)
            case "boolean":
                return op, build.boolean(bool(literal))
            case _:
                return op, build.text(str(literal))

    def _one_of(self, value: exp.Expression, literals: Iterable[Literal_], storage: Storage, scale: int) -> Outcome:
        found = [self._literal("=", literal, storage, scale) for literal in literals]
        possible = [one[1] for one in found if not isinstance(one, bool)]
        if not possible:
            return False
        if len(possible) == 1:
            return exp.EQ(this=value.copy(), expression=possible[0])
        return exp.In(this=value.copy(), expressions=possible)

    def _text(self, value: exp.Expression, how: str, part: str) -> exp.Expression:
        if how == "contain":
            position = exp.StrPosition(this=value.copy(), substr=build.text(part))
            return exp.GT(this=position, expression=build.integer(0))
        if how == "start":
            return exp.StartsWith(this=value.copy(), expression=build.text(part))
        return self.dialect.ends_with(value.copy(), build.text(part))

    def between(self, value: exp.Expression, bounds: Bounds, storage: Storage) -> Outcome:
        """A time between bounds, both included."""
        if bounds.is_empty:
            return False
        bottom: Outcome = True
        top: Outcome = True
        if bounds.first is not None:
            bottom = self.compare(value, *_from(bounds.first, storage), storage, 0)
        if bounds.last is not None:
            top = self.compare(value, *_until(bounds.last, storage), storage, 0)
        return both(bottom, top)


def _from(first: int, storage: Storage) -> tuple[Comparator, int]:
    """A bound as people write it: later than a whole second, not from its first microsecond on."""
    return (">", first - 1) if storage == "timestamp" and first % SECOND == 1 else (">=", first)


def _until(last: int, storage: Storage) -> tuple[Comparator, int]:
    return ("<", last + 1) if storage == "timestamp" and last % SECOND == SECOND - 1 else ("<=", last)


def settled(value: exp.Expression, outcome: Outcome, negated: bool = False) -> exp.Expression:
    """The outcome as a condition that is false or null where the value is null."""
    if isinstance(outcome, bool):
        return build.not_null(value.copy()) if outcome != negated else build.boolean(False)
    return build.negation(outcome) if negated else outcome


def both(left: Outcome, right: Outcome) -> Outcome:
    """Both outcomes hold."""
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return build.all_of([left, right])


def _exact(literal: Literal_) -> Decimal | int:
    if isinstance(literal, int | Decimal):
        return literal
    return Decimal(repr(literal)) if isinstance(literal, float) else Decimal(literal)


def _float_bound(op: Comparator, literal: float) -> tuple[Comparator, exp.Expression] | bool:
    return (op, build.double(literal)) if isfinite(literal) else _beyond(op, above=literal > 0)


def _beyond(op: Comparator, *, above: bool) -> bool:
    """What a comparison with a literal above (or below) every possible value comes to."""
    return op in ("<", "<=") if above else op in (">", ">=")
