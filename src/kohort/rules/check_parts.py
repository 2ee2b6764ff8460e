"""Checks what can be read of a rule when other parts of it cannot, so that all its problems come at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kohort.foundation.issues import Issues, Path
from kohort.parent.catalog import FieldCatalog
from kohort.rules.check import check_rule
from kohort.rules.decode import read_rule_value
from kohort.rules.decode.conditions import GROUPS, inside_text
from kohort.rules.places import path_in
from kohort.rules.text import parse_rule


def check_names_in_text(text: str, catalog: FieldCatalog, path: Path) -> Issues:
    """Unknown names in a text rule, with their columns. path: where the text stands."""
    _, issues = parse_rule(text, catalog)
    return Issues([inside_text(issue, path) for issue in issues])


def check_parts(value: Any, catalog: FieldCatalog, path: Path = ()) -> Issues:
    """Problems with fields and operators of every condition that can be read by itself.

    value: a rule (or condition) as a file holds it, sound or not. path: where it stands; issues lead into the file's value.
    """
    issues = Issues()
    if isinstance(value, dict) and value.get("type") in (*GROUPS, None) and isinstance(value.get("conditions"), list):
        for index, item in enumerate(value["conditions"]):
            issues.extend(check_parts(item, catalog, (*path, "conditions", index)))
        return issues
    for candidate in (value, *_mended(value)):
        problems = Issues()
        rule = read_rule_value({"type": "And", "conditions": [candidate]}, (), problems, "yaml")
        if problems.ok:
            issues.extend(replace(issue, path=(*path, *path_in(value, issue.path[2:]))) for issue in check_rule(rule, catalog, None))
            break
    return issues


def _mended(value: Any) -> Iterator[dict[str, Any]]:
    """A condition with what is missing added, then with an operator that fits everything: its names can still be checked."""
    if isinstance(value, dict) and value.get("type") == "Value":
        whole = {"filter": {"type": "And", "conditions": []}, **value} if "source" in value else value
        yield whole
        yield {**whole, "operator": {"type": "IsNull"}}
