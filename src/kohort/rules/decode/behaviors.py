"""Conditions over the events of a profile: aggregates of one behavior, and sequences of several."""

from __future__ import annotations

from typing import Any, get_args

from kohort.foundation.calendar import Duration
from kohort.foundation.issues import did_you_mean
from kohort.rules.ast import Aggregation, AggregationKey, Step
from kohort.rules.decode.filters import read_filter
from kohort.rules.decode.nodes import Node, kind_of
from kohort.rules.decode.values import read_fixed_duration

BEHAVIOR_PREFIX = "behavior_"
AGGREGATIONS: tuple[AggregationKey, ...] = get_args(AggregationKey)
_MISTAKEN = {"Avg": "Average", "Mean": "Average", "Distinct": "CountDistinct", "Total": "Sum", "Maximum": "Max", "Minimum": "Min"}


def read_source(node: Node) -> str:
    """The behavior named by `source: behavior_purchase` (or {name: behavior_purchase}), without the prefix; "" with an issue."""
    holder: Node = node
    key = "source"
    if isinstance(node.get("source"), dict):
        inner = node.inner("source", "INVALID_SOURCE", "")
        assert inner is not None
        inner.close(("name",))
        holder, key = inner, "name"
    name = holder.required(key, "INVALID_SOURCE", "the behavior", f"write source: {BEHAVIOR_PREFIX}...")
    if not name:
        return ""
    if not name.startswith(BEHAVIOR_PREFIX) or name == BEHAVIOR_PREFIX:
        hint = f"write {BEHAVIOR_PREFIX}{name.removeprefix(BEHAVIOR_PREFIX)}"
        holder.error("INVALID_SOURCE", f'a behavior\'s table begins with {BEHAVIOR_PREFIX}, "{name}" does not', key, hint=hint)
        return ""
    return name.removeprefix(BEHAVIOR_PREFIX)


def read_aggregation(node: Node) -> Aggregation | None:
    """What is computed: {type: Sum, column: amount, groupingColumns: [sku]}."""
    if not node.has("aggregation"):
        node.error("MISSING_AGGREGATION", "a behavior condition needs an aggregation", hint="add aggregation: { type: Count }")
        return None
    inner = node.inner("aggregation", "INVALID_AGGREGATION_TYPE", "write aggregation: { type: Count }")
    if inner is None:
        return None
    key = _aggregation_key(inner)
    if key is None:
        return None
    known = ["type", "groupingColumns"]
    grouping = inner.names("groupingColumns")
    columns: tuple[str, ...] = ()
    order_column = ""
    match key:
        case "Count":
            known += _no_column(inner)
        case "CountDistinct":
            known += ["columns", "column"]
            columns = _distinct_columns(inner)
        case "Sum" | "Average" | "Min" | "Max":
            known += ["column"]
            columns = (inner.required("column", "MISSING_AGGREGATION_COLUMN", f"the column of {key}", "add column: ..."),)
        case "First" | "Last":
            known += ["column", "orderColumn"]
            columns = (inner.required("column", "MISSING_AGGREGATION_COLUMN", f"the column of {key}", "add column: ..."),)
            order_column = inner.text("orderColumn")
    inner.close(known)
    if "" in columns or (key == "CountDistinct" and not columns):
        return None
    return Aggregation(key, columns, grouping, order_column)


def _aggregation_key(node: Node) -> AggregationKey | None:
    name = node.get("type")
    for key in AGGREGATIONS:
        if name == key:
            return key
    if name is None:
        node.error("INVALID_AGGREGATION_TYPE", "the aggregation has no type", hint="add type: Count")
        return None
    hint = f"write {_MISTAKEN[name]}" if isinstance(name, str) and name in _MISTAKEN else ""
    hint = hint or (did_you_mean(name, AGGREGATIONS) if isinstance(name, str) else f"known: {', '.join(AGGREGATIONS)}")
    node.error("INVALID_AGGREGATION_TYPE", f"{kind_of(name)} is not an aggregation", "type", hint=hint)
    return None


def _no_column(node: Node) -> list[str]:
    """Count counts rows: a column beside it is a misunderstanding, not an extra."""
    for key in ("column", "columns"):
        if node.get(key):
            hint = "to count different values write type: CountDistinct and columns: [...]"
            node.error("UNEXPECTED_AGGREGATION_COLUMN", "Count counts rows and takes no column", key, hint=hint)
    return ["column", "columns"]


def _distinct_columns(node: Node) -> tuple[str, ...]:
    found = node.either("columns", "column")
    columns = node.names(found) if found else ()
    if not columns and (found is None or node.get(found) in (None, [], "")):
        node.error("MISSING_AGGREGATION_COLUMN", "the columns of CountDistinct are missing", hint="add columns: [...]")
    return columns


def read_sliding(node: Node) -> Duration | None:
    """window: {type: TimeSliding, duration: {day: 7}}."""
    if not node.has("window"):
        return None
    inner = node.inner("window", "INVALID_WINDOW", "write window: { type: TimeSliding, duration: { day: 7 } }")
    if inner is None:
        return None
    if inner.get("type") != "TimeSliding":
        inner.error(
            "INVALID_WINDOW", "a window is of type TimeSliding", *(("type",) if inner.has("type") else ()), hint="type: TimeSliding"
        )
    inner.close(("type", "duration"))
    return read_fixed_duration(inner, "duration")


def read_steps(node: Node) -> tuple[Step, ...] | None:
    """The steps of a sequence: each a source, perhaps a filter, and from the second on how soon it must follow."""
    value = node.get("steps")
    if not isinstance(value, list) or len(value) < 2:
        hint = "add steps: [{ source: behavior_a }, { source: behavior_b, within: { day: 7 } }]"
        node.error("INVALID_SEQUENCE", "a sequence needs at least two steps", *(("steps",) if "steps" in node.value else ()), hint=hint)
        value = value if isinstance(value, list) else []
    steps = [_step(node, item, index) for index, item in enumerate(value)]
    found = tuple(step for step in steps if step is not None)
    return found if len(found) == len(value) >= 2 else None


def _step(node: Node, value: Any, index: int) -> Step | None:
    if not isinstance(value, dict):
        node.error(
            "INVALID_SEQUENCE", f"a step must be a mapping, not {kind_of(value)}", "steps", index, hint="write { source: behavior_... }"
        )
        return None
    inner = node.shut(value, node.at("steps", index))
    behavior = read_source(inner)
    rows = read_filter(inner)
    within = read_fixed_duration(inner, "within") if inner.has("within") else None
    broken = inner.has("within") and within is None
    if index == 0 and inner.has("within"):
        inner.error("INVALID_SEQUENCE", "the first step follows nothing: it has no within", "within", hint="move it to the second step")
        broken = True
    inner.close(("source", "filter", "timeWindow", "within"))
    return Step(behavior, rows, within) if behavior and not broken else None
