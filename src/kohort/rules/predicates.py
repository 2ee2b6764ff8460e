"""Operators of the file become predicates of the core, with literals of the storage they are compared with.

A literal is the decimal number as it was written. Bounds between whole numbers, beyond int64 or beyond float64 become the
equivalent bound; tests that can never (or always) hold become Never (or its negation), which leaves null false.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal, assert_never
from zoneinfo import ZoneInfo

from kohort.foundation.errors import UserError
from kohort.parent.catalog import Storage
from kohort.rules.ast import (
    ArrayMatching,
    Between,
    Comparison,
    In,
    IsNull,
    Operand,
    Operator,
    Regexp,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    TimeToday,
    TimeWithin,
)
from kohort.rules.canonical import trimmed
from kohort.rules.core import Compare, InWindow, IsNullTest, Matches, Never, OneOf, Predicate, Range, Test, TextAny
from kohort.rules.instant_windows import gaps, window_of, windows_in

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
Op = Literal["=", "<", "<=", ">", ">="]
_OPS: dict[str, Op] = {"Equal": "=", "Greater": ">", "GreaterEqual": ">=", "Less": "<", "LessEqual": "<="}
_HOW: dict[str, Literal["contain", "start", "end"]] = {"Contain": "contain", "StartWith": "start", "EndWith": "end"}


@dataclass(frozen=True, slots=True)
class Always:
    """True for every value but null."""


@dataclass(frozen=True, slots=True)
class JoinedTests:
    """One or more tests of the same value: all of them, or any of them."""

    join: Literal["all", "any"]
    tests: tuple[Test, ...]


def bind_tests(operator: Operator, storage: Storage, matching: ArrayMatching | None, zone: ZoneInfo, *, some: bool = False) -> JoinedTests:
    """The tests an operator makes of a value of `storage`.

    One test, but for `In` on times: one for each instant. `some`: the test is made of several values of which some one must
    pass (grouping, sliding windows); then the tests are joined by any, because the values may differ from test to test.
    """
    if isinstance(operator, In) and storage in ("timestamp", "date"):
        points = windows_in(operator, zone)
        windows = gaps(points) if some and operator.negated else points
        negated = operator.negated and not some
        return JoinedTests("all" if negated else "any", tuple(Test(InWindow(window), storage, negated) for window in windows))
    return JoinedTests("all", (bind_test(operator, storage, matching, zone),))


def bind_test(operator: Operator, storage: Storage, matching: ArrayMatching | None, zone: ZoneInfo) -> Test:
    """The one test of an operator (any but `In` on times)."""
    if isinstance(operator, IsNull):
        return Test(IsNullTest(), storage, operator.negated)
    per_element = (matching or ArrayMatching("any")) if storage.endswith("_array") else None
    predicate = _predicate(operator, storage, zone)
    if isinstance(predicate, Always):
        return Test(Never(), storage, not operator.negated, per_element)
    if isinstance(predicate, Compare) and predicate.op == "=" and isinstance(predicate.literal, bool):
        return Test(Compare("=", predicate.literal != operator.negated), storage, False, per_element)
    return Test(predicate, storage, operator.negated, per_element)


def _predicate(operator: Operator, storage: Storage, zone: ZoneInfo) -> Predicate | Always:
    match operator:
        case TextMatch(key, values):
            return TextAny(_HOW[key], tuple(sorted(set(values))))
        case Regexp(pattern):
            return Matches(pattern)
        case TimeWithin() | TimeRange() | TimeToday() | TimeCalendar() | TimeInBetweenNext():
            return InWindow(window_of(operator, zone))
        case Comparison() | Between() if storage in ("timestamp", "date"):
            return InWindow(window_of(operator, zone))
        case Comparison(key, value):
            return _compare(_OPS[key], _literal(value, storage), storage)
        case Between(low, high):
            return _range(low, high, storage)
        case In(values):
            return _one_of([_compare("=", _literal(value, storage), storage) for value in values])
        case IsNull():
            return IsNullTest()
        case _:
            assert_never(operator)


def _literal(operand: Operand, storage: Storage) -> str | bool | Decimal:
    """The operand as text, truth value or exact decimal; UserError INVALID_VALUE when the storage holds something else."""
    kind = storage.removesuffix("_array")
    if isinstance(operand, bool) and kind == "boolean":
        return operand
    if isinstance(operand, str) and kind == "text":
        return operand
    if isinstance(operand, int | float) and not isinstance(operand, bool) and kind in ("int64", "float64", "decimal"):
        number = Decimal(repr(operand)) if isinstance(operand, float) else Decimal(operand)
        if number.is_finite():
            return number
    raise UserError("INVALID_VALUE", f"{operand!r} cannot be compared with a value of type {kind}")


def _compare(op: Op, literal: str | bool | Decimal, storage: Storage) -> Compare | Never | Always:
    if not isinstance(literal, Decimal):
        return Compare(op, literal)
    if storage.startswith("int64"):
        return _compare_whole(op, literal)
    if storage.startswith("float64"):
        return _compare_float(op, literal)
    return Compare(op, trimmed(literal))


def _compare_whole(op: Op, literal: Decimal) -> Compare | Never | Always:
    """A comparison with int64 values: a bound between two whole numbers moves to the one that is inside."""
    up = op in (">", ">=")
    whole = int(literal.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
    if whole != literal:
        if op == "=":
            return Never()
        op = ">=" if up else "<="
    if INT64_MIN <= whole <= INT64_MAX:
        return Compare(op, whole)
    return Always() if op != "=" and up == (whole < INT64_MIN) else Never()


def _compare_float(op: Op, literal: Decimal) -> Compare | Never | Always:
    """A comparison with float64 values, none of which is infinite."""
    value = float(literal) + 0.0
    if value in (float("inf"), float("-inf")):
        return Always() if op != "=" and (op in (">", ">=")) == (value < 0) else Never()
    return Compare(op, value)


def _range(low: Operand | None, high: Operand | None, storage: Storage) -> Predicate | Always:
    """low <= value <= high as one predicate; a bound that every value meets is left out."""
    first = None if low is None else _compare(">=", _literal(low, storage), storage)
    last = None if high is None else _compare("<=", _literal(high, storage), storage)
    bounds = (first, last)
    if any(isinstance(bound, Never) for bound in bounds):
        return Never()
    lowest, highest = (bound.literal if isinstance(bound, Compare) else None for bound in bounds)
    if lowest is None:
        return Always() if highest is None else Compare("<=", highest)
    if highest is None:
        return Compare(">=", lowest)
    if lowest == highest:
        return Compare("=", lowest)
    return Range(lowest, highest) if _is_before(lowest, highest) else Never()


def _is_before(low: Any, high: Any) -> bool:
    """low < high; both are literals of one storage."""
    return bool(low < high)


def _one_of(equals: list[Compare | Never | Always]) -> Predicate | Always:
    literals: list[Any] = sorted({found.literal for found in equals if isinstance(found, Compare)})
    if not literals:
        return Never()
    if literals == [False, True] and isinstance(literals[0], bool):
        return Always()
    return Compare("=", literals[0]) if len(literals) == 1 else OneOf(tuple(literals))
