"""The two-level form of a rule: a top group of rule sets, each a group of plain conditions. It means the same.

Some consoles show a rule only in this form. Conditions that stand alone are gathered in a rule set of their own; deeper
groups become advanced match logic (`A or (B and C)`). A group stays nested where that cannot say it: when it has a limit,
an exclusion or extras of its own, or when a rule set would need more than 26 conditions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Literal

from kohort.rules.ast import NO_EXTRAS, Condition, Group, Rule
from kohort.rules.logic import parse_logic

MAX_RULE_SETS = 9
_NAMES = ascii_uppercase
_DIGITS = "123456789"
_IDENTIFIER = re.compile(r"[A-Z1-9]")


def to_rule_sets(rule: Rule) -> Rule:
    """The rule as a top group of rule sets; a rule that is one already comes back as it is.

    >>> from kohort.rules.ast import AttributeCondition, IsNull
    >>> test = AttributeCondition("email", IsNull())
    >>> to_rule_sets(Group("any", (test, test))) == Group("all", (Group("any", (test, test)),))
    True
    """
    if not any(isinstance(part, Group) for part in rule.conditions):
        return _single_set(rule) if rule.conditions else rule
    if rule.match == "expr":
        return _advanced(rule)
    return replace(rule, conditions=_gathered(rule.match, rule.conditions))


def _single_set(rule: Rule) -> Rule:
    """A rule without groups: one rule set, with the description; limit and exclusion stay with the whole."""
    inner = Group(rule.match, rule.conditions, rule.expr, description=rule.description)
    return Group("all", (inner,), exclude=rule.exclude, limit=rule.limit, extras=rule.extras)


def _gathered(match: Literal["all", "any"], conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Groups as rule sets in their order; all other conditions in one rule set, where the first of them stood."""
    alone = tuple(part for part in conditions if not isinstance(part, Group))
    first = next((index for index, part in enumerate(conditions) if not isinstance(part, Group)), -1)
    sets: list[Condition] = []
    for index, part in enumerate(conditions):
        if isinstance(part, Group):
            sets.append(_rule_set(part))
        elif index == first:
            sets.append(Group(match, alone))
    return tuple(sets)


def _advanced(rule: Rule) -> Rule:
    """Advanced logic over groups: each condition its own rule set, named 1 to 9; beyond nine, one rule set of everything."""
    if len(rule.conditions) > MAX_RULE_SETS:
        folded = _rule_set(replace(rule, limit=None, extras=NO_EXTRAS, exclude=False))
        if any(isinstance(part, Group) for part in folded.conditions):
            return rule
        return Group("all", (folded,), exclude=rule.exclude, limit=rule.limit, extras=rule.extras)
    sets = tuple(_rule_set(part) if isinstance(part, Group) else Group("all", (part,)) for part in rule.conditions)
    expr = _IDENTIFIER.sub(lambda found: _DIGITS[_position(found[0])] if _position(found[0]) < len(sets) else found[0], rule.expr)
    return replace(rule, conditions=sets, expr=expr)


def _position(identifier: str) -> int:
    """0 for A and 1, 1 for B and 2, ..."""
    return _DIGITS.index(identifier) if identifier in _DIGITS else _NAMES.index(identifier)


def _rule_set(group: Group) -> Group:
    """The group with its inner groups folded into its match logic; unchanged where that cannot be done."""
    if not any(isinstance(part, Group) for part in group.conditions):
        return group
    folding = _Folding()
    expr = folding.expression(group, top=True)
    if expr is None or len(folding.leaves) > len(_NAMES):
        return group
    description = " / ".join(folding.descriptions)
    if group.match != "expr" and folding.operators <= {group.match}:
        return replace(group, conditions=tuple(folding.leaves), description=description)
    return replace(group, match="expr", conditions=tuple(folding.leaves), expr=expr, description=description)


@dataclass(slots=True)
class _Folding:
    """Collects the plain conditions of nested groups and writes the expression over them."""

    leaves: list[Condition] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)

    def expression(self, group: Group, *, top: bool = False) -> str | None:
        """The group's logic; None when it has something an expression cannot say."""
        if not group.conditions or not (top or (group.limit is None and group.extras == NO_EXTRAS and not group.exclude)):
            return None
        if group.description:
            self.descriptions.append(group.description)
        parts = [self._part(condition) for condition in group.conditions]
        if len(self.leaves) > len(_NAMES):
            return None
        terms = [part for part in parts if part is not None]
        if len(terms) < len(parts):
            return None
        if group.match == "expr":
            inner = self._substituted(group.expr, terms)
            return inner if top or inner is None else f"({inner})"
        if len(terms) > 1:
            self.operators.add(group.match)
        text = (" and " if group.match == "all" else " or ").join(terms)
        return text if top or len(terms) == 1 else f"({text})"

    def _part(self, condition: Condition) -> str | None:
        if isinstance(condition, Group):
            return self.expression(condition)
        self.leaves.append(condition)
        return _NAMES[len(self.leaves) - 1] if len(self.leaves) <= len(_NAMES) else None

    def _substituted(self, expr: str, terms: Sequence[str]) -> str | None:
        """An inner expression with its names replaced by what they stand for."""
        if parse_logic(expr, len(terms))[0] is None:
            return None
        self.operators.add("expr")
        return _IDENTIFIER.sub(lambda found: terms[_position(found[0])], expr)
