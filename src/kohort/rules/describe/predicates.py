"""What is said of a value: one operator as the predicate of a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from kohort.foundation.calendar import Unit
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
    TextMatch,
    TextMatchKey,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.describe.words import duration_text, join, number_text, past_text, quoted, value_text

_NUMBER: dict[ComparisonKey, str] = {
    "Equal": "",
    "Greater": "over ",
    "GreaterEqual": "at least ",
    "Less": "under ",
    "LessEqual": "at most ",
}
_DATE: dict[ComparisonKey, str] = {
    "Equal": "",
    "Greater": "after ",
    "GreaterEqual": "on or after ",
    "Less": "before ",
    "LessEqual": "on or before ",
}
_MOMENT: dict[ComparisonKey, str] = {
    "Equal": "exactly ",
    "Greater": "after ",
    "GreaterEqual": "no earlier than ",
    "Less": "before ",
    "LessEqual": "no later than ",
}
_ALPHABET: dict[ComparisonKey, str] = {
    "Equal": "",
    "Greater": "in the alphabet after ",
    "GreaterEqual": "in the alphabet from {} on",
    "Less": "in the alphabet before ",
    "LessEqual": "in the alphabet up to ",
}
_TEXT_MATCH: dict[TextMatchKey, tuple[str, str]] = {
    "Contain": ("contains", "does not contain"),
    "StartWith": ("starts with", "does not start with"),
    "EndWith": ("ends with", "does not end with"),
}
_PLURAL = {"is": "are", "contains": "contain", "starts": "start", "ends": "end", "matches": "match", "does": "do"}
_OPEN_LOW: ComparisonKey = "LessEqual"
_OPEN_HIGH: ComparisonKey = "GreaterEqual"


@dataclass(frozen=True, slots=True)
class Predicate:
    """What is said, and its opposite: "is over 5", "is not over 5"."""

    holds: str
    fails: str


def tested(operator: Operator, exclude: bool, is_time: bool) -> str:
    """The predicate with its rule for missing values spelled out wherever it matters."""
    if isinstance(operator, IsNull):
        return "is unknown" if operator.negated == exclude else "is known"
    said = predicate(operator, is_time)
    if exclude:
        return f"{said.holds if operator.negated else said.fails} (or is unknown)"
    return f"is known and {said.fails}" if operator.negated else said.holds


def elements_text(elements: str, operator: Operator, matching: ArrayMatching, is_time: bool) -> str:
    """The same for elements of a list: "at least 2 of whose tags are Gold". `elements` is e.g. "whose tags"."""
    said = _element_predicate(operator, is_time)
    match matching.key:
        case "any":
            return f"at least one of {elements} {said}"
        case "all":
            return f"all of {elements} {in_plural(said)}"
        case "at_least" | "at_most" | "exactly":
            return _counted_elements(elements, said, matching)
        case _:
            assert_never(matching.key)


def _element_predicate(operator: Operator, is_time: bool) -> str:
    if isinstance(operator, IsNull):
        return tested(operator, False, is_time)
    said = predicate(operator, is_time)
    return said.fails if operator.negated else said.holds


def _counted_elements(elements: str, said: str, matching: ArrayMatching) -> str:
    if matching.count == 0 and matching.key != "at_least":
        return f"none of {elements} {said}"
    words = matching.key.replace("_", " ")
    if matching.count == 1:
        return f"{words} one of {elements} {said}"
    return f"{words} {number_text(matching.count)} of {elements} {in_plural(said)}"


def in_plural(said: str) -> str:
    """
    >>> in_plural("is not over 5"), in_plural("does not contain “x”")
    ('are not over 5', 'do not contain “x”')
    """
    verb, _, rest = said.partition(" ")
    return f"{_PLURAL.get(verb, verb)} {rest}"


def when_text(operator: Operator) -> str:
    """When something happened, for an operator on its time: "in the past 30 days"; "" when it cannot be said so."""
    if operator.negated or isinstance(operator, IsNull | TextMatch | Regexp | In):
        return ""
    return predicate(operator, is_time=True).holds.removeprefix("is ")


def predicate(operator: Operator, is_time: bool) -> Predicate:
    """An operator as a predicate, its own negation aside."""
    match operator:
        case Comparison(key, value):
            return _is(_compared(key, value, is_time))
        case Between(low, high):
            return _is(_between(low, high, is_time))
        case In(values) if len(values) == 1:
            return _is(value_text(values[0]))
        case In(values):
            listed = ", ".join(value_text(value) for value in values)
            return Predicate(f"is one of {listed}", f"is none of {listed}")
        case TextMatch(key, values):
            texts = join([quoted(value) for value in values], "or")
            holds, fails = _TEXT_MATCH[key]
            return Predicate(f"{holds} {texts}", f"{fails} {texts}")
        case Regexp(pattern):
            return Predicate(f"matches the pattern {quoted(pattern)}", f"does not match the pattern {quoted(pattern)}")
        case IsNull():
            return Predicate("is unknown", "is known")
        case TimeWithin() | TimeRange() | TimeToday() | TimeCalendar() | TimeInBetweenNext():
            return _is(_window(operator))
        case _:
            assert_never(operator)


def _is(words: str) -> Predicate:
    return Predicate(f"is {words}", f"is not {words}")


def _compared(key: ComparisonKey, value: Operand, is_time: bool) -> str:
    if isinstance(value, Timestamp) or (is_time and isinstance(value, str)):
        text = " ".join((value.text if isinstance(value, Timestamp) else value).split())
        return (_DATE if len(text) == 10 else _MOMENT)[key] + (text or "empty text")
    if isinstance(value, Ago | Ahead):
        return _MOMENT[key] + value_text(value)
    if isinstance(value, str):
        words = _ALPHABET[key]
        return words.format(value_text(value)) if "{}" in words else words + value_text(value)
    return _NUMBER[key] + value_text(value)


def _between(low: Operand | None, high: Operand | None, is_time: bool) -> str:
    if low is None:
        return "anything" if high is None else _compared(_OPEN_LOW, high, is_time)
    if high is None:
        return _compared(_OPEN_HIGH, low, is_time)
    return f"between {value_text(low)} and {value_text(high)}"


def _window(operator: TimeWithin | TimeRange | TimeToday | TimeCalendar | TimeInBetweenNext) -> str:
    match operator:
        case TimeWithin(key, amount, unit):
            return f"in the {'past' if key == 'TimeWithinPast' else 'next'} {past_text(amount, unit)}"
        case TimeCalendar(key, unit):
            return _calendar(key, unit)
        case TimeToday(key):
            return "today" if key == "TimeToday" else "today or later"
        case TimeInBetweenNext(low, high):
            return f"between {duration_text(low)} and {duration_text(high)} from now"
        case TimeRange():
            return _range(operator)
        case _:
            assert_never(operator)


def _calendar(key: str, unit: Unit) -> str:
    if unit == "day":
        return {"TimeThis": "today so far", "TimeLast": "yesterday", "TimeNext": "tomorrow"}[key]
    if key == "TimeThis":
        return f"this {unit}"
    return f"in the {'previous' if key == 'TimeLast' else 'next'} calendar {unit}"


def _range(operator: TimeRange) -> str:
    start = value_text(operator.start) if isinstance(operator.start, Ago) else f"the start of this {operator.start}"
    if operator.duration is None:
        if isinstance(operator.start, Ago) or operator.reverse:
            return f"before {start}" if operator.reverse else f"no earlier than {start}"
        return _calendar("TimeThis", operator.start)
    side = "before" if operator.reverse else "starting" if isinstance(operator.start, Ago) else "from"
    return f"in the {duration_text(operator.duration)} {side} {start}"
