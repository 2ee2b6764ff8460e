"""Reading values: literals, dates, lengths of time and the moments they lead to."""

from __future__ import annotations

from kohort.foundation.calendar import UNITS, Duration, Unit
from kohort.rules.ast import Ago, Ahead, Operand, Scalar, Timestamp
from kohort.rules.text.cursor import Cursor

UNIT_WORDS: dict[str, Unit] = {unit: unit for unit in UNITS} | {f"{unit}s": unit for unit in UNITS}
NOW = Ago(Duration.of(0, "second"))


def read_operand(cursor: Cursor) -> Operand:
    """What stands on the right of a comparison: a value, a date, `30 days ago`, `7 days ahead` or `now`."""
    token = cursor.token
    if token.kind == "date":
        return Timestamp(cursor.next().text)
    if token.word in ("timestamp", "date") and cursor.peek(1).kind in ("text", "quoted", "date"):
        cursor.next()
        return Timestamp(cursor.next().text)
    if cursor.accept("now"):
        return NOW
    if token.kind == "number" and cursor.peek(1).word in UNIT_WORDS:
        duration = read_duration(cursor)
        if cursor.accept("ago"):
            return Ago(duration)
        if cursor.accept("ahead") or cursor.accept("from", "now"):
            return Ahead(duration)
        raise cursor.unexpected('"ago" or "ahead" after a length of time', ["ago", "ahead"])
    return read_scalar(cursor)


def read_scalar(cursor: Cursor) -> Scalar:
    """A text, a number, true or false."""
    token = cursor.token
    if token.kind in ("text", "quoted"):
        return cursor.next().text
    if token.kind == "number":
        return cursor.next().number
    if token.word in ("true", "false"):
        return cursor.next().word == "true"
    if token.word == "null":
        raise cursor.unexpected("a value", hint="to test for a missing value write: is null")
    if token.word == "nan":
        cursor.next()
        return float("nan")
    hint = f"texts stand between single quotes: '{token.text}'" if token.kind == "name" else ""
    if token.kind == "date":
        hint = f"here it must be a text: '{token.text}'"
    raise cursor.unexpected("a value", hint=hint)


def read_duration(cursor: Cursor) -> Duration:
    """`30 days`, `1 month 2 days`: whole numbers with units, each unit once."""
    parts: dict[Unit, int] = {}
    while cursor.token.kind == "number" and (not parts or cursor.peek(1).word in UNIT_WORDS):
        start = cursor.token
        amount = cursor.whole_number("a whole number of units")
        if amount < 0:
            raise cursor.error(start, "a length of time cannot be negative")
        unit = read_unit(cursor)
        if unit in parts:
            raise cursor.error(start, f'"{unit}" stands twice in one length of time')
        parts[unit] = amount
    if not parts:
        raise cursor.unexpected("a length of time such as 30 days")
    return Duration.from_mapping(parts)


def read_unit(cursor: Cursor) -> Unit:
    unit = UNIT_WORDS.get(cursor.token.word)
    if unit is None:
        raise cursor.unexpected("a unit of time (year, quarter, month, week, day, hour, minute, second)", UNIT_WORDS)
    cursor.next()
    return unit
