"""Rules as files print them, read."""

from __future__ import annotations

from textwrap import dedent

from kohort.documents.json import read_json
from kohort.documents.yaml import read_yaml
from kohort.foundation.issues import Issues
from kohort.rules.ast import (
    Condition,
    Rule,
)
from kohort.rules.decode import Dialect, read_rule


def yaml_rule(text: str, dialect: Dialect = "yaml") -> tuple[Rule, Issues]:
    document, issues = read_yaml(dedent(text), "rule.yml")
    assert not issues
    return read_rule(document, dialect)


def json_rule(text: str) -> tuple[Rule, Issues]:
    document, issues = read_json(text, "rule.json")
    assert not issues
    return read_rule(document, "json")


def only(rule_and_issues: tuple[Rule, Issues]) -> Condition:
    rule, issues = rule_and_issues
    assert not issues.errors
    (condition,) = rule.conditions
    return condition
