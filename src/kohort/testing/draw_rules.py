"""Random rules and segments."""

from __future__ import annotations

from typing import Literal

from kohort.parent.catalog import Behavior
from kohort.rules.ast import (
    Aggregation,
    AggregationKey,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
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
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.testing.draw_operators import OperatorDraws
from kohort.testing.draw_values import ATTRIBUTES, BEHAVIORS, FIXED


class RuleDraws(OperatorDraws):
    """Draws conditions, rules and segments; `references` are the paths a rule may refer to."""

    references: tuple[str, ...] = ()

    def segment(self, name: str, earlier: dict[str, Segment]) -> Segment:
        """A segment; with earlier ones, perhaps inside one of them, and perhaps split by an A/B test."""
        self.references = tuple(target for segment in earlier.values() for target in (segment.path, *segment.variant_paths))
        rule = self.rule()
        base = self.one(*self.references) if self.references and self.chance(15) else ""
        key_column = self.one("txt", "num")
        test = ABTest((Variant("A", 30), Variant("B", 33.3)), self.one(0, 20), key_column=key_column) if self.chance(15) else None
        return Segment(name, rule=rule, base=base, ab_test=test)

    def rule(self) -> Rule:
        """Often one condition alone, which hides nothing behind others."""
        return Group("all", (self.condition(0),)) if self.chance(60) else self.group(2)

    def group(self, depth: int) -> Group:
        conditions = self.some(lambda: self.condition(depth), 0 if self.chance(10) else 1, 3)
        kinds: list[Literal["all", "any", "expr"]] = ["all", "any", "all", "expr"] if conditions else ["all", "any"]
        match = self.one(*kinds)
        expr = self._expr(len(conditions)) if match == "expr" else ""
        return Group(match, conditions, expr, self.chance(15), self.limit(False) if self.chance(15) else None)

    def _expr(self, count: int) -> str:
        ids = self.one("ABC", "123")[:count]
        if count == 1:
            return ids
        first, second = self.one("and", "or"), self.one("and", "or")
        if count == 2:
            return f"{ids[1]} {first} {ids[0]}"
        pattern = self.one("{0} {a} ({1} {b} {2})", "({2} {a} {0}) {b} {1}", "{0} {a} {1} {b} {2}", "({0} {a} {1}) {b} ({0} {a} {2})")
        return pattern.format(*ids, a=first, b=second)

    def condition(self, depth: int) -> Condition:
        kinds = ["attribute"] * 3 + ["behavior"] * 4 + ["sequence"] + ["reference"] * bool(self.references) + ["group"] * (depth > 0)
        match self.one(*kinds):
            case "attribute":
                return self.attribute()
            case "behavior":
                return self.behavior()
            case "sequence":
                return self.sequence()
            case "reference":
                limit = self.limit(False) if self.chance(10) else None
                return ReferenceCondition(self.one(*self.references), exclude=self.chance(30), limit=limit)
            case _:
                return self.group(depth - 1)

    def attribute(self) -> AttributeCondition:
        field = self.one(*ATTRIBUTES)
        operator, matching = self.operator(field.storage), self.matching(field.storage)
        return AttributeCondition(field.name, operator, matching, self.chance(20), self.limit(False) if self.chance(10) else None)

    def limit(self, aggregate: bool) -> Limit:
        ordered = [field.name for field in ATTRIBUTES if not field.is_array] + [""] * (4 * aggregate)
        order = self.some(lambda: Order(self.one(*ordered), self.chance(50)), 0, 2)
        if self.chance(50):
            return Limit("Count", self.one(1, 2, 3, 10), order)
        return Limit("Percent", self.one(1, 25, 33.3, 50, 99.9, 100), order)

    def filter(self, behavior: Behavior) -> FilterGroup | None:
        if self.chance(35):
            return None
        found = self._filter_group(behavior, 1)
        return None if found == FilterGroup("all", ()) else found

    def _filter_group(self, behavior: Behavior, depth: int) -> FilterGroup:
        parts = self.some(lambda: self._filter_part(behavior, depth), 0 if self.chance(10) else 1, 2)
        return FilterGroup(self.one("all", "all", "any"), parts, self.chance(15))

    def _filter_part(self, behavior: Behavior, depth: int) -> FilterCondition:
        if depth and self.chance(20):
            return self._filter_group(behavior, depth - 1)
        column = self.one("timestamp", "time", *behavior.by_name)
        storage = behavior.by_name[column].storage
        return ColumnCondition(column, self.operator(storage), self.matching(storage), self.chance(15))

    def behavior(self) -> BehaviorCondition:
        behavior = self.one(*BEHAVIORS)
        grouping = self.some(lambda: self.one(*_scalar_columns(behavior)), 1, 2) if self.chance(25) else ()
        aggregation, storage = self._aggregation(behavior, tuple(dict.fromkeys(grouping)))
        if aggregation.key in ("Count", "CountDistinct"):
            operator = self.ordered(lambda: self.one(0, 1, 2, 3, 1.5, -1, 10**20), self.chance(20))
        else:
            operator = self.operator(storage)
        sliding = self.one(*FIXED) if self.chance(25) else None
        limit = self.limit(not grouping and sliding is None) if self.chance(15) else None
        return BehaviorCondition(behavior.name, aggregation, operator, self.filter(behavior), sliding, self.chance(20), limit)

    def _aggregation(self, behavior: Behavior, grouping: tuple[str, ...]) -> tuple[Aggregation, str]:
        keys: tuple[AggregationKey, ...] = ("Count", "Count", "CountDistinct", "Sum", "Average", "Min", "Max", "First", "Last")
        key: AggregationKey = self.one(*keys)
        columns = _scalar_columns(behavior)
        if key == "Count":
            return Aggregation(key, (), grouping), "int64"
        if key == "CountDistinct":
            distinct = tuple(dict.fromkeys(self.some(lambda: self.one(*columns), 1, 3)))
            return Aggregation(key, distinct, grouping), "int64"
        if key in ("Sum", "Average"):
            numbers = [name for name in columns if behavior.by_name[name].storage in ("int64", "float64", "decimal")]
            return Aggregation(key, (self.one(*numbers),), grouping), "decimal"
        column = self.one(*columns)
        order = self.one("", *columns) if key in ("First", "Last") else ""
        return Aggregation(key, (column,), grouping, order), behavior.by_name[column].storage

    def sequence(self) -> SequenceCondition:
        steps = [self._step(first=number == 0) for number in range(self.one(2, 2, 3))]
        return SequenceCondition(tuple(steps), self.chance(20), self.limit(False) if self.chance(10) else None)

    def _step(self, first: bool) -> Step:
        behavior = self.one(*BEHAVIORS)
        return Step(behavior.name, self.filter(behavior), None if first or self.chance(30) else self.one(*FIXED))


def _scalar_columns(behavior: Behavior) -> list[str]:
    return [name for name, field in behavior.by_name.items() if not field.is_array]
