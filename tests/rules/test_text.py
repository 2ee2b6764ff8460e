"""The text form of rules: what a person types, what it means, what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

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
    FilterCondition,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operator,
    Order,
    ReferenceCondition,
    Regexp,
    Rule,
    SequenceCondition,
    Step,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.text import write_rule
from kohort.testing.trees import rules
from tests.rules.texts import CATALOG, rule_of

DAY, MONTH = Duration.of(1, "day"), Duration.of(1, "month")
PAST_30 = TimeWithin("TimeWithinPast", 30, "day")
ONCE = Comparison("GreaterEqual", 1)


def attribute(name: str, operator: Operator, matching: ArrayMatching | None = None) -> AttributeCondition:
    return AttributeCondition(name, operator, matching)


def equal(name: str, value: str | int = 1) -> AttributeCondition:
    return AttributeCondition(name, Comparison("Equal", value))


def behavior(
    name: str, *conditions: FilterCondition, operator: Operator = ONCE, aggregation: Aggregation | None = None
) -> BehaviorCondition:
    rows = FilterGroup("all", conditions) if conditions else None
    return BehaviorCondition(name, aggregation or Aggregation(), operator, rows)


def time(operator: Operator) -> ColumnCondition:
    return ColumnCondition("timestamp", operator)


def column(name: str, value: str | int = 1) -> ColumnCondition:
    return ColumnCondition(name, Comparison("Equal", value))


PRINTED: dict[str, tuple[Condition, ...]] = {
    "lifetime_value > 1000": (attribute("lifetime_value", Comparison("Greater", 1000)),),
    "loyalty_tier = 'Gold'": (equal("loyalty_tier", "Gold"),),
    "lifetime_value > 1000 and loyalty_tier = 'Gold'": (
        attribute("lifetime_value", Comparison("Greater", 1000)),
        equal("loyalty_tier", "Gold"),
    ),
    "purchase in last 30 days": (behavior("purchase", time(PAST_30)),),
    "email_open count > 3 this month": (
        behavior("email_open", time(TimeCalendar("TimeThis", "month")), operator=Comparison("Greater", 3)),
    ),
    "purchase sum(amount) >= 500 in last 90 days where category = 'Electronics' and amount > 10": (
        behavior(
            "purchase",
            time(TimeWithin("TimeWithinPast", 90, "day")),
            column("category", "Electronics"),
            ColumnCondition("amount", Comparison("Greater", 10)),
            operator=Comparison("GreaterEqual", 500),
            aggregation=Aggregation("Sum", ("amount",)),
        ),
    ),
    "not purchase in last 1 year and (country in ('US', 'CA') or email ends with '.jp')": (
        BehaviorCondition(
            "purchase", Aggregation(), ONCE, FilterGroup("all", (time(TimeWithin("TimeWithinPast", 1, "year")),)), exclude=True
        ),
        Group("any", (attribute("country", In(("US", "CA"))), attribute("email", TextMatch("EndWith", (".jp",))))),
    ),
    "in segment 'Marketing/VIP' and last_purchase_date within past 30 days": (
        ReferenceCondition("Marketing/VIP"),
        attribute("last_purchase_date", PAST_30),
    ),
}


@pytest.mark.parametrize("text", PRINTED)
def test_the_printed_examples_say_what_they_say(text: str) -> None:
    assert rule_of(text) == Group("all", PRINTED[text])
    if text != "not purchase in last 1 year and (country in ('US', 'CA') or email ends with '.jp')":
        assert write_rule(rule_of(text)) == text


OPERATORS: dict[str, Operator] = {
    "= 1": Comparison("Equal", 1),
    "= 1.0": Comparison("Equal", 1.0),
    "= true": Comparison("Equal", True),
    "= '1'": Comparison("Equal", "1"),
    "!= 'it''s'": Comparison("Equal", "it's", negated=True),
    "not > 5": Comparison("Greater", 5, negated=True),
    "<= -0.5": Comparison("LessEqual", -0.5),
    "< 1e+16": Comparison("Less", 1e16),
    ">= timestamp '2024-01-01'": Comparison("GreaterEqual", Timestamp("2024-01-01")),
    "> 30 days ago": Comparison("Greater", Ago(Duration.of(30, "day"))),
    "> 1 day 2 hours ago": Comparison("Greater", Ago(Duration((("day", 1), ("hour", 2))))),
    "< 7 days ahead": Comparison("Less", Ahead(Duration.of(7, "day"))),
    "< now": Comparison("Less", Ago(Duration.of(0, "second"))),
    "between 1 and 5": Between(1, 5),
    "between 1 and *": Between(1, None),
    "not between * and 2.5": Between(None, 2.5, negated=True),
    "between 90 days ago and 30 days ago": Between(Ago(Duration.of(90, "day")), Ago(Duration.of(30, "day"))),
    "in ('a', 1, 1.0, false)": In(("a", 1, 1.0, False)),
    "not in ('a')": In(("a",), negated=True),
    "contains 'x'": TextMatch("Contain", ("x",)),
    "contains any ('x', 'y')": TextMatch("Contain", ("x", "y")),
    "not starts with 'x'": TextMatch("StartWith", ("x",), negated=True),
    "ends with any ('x', 'y')": TextMatch("EndWith", ("x", "y")),
    "matches '^A\\d+$'": Regexp("^A\\d+$"),
    "not matches ''": Regexp("", negated=True),
    "is null": IsNull(),
    "is not null": IsNull(negated=True),
    "within past 30 days": PAST_30,
    "within past 1 hour": TimeWithin("TimeWithinPast", 1, "hour"),
    "not within next 2 quarters": TimeWithin("TimeWithinNext", 2, "quarter", negated=True),
    "within this month": TimeCalendar("TimeThis", "month"),
    "within last month": TimeCalendar("TimeLast", "month"),
    "not within next week": TimeCalendar("TimeNext", "week", negated=True),
    "within today": TimeToday(),
    "within today and beyond": TimeToday("TimeTodayAndBeyond"),
    "within 7 days from 1 month ago": TimeRange(Duration.of(7, "day"), Ago(MONTH)),
    "within 7 days back from 1 month ago": TimeRange(Duration.of(7, "day"), Ago(MONTH), reverse=True),
    "within 7 days from start of month": TimeRange(Duration.of(7, "day"), "month"),
    "not within 1 month 2 days back from start of year": TimeRange(Duration((("month", 1), ("day", 2))), "year", True, True),
    "within current month": TimeRange(None, "month"),
    "within next 1 day to 7 days": TimeInBetweenNext(DAY, Duration.of(7, "day")),
}


@pytest.mark.parametrize("text", OPERATORS)
def test_every_operator_is_read_and_written_back(text: str) -> None:
    rule = Group("all", (attribute("x", OPERATORS[text]),))
    assert rule_of(f"x {text}") == rule
    assert write_rule(rule) == f"x {text}"


SYNONYMS = {
    "tier is 'Gold'": "tier = 'Gold'",
    "tier is not 'Gold'": "tier != 'Gold'",
    'tier == "Gold"': "tier = 'Gold'",
    "tier <> 'Gold'": "tier != 'Gold'",
    "TIER IS NOT NULL": "TIER is not null",
    "tier does not contain 'x'": "tier not contains 'x'",
    "tier begins with 'x'": "tier starts with 'x'",
    "tier is not in ('a', 'b')": "tier not in ('a', 'b')",
    "age at least 18": "age >= 18",
    "age more than 18 and age less than 65": "age > 18 and age < 65",
    "age is between 18 and 65": "age between 18 and 65",
    "signup >= 2024-01-31": "signup >= timestamp '2024-01-31'",
    "signup within the last 30 day": "signup within past 30 days",
    "signup within start of month": "signup within current month",
    "signup within past 1 to 5 days": "signup between 5 days ago and 1 day ago",
    "signup within next 1 to 5 days": "signup within next 1 day to 5 days",
    "signup < 2 hours 1 day from now": "signup < 1 day 2 hours ahead",
    "purchase in the last 30 days": "purchase in last 30 days",
    "purchase in past 30 days": "purchase in last 30 days",
    "purchase last 30 days": "purchase in last 30 days",
    "purchase in this month": "purchase this month",
    "purchase in last month": "purchase last month",
    "purchase in last 30 days count > 3": "purchase count > 3 in last 30 days",
    "purchase > 3 this week": "purchase count > 3 this week",
    "purchase at least 3 times in last 30 days": "purchase count >= 3 in last 30 days",
    "purchase where a = 1 in last 30 days": "purchase in last 30 days where a = 1",
    "purchase where a = 1 count > 3 in any 7 days": "purchase count > 3 in any 7 days where a = 1",
    "purchase count > 3 within today": "purchase count > 3 today",
    "purchase avg(amount) per sku > 3": "purchase average(amount) by sku > 3",
    "purchase since 2024-01-01": "purchase since '2024-01-01'",
    "purchase count >= 1": "purchase",
    "tags only in ('a')": "tags all in ('a')",
    "not in segment VIP": "not in segment 'VIP'",
    "not not a = 1": "a = 1",
    "((a = 1))": "a = 1",
    "(a = 1 and (b = 2))": "a = 1 and b = 2",
    "a = 1 and b = 2 or c = 3": "(a = 1 and b = 2) or c = 3",
    "not (a = 1)": "not a = 1",
    "all()": "everybody",
    "a = 1 limit 5% by b asc": "a = 1 limit 5 percent by b",
    "sequence(a then b within 1 days)": "sequence(a, then b within 1 day)",
    "a = 1 with {} and b = 1_000": "a = 1 and b = 1000",
}


@pytest.mark.parametrize("text", SYNONYMS)
def test_what_people_type_is_understood(text: str) -> None:
    assert write_rule(rule_of(text)) == SYNONYMS[text]


A, B, C = equal("a"), equal("b"), equal("c")
SUM_BY_SKU = Aggregation("Sum", ("amount",), ("sku", "store"))
TREES: dict[str, Rule] = {
    "everybody": EVERYBODY,
    "nobody": Group("any", ()),
    "a = 1": Group("all", (A,)),
    "any(a = 1)": Group("any", (A,)),
    "all(a = 1 or b = 1)": Group("all", (Group("any", (A, B)),)),
    "a = 1 or b = 1": Group("any", (A, B)),
    "(a = 1 and b = 1) and c = 1": Group("all", (Group("all", (A, B)), C)),
    "(a = 1 and b = 1) or c = 1": Group("any", (Group("all", (A, B)), C)),
    "not (a = 1 and b = 1)": Group("all", (A, B), exclude=True),
    "all(not (a = 1 and b = 1))": Group("all", (Group("all", (A, B), exclude=True),)),
    "a = 1 and everybody and any(b = 1)": Group("all", (A, EVERYBODY, Group("any", (B,)))),
    "expr('(A and B) or C', a = 1, b = 1, c = 1)": Group("expr", (A, B, C), "(A and B) or C"),
    "a = 1 limit 100 by ltv desc, age": Group(
        "all", (AttributeCondition("a", Comparison("Equal", 1), limit=Limit("Count", 100, (Order("ltv", True), Order("age")))),)
    ),
    "all(a = 1) limit 10": Group("all", (A,), limit=Limit("Count", 10)),
    "(a = 1 and b = 1) limit 2.5 percent": Group("all", (A, B), limit=Limit("Percent", 2.5)),
    "(a = 1 limit 5) and b = 1": Group("all", (AttributeCondition("a", Comparison("Equal", 1), limit=Limit("Count", 5)), B)),
    "not all(a = 1 limit 5)".replace("a = 1 limit 5", "(a = 1 limit 5)"): Group(
        "all", (AttributeCondition("a", Comparison("Equal", 1), limit=Limit("Count", 5)),), exclude=True
    ),
    "purchase limit 10 by value desc": Group(
        "all", (BehaviorCondition("purchase", Aggregation(), ONCE, limit=Limit("Count", 10, (Order("", True),))),)
    ),
    'a = 1 limit 10 by "value"': Group(
        "all", (AttributeCondition("a", Comparison("Equal", 1), limit=Limit("Count", 10, (Order("value"),))),)
    ),
    "a = 1 as 'the ''a''s' and b = 1 with {\"k\":[1,null]}": Group(
        "all",
        (
            AttributeCondition("a", Comparison("Equal", 1), description="the 'a's"),
            AttributeCondition("b", Comparison("Equal", 1), extras=Extras.of({"k": [1, None]})),
        ),
    ),
    "accounts::industry = 'x'": Group("all", (AttributeCondition("industry", Comparison("Equal", "x"), customer_group="accounts"),)),
    '"Lifetime Value" > 1 and "say ""x""" = 1 and 年齢 = 1': Group(
        "all", (attribute("Lifetime Value", Comparison("Greater", 1)), equal('say "x"'), equal("年齢"))
    ),
    "tags any in ('a') and tags all contains 'x' and tags at least 2 = 'x'": Group(
        "all",
        (
            attribute("tags", In(("a",)), ArrayMatching("any")),
            attribute("tags", TextMatch("Contain", ("x",)), ArrayMatching("all")),
            attribute("tags", Comparison("Equal", "x"), ArrayMatching("at_least", 2)),
        ),
    ),
    "tags at most 1 != 'x' and tags exactly 0 not in ('a')": Group(
        "all",
        (
            attribute("tags", Comparison("Equal", "x", True), ArrayMatching("at_most", 1)),
            attribute("tags", In(("a",), True), ArrayMatching("exactly", 0)),
        ),
    ),
    "in funnel stage '1' and in variant '2' and in predictive score '3' and in ml attribute '4' and not in segment 'x'": Group(
        "all",
        (
            ReferenceCondition("1", "FunnelStage"),
            ReferenceCondition("2", "AbTestVariant"),
            ReferenceCondition("3", "PredictiveScore"),
            ReferenceCondition("4", "MlAttribute"),
            ReferenceCondition("x", exclude=True),
        ),
    ),
    "purchase sum(amount) by sku, store >= 3": Group(
        "all", (behavior("purchase", operator=Comparison("GreaterEqual", 3), aggregation=SUM_BY_SKU),)
    ),
    "purchase count(distinct sku, store) < 3": Group(
        "all", (behavior("purchase", operator=Comparison("Less", 3), aggregation=Aggregation("CountDistinct", ("sku", "store"))),)
    ),
    "purchase last(category by amount) = 'x'": Group(
        "all",
        (behavior("purchase", operator=Comparison("Equal", "x"), aggregation=Aggregation("Last", ("category",), (), "amount")),),
    ),
    "purchase max(at) within past 30 days today and beyond": Group(
        "all", (behavior("purchase", time(TimeToday("TimeTodayAndBeyond")), operator=PAST_30, aggregation=Aggregation("Max", ("at",))),)
    ),
    "purchase count >= 1.0": Group("all", (behavior("purchase", operator=Comparison("GreaterEqual", 1.0)),)),
    "purchase count by sku >= 1": Group("all", (behavior("purchase", aggregation=Aggregation(grouping=("sku",))),)),
    "purchase before 30 days ago": Group("all", (behavior("purchase", time(Comparison("Less", Ago(Duration.of(30, "day"))))),)),
    "purchase where timestamp < 5": Group("all", (behavior("purchase", time(Comparison("Less", 5))),)),
    "purchase where timestamp not within past 30 days and a = 1": Group(
        "all", (behavior("purchase", time(TimeWithin("TimeWithinPast", 30, "day", True)), column("a")),)
    ),
    "purchase where a = 1 and timestamp within past 30 days": Group("all", (behavior("purchase", column("a"), time(PAST_30)),)),
    "purchase in last 30 days where a = 1 or b = 1".replace("a = 1 or b = 1", "(a = 1 or b = 1)"): Group(
        "all", (behavior("purchase", time(PAST_30), FilterGroup("any", (column("a"), column("b")))),)
    ),
    "purchase in last 30 days where (a = 1 and b = 1)": Group(
        "all", (behavior("purchase", time(PAST_30), FilterGroup("all", (column("a"), column("b")))),)
    ),
    "purchase where any(timestamp within past 30 days)": Group(
        "all", (BehaviorCondition("purchase", Aggregation(), ONCE, FilterGroup("any", (time(PAST_30),))),)
    ),
    'purchase where not (a = 1 or b = 1) with {"x":1}': Group(
        "all",
        (BehaviorCondition("purchase", Aggregation(), ONCE, FilterGroup("any", (column("a"), column("b")), True, Extras.of({"x": 1}))),),
    ),
    "(purchase where a = 1) and b = 1": Group("all", (behavior("purchase", column("a")), B)),
    'not (purchase where a = 1) with {"x":1} and b = 1': Group(
        "all",
        (
            BehaviorCondition(
                "purchase", Aggregation(), ONCE, FilterGroup("all", (column("a"),)), exclude=True, extras=Extras.of({"x": 1})
            ),
            B,
        ),
    ),
    "purchase count = 0 in any 7 days": Group(
        "all", (BehaviorCondition("purchase", Aggregation(), Comparison("Equal", 0), sliding=Duration.of(7, "day")),)
    ),
    "sequence(purchase where category = 'A', then email_open within 7 days where x = 1, then b in last 30 days)": Group(
        "all",
        (
            SequenceCondition(
                (
                    Step("purchase", FilterGroup("all", (column("category", "A"),))),
                    Step("email_open", FilterGroup("all", (column("x"),)), Duration.of(7, "day")),
                    Step("b", FilterGroup("all", (time(PAST_30),))),
                )
            ),
        ),
    ),
}


@pytest.mark.parametrize("text", TREES)
def test_every_kind_of_condition_has_one_text(text: str) -> None:
    assert rule_of(text) == TREES[text]
    assert write_rule(TREES[text]) == text


def test_not_of_a_limited_condition_is_the_complement_of_what_the_limit_left() -> None:
    assert rule_of("not (a = 1 limit 5)") == rule_of("not all(a = 1 limit 5)")
    assert rule_of("not a = 1 limit 5").conditions[0].exclude
    assert rule_of("(a = 1 limit 5) limit 2") == rule_of("all(a = 1 limit 5) limit 2")


def test_a_time_phrase_joins_what_follows_with_and_alone() -> None:
    three = rule_of("p in last 30 days where a = 1 and b = 1").conditions[0]
    two = rule_of("p in last 30 days where a = 1 or b = 1").conditions[0]
    assert isinstance(three, BehaviorCondition)
    assert isinstance(two, BehaviorCondition)
    assert three.filter == FilterGroup("all", (time(PAST_30), column("a"), column("b")))
    assert two.filter == FilterGroup("all", (time(PAST_30), FilterGroup("any", (column("a"), column("b")))))


WITH_CATALOG = {
    "last_purchase_date in last 30 days": "last_purchase_date within past 30 days",
    "last_purchase_date since '2024-01-01'": "last_purchase_date >= timestamp '2024-01-01'",
    "last_purchase_date not in last 30 days": "last_purchase_date not within past 30 days",
    "email_opt_in and not purchase": "email_opt_in = true and not purchase",
    "purchase > 3": "purchase count > 3",
    "purchase within past 30 days": "purchase in last 30 days",
    "visits > 3 and visits this month": "visits > 3 and visits this month",
    "purchase where time within past 30 days and amount > 3": "purchase where time within past 30 days and amount > 3",
}


@pytest.mark.parametrize("text", WITH_CATALOG)
def test_a_catalog_tells_attributes_from_behaviors(text: str) -> None:
    assert write_rule(rule_of(text, CATALOG)) == WITH_CATALOG[text]


@settings(max_examples=300, deadline=None)
@given(rules())
def test_every_rule_has_a_text_that_reads_back_as_the_same_rule(rule: Rule) -> None:
    assert rule_of(write_rule(rule)) == rule
