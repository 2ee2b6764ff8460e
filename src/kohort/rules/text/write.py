"""Rule tree to text: the exact inverse of `parse`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from kohort.rules.ast import (
    NO_EXTRAS,
    TIME_COLUMN,
    Aggregation,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    Extras,
    FilterCondition,
    FilterGroup,
    Group,
    Limit,
    Order,
    ReferenceCondition,
    Rule,
    SequenceCondition,
    Step,
)
from kohort.rules.text.parse import AT_LEAST_ONCE, REFERENCE_WORDS
from kohort.rules.text.tokens import quote_name, quote_text
from kohort.rules.text.write_operators import duration_text, matching_text, operator_text, phrase_text, scalar_text

Where = Literal["alone", "in a chain"]


@dataclass(frozen=True, slots=True)
class _Written:
    """A condition without `not` and suffixes. open: `and`, `or` or `with` after it would be read as part of it. chain: it is one."""

    text: str
    open: bool = False
    chain: bool = False


def write_rule(rule: Rule) -> str:
    """The text form of a rule; `parse_rule` of it gives the same rule.

    >>> from kohort.rules.ast import Comparison
    >>> write_rule(Group("all", (AttributeCondition("loyalty_tier", Comparison("Equal", "Gold")),)))
    "loyalty_tier = 'Gold'"
    """
    if len(rule.conditions) == 1 and not isinstance(rule.conditions[0], Group) and rule == Group("all", rule.conditions):
        return _condition(rule.conditions[0], "alone")
    return _condition(rule, "alone")


# --- conditions over customers ----------------------------------------------------------------------------------


def _condition(node: Condition, where: Where) -> str:
    """A condition as it stands alone (the whole rule, an item of a list) or between `and` and `or`."""
    written = _group(node) if isinstance(node, Group) else _leaf(node)
    described = _description(node.description) + _extras(node.extras)
    limited = f" {limit_text(node.limit)}" if node.limit is not None else ""
    if limited or described:
        text = _not(node.exclude) + _close(written) + limited + described
        return f"({text})" if limited and where == "in a chain" else text
    enclosed = where == "in a chain" or (written.chain and node.exclude)
    return _not(node.exclude) + (_close(written) if enclosed else written.text)


def _close(written: _Written) -> str:
    return f"({written.text})" if written.open or written.chain else written.text


def _not(exclude: bool) -> str:
    return "not " if exclude else ""


def _description(description: str) -> str:
    return f" as {quote_text(description)}" if description else ""


def _extras(extras: Extras) -> str:
    return f" with {extras.text}" if extras.text else ""


def limit_text(limit: Limit) -> str:
    """A limit as it stands behind a condition."""
    percent = " percent" if limit.kind == "Percent" else ""
    order = f" by {', '.join(_order(key) for key in limit.order)}" if limit.order else ""
    return f"limit {scalar_text(limit.number)}{percent}{order}"


def _order(order: Order) -> str:
    name = quote_name(order.attribute) if order.attribute else "value"
    return f"{name} desc" if order.descending else name


def _group(group: Group) -> _Written:
    if len(group.conditions) > 1 and group.match != "expr" and not group.expr:
        word = " and " if group.match == "all" else " or "
        return _Written(word.join(_condition(part, "in a chain") for part in group.conditions), chain=True)
    if not group.conditions and group.match != "expr" and not group.expr:
        return _Written("everybody" if group.match == "all" else "nobody")
    items = [_item(part) for part in group.conditions]
    if group.match == "expr" or group.expr:
        items.insert(0, quote_text(group.expr))
    return _Written(f"{group.match}({', '.join(items)})")


def _item(node: Condition) -> str:
    """An item of a list; a limit's commas would be taken for the list's."""
    text = _condition(node, "alone")
    return f"({text})" if node.limit is not None else text


def _leaf(node: AttributeCondition | BehaviorCondition | SequenceCondition | ReferenceCondition) -> _Written:
    match node:
        case AttributeCondition():
            group = f"{quote_name(node.customer_group)}::" if node.customer_group else ""
            test = matching_text(node.array_matching) + operator_text(node.operator)
            return _Written(f"{group}{quote_name(node.attribute)} {test}")
        case BehaviorCondition():
            return _behavior(node)
        case SequenceCondition():
            steps = ", then ".join(_step(step) for step in node.steps)
            return _Written(f"sequence({steps})")
        case ReferenceCondition():
            return _Written(f"in {' '.join(REFERENCE_WORDS[node.kind])} {quote_text(node.target)}")
        case _:
            assert_never(node)


def _behavior(node: BehaviorCondition) -> _Written:
    parts = [quote_name(node.behavior)]
    if node.aggregation != Aggregation() or node.operator != AT_LEAST_ONCE:
        parts += [_aggregation(node.aggregation), operator_text(node.operator)]
    phrase, where = _filter(node.filter)
    parts.append(phrase)
    if node.sliding is not None:
        parts.append(f"in any {duration_text(node.sliding)}")
    parts.append(where)
    return _Written(" ".join(part for part in parts if part), open=bool(where))


def _aggregation(aggregation: Aggregation) -> str:
    columns = ", ".join(quote_name(column) for column in aggregation.columns)
    grouping = f" by {', '.join(quote_name(column) for column in aggregation.grouping)}" if aggregation.grouping else ""
    if aggregation.key == "Count":
        return f"count{grouping}"
    if aggregation.key == "CountDistinct":
        return f"count(distinct {columns}){grouping}"
    order = f" by {quote_name(aggregation.order_column)}" if aggregation.order_column else ""
    return f"{aggregation.key.lower()}({columns}{order}){grouping}"


def _step(step: Step) -> str:
    phrase, where = _filter(step.filter)
    within = f"within {duration_text(step.within)}" if step.within is not None else ""
    return " ".join(part for part in (quote_name(step.behavior), within, phrase, where) if part)


# --- conditions over rows ---------------------------------------------------------------------------------------


def _filter(group: FilterGroup | None) -> tuple[str, str]:
    """Time phrase and `where ...` of a filter; "" for what it does not need."""
    if group is None:
        return "", ""
    if phrase := _phrase(group):
        rest = group.conditions[1:]
        return phrase, f"where {_rows_chain(rest, ' and ')}" if rest else ""
    if len(group.conditions) == 1 and isinstance(group.conditions[0], ColumnCondition) and group == FilterGroup("all", group.conditions):
        return "", f"where {_rows(group.conditions[0], 'alone')}"
    return "", f"where {_rows(group, 'alone')}"


def _phrase(group: FilterGroup) -> str:
    if group.match != "all" or group.exclude or group.extras != NO_EXTRAS or not group.conditions:
        return ""
    first = group.conditions[0]
    plain = isinstance(first, ColumnCondition) and first == ColumnCondition(TIME_COLUMN, first.operator)
    return phrase_text(first.operator) if isinstance(first, ColumnCondition) and plain else ""


def _rows_chain(conditions: tuple[FilterCondition, ...], word: str) -> str:
    return word.join(_rows(part, "in a chain") for part in conditions)


def _rows(node: FilterCondition, where: Where) -> str:
    written = _rows_group(node) if isinstance(node, FilterGroup) else _Written(_column(node))
    enclosed = where == "in a chain" or node.exclude or node.extras != NO_EXTRAS
    return _not(node.exclude) + (_close(written) if enclosed else written.text) + _extras(node.extras)


def _column(node: ColumnCondition) -> str:
    return f"{quote_name(node.column)} {matching_text(node.array_matching)}{operator_text(node.operator)}"


def _rows_group(group: FilterGroup) -> _Written:
    if len(group.conditions) > 1:
        return _Written(_rows_chain(group.conditions, " and " if group.match == "all" else " or "), chain=True)
    return _Written(f"{group.match}({', '.join(_rows(part, 'alone') for part in group.conditions)})")
