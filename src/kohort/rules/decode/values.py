"""Units, amounts, durations and operands: the values on the right of an operator."""

from __future__ import annotations

import math
from typing import Any

from kohort.foundation.calendar import UNITS, Duration, Unit
from kohort.foundation.instants import MAX_MICROS
from kohort.foundation.issues import Path, did_you_mean
from kohort.rules.ast import Ago, Ahead, Operand, Scalar, Timestamp
from kohort.rules.decode.nodes import Node, kind_of

_MAX_AMOUNT = 10**12
_SHORT_UNITS = {"d": "day", "h": "hour", "m": "minute", "min": "minute", "s": "second", "sec": "second", "w": "week", "y": "year"}


def read_unit(node: Node, key: str = "unit") -> Unit | None:
    """The unit of time under `key`; singular only."""
    value = node.get(key)
    if value is None:
        node.error("MISSING_TIME_UNIT", "the unit of time is missing", hint=f"add {key}: day (or {', '.join(UNITS)})")
        return None
    return unit_of(node, value, node.at(key))


def unit_of(node: Node, value: object, path: Path) -> Unit | None:
    for unit in UNITS:
        if value == unit:
            return unit
    node.issues.error("INVALID_TIME_UNIT", f"a unit of time cannot be {kind_of(value)}", path, _unit_hint(value))
    return None


def _unit_hint(value: object) -> str:
    if not isinstance(value, str):
        return f"known: {', '.join(UNITS)}"
    word = value.strip().lower()
    singular = word.removesuffix("s")
    if singular in UNITS:
        return f"write {singular}, not {value}"
    if word in _SHORT_UNITS:
        return f"write {_SHORT_UNITS[word]}, not {value}"
    return did_you_mean(word, UNITS)


def read_amount(node: Node, value: object, path: Path, minimum: int, code: str) -> int | None:
    """A whole number of units, at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= _MAX_AMOUNT:
        bounds = f"from {minimum}" if not isinstance(value, int) or value < minimum or isinstance(value, bool) else f"up to {_MAX_AMOUNT}"
        node.issues.error(code, f"a whole number {bounds} is expected, not {kind_of(value)}", path)
        return None
    return value


def read_duration(node: Node, key: str, hint: str = "write {day: 7}") -> Duration | None:
    """A length of time: {day: 7}, {day: 1, hour: 12} or {duration: 7, unit: day}."""
    value = node.get(key)
    if not isinstance(value, dict) or not value:
        node.error("INVALID_DURATION", f"{key} must be a length of time, not {kind_of(value)}", key, hint=hint)
        return None
    inner = node.shut(value, node.at(key))
    if "duration" in value:
        inner.close(("duration", "unit"))
        amount, unit = read_amount(inner, value["duration"], inner.at("duration"), 0, "INVALID_DURATION"), read_unit(inner)
        return Duration.of(amount, unit) if amount is not None and unit is not None else None
    return _composite(inner)


def _composite(node: Node) -> Duration | None:
    """A mapping of units to amounts."""
    parts: dict[Unit, int] = {}
    for key, amount in node.value.items():
        unit = unit_of(node, key, node.at(key))
        number = read_amount(node, amount, node.at(key), 0, "INVALID_DURATION")
        if unit is not None and number is not None:
            parts[unit] = number
    return Duration.from_mapping(parts) if len(parts) == len(node.value) and parts else None


def read_fixed_duration(node: Node, key: str) -> Duration | None:
    """A length that is the same everywhere: weeks and smaller, longer than nothing."""
    duration = read_duration(node, key)
    if duration is None:
        return None
    if not duration.is_fixed:
        node.error("INVALID_DURATION", f"{key} must be of fixed length: month, quarter and year are not", key, hint="write {day: 30}")
        return None
    if not 0 < duration.fixed_micros <= MAX_MICROS:
        node.error("INVALID_DURATION", f"{key} must be longer than nothing and shorter than 8,000 years", key)
        return None
    return duration


def read_operand(node: Node, value: Any, path: Path) -> Operand | None:
    """One value: a scalar, {timestamp: "..."}, {last: 30, unit: day} or {next: 7, unit: day}."""
    if not isinstance(value, dict):
        return read_scalar(node, value, path)
    inner = node.shut(value, path)
    if "timestamp" in value:
        inner.close(("timestamp",))
        return _timestamp(inner)
    for key in ("last", "next"):
        if key in value:
            duration = read_distance(inner, key)
            if duration is None:
                return None
            return Ago(duration) if key == "last" else Ahead(duration)
    hint = 'write a value, {timestamp: "2024-01-31"}, {last: 30, unit: day} or {next: 7, unit: day}'
    node.issues.error("INVALID_OPERATOR_VALUE", "this mapping is no value an operator can compare with", path, hint)
    return None


def _timestamp(node: Node) -> Timestamp | None:
    text = node.get("timestamp")
    if not isinstance(text, str) or not text.strip():
        hint = "a number of unix seconds is written without {timestamp: }" if isinstance(text, int) else 'write {timestamp: "2024-01-31"}'
        node.error("INVALID_OPERATOR_VALUE", f"a timestamp is text, not {kind_of(text)}", "timestamp", hint=hint)
        return None
    return Timestamp(text)


def read_distance(node: Node, key: str) -> Duration | None:
    """The duration of {last: 30, unit: day} or {last: {day: 1, hour: 2}}; `node` is that mapping."""
    value = node.get(key)
    if isinstance(value, dict):
        node.close((key,))
        return read_duration(node, key)
    node.close((key, "unit"))
    amount, unit = read_amount(node, value, node.at(key), 0, "INVALID_OPERATOR_VALUE"), read_unit(node)
    return Duration.of(amount, unit) if amount is not None and unit is not None else None


def read_scalar(node: Node, value: object, path: Path) -> Scalar | None:
    """A text, a number or true/false."""
    if isinstance(value, float) and not math.isfinite(value):
        node.issues.error("INVALID_OPERATOR_VALUE", f"{value} is no number that can be compared with", path)
        return None
    if isinstance(value, (str, int, float)):
        return value
    hint = {"list": "use In for several values", "NoneType": "use IsNull to test for null"}.get(type(value).__name__, "")
    node.issues.error("INVALID_OPERATOR_VALUE", f"one value is expected, not {kind_of(value)}", path, hint)
    return None
