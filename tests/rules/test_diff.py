from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.foundation.issues import path_text
from kohort.rules.ast import EVERYBODY, AttributeCondition, Comparison, Group, Rule
from kohort.rules.diff import diff_rules
from kohort.rules.normalize import meaning, normalize
from kohort.rules.text import parse_rule
from kohort.testing.trees import rules


def read(text: str) -> Rule:
    rule, issues = parse_rule(text)
    assert issues.ok, list(issues)
    return rule


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ("lifetime_value > 1000", "lifetime_value > 1500", ["changed: lifetime_value > 1000 -> lifetime_value > 1500"]),
        (
            "lifetime_value > 1000 and tier = 'Gold'",
            "tier = 'Gold' and lifetime_value > 1500 and country in ('US', 'CA')",
            ["changed: lifetime_value > 1000 -> lifetime_value > 1500", "added: country in ('US', 'CA')"],
        ),
        ("tier = 'Gold' and age > 18", "age > 18", ["removed: tier = 'Gold'"]),
        ("purchase in last 30 days", "purchase in last 60 days", ["changed: purchase in last 30 days -> purchase in last 60 days"]),
        (
            "purchase count > 3 and purchase sum(amount) > 10",
            "purchase sum(amount) > 20 and purchase count > 3",
            ["changed: purchase sum(amount) > 10 -> purchase sum(amount) > 20"],
        ),
        ("a = 1", "a = 1 or b = 2", ["added: or b = 2"]),
        ("a = 1 and b = 2", "a = 1 or b = 2", ["changed: all of -> any of"]),
        (
            "a = 1 and (b = 2 or c = 3)",
            "a = 1 and (b = 2 or c = 4 or d = 5)",
            ["changed: c = 3 -> c = 4 [conditions[1]]", "added: or d = 5 [conditions[1]]"],
        ),
        ("a = 1 and (b = 2 or c = 3 or d = 4)", "a = 1 and b = 2 and (c = 3 or d = 4)", ["moved: b = 2 (conditions[1] -> the top)"]),
        ("(a = 1 and b = 2) limit 10", "(a = 1 and b = 2) limit 20 by a desc", ["changed: limit 10 -> limit 20 by a desc"]),
        ("in segment 'A/B'", "not in segment 'A/B'", ["changed: in segment 'A/B' -> not in segment 'A/B'"]),
        ("not (a = 1 and b = 2)", "not (a = 1 and b = 3)", ["changed: not b = 2 -> not b = 3"]),
        ("a = 1", "everybody", ["changed: a = 1 -> everybody"]),
        ("nobody", "a = 1", ["changed: nobody -> a = 1"]),
    ],
)
def test_changes_in_words(old: str, new: str, sentences: list[str]) -> None:
    assert [change.sentence for change in diff_rules(read(old), read(new))] == sentences


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = 1 and b = 2", "b = 2 and a = 1"),
        ("purchase in last 7 days", "purchase in last 1 week"),
        ("not a > 5.0 or a is null", "a is null or not a > 5"),
        ("expr('(A and B) or C', a = 1, b = 2, c = 3)", "c = 3 or (a = 1 and b = 2)"),
    ],
)
def test_other_ways_of_writing_are_no_changes(old: str, new: str) -> None:
    assert diff_rules(read(old), read(new)) == ()


def test_paths_lead_into_the_new_rule_and_of_removed_parts_into_the_old_one() -> None:
    changes = diff_rules(read("a = 1 and gone = 2 and b = 3"), read("new = 4 and b = 5 and a = 1"))
    assert [(change.kind, path_text(change.path), change.before, change.after) for change in changes] == [
        ("added", "conditions[0]", "", "new = 4"),
        ("changed", "conditions[1]", "b = 3", "b = 5"),
        ("removed", "conditions[1]", "gone = 2", ""),
    ]


def test_descriptions() -> None:
    def described(rule: str, condition: str) -> Group:
        return Group("all", (AttributeCondition("a", Comparison("Equal", 1), description=condition),), description=rule)

    changes = diff_rules(described("x", "y"), described("X", "Y"))
    assert [(path_text(change.path), change.sentence) for change in changes] == [
        ("conditions[0].description", 'changed: description "y" -> "Y"'),
        ("description", 'changed: description "x" -> "X"'),
    ]


@settings(max_examples=60)
@given(rules(), rules())
def test_there_are_changes_exactly_when_the_meaning_differs(old: Rule, new: Rule) -> None:
    changes = [change for change in diff_rules(old, new) if change.path[-1:] != ("description",)]
    assert bool(changes) == (meaning(old) != meaning(new))
    assert all(change.sentence for change in changes)


@settings(max_examples=60)
@given(rules(), st.data())
def test_a_rule_and_a_part_of_it(rule: Rule, data: st.DataObject) -> None:
    """Small differences, where most conditions find their partner."""
    part = normalize(rule)
    if part.conditions:
        left_out = data.draw(st.integers(0, len(part.conditions) - 1))
        part = Group(part.match, part.conditions[:left_out] + part.conditions[left_out + 1 :], "", part.exclude, part.limit)
    changes = [change for change in diff_rules(rule, part) if change.path[-1:] != ("description",)]
    assert bool(changes) == (meaning(rule) != meaning(part))
    assert diff_rules(EVERYBODY, EVERYBODY) == ()
