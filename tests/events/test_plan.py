"""Planned rows are the rows of `rows_of`, for any call, in any order, with any memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.events.model import RUDDERSTACK_RULES, SEGMENT_RULES, Call, Row, SourceRules
from kohort.events.plan import Planner
from kohort.events.rows import rows_of
from tests.events.messages import ANY, GOOD, decoded, good_calls, nearly_calls, one_call

RULES = [SEGMENT_RULES, RUDDERSTACK_RULES, SourceRules(max_columns=2), SourceRules("rudderstack", max_columns=3)]


def _planned(planner: Planner, call: Call) -> list[Row]:
    rows = []
    for shape, values in planner.rows(call):
        assert len(shape.columns) == len(values) == len(set(shape.columns))
        rows.append(Row(shape.table, {column: value for column, value in zip(shape.columns, values, strict=True) if value is not None}))
    return rows


def _comparable(rows: Any) -> list[Any]:
    """1, 1.0 and True differ here; discards may come in any order."""
    return sorted((row.table, sorted((column, repr(value)) for column, value in row.columns.items())) for row in rows)


@settings(ANY, max_examples=100)
@given(st.lists(good_calls | nearly_calls, max_size=4), st.sampled_from(RULES), st.sampled_from([1, 2, 100]))
def test_planned_rows_are_the_obvious_ones(messages: list[Any], rules: SourceRules, limit: int) -> None:
    planner = Planner(rules, limit)
    for call in decoded(*messages, *messages, rules=rules).calls:
        rows = rows_of(call, rules)
        planned = _planned(planner, call)
        assert _comparable(planned) == _comparable(rows)
        assert [row.table for row in planned] == [row.table for row in rows]


def test_calls_of_one_shape_share_their_tables() -> None:
    planner = Planner(SEGMENT_RULES)
    one, other = (one_call(GOOD["track"] | {"properties": {"plan": plan, "seats": [1]}}) for plan in ("Pro", None))
    shapes = [[shape for shape, _ in planner.rows(call)] for call in (one, other)]
    assert shapes[0] == shapes[1]
    assert [shape.table for shape in shapes[0]] == ["tracks", "signed_up"]
    assert dict(zip(shapes[1][1].columns, planner.rows(other)[1][1], strict=True))["plan"] is None


def test_shapes_that_only_differ_in_nesting_are_kept_apart() -> None:
    planner = Planner(SEGMENT_RULES)
    for properties in ({"a": {"b": 1}, "c": 2}, {"a": {"b": 1, "c": 2}}, {"a": 1, "b": {"c": 2}}, {"a": {}, "b": 1, "c": 2}):
        call = one_call(GOOD["track"] | {"properties": properties})
        assert _comparable(_planned(planner, call)) == _comparable(rows_of(call, SEGMENT_RULES))


@pytest.mark.parametrize("limit", [1, 3])
def test_the_memory_is_bounded(limit: int) -> None:
    planner = Planner(SEGMENT_RULES, limit)
    for number in range(20):
        planner.rows(one_call(GOOD["track"] | {"event": f"Event {number}"}))
    assert len(planner._plans) == limit
    assert planner._weight_bytes == sum(plan.weight_bytes for plan in planner._plans.values())
    assert len(planner._shapes) <= 2 * limit + 2


def test_the_shape_used_last_is_remembered() -> None:
    planner = Planner(SEGMENT_RULES, 2)
    used, *others = (one_call(GOOD["track"] | {"event": f"Event {number}"}) for number in range(4))
    first = planner.rows(used)[1][0]
    for other in others:
        planner.rows(other)
        assert planner.rows(used)[1][0] is first
