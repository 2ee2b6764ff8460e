"""What customers did: behavior conditions, sequences and the rows they count, as clauses."""

from __future__ import annotations

from kohort.foundation.calendar import Duration
from kohort.parent.catalog import TIME_FIELD, FieldCatalog
from kohort.rules.ast import (
    TIME_COLUMN,
    Aggregation,
    ArrayMatching,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    ComparisonKey,
    FilterCondition,
    FilterGroup,
    IsNull,
    Operator,
    SequenceCondition,
    Step,
)
from kohort.rules.describe.predicates import elements_text, predicate, tested, when_text
from kohort.rules.describe.words import did, duration_text, join, label_text, number_text, plural, singular, with_article

_OPPOSITE: dict[ComparisonKey, ComparisonKey] = {
    "Greater": "LessEqual",
    "GreaterEqual": "Less",
    "Less": "GreaterEqual",
    "LessEqual": "Greater",
}
_QUANTITY: dict[ComparisonKey, str] = {
    "Equal": "exactly",
    "Greater": "more than",
    "GreaterEqual": "at least",
    "Less": "fewer than",
    "LessEqual": "at most",
}


class Doings:
    """Clauses about one behavior. `noun` is what one row of it is called: "purchase"."""

    def __init__(self, behavior: str, catalog: FieldCatalog | None) -> None:
        known = catalog.behavior.get(behavior) if catalog is not None else None
        self.noun = singular(label_text(behavior, known.label if known else ""))
        self.fields = dict(known.by_name) if known else {TIME_COLUMN: TIME_FIELD}

    def clause(self, node: BehaviorCondition) -> tuple[str, bool]:
        """ "who made at least one purchase in the past 30 days", and whether it says what was not done."""
        counted = self._counted(node)
        return counted if counted else self._measured(node)

    def step(self, step: Step) -> str:
        """ "a purchase (only where amount is over 10)"."""
        when, where = self.rows(step.filter)
        return f"{with_article(self.noun)}{when}{where}"

    # counts

    def _counted(self, node: BehaviorCondition) -> tuple[str, bool] | None:
        """A count as "at least 3 purchases"; None when it needs "whose number of purchases ..."."""
        if node.aggregation.key != "Count":
            return None
        simple = not node.aggregation.grouping and node.sliding is None
        quantity = _quantity(node.operator)
        if quantity is None:
            return None
        words, number = quantity
        never = words == "no"
        exclude = node.exclude
        if simple and exclude and (words, number) == ("at least", 1):
            words, never, exclude = "no", True, False
        verb = did(self.noun)
        if exclude:
            verb = "did not make" if verb == "made" else "did not have"
        return f"who {verb} {self._amount(words, number)}{self._setting(node)}", exclude or never

    def _amount(self, words: str, number: str | int | float) -> str:
        if words == "no":
            return f"no {plural(self.noun)}"
        if number == 1:
            return f"{words} one {self.noun}"
        shown = number if isinstance(number, str) else number_text(number)
        return f"{words} {shown} {plural(self.noun)}"

    def _setting(self, node: BehaviorCondition) -> str:
        """Same group, time, period and filter, in this order."""
        when, where = self.rows(node.filter)
        return f"{self._same(node.aggregation)}{when}{_period(node.sliding)}{where}"

    def _same(self, aggregation: Aggregation) -> str:
        if not aggregation.grouping:
            return ""
        return f" with the same {join([self.label(column) for column in aggregation.grouping], 'and')}"

    # other aggregates

    def _measured(self, node: BehaviorCondition) -> tuple[str, bool]:
        """ "whose total amount of purchases is at least 500"; of groups and periods, `exclude` denies all of them."""
        when, where = self.rows(node.filter)
        complement = node.exclude and (node.aggregation.grouping != () or node.sliding is not None)
        subject = f"whose {self._measure(node.aggregation)}{self._same(node.aggregation)}{when}{_period(node.sliding)}"
        clause = f"{subject} {self._tested(node, node.exclude and not complement)}{where}"
        return (f"who are not customers {clause}", True) if complement else (clause, False)

    def _tested(self, node: BehaviorCondition, exclude: bool) -> str:
        if node.aggregation.key in ("Count", "CountDistinct") and not isinstance(node.operator, IsNull):
            said = predicate(node.operator, is_time=False)
            return said.holds if node.operator.negated == exclude else said.fails
        return tested(node.operator, exclude, self._measures_time(node.aggregation))

    def _measures_time(self, aggregation: Aggregation) -> bool:
        return aggregation.key in ("Min", "Max", "First", "Last") and any(self.is_time(column) for column in aggregation.columns)

    def _measure(self, aggregation: Aggregation) -> str:
        columns = [self.label(column) for column in aggregation.columns]
        several = plural(self.noun)
        one = "".join(columns[:1])
        in_order = f" (in order of {self.label(aggregation.order_column)})" if aggregation.order_column else ""
        time = self._measures_time(aggregation)
        match aggregation.key:
            case "Count":
                return f"number of {several}"
            case "CountDistinct" if len(columns) > 1:
                return f"number of different combinations of {join(columns, 'and')} among {several}"
            case "CountDistinct":
                return f"number of different values of {one} among {several}"
            case "Sum":
                return f"total {one} of {several}"
            case "Average":
                return f"average {one} of {several}"
            case "Min":
                return f"{'earliest' if time else 'lowest'} {one} of {several}"
            case "Max":
                return f"{'latest' if time else 'highest'} {one} of {several}"
            case "First" | "Last":
                return f"{aggregation.key.lower()} {one} of {several}{in_order}"

    # rows

    def label(self, column: str) -> str:
        field = self.fields.get(column)
        return label_text(column, field.label if field else "")

    def is_time(self, column: str) -> bool:
        field = self.fields.get(column)
        return field is not None and field.is_time

    def rows(self, group: FilterGroup | None) -> tuple[str, str]:
        """When (" in the past 30 days") and which rows (" (only where amount is over 10)"); "" for what is not restricted."""
        if group is None or group == FilterGroup("all", (), extras=group.extras):
            return "", ""
        if group.match != "all" or group.exclude:
            return "", f" (only where {self._group(group)})"
        rest = list(group.conditions)
        for part in group.conditions:
            if isinstance(part, ColumnCondition) and (when := self._when(part)):
                rest.remove(part)
                break
        else:
            when = ""
        where = f" (only where {self._group(FilterGroup('all', tuple(rest)))})" if rest else ""
        return when, where

    def _when(self, part: ColumnCondition) -> str:
        if part.column != TIME_COLUMN or part.exclude or part.array_matching is not None:
            return ""
        words = when_text(part.operator)
        return f" {words}" if words else ""

    def _row(self, node: FilterCondition) -> str:
        if isinstance(node, FilterGroup):
            text = self._group(node)
            return f"({text})" if len(node.conditions) > 1 and not node.exclude else text
        return self._column(node)

    def _group(self, group: FilterGroup) -> str:
        if not group.conditions:
            return "nothing is asked" if (group.match == "all") != group.exclude else "nothing can match"
        text = f" {'and' if group.match == 'all' else 'or'} ".join(self._row(part) for part in group.conditions)
        return f"not ({text})" if group.exclude else text

    def _column(self, node: ColumnCondition) -> str:
        label = self.label(node.column)
        field = self.fields.get(node.column)
        matching = node.array_matching or (ArrayMatching("any") if field is not None and field.is_array else None)
        if matching is None or isinstance(node.operator, IsNull):
            return f"{label} {tested(node.operator, node.exclude, self.is_time(node.column))}"
        text = elements_text(f"the {plural(label)}", node.operator, matching, False)
        return f"not ({text})" if node.exclude else text


def sequence_clause(node: SequenceCondition, catalog: FieldCatalog | None) -> str:
    """ "who made a purchase, then had an email open within 7 days"."""
    parts: list[str] = []
    for step in node.steps:
        doings = Doings(step.behavior, catalog)
        within = "" if not parts else " at any later time" if step.within is None else f" within {duration_text(step.within)}"
        parts.append(f"{did(doings.noun)} {doings.step(step)}{within}")
    return f"who {', then '.join(parts)}"


def _period(sliding: Duration | None) -> str:
    return "" if sliding is None else f" in some period of {duration_text(sliding)}"


def _quantity(operator: Operator) -> tuple[str, str | int | float] | None:
    """A test of a count as words and number: ("at least", 3), ("no", 0), ("between", "2 and 5"). A count is never unknown."""
    if isinstance(operator, Between) and not operator.negated:
        low, high = operator.low, operator.high
        if isinstance(low, int | float) and isinstance(high, int | float) and not isinstance(low, bool) and not isinstance(high, bool):
            return "between", f"{number_text(low)} and {number_text(high)}"
    if not isinstance(operator, Comparison) or isinstance(operator.value, bool) or not isinstance(operator.value, int | float):
        return None
    key, number = operator.key, operator.value
    if operator.negated:
        if key == "Equal":
            return None
        key = _OPPOSITE[key]
    if (key, number) in (("Equal", 0), ("Less", 1), ("LessEqual", 0)):
        return "no", 0
    return ("at least", 1) if (key, number) == ("Greater", 0) else (_QUANTITY[key], number)
