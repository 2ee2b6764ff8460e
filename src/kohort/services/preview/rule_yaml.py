"""A rule as YAML text, put together from what was written of its conditions before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.documents.yaml import write_yaml
from kohort.rules.ast import Condition, Group, Rule
from kohort.rules.encode import rule_to_yaml
from kohort.rules.known import KnownConditions

_LEFT_OUT = "conditions: []\n"


def rule_yaml(rule: Rule, known: KnownConditions) -> str:
    """The text that `write_yaml(rule_to_yaml(rule))` gives; only what is not known is written anew."""
    return _group(rule, 0, known)


def _part(condition: Condition, depth: int, known: KnownConditions) -> str:
    """An item of the list of conditions at a depth, its dash included."""
    if isinstance(condition, Group):
        return _group(condition, depth, known)
    return known.of(condition).fact(f"yaml {depth}", lambda: _at(_condition(condition), depth))


def _group(group: Group, depth: int, known: KnownConditions) -> str:
    shell = replace(group, conditions=())
    text = known.of(shell).fact(f"yaml {depth}", lambda: _at(rule_to_yaml(shell), depth))
    if not group.conditions:
        return text
    mark = f"\n{' ' * 4 * depth}{_LEFT_OUT}"
    before, _, after = text.partition(mark)
    parts = "".join(_part(part, depth + 1, known) for part in group.conditions)
    return f"{before}{mark.removesuffix(' []' + chr(10))}\n{parts}{after}"


def _condition(condition: Condition) -> Any:
    [value] = rule_to_yaml(Group("all", (condition,)))["conditions"]
    return value


def _at(value: Any, depth: int) -> str:
    """What a value becomes inside so many lists of conditions: long lines break by their column."""
    for _ in range(depth):
        value = {"c": [value]}
    return "".join(write_yaml(value).splitlines(keepends=True)[depth:])
