"""Rules as files print them: every form of both dialects, read and written."""

import json

from kohort.documents.document import Document
from kohort.foundation.calendar import Duration
from kohort.foundation.issues import Issues
from kohort.rules.ast import (
    EVERYBODY,
    Aggregation,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    Extras,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Order,
    ReferenceCondition,
    SequenceCondition,
    Step,
    TimeWithin,
)
from kohort.rules.decode import read_rule
from kohort.rules.encode import rule_to_json, rule_to_yaml
from tests.rules.written import json_rule, only, yaml_rule


def test_segment_rule_with_values_references_and_a_nested_group() -> None:
    rule, issues = yaml_rule(
        """
        type: And
        conditions:
          - type: Value
            attribute: country
            operator: { type: In, value: ["US", "CA"] }
          - type: Value
            attribute: ltv
            operator: { type: Greater, value: 1000 }
          - type: include
            segment: "Existing Segment Name"
          - type: exclude
            segment: "Churned Users"
          - type: Or
            conditions:
              - type: Value
                attribute: email
                operator: { type: IsNull, not: true }
        """
    )
    assert issues.codes() == ["NESTED_CONDITION_GROUP"]
    assert issues.ok
    assert [issue.line for issue in issues] == [14]
    assert rule == Group(
        "all",
        (
            AttributeCondition("country", In(("US", "CA"))),
            AttributeCondition("ltv", Comparison("Greater", 1000)),
            ReferenceCondition("Existing Segment Name"),
            ReferenceCondition("Churned Users", exclude=True),
            Group("any", (AttributeCondition("email", IsNull(negated=True)),)),
        ),
    )


PURCHASES = FilterGroup(
    "all",
    (
        ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 90, "day")),
        ColumnCondition("category", Comparison("Equal", "Electronics")),
    ),
)


def test_behavior_condition_with_a_time_window() -> None:
    found = only(
        yaml_rule(
            """
            type: And
            conditions:
              - type: Value
                attribute: ""
                source: behavior_purchase_history
                aggregation: { type: Sum, column: order_total }
                operator: { type: Greater, not: false, value: 500 }
                timeWindow: { duration: 90, unit: day }
                filter:
                  type: And
                  conditions:
                    - type: Column
                      column: category
                      operator: { type: Equal, not: false, value: "Electronics" }
            """
        )
    )
    operator = Comparison("Greater", 500)
    assert found == BehaviorCondition("purchase_history", Aggregation("Sum", ("order_total",)), operator, PURCHASES)


def test_the_time_window_comes_before_any_other_filter() -> None:
    text = """
    type: Value
    source: behavior_visit
    aggregation: {{ type: Count }}
    operator: {{ type: Greater, value: 3 }}
    timeWindow: {{ duration: 2, unit: week }}
    filter: {0}
    """
    recent = ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 2, "week"))
    page = ColumnCondition("page", Comparison("Equal", "x"))
    column = "{ type: Column, column: page, operator: { type: Equal, value: x } }"
    filters = {
        "{}": FilterGroup("all", (recent,)),
        "null": FilterGroup("all", (recent,)),
        "{ type: And, conditions: [] }": FilterGroup("all", (recent,)),
        f"{{ type: And, conditions: [{column}] }}": FilterGroup("all", (recent, page)),
        f"{{ type: Or, conditions: [{column}] }}": FilterGroup("all", (recent, FilterGroup("any", (page,)))),
        f"{{ type: And, exclude: true, conditions: [{column}] }}": FilterGroup("all", (recent, FilterGroup("all", (page,), exclude=True))),
    }
    for written, expected in filters.items():
        found = only(yaml_rule(text.format(written)))
        assert isinstance(found, BehaviorCondition)
        assert found.filter == expected


BEHAVIOR_JSON = """
{"type":"Value","exclude":false,"arrayMatching":null,
 "leftValue":{"aggregation":{"type":"Count","groupingColumns":[]},
   "source":{"name":"behavior_order_digital_transactions"},
   "filter":{"type":"And","conditions":[{"type":"Column","column":"timestamp","arrayMatching":null,
       "operator":{"type":"TimeWithinPast","unit":"day","value":30,"not":false}}]},
   "window":{"type":"TimeSliding","duration":{"day":7}}},
 "operator":{"type":"GreaterEqual","not":false,"rightValue":1}}
"""


def test_behavior_condition_in_json_alone_and_with_a_sliding_window() -> None:
    rule, issues = json_rule(BEHAVIOR_JSON)
    assert not issues
    rows = FilterGroup("all", (ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 30, "day")),))
    expected = BehaviorCondition(
        "order_digital_transactions", Aggregation(), Comparison("GreaterEqual", 1), rows, sliding=Duration.of(7, "day")
    )
    assert rule == Group("all", (expected,))
    assert rule_to_json(rule)["conditions"] == [json.loads(BEHAVIOR_JSON)]


MINIMAL_JSON = """
{"type":"And","conditions":[{"type":"And","description":"","conditions":[
  {"type":"Value","leftValue":{"name":"ltv"},"operator":{"type":"Greater","not":false,"rightValue":1500},
   "arrayMatching":null,"exclude":false}]}]}
"""


def test_minimal_json_rule() -> None:
    rule, issues = json_rule(MINIMAL_JSON)
    assert not issues
    assert rule == Group("all", (Group("all", (AttributeCondition("ltv", Comparison("Greater", 1500)),)),))


def test_rule_sets_with_advanced_logic_a_description_and_a_limit_of_null() -> None:
    value = '{"type":"Value","leftValue":{"name":"%s"},"operator":{"type":"IsNull","not":true,"rightValue":""}}'
    text = """
    {"type":"And","conditions":[
      {"type":"And","description":"Age restrictions 20","conditions":[ %s ],"expr":""},
      {"type":"Composite","expr":"(A and B) or C","conditions":[ %s, %s, %s ]}
     ],"expr":"","limit":null}
    """
    rule, issues = json_rule(text % tuple(value % name for name in "abcd"))
    a, b, c, d = (AttributeCondition(name, IsNull(negated=True)) for name in "abcd")
    assert not issues
    expected = (Group("all", (a,), description="Age restrictions 20"), Group("expr", (b, c, d), "(A and B) or C"))
    assert rule == Group("all", expected)


def test_composable_dialect_in_yaml() -> None:
    found = only(
        yaml_rule(
            """
            type: And
            conditions:
              - leftValue: { name: loyalty_tier, visibility: clear }
                operator: { type: Equal, not: true, rightValue: Gold }
                exclude: true
            """
        )
    )
    kept = Extras.of({"leftValue.visibility": "clear"})
    assert found == AttributeCondition("loyalty_tier", Comparison("Equal", "Gold", negated=True), exclude=True, extras=kept)


def test_our_additions_in_yaml() -> None:
    rule, issues = yaml_rule(
        """
        type: Composite
        expr: A or B
        description: everything
        exclude: true
        limit:
          type: Percent
          number: 12.5
          orderColumns:
            - { type: Column, column: ltv, order: descending }
            - { type: Column, column: age }
        extras: { note: [1, null] }
        conditions:
          - type: Sequence
            steps:
              - source: behavior_view
                timeWindow: { duration: 1, unit: month }
              - source: behavior_purchase
                filter: { type: And, conditions: [{ type: Column, column: amount, operator: { type: Greater, value: 10 } }] }
                within: { duration: 7, unit: day }
              - source: { name: behavior_return }
                within: { day: 1, hour: 12 }
            description: returned soon
          - type: Value
            source: behavior_purchase
            aggregation: { type: Sum, column: amount }
            operator: { type: Greater, value: 10 }
            filter: {}
            window: { type: TimeSliding, duration: { day: 7 } }
            exclude: true
            limit: { type: Count, number: 10, orderColumns: [{ type: Aggregation, order: descending }] }
        """
    )
    assert not issues
    first = Step("view", FilterGroup("all", (ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 1, "month")),)))
    second = Step("purchase", FilterGroup("all", (ColumnCondition("amount", Comparison("Greater", 10)),)), Duration.of(7, "day"))
    third = Step("return", None, Duration((("day", 1), ("hour", 12))))
    total = BehaviorCondition(
        "purchase",
        Aggregation("Sum", ("amount",)),
        Comparison("Greater", 10),
        sliding=Duration.of(7, "day"),
        exclude=True,
        limit=Limit("Count", 10, (Order(descending=True),)),
    )
    assert rule == Group(
        "expr",
        (SequenceCondition((first, second, third), description="returned soon"), total),
        "A or B",
        exclude=True,
        limit=Limit("Percent", 12.5, (Order("ltv", descending=True), Order("age"))),
        description="everything",
        extras=Extras.of({"note": [1, None]}),
    )


def test_references_of_every_kind() -> None:
    rule, issues = json_rule(
        """
        {"type":"Or","conditions":[
          {"type":"Reference","id":"123","exclude":false},
          {"type":"Reference","id":123,"exclude":true},
          {"type":"FunnelStageReference","id":"5"},
          {"type":"AbTestVariantReference","id":"Test/A-Test"},
          {"type":"PredictiveScoreReference","id":"7","minGrade":1,"maxGrade":2,"includeConvertedCustomers":true},
          {"type":"MlAttributeReference","id":"8","solutionType":"rfm","leftValue":{"attribute":"rfm_score"},
           "operator":{"type":"Greater","rightValue":3}}]}
        """
    )
    assert not issues
    kinds = [(part.target, part.kind, part.exclude) for part in rule.conditions if isinstance(part, ReferenceCondition)]
    assert kinds == [
        ("123", "Segment", False),
        ("123", "Segment", True),
        ("5", "FunnelStage", False),
        ("Test/A-Test", "AbTestVariant", False),
        ("7", "PredictiveScore", False),
        ("8", "MlAttribute", False),
    ]
    written = rule_to_json(rule)["conditions"]
    assert written[4] == {
        "type": "PredictiveScoreReference", "id": "7", "exclude": False, "minGrade": 1, "maxGrade": 2, "includeConvertedCustomers": True,
    }  # fmt: skip
    assert written[5]["leftValue"] == {"attribute": "rfm_score"}
    assert read_rule(Document(rule_to_yaml(rule))) == (rule, Issues())


def test_account_attributes() -> None:
    found = only(json_rule('{"type":"Value","leftValue":{"customerGroup":"accounts","name":"industry"},"operator":{"type":"IsNull"}}'))
    assert found == AttributeCondition("industry", IsNull(), customer_group="accounts")
    assert rule_to_yaml(Group("all", (found,)))["conditions"] == [
        {"type": "Value", "attribute": "industry", "customerGroup": "accounts", "operator": {"type": "IsNull"}}
    ]


def test_unknown_keys_of_json_are_kept_where_they_were() -> None:
    text = """
    {"type":"And","expr":"","segmentInsightDashboardId":null,"x":1,"conditions":[
      {"type":"Value","arrayMatching":null,"exclude":false,"note":"n",
       "leftValue":{"name":"a","visibility":"clear","more":[1]},
       "operator":{"type":"Equal","not":false,"rightValue":1,"hint":{"a.b":1}}}]}
    """
    rule, issues = json_rule(text)
    assert issues.ok
    assert issues.codes() == ["UNKNOWN_KEY"] * 4
    assert {issue.path[-1] for issue in issues} == {"x", "note", "more", "hint"}
    assert rule_to_json(rule) == json.loads(text)
    assert rule.extras == Extras.of({"segmentInsightDashboardId": None, "x": 1})
    assert rule.conditions[0].extras.values["operator.hint"] == {"a.b": 1}


def test_text_rules_and_text_conditions() -> None:
    rule, issues = yaml_rule("ltv > 1000 and tier = 'Gold'")
    assert not issues
    assert rule == Group(
        "all", (AttributeCondition("ltv", Comparison("Greater", 1000)), AttributeCondition("tier", Comparison("Equal", "Gold")))
    )
    rule, issues = yaml_rule("{ type: Or, conditions: [ltv > 1000, { type: include, segment: VIP }] }")
    assert not issues
    assert rule == Group("any", (AttributeCondition("ltv", Comparison("Greater", 1000)), ReferenceCondition("VIP")))


def test_everybody() -> None:
    for text in ("null", "{}", "{ type: And, conditions: [] }"):
        assert yaml_rule(text) == (EVERYBODY, Issues())


def test_yaml_is_written_with_the_usual_keys() -> None:
    rule = Group(
        "all",
        (
            AttributeCondition("tier", Comparison("Equal", "Gold", negated=True)),
            AttributeCondition("country", In(("US",), negated=True)),
            AttributeCondition("age", Between(1, 2, negated=True)),
            BehaviorCondition("purchase_history", Aggregation("Sum", ("order_total",)), Comparison("Greater", 500), PURCHASES),
            ReferenceCondition("Churned", exclude=True),
        ),
    )
    assert rule_to_yaml(rule) == {
        "type": "And",
        "conditions": [
            {"type": "Value", "attribute": "tier", "operator": {"type": "NotEqual", "value": "Gold"}},
            {"type": "Value", "attribute": "country", "operator": {"type": "NotIn", "value": ["US"]}},
            {"type": "Value", "attribute": "age", "operator": {"type": "Between", "not": True, "min": 1, "max": 2}},
            {
                "type": "Value",
                "attribute": "",
                "source": "behavior_purchase_history",
                "aggregation": {"type": "Sum", "column": "order_total"},
                "operator": {"type": "Greater", "value": 500},
                "timeWindow": {"duration": 90, "unit": "day"},
                "filter": {
                    "type": "And",
                    "conditions": [{"type": "Column", "column": "category", "operator": {"type": "Equal", "value": "Electronics"}}],
                },
            },
            {"type": "exclude", "segment": "Churned"},
        ],
    }
