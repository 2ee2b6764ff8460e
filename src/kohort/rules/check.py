"""Check a rule against the field catalog: every problem at once, each with a code, a place and a way out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from kohort.foundation.instants import load_zone
from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.parent.catalog import TIME_FIELD, Behavior, Field, FieldCatalog, Storage
from kohort.parent.definition import FieldType
from kohort.rules.ast import (
    Aggregation,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    Limit,
    ReferenceCondition,
    Rule,
    SequenceCondition,
)
from kohort.rules.check_operators import Subject, check_fixed, check_operator
from kohort.rules.logic import parse_logic

PREFIX = "behavior_"
_ONE_COLUMN = ("Sum", "Average", "Min", "Max", "First", "Last")


def check_rule(rule: Rule, catalog: FieldCatalog, segments: Collection[str] | None = None, path: Path = ()) -> Issues:
    """Problems of a rule.

    segments: paths (and ids) that references may name, by path or by a name unique in it; None: references are not looked up.
    path: leads to the rule inside its document; issues continue it in the keys of the YAML form.
    """
    issues = Issues()
    checker = _Checker(catalog, load_zone(catalog.timezone) or ZoneInfo("UTC"), _reference_names(segments), issues)
    checker.condition(rule, path)
    return issues


def _reference_names(segments: Collection[str] | None) -> frozenset[str] | None:
    if segments is None:
        return None
    return frozenset(segments) | {path.rsplit("/", 1)[-1] for path in segments}


@dataclass(frozen=True, slots=True)
class _Checker:
    catalog: FieldCatalog
    zone: ZoneInfo
    names: frozenset[str] | None
    issues: Issues = field(default_factory=Issues)

    # --- profiles -----------------------------------------------------------------------------------------------

    def condition(self, condition: Condition, path: Path) -> None:
        match condition:
            case Group():
                self._group(condition, path)
            case AttributeCondition():
                self._attribute(condition, path)
            case BehaviorCondition():
                self._behavior(condition, path)
            case SequenceCondition():
                self._sequence(condition, path)
            case ReferenceCondition():
                self._reference(condition, path)
        if condition.limit is not None:
            self._limit(condition.limit, condition, (*path, "limit"))

    def _group(self, group: Group, path: Path) -> None:
        if group.match == "expr":
            found = parse_logic(group.expr, len(group.conditions))[1]
            self.issues.extend(replace(issue, path=(*path, "expr")) for issue in found)
        for index, part in enumerate(group.conditions):
            self.condition(part, (*path, "conditions", index))

    def _attribute(self, condition: AttributeCondition, path: Path) -> None:
        if condition.customer_group:
            message = f'there is no customer group "{condition.customer_group}"'
            self.issues.error("UNKNOWN_CUSTOMER_GROUP", message, (*path, "attribute"), "use an attribute of the customer")
            return
        found = self._find_attribute(condition.attribute, (*path, "attribute"))
        if found is not None:
            subject = Subject(f'"{found.name}"', found.type, found.storage)
            check_operator(condition.operator, condition.array_matching, subject, self.zone, path, self.issues)

    def _find_attribute(self, name: str, path: Path) -> Field | None:
        found = self.catalog.attribute.get(name)
        if found is None:
            behavior = name.removeprefix(PREFIX)
            if behavior in self.catalog.behavior:
                hint = f'"{behavior}" is a behavior: use source: {PREFIX}{behavior} with an aggregation'
            else:
                hint = did_you_mean(name, self.catalog.attribute)
            self.issues.error("UNKNOWN_ATTRIBUTE", f'there is no attribute "{name}"', path, hint)
            return None
        self._refuse_blocked(found, path)
        return found

    def _refuse_blocked(self, found: Field, path: Path) -> None:
        if found.visibility == "blocked":
            self.issues.error(
                "BLOCKED_FIELD", f'"{found.name}" is blocked: rules may not use it', path, "ask the owner of the parent segment"
            )

    def _reference(self, condition: ReferenceCondition, path: Path) -> None:
        at = (*path, "segment")
        if condition.kind not in ("Segment", "AbTestVariant"):
            hint = "refer to a segment or to a variant of an A/B test"
            self.issues.error("UNSUPPORTED_REFERENCE", f"references to {condition.kind} cannot be evaluated", at, hint)
        elif self.names is not None and condition.target not in self.names:
            hint = did_you_mean(condition.target, sorted(name for name in self.names if not name.isdecimal()))
            self.issues.error("MISSING_SEGMENT_REFERENCE", f'there is no segment "{condition.target}"', at, hint)

    def _limit(self, limit: Limit, condition: Condition, path: Path) -> None:
        number = limit.number
        whole = math.isfinite(number) and number == int(number)
        if limit.kind == "Count" and not (whole and number >= 1):
            self.issues.error("INVALID_LIMIT", f"cannot keep the top {number}", (*path, "number"), "give a whole number of 1 or more")
        if limit.kind == "Percent" and not 0 < number <= 100:
            self.issues.error(
                "INVALID_LIMIT", f"cannot keep the top {number} percent", (*path, "number"), "give a percentage above 0, up to 100"
            )
        for index, order in enumerate(limit.order):
            at = (*path, "orderColumns", index)
            if order.attribute:
                self._order_attribute(order.attribute, (*at, "column"))
            elif not isinstance(condition, BehaviorCondition):
                self.issues.error("INVALID_LIMIT", "only a behavior condition has an aggregate to order by", at, "order by an attribute")
            elif condition.aggregation.grouping or condition.sliding is not None:
                message = "with groups or sliding windows there is no single aggregate to order by"
                self.issues.error("INVALID_LIMIT", message, at, "order by an attribute")

    def _order_attribute(self, name: str, path: Path) -> None:
        found = self._find_attribute(name, path)
        if found is not None and found.is_array:
            self.issues.error("INVALID_LIMIT", f'"{name}" is an array: it has no order', path, "order by another attribute")

    # --- behaviors ----------------------------------------------------------------------------------------------

    def _behavior(self, condition: BehaviorCondition, path: Path) -> None:
        check_fixed(condition.sliding, "a sliding window", (*path, "window", "duration"), self.issues)
        behavior = self._find_behavior(condition.behavior, (*path, "source"))
        if behavior is None:
            return
        result = self._aggregation(condition.aggregation, behavior, (*path, "aggregation"))
        if result is not None:
            subject = Subject(f"{condition.aggregation.key} of {PREFIX}{behavior.name}", *result)
            check_operator(condition.operator, None, subject, self.zone, path, self.issues)
        self._filter(condition.filter, behavior, (*path, "filter"))

    def _find_behavior(self, name: str, path: Path) -> Behavior | None:
        found = self.catalog.behavior.get(name)
        if found is None:
            if name in self.catalog.attribute:
                hint = f'"{name}" is an attribute: use attribute: {name} without source'
            else:
                hint = did_you_mean(name, self.catalog.behavior)
            self.issues.error("UNKNOWN_BEHAVIOR", f'there is no behavior "{name}"', path, hint)
        return found

    def _aggregation(self, aggregation: Aggregation, behavior: Behavior, path: Path) -> tuple[FieldType, Storage] | None:
        """Type and storage of the result; None when they cannot be said."""
        key = aggregation.key
        named = "columns" if key == "CountDistinct" else "column"
        columns = self._columns(aggregation.columns, behavior, path, named)
        for found in self._columns(aggregation.grouping, behavior, path, "groupingColumns"):
            self._refuse_array(found, f"group by {found.name}", (*path, "groupingColumns"))
        self._order_column(aggregation, behavior, (*path, "orderColumn"))
        if key == "Count":
            return "number", "int64"
        if (key in _ONE_COLUMN and len(aggregation.columns) != 1) or not aggregation.columns:
            many = "at least one column" if key == "CountDistinct" else "one column"
            hint = did_you_mean("", _column_names(behavior))
            self.issues.error("MISSING_AGGREGATION_COLUMN", f"{key} needs {many}", (*path, named), hint)
            return None
        fits = [self._fits(key, found, (*path, named)) for found in columns]
        if key == "CountDistinct":
            return "number", "int64"
        if not fits or not all(fits):
            return None
        return ("number", "decimal") if key in ("Sum", "Average") else (columns[0].type, columns[0].storage)

    def _order_column(self, aggregation: Aggregation, behavior: Behavior, path: Path) -> None:
        if not aggregation.order_column:
            return
        if aggregation.key not in ("First", "Last"):
            self.issues.warning("ORDER_COLUMN_IGNORED", f"{aggregation.key} has no order", path, "remove orderColumn")
        for found in self._columns((aggregation.order_column,), behavior, path[:-1], "orderColumn"):
            self._refuse_array(found, f"order by {found.name}", path)

    def _fits(self, key: str, found: Field, path: Path) -> bool:
        if key in ("Sum", "Average") and found.storage not in ("int64", "float64", "decimal"):
            hint = "use Count, CountDistinct, Min, Max, First or Last"
            self.issues.error("AGGREGATION_TYPE_MISMATCH", f'{key} needs numbers, "{found.name}" is {found.type}', path, hint)
            return False
        return self._refuse_array(found, f"take {key} of {found.name}", path)

    def _refuse_array(self, found: Field, what: str, path: Path) -> bool:
        if found.is_array:
            self.issues.error("AGGREGATION_TYPE_MISMATCH", f"cannot {what}: it is an array", path, "use another column")
        return not found.is_array

    def _columns(self, names: Iterable[str], behavior: Behavior, path: Path, key: str) -> list[Field]:
        at = (*path, key)
        found = [self._find_column(name, behavior, at) for name in names]
        return [column for column in found if column is not None]

    def _find_column(self, name: str, behavior: Behavior, path: Path) -> Field | None:
        found = behavior.by_name.get(name)
        if found is None:
            hint = did_you_mean(name, _column_names(behavior))
            self.issues.error("UNKNOWN_COLUMN", f'behavior "{behavior.name}" has no column "{name}"', path, hint)
            return None
        self._refuse_blocked(found, path)
        return found

    def _filter(self, part: FilterCondition | None, behavior: Behavior, path: Path) -> None:
        if isinstance(part, FilterGroup):
            for index, inner in enumerate(part.conditions):
                self._filter(inner, behavior, (*path, "conditions", index))
        elif isinstance(part, ColumnCondition):
            found = self._find_column(part.column, behavior, (*path, "column"))
            if found is not None:
                subject = Subject(f'"{part.column}"', found.type, found.storage)
                check_operator(part.operator, part.array_matching, subject, self.zone, path, self.issues)

    def _sequence(self, condition: SequenceCondition, path: Path) -> None:
        if len(condition.steps) < 2:
            self.issues.error(
                "INVALID_SEQUENCE", "a sequence needs at least two steps", (*path, "steps"), "add a step or use a behavior condition"
            )
        for index, step in enumerate(condition.steps):
            at = (*path, "steps", index)
            if index == 0 and step.within is not None:
                self.issues.error(
                    "INVALID_SEQUENCE", "the first step has no step before it", (*at, "within"), "move within to the next step"
                )
            check_fixed(step.within, "the time between steps", (*at, "within"), self.issues)
            behavior = self._find_behavior(step.behavior, (*at, "source"))
            if behavior is not None:
                self._filter(step.filter, behavior, (*at, "filter"))


def _column_names(behavior: Behavior) -> list[str]:
    return [found.name for found in (*behavior.fields, TIME_FIELD)]
