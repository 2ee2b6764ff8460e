"""Every test of a time as windows: comparisons, ranges and the calendar words of the rule language.

Times in rules are text (ISO 8601; a bare date is its midnight in the zone), whole unix seconds, or relative to as_of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from kohort.foundation.calendar import Duration
from kohort.foundation.errors import UserError
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, SECOND, Micros, parse_instant
from kohort.foundation.windows import OPEN, Edge, Window
from kohort.rules.ast import (
    Ago,
    Ahead,
    Between,
    Comparison,
    In,
    Operand,
    TimeCalendar,
    TimeInBetweenNext,
    TimeOperator,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)

_OFFSETS = {"TimeThis": 0, "TimeLast": -1, "TimeNext": 1}
AS_OF = Edge("as_of")


def read_instant(operand: Operand, zone: ZoneInfo) -> Micros | None:
    """The absolute instant an operand names, in microseconds; None when it names none (or is relative)."""
    if isinstance(operand, bool) or not isinstance(operand, str | int | Timestamp):
        return None
    if isinstance(operand, str | Timestamp):
        return parse_instant(operand if isinstance(operand, str) else operand.text, zone)
    micros = operand * SECOND
    return micros if MIN_MICROS <= micros <= MAX_MICROS else None


def instant_of(operand: Operand, zone: ZoneInfo) -> Micros:
    """Like `read_instant`, of an operand that was checked: else UserError INVALID_TIMESTAMP."""
    found = read_instant(operand, zone)
    if found is None:
        raise UserError("INVALID_TIMESTAMP", f"{operand!r} is not a time", hint='write it like "2024-01-31" or "2024-01-31T10:00:00Z"')
    return found


def edge_of(operand: Operand, zone: ZoneInfo) -> Edge:
    """The edge at an operand, included."""
    match operand:
        case Ago(duration):
            return _moved(AS_OF, -1, duration)
        case Ahead(duration):
            return _moved(AS_OF, 1, duration)
        case _:
            return Edge("absolute", instant=instant_of(operand, zone))


def _moved(edge: Edge, sign: Literal[1, -1], duration: Duration, *, included: bool = True) -> Edge:
    return replace(edge, included=included, shifts=(*edge.shifts, (sign, duration)))


def window_of(operator: Comparison | Between | TimeOperator, zone: ZoneInfo) -> Window:
    """The window whose times pass the operator, its negation left aside."""
    match operator:
        case Comparison():
            return _comparison(operator, zone)
        case Between(low, high):
            unordered = isinstance(low, Ago) and isinstance(high, Ago)
            return Window(OPEN if low is None else edge_of(low, zone), OPEN if high is None else edge_of(high, zone), unordered)
        case TimeWithin(key, amount, unit):
            duration = Duration.of(amount, unit)
            if key == "TimeWithinPast":
                return Window(_moved(AS_OF, -1, duration, included=False), AS_OF)
            return Window(replace(AS_OF, included=False), _moved(AS_OF, 1, duration))
        case TimeRange():
            return _range(operator)
        case TimeToday(key):
            start = Edge("unit_start", unit="day")
            return Window(start, OPEN if key == "TimeTodayAndBeyond" else Edge("unit_start", False, unit="day", offset=1))
        case TimeCalendar(key, unit):
            start = Edge("unit_start", unit=unit, offset=_OFFSETS[key])
            return Window(start, AS_OF if key == "TimeThis" else replace(start, included=False, offset=start.offset + 1))
        case TimeInBetweenNext(first, last):
            return Window(_moved(AS_OF, 1, first), _moved(AS_OF, 1, last))
        case _:
            assert_never(operator)


def _comparison(operator: Comparison, zone: ZoneInfo) -> Window:
    edge = edge_of(operator.value, zone)
    beyond = replace(edge, included=False)
    match operator.key:
        case "Equal":
            return Window(edge, edge)
        case "Greater":
            return Window(beyond, OPEN)
        case "GreaterEqual":
            return Window(edge, OPEN)
        case "Less":
            return Window(OPEN, beyond)
        case "LessEqual":
            return Window(OPEN, edge)


def _range(operator: TimeRange) -> Window:
    start = _moved(AS_OF, -1, operator.start.duration) if isinstance(operator.start, Ago) else Edge("unit_start", unit=operator.start)
    if operator.duration is None:
        return Window(start, AS_OF)
    if operator.reverse:
        return Window(_moved(start, -1, operator.duration), replace(start, included=False))
    return Window(start, _moved(start, 1, operator.duration, included=False))


def windows_in(operator: In, zone: ZoneInfo) -> tuple[Window, ...]:
    """One window for each distinct instant of `In`, in order of time."""
    instants = sorted({instant_of(value, zone) for value in operator.values})
    return tuple(Window(edge, edge) for edge in (Edge("absolute", instant=instant) for instant in instants))


def gaps(points: tuple[Window, ...]) -> tuple[Window, ...]:
    """The windows before, between and after windows of one instant each: where none of them is."""
    inner = [replace(point.low, included=False) for point in points]
    return tuple(Window(low, high) for low, high in zip([OPEN, *inner], [*inner, OPEN], strict=True))
