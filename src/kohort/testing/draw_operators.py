"""Random operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from kohort.foundation.calendar import UNITS, Unit
from kohort.foundation.instants import format_instant
from kohort.rules.ast import (
    Ago,
    Ahead,
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
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.testing.draw_values import AMOUNTS, DURATIONS, NUMBERS, PATTERNS, TEXTS, ValueDraws


class OperatorDraws(ValueDraws):
    """Draws operators that fit the type of a field."""

    def operator(self, storage: str) -> Operator:
        """An operator that fits values of a storage (of an array: its elements, or the array itself)."""
        negated = self.chance(25)
        if self.chance(8):
            return IsNull(negated)
        match storage.removesuffix("_array"):
            case "text":
                return self._text_operator(negated, storage)
            case "boolean":
                return Comparison("Equal", self.one(True, False), negated)
            case "timestamp" | "date":
                return self._time_operator(negated)
            case _:
                return self.ordered(lambda: self.one(*NUMBERS), negated)

    def ordered(self, literal: Callable[[], Any], negated: bool) -> Operator:
        match self.one("compare", "compare", "between", "in"):
            case "compare":
                return Comparison(self.one("Equal", "Greater", "GreaterEqual", "Less", "LessEqual"), literal(), negated)
            case "between":
                low, high = self.one((True, True), (True, True), (True, False), (False, True))
                return Between(literal() if low else None, literal() if high else None, negated)
            case _:
                return In(self.some(literal, 1, 3), negated)

    def _text_operator(self, negated: bool, storage: str) -> Operator:
        match self.one("ordered", "ordered", "match", "regexp"):
            case "match":
                return TextMatch(self.one("Contain", "StartWith", "EndWith"), self.some(lambda: self.one(*TEXTS), 1, 2), negated)
            case "regexp" if storage == "text":
                return Regexp(self.one(*PATTERNS), negated)
            case _ if storage == "text_array":
                value = self.one(*TEXTS)
                return Comparison("Equal", value, negated) if self.chance(50) else In((value, self.one(*TEXTS)), negated)
            case _:
                return self.ordered(lambda: self.one(*TEXTS), negated)

    def moment(self) -> Operand:
        """An operand of a time field."""
        match self.one("timestamp", "timestamp", "day", "ago", "ahead", "text", "seconds"):
            case "timestamp":
                return Timestamp(format_instant(self.time()))
            case "day":
                return Timestamp(self.day().isoformat())
            case "ago":
                return Ago(self.one(*DURATIONS))
            case "ahead":
                return Ahead(self.one(*DURATIONS))
            case "text":
                return self.day().isoformat()
            case _:
                return self.time() // 1_000_000

    def _time_operator(self, negated: bool) -> Operator:
        unit = self.one(*UNITS)
        match self.one("compare", "between", "in", "within", "within", "range", "today", "calendar", "next"):
            case "compare":
                return Comparison(self.one("Equal", "Greater", "GreaterEqual", "Less", "LessEqual"), self.moment(), negated)
            case "between":
                low, high = self.one((True, True), (True, True), (True, False), (False, True))
                return Between(self.moment() if low else None, self.moment() if high else None, negated)
            case "in":
                return In(self.some(lambda: self.one(format_instant(self.time()), self.day().isoformat()), 1, 2), negated)
            case "within":
                amount = self.one(*AMOUNTS)
                return TimeWithin(self.one("TimeWithinPast", "TimeWithinPast", "TimeWithinNext"), *amount, negated)
            case "range":
                return self._range(unit, negated)
            case "today":
                return TimeToday(self.one("TimeToday", "TimeTodayAndBeyond"), negated)
            case "calendar":
                return TimeCalendar(self.one("TimeThis", "TimeLast", "TimeNext"), unit, negated)
            case _:
                return TimeInBetweenNext(self.one(*DURATIONS), self.one(*DURATIONS), negated)

    def _range(self, unit: Unit, negated: bool) -> Operator:
        start = self.one(Ago(self.one(*DURATIONS)), unit)
        if not isinstance(start, Ago) and self.chance(50):
            return TimeRange(None, start, False, negated)
        return TimeRange(self.one(*DURATIONS), start, self.chance(30), negated)

    def matching(self, storage: str) -> ArrayMatching | None:
        if not storage.endswith("_array"):
            return None
        key: Literal["any", "all", "at_least", "at_most", "exactly"] = self.one("any", "all", "at_least", "at_most", "exactly")
        return self.one(None, ArrayMatching(key, self.one(0, 1, 2) if key in ("at_least", "at_most", "exactly") else 0))
