"""Conditions over profiles: attributes, behaviors, sequences, references and groups of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from kohort.foundation.issues import Issue, Path, did_you_mean
from kohort.rules.ast import (
    AttributeCondition,
    BehaviorCondition,
    Condition,
    Group,
    Limit,
    Order,
    ReferenceCondition,
    ReferenceKind,
    SequenceCondition,
)
from kohort.rules.decode.behaviors import read_aggregation, read_sliding, read_source, read_steps
from kohort.rules.decode.filters import read_filter
from kohort.rules.decode.nodes import Node, kind_of
from kohort.rules.decode.operators import read_array_matching, read_operator
from kohort.rules.decode.values import read_amount

GROUPS: Mapping[str, Literal["all", "any", "expr"]] = {"And": "all", "Or": "any", "Composite": "expr"}
REFERENCES: Mapping[str, ReferenceKind] = {
    "Reference": "Segment",
    "FunnelStageReference": "FunnelStage",
    "AbTestVariantReference": "AbTestVariant",
    "PredictiveScoreReference": "PredictiveScore",
    "MlAttributeReference": "MlAttribute",
}
REFERENCE_KEYS: Mapping[str, tuple[str, ...]] = {
    "PredictiveScore": ("minGrade", "maxGrade", "includeConvertedCustomers"),
    "MlAttribute": ("solutionType", "leftValue", "operator"),
}
"""What these references carry besides their target: kept, not interpreted."""

_COMMON = ("type", "exclude", "limit", "description", "extras")
_BEHAVIOR_KEYS = ("aggregation", "filter", "timeWindow", "window")
_BEHAVIOR_HINT = 'write type: Value with attribute: "" and source: behavior_...'


def read_condition(node: Node, value: Any, path: Path) -> Condition | None:
    """One condition of a group; None, with issues, when it cannot be read."""
    if isinstance(value, str):
        group = read_text(node, value, path)
        alone = group.conditions[0] if len(group.conditions) == 1 else None
        return alone if alone is not None and group == Group("all", (alone,)) else group
    if not isinstance(value, dict):
        node.issues.error("INVALID_CONDITION", f"a condition must be a mapping, not {kind_of(value)}", path, "write - type: Value")
        return None
    inner = node.owner(value, path)
    kind = value.get("type")
    if isinstance(kind, str) and kind in GROUPS:
        if node.dialect == "yaml":
            message = "a group inside a group: evaluated as written, but some tools that read these files show one level only"
            node.issues.warning("NESTED_CONDITION_GROUP", message, path)
        return read_group(inner, GROUPS[kind])
    if isinstance(kind, str) and kind in _READERS:
        return _READERS[kind](inner)
    return _unknown_type(inner, kind)


def read_text(node: Node, text: str, path: Path) -> Group:
    """A rule in its text form; its problems say where inside the text they are."""
    from kohort.rules.text import parse_rule

    group, issues = parse_rule(text)
    node.issues.extend(inside_text(issue, path) for issue in issues)
    return group


def inside_text(issue: Issue, path: Path) -> Issue:
    """An issue of a text rule as one of the file that holds the text at `path`."""
    place = f"line {issue.line}, column {issue.column}" if issue.line > 1 else f"column {issue.column}"
    message = f"{place}: {issue.message}" if issue.column else issue.message
    return replace(issue, message=message, path=path, line=0, column=0)


def _unknown_type(node: Node, kind: object) -> Condition | None:
    """What a condition without a known type was probably meant to be is read all the same, for the problems inside it."""
    if kind is None and "leftValue" in node.value:
        return _value(node)
    known = [*_READERS, *GROUPS]
    if kind is None:
        hint = "add type: And" if "conditions" in node.value else "add type: Value"
        node.error("INVALID_CONDITION_TYPE", "the condition has no type", hint=hint)
    elif kind == "Behavior":
        node.error("INVALID_CONDITION_TYPE", "there is no condition of type Behavior", "type", hint=_BEHAVIOR_HINT)
    elif kind == "Column":
        hint = "Column belongs in the filter of a behavior; write type: Value and attribute"
        node.error("INVALID_CONDITION_TYPE", "a profile has attributes, not columns", "type", hint=hint)
    else:
        hint = did_you_mean(kind, known) if isinstance(kind, str) else f"known: {', '.join(known)}"
        node.error("INVALID_CONDITION_TYPE", f"{kind_of(kind)} is not a type of condition", "type", hint=hint)
    if isinstance(node.get("conditions"), list):
        read_group(node, "all")
    elif "operator" in node.value and kind != "Column":
        _value(node)
    return None


def read_group(node: Node, match: Literal["all", "any", "expr"]) -> Group:
    """A group with all the conditions in it that can be read."""
    value = node.get("conditions")
    if not isinstance(value, list):
        problem = "is missing" if value is None else f"must be a list, not {kind_of(value)}"
        node.error("MISSING_CONDITIONS", f"the list of conditions {problem}", *(("conditions",) if value is not None else ()))
        value = []
    elif match == "expr" and not value:
        node.error("MISSING_CONDITIONS", "advanced match logic needs conditions", "conditions")
    conditions = [read_condition(node, item, node.at("conditions", index)) for index, item in enumerate(value)]
    expr = _expr(node, match)
    exclude, limit, description = _common(node)
    node.close((*_COMMON, "conditions", "expr"))
    return Group(match, tuple(found for found in conditions if found is not None), expr, exclude, limit, description, node.extras())


def _expr(node: Node, match: str) -> str:
    expr = node.text("expr", "INVALID_EXPR")
    if match == "expr" and not expr.strip() and not isinstance(node.get("expr"), (int, float, list, dict)):
        node.error("MISSING_EXPR", "Composite needs its match logic", hint='add expr: "(A and B) or C"')
    if match != "expr" and expr.strip():
        node.issues.warning(
            "UNUSED_EXPR", f"expr has no effect in a group of type {node.get('type')}", node.at("expr"), "write type: Composite"
        )
    return expr if match == "expr" else ""


def _common(node: Node) -> tuple[bool, Limit | None, str]:
    """exclude, limit and description, which every condition may have."""
    return node.flag("exclude"), _limit(node), node.text("description")


def _value(node: Node) -> Condition | None:
    """A test of an attribute, or with a source of a behavior; the left side stands in leftValue (JSON) or beside the operator."""
    left, name_key = node, "attribute"
    if "leftValue" in node.value:
        inner = node.inner("leftValue", "EMPTY_ATTRIBUTE", "write leftValue: { name: ... }")
        if inner is None:
            return None
        left, name_key = inner, "name"
    if left.has("source"):
        return _behavior(node, left, name_key)
    for key in _BEHAVIOR_KEYS:
        if left.get(key):
            left.error("MISSING_SOURCE", f"{key} belongs to a behavior, and none is named", key, hint="add source: behavior_...")
    attribute = ""
    if not any(left.get(key) for key in _BEHAVIOR_KEYS) or left.get(name_key):
        attribute = left.required(name_key, "EMPTY_ATTRIBUTE", "the attribute", f"add {name_key}: ...")
    customer_group = left.text("customerGroup")
    operator, matching = read_operator(node), read_array_matching(node)
    exclude, limit, description = _common(node)
    _close_value(node, left, (name_key, "customerGroup", "source", *_BEHAVIOR_KEYS))
    if operator is None or not attribute:
        return None
    return AttributeCondition(attribute, operator, matching, exclude, limit, description, customer_group, node.extras())


def _behavior(node: Node, left: Node, name_key: str) -> Condition | None:
    if left.get(name_key) not in (None, ""):
        message = f"a behavior condition tests no attribute, but {name_key} is {kind_of(left.get(name_key))}"
        left.error("INVALID_BEHAVIOR_ATTRIBUTE", message, name_key, hint=f'write {name_key}: ""')
    if left is node and "filter" not in left.value and node.dialect == "yaml":
        hint = "write filter: { type: And, conditions: [] } to take every row"
        left.error("MISSING_FILTER", "a behavior condition needs a filter that says which rows it takes", hint=hint)
    behavior, aggregation, rows, sliding = read_source(left), read_aggregation(left), read_filter(left), read_sliding(left)
    operator = read_operator(node)
    if node.has("arrayMatching"):
        node.error("INVALID_ARRAY_MATCHING", "an aggregate is one value, not an array", "arrayMatching", hint="remove arrayMatching")
    exclude, limit, description = _common(node)
    _close_value(node, left, (name_key, "source", *_BEHAVIOR_KEYS))
    if not behavior or aggregation is None or operator is None:
        return None
    return BehaviorCondition(behavior, aggregation, operator, rows, sliding, exclude, limit, description, node.extras())


def _close_value(node: Node, left: Node, keys: tuple[str, ...]) -> None:
    if left is node:
        node.close((*_COMMON, *keys, "operator", "arrayMatching"))
    else:
        node.close((*_COMMON, "leftValue", "operator", "arrayMatching"))
        left.close(keys)


def _sequence(node: Node) -> Condition | None:
    steps = read_steps(node)
    exclude, limit, description = _common(node)
    node.close((*_COMMON, "steps"))
    return None if steps is None else SequenceCondition(steps, exclude, limit, description, node.extras())


def _include(node: Node) -> Condition | None:
    found = _reference(node, "Segment", "segment", "id")
    if found is None or node.get("type") == "include":
        return found
    if found.exclude:
        node.error("DUPLICATE_KEY", "type: exclude already says it", "exclude", hint="remove exclude")
    return ReferenceCondition(found.target, "Segment", True, found.limit, found.description, found.extras)


def _typed_reference(node: Node) -> Condition | None:
    return _reference(node, REFERENCES[node.get("type")], "id", "segment")


def _reference(node: Node, kind: ReferenceKind, *keys: str) -> ReferenceCondition | None:
    """Another segment, named under the first of `keys` (or the second)."""
    key = node.either(*keys) or keys[0]
    target: object = node.get(key)
    if isinstance(target, int) and not isinstance(target, bool):
        target = str(target)
    if not isinstance(target, str) or not target.strip():
        problem = "is missing" if target in (None, "") else f"cannot be {kind_of(target)}"
        message = f"the segment this refers to {problem}"
        node.error("MISSING_SEGMENT_REFERENCE", message, *((key,) if key in node.value else ()), hint=f"add {keys[0]}: ...")
        target = ""
    exclude, limit, description = _common(node)
    own = REFERENCE_KEYS.get(kind, ())
    node.kept.update({name: node.get(name) for name in own if name in node.value})
    node.close((*_COMMON, *keys, *own))
    return ReferenceCondition(str(target), kind, exclude, limit, description, node.extras()) if target else None


_READERS: Mapping[str, Callable[[Node], Condition | None]] = {
    "Value": _value,
    "include": _include,
    "exclude": _include,
    "Sequence": _sequence,
    **dict.fromkeys(REFERENCES, _typed_reference),
}


def _limit(node: Node) -> Limit | None:
    """limit: {type: Count, number: 100, orderColumns: [{type: Column, column: ltv, order: descending}]}."""
    if not node.has("limit"):
        return None
    inner = node.inner("limit", "INVALID_LIMIT", "write limit: { type: Count, number: 100 }")
    if inner is None:
        return None
    inner.close(("type", "number", "orderColumns"))
    kind = inner.get("type")
    if kind not in ("Count", "Percent"):
        inner.error("INVALID_LIMIT", "a limit is of type Count or Percent", *(("type",) if "type" in inner.value else ()))
    order = _orders(inner)
    number = _limit_number(inner, kind)
    if number is None or order is None or kind not in ("Count", "Percent"):
        return None
    return Limit(kind, number, order)


def _limit_number(node: Node, kind: object) -> int | float | None:
    value = node.get("number")
    if kind != "Percent":
        return read_amount(node, value, node.at("number"), 1, "INVALID_LIMIT")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 < value <= 100:
        node.error("INVALID_LIMIT", f"a percentage above 0 and up to 100 is expected, not {kind_of(value)}", "number")
        return None
    return value


def _orders(node: Node) -> tuple[Order, ...] | None:
    value = node.get("orderColumns")
    if value is None:
        return ()
    if not isinstance(value, list):
        node.error("INVALID_LIMIT", f"orderColumns must be a list, not {kind_of(value)}", "orderColumns")
        return None
    orders = [_order(node, item, node.at("orderColumns", index)) for index, item in enumerate(value)]
    found = tuple(order for order in orders if order is not None)
    return found if len(found) == len(value) else None


def _order(node: Node, value: Any, path: Path) -> Order | None:
    if not isinstance(value, dict):
        hint = "write { type: Column, column: ltv, order: descending }"
        node.issues.error("INVALID_LIMIT", f"an order must be a mapping, not {kind_of(value)}", path, hint)
        return None
    inner = node.shut(value, path)
    inner.close(("type", "column", "order"))
    direction = inner.get("order")
    if direction not in (None, "ascending", "descending"):
        inner.error("INVALID_LIMIT", f"order is ascending or descending, not {kind_of(direction)}", "order")
        return None
    if inner.get("type") == "Aggregation":
        return Order("", direction == "descending")
    if inner.get("type") not in (None, "Column"):
        inner.error("INVALID_LIMIT", "one orders by Column or by Aggregation", "type")
        return None
    column = inner.required("column", "INVALID_LIMIT", "the column to order by", "add column: ...")
    return Order(column, direction == "descending") if column else None
