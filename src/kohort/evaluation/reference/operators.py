"""Operators on one value: what passes, and what null does."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, assert_never
from zoneinfo import ZoneInfo

import re2

from kohort.evaluation.reference.data import Value
from kohort.evaluation.reference.windows import in_window, instant_of, midnight, moment
from kohort.rules.ast import (
    Ago,
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

ELEMENT = {"text_array": "text", "int64_array": "int64", "float64_array": "float64"}


class Operators:
    """Operators at one `as_of` in one zone."""

    def __init__(self, as_of: datetime, zone: ZoneInfo) -> None:
        self.as_of = as_of
        self.zone = zone

    def passes(self, operator: Operator, value: Any, storage: str, matching: ArrayMatching | None = None) -> bool:
        """Whether a value passes. Only IsNull sees null: every other operator, negated or not, is false on it."""
        if isinstance(operator, IsNull):
            return (value is None) != operator.negated
        if value is None:
            return False
        if storage in ELEMENT:
            return self._array_passes(operator, value, ELEMENT[storage], matching or ArrayMatching("any"))
        return self._test(operator, value, storage) != operator.negated

    def _array_passes(self, operator: Operator, values: tuple[Value, ...], element: str, matching: ArrayMatching) -> bool:
        passed = sum(self.passes(operator, value, element) for value in values)
        match matching.key:
            case "any":
                return passed >= 1
            case "all":
                return passed == len(values)
            case "at_least":
                return passed >= matching.count
            case "at_most":
                return passed <= matching.count
            case "exactly":
                return passed == matching.count
            case _:
                assert_never(matching.key)

    def _test(self, operator: Operator, value: Any, storage: str) -> bool:
        match operator:
            case Comparison(key, operand):
                left, right = self.comparable(value, storage), self.literal(operand, storage)
                return bool(
                    {
                        "Equal": left == right,
                        "Greater": left > right,
                        "GreaterEqual": left >= right,
                        "Less": left < right,
                        "LessEqual": left <= right,
                    }[key]
                )
            case Between(low, high):
                return self._between(low, high, value, storage)
            case In(values):
                return any(self.comparable(value, storage) == self.literal(one, storage) for one in values)
            case TextMatch("Contain", values):
                return any(part in value for part in values)
            case TextMatch("StartWith", values):
                return any(value.startswith(part) for part in values)
            case TextMatch("EndWith", values):
                return any(value.endswith(part) for part in values)
            case Regexp(pattern):
                return re2.search(pattern, value) is not None
            case TimeWithin() | TimeRange() | TimeToday() | TimeCalendar() | TimeInBetweenNext():
                return in_window(operator, self.comparable(value, storage), self.as_of, self.zone)
            case _:
                raise AssertionError(operator)

    def _between(self, low: Operand | None, high: Operand | None, value: Any, storage: str) -> bool:
        left = self.comparable(value, storage)
        bottom: Any = None if low is None else self.literal(low, storage)
        top: Any = None if high is None else self.literal(high, storage)
        if isinstance(low, Ago) and isinstance(high, Ago):
            bottom, top = min(bottom, top), max(bottom, top)
        return (bottom is None or bottom <= left) and (top is None or left <= top)

    def comparable(self, value: Any, storage: str) -> Any:
        """A value in the form in which it is compared and ordered: exact numbers, instants, text by code point."""
        match storage:
            case "timestamp":
                return moment(value)
            case "date":
                assert isinstance(value, date)
                return midnight(value, self.zone)
            case "int64" | "decimal" | "exact":
                return Fraction(value)
            case _:
                return value

    def literal(self, operand: Operand, storage: str) -> Any:
        """An operand as a value of the field's type. Numbers are decimal as written; against float64 the nearest float64."""
        if storage in ("timestamp", "date"):
            return instant_of(operand, self.as_of, self.zone)
        if isinstance(operand, bool) != (storage == "boolean") or isinstance(operand, str) != (storage == "text"):
            raise ValueError(f"{operand!r} is not a {storage}")
        if isinstance(operand, bool | str):
            return operand
        if not isinstance(operand, int | float):
            raise ValueError(f"{operand!r} is not a {storage}")
        written = Decimal(repr(operand))
        return float(written) if storage == "float64" else Fraction(written)
