"""The normal form of operators, operands and durations (see `rules.normalize`)."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from kohort.foundation.calendar import FIXED_MICROS, Duration, Unit
from kohort.rules.ast import (
    Ago,
    Ahead,
    Between,
    Comparison,
    ComparisonKey,
    In,
    IsNull,
    Operand,
    Operator,
    Regexp,
    Scalar,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
    operand_key,
)

_OPPOSITE: dict[ComparisonKey, ComparisonKey] = {
    "Greater": "LessEqual",
    "LessEqual": "Greater",
    "GreaterEqual": "Less",
    "Less": "GreaterEqual",
}


def normal_operator(operator: Operator) -> Operator:
    """The normal form of an operator: the same values pass, null stays false."""
    match operator:
        case Comparison():
            return _comparison(operator)
        case Between():
            return _between(operator)
        case In():
            values = _distinct(operator.values)
            return Comparison("Equal", values[0], operator.negated) if len(values) == 1 else In(values, operator.negated)
        case TextMatch():
            return replace(operator, values=tuple(sorted(set(operator.values))))
        case TimeWithin():
            unit, amount = normal_duration(Duration.of(operator.amount, operator.unit)).parts[0]
            return replace(operator, amount=amount, unit=unit)
        case TimeRange():
            return _time_range(operator)
        case TimeInBetweenNext():
            return _between(Between(Ahead(operator.low), Ahead(operator.high), operator.negated))
        case Regexp() | IsNull() | TimeToday() | TimeCalendar():
            return operator
        case _:
            assert_never(operator)


def _comparison(operator: Comparison) -> Comparison:
    """Orders are total on what is not null: not greater is less or equal."""
    value = normal_operand(operator.value)
    if operator.negated and operator.key in _OPPOSITE:
        return Comparison(_OPPOSITE[operator.key], value)
    return replace(operator, value=value)


def _between(operator: Between) -> Operator:
    low = None if operator.low is None else normal_operand(operator.low)
    high = None if operator.high is None else normal_operand(operator.high)
    match (low, high):
        case (None, None):
            return Between(None, None, operator.negated)
        case (None, bound) if bound is not None:
            return _comparison(Comparison("LessEqual", bound, operator.negated))
        case (bound, None) if bound is not None:
            return _comparison(Comparison("GreaterEqual", bound, operator.negated))
        case (Ago(first), Ago(second)) if _length(first) < _length(second):
            low, high = high, low
    if low is not None and operand_key(low) == operand_key(high):
        return Comparison("Equal", low, operator.negated)
    if isinstance(low, Ahead) and isinstance(high, Ahead):
        return TimeInBetweenNext(low.duration, high.duration, operator.negated)
    return Between(low, high, operator.negated)


def _length(duration: Duration) -> tuple[int, int]:
    return duration.months, duration.fixed_micros


def _time_range(operator: TimeRange) -> Operator:
    duration = None if operator.duration is None else normal_duration(operator.duration)
    if isinstance(operator.start, Ago):
        return replace(operator, duration=duration, start=Ago(normal_duration(operator.start.duration)))
    if duration is None:
        return TimeCalendar("TimeThis", operator.start, operator.negated)
    return replace(operator, duration=duration)


# --- operands ---------------------------------------------------------------------------------------------------


def normal_operand(operand: Operand) -> Operand:
    """A number in one way of writing it; a duration in its largest units."""
    match operand:
        case Ago(duration):
            return Ago(normal_duration(duration))
        case Ahead(duration):
            return Ahead(normal_duration(duration))
        case Timestamp(text):
            return Timestamp(text.strip())
        case bool() | str():
            return operand
        case int() | float():
            return normal_number(operand)
        case _:
            assert_never(operand)


def normal_number(value: int | float) -> int | float:
    """A whole number is an int: 5.0 is 5.

    >>> normal_number(5.0), normal_number(2.5)
    (5, 2.5)
    """
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(Decimal(repr(value)))
    return value


def _distinct(values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    found = {operand_key(value): value for value in map(_scalar, values)}
    return tuple(sorted(found.values(), key=_order))


def _scalar(value: Scalar) -> Scalar:
    return value if isinstance(value, bool | str) else normal_number(value)


def _order(value: Scalar) -> tuple[int, Decimal, str]:
    if isinstance(value, bool):
        return (0, Decimal(value), "")
    if isinstance(value, str):
        return (2, Decimal(0), value)
    if isinstance(value, float) and math.isnan(value):
        return (1, Decimal("Infinity"), "nan")
    return (1, Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "")


def normal_duration(duration: Duration) -> Duration:
    """The same length in its largest units: a calendar part in years or months, a fixed part in one unit.

    >>> normal_duration(Duration((("quarter", 4), ("day", 1), ("hour", 24)))).parts
    (('year', 1), ('day', 2))
    """
    parts: list[tuple[Unit, int]] = []
    if duration.months:
        years, rest = divmod(duration.months, 12)
        parts.append(("month", duration.months) if rest else ("year", years))
    if duration.fixed_micros or not parts:
        parts.append(_fixed_part(duration.fixed_micros))
    return Duration(tuple(parts))


def _fixed_part(micros: int) -> tuple[Unit, int]:
    units: tuple[Unit, ...] = ("week", "day", "hour", "minute")
    unit: Unit = next((unit for unit in units if micros and micros % FIXED_MICROS[unit] == 0), "second")
    return unit, micros // FIXED_MICROS[unit]
