"""Operators and their operands to the mappings that files hold."""

from __future__ import annotations

from typing import Any, assert_never

from kohort.foundation.calendar import Duration
from kohort.rules.ast import (
    Ago,
    Ahead,
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
from kohort.rules.decode import Dialect
from kohort.rules.operators import OPERATORS

_NEGATIONS = {row.negates: row.key for row in OPERATORS.values() if row.negates}


def encode_operator(operator: Operator, dialect: Dialect) -> dict[str, Any]:
    """The mapping of an operator: NotEqual and NotIn in YAML, `not` always written in JSON."""
    if dialect == "json":
        return {"type": operator.key, "not": operator.negated, **_fields(operator, dialect)}
    if operator.negated and operator.key in _NEGATIONS:
        return {"type": _NEGATIONS[operator.key], **_fields(operator, dialect)}
    return {"type": operator.key, **({"not": True} if operator.negated else {}), **_fields(operator, dialect)}


def _fields(operator: Operator, dialect: Dialect) -> dict[str, Any]:
    row = OPERATORS[operator.key]
    keys = row.json_keys if dialect == "json" else row.yaml_keys
    match operator:
        case Comparison():
            return {keys[0]: encode_operand(operator.value)}
        case Between():
            bounds = zip(keys, (operator.low, operator.high), strict=True)
            return {key: encode_operand(bound) for key, bound in bounds if bound is not None}
        case In() | TextMatch():
            return {keys[0]: list(operator.values)}
        case Regexp():
            return {keys[0]: operator.pattern}
        case IsNull() | TimeToday():
            return {}
        case TimeWithin():
            return {"value": operator.amount, "unit": operator.unit}
        case TimeRange():
            return _range(operator)
        case TimeCalendar():
            return {"from": {"unit": operator.unit}}
        case TimeInBetweenNext():
            return {"from": _distance("next", operator.low), "to": _distance("next", operator.high)}
        case _:
            assert_never(operator)


def _range(operator: TimeRange) -> dict[str, Any]:
    duration = {} if operator.duration is None else {"duration": dict(operator.duration.parts)}
    start = _distance("last", operator.start.duration) if isinstance(operator.start, Ago) else {"unit": operator.start}
    return {**duration, "from": start, **({"reverse": True} if operator.reverse else {})}


def encode_operand(operand: Operand) -> Any:
    """A scalar as it is, {timestamp}, {last, unit} or {next, unit}."""
    match operand:
        case Timestamp():
            return {"timestamp": operand.text}
        case Ago():
            return _distance("last", operand.duration)
        case Ahead():
            return _distance("next", operand.duration)
        case str() | int() | float():
            return operand
        case _:
            assert_never(operand)


def _distance(key: str, duration: Duration) -> dict[str, Any]:
    """{last: 30, unit: day}; of several units {last: {day: 1, hour: 2}}."""
    if len(duration.parts) == 1:
        ((unit, amount),) = duration.parts
        return {key: amount, "unit": unit}
    return {key: dict(duration.parts)}
