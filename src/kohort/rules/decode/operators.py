"""Operators as files write them, in either dialect, to operators of the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from kohort.foundation.calendar import Duration, Unit
from kohort.foundation.issues import did_you_mean
from kohort.rules.ast import (
    Ago,
    ArrayMatching,
    Between,
    Comparison,
    ComparisonKey,
    In,
    IsNull,
    Operator,
    Regexp,
    TextMatch,
    TextMatchKey,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    TimeToday,
    TimeWithin,
    TimeWithinKey,
)
from kohort.rules.decode.nodes import Node, kind_of, quoted_hint
from kohort.rules.decode.values import read_amount, read_distance, read_duration, read_operand, read_scalar, read_unit
from kohort.rules.operators import OPERATORS, OperandKind, OperatorRow

_MISTAKEN = {
    "=": "Equal",
    "==": "Equal",
    "Is": "Equal",
    "!=": "NotEqual",
    "<>": "NotEqual",
    ">": "Greater",
    ">=": "GreaterEqual",
    "<": "Less",
    "<=": "LessEqual",
    "NotNull": "IsNull with not: true",
    "IsNotNull": "IsNull with not: true",
    "Exists": "IsNull with not: true",
    "NotContain": "Contain with not: true",
    "NotBetween": "Between with not: true",
    "Like": "Contain, StartWith, EndWith or Regexp",
    "TimeWithin": "TimeWithinPast",
}
_FROM_EXAMPLES = {"TimeRange": "{ last: 1, unit: month }", "TimeInBetweenNext": "{ next: 1, unit: day }"}
_COUNTS: Mapping[str, Literal["at_least", "at_most", "exactly"]] = {"atLeast": "at_least", "atMost": "at_most", "exactly": "exactly"}


def read_operator(condition: Node) -> Operator | None:
    """The operator of a condition; None, with issues, when it cannot be read."""
    if not condition.has("operator"):
        condition.error("MISSING_OPERATOR", "the operator is missing", hint='add operator: { type: Equal, value: "..." }')
        return None
    node = condition.inner("operator", "INVALID_OPERATOR_TYPE", "write operator: { type: IsNull }")
    if node is None:
        return None
    name = node.get("type")
    row = OPERATORS.get(name) if isinstance(name, str) else None
    if row is None:
        _unknown_operator(node, name)
        return None
    negated = node.flag("not") != bool(row.negates)
    node.close(("type", "not", *_keys(row)))
    return _READERS[row.operand](node, row.negates or row.key, negated)


def _unknown_operator(node: Node, name: object) -> None:
    if name is None:
        node.error("INVALID_OPERATOR_TYPE", "the operator has no type", hint="add type: Equal (or another operator)")
    elif isinstance(name, str) and name in _MISTAKEN:
        node.error("INVALID_OPERATOR_TYPE", f'there is no operator "{name}"', "type", hint=f"write {_MISTAKEN[name]}")
    else:
        hint = did_you_mean(name, OPERATORS) if isinstance(name, str) else ""
        node.error("INVALID_OPERATOR_TYPE", f"{kind_of(name)} is not an operator", "type", hint=hint)


def _keys(row: OperatorRow) -> tuple[str, ...]:
    """Every key the operator may carry. Old files give IsNull a value that says nothing; a unit may stand without `from`."""
    more = {"none": ("rightValue",), "list": ("rightValue",), "texts": ("rightValue",), "calendar": ("unit",)}.get(row.operand, ())
    return (*row.yaml_keys, *row.json_keys, *more)


def _missing_value(node: Node, what: str = "the value is missing", hint: str = "") -> None:
    node.error("MISSING_OPERATOR_VALUE", f"{node.get('type')}: {what}", hint=hint)


def _one(node: Node, key: str, negated: bool) -> Operator | None:
    found = node.either("value", "rightValue")
    if found is None:
        _missing_value(node, hint="add value: ...")
        return None
    if node.get(found) is None:
        return _null_operand(node, key, negated)
    value = read_operand(node, node.get(found), node.at(found))
    return None if value is None else Comparison(cast(ComparisonKey, key), value, negated)


def _null_operand(node: Node, key: str, negated: bool) -> Operator | None:
    if key == "Equal":
        return IsNull(negated)
    _missing_value(node, "null cannot be compared by size", "use IsNull to test for null")
    return None


def _bounds(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    keys = (node.either("min", "minValue"), node.either("max", "maxValue"))
    written = [name for name in keys if name is not None and node.has(name)]
    if not written:
        node.error("MISSING_BETWEEN_BOUNDS", "Between needs min, max or both", hint="add min: ... and max: ...")
        return None
    bounds = {name: read_operand(node, node.get(name), node.at(name)) for name in written}
    if any(bound is None for bound in bounds.values()):
        return None
    return Between(bounds.get(keys[0] or ""), bounds.get(keys[1] or ""), negated)


def _values(node: Node, hint: str) -> tuple[str, list[Any]] | None:
    """The key and the list of values of In, Contain, StartWith, EndWith; a value alone is a list of one."""
    found = node.either("value", "rightValues", "rightValue")
    value = node.get(found) if found else None
    if found is None or value is None or value == []:
        _missing_value(node, "at least one value is needed", hint)
        return None
    return found, value if isinstance(value, list) else [value]


def _list(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    found = _values(node, 'add value: ["a", "b"]')
    if found is None:
        return None
    name, items = found
    values = [read_scalar(node, item, _item_path(node, name, index)) for index, item in enumerate(items)]
    kept = tuple(value for value in values if value is not None)
    return In(kept, negated) if len(kept) == len(values) else None


def _texts(node: Node, key: str, negated: bool) -> Operator | None:
    found = _values(node, 'add value: ["text"]')
    if found is None:
        return None
    name, items = found
    for index, item in enumerate(items):
        if not isinstance(item, str):
            message = f"{key} looks for texts, not {kind_of(item)}"
            node.issues.error("INVALID_OPERATOR_VALUE", message, _item_path(node, name, index), quoted_hint(item))
    texts = tuple(item for item in items if isinstance(item, str))
    return TextMatch(cast(TextMatchKey, key), texts, negated) if len(texts) == len(items) else None


def _item_path(node: Node, name: str, index: int) -> tuple[str | int, ...]:
    return node.at(name, index) if isinstance(node.get(name), list) else node.at(name)


def _pattern(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    found = node.either("value", "rightValue")
    value = node.get(found) if found else None
    if found is None or value is None:
        _missing_value(node, hint='add value: "^A.*"')
        return None
    if not isinstance(value, str):
        hint = 'join the patterns: "a|b"' if isinstance(value, list) else quoted_hint(value)
        node.error("INVALID_OPERATOR_VALUE", f"Regexp takes one text, not {kind_of(value)}", found, hint=hint)
        return None
    return Regexp(value, negated)


def _none(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    match key:
        case "TimeToday" | "TimeTodayAndBeyond":
            return TimeToday(key, negated)
        case _:
            return IsNull(negated)


def _amount(node: Node, key: str, negated: bool) -> Operator | None:
    amount = None
    if node.has("value"):
        amount = read_amount(node, node.get("value"), node.at("value"), 1, "INVALID_OPERATOR_VALUE")
    else:
        _missing_value(node, hint="add value: 30")
    unit = read_unit(node)
    if amount is None or unit is None:
        return None
    return TimeWithin(cast(TimeWithinKey, key), amount, unit, negated)


def _from(node: Node, key: str = "from") -> Node | None:
    """The mapping under from (or to)."""
    value = node.get(key)
    if not isinstance(value, dict):
        problem = f"{key} is missing" if value is None else f"{key} must be a mapping, not {kind_of(value)}"
        hint = f"write {key}: {_FROM_EXAMPLES.get(node.get('type'), '{ unit: month }')}"
        node.error("MISSING_OPERATOR_VALUE", f"{node.get('type')}: {problem}", *((key,) if value is not None else ()), hint=hint)
        return None
    return node.shut(value, node.at(key))


def _range(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    reverse = node.flag("reverse")
    duration = read_duration(node, "duration") if node.has("duration") else None
    start = _range_start(node)
    if start is None or (duration is None and node.has("duration")):
        return None
    if duration is None and (reverse or isinstance(start, Ago)):
        _missing_value(node, "the duration is missing", "add duration: { day: 7 }")
        return None
    return TimeRange(duration, start, reverse, negated)


def _range_start(node: Node) -> Ago | Unit | None:
    inner = _from(node)
    if inner is None:
        return None
    if "last" not in inner.value:
        if "next" in inner.value:
            hint = "use TimeWithinNext or TimeInBetweenNext for times to come"
            inner.error("INVALID_OPERATOR_VALUE", "TimeRange starts in the past", "next", hint=hint)
            return None
        inner.close(("unit", "last"))
        return read_unit(inner)
    duration = read_distance(inner, "last")
    return None if duration is None else Ago(duration)


def _calendar(node: Node, key: str, negated: bool) -> Operator | None:
    inner: Node | None = node
    if "unit" not in node.value or "from" in node.value:
        inner = _from(node)
        if inner is not None:
            inner.close(("unit",))
    unit = read_unit(inner) if inner is not None else None
    if unit is None:
        return None
    match key:
        case "TimeThis" | "TimeLast" | "TimeNext":
            return TimeCalendar(key, unit, negated)
        case _:
            raise AssertionError(key)


def _next_range(node: Node, key: str, negated: bool) -> Operator | None:  # noqa: ARG001
    ends: list[Duration | None] = []
    for name in ("from", "to"):
        inner = _from(node, name)
        if inner is not None and "next" not in inner.value:
            inner.error("MISSING_OPERATOR_VALUE", f"TimeInBetweenNext: {name} needs next", hint=f"write {name}: {{ next: 7, unit: day }}")
            inner = None
        ends.append(read_distance(inner, "next") if inner is not None else None)
    low, high = ends
    return None if low is None or high is None else TimeInBetweenNext(low, high, negated)


_READERS: Mapping[OperandKind, Callable[[Node, str, bool], Operator | None]] = {
    "one": _one,
    "bounds": _bounds,
    "list": _list,
    "texts": _texts,
    "pattern": _pattern,
    "none": _none,
    "amount": _amount,
    "range": _range,
    "calendar": _calendar,
    "next_range": _next_range,
}


def read_array_matching(node: Node) -> ArrayMatching | None:
    """arrayMatching: null, any, all, {atLeast: n}, {atMost: n} or {exactly: n}."""
    match node.get("arrayMatching"):
        case None:
            return None
        case "any" | "all" as word:
            return ArrayMatching(word)
        case dict() as found if len(found) == 1 and next(iter(found)) in _COUNTS:
            (name, count), *_ = found.items()
            number = read_amount(node, count, node.at("arrayMatching", name), 0, "INVALID_ARRAY_MATCHING")
            return None if number is None else ArrayMatching(_COUNTS[name], number)
        case "only":
            hint = "write all"
        case value:
            hint = did_you_mean(value, ("any", "all")) if isinstance(value, str) else ""
    hint = hint if hint.startswith(("did", "write")) else "write any, all, {atLeast: 2}, {atMost: 2} or {exactly: 2}"
    node.error(
        "INVALID_ARRAY_MATCHING", f"{kind_of(node.get('arrayMatching'))} does not say how many must match", "arrayMatching", hint=hint
    )
    return None
