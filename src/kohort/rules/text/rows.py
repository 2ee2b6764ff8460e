"""Reading what a behavior condition says about rows: filters and aggregations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kohort.rules.ast import TIME_COLUMN, Aggregation, AggregationKey, ColumnCondition, Extras, FilterCondition, FilterGroup, Operator
from kohort.rules.text.combine import Expressions, Match, Parsed
from kohort.rules.text.cursor import Cursor
from kohort.rules.text.marks import operator_parts
from kohort.rules.text.names import Names
from kohort.rules.text.operators import read_array_matching, read_operator
from kohort.rules.text.windows import at_phrase, read_phrase

AGGREGATION_WORDS: dict[str, AggregationKey] = {
    "count": "Count",
    "sum": "Sum",
    "average": "Average",
    "avg": "Average",
    "mean": "Average",
    "min": "Min",
    "max": "Max",
    "first": "First",
    "last": "Last",
}


class FilterExpressions(Expressions[FilterCondition]):
    """What may stand after `where`."""

    def __init__(self, names: Names, behavior: str) -> None:
        super().__init__(names.cursor)
        self.names = names
        self.behavior = behavior

    def leaf(self) -> Parsed[FilterCondition]:
        token, start = self.cursor.token, self.cursor.position
        column = self.cursor.name("a column")
        self.names.check_column(token, self.behavior, column)
        matching = None if at_phrase(self.cursor) else read_array_matching(self.cursor)
        begin = self.cursor.position
        operator = read_phrase(self.cursor) if at_phrase(self.cursor) else read_operator(self.cursor)
        node = ColumnCondition(column, operator, matching)
        self.cursor.marks.set(node, start, operator_parts(self.cursor.tokens, begin, self.cursor.position))
        return Parsed(node)

    def group(self, match: Match, parts: tuple[FilterCondition, ...], expr: str = "") -> FilterCondition:
        assert match != "expr"
        if expr:
            raise self.cursor.unexpected("a list of conditions without an expression")
        return FilterGroup(match, parts)

    def negate(self, parsed: Parsed[FilterCondition]) -> FilterCondition:
        return replace(parsed.node, exclude=not parsed.node.exclude)

    def suffixes(self, parsed: Parsed[FilterCondition]) -> Parsed[FilterCondition]:
        if not self.cursor.at("with"):
            return parsed
        return Parsed(with_extras(self.cursor, parsed.node))

    def root(self, time: Operator | None, written: Parsed[FilterCondition] | None, time_start: int = 0) -> FilterGroup | None:
        """The filter of a behavior from its time phrase (which begins at a word) and what stands after `where`."""
        if time is not None:
            rest = () if written is None else written.and_parts or (written.node,)
            node = ColumnCondition(TIME_COLUMN, time)
            self.cursor.marks.set(node, time_start)
            return FilterGroup("all", (node, *rest))
        if written is None:
            return None
        return written.node if isinstance(written.node, FilterGroup) else FilterGroup("all", (written.node,))


def at_aggregation(cursor: Cursor) -> bool:
    word = cursor.token.word
    return word in AGGREGATION_WORDS and (word == "count" or cursor.at("(", ahead=1))


def read_aggregation(names: Names, behavior: str) -> Aggregation:
    cursor = names.cursor
    key = AGGREGATION_WORDS[cursor.next().word]
    columns: tuple[str, ...] = ()
    order_column = ""
    if cursor.accept("("):
        if key == "Count" and not cursor.at(")"):
            cursor.expect("distinct", ": count takes no column, or distinct ones")
            key, columns = "CountDistinct", _columns(names, behavior)
        elif key != "Count":
            columns = (_column(names, behavior),)
        if key in ("First", "Last") and cursor.accept("by"):
            order_column = _column(names, behavior)
        cursor.expect(")", " after the column")
    grouping = _columns(names, behavior) if cursor.accept("by") or cursor.accept("per") else ()
    return Aggregation(key, columns, grouping, order_column)


def _columns(names: Names, behavior: str) -> tuple[str, ...]:
    cursor = names.cursor
    columns = [_column(names, behavior)]
    while cursor.accept(","):
        columns.append(_column(names, behavior))
    return tuple(columns)


def _column(names: Names, behavior: str) -> str:
    cursor = names.cursor
    token = cursor.token
    column = cursor.name("a column")
    names.check_column(token, behavior, column)
    return column


def with_extras(cursor: Cursor, node: Any) -> Any:
    """The same node with the JSON object that follows `with`."""
    token = cursor.next()
    if node.extras.text:
        raise cursor.error(token, "a condition has one JSON object after with")
    if cursor.token.kind != "json":
        raise cursor.unexpected('a JSON object after with, such as {"key": 1}')
    text = cursor.next().text
    return replace(node, extras=Extras("" if text == "{}" else text))
