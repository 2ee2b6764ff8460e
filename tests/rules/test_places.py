from __future__ import annotations

import pytest

from kohort.documents.yaml import read_yaml
from kohort.foundation.issues import Issues, Path
from kohort.parent.catalog import Behavior, FieldCatalog
from kohort.rules.check import check_rule
from kohort.rules.decode import read_rule_value
from kohort.rules.places import located, located_in_text, path_in
from kohort.rules.text import parse_rule
from kohort.testing.dataset import field_of

YAML = """\
rule:
  type: And
  conditions:
    - type: Value
      attribute: ""
      source: behavior_purchase
      timeWindow: { duration: 90, unit: day }
      filter:
        type: And
        conditions:
          - { type: Column, column: amuont, operator: { type: Equal, value: 1 } }
    - type: Value
      leftValue: { name: tier }
      operator:
        type: In
        rightValues: [Gold,
          3]
    - type: Value
      source: behavior_purchase
      timeWindow: { duration: 90, unit: day }
      filter:
        type: Or
        conditions:
          - { type: Column, column: amuont }
    - "a text"
"""
FIRST = ("rule", "conditions", 0)
SECOND = ("rule", "conditions", 1)
THIRD = ("rule", "conditions", 2)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((*FIRST, "source"), 6),
        ((*FIRST, "filter", "conditions", 0, "operator", "value"), 7),
        ((*FIRST, "filter", "conditions", 1, "column"), 11),
        ((*SECOND, "attribute"), 13),
        ((*SECOND, "operator", "value", 1), 17),
        ((*SECOND, "operator", "unknown"), 14),
        ((*THIRD, "filter", "conditions", 0), 20),
        ((*THIRD, "filter", "conditions", 1, "conditions", 0, "column"), 24),
        (("rule", "conditions", 3, "operator"), 25),
        (("rule", "conditions", 9), 3),
        ((), 1),
    ],
)
def test_lines_of_problems(path: Path, line: int) -> None:
    document, problems = read_yaml(YAML, "x.yml")
    assert problems.ok
    issues = Issues()
    issues.error("X", "x", path)
    [issue] = located(issues, document)
    assert (issue.file, issue.line) == ("x.yml", line)


def test_a_text_rule_has_one_place() -> None:
    assert path_in({"rule": "age > 3"}, ("rule", "conditions", 0, "attribute")) == ("rule",)


CATALOG = FieldCatalog(
    (field_of("age", "int64"), field_of("tier", "text")),
    (Behavior("buy", (field_of("amount", "float64"), field_of("shop", "text"))),),
)


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("tier = 'Gold' and age > 'abc'", "INVALID_VALUE", "'abc'"),
        ("not (age > 3 or age between 1 and 'b')", "INVALID_VALUE", "'b'"),
        ("buy sum(shop) > 3", "AGGREGATION_TYPE_MISMATCH", "shop)"),
        ("tier = 'Gold' and (buy in last 3 days where amount > 1 and shop in ('a', 5))", "INVALID_VALUE", "5"),
        ("age > 3 and (buy count > 1 limit 0 by value desc)", "INVALID_LIMIT", "0 by"),
        ("tier > 3", "INVALID_VALUE", "3"),
        ("age > 3 and tier contains any ('a') and age contains 'x'", "OPERATOR_TYPE_MISMATCH", "contains 'x'"),
        ("age > 3 and in segment 'Nowhere'", "MISSING_SEGMENT_REFERENCE", "in segment"),
        ("sequence(buy, then buy within 3 days where amount = 'x')", "INVALID_VALUE", "'x'"),
        ("age > 3 and\n  buy count >= 2 where shop = 2", "INVALID_VALUE", "2"),
    ],
)
def test_problems_of_a_typed_rule_point_into_its_text(text: str, code: str, at: str) -> None:
    rule, read = parse_rule(text, CATALOG)
    assert not read, list(map(str, read))
    [found] = located_in_text(check_rule(rule, CATALOG, ()), text, CATALOG)
    assert found.code == code
    before = "\n".join(text.split("\n")[: found.line - 1])
    place = len(before) + (1 if before else 0) + found.column - 1
    assert text[place:].startswith(at)
    assert found.excerpt == text.split("\n")[found.line - 1]
    assert found.excerpt_column == found.column


def test_problems_of_a_text_rule_in_a_file_name_the_file_and_the_column_of_the_text() -> None:
    document, _ = read_yaml("name: A\nrule: tier = 'Gold' and age > 'abc'\n", "a.yml")
    rule, _ = parse_rule(document.value["rule"])
    [found] = located(check_rule(rule, CATALOG, (), ("rule",)), document)
    assert (found.file, found.line, found.column, found.path) == ("a.yml", 2, 1, ("rule",))
    assert found.message.startswith("column 25: ")
    assert found.excerpt[found.excerpt_column - 1 :] == "'abc'"


def test_texts_among_the_conditions_of_a_tree() -> None:
    text = "rule:\n  type: And\n  conditions:\n    - age > 'abc'\n    - age > 1 and age < 'x'\n"
    document, _ = read_yaml(text, "a.yml")
    issues = Issues()
    rule = read_rule_value(document.value["rule"], ("rule",), issues, "yaml")
    found = list(located(check_rule(rule, CATALOG, (), ("rule",)), document))
    assert [(one.line, one.message[:10]) for one in found] == [(4, "column 7: "), (5, "column 19:")]
