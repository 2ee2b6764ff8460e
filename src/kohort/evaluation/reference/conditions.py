"""Who matches a rule: conditions, exclude, groups, references, limits, A/B variants.

SEMANTICS.md is the specification; this is it in Python, one profile at a time, straight from the tree as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from kohort.evaluation.reference.aggregates import Rows
from kohort.evaluation.reference.data import Profile, ReferenceData
from kohort.evaluation.reference.operators import Operators
from kohort.evaluation.reference.windows import moment
from kohort.foundation.instants import Micros
from kohort.rules.ast import (
    AttributeCondition,
    BehaviorCondition,
    Condition,
    Group,
    Limit,
    ReferenceCondition,
    Rule,
    SequenceCondition,
)
from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, LogicOr, parse_logic
from kohort.segments.definition import ABTest, Segment

Resolve = Callable[[str], set[str]]


def members(rule: Rule, dataset: ReferenceData, as_of: Micros, segments: Mapping[str, Rule] | None = None) -> set[str]:
    """The cdp_customer_ids that match `rule` at `as_of`. References are looked up in `segments` by their target.

    Cycles among `segments` are the caller's duty to refuse.
    """
    known = segments or {}
    return _Evaluation(dataset, as_of, lambda target: members(known[target], dataset, as_of, known)).select(rule)


def segment_members(path: str, dataset: ReferenceData, as_of: Micros, segments: Mapping[str, Segment]) -> set[str]:
    """The members of a segment, or of a variant, by its path. Targets are paths.

    Inside a base there is nobody else: its members are the everybody of the rule, its limits included.
    """

    def resolve(target: str) -> set[str]:
        return segment_members(target, dataset, as_of, segments)

    if path in segments:
        segment = segments[path]
        inside = resolve(segment.base) if segment.base else None
        return _Evaluation(dataset, as_of, resolve, inside).select(segment.rule)
    owner = next(segment for segment in segments.values() if path in segment.variant_paths)
    assert owner.ab_test is not None
    name = path.rsplit("/", 1)[-1].removesuffix(f"-{owner.ab_test.name or owner.name}")
    key_column = owner.ab_test.key_column
    test_id = owner.ab_test.test_id or owner.name
    keys = {profile.id: profile.attributes.get(key_column) for profile in dataset.profiles}
    return {one for one in resolve(owner.path) if variant_of(owner.ab_test, test_id, keys[one]) == name}


def variant_of(test: ABTest, test_id: str, key: Any) -> str | None:
    """The name of the variant (or of the control group) that holds a profile with this key; None: in none of them.

    The key's place on a line from 0 to 100 is the hash; variants take the line from 0 upwards, control the end of it.
    """
    if key is None:
        return None
    digits = sha256(f"{test_id}:{key}".encode()).hexdigest()[:16]
    place = Fraction(int(digits, 16), 2**64) * 100
    end = Fraction(0)
    for variant in test.variants:
        end += Fraction(Decimal(repr(variant.ratio)))
        if place < end:
            return variant.name
    if test.control and place >= 100 - Fraction(Decimal(repr(test.control))):
        return test.control_name
    return None


class _Evaluation:
    def __init__(self, data: ReferenceData, as_of: Micros, resolve: Resolve, inside: set[str] | None = None) -> None:
        self.data = data
        self.resolve = resolve
        self.operators = Operators(moment(as_of), ZoneInfo(data.catalog.timezone))
        self.rows = Rows(data.catalog, self.operators)
        self.everybody = {profile.id for profile in data.profiles if inside is None or profile.id in inside}

    def select(self, condition: Condition) -> set[str]:
        """Everybody who matches a condition: its test, then `exclude`, then `limit`."""
        match condition:
            case AttributeCondition() | BehaviorCondition() | SequenceCondition():
                found = {profile.id for profile in self.data.profiles if profile.id in self.everybody and self._matches(condition, profile)}
            case ReferenceCondition():
                found = self.resolve(condition.target) & self.everybody
            case Group():
                found = self._combined(condition)
            case _:
                assert_never(condition)
        if condition.exclude:
            found = self.everybody - found
        return found if condition.limit is None else self._limited(found, condition, condition.limit)

    def _matches(self, condition: AttributeCondition | BehaviorCondition | SequenceCondition, profile: Profile) -> bool:
        match condition:
            case AttributeCondition():
                storage = self.data.catalog.attribute[condition.attribute].storage
                value = profile.attributes.get(condition.attribute)
                return self.operators.passes(condition.operator, value, storage, condition.array_matching)
            case BehaviorCondition():
                results = self.rows.results(condition, profile)
                return any(self.operators.passes(condition.operator, result.value, result.storage) for result in results)
            case SequenceCondition():
                return self.rows.completes(condition.steps, profile)
            case _:
                assert_never(condition)

    def _combined(self, group: Group) -> set[str]:
        parts = [self.select(condition) for condition in group.conditions]
        match group.match:
            case "all":
                return {one for one in self.everybody if all(one in part for part in parts)}
            case "any":
                return {one for one in self.everybody if any(one in part for part in parts)}
            case "expr":
                logic, issues = parse_logic(group.expr, len(parts))
                if logic is None or not issues.ok:
                    raise ValueError(f"not an expression: {group.expr!r}")
                return {one for one in self.everybody if _true(logic, [one in part for part in parts])}
            case _:
                assert_never(group.match)

    def _limited(self, found: set[str], condition: Condition, limit: Limit) -> set[str]:
        """The top of the matches: ordered, nulls last, ties and unordered matches by cdp_customer_id."""
        ranked = sorted((profile for profile in self.data.profiles if profile.id in found), key=lambda profile: profile.id)
        for order in reversed(limit.order):
            keys = {profile.id: self._order_value(profile, order.attribute, condition) for profile in ranked}
            valued = [profile for profile in ranked if keys[profile.id] is not None]
            nulls = [profile for profile in ranked if keys[profile.id] is None]
            ranked = [*sorted(valued, key=lambda profile: keys[profile.id], reverse=order.descending), *nulls]
        number = Fraction(Decimal(repr(limit.number)))
        kept = ceil(len(ranked) * number / 100) if limit.kind == "Percent" else int(number)
        return {profile.id for profile in ranked[:kept]}

    def _order_value(self, profile: Profile, attribute: str, condition: Condition) -> Any:
        if attribute:
            value = profile.attributes.get(attribute)
            return None if value is None else self.operators.comparable(value, self.data.catalog.attribute[attribute].storage)
        if not isinstance(condition, BehaviorCondition):
            raise ValueError("only a behavior condition has an aggregate to order by")
        results = self.rows.results(condition, profile)
        if condition.aggregation.grouping or condition.sliding is not None:
            raise ValueError("an aggregate with groups or sliding windows has no single value to order by")
        result = results[0]
        return None if result.value is None else self.operators.comparable(result.value, result.storage)


def _true(logic: LogicNode, truths: list[bool]) -> bool:
    match logic:
        case LogicItem(index):
            return truths[index]
        case LogicAnd(parts):
            return all(_true(part, truths) for part in parts)
        case LogicOr(parts):
            return any(_true(part, truths) for part in parts)
        case _:
            assert_never(logic)
