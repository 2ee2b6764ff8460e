"""Mistakes people make in rule files: each has its code, its line and a way out, and all are reported at once."""

from textwrap import dedent, indent

import pytest

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.rules.ast import AttributeCondition, Comparison, Group
from kohort.rules.decode import read_rule

VALUE = "type: Value\nattribute: a\n"
COUNT = 'type: Value\nattribute: ""\nsource: behavior_x\naggregation: { type: Count }\noperator: { type: IsNull }\n'
FILTER = COUNT + "filter:\n  type: And\n  conditions:\n"

CASES: list[tuple[str, str, int, str]] = [
    # a rule or a condition as a whole
    ("[1]", "INVALID_RULE_TYPE", 1, "type: And"),
    ("5", "INVALID_RULE_TYPE", 1, "mapping"),
    ("conditions: []", "INVALID_RULE_TYPE", 1, "add type: And"),
    ("type: Both\nconditions: []", "INVALID_RULE_TYPE", 1, "known: And, Or, Composite"),
    ("type: and\nconditions: []", "INVALID_RULE_TYPE", 1, 'did you mean "And"?'),
    ("type: And", "MISSING_CONDITIONS", 1, ""),
    ("type: And\nconditions: { type: Value }", "MISSING_CONDITIONS", 2, ""),
    ("type: And\nconditions:\n  - 5", "INVALID_CONDITION", 3, "type: Value"),
    ("type: Composite\nexpr: A\nconditions: []", "MISSING_CONDITIONS", 3, ""),
    ("type: Composite\nconditions:\n  - { type: include, segment: s }", "MISSING_EXPR", 1, "expr"),
    ("type: And\nconditions: []\ncondtions: []", "UNKNOWN_KEY", 3, 'did you mean "conditions"?'),
    ("type: And\nconditions:\n  - { type: include }", "MISSING_SEGMENT_REFERENCE", 3, "segment"),
    ("type: include\nsegment: ''", "MISSING_SEGMENT_REFERENCE", 2, "segment"),
    ("type: Reference\nid: [1]", "MISSING_SEGMENT_REFERENCE", 2, "id"),
    ("type: exclude\nsegment: s\nexclude: true", "DUPLICATE_KEY", 3, "remove exclude"),
    ("type: include\nsegment: s\nid: s", "DUPLICATE_KEY", 3, "keep one"),
    (VALUE + "operator: { type: IsNull }\nexclude: yes", "INVALID_VALUE", 4, ""),
    (VALUE + "operator: { type: IsNull }\ndescription: 5", "INVALID_VALUE", 4, '"5"'),
    (VALUE + "operator: { type: IsNull }\nextras: 5", "INVALID_EXTRAS", 4, ""),
    ("type: And\nconditions:\n  - type: value\n    attribute: a\n    operator: { type: IsNull }", "INVALID_CONDITION_TYPE", 3, '"Value"'),
    ("type: And\nconditions:\n  - attribute: a\n    operator: { type: IsNull }", "INVALID_CONDITION_TYPE", 3, "add type: Value"),
    ("type: And\nconditions:\n  - type: Column\n    column: a\n    operator: { type: IsNull }", "INVALID_CONDITION_TYPE", 3, "attribute"),
    # attributes
    ("type: Value\noperator: { type: IsNull }", "EMPTY_ATTRIBUTE", 1, "attribute"),
    ("type: Value\nattribute: ' '\noperator: { type: IsNull }", "EMPTY_ATTRIBUTE", 2, "attribute"),
    ("type: Value\nleftValue: { }\noperator: { type: IsNull }", "EMPTY_ATTRIBUTE", 2, "name"),
    ("type: Value\nattribute: 5\noperator: { type: IsNull }", "EMPTY_ATTRIBUTE", 2, '"5"'),
    ("type: Value\nfield: a\noperator: { type: IsNull }", "UNKNOWN_KEY", 2, 'did you mean "attribute"?'),
    (VALUE + "operator: { type: IsNull }\narrayMatching: some", "INVALID_ARRAY_MATCHING", 4, "atLeast"),
    (VALUE + "operator: { type: IsNull }\narrayMatching: only", "INVALID_ARRAY_MATCHING", 4, "write all"),
    (VALUE + "operator: { type: IsNull }\narrayMatching: { atLeast: x }", "INVALID_ARRAY_MATCHING", 4, ""),
    (VALUE + "operator: { type: IsNull }\narrayMatching: { atLeast: 1, atMost: 2 }", "INVALID_ARRAY_MATCHING", 4, ""),
    (VALUE + "operator: { type: IsNull }\naggregation: { type: Count }", "MISSING_SOURCE", 4, "source"),
    # operators
    ("type: Value\nattribute: a", "MISSING_OPERATOR", 1, "operator"),
    (VALUE + "operator: IsNull", "INVALID_OPERATOR_TYPE", 3, "{ type: IsNull }"),
    (VALUE + "operator: { value: 5 }", "INVALID_OPERATOR_TYPE", 3, "type: Equal"),
    (VALUE + "operator: { type: Equals, value: 5 }", "INVALID_OPERATOR_TYPE", 3, 'did you mean "Equal"?'),
    (VALUE + "operator: { type: '>=', value: 5 }", "INVALID_OPERATOR_TYPE", 3, "write GreaterEqual"),
    (VALUE + "operator: { type: IsNotNull }", "INVALID_OPERATOR_TYPE", 3, "IsNull with not: true"),
    (VALUE + "operator: { type: [Equal], value: 5 }", "INVALID_OPERATOR_TYPE", 3, ""),
    (VALUE + "operator: { type: Equal }", "MISSING_OPERATOR_VALUE", 3, "value"),
    (VALUE + "operator: { type: Greater, value: null }", "MISSING_OPERATOR_VALUE", 3, "IsNull"),
    (VALUE + "operator: { type: In, value: [] }", "MISSING_OPERATOR_VALUE", 3, "value"),
    (VALUE + "operator: { type: Contain }", "MISSING_OPERATOR_VALUE", 3, "value"),
    (VALUE + "operator: { type: Regexp }", "MISSING_OPERATOR_VALUE", 3, "value"),
    (VALUE + "operator:\n  type: Equal\n  value: [a, b]", "INVALID_OPERATOR_VALUE", 5, "use In"),
    (VALUE + "operator:\n  type: Equal\n  value: { days: 5 }", "INVALID_OPERATOR_VALUE", 5, "timestamp"),
    (VALUE + "operator:\n  type: Equal\n  value: { timestamp: 5 }", "INVALID_OPERATOR_VALUE", 5, "unix seconds"),
    (VALUE + "operator:\n  type: Equal\n  value: .nan", "INVALID_OPERATOR_VALUE", 5, ""),
    (VALUE + "operator:\n  type: In\n  value:\n    - a\n    - null", "INVALID_OPERATOR_VALUE", 7, "IsNull"),
    (VALUE + "operator:\n  type: Contain\n  value:\n    - 2024", "INVALID_OPERATOR_VALUE", 6, '"2024"'),
    (VALUE + "operator:\n  type: Regexp\n  value: [a, b]", "INVALID_OPERATOR_VALUE", 5, "a|b"),
    (VALUE + "operator:\n  type: Equal\n  value: 1\n  rightValue: 2", "DUPLICATE_KEY", 6, "keep one"),
    (VALUE + "operator:\n  type: Equal\n  value: 1\n  values: 2", "UNKNOWN_KEY", 6, 'did you mean "value"?'),
    (VALUE + "operator:\n  type: Equal\n  value: 1\n  not: nope", "INVALID_VALUE", 6, ""),
    (VALUE + "operator: { type: Between }", "MISSING_BETWEEN_BOUNDS", 3, "min"),
    (VALUE + "operator: { type: Between, value: [1, 2] }", "MISSING_BETWEEN_BOUNDS", 3, "min"),
    (VALUE + "operator: { type: TimeWithinPast, value: 30 }", "MISSING_TIME_UNIT", 3, "unit: day"),
    (VALUE + "operator: { type: TimeWithinPast, unit: day }", "MISSING_OPERATOR_VALUE", 3, "value"),
    (VALUE + "operator:\n  type: TimeWithinPast\n  value: 30\n  unit: days", "INVALID_TIME_UNIT", 6, "write day, not days"),
    (VALUE + "operator:\n  type: TimeWithinPast\n  value: 30\n  unit: Month", "INVALID_TIME_UNIT", 6, "write month, not Month"),
    (VALUE + "operator:\n  type: TimeWithinPast\n  value: 30\n  unit: h", "INVALID_TIME_UNIT", 6, "write hour, not h"),
    (VALUE + "operator:\n  type: TimeWithinPast\n  value: 0\n  unit: day", "INVALID_OPERATOR_VALUE", 5, ""),
    (VALUE + "operator:\n  type: TimeWithinPast\n  value: 1.5\n  unit: day", "INVALID_OPERATOR_VALUE", 5, ""),
    (VALUE + "operator:\n  type: Less\n  value:\n    last: 3", "MISSING_TIME_UNIT", 5, "unit"),
    (VALUE + "operator:\n  type: Less\n  value:\n    last: { days: 3 }", "INVALID_TIME_UNIT", 6, "write day, not days"),
    (VALUE + "operator: { type: TimeRange, from: { last: 1, unit: month } }", "MISSING_OPERATOR_VALUE", 3, "duration"),
    (VALUE + "operator: { type: TimeRange, duration: { day: 7 } }", "MISSING_OPERATOR_VALUE", 3, "from"),
    (VALUE + "operator: { type: TimeRange, duration: 7, from: { unit: day } }", "INVALID_DURATION", 3, "{day: 7}"),
    (
        VALUE + "operator: { type: TimeRange, duration: { day: 7 }, from: { next: 1, unit: day } }",
        "INVALID_OPERATOR_VALUE",
        3,
        "TimeWithinNext",
    ),
    (VALUE + "operator: { type: TimeThis }", "MISSING_OPERATOR_VALUE", 3, "from: { unit: month }"),
    (VALUE + "operator: { type: TimeThis, from: {} }", "MISSING_TIME_UNIT", 3, "unit"),
    (VALUE + "operator: { type: TimeInBetweenNext, from: { next: 1, unit: day } }", "MISSING_OPERATOR_VALUE", 3, "to"),
    # behaviors
    (COUNT, "MISSING_FILTER", 1, "filter: { type: And, conditions: [] }"),
    (COUNT.replace('""', "ltv") + "filter: {}", "INVALID_BEHAVIOR_ATTRIBUTE", 2, 'attribute: ""'),
    (COUNT.replace("behavior_x", "purchase") + "filter: {}", "INVALID_SOURCE", 3, "behavior_purchase"),
    (COUNT.replace("behavior_x", "[x]") + "filter: {}", "INVALID_SOURCE", 3, "behavior_"),
    (COUNT.replace("aggregation: { type: Count }\n", "") + "filter: {}", "MISSING_AGGREGATION", 1, "aggregation"),
    (COUNT.replace("Count", "Avg") + "filter: {}", "INVALID_AGGREGATION_TYPE", 4, "write Average"),
    (COUNT.replace("Count", "Summ") + "filter: {}", "INVALID_AGGREGATION_TYPE", 4, 'did you mean "Sum"?'),
    (COUNT.replace("Count", "Sum") + "filter: {}", "MISSING_AGGREGATION_COLUMN", 4, "column"),
    (COUNT.replace("Count", "CountDistinct") + "filter: {}", "MISSING_AGGREGATION_COLUMN", 4, "columns"),
    (COUNT.replace("Count", "Count, column: sku") + "filter: {}", "UNEXPECTED_AGGREGATION_COLUMN", 4, "CountDistinct"),
    (COUNT.replace("Count", "Count, groupingColumns: [1]") + "filter: {}", "EMPTY_COLUMN", 4, ""),
    (COUNT + "filter: {}\narrayMatching: any", "INVALID_ARRAY_MATCHING", 7, "remove"),
    (COUNT + "filter: {}\nwindow: { type: TimeSliding, duration: { month: 1 } }", "INVALID_DURATION", 7, "{day: 30}"),
    (COUNT + "filter: {}\nwindow: { duration: { day: 1 } }", "INVALID_WINDOW", 7, "TimeSliding"),
    (COUNT + "filter: {}\nwindow: { type: TimeSliding, duration: { day: 0 } }", "INVALID_DURATION", 7, ""),
    (COUNT + "filter: {}\ntimeWindow: { duration: 90, unit: days }", "INVALID_TIME_UNIT", 7, "write day, not days"),
    (COUNT + "filter: {}\ntimeWindow: { duration: 90 }", "MISSING_TIME_UNIT", 7, "unit"),
    (COUNT + "filter: {}\ntimeWindow: { unit: day }", "MISSING_OPERATOR_VALUE", 7, "duration"),
    (COUNT + "filter: {}\ntimeWindow: 90", "INVALID_DURATION", 7, "duration: 90"),
    (COUNT + "filter: []", "INVALID_FILTER", 6, "filter"),
    (COUNT + "filter: { type: And }", "MISSING_CONDITIONS", 6, ""),
    (COUNT + "filter: { conditions: [] }", "INVALID_FILTER_CONDITION", 6, "And"),
    (FILTER + "    - type: Value\n      column: c\n      operator: { type: IsNull }", "INVALID_FILTER_CONDITION", 9, "type: Column"),
    (FILTER + "    - type: Column\n      attribute: c\n      operator: { type: IsNull }", "INVALID_FILTER_CONDITION", 10, "write column"),
    (FILTER + "    - column: c\n      operator: { type: IsNull }", "INVALID_FILTER_CONDITION", 9, "type: Column"),
    (FILTER + "    - type: Column\n      operator: { type: IsNull }", "EMPTY_COLUMN", 9, "column"),
    (FILTER + "    - type: Column\n      column: c\n      operator: { type: Equals, value: 1 }", "INVALID_OPERATOR_TYPE", 11, "Equal"),
    (FILTER + "    - word", "INVALID_FILTER_CONDITION", 9, ""),
    # sequences and limits
    ("type: Sequence\nsteps: [{ source: behavior_a }]", "INVALID_SEQUENCE", 2, "steps"),
    ("type: Sequence\nsteps:\n  - source: behavior_a\n  - { within: { day: 7 } }", "INVALID_SOURCE", 4, "behavior_"),
    (
        "type: Sequence\nsteps:\n  - source: behavior_a\n  - source: behavior_b\n    within: { days: 7 }",
        "INVALID_TIME_UNIT",
        5,
        "write day",
    ),
    ("type: Sequence\nsteps:\n  - source: behavior_a\n    within: { day: 7 }\n  - source: behavior_b", "INVALID_SEQUENCE", 4, "second"),
    ("type: Sequence\nsteps:\n  - source: behavior_a\n  - source: behavior_b\n    next: 1", "UNKNOWN_KEY", 5, ""),
    ("type: And\nconditions: []\nlimit: 5", "INVALID_LIMIT", 3, "type: Count"),
    ("type: And\nconditions: []\nlimit: { type: Top, number: 5 }", "INVALID_LIMIT", 3, ""),
    ("type: And\nconditions: []\nlimit: { type: Count, number: 0.5 }", "INVALID_LIMIT", 3, ""),
    ("type: And\nconditions: []\nlimit: { type: Percent, number: 101 }", "INVALID_LIMIT", 3, ""),
    ("type: And\nconditions: []\nlimit: { type: Count, number: 5, orderColumns: [{ column: a, order: down }] }", "INVALID_LIMIT", 3, ""),
]


@pytest.mark.parametrize(("text", "code", "line", "hint"), CASES, ids=[f"{row[1]}-{index}" for index, row in enumerate(CASES)])
def test_mistake(text: str, code: str, line: int, hint: str) -> None:
    document, syntax = read_yaml(text, "rule.yml")
    assert not syntax
    _, issues = read_rule(document)
    found = [issue for issue in issues if issue.code == code]
    assert found, issues.items
    assert (found[0].file, found[0].line) == ("rule.yml", line), str(found[0])
    assert hint in found[0].hint
    assert found[0].severity == "error"
    assert found[0].message


def test_one_mistake_is_reported_once() -> None:
    allowed_with = {
        "DUPLICATE_KEY": {"DUPLICATE_KEY"},
        "MISSING_BETWEEN_BOUNDS": {"UNKNOWN_KEY"},
        "UNKNOWN_KEY": {"EMPTY_ATTRIBUTE"},
    }
    for text, code, _, _ in CASES:
        _, issues = read_rule(read_yaml(text)[0])
        others = set(issues.codes()) - {code} - allowed_with.get(code, set())
        assert not others, (text, issues.items)
        assert issues.codes().count(code) == 1, (text, issues.items)


def test_a_condition_of_type_behavior_says_the_way_out_and_shows_its_other_problems() -> None:
    text = """\
    type: And
    conditions:
      - type: Behavior
        source: behavior_x
        aggregation: { type: Count }
        operator: { type: Greater, valu: 1 }
        filter: {}
    """
    _, issues = read_rule(read_yaml(dedent(text))[0])
    assert [(issue.code, issue.line) for issue in issues] == [
        ("INVALID_CONDITION_TYPE", 3),
        ("UNKNOWN_KEY", 6),
        ("MISSING_OPERATOR_VALUE", 6),
    ]
    assert "type: Value" in next(iter(issues)).hint


def test_all_problems_at_once_and_the_rest_of_the_rule_is_there() -> None:
    text = """\
    type: And
    conditions:
      - type: Value
        attribute: ""
        operator: { type: Equal, value: 1 }
      - type: Value
        attribute: good
        operator: { type: Equal, value: 1 }
      - type: Value
        attribute: a
        operator: { type: TimeWithinPast, value: 3, unit: days }
      - type: include
    """
    rule, issues = read_rule(read_yaml(dedent(text))[0])
    assert [(issue.code, issue.line) for issue in issues] == [
        ("EMPTY_ATTRIBUTE", 4),
        ("INVALID_TIME_UNIT", 11),
        ("MISSING_SEGMENT_REFERENCE", 12),
    ]
    assert rule == Group("all", (AttributeCondition("good", Comparison("Equal", 1)),))


def test_paths_lead_to_the_value() -> None:
    document, _ = read_yaml(indent(FILTER + "    - type: Column\n      column: c\n      operator: { type: In, value: [1, {}] }", ""))
    _, issues = read_rule(document)
    assert [issue.path for issue in issues] == [("filter", "conditions", 0, "operator", "value", 1)]


def test_nested_filter_groups_are_a_warning_in_yaml_only() -> None:
    value = read_yaml(FILTER + "    - { type: Or, conditions: [] }")[0].value
    for dialect, codes in (("yaml", ["NESTED_CONDITION_GROUP"]), ("json", [])):
        _, issues = read_rule(Document(value), dialect)
        assert issues.codes() == codes
        assert issues.ok


def test_problems_inside_a_text_rule_say_their_column() -> None:
    document, _ = read_yaml("rule: ltv > and tier = 'Gold'", "rule.yml")
    _, issues = read_rule(document.at(("rule",)))
    assert not issues.ok
    first = issues.errors[0]
    assert first.line == 1
    assert "column 7" in first.message


def test_stale_match_logic_is_a_warning() -> None:
    rule, issues = read_rule(Document({"type": "And", "expr": "A", "conditions": []}), "json")
    assert issues.codes() == ["UNUSED_EXPR"]
    assert issues.ok
    assert rule == Group("all", ())


def test_what_cannot_be_stored_or_walked_is_refused() -> None:
    deep: dict[str, object] = {"type": "And", "conditions": []}
    for _ in range(400):
        deep = {"type": "And", "conditions": [deep]}
    assert read_rule(Document(deep))[1].codes() == ["NESTED_TOO_DEEPLY"]
    broken = {"type": "Value", "attribute": "a", "operator": {"type": "Equal", "value": "\ud800"}}
    assert read_rule(Document(broken))[1].codes() == ["INVALID_TEXT"]
