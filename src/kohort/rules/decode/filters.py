"""Filters over the rows of a behavior, time windows included."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kohort.foundation.issues import did_you_mean
from kohort.rules.ast import TIME_COLUMN, ColumnCondition, FilterCondition, FilterGroup, TimeWithin
from kohort.rules.decode.nodes import Node, kind_of
from kohort.rules.decode.operators import read_array_matching, read_operator
from kohort.rules.decode.values import read_amount, read_unit

_NO_CONDITIONS = "write filter: { type: And, conditions: [] } to take every row"
_EVERY_ROW = FilterGroup("all", ())


def read_filter(node: Node) -> FilterGroup | None:
    """The filter and the timeWindow of a behavior condition or a step; None takes every row."""
    rows = _root(node)
    if not node.has("timeWindow"):
        return rows
    recent = _time_window(node)
    if recent is None:
        return rows
    if rows is None:
        return FilterGroup("all", (recent,))
    if rows.match == "all" and not rows.exclude:
        return replace(rows, conditions=(recent, *rows.conditions))
    return FilterGroup("all", (recent, rows))


def _time_window(node: Node) -> ColumnCondition | None:
    """timeWindow: {duration: 90, unit: day} is short for a test of the row's time."""
    value = node.get("timeWindow")
    if not isinstance(value, dict):
        node.error(
            "INVALID_DURATION", f"timeWindow must be a mapping, not {kind_of(value)}", "timeWindow", hint="{ duration: 90, unit: day }"
        )
        return None
    inner = node.shut(value, node.at("timeWindow"))
    inner.close(("duration", "unit"))
    unit = read_unit(inner)
    amount = None
    if inner.has("duration"):
        amount = read_amount(inner, inner.get("duration"), inner.at("duration"), 1, "INVALID_DURATION")
    else:
        inner.error("MISSING_OPERATOR_VALUE", "the duration is missing", hint="add duration: 90")
    if unit is None or amount is None:
        return None
    return ColumnCondition(TIME_COLUMN, TimeWithin("TimeWithinPast", amount, unit))


def _root(node: Node) -> FilterGroup | None:
    value = node.get("filter")
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        node.error("INVALID_FILTER", f"a filter must be a mapping, not {kind_of(value)}", "filter", hint=_NO_CONDITIONS)
        return None
    found = _condition(node.owner(value, node.at("filter")), nested=False)
    if isinstance(found, ColumnCondition):
        found = FilterGroup("all", (found,))
    return None if found == _EVERY_ROW else found


def _condition(node: Node, *, nested: bool) -> FilterCondition | None:
    match node.get("type"):
        case "And":
            return _group(node, "all", nested)
        case "Or":
            return _group(node, "any", nested)
        case "Column":
            return _column(node)
    if "column" not in node.value and "attribute" not in node.value and "conditions" in node.value:
        _unknown_group(node)
        return _group(node, "all", nested)
    kind = node.get("type")
    message = "the type is missing" if kind is None else f"a filter's condition cannot be of type {kind_of(kind)}"
    node.error("INVALID_FILTER_CONDITION", message, *(() if kind is None else ("type",)), hint="write type: Column and column: ...")
    return _column(node)


def _unknown_group(node: Node) -> None:
    kind = node.get("type")
    if kind is None:
        node.error("INVALID_FILTER_CONDITION", "the type is missing", hint="add type: And (or Or)")
        return
    hint = did_you_mean(kind, ("And", "Or")) if isinstance(kind, str) else "known: And, Or"
    node.error("INVALID_FILTER_CONDITION", f"a filter cannot be of type {kind_of(kind)}", "type", hint=hint)


def _group(node: Node, match: Literal["all", "any"], nested: bool) -> FilterGroup:
    if nested and node.dialect == "yaml":
        message = "a group inside a filter's group: evaluated as written, but some tools that read these files show one level only"
        node.issues.warning("NESTED_CONDITION_GROUP", message, node.path)
    value = node.get("conditions")
    if not isinstance(value, list):
        problem = "is missing" if value is None else f"must be a list, not {kind_of(value)}"
        node.error(
            "MISSING_CONDITIONS", f"the list of conditions {problem}", *(("conditions",) if value is not None else ()), hint=_NO_CONDITIONS
        )
        value = []
    if isinstance(node.get("expr"), str) and node.get("expr").strip():
        node.error("UNKNOWN_KEY", "a filter has no advanced match logic", "expr", hint="nest And and Or groups")
    found: list[FilterCondition] = []
    for index, item in enumerate(value):
        path = node.at("conditions", index)
        if not isinstance(item, dict):
            node.issues.error("INVALID_FILTER_CONDITION", f"a condition must be a mapping, not {kind_of(item)}", path)
            continue
        condition = _condition(node.owner(item, path), nested=True)
        if condition is not None:
            found.append(condition)
    exclude = node.flag("exclude")
    node.close(("type", "conditions", "exclude", "expr", "extras"))
    return FilterGroup(match, tuple(found), exclude, node.extras())


def _column(node: Node) -> ColumnCondition | None:
    key = "column" if "column" in node.value or "attribute" not in node.value else "attribute"
    if key == "attribute" and node.get("type") == "Column":
        node.error("INVALID_FILTER_CONDITION", "a filter tests columns of the behavior", key, hint="write column, not attribute")
    column = node.required(key, "EMPTY_COLUMN", "the column", "add column: ...")
    operator = read_operator(node)
    matching = read_array_matching(node)
    exclude = node.flag("exclude")
    node.close(("type", key, "operator", "arrayMatching", "exclude", "extras"))
    if operator is None or not column:
        return None
    return ColumnCondition(column, operator, matching, exclude, node.extras())
