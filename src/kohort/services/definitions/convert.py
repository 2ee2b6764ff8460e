"""One rule in its other forms: YAML, JSON, text, a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, assert_never

from kohort.documents.json import read_json
from kohort.documents.yaml import read_yaml, write_yaml
from kohort.foundation.errors import InvalidInput, UserError
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import Rule
from kohort.rules.decode import read_rule
from kohort.rules.describe import describe
from kohort.rules.encode import rule_to_json, rule_to_yaml
from kohort.rules.rulesets import to_rule_sets
from kohort.rules.text import write_rule

RuleForm = Literal["yaml", "json", "text", "sentence"]


def rule_in_file(path: Path) -> Rule:
    """The rule of a YAML or JSON file that holds a rule, or a segment with one. Raises InvalidInput, UserError FILE_NOT_READABLE."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("FILE_NOT_READABLE", f"{path} cannot be read: {error}") from error
    is_json = path.suffix.lower() == ".json"
    document, issues = read_json(text, str(path)) if is_json else read_yaml(text, str(path))
    issues.raise_if_errors()
    whole = document.value
    inner = document.at(("rule",)) if isinstance(whole, dict) and "rule" in whole else document
    rule, problems = read_rule(inner, "json" if is_json else "yaml")
    if not problems.ok:
        raise InvalidInput(inner.located(problems))
    return rule


def rule_as(rule: Rule, form: RuleForm, *, rule_sets: bool = False, catalog: FieldCatalog | None = None) -> str:
    """The rule in one form. rule_sets: on the two levels that a console shows, with the same meaning."""
    shown = to_rule_sets(rule) if rule_sets else rule
    match form:
        case "yaml":
            return write_yaml(rule_to_yaml(shown)).rstrip("\n")
        case "json":
            return json.dumps(rule_to_json(shown), indent=2, ensure_ascii=False)
        case "text":
            return write_rule(shown)
        case "sentence":
            return describe(shown, catalog)
        case _:
            assert_never(form)
