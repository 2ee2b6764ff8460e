"""The normal form of a rule: rules that mean the same, as far as can be told without data, become the same tree.

Nothing here needs a catalog. Every step keeps the members at every instant for every data, nulls included:
`not` on an operator leaves null false, `exclude` is the complement, and they are never exchanged unless the value
cannot be null. Sequences, limits and references stay what they are; groups are flat, sorted and without repeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeGuard, TypeVar

from kohort.rules.ast import (
    NO_EXTRAS,
    TIME_COLUMN,
    Aggregation,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    IsNull,
    Leaf,
    Limit,
    Operator,
    ReferenceCondition,
    Rule,
    SequenceCondition,
    Step,
)
from kohort.rules.canonical import name_of, text_of
from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, LogicOr, parse_logic
from kohort.rules.normal_operators import normal_duration, normal_number, normal_operator

NOBODY = Group("any", ())
_Part = TypeVar("_Part")


def normalize(rule: Rule) -> Rule:
    """The normal form; normalizing it again changes nothing."""
    found = normal_condition(rule)
    return found if isinstance(found, Group) else Group("all", (found,))


def meaning(rule: Rule) -> str:
    """A fingerprint that is the same for rules that differ only in descriptions, order and ways of writing."""
    return name_of(normalize(rule))


def normal_condition(condition: Condition, flip: bool = False) -> Condition:
    """The normal form of one condition, or with `flip` of its complement."""
    if condition.limit is None:
        return _group(condition, flip) if isinstance(condition, Group) else _leaf(condition, flip)
    limited = _limited(normal_condition(replace(condition, limit=None)), _limit(condition.limit), isinstance(condition, Group))
    return complement(limited) if flip else limited


def complement(condition: Condition) -> Condition:
    """Everybody else; of a limited condition, which cannot be turned inside out, a group around it."""
    if isinstance(condition, Group) and condition.exclude and condition.limit is None and condition.match == "all":
        return condition.conditions[0]
    if condition.limit is not None:
        return Group("all", (condition,), exclude=True)
    return normal_condition(condition, flip=True)


# --- groups -----------------------------------------------------------------------------------------------------


def _group(group: Group, flip: bool) -> Condition:
    flip = flip != group.exclude
    if group.match == "expr":
        node = parse_logic(group.expr, len(group.conditions))[0]
        if node is None:
            conditions = tuple(normal_condition(part) for part in group.conditions)
            return Group("expr", conditions, " ".join(group.expr.split()), exclude=flip)
        return _logic(node, group.conditions, flip)
    parts = [normal_condition(part, flip) for part in group.conditions]
    return _joined(_flipped(group.match) if flip else group.match, parts)


def _logic(node: LogicNode, conditions: tuple[Condition, ...], flip: bool) -> Condition:
    match node:
        case LogicItem(index):
            return normal_condition(conditions[index], flip)
        case LogicAnd(parts) | LogicOr(parts):
            joined: Literal["all", "any"] = "all" if isinstance(node, LogicAnd) else "any"
            return _joined(_flipped(joined) if flip else joined, [_logic(part, conditions, flip) for part in parts])


def _flipped(match: Literal["all", "any"]) -> Literal["all", "any"]:
    return "any" if match == "all" else "all"


def _joined(match: Literal["all", "any"], parts: list[Condition]) -> Condition:
    """One flat group of normal parts: no repeats, no neutral parts, sorted; a single part stands alone."""
    flat: list[Condition] = []
    for part in parts:
        if _is_bare(part, match):
            flat.extend(part.conditions)
        elif _is_bare(part, _flipped(match)) and not part.conditions:
            return part
        else:
            flat.append(part)
    members = _sorted(flat)
    return members[0] if len(members) == 1 else Group(match, members)


def _is_bare(condition: Condition, match: str) -> TypeGuard[Group]:
    return isinstance(condition, Group) and condition.match == match and not condition.exclude and condition.limit is None


def _limited(body: Condition, limit: Limit, of_group: bool) -> Condition:
    """A limit around a normal condition; it moves into the condition unless it would collide or change its meaning."""
    if body == NOBODY:
        return body
    by_aggregate = any(not order.attribute for order in limit.order)
    if body.limit is not None or (of_group and by_aggregate and not isinstance(body, Group)):
        return Group("all", (body,), limit=limit)
    return replace(body, limit=limit)


def _limit(limit: Limit) -> Limit:
    return replace(limit, number=normal_number(limit.number))


def _sorted(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    by_text = {text_of(part): part for part in parts}
    return tuple(by_text[text] for text in sorted(by_text))


# --- leaves -----------------------------------------------------------------------------------------------------


def _leaf(leaf: Leaf, flip: bool) -> Leaf:
    """A leaf without description and extras; `flip` and its own exclude end up in exclude, or in the operator."""
    exclude = leaf.exclude != flip
    match leaf:
        case AttributeCondition():
            operator, exclude = _placed(leaf.operator, exclude, isinstance(leaf.operator, IsNull))
            matching = normal_matching(leaf.array_matching, operator)
            return AttributeCondition(leaf.attribute, operator, matching, exclude, customer_group=leaf.customer_group)
        case BehaviorCondition():
            return _behavior(leaf, exclude)
        case SequenceCondition():
            return SequenceCondition(tuple(_step(step, first=at == 0) for at, step in enumerate(leaf.steps)), exclude)
        case ReferenceCondition():
            kept = leaf.extras if leaf.kind in ("PredictiveScore", "MlAttribute") else NO_EXTRAS
            return ReferenceCondition(leaf.target, leaf.kind, exclude, extras=kept)


def _placed(operator: Operator, exclude: bool, total: bool) -> tuple[Operator, bool]:
    """Operator and exclude. A `total` test is true or false for everybody, so its complement is its negation."""
    if total and exclude:
        operator, exclude = replace(operator, negated=not operator.negated), False
    return normal_operator(operator), exclude


def _behavior(leaf: BehaviorCondition, exclude: bool) -> BehaviorCondition:
    aggregation = _aggregation(leaf.aggregation)
    never_null = aggregation.key in ("Count", "CountDistinct") or isinstance(leaf.operator, IsNull)
    total = never_null and not aggregation.grouping and leaf.sliding is None
    operator, exclude = _placed(leaf.operator, exclude, total)
    sliding = normal_duration(leaf.sliding) if leaf.sliding else None
    return BehaviorCondition(leaf.behavior, aggregation, operator, normal_filter(leaf.filter), sliding, exclude)


def _aggregation(aggregation: Aggregation) -> Aggregation:
    columns = aggregation.columns
    if aggregation.key == "Count":
        columns = ()
    elif aggregation.key == "CountDistinct":
        columns = tuple(sorted(set(columns)))
    ordered = aggregation.key in ("First", "Last") and aggregation.order_column != TIME_COLUMN
    order_column = aggregation.order_column if ordered else ""
    return Aggregation(aggregation.key, columns, tuple(sorted(set(aggregation.grouping))), order_column)


def _step(step: Step, *, first: bool) -> Step:
    within = None if first or step.within is None else normal_duration(step.within)
    return Step(step.behavior, normal_filter(step.filter), within)


def normal_matching(matching: ArrayMatching | None, operator: Operator) -> ArrayMatching | None:
    """None for "any element", which is also what "at least 1" says; null tests look at the array itself."""
    if matching is None or isinstance(operator, IsNull) or matching.key == "any" or matching == ArrayMatching("at_least", 1):
        return None
    if matching.key == "all":
        return ArrayMatching("all")
    return ArrayMatching("at_most", 0) if matching == ArrayMatching("exactly", 0) else matching


# --- filters over rows ------------------------------------------------------------------------------------------


def normal_filter(rows: FilterGroup | None) -> FilterGroup | None:
    """The normal form of a filter; None is every row."""
    if rows is None:
        return None
    found = _filter_part(rows, flip=False)
    whole = found if isinstance(found, FilterGroup) else FilterGroup("all", (found,))
    return None if whole == FilterGroup("all", ()) else whole


def _filter_part(part: FilterCondition, flip: bool) -> FilterCondition:
    if isinstance(part, ColumnCondition):
        return normal_column(part, flip)
    flip = flip != part.exclude
    match = _flipped(part.match) if flip else part.match
    flat: list[FilterCondition] = []
    for inner in (_filter_part(condition, flip) for condition in part.conditions):
        if isinstance(inner, FilterGroup) and inner.match == match:
            flat.extend(inner.conditions)
        elif isinstance(inner, FilterGroup) and not inner.conditions:
            return inner
        else:
            flat.append(inner)
    members = _sorted(flat)
    return members[0] if len(members) == 1 else FilterGroup(match, members)


def normal_column(condition: ColumnCondition, flip: bool = False) -> ColumnCondition:
    """The normal form of a test of one column, or of its complement. An event always has a time."""
    total = condition.column == TIME_COLUMN or isinstance(condition.operator, IsNull)
    operator, exclude = _placed(condition.operator, condition.exclude != flip, total)
    return ColumnCondition(condition.column, operator, normal_matching(condition.array_matching, operator), exclude)
