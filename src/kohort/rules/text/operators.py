"""Reading the right-hand side of a condition: values, durations, operators and time phrases."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kohort.foundation.calendar import UNITS, Duration, Unit
from kohort.rules.ast import (
    Ago,
    Ahead,
    ArrayMatching,
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
    TextMatchKey,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.text.cursor import Cursor

UNIT_WORDS: dict[str, Unit] = {unit: unit for unit in UNITS} | {f"{unit}s": unit for unit in UNITS}
NOW = Ago(Duration.of(0, "second"))
COMPARISONS: dict[str, tuple[ComparisonKey, bool]] = {
    "=": ("Equal", False),
    "==": ("Equal", False),
    "!=": ("Equal", True),
    "<>": ("Equal", True),
    ">": ("Greater", False),
    ">=": ("GreaterEqual", False),
    "<": ("Less", False),
    "<=": ("LessEqual", False),
}
EQUAL_WORDS = ("equals", "equal")
TEXT_MATCH_WORDS: dict[str, TextMatchKey] = {
    "contains": "Contain",
    "contain": "Contain",
    "starts": "StartWith",
    "start": "StartWith",
    "begins": "StartWith",
    "begin": "StartWith",
    "ends": "EndWith",
    "end": "EndWith",
}
MATCH_WORDS = ("matches", "match")
MORE_WORDS: dict[str, ComparisonKey] = {"more": "Greater", "less": "Less", "fewer": "Less"}
LEAST_WORDS: dict[str, ComparisonKey] = {"least": "GreaterEqual", "most": "LessEqual"}
BOUND_WORDS: dict[str, ComparisonKey] = {"since": "GreaterEqual", "after": "Greater", "until": "LessEqual", "before": "Less"}
CALENDAR_WORDS: dict[str, Literal["TimeThis", "TimeLast", "TimeNext"]] = {"this": "TimeThis", "last": "TimeLast", "next": "TimeNext"}
OPERATOR_WORDS = (
    "=",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
    "between",
    "in",
    "contains",
    "starts",
    "ends",
    "matches",
    "is",
    "not",
    "within",
    "at",
    "exactly",
)

# --- values -----------------------------------------------------------------------------------------------------


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


def _amount_and_unit(cursor: Cursor) -> tuple[int, Unit]:
    start = cursor.token
    parts = read_duration(cursor).parts
    if len(parts) != 1:
        raise cursor.error(start, "expected one number and one unit here", "for a mixed length write: >= 1 day 2 hours ago")
    unit, amount = parts[0]
    if amount < 1:
        raise cursor.error(start, "the number of units must be at least 1")
    return amount, unit


def _scalars(cursor: Cursor) -> tuple[Scalar, ...]:
    cursor.expect("(", " before a list of values")
    values = [read_scalar(cursor)]
    while cursor.accept(","):
        values.append(read_scalar(cursor))
    cursor.expect(")", " after a list of values")
    return tuple(values)


def _texts(cursor: Cursor) -> tuple[str, ...]:
    cursor.accept("any")
    if not cursor.accept("("):
        return (cursor.text_value("a text between single quotes"),)
    values = [cursor.text_value("a text between single quotes")]
    while cursor.accept(","):
        values.append(cursor.text_value("a text between single quotes"))
    cursor.expect(")", " after a list of texts")
    return tuple(values)


# --- operators --------------------------------------------------------------------------------------------------


def at_operator(cursor: Cursor, ahead: int = 0) -> bool:
    """True when an operator (not a time phrase) begins here."""
    word = cursor.peek(ahead).word
    following = cursor.peek(ahead + 1).word
    if word in ("not", "does", "do"):
        return at_operator(cursor, ahead + 1)
    if word == "in":
        return following == "(" or (following == "any" and cursor.at("(", ahead=ahead + 2))
    if word == "at":
        return following in LEAST_WORDS
    if word in MORE_WORDS:
        return following == "than"
    known = word in COMPARISONS or word in EQUAL_WORDS or word in TEXT_MATCH_WORDS or word in MATCH_WORDS
    return known or word in ("between", "is", "within", "exactly", "like")


def read_array_matching(cursor: Cursor) -> ArrayMatching | None:
    """`any`, `all` (or `only`), `at least 2`, `at most 2`, `exactly 2`, when an operator follows."""
    if cursor.at_any(("any", "all", "only")) and at_operator(cursor, 1):
        return ArrayMatching("any" if cursor.next().word == "any" else "all")
    if cursor.at("at") and cursor.at_any(LEAST_WORDS, ahead=1) and _counts_elements(cursor, 2):
        cursor.next()
        key: Literal["at_least", "at_most"] = "at_least" if cursor.next().word == "least" else "at_most"
        return ArrayMatching(key, cursor.whole_number("a whole number of matches"))
    if cursor.at("exactly") and _counts_elements(cursor, 1):
        cursor.next()
        return ArrayMatching("exactly", cursor.whole_number("a whole number of matches"))
    return None


def _counts_elements(cursor: Cursor, ahead: int) -> bool:
    return cursor.peek(ahead).kind == "number" and at_operator(cursor, ahead + 1)


def read_operator(cursor: Cursor) -> Operator:
    """Any operator with its values, `not` before it included."""
    if cursor.at_any(("does", "do")) and cursor.at("not", ahead=1):
        cursor.next()
    start = cursor.token
    negated = cursor.accept("not")
    operator = _plain_operator(cursor)
    if negated and operator.negated:
        raise cursor.error(start, '"not" stands twice before one operator', 'put "not" before the whole condition instead')
    return replace(operator, negated=True) if negated else operator


def _plain_operator(cursor: Cursor) -> Operator:
    word = cursor.token.word
    if word in COMPARISONS:
        cursor.next()
        key, negated = COMPARISONS[word]
        return Comparison(key, read_operand(cursor), negated)
    if word in EQUAL_WORDS:
        cursor.next()
        cursor.accept("to")
        return Comparison("Equal", read_operand(cursor))
    if word in TEXT_MATCH_WORDS:
        return _text_match(cursor)
    if word in MATCH_WORDS:
        cursor.next()
        return Regexp(cursor.text_value("a pattern between single quotes"))
    if word == "in":
        cursor.next()
        cursor.accept("any")
        return In(_scalars(cursor))
    if word == "between":
        return _between(cursor)
    if word == "is":
        return _is(cursor)
    if word == "within":
        cursor.next()
        return read_window(cursor)
    return _wordy_comparison(cursor)


def _wordy_comparison(cursor: Cursor) -> Operator:
    if cursor.accept("exactly"):
        return Comparison("Equal", read_operand(cursor))
    if cursor.accept("at"):
        if not cursor.at_any(LEAST_WORDS):
            raise cursor.unexpected('"least" or "most"', LEAST_WORDS)
        return Comparison(LEAST_WORDS[cursor.next().word], read_operand(cursor))
    if cursor.at_any(MORE_WORDS) and cursor.at("than", ahead=1):
        key = MORE_WORDS[cursor.next().word]
        cursor.next()
        return Comparison(key, read_operand(cursor))
    if cursor.at("like"):
        raise cursor.unexpected("an operator", hint="write contains '...', starts with '...', ends with '...' or matches '...'")
    raise cursor.unexpected(
        "an operator (=, !=, >, >=, <, <=, between, in, contains, starts with, ends with, matches, is, within)", OPERATOR_WORDS
    )


def _text_match(cursor: Cursor) -> Operator:
    key = TEXT_MATCH_WORDS[cursor.next().word]
    if key != "Contain":
        cursor.expect("with")
    return TextMatch(key, _texts(cursor))


def _between(cursor: Cursor) -> Operator:
    start = cursor.next()
    low = None if cursor.accept("*") else read_operand(cursor)
    cursor.expect("and", " between the two bounds")
    high = None if cursor.accept("*") else read_operand(cursor)
    if low is None and high is None:
        raise cursor.error(start, "between needs at least one bound", "write between 1 and *, or between * and 5")
    return Between(low, high)


def _is(cursor: Cursor) -> Operator:
    cursor.next()
    negated = cursor.accept("not")
    if cursor.accept("null"):
        return IsNull(negated)
    if cursor.at_any(("in", "between", "within")):
        operator = _plain_operator(cursor)
        return replace(operator, negated=negated)
    return Comparison("Equal", read_operand(cursor), negated)


# --- time windows -----------------------------------------------------------------------------------------------


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
