"""Sets of values that conditions let through, so that conditions on one thing can be compared with each other.

A set is a row of intervals between cuts. A cut lies just before or just after a value: `x > 5` begins just after 5. Null is kept
apart, because only some conditions let it through.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kohort.foundation.windows import Edge
from kohort.rules.core import Compare, InWindow, IsNullTest, Never, OneOf, Predicate, Range, Test

Cut = tuple[Any, ...]
"""(-1,): before everything; (0, value, 0): just before a value; (0, value, 1): just after it; (1,): behind everything."""

LOWEST: Cut = (-1,)
HIGHEST: Cut = (1,)
Intervals = tuple[tuple[Cut, Cut], ...]
EVERY: Intervals = ((LOWEST, HIGHEST),)


@dataclass(frozen=True, slots=True)
class ValueSet:
    """Values, and whether null is among them."""

    values: Intervals
    null: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.values and not self.null

    def __and__(self, other: ValueSet) -> ValueSet:
        return ValueSet(intersection(self.values, other.values), self.null and other.null)

    def __or__(self, other: ValueSet) -> ValueSet:
        return ValueSet(complement(intersection(complement(self.values), complement(other.values))), self.null or other.null)

    def without(self, other: ValueSet) -> ValueSet:
        """Those of this set that are not in the other."""
        return ValueSet(intersection(self.values, complement(other.values)), self.null and not other.null)

    def is_within(self, other: ValueSet) -> bool:
        return self.without(other).is_empty


ANYTHING = ValueSet(EVERY, True)
COUNTS = ValueSet((((0, 0, 0), HIGHEST),))
"""What a count can be."""
TRUTHS = ValueSet((((0, 0, 0), (0, 2, 0)),), True)
"""What a boolean can be: false is 0, true is 1."""


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """The values in both. Each side's intervals stand in order and do not overlap; so do those of the result."""
    found = []
    here = there = 0
    while here < len(left) and there < len(right):
        start, end = max(left[here][0], right[there][0]), min(left[here][1], right[there][1])
        if start < end:
            found.append((start, end))
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1
    return tuple(found)


def complement(intervals: Intervals) -> Intervals:
    """The values in none."""
    found = []
    at = LOWEST
    for low, high in intervals:
        if at < low:
            found.append((at, low))
        at = high
    return (*found, (at, HIGHEST)) if at < HIGHEST else tuple(found)


def values_of(test: Test) -> ValueSet | None:
    """The values that pass a test; None when they cannot be told (text patterns, arrays, windows that move)."""
    if test.matching is not None:
        return None
    if isinstance(test.predicate, IsNullTest):
        return ValueSet(EVERY if test.negated else (), not test.negated)
    passing = _values(test.predicate, test.storage == "int64")
    if passing is None:
        return None
    return ValueSet(complement(passing) if test.negated else passing)


def _values(predicate: Predicate, whole: bool) -> Intervals | None:
    match predicate:
        case Compare("=", literal):
            return _between(literal, literal, whole)
        case Compare(op, literal):
            cut = _cut(literal, 1 if op in (">", "<=") else 0, whole)
            return ((cut, HIGHEST),) if op in (">", ">=") else ((LOWEST, cut),)
        case Range(low, high):
            return _between(low, high, whole)
        case OneOf(literals):
            return tuple(interval for literal in literals for interval in _between(literal, literal, whole))
        case Never():
            return ()
        case InWindow(window) if window.low.is_fixed and window.high.is_fixed:
            return _nonempty(_edge(window.low, LOWEST), _edge(window.high, HIGHEST))
        case _:
            return None


def _between(low: object, high: object, whole: bool) -> Intervals:
    return _nonempty(LOWEST if low is None else _cut(low, 0, whole), HIGHEST if high is None else _cut(high, 1, whole))


def _nonempty(low: Cut, high: Cut) -> Intervals:
    return ((low, high),) if low < high else ()


def _cut(value: object, side: int, whole: bool) -> Cut:
    """Between whole numbers there is one cut: just after 5 is just before 6."""
    if isinstance(value, bool):
        return (0, int(value) + side, 0)
    if whole and isinstance(value, int):
        return (0, value + side, 0)
    return (0, Decimal(repr(value)) if isinstance(value, float) else value, side)


def _edge(edge: Edge, opened: Cut) -> Cut:
    """The cut at an edge that does not move: low edges (opened LOWEST) begin before what is included, high ones end after it."""
    if edge.anchor == "open":
        return opened
    behind = edge.included if opened == HIGHEST else not edge.included
    return (0, edge.instant + 1 if behind else edge.instant, 0)
