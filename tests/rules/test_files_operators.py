"""Operators, array matching and aggregations as files print them, in both dialects."""

from __future__ import annotations

import pytest

from kohort.foundation.calendar import Duration
from kohort.rules.ast import (
    Aggregation,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    Comparison,
    In,
    IsNull,
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
from tests.rules.written import json_rule, only, yaml_rule

OPERATORS: list[tuple[str, str, Operator]] = [
    ("{ type: Equal, value: Gold }", '{"type":"Equal","rightValue":"Gold"}', Comparison("Equal", "Gold")),
    ("{ type: Equal, value: true }", '{"type":"Equal","rightValue":true}', Comparison("Equal", True)),
    ("{ type: Equal, value: null }", '{"type":"Equal","rightValue":null}', IsNull()),
    ("{ type: NotEqual, value: null }", '{"type":"Equal","not":true,"rightValue":null}', IsNull(negated=True)),
    ("{ type: NotEqual, value: 5 }", '{"type":"Equal","not":true,"rightValue":5}', Comparison("Equal", 5, negated=True)),
    ("{ type: NotEqual, not: true, value: 5 }", '{"type":"Equal","rightValue":5}', Comparison("Equal", 5)),
    (
        "{ type: Less, value: { timestamp: 2024-01-31 } }",
        '{"type":"Less","rightValue":{"timestamp":"2024-01-31"}}',
        Comparison("Less", Timestamp("2024-01-31")),
    ),
    (
        "{ type: LessEqual, value: { last: 30, unit: day } }",
        '{"type":"LessEqual","rightValue":{"last":30,"unit":"day"}}',
        Comparison("LessEqual", Ago(Duration.of(30, "day"))),
    ),
    (
        "{ type: GreaterEqual, value: { next: { day: 1, hour: 2 } } }",
        '{"type":"GreaterEqual","rightValue":{"next":{"hour":2,"day":1}}}',
        Comparison("GreaterEqual", Ahead(Duration((("day", 1), ("hour", 2))))),
    ),
    ("{ type: Between, min: 1, max: 2.5 }", '{"type":"Between","minValue":1,"maxValue":2.5}', Between(1, 2.5)),
    ("{ type: Between, min: 1 }", '{"type":"Between","minValue":1,"maxValue":null}', Between(1, None)),
    (
        "{ type: Between, max: { last: 1, unit: day }, not: true }",
        '{"type":"Between","maxValue":{"last":1,"unit":"day"},"not":true}',
        Between(None, Ago(Duration.of(1, "day")), negated=True),
    ),
    ('{ type: In, value: ["US", 1] }', '{"type":"In","rightValues":["US",1]}', In(("US", 1))),
    ("{ type: In, value: US }", '{"type":"In","rightValue":"US"}', In(("US",))),
    ("{ type: NotIn, value: [1] }", '{"type":"In","not":true,"rightValues":[1]}', In((1,), negated=True)),
    ("{ type: NotIn, not: true, value: [1] }", '{"type":"In","rightValues":[1]}', In((1,))),
    ("{ type: Contain, value: [a, b] }", '{"type":"Contain","rightValues":["a","b"]}', TextMatch("Contain", ("a", "b"))),
    ("{ type: StartWith, value: [a] }", '{"type":"StartWith","rightValues":["a"]}', TextMatch("StartWith", ("a",))),
    ("{ type: EndWith, not: true, value: [a] }", '{"type":"EndWith","not":true,"rightValues":["a"]}', TextMatch("EndWith", ("a",), True)),
    ("{ type: Regexp, value: ^a }", '{"type":"Regexp","rightValue":"^a"}', Regexp("^a")),
    ("{ type: IsNull }", '{"type":"IsNull","rightValue":""}', IsNull()),
    (
        "{ type: TimeWithinPast, value: 30, unit: day }",
        '{"type":"TimeWithinPast","value":30,"unit":"day"}',
        TimeWithin("TimeWithinPast", 30, "day"),
    ),
    (
        "{ type: TimeWithinNext, value: 1, unit: quarter, not: true }",
        '{"type":"TimeWithinNext","value":1,"unit":"quarter","not":true}',
        TimeWithin("TimeWithinNext", 1, "quarter", True),
    ),
    (
        "{ type: TimeRange, duration: { day: 7 }, from: { last: 1, unit: month } }",
        '{"type":"TimeRange","duration":{"day":7},"from":{"last":1,"unit":"month"},"not":false,"reverse":false}',
        TimeRange(Duration.of(7, "day"), Ago(Duration.of(1, "month"))),
    ),
    (
        "{ type: TimeRange, duration: { duration: 7, unit: day }, from: { last: { day: 2 } }, reverse: true }",
        '{"type":"TimeRange","duration":{"day":7},"from":{"last":2,"unit":"day"},"reverse":true}',
        TimeRange(Duration.of(7, "day"), Ago(Duration.of(2, "day")), reverse=True),
    ),
    ("{ type: TimeRange, from: { unit: month } }", '{"type":"TimeRange","from":{"unit":"month"}}', TimeRange(None, "month")),
    (
        "{ type: TimeRange, duration: { week: 1 }, from: { unit: year } }",
        '{"type":"TimeRange","duration":{"week":1},"from":{"unit":"year"}}',
        TimeRange(Duration.of(1, "week"), "year"),
    ),
    ("{ type: TimeToday }", '{"type":"TimeToday"}', TimeToday()),
    ("{ type: TimeTodayAndBeyond, not: true }", '{"type":"TimeTodayAndBeyond","not":true}', TimeToday("TimeTodayAndBeyond", True)),
    ("{ type: TimeThis, from: { unit: week } }", '{"type":"TimeThis","from":{"unit":"week"}}', TimeCalendar("TimeThis", "week")),
    ("{ type: TimeThis, unit: week }", '{"type":"TimeThis","unit":"week"}', TimeCalendar("TimeThis", "week")),
    ("{ type: TimeLast, from: { unit: month } }", '{"type":"TimeLast","from":{"unit":"month"}}', TimeCalendar("TimeLast", "month")),
    ("{ type: TimeNext, from: { unit: day } }", '{"type":"TimeNext","from":{"unit":"day"}}', TimeCalendar("TimeNext", "day")),
    (
        "{ type: TimeInBetweenNext, from: { next: 1, unit: day }, to: { next: 5, unit: day } }",
        '{"type":"TimeInBetweenNext","from":{"next":1,"unit":"day"},"to":{"next":{"day":5}}}',
        TimeInBetweenNext(Duration.of(1, "day"), Duration.of(5, "day")),
    ),
]


@pytest.mark.parametrize(("written", "in_json", "operator"), OPERATORS, ids=[row[0] for row in OPERATORS])
def test_operator_in_both_dialects(written: str, in_json: str, operator: Operator) -> None:
    expected = AttributeCondition("a", operator)
    assert only(yaml_rule(f"{{ type: Value, attribute: a, operator: {written} }}")) == expected
    assert only(yaml_rule(f"{{ type: Value, attribute: a, operator: {written} }}", "json")) == expected
    found = json_rule(f'{{"type":"Value","leftValue":{{"name":"a"}},"operator":{in_json}}}')
    assert only(found) == expected
    assert not found[1]


def test_array_matching() -> None:
    written = {
        "null": None,
        "any": ArrayMatching("any"),
        "all": ArrayMatching("all"),
        "{ atLeast: 2 }": ArrayMatching("at_least", 2),
        "{ atMost: 0 }": ArrayMatching("at_most", 0),
        "{ exactly: 3 }": ArrayMatching("exactly", 3),
    }
    for text, matching in written.items():
        found = only(yaml_rule(f"{{ type: Value, attribute: tags, operator: {{ type: Equal, value: x }}, arrayMatching: {text} }}"))
        assert found == AttributeCondition("tags", Comparison("Equal", "x"), matching)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ type: Count }", Aggregation()),
        ("{ type: Count, groupingColumns: [sku] }", Aggregation("Count", grouping=("sku",))),
        ("{ type: CountDistinct, columns: [a, b] }", Aggregation("CountDistinct", ("a", "b"))),
        ("{ type: CountDistinct, column: a }", Aggregation("CountDistinct", ("a",))),
        ("{ type: Average, column: a, groupingColumns: [b, c] }", Aggregation("Average", ("a",), ("b", "c"))),
        ("{ type: Min, column: a }", Aggregation("Min", ("a",))),
        ("{ type: First, column: a }", Aggregation("First", ("a",))),
        ("{ type: Last, column: a, orderColumn: n }", Aggregation("Last", ("a",), order_column="n")),
    ],
)
def test_aggregations(written: str, expected: Aggregation) -> None:
    found = only(
        yaml_rule(
            f"{{ type: Value, attribute: '', source: behavior_x, aggregation: {written}, filter: {{}}, operator: {{ type: IsNull }} }}",
        )
    )
    assert found == BehaviorCondition("x", expected, IsNull())
