"""Whatever the rule, files hold it exactly; whatever the file, reading it ends in a rule and issues."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.rules.ast import AttributeCondition, Extras, Group, IsNull, Rule
from kohort.rules.decode import Dialect, read_rule
from kohort.rules.encode import KNOWN_KEYS, rule_to_json, rule_to_yaml
from kohort.rules.operators import OPERATORS as TABLE
from kohort.testing.trees import operators, rules

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(value: Any, dialect: Dialect) -> Rule:
    rule, issues = read_rule(Document(value), dialect)
    assert issues.ok, issues.errors
    return rule


@QUICK
@given(rules())
def test_yaml_is_exact(rule: Rule) -> None:
    written = rule_to_yaml(rule)
    assert read(written, "yaml") == rule
    assert read(written, "json") == rule
    document, issues = read_yaml(write_yaml(written))
    assert not issues
    assert document.value == written
    assert read(document.value, "yaml") == rule


@QUICK
@given(rules())
def test_json_is_exact(rule: Rule) -> None:
    written = json.loads(json.dumps(rule_to_json(rule)))
    assert read(written, "json") == rule


@QUICK
@given(rules())
def test_writing_again_changes_nothing(rule: Rule) -> None:
    assert rule_to_yaml(read(rule_to_json(rule), "json")) == rule_to_yaml(rule)
    assert rule_to_json(read(rule_to_yaml(rule), "yaml")) == rule_to_json(rule)


@pytest.mark.parametrize("prefix", ["", "leftValue.", "operator.", "leftValue.source.", "limit."])
@pytest.mark.parametrize("dialect", ["yaml", "json"])
def test_extras_named_like_known_keys_stay_extras(prefix: str, dialect: Dialect) -> None:
    write = rule_to_yaml if dialect == "yaml" else rule_to_json
    extras = Extras.of({prefix + key: [key] for key in KNOWN_KEYS})
    rule = Group("all", (AttributeCondition("a", IsNull(), extras=extras),), extras=extras)
    assert read(write(rule), dialect) == rule


CONDITIONS = {
    "AttributeCondition", "BehaviorCondition", "SequenceCondition", "ReferenceCondition", "Group", "FilterGroup", "ColumnCondition",
    "Step", "Aggregation", "Limit", "Order", "Extras", "ArrayMatching",
}  # fmt: skip
OPERATORS = {
    "Timestamp", "Ago", "Ahead", "Comparison", "Between", "In", "TextMatch", "Regexp", "IsNull", "TimeWithin", "TimeRange", "TimeToday",
    "TimeCalendar", "TimeInBetweenNext",
}  # fmt: skip


def _seen(strategy: st.SearchStrategy[Any], examples: int) -> str:
    """Everything that a strategy makes, printed."""
    found: list[str] = []

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def look(value: Any) -> None:
        found.append(repr(value))

    look()
    return "\n".join(found)


def test_random_rules_hold_every_node_and_every_operator() -> None:
    text = _seen(rules(12), 100)
    assert {name for name in CONDITIONS if f"{name}(" in text} == CONDITIONS
    text = _seen(operators(), 400)
    assert {name for name in OPERATORS if f"{name}(" in text} == OPERATORS
    assert {key for key in _operator_keys() if f"key='{key}'" in text} == _operator_keys()


def _operator_keys() -> set[str]:
    return {row.key for row in TABLE.values() if not row.negates}


# --- anything at all --------------------------------------------------------------------------------------------

WORDS = [
    *sorted(KNOWN_KEYS), "And", "Or", "Composite", "Value", "Column", "include", "exclude", "Sequence", "Reference", "Equal", "In",
    "Between", "TimeWithinPast", "TimeRange", "TimeThis", "TimeInBetweenNext", "Regexp", "Contain", "Count", "Sum", "First", "behavior_x",
    "day", "days",
    "last", "next", "timestamp", "TimeSliding", "any", "atLeast", "Percent", "", "A or B", "MlAttributeReference",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=5), st.just(10**30), st.just("\ud800")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4),
    ),
    max_leaves=15,
)


@QUICK
@given(VALUES, st.sampled_from(["yaml", "json"]))
def test_any_value_is_read_without_failing(value: Any, dialect: Dialect) -> None:
    rule, _ = read_rule(Document(value), dialect)
    assert isinstance(rule, Group)


@QUICK
@given(rules(), st.data())
def test_a_rule_with_one_part_replaced_is_read_without_failing(rule: Rule, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from([rule_to_yaml, rule_to_json]))(rule)
    _replace_some_part(value, data)
    for dialect in ("yaml", "json"):
        found, issues = read_rule(Document(value), dialect)
        assert isinstance(found, Group)
        if issues.ok:
            assert read(rule_to_yaml(found), "yaml") == found


def _replace_some_part(value: Any, data: st.DataObject) -> None:
    """Walk into the value at random and put something else where the walk ends."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        inner = value[key]
        if not isinstance(inner, (dict, list)) or data.draw(st.integers(0, 3)) == 0:
            value[key] = data.draw(VALUES)
            return
        value = inner
