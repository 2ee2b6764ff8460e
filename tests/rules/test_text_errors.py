"""What is said about mistakes in the text form of rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import (
    EVERYBODY,
    AttributeCondition,
    Comparison,
    Group,
)
from kohort.rules.text import parse_rule, write_rule
from tests.rules.texts import CATALOG, rule_of

ERRORS = {
    "": (1, 1, "expected a rule, found the end", "everybody"),
    "a >": (1, 4, "expected a value, found the end", ""),
    "a > 1 adn b = 2": (1, 7, 'expected "and", "or" or the end, found "adn"', 'did you mean "and"?'),
    "purchase cuont > 3": (1, 10, 'found "cuont"', 'did you mean "count"?'),
    "tier contians 'x'": (1, 6, 'found "contians"', 'did you mean "contains"?'),
    "tier in 'Gold'": (1, 6, 'found "in"', "a list such as"),
    "purchase sum amount > 5": (1, 10, 'found "sum"', "sum(column)"),
    "segment 'x'": (1, 9, "found 'x'", "in segment"),
    "tier = Gold": (1, 8, 'expected a value, found "Gold"', "'Gold'"),
    "tier = null": (1, 8, "expected a value", "is null"),
    "tier like '%x'": (1, 6, "expected an operator", "contains"),
    "tier = 'Gold": (1, 8, "no closing '", "''"),
    "a = 1 and\n  b = = 2": (2, 7, 'expected a value, found "="', ""),
    "a = 1\nand (b = 2": (2, 5, 'the "(" is never closed', ")"),
    "a = 1)": (1, 6, 'found ")"', ""),
    "a = 1 and": (1, 10, "expected a condition, found the end", ""),
    "'Gold' = tier": (1, 1, "expected a condition, found 'Gold'", "left"),
    "a & b": (1, 3, "'&'", '"and"'),
    "a = ‘x’": (1, 5, "'‘'", "straight quotes"),
    "2fa = 1": (1, 1, '"2fa"', '"2fa"'),
    "a > 1,000": (1, 6, 'found ","', "no commas"),
    "p in last 30 dyas": (
        1,
        14,
        'a unit of time (year, quarter, month, week, day, hour, minute, second), found "dyas"',
        'did you mean "days"?',
    ),
    "p in last 1.5 days": (1, 11, "expected a whole number of units", ""),
    "p in last 0 days": (1, 11, "at least 1", ""),
    "p in last 1 day 2 hours": (1, 11, "one number and one unit", "ago"),
    "x within past month": (1, 15, "number of units after past", "last month"),
    "x > 30 days": (1, 12, '"ago" or "ahead"', ""),
    "x > 1 day 2 days ago": (1, 11, '"day" stands twice', ""),
    "x between * and *": (1, 3, "at least one bound", ""),
    "x not != 1": (1, 3, '"not" stands twice', ""),
    "p not in last 30 days": (1, 3, "expected an operator", "not purchase in last 30 days"),
    "p in last 30 days this month": (1, 19, "a second time phrase", "where timestamp"),
    "p sum(amount)": (1, 14, "expected a comparison such as >= 1", ""),
    "p count(amount) > 1": (1, 9, '"distinct"', ""),
    "in segmant 'x'": (1, 4, "segment, funnel stage", 'did you mean "segment"?'),
    "in segment": (1, 11, "the segment between single quotes", ""),
    "sequence(a)": (1, 1, "at least two steps", ""),
    "sequence(a within 1 day, then b)": (1, 12, "the first step", ""),
    "a and b limit 5": (1, 9, 'what "limit" limits', "(a and b) limit"),
    "a limit 5 limit 6": (1, 11, "one limit", "parentheses"),
    "a limit x": (1, 9, "a number of customers", ""),
    "a as b": (1, 6, "a description", "'b'"),
    "a with 5": (1, 8, "a JSON object", ""),
    'a with {"x":}': (1, 13, "not a JSON object", ""),
    "a = 1 and and = 2": (1, 11, 'found "and"', '"and"'),
    "where = 2": (1, 1, 'found "where"', '"where"'),
    "a in ('x'": (1, 10, '")" after a list of values', ""),
    "p any = 1 this month": (1, 1, "not to a behavior", ""),
}


@pytest.mark.parametrize("text", ERRORS)
def test_a_mistake_is_shown_where_it_is(text: str) -> None:
    rule, issues = parse_rule(text)
    line, col, message, hint = ERRORS[text]
    assert rule == EVERYBODY
    assert [issue.code for issue in issues] == ["RULE_SYNTAX"]
    issue = issues.items[0]
    assert (issue.line, issue.column) == (line, col), str(issue)
    assert message in issue.message
    assert hint in issue.hint


def test_unknown_names_are_all_reported_with_the_nearest_known_one() -> None:
    text = "lifetme_value > 1 and (purchse in last 30 days) and (purchase sum(amuont) > 1 where categry = 'x') limit 3"
    _, issues = parse_rule(text.replace(" limit 3", ""), CATALOG)
    found = [(issue.code, issue.column, issue.hint) for issue in issues]
    assert found == [
        ("UNKNOWN_ATTRIBUTE", 1, 'did you mean "lifetime_value"?'),
        ("UNKNOWN_BEHAVIOR", 24, 'did you mean "purchase"?'),
        ("UNKNOWN_COLUMN", 67, 'did you mean "amount"?'),
        ("UNKNOWN_COLUMN", 85, 'did you mean "category"?'),
    ]


def test_hints_tell_attributes_from_behaviors() -> None:
    hints = {
        "loyalty_tier": "needs a test",
        "loyalty_tier count > 3": "it is an attribute",
        "purchase where category = 'x' and country = 'US'": "close the behavior in parentheses first",
        "behavior_purchase this month": "without the prefix",
        "lifetime_value > 1 limit 3 by purchase": "it is a behavior",
    }
    for text, expected in hints.items():
        _, issues = parse_rule(text, CATALOG)
        assert len(issues) == 1, text
        assert expected in str(issues.items[0])


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    for text in ("(" * 5000 + "a" + ")" * 5000, "not " * 5000 + "a", "all(" * 5000, 'a with {"x":' + "[" * 50000):
        _, issues = parse_rule(text)
        assert not issues.ok
    deep = "(" * 59 + "a = 1 and b = 1" + ")" * 59
    assert rule_of(deep) == Group("all", tuple(AttributeCondition(name, Comparison("Equal", 1)) for name in "ab"))


TYPED = (
    'a purchase \'x\' "q" 1 -2.5 2024-01-01 ( ) ( ) , = != > < * % :: { {} {"a":1} and or not in any all expr sequence then where '
    "count sum average first last distinct by between contains starts with matches is null within past next this today beyond since "
    "before days month ago ahead now from back start of to timestamp true at least most exactly times limit percent value desc as "
    "everybody segment funnel stage does only current"
)
WORDS = TYPED.split(" ")


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)), st.sampled_from([None, CATALOG]))
def test_any_text_is_a_rule_or_has_issues(text: str, catalog: FieldCatalog | None) -> None:
    rule, issues = parse_rule(text, catalog)
    assert all(issue.line >= 1 and issue.column >= 1 and issue.code for issue in issues)
    if issues.ok:
        assert rule_of(write_rule(rule)) == rule
    else:
        assert issues.errors
