"""Other engines in Kohort's place: a shared scan answers all conditions, range by range; here they are put together as segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import ceil
from typing import Protocol, assert_never

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Bitmap, BitmapBuilder, Ordinals
from kohort.rules.core import (
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    Leaf,
    MemberLeaf,
    Not,
    SequenceLeaf,
    Top,
    TopOrder,
    VariantLeaf,
)

Bools = npt.NDArray[np.bool_]
FIRST_RANKED = 100_000
"""How many of a ranking are asked for at first; ten times as many whenever that is not enough."""


class Scanner(Protocol):
    """One engine over the tables of one refresh at one instant."""

    def answers(self, leaves: Sequence[Leaf], low: int, high: int) -> tuple[Ordinals, Sequence[Bools]]:
        """The profiles from `low` to below `high`, and for each condition in which of these rows it holds."""
        ...

    def first(self, order: Sequence[TopOrder], limit: int) -> Ordinals:
        """The first `limit` profiles of all; ties by cdp_customer_id."""
        ...


def own_leaves(exprs: Mapping[str, Expr]) -> tuple[Leaf, ...]:
    """The distinct conditions of segments, references left out."""
    return tuple(dict.fromkeys(leaf for expr in exprs.values() for leaf in _leaves(expr)))


def _leaves(expr: Expr) -> Iterator[Leaf]:
    match expr:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _leaves(part)
        case Not(part) | Top(part=part):
            yield from _leaves(part)
        case MemberLeaf():
            return
        case AttributeLeaf() | BehaviorLeaf() | SequenceLeaf() | VariantLeaf():
            yield expr
        case _:
            assert_never(expr)


def rows_before(leaf: BehaviorLeaf) -> int:
    """How many rows before its last one a sliding window reaches back over. Raises NotImplementedError for all but "count at least n"."""
    aggregate, predicate = leaf.aggregate, leaf.test.predicate
    if aggregate.key != "Count" or aggregate.grouping or not isinstance(predicate, Compare) or predicate.op != ">=" or leaf.test.negated:
        raise NotImplementedError("sliding windows of anything but: count at least n")
    return int(str(predicate.literal)) - 1


def scan(exprs: Mapping[str, Expr], scanner: Scanner, ordinals: int, range_size: int) -> dict[str, Bitmap]:
    """The members of every segment (those referred to stand first). ordinals: exclusive upper bound of all ordinals."""
    leaves = own_leaves(exprs)
    live, found = BitmapBuilder(ordinals), [BitmapBuilder(ordinals) for _ in leaves]
    for low in range(0, ordinals, range_size):
        high = min(low + range_size, ordinals)
        places, answers = scanner.answers(leaves, low, high)
        places = places - low
        live.put(low, _placed(places, np.ones(len(places), dtype=np.bool_), high - low))
        for builder, holds in zip(found, answers, strict=True):
            builder.put(low, _placed(places, holds, high - low))
    combination = _Combination(scanner, live.build(), {leaf: one.build() for leaf, one in zip(leaves, found, strict=True)})
    for path, expr in exprs.items():
        combination.segments[path] = combination.members(expr)
    return combination.segments


def _placed(places: Ordinals, holds: Bools, length: int) -> Bools:
    bools = np.zeros(length, dtype=np.bool_)
    bools[places] = holds
    return bools


@dataclass
class _Combination:
    scanner: Scanner
    live: Bitmap
    leaves: Mapping[Leaf, Bitmap]
    segments: dict[str, Bitmap] = field(default_factory=dict)

    def members(self, expr: Expr) -> Bitmap:
        match expr:
            case MemberLeaf(path):
                return self.segments[path]
            case All(parts):
                return reduce(Bitmap.__and__, map(self.members, parts), self.live)
            case AnyOf(parts):
                return reduce(Bitmap.__or__, map(self.members, parts), Bitmap.empty(self.live.size))
            case Not(part):
                return self.live - self.members(part)
            case Top():
                return self._top(expr)
            case _:
                return self.leaves[expr]

    def _top(self, top: Top) -> Bitmap:
        candidates = self.members(top.part)
        wanted = int(top.number) if top.kind == "Count" else ceil(Fraction(top.number) * candidates.count() / 100)
        among, limit = candidates.to_bools(), FIRST_RANKED
        while True:
            ranked = self.scanner.first(top.order, limit)
            best = ranked[among[ranked]][:wanted]
            if len(best) == wanted or len(ranked) < limit:
                return Bitmap.of(best, candidates.size)
            limit *= 10
