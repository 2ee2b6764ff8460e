"""A rule in one plain English sentence, for people who did not write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import (
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Condition,
    Group,
    IsNull,
    Limit,
    Order,
    ReferenceCondition,
    ReferenceKind,
    Rule,
    SequenceCondition,
)
from kohort.rules.describe.behaviors import Doings, sequence_clause
from kohort.rules.describe.predicates import elements_text, tested
from kohort.rules.describe.words import join, label_text, number_text, quoted, text_value
from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, LogicOr, parse_logic

_IN: dict[ReferenceKind, str] = {
    "Segment": "segment",
    "FunnelStage": "funnel stage",
    "AbTestVariant": "A/B test variant",
    "PredictiveScore": "predictive score",
    "MlAttribute": "machine learning attribute",
}


def describe(rule: Rule, catalog: FieldCatalog | None = None) -> str:
    """One sentence that says whom a rule selects, with the labels of the catalog.

    Descriptions and kept extra keys are not part of it. Unknown names stand as they are written.

    >>> from kohort.rules.text import parse_rule
    >>> describe(parse_rule("lifetime_value > 1000 and purchase in last 30 days and not in segment 'VIP'")[0])
    'Customers whose lifetime value is over 1,000, who made at least one purchase in the past 30 days, but are not in segment VIP.'
    """
    return _Describer(catalog).sentence(rule)


@dataclass(frozen=True, slots=True)
class _Clause:
    """A relative clause about customers. negative: says what is not so. several: joined parts, to be set in parentheses."""

    text: str
    negative: bool = False
    several: bool = False

    @property
    def closed(self) -> str:
        return f"({self.text})" if self.several else self.text


@dataclass(frozen=True, slots=True)
class _Describer:
    catalog: FieldCatalog | None

    def sentence(self, rule: Rule) -> str:
        selected = self._selected(rule)
        if rule.exclude:
            selected = _excluded(rule, selected)
        if rule.limit is None:
            return f"{selected[0].upper()}{selected[1:]}."
        customers = selected if selected.startswith(("all ", "no ")) else f"the {selected}"
        return f"The {self._top(rule.limit)} of {customers}."

    def _selected(self, rule: Rule) -> str:
        """ "customers whose ...", its `exclude` aside."""
        if not rule.conditions:
            return "no customers" if rule.match == "any" else "all customers"
        return f"customers {self._combined(rule).text}"

    def _clause(self, node: Condition) -> _Clause:
        """A condition as a clause, its exclude and limit included."""
        match node:
            case Group():
                clause = self._group(node)
            case AttributeCondition():
                clause = self._attribute(node)
            case BehaviorCondition():
                clause = _Clause(*Doings(node.behavior, self.catalog).clause(node))
            case SequenceCondition():
                clause = _complement(_Clause(sequence_clause(node, self.catalog)), node.exclude)
            case ReferenceCondition():
                are = "are not" if node.exclude else "are"
                clause = _Clause(f"who {are} in {_IN[node.kind]} {text_value(node.target)}", negative=node.exclude)
            case _:
                assert_never(node)
        if node.limit is None:
            return clause
        return _Clause(f"who are among the {self._top(node.limit)} of the customers {clause.closed}")

    # groups

    def _group(self, group: Group) -> _Clause:
        if not group.conditions:
            everybody = (group.match != "any") != group.exclude
            return _Clause("who are any customers at all" if everybody else "who are no customers at all", negative=not everybody)
        return _complement(self._combined(group), group.exclude)

    def _combined(self, group: Group) -> _Clause:
        clauses = [self._clause(part) for part in group.conditions]
        if group.match != "expr":
            return _join(clauses, "and" if group.match == "all" else "or")
        logic, _ = parse_logic(group.expr, len(clauses))
        if logic is not None:
            return _logic(logic, clauses)
        listed = "; ".join(f"{position}: {clause.text}" for position, clause in enumerate(clauses, start=1))
        return _Clause(f"who match {quoted(group.expr)} with {listed}", several=True)

    # attributes

    def _attribute(self, node: AttributeCondition) -> _Clause:
        field = self.catalog.attribute.get(node.attribute) if self.catalog is not None and not node.customer_group else None
        label = label_text(node.attribute, field.label if field else "")
        if node.customer_group:
            label = f"{label_text(node.customer_group)} {label}"
        matching = node.array_matching or (ArrayMatching("any") if field is not None and field.is_array else None)
        if isinstance(node.operator, IsNull):
            missing = node.operator.negated == node.exclude
            known = f"whose {label} {'is' if matching is None else 'are'} known"
            return _Clause(f"who have no {label}" if missing else known, negative=missing)
        if matching is not None:
            return _complement(_Clause(elements_text(f"whose {label}", node.operator, matching, False)), node.exclude)
        return _Clause(f"whose {label} {tested(node.operator, node.exclude, field is not None and field.is_time)}")

    # limits

    def _top(self, limit: Limit) -> str:
        number = f"{number_text(limit.number)}%" if limit.kind == "Percent" else number_text(limit.number)
        if not limit.order:
            return f"first {number} by customer id"
        return f"top {number} by {join([self._order(order) for order in limit.order], 'then')}"

    def _order(self, order: Order) -> str:
        field = self.catalog.attribute.get(order.attribute) if self.catalog is not None else None
        label = label_text(order.attribute, field.label if field else "") if order.attribute else "that value"
        time = field is not None and field.is_time
        first = ("latest" if time else "highest") if order.descending else ("earliest" if time else "lowest")
        return f"{label} ({first} first)"


def _excluded(rule: Rule, selected: str) -> str:
    if rule.conditions:
        return f"all customers except those {selected.removeprefix('customers ')}"
    return "no customers" if selected == "all customers" else "all customers"


def _complement(clause: _Clause, exclude: bool) -> _Clause:
    return _Clause(f"who are not customers {clause.closed}", negative=True) if exclude else clause


def _join(clauses: Sequence[_Clause], word: Literal["and", "or"]) -> _Clause:
    """The clauses one after the other; a negative one at the end of positive ones is set off by "but"."""
    if len(clauses) == 1:
        return clauses[0]
    *before, last = clauses
    texts = [clause.closed for clause in before]
    if word == "and" and last.negative and not before[-1].negative and not last.several:
        return _Clause(f"{', '.join(texts)}, but {last.text.removeprefix('who ')}", several=True)
    comma = "," if len(before) > 1 else ""
    return _Clause(f"{', '.join(texts)}{comma} {word} {last.closed}", several=True)


def _logic(node: LogicNode, clauses: Sequence[_Clause]) -> _Clause:
    match node:
        case LogicItem(index):
            return clauses[index]
        case LogicAnd(parts):
            return _join([_logic(part, clauses) for part in parts], "and")
        case LogicOr(parts):
            return _join([_logic(part, clauses) for part in parts], "or")
        case _:
            assert_never(node)
