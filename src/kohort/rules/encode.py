"""Rule trees to the mappings that YAML and JSON files hold; reading them back gives the same tree exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, assert_never

from kohort.foundation.calendar import Duration
from kohort.rules.ast import (
    NO_EXTRAS,
    TIME_COLUMN,
    Aggregation,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    Extras,
    FilterCondition,
    FilterGroup,
    Group,
    Limit,
    Order,
    ReferenceCondition,
    Rule,
    SequenceCondition,
    Step,
    TimeWithin,
)
from kohort.rules.decode import Dialect
from kohort.rules.decode.behaviors import BEHAVIOR_PREFIX
from kohort.rules.decode.conditions import GROUPS, REFERENCE_KEYS, REFERENCES
from kohort.rules.encode_operators import encode_operator

_GROUP_TYPES = {match: name for name, match in GROUPS.items()}
_REFERENCE_TYPES = {kind: name for name, kind in REFERENCES.items()}
_COUNTS = {"at_least": "atLeast", "at_most": "atMost", "exactly": "exactly"}
_CONTAINERS = ("leftValue.source", "leftValue.aggregation", "leftValue.window", "leftValue", "operator", "limit")
# fmt: off
KNOWN_KEYS = frozenset({
    "type", "exclude", "limit", "description", "extras", "conditions", "expr", "steps", "segment", "id",
    "attribute", "customerGroup", "source", "aggregation", "filter", "timeWindow", "window", "operator", "arrayMatching",
    "leftValue", "name", "columns", "column", "groupingColumns", "orderColumn", "duration", "number", "orderColumns",
    "not", "value", "min", "max", "rightValue", "rightValues", "minValue", "maxValue", "unit", "from", "to", "reverse",
    "minGrade", "maxGrade", "includeConvertedCustomers", "solutionType",
})
# fmt: on
"""Keys with a meaning somewhere in a rule: an extra of that name is written under `extras`, never in its place."""


def rule_to_yaml(rule: Rule) -> dict[str, Any]:
    """The rule as people write it: attribute, value, min, max, source, timeWindow, include, exclude."""
    return _group(rule, "yaml")


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """The rule as programs exchange it: leftValue, rightValue; every flag written out; unknown keys back in their places."""
    return _group(rule, "json")


def _condition(condition: Condition, dialect: Dialect) -> dict[str, Any]:
    match condition:
        case Group():
            return _group(condition, dialect)
        case AttributeCondition():
            return _attribute(condition, dialect)
        case BehaviorCondition():
            return _behavior_json(condition) if dialect == "json" else _behavior_yaml(condition)
        case SequenceCondition():
            return _sequence(condition, dialect)
        case ReferenceCondition():
            return _reference(condition, dialect)
        case _:
            assert_never(condition)


def _group(group: Group, dialect: Dialect) -> dict[str, Any]:
    node: dict[str, Any] = {"type": _GROUP_TYPES[group.match]}
    if group.description:
        node["description"] = group.description
    if group.expr or group.match == "expr" or dialect == "json":
        node["expr"] = group.expr
    node["conditions"] = [_condition(part, dialect) for part in group.conditions]
    if group.exclude:
        node["exclude"] = True
    if group.limit is not None:
        node["limit"] = _limit(group.limit)
    return _with_extras(node, group.extras, dialect)


def _attribute(condition: AttributeCondition, dialect: Dialect) -> dict[str, Any]:
    name = "name" if dialect == "json" else "attribute"
    left = {name: condition.attribute}
    if condition.customer_group:
        left["customerGroup"] = condition.customer_group
    node: dict[str, Any] = {"type": "Value", **({"leftValue": left} if dialect == "json" else left)}
    node["operator"] = encode_operator(condition.operator, dialect)
    if dialect == "json" or condition.array_matching is not None:
        node["arrayMatching"] = _array_matching(condition.array_matching)
    return _finish(node, condition, dialect)


def _behavior_yaml(condition: BehaviorCondition) -> dict[str, Any]:
    rows, time_window = _split_time_window(condition.filter)
    node: dict[str, Any] = {
        "type": "Value",
        "attribute": "",
        "source": BEHAVIOR_PREFIX + condition.behavior,
        "aggregation": _aggregation(condition.aggregation, "yaml"),
        "operator": encode_operator(condition.operator, "yaml"),
        **time_window,
        "filter": _filter(rows, "yaml"),
    }
    if condition.sliding is not None:
        node["window"] = _sliding(condition.sliding)
    return _finish(node, condition, "yaml")


def _behavior_json(condition: BehaviorCondition) -> dict[str, Any]:
    left: dict[str, Any] = {
        "aggregation": _aggregation(condition.aggregation, "json"),
        "source": {"name": BEHAVIOR_PREFIX + condition.behavior},
        "filter": _filter(condition.filter, "json"),
    }
    if condition.sliding is not None:
        left["window"] = _sliding(condition.sliding)
    operator = encode_operator(condition.operator, "json")
    return _finish({"type": "Value", "leftValue": left, "operator": operator, "arrayMatching": None}, condition, "json")


def _sequence(condition: SequenceCondition, dialect: Dialect) -> dict[str, Any]:
    return _finish({"type": "Sequence", "steps": [_step(step, dialect) for step in condition.steps]}, condition, dialect)


def _step(step: Step, dialect: Dialect) -> dict[str, Any]:
    name = BEHAVIOR_PREFIX + step.behavior
    rows, time_window = _split_time_window(step.filter) if dialect == "yaml" else (step.filter, {})
    node: dict[str, Any] = {"source": {"name": name} if dialect == "json" else name, **time_window}
    if rows is not None:
        node["filter"] = _filter(rows, dialect)
    if step.within is not None:
        node["within"] = _parts(step.within)
    return node


def _reference(condition: ReferenceCondition, dialect: Dialect) -> dict[str, Any]:
    if dialect == "yaml" and condition.kind == "Segment":
        kind = "exclude" if condition.exclude else "include"
        return _finish({"type": kind, "segment": condition.target}, replace(condition, exclude=False), dialect)
    node = {"type": _REFERENCE_TYPES[condition.kind], "id": condition.target}
    return _finish(node, condition, dialect, REFERENCE_KEYS.get(condition.kind, ()))


Leaf = AttributeCondition | BehaviorCondition | SequenceCondition | ReferenceCondition


def _finish(node: dict[str, Any], condition: Leaf, dialect: Dialect, own: Iterable[str] = ()) -> dict[str, Any]:
    """What every condition ends with."""
    if dialect == "json" or condition.exclude:
        node["exclude"] = condition.exclude
    if condition.limit is not None:
        node["limit"] = _limit(condition.limit)
    if condition.description:
        node["description"] = condition.description
    return _with_extras(node, condition.extras, dialect, own)


def _with_extras(node: dict[str, Any], extras: Extras, dialect: Dialect, own: Iterable[str] = ()) -> dict[str, Any]:
    """Extras go under `extras` in YAML, back to their places in JSON; those named in `own` stand beside the node's keys in both."""
    displaced: dict[str, Any] = {}
    for name, value in extras.values.items():
        holder, key = _place(node, name) if dialect == "json" and name not in own else (node, name)
        in_place = dialect == "json" and key not in KNOWN_KEYS
        if (in_place or name in own) and key not in holder:
            holder[key] = value
        else:
            displaced[name] = value
    if displaced:
        node["extras"] = displaced
    return node


def _place(node: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """The mapping inside `node` that a flat name such as leftValue.visibility points into, and the key there."""
    for container in _CONTAINERS:
        if name.startswith(f"{container}."):
            holder: Any = node
            for part in container.split("."):
                holder = holder.get(part) if isinstance(holder, dict) else None
            if isinstance(holder, dict) and (container == "limit" or node["type"] in ("Value", "Column")):
                return holder, name[len(container) + 1 :]
    return node, name


def _aggregation(aggregation: Aggregation, dialect: Dialect) -> dict[str, Any]:
    node: dict[str, Any] = {"type": aggregation.key}
    if aggregation.key == "CountDistinct":
        node["columns"] = list(aggregation.columns)
    elif aggregation.columns:
        node["column"] = aggregation.columns[0]
    if aggregation.order_column:
        node["orderColumn"] = aggregation.order_column
    if aggregation.grouping or (dialect == "json" and aggregation.key == "Count"):
        node["groupingColumns"] = list(aggregation.grouping)
    return node


def _filter(rows: FilterGroup | None, dialect: Dialect) -> dict[str, Any]:
    return {"type": "And", "conditions": []} if rows is None else _row_condition(rows, dialect)


def _row_condition(condition: FilterCondition, dialect: Dialect) -> dict[str, Any]:
    node: dict[str, Any]
    match condition:
        case FilterGroup():
            parts = [_row_condition(part, dialect) for part in condition.conditions]
            node = {"type": _GROUP_TYPES[condition.match], "conditions": parts}
        case ColumnCondition():
            node = {"type": "Column", "column": condition.column}
            if dialect == "json" or condition.array_matching is not None:
                node["arrayMatching"] = _array_matching(condition.array_matching)
            node["operator"] = encode_operator(condition.operator, dialect)
        case _:
            assert_never(condition)
    if condition.exclude:
        node["exclude"] = True
    return _with_extras(node, condition.extras, dialect)


def _split_time_window(rows: FilterGroup | None) -> tuple[FilterGroup | None, dict[str, Any]]:
    """A filter that begins with "within the past N units" is written as a timeWindow and the rest of it."""
    if rows is None or rows.match != "all" or rows.exclude or not rows.conditions:
        return rows, {}
    first = rows.conditions[0]
    operator = first.operator if isinstance(first, ColumnCondition) else None
    if not isinstance(operator, TimeWithin) or operator.key != "TimeWithinPast" or first != ColumnCondition(TIME_COLUMN, operator):
        return rows, {}
    if operator.negated:
        return rows, {}
    rest = replace(rows, conditions=rows.conditions[1:])
    window = {"timeWindow": {"duration": operator.amount, "unit": operator.unit}}
    return (rest if rest.conditions or rest.extras != NO_EXTRAS else None), window


def _sliding(duration: Duration) -> dict[str, Any]:
    return {"type": "TimeSliding", "duration": _parts(duration)}


def _parts(duration: Duration) -> dict[str, int]:
    return dict(duration.parts)


def _array_matching(matching: ArrayMatching | None) -> str | dict[str, int] | None:
    if matching is None:
        return None
    return {_COUNTS[matching.key]: matching.count} if matching.key in _COUNTS else matching.key


def _limit(limit: Limit) -> dict[str, Any]:
    node: dict[str, Any] = {"type": limit.kind, "number": limit.number}
    if limit.order:
        node["orderColumns"] = [_order(order) for order in limit.order]
    return node


def _order(order: Order) -> dict[str, Any]:
    by = {"type": "Column", "column": order.attribute} if order.attribute else {"type": "Aggregation"}
    return {**by, "order": "descending" if order.descending else "ascending"}
