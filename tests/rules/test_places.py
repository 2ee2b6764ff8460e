from __future__ import annotations

import pytest

from kohort.documents.yaml import read_yaml
from kohort.foundation.issues import Issues, Path
from kohort.rules.places import located, path_in

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
