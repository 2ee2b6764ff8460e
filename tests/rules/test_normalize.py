from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.foundation.calendar import Duration
from kohort.rules.ast import (
    EVERYBODY,
    Aggregation,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    Condition,
    Extras,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operator,
    Order,
    ReferenceCondition,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    TimeWithin,
)
from kohort.rules.canonical import text_of
from kohort.rules.normal_operators import normal_duration, normal_operator
from kohort.rules.normalize import NOBODY, meaning, normalize
from kohort.testing.trees import rules


def attribute(name: str, value: int = 1, **options: object) -> AttributeCondition:
    return AttributeCondition(name, Comparison("Equal", value), **options)  # type: ignore[arg-type]


A, B, C = attribute("a"), attribute("b"), attribute("c")
DAYS_7, WEEK = Duration.of(7, "day"), Duration.of(1, "week")


@given(rules())
def test_normalizing_twice_changes_nothing(rule: Group) -> None:
    once = normalize(rule)
    assert text_of(normalize(once)) == text_of(once)


def shuffled(condition: Condition, draw: st.DataObject) -> Condition:
    """The same meaning written otherwise: other order, other descriptions, groups around parts, repeats."""
    if isinstance(condition, Group):
        parts = tuple(shuffled(part, draw) for part in condition.conditions)
        if condition.match != "expr":
            parts = tuple(draw.draw(st.permutations(parts)))
            parts += parts[: draw.draw(st.integers(0, 1))]
        condition = replace(condition, conditions=parts)
    condition = replace(condition, description=draw.draw(st.sampled_from(["", "note"])), extras=condition.extras)
    wraps = draw.draw(st.integers(0, 3))
    if wraps == 1:
        return Group("any", (condition,))
    if wraps == 2:
        return Group("all", (Group("all", (condition,), exclude=True),), exclude=True)
    return condition


@given(rules(), st.data())
def test_order_and_wrapping_mean_nothing(rule: Group, data: st.DataObject) -> None:
    other = shuffled(rule, data)
    assert meaning(other if isinstance(other, Group) else Group("all", (other,))) == meaning(rule)


@settings(max_examples=50)
@given(rules())
def test_the_complement_of_the_complement_is_the_rule(rule: Group) -> None:
    turned = Group("all", (rule,), exclude=True)
    assert meaning(Group("any", (turned,), exclude=True)) == meaning(rule)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Group("expr", (A, B, C), "(A and B) or C"), Group("any", (C, Group("all", (B, A))))),
        (Group("all", (A, Group("all", (B, Group("all", (C,)))))), Group("all", (C, B, A))),
        (Group("all", (A, B), exclude=True), Group("any", (replace(A, exclude=True), replace(B, exclude=True)))),
        (Group("any", (A, EVERYBODY)), EVERYBODY),
        (Group("all", (A, Group("any", ()))), NOBODY),
        (Group("all", (), exclude=True), NOBODY),
        (Group("all", (A,), limit=Limit("Count", 5)), Group("all", (replace(A, limit=Limit("Count", 5.0)),))),
        (Group("all", (replace(A, extras=Extras.of({"leftValue.visibility": "clear"})),)), Group("all", (A,))),
        (Group("all", (NOBODY, A), limit=Limit("Count", 5)), NOBODY),
    ],
)
def test_equal_meanings(one: Group, other: Group) -> None:
    assert normalize(one) == normalize(other)
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Group("all", (A, B)), Group("any", (A, B))),
        (Group("all", (A,)), Group("all", (replace(A, exclude=True),))),
        (Group("all", (A,)), Group("all", (AttributeCondition("a", Comparison("Equal", True)),))),
        (Group("all", (A,)), Group("all", (AttributeCondition("a", Comparison("Equal", "1")),))),
        (Group("all", (A,), exclude=True), Group("all", (AttributeCondition("a", Comparison("Equal", 1, negated=True)),))),
        (Group("all", (A, B), limit=Limit("Count", 5)), Group("all", (replace(A, limit=Limit("Count", 5)), B))),
        (
            Group("all", (replace(A, limit=Limit("Count", 5)),), exclude=True),
            Group("all", (replace(A, exclude=True, limit=Limit("Count", 5)),)),
        ),
        (Group("all", (ReferenceCondition("x"),)), Group("all", (ReferenceCondition("y"),))),
    ],
)
def test_different_meanings_stay_different(one: Group, other: Group) -> None:
    assert meaning(one) != meaning(other)


def test_an_order_by_aggregate_stays_with_its_condition() -> None:
    """On a group it is a mistake that must not become sound by moving into the condition."""
    condition = BehaviorCondition("e", Aggregation(), Comparison("Greater", 1))
    rule = Group("all", (condition,), limit=Limit("Count", 5, (Order("", True),)))
    assert normalize(rule) == rule


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (In((3, 1, 1.0, 2)), In((1, 2, 3))),
        (In(("x",), negated=True), Comparison("Equal", "x", negated=True)),
        (TextMatch("Contain", ("b", "a", "b")), TextMatch("Contain", ("a", "b"))),
        (Comparison("Greater", 5.0, negated=True), Comparison("LessEqual", 5)),
        (Between(1, None), Comparison("GreaterEqual", 1)),
        (Between(None, 3, negated=True), Comparison("Greater", 3)),
        (Between(2, 2.0), Comparison("Equal", 2)),
        (Between(Ago(Duration.of(1, "day")), Ago(WEEK)), Between(Ago(WEEK), Ago(Duration.of(1, "day")))),
        (Between(Ahead(DAYS_7), Ahead(Duration.of(14, "day"))), TimeInBetweenNext(WEEK, Duration.of(2, "week"))),
        (TimeWithin("TimeWithinPast", 14, "day"), TimeWithin("TimeWithinPast", 2, "week")),
        (TimeWithin("TimeWithinPast", 4, "quarter"), TimeWithin("TimeWithinPast", 1, "year")),
        (TimeRange(None, "month"), TimeCalendar("TimeThis", "month")),
        (IsNull(), IsNull()),
    ],
)
def test_operators(written: Operator, normal: Operator) -> None:
    assert normal_operator(written) == normal


def test_durations_keep_calendar_and_fixed_parts_apart() -> None:
    assert normal_duration(Duration((("month", 1), ("day", 30)))).parts == (("month", 1), ("day", 30))
    assert normal_duration(Duration.of(30, "day")) != normal_duration(Duration.of(1, "month"))
    assert normal_duration(Duration.of(0, "year")).parts == (("second", 0),)


def test_exclude_and_not_are_exchanged_only_where_no_null_can_be() -> None:
    at_least_one = Comparison("GreaterEqual", 1)
    none = BehaviorCondition("e", Aggregation(), Comparison("Less", 1))
    assert normalize(Group("all", (BehaviorCondition("e", Aggregation(), at_least_one, exclude=True),))) == Group("all", (none,))
    for kept in (
        BehaviorCondition("e", Aggregation(grouping=("k",)), at_least_one, exclude=True),
        BehaviorCondition("e", Aggregation(), at_least_one, sliding=WEEK, exclude=True),
        BehaviorCondition("e", Aggregation("Sum", ("v",)), at_least_one, exclude=True),
    ):
        assert normalize(Group("all", (kept,))) == Group("all", (kept,))
    assert normalize(Group("all", (AttributeCondition("a", IsNull(), exclude=True),))) == Group(
        "all", (AttributeCondition("a", IsNull(negated=True)),)
    )


def test_filters() -> None:
    color, size = ColumnCondition("color", In(("b", "a"))), ColumnCondition("size", Comparison("Equal", 1))
    late = ColumnCondition("timestamp", Comparison("Less", 5), exclude=True)
    nested = FilterGroup("all", (size, FilterGroup("all", (color, size)), late))

    def with_filter(rows: FilterGroup | None) -> Group:
        return Group("all", (BehaviorCondition("e", Aggregation(), Comparison("Greater", 1), rows),))

    parts = (ColumnCondition("color", In(("a", "b"))), size, ColumnCondition("timestamp", Comparison("GreaterEqual", 5)))
    assert normalize(with_filter(nested)) == with_filter(FilterGroup("all", parts))
    assert normalize(with_filter(FilterGroup("all", (FilterGroup("all", ()),)))) == with_filter(None)
    assert normalize(with_filter(FilterGroup("any", (size,), exclude=True))) == with_filter(
        FilterGroup("all", (replace(size, exclude=True),))
    )


def test_array_matching() -> None:
    def matched(matching: ArrayMatching | None) -> str:
        return meaning(Group("all", (attribute("tags", array_matching=matching),)))

    assert matched(None) == matched(ArrayMatching("any")) == matched(ArrayMatching("at_least", 1))
    assert matched(ArrayMatching("exactly", 0)) == matched(ArrayMatching("at_most", 0))
    assert matched(ArrayMatching("all")) != matched(None)


def test_a_broken_expression_is_kept() -> None:
    broken = Group("expr", (A, B), "A  and")
    assert normalize(broken) == Group("expr", (A, B), "A and")
    assert normalize(Group("all", (broken,), exclude=True)) == Group("expr", (A, B), "A and", exclude=True)
