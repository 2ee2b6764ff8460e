from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from kohort.foundation.calendar import Duration
from kohort.foundation.issues import path_text
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.ast import (
    Aggregation,
    Ago,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    Condition,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operator,
    Order,
    ReferenceCondition,
    Regexp,
    SequenceCondition,
    Step,
    TextMatch,
    TimeRange,
    Timestamp,
    TimeWithin,
)
from kohort.rules.check import check_rule
from kohort.testing.trees import rules

CATALOG = FieldCatalog(
    attributes=(
        Field("lifetime_value", "number", "float64"),
        Field("age", "number", "int64"),
        Field("tier", "string", "text"),
        Field("active", "boolean", "boolean"),
        Field("seen", "timestamp", "timestamp"),
        Field("birthday", "date", "date"),
        Field("tags", "string_array", "text_array"),
        Field("scores", "number_array", "float64_array"),
        Field("ssn", "string", "text", visibility="blocked"),
    ),
    behaviors=(
        Behavior(
            "purchase",
            (
                Field("amount", "number", "decimal", scale=2),
                Field("category", "string", "text"),
                Field("labels", "string_array", "text_array"),
                Field("card", "string", "text", visibility="blocked"),
            ),
        ),
        Behavior("email_open", ()),
    ),
)
ONE = Comparison("Equal", 1)


def problems(*conditions: Condition, **options: Any) -> list[tuple[str, str, str]]:
    """(code, path, hint) of every issue of a rule."""
    issues = check_rule(Group("all", conditions), CATALOG, **options)
    return [(issue.code, path_text(issue.path), issue.hint) for issue in issues]


def of_attribute(name: str, operator: Operator, matching: ArrayMatching | None = None) -> list[tuple[str, str, str]]:
    return problems(AttributeCondition(name, operator, matching))


def purchase(aggregation: Aggregation, operator: Operator = ONE, **options: Any) -> BehaviorCondition:
    return BehaviorCondition("purchase", aggregation, operator, **options)


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("lifetime_value", Comparison("Greater", 1000)),
        ("lifetime_value", In((1, 2.5))),
        ("tier", Comparison("Greater", "A")),
        ("tier", Between("A", "M")),
        ("tier", Regexp("^G.*d$")),
        ("tier", TextMatch("Contain", ("",))),
        ("active", Comparison("Equal", True)),
        ("seen", Comparison("GreaterEqual", "2024-01-31")),
        ("seen", Comparison("Less", Timestamp("2024-01-31T10:00:00+09:00"))),
        ("seen", In((1_700_000_000, "2024-01-31"))),
        ("seen", Between(Ago(Duration.of(5, "day")), Ago(Duration.of(1, "day")))),
        ("birthday", TimeWithin("TimeWithinNext", 7, "day")),
        ("birthday", IsNull()),
        ("tags", Comparison("Equal", "vip")),
        ("scores", Between(1, 2)),
    ],
)
def test_sound_conditions(name: str, operator: Operator) -> None:
    assert of_attribute(name, operator) == []


@pytest.mark.parametrize(
    ("name", "operator", "code", "path", "hint"),
    [
        ("lifetime_value", TextMatch("Contain", ("1",)), "OPERATOR_TYPE_MISMATCH", "operator.type", "Greater"),
        ("tier", TimeWithin("TimeWithinPast", 1, "day"), "OPERATOR_TYPE_MISMATCH", "operator.type", "Contain"),
        ("active", Comparison("Greater", True), "OPERATOR_TYPE_MISMATCH", "operator.type", "Equal"),
        ("age", Comparison("Equal", "abc"), "INVALID_VALUE", "operator.value", "give a number"),
        ("age", Comparison("Equal", "12"), "INVALID_VALUE", "operator.value", "remove the quotes: 12"),
        ("age", Comparison("Equal", True), "INVALID_VALUE", "operator.value", "give a number"),
        ("age", Comparison("Equal", float("nan")), "INVALID_VALUE", "operator.value", "give a number"),
        ("age", In((1, "x", 3)), "INVALID_VALUE", "operator.value[1]", "give a number"),
        ("age", In(()), "MISSING_OPERATOR_VALUE", "operator.value", "at least one"),
        ("age", Between(None, None), "MISSING_BETWEEN_BOUNDS", "operator", ""),
        ("age", Between(1, "x"), "INVALID_VALUE", "operator.max", "give a number"),
        ("age", Between(5, 1), "EMPTY_RANGE", "operator", "swap"),
        ("age", Comparison("Greater", Ago(Duration.of(1, "day"))), "INVALID_VALUE", "operator.value", "plain value"),
        ("tier", Comparison("Equal", 12), "INVALID_VALUE", "operator.value", 'in quotes: "12"'),
        ("tier", Comparison("Equal", True), "INVALID_VALUE", "operator.value", 'in quotes: "true"'),
        ("tier", Regexp("(?<=a)b"), "INVALID_REGEXP", "operator.value", "RE2"),
        ("tier", Regexp("a(b"), "INVALID_REGEXP", "operator.value", "RE2"),
        ("active", Comparison("Equal", "True"), "INVALID_VALUE", "operator.value", "remove the quotes: true"),
        ("active", Comparison("Equal", 1), "INVALID_VALUE", "operator.value", "true or false"),
        ("seen", Comparison("Equal", "yesterday"), "INVALID_TIMESTAMP", "operator.value", "2024-01-31"),
        ("seen", Comparison("Equal", Timestamp("2024-02-30")), "INVALID_TIMESTAMP", "operator.value", "2024-01-31"),
        ("seen", Comparison("Equal", 1.5), "INVALID_VALUE", "operator.value", "unix seconds"),
        ("seen", Comparison("Equal", 10**20), "INVALID_VALUE", "operator.value", "unix seconds"),
        ("seen", Between("2024-02-01", "2024-01-01"), "EMPTY_RANGE", "operator", "swap"),
        ("seen", TimeRange(None, Ago(Duration.of(1, "day"))), "MISSING_OPERATOR_VALUE", "operator.duration", "duration"),
        ("seen", TimeWithin("TimeWithinPast", 0, "day"), "INVALID_VALUE", "operator.value", ""),
        ("lifetme_value", ONE, "UNKNOWN_ATTRIBUTE", "attribute", 'did you mean "lifetime_value"?'),
        ("purchase", ONE, "UNKNOWN_ATTRIBUTE", "attribute", "source: behavior_purchase"),
        ("behavior_purchase", ONE, "UNKNOWN_ATTRIBUTE", "attribute", "source: behavior_purchase"),
        ("ssn", Comparison("Equal", "x"), "BLOCKED_FIELD", "attribute", "owner"),
    ],
)
def test_attribute_problems(name: str, operator: Operator, code: str, path: str, hint: str) -> None:
    found = of_attribute(name, operator)
    assert [(issue[0], issue[1]) for issue in found] == [(code, f"conditions[0].{path}")]
    assert hint in found[0][2]


def test_array_matching() -> None:
    assert of_attribute("tags", Comparison("Equal", "a"), ArrayMatching("at_least", 2)) == []
    assert of_attribute("tier", Comparison("Equal", "a"), ArrayMatching("any"))[0][:2] == (
        "INVALID_ARRAY_MATCHING",
        "conditions[0].arrayMatching",
    )


@pytest.mark.parametrize(
    ("condition", "code", "path", "hint"),
    [
        (BehaviorCondition("purchse", Aggregation(), ONE), "UNKNOWN_BEHAVIOR", "source", 'did you mean "purchase"?'),
        (BehaviorCondition("tier", Aggregation(), ONE), "UNKNOWN_BEHAVIOR", "source", "attribute: tier"),
        (purchase(Aggregation("Sum", ("amuont",))), "UNKNOWN_COLUMN", "aggregation.column", 'did you mean "amount"?'),
        (purchase(Aggregation("Sum", ("category",))), "AGGREGATION_TYPE_MISMATCH", "aggregation.column", "Count"),
        (purchase(Aggregation("Max", ("labels",))), "AGGREGATION_TYPE_MISMATCH", "aggregation.column", ""),
        (purchase(Aggregation("Sum")), "MISSING_AGGREGATION_COLUMN", "aggregation.column", "amount"),
        (purchase(Aggregation("CountDistinct")), "MISSING_AGGREGATION_COLUMN", "aggregation.columns", "amount"),
        (purchase(Aggregation("Min", ("category",))), "INVALID_VALUE", "operator.value", "in quotes"),
        (purchase(Aggregation("Min", ("card",)), Comparison("Equal", "x")), "BLOCKED_FIELD", "aggregation.column", ""),
        (purchase(Aggregation(grouping=("sku",))), "UNKNOWN_COLUMN", "aggregation.groupingColumns", "known"),
        (purchase(Aggregation(grouping=("labels",))), "AGGREGATION_TYPE_MISMATCH", "aggregation.groupingColumns", ""),
        (purchase(Aggregation(), TextMatch("Contain", ("1",))), "OPERATOR_TYPE_MISMATCH", "operator.type", "Greater"),
        (purchase(Aggregation(), sliding=Duration.of(1, "month")), "INVALID_DURATION", "window.duration", "weeks"),
        (purchase(Aggregation(), sliding=Duration.of(0, "day")), "INVALID_DURATION", "window.duration", ""),
        (purchase(Aggregation(), limit=Limit("Count", 0)), "INVALID_LIMIT", "limit.number", "1 or more"),
        (purchase(Aggregation(), limit=Limit("Percent", 101)), "INVALID_LIMIT", "limit.number", "up to 100"),
        (purchase(Aggregation(), limit=Limit("Count", 1, (Order("agee"),))), "UNKNOWN_ATTRIBUTE", "limit.orderColumns[0].column", "age"),
        (purchase(Aggregation(), limit=Limit("Count", 1, (Order("tags"),))), "INVALID_LIMIT", "limit.orderColumns[0].column", ""),
        (
            purchase(Aggregation(grouping=("category",)), limit=Limit("Count", 1, (Order(),))),
            "INVALID_LIMIT",
            "limit.orderColumns[0]",
            "",
        ),
        (AttributeCondition("age", ONE, limit=Limit("Count", 1, (Order(),))), "INVALID_LIMIT", "limit.orderColumns[0]", "attribute"),
        (AttributeCondition("industry", ONE, customer_group="accounts"), "UNKNOWN_CUSTOMER_GROUP", "attribute", ""),
        (ReferenceCondition("7", "PredictiveScore"), "UNSUPPORTED_REFERENCE", "segment", ""),
        (SequenceCondition((Step("purchase"),)), "INVALID_SEQUENCE", "steps", "step"),
        (
            SequenceCondition((Step("purchase"), Step("purchase", within=Duration.of(1, "year")))),
            "INVALID_DURATION",
            "steps[1].within",
            "weeks",
        ),
        (SequenceCondition((Step("purchase"), Step("email_opn"))), "UNKNOWN_BEHAVIOR", "steps[1].source", "email_open"),
        (Group("expr", (AttributeCondition("age", ONE),), "A and B"), "EXPR_UNKNOWN_IDENTIFIER", "expr", "A"),
    ],
)
def test_condition_problems(condition: Condition, code: str, path: str, hint: str) -> None:
    found = problems(condition)
    assert [(issue[0], issue[1]) for issue in found] == [(code, f"conditions[0].{path}")]
    assert hint in found[0][2]


def test_filters_are_checked_in_depth() -> None:
    rows = FilterGroup(
        "all",
        (
            ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 30, "day")),
            ColumnCondition("time", Comparison("Less", "2024-01-31")),
            FilterGroup("any", (ColumnCondition("amount", Comparison("Greater", "10")), ColumnCondition("colour", ONE))),
        ),
    )
    found = problems(purchase(Aggregation(), filter=rows))
    assert [(code, path) for code, path, _ in found] == [
        ("INVALID_VALUE", "conditions[0].filter.conditions[2].conditions[0].operator.value"),
        ("UNKNOWN_COLUMN", "conditions[0].filter.conditions[2].conditions[1].column"),
    ]


def test_references() -> None:
    known = ["Marketing/VIP", "Churned"]
    assert problems(ReferenceCondition("anything")) == []
    assert problems(ReferenceCondition("VIP"), ReferenceCondition("Marketing/VIP"), segments=known) == []
    [(code, path, hint)] = problems(ReferenceCondition("Churnd"), segments=known)
    assert (code, path, hint) == ("MISSING_SEGMENT_REFERENCE", "conditions[0].segment", 'did you mean "Churned"?')


def test_all_problems_at_once_under_the_given_path() -> None:
    conditions = (AttributeCondition("nope", ONE), purchase(Aggregation("Sum", ("nope",))), ReferenceCondition("nope"))
    issues = check_rule(Group("any", conditions), CATALOG, [], ("rule",))
    assert issues.codes() == ["UNKNOWN_ATTRIBUTE", "UNKNOWN_COLUMN", "MISSING_SEGMENT_REFERENCE"]
    assert path_text(issues.items[1].path) == "rule.conditions[1].aggregation.column"


@settings(max_examples=60)
@given(rules())
def test_any_tree_can_be_checked(rule: Group) -> None:
    for issue in check_rule(rule, CATALOG, ["VIP"]):
        assert issue.code
        assert issue.message
