"""Rules from YAML and JSON files, in every form they are written in, to the rule tree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.documents.document import Document
from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.rules.ast import EVERYBODY, Group, Rule
from kohort.rules.decode.conditions import GROUPS, read_condition, read_group, read_text
from kohort.rules.decode.nodes import Dialect, Node, is_sound, kind_of

__all__ = ["Dialect", "is_sound", "read_rule", "read_rule_value"]


def read_rule(document: Document, dialect: Dialect = "yaml") -> tuple[Rule, Issues]:
    """The rule a file holds, with every problem in it, placed; what cannot be read is left out of the tree.

    All forms are read in both dialects: attribute/value keys, leftValue/rightValue keys, and text. They differ in what an
    unknown key is: an error in "yaml", which people write; kept with a warning in "json", which programs write.
    """
    issues = Issues()
    if not is_sound(document.value, (), issues):
        return EVERYBODY, document.located(issues)
    rule = read_rule_value(document.value, (), issues, dialect)
    return rule, document.located(issues)


def read_rule_value(value: Any, path: Path, issues: Issues, dialect: Dialect) -> Rule:
    """The rule that stands at `path` of a larger (sound) document."""
    if value is None or value == {}:
        return EVERYBODY
    if isinstance(value, str):
        return read_text(Node({}, path, issues, dialect), value, path)
    if not isinstance(value, dict):
        hint = "write type: And and conditions: [...]" if isinstance(value, list) else "write a mapping or a text"
        issues.error("INVALID_RULE_TYPE", f"a rule cannot be {kind_of(value)}", path, hint)
        return EVERYBODY
    node = Node(value, path, issues, dialect)
    kind = value.get("type")
    if isinstance(kind, str) and kind in GROUPS:
        return read_group(node, GROUPS[kind])
    if "conditions" in value or not _is_leaf(value):
        return _misnamed_group(node, kind)
    leaf = read_condition(node, value, path)
    return replace(EVERYBODY, conditions=() if leaf is None else (leaf,))


def _is_leaf(value: dict[str, Any]) -> bool:
    """True for a mapping that is one condition rather than a group whose type is wrong."""
    return any(key in value for key in ("operator", "leftValue", "attribute", "segment", "source", "steps", "id"))


def _misnamed_group(node: Node, kind: object) -> Group:
    """A group without a known type is read as And, for the problems inside it."""
    if kind is None:
        node.error("INVALID_RULE_TYPE", "the rule has no type", hint="add type: And (or Or)")
    else:
        hint = did_you_mean(kind, GROUPS) if isinstance(kind, str) else f"known: {', '.join(GROUPS)}"
        node.error("INVALID_RULE_TYPE", f"{kind_of(kind)} is not a type of rule", "type", hint=hint)
    return read_group(node, "all") if "conditions" in node.value else EVERYBODY
