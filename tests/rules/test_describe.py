"""One plain English sentence per rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.ast import Rule
from kohort.rules.describe import describe
from kohort.rules.text import parse_rule
from kohort.testing.trees import rules

CATALOG = FieldCatalog(
    attributes=(
        Field("ltv", "number", "float64", label="Lifetime Value"),
        Field("tier", "string", "text", label="loyalty tier"),
        Field("last_seen", "timestamp", "timestamp"),
        Field("tags", "string_array", "text_array"),
        Field("opt_in", "boolean", "boolean", label="email opt-in"),
    ),
    behaviors=(
        Behavior("pur", (Field("amt", "number", "float64", label="Amount"), Field("shipped", "timestamp", "timestamp")), label="Purchases"),
    ),
)

SENTENCES = {
    "everybody": "All customers.",
    "nobody": "No customers.",
    "not everybody": "No customers.",
    "lifetime_value > 1000 and loyalty_tier = 'Gold'": "Customers whose lifetime value is over 1,000 and whose loyalty tier is Gold.",
    "purchase in last 30 days": "Customers who made at least one purchase in the past 30 days.",
    "email_open count > 3 this month": "Customers who had more than 3 email opens this month.",
    "purchase sum(amount) >= 500 in last 90 days where category = 'Electronics' and amount > 10": (
        "Customers whose total amount of purchases in the past 90 days is at least 500 "
        "(only where category is Electronics and amount is over 10)."
    ),
    "not purchase in last 1 year and (country in ('US', 'CA') or email ends with '.jp')": (
        "Customers who made no purchases in the past year and (whose country is one of US, CA or whose email ends with “.jp”)."
    ),
    "lifetime_value > 1000 and purchase in last 30 days and not in segment 'Marketing/VIP'": (
        "Customers whose lifetime value is over 1,000, who made at least one purchase in the past 30 days, "
        "but are not in segment Marketing/VIP."
    ),
    "tier is null": "Customers who have no tier.",
    "tier is not null": "Customers whose tier is known.",
    "not tier is null": "Customers whose tier is known.",
    "tier != 'Gold'": "Customers whose tier is known and is not Gold.",
    "not tier = 'Gold'": "Customers whose tier is not Gold (or is unknown).",
    "not tier != 'Gold'": "Customers whose tier is Gold (or is unknown).",
    "tier not contains 'x'": "Customers whose tier is known and does not contain “x”.",
    "tier contains any ('x', 'y')": "Customers whose tier contains “x” or “y”.",
    "tier = '' or tier in ('5', 'a, b')": "Customers whose tier is empty text or whose tier is one of “5”, “a, b”.",
    "tier matches '^A'": "Customers whose tier matches the pattern “^A”.",
    "active = true": "Customers whose active is yes.",
    "age between 18 and 65 and visits between 1000 and *": "Customers whose age is between 18 and 65 and whose visits is at least 1,000.",
    "d >= '2024' and d > timestamp '2024-01-31' and d <= 30 days ago": (
        "Customers whose d is in the alphabet from “2024” on, whose d is after 2024-01-31, and whose d is no later than 30 days ago."
    ),
    "d within today and d within last month and d within this day": (
        "Customers whose d is today, whose d is in the previous calendar month, and whose d is today so far."
    ),
    "d within 7 days from 1 month ago or d within 7 days back from start of month": (
        "Customers whose d is in the 7 days starting 1 month ago or whose d is in the 7 days before the start of this month."
    ),
    "d within next 1 day to 7 days and d < now": "Customers whose d is between 1 day and 7 days from now and whose d is before now.",
    "accounts::industry = 'x'": "Customers whose accounts industry is x.",
    "tags at least 2 contains 'a'": "Customers at least 2 of whose tags contain “a”.",
    "tags exactly 0 = 'a' and tags all = 'b'": "Customers none of whose tags is a and all of whose tags are b.",
    "purchase count = 0": "Customers who made no purchases.",
    "purchase count not > 3": "Customers who made at most 3 purchases.",
    "not purchase count >= 3": "Customers who did not make at least 3 purchases.",
    "purchase count != 3": "Customers whose number of purchases is not 3.",
    "not purchase count != 3": "Customers whose number of purchases is 3.",
    "purchase count by sku, store >= 3": "Customers who made at least 3 purchases with the same sku and store.",
    "purchase count between 2 and 5 since '2024-01-01'": "Customers who made between 2 and 5 purchases on or after 2024-01-01.",
    "purchase count >= 3 in any 7 days": "Customers who made at least 3 purchases in some period of 7 days.",
    "purchase count(distinct sku) > 3": "Customers whose number of different values of sku among purchases is over 3.",
    "not purchase sum(amount) > 3": "Customers whose total amount of purchases is not over 3 (or is unknown).",
    "not purchase sum(amount) by sku > 3": "Customers who are not customers whose total amount of purchases with the same sku is over 3.",
    "purchase last(category by price) = 'x'": "Customers whose last category of purchases (in order of price) is x.",
    "purchase where not (a = 1 or not b = 2) and c is null": (
        "Customers who made at least one purchase (only where not (a is 1 or b is not 2 (or is unknown)) and c is unknown)."
    ),
    "purchase where a = 1 and timestamp within this year": "Customers who made at least one purchase this year (only where a is 1).",
    "sequence(purchase where a = 'A', then email_open within 7 days, then page_view)": (
        "Customers who made a purchase (only where a is A), then had an email open within 7 days, then had a page view at any later time."
    ),
    "not (a = 1 and b = 2)": "All customers except those whose a is 1 and whose b is 2.",
    "c = 3 and not (a = 1 and b = 2)": "Customers whose c is 3, but are not customers (whose a is 1 and whose b is 2).",
    "expr('(A and B) or C', a = 1, b = 2, c = 3)": "Customers (whose a is 1 and whose b is 2) or whose c is 3.",
    "expr('A and', a = 1, b = 2)": "Customers who match “A and” with 1: whose a is 1; 2: whose b is 2.",
    "(a = 1 and b = 2) limit 100 by lifetime_value desc, age": (
        "The top 100 by lifetime value (highest first) then age (lowest first) of the customers whose a is 1 and whose b is 2."
    ),
    "everybody limit 2.5 percent by ltv desc": "The top 2.5% by ltv (highest first) of all customers.",
    "a = 1 and (purchase count > 1 limit 5 by value desc)": (
        "Customers whose a is 1 and who are among the top 5 by that value (highest first) of the customers who made more than one purchase."
    ),
    "in variant '7' or not in funnel stage 'x'": "Customers who are in A/B test variant “7” or who are not in funnel stage x.",
    "a = 1 as 'the ones' with {\"x\":1}": "Customers whose a is 1.",
}


def rule_of(text: str) -> Rule:
    rule, issues = parse_rule(text)
    assert issues.ok
    return rule


@pytest.mark.parametrize("text", SENTENCES)
def test_a_rule_in_one_sentence(text: str) -> None:
    assert describe(rule_of(text)) == SENTENCES[text]


WITH_LABELS = {
    "ltv > 1000 limit 10 by last_seen desc": (
        "Customers who are among the top 10 by last seen (latest first) of the customers whose lifetime value is over 1,000."
    ),
    "tier is null and opt_in = false": "Customers who have no loyalty tier and whose email opt-in is no.",
    "last_seen > '2024-01-31'": "Customers whose last seen is after 2024-01-31.",
    "tags = 'a' and tags is not null": "Customers at least one of whose tags is a and whose tags are known.",
    "pur sum(amt) > 5 this month": "Customers whose total amount of purchases this month is over 5.",
    "pur max(shipped) within past 7 days": "Customers whose latest shipped of purchases is in the past 7 days.",
    "unknown > 1 and gone today": "Customers whose unknown is over 1 and who had at least one gone today.",
}


@pytest.mark.parametrize("text", WITH_LABELS)
def test_labels_and_types_come_from_the_catalog(text: str) -> None:
    assert describe(rule_of(text), CATALOG) == WITH_LABELS[text]


@settings(max_examples=300, deadline=None)
@given(rules(), st.sampled_from([None, CATALOG]))
def test_every_rule_is_one_sentence(rule: Rule, catalog: FieldCatalog | None) -> None:
    sentence = describe(rule, catalog)
    assert sentence.startswith(("Customers ", "All customers", "No customers", "The top ", "The first "))
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
