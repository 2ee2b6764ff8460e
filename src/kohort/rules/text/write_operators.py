"""Writing the right-hand side of a condition: the exact inverse of `operators`."""

from __future__ import annotations

import math
from typing import assert_never

from kohort.foundation.calendar import Duration, Unit
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
from kohort.rules.text.tokens import quote_text
from kohort.rules.text.values import NOW

_SIGN: dict[ComparisonKey, str] = {"Equal": "=", "Greater": ">", "GreaterEqual": ">=", "Less": "<", "LessEqual": "<="}
_BOUND: dict[ComparisonKey, str] = {"Equal": "", "Greater": "after", "GreaterEqual": "since", "Less": "before", "LessEqual": "until"}
_TEXT_MATCH: dict[TextMatchKey, str] = {"Contain": "contains", "StartWith": "starts with", "EndWith": "ends with"}
_CALENDAR = {"TimeThis": "this", "TimeLast": "last", "TimeNext": "next"}
_MATCHING = {"any": "any", "all": "all", "at_least": "at least", "at_most": "at most", "exactly": "exactly"}


def scalar_text(value: Scalar) -> str:
    """A literal that reads back with its type: 1, 1.0, true and 'text' differ.

    >>> [scalar_text(value) for value in (1, 1.0, True, "it's", float("inf"))]
    ['1', '1.0', 'true', "'it''s'", '1e999']
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote_text(value)
        case float() if math.isinf(value):
            return "1e999" if value > 0 else "-1e999"
        case _:
            return repr(value)


def amount_text(amount: int, unit: Unit) -> str:
    return f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"


def duration_text(duration: Duration) -> str:
    """
    >>> duration_text(Duration((("month", 1), ("day", 2))))
    '1 month 2 days'
    """
    return " ".join(amount_text(amount, unit) for unit, amount in duration.parts)


def operand_text(operand: Operand) -> str:
    match operand:
        case Timestamp(text):
            return f"timestamp {quote_text(text)}"
        case Ago(duration):
            return "now" if operand == NOW else f"{duration_text(duration)} ago"
        case Ahead(duration):
            return f"{duration_text(duration)} ahead"
        case _:
            return scalar_text(operand)


def matching_text(matching: ArrayMatching | None) -> str:
    """The words before an operator on an array, with a blank after them."""
    if matching is None:
        return ""
    words = _MATCHING[matching.key]
    return f"{words} " if matching.key in ("any", "all") else f"{words} {matching.count} "


def operator_text(operator: Operator) -> str:
    """
    >>> operator_text(In(("US", "CA"), negated=True))
    "not in ('US', 'CA')"
    """
    if isinstance(operator, Comparison) and operator.key == "Equal":
        return f"{'!=' if operator.negated else '='} {operand_text(operator.value)}"
    if isinstance(operator, IsNull):
        return "is not null" if operator.negated else "is null"
    return f"not {_plain(operator)}" if operator.negated else _plain(operator)


def _plain(operator: Operator) -> str:
    match operator:
        case Comparison(key, value):
            return f"{_SIGN[key]} {operand_text(value)}"
        case Between(low, high):
            return f"between {_bound(low)} and {_bound(high)}"
        case In(values):
            return f"in ({', '.join(scalar_text(value) for value in values)})"
        case TextMatch(key, values):
            one = len(values) == 1
            texts = ", ".join(quote_text(value) for value in values)
            return f"{_TEXT_MATCH[key]} {texts}" if one else f"{_TEXT_MATCH[key]} any ({texts})"
        case Regexp(pattern):
            return f"matches {quote_text(pattern)}"
        case IsNull():
            return "is null"
        case TimeWithin() | TimeRange() | TimeToday() | TimeCalendar() | TimeInBetweenNext():
            return f"within {window_text(operator)}"
        case _:
            assert_never(operator)


def _bound(bound: Operand | None) -> str:
    return "*" if bound is None else operand_text(bound)


def window_text(operator: TimeWithin | TimeRange | TimeToday | TimeCalendar | TimeInBetweenNext) -> str:
    """What stands after `within`."""
    match operator:
        case TimeWithin(key, amount, unit):
            return f"{'past' if key == 'TimeWithinPast' else 'next'} {amount_text(amount, unit)}"
        case TimeCalendar(key, unit):
            return f"{_CALENDAR[key]} {unit}"
        case TimeToday(key):
            return "today" if key == "TimeToday" else "today and beyond"
        case TimeInBetweenNext(low, high):
            return f"next {duration_text(low)} to {duration_text(high)}"
        case TimeRange():
            return _range_text(operator)
        case _:
            assert_never(operator)


def _range_text(operator: TimeRange) -> str:
    unit_start = not isinstance(operator.start, Ago)
    if operator.duration is None and unit_start and not operator.reverse:
        return f"current {operator.start}"
    length = "" if operator.duration is None else f"{duration_text(operator.duration)} "
    start = operand_text(operator.start) if isinstance(operator.start, Ago) else f"start of {operator.start}"
    return f"{length}{'back ' if operator.reverse else ''}from {start}"


def phrase_text(operator: Operator) -> str:
    """The time phrase of a behavior for an operator on its time; "" when it has none."""
    if operator.negated:
        return ""
    match operator:
        case TimeWithin("TimeWithinPast", amount, unit):
            return f"in last {amount_text(amount, unit)}"
        case TimeWithin(_, amount, unit):
            return f"in next {amount_text(amount, unit)}"
        case TimeCalendar() | TimeToday():
            return window_text(operator)
        case Comparison(key, Timestamp(text)) if key != "Equal":
            return f"{_BOUND[key]} {quote_text(text)}"
        case Comparison(key, Ago() | Ahead() as value) if key != "Equal":
            return f"{_BOUND[key]} {operand_text(value)}"
        case _:
            return ""
