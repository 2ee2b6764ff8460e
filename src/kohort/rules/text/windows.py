"""Reading time: the windows after `within` and the time phrases of behaviors."""

from __future__ import annotations

from typing import Literal

from kohort.foundation.calendar import Duration, Unit
from kohort.rules.ast import (
    Ago,
    Between,
    Comparison,
    ComparisonKey,
    Operator,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.text.cursor import Cursor
from kohort.rules.text.values import UNIT_WORDS, read_duration, read_operand, read_unit

BOUND_WORDS: dict[str, ComparisonKey] = {"since": "GreaterEqual", "after": "Greater", "until": "LessEqual", "before": "Less"}
CALENDAR_WORDS: dict[str, Literal["TimeThis", "TimeLast", "TimeNext"]] = {"this": "TimeThis", "last": "TimeLast", "next": "TimeNext"}


def read_window(cursor: Cursor) -> Operator:
    """The words after `within`."""
    cursor.accept("the")
    word = cursor.token.word
    if word in ("from", "back", "start", "current") or cursor.token.kind == "number":
        return _range(cursor)
    if word == "today":
        return _today(cursor)
    if word in ("past", "last", "next", "this"):
        return _past_next_this(cursor)
    raise cursor.unexpected(
        "a time window such as past 30 days, next 7 days, this month, last month, today or 7 days from 1 month ago",
        ("past", "next", "this", "last", "today"),
    )


def _today(cursor: Cursor) -> Operator:
    cursor.next()
    return TimeToday("TimeTodayAndBeyond") if cursor.accept("and", "beyond") else TimeToday()


def _past_next_this(cursor: Cursor) -> Operator:
    word = cursor.next().word
    if word == "past" and cursor.token.kind != "number":
        raise cursor.unexpected(
            "a number of units after past", hint="write past 1 month for the month up to now, last month for the calendar month before"
        )
    if word == "this" or cursor.token.kind != "number":
        return TimeCalendar(CALENDAR_WORDS[word], read_unit(cursor))
    if word == "next":
        return _next_window(cursor)
    if (bounds := _two_durations(cursor)) is not None:
        near, far = bounds
        return Between(Ago(far), Ago(near))
    amount, unit = _amount_and_unit(cursor)
    return TimeWithin("TimeWithinPast", amount, unit)


def _next_window(cursor: Cursor) -> Operator:
    if (bounds := _two_durations(cursor)) is not None:
        return TimeInBetweenNext(*bounds)
    amount, unit = _amount_and_unit(cursor)
    return TimeWithin("TimeWithinNext", amount, unit)


def _two_durations(cursor: Cursor) -> tuple[Duration, Duration] | None:
    """`1 day to 7 days` or `1 to 7 days`; None (and nothing taken) when no `to` follows."""
    start = cursor.position
    if cursor.at("to", ahead=1):
        low_amount = cursor.whole_number("a whole number")
        cursor.next()
        high = read_duration(cursor)
        if low_amount < 0 or len(high.parts) != 1:
            raise cursor.error(cursor.tokens[start], "expected lengths of time such as 1 day to 7 days")
        return Duration.of(low_amount, high.parts[0][0]), high
    low = read_duration(cursor)
    if cursor.accept("to"):
        return low, read_duration(cursor)
    cursor.position = start
    return None


def _range(cursor: Cursor) -> Operator:
    if cursor.accept("current"):
        return TimeRange(None, read_unit(cursor))
    if cursor.accept("start", "of"):
        return TimeRange(None, read_unit(cursor))
    duration = read_duration(cursor) if cursor.token.kind == "number" else None
    reverse = cursor.accept("back")
    cursor.expect("from", " and the start of the window")
    if cursor.accept("start", "of"):
        return TimeRange(duration, read_unit(cursor), reverse)
    token = cursor.token
    start = read_operand(cursor)
    if not isinstance(start, Ago):
        raise cursor.error(
            token, "the window must start some time ago or at the start of a unit", "write from 1 month ago, or from start of month"
        )
    return TimeRange(duration, start, reverse)


def at_phrase(cursor: Cursor, ahead: int = 0) -> bool:
    """True when a time phrase of a behavior begins here: `in last 30 days`, `this month`, `today`, `since 2024-01-01`."""
    if cursor.at("in", ahead=ahead):
        ahead += 2 if cursor.at("the", ahead=ahead + 1) else 1
        return cursor.at_any(("last", "past", "next", "this", "current"), ahead=ahead)
    following = cursor.peek(ahead + 1)
    if cursor.at_any(("last", "past", "next", "this"), ahead=ahead):
        return following.kind == "number" or following.word in UNIT_WORDS
    return cursor.at("today", ahead=ahead) or cursor.at_any(BOUND_WORDS, ahead=ahead)


def read_phrase(cursor: Cursor) -> Operator:
    """A time phrase, as the operator it puts on the event's time."""
    if cursor.at_any(BOUND_WORDS):
        key = BOUND_WORDS[cursor.next().word]
        if cursor.token.kind in ("text", "quoted"):
            return Comparison(key, Timestamp(cursor.next().text))
        return Comparison(key, read_operand(cursor))
    cursor.accept("in")
    return read_window(cursor)


def _amount_and_unit(cursor: Cursor) -> tuple[int, Unit]:
    start = cursor.token
    parts = read_duration(cursor).parts
    if len(parts) != 1:
        raise cursor.error(start, "expected one number and one unit here", "for a mixed length write: >= 1 day 2 hours ago")
    unit, amount = parts[0]
    if amount < 1:
        raise cursor.error(start, "the number of units must be at least 1")
    return amount, unit
