"""Who is in each segment: leaves become bitmaps, everything else is bitmap algebra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import ceil
from operator import and_, or_
from typing import assert_never
from zoneinfo import ZoneInfo

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.leaves import LeafQueries, RefreshTables
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.source import LeafSource, Progress, Run, SqlLeafSource
from kohort.evaluation.times import Moment
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.core import (
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Expr,
    Leaf,
    MemberLeaf,
    Not,
    SequenceLeaf,
    Top,
    VariantLeaf,
)
from kohort.sql.dialects import DUCKDB

RANGE_SIZE = 250_000
LEAVES_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The members of every segment at one instant.

    members: a bitmap per path, in the order asked. live: everybody in the refresh. leaves: distinct conditions asked.
    """

    members: Mapping[str, Bitmap]
    live: Bitmap
    leaves: int


def evaluate(
    exprs: Mapping[str, Expr],
    run: Run,
    *,
    parent_id: int,
    refresh_number: int,
    catalog: FieldCatalog,
    as_of: Micros,
    ordinals: int,
    range_size: int = RANGE_SIZE,
    leaves_per_query: int = LEAVES_PER_QUERY,
    progress: Progress | None = None,
) -> Evaluation:
    """The members of every segment of `exprs` (path -> rule; a segment stands after those it refers to), by SQL alone.

    Queries (DuckDB's SQL, read only): one per range of `range_size` ordinals and `leaves_per_query` distinct leaves, whatever the
    number of segments, and one per distinct Top; so memory is bounded by the range. progress is told (ranges done, ranges in all).
    """
    refresh = RefreshTables(parent_id, refresh_number)
    return combine(exprs, sql_source(refresh, catalog, run, as_of, ordinals, range_size, leaves_per_query, progress))


def sql_source(
    refresh: RefreshTables,
    catalog: FieldCatalog,
    run: Run,
    as_of: Micros,
    ordinals: int,
    range_size: int = RANGE_SIZE,
    leaves_per_query: int = LEAVES_PER_QUERY,
    progress: Progress | None = None,
) -> SqlLeafSource:
    """Leaves answered by SQL over the tables of a refresh. ordinals: exclusive upper bound of the refresh's ordinals."""
    predicates = Predicates(DUCKDB, Moment(as_of, ZoneInfo(catalog.timezone)))
    return SqlLeafSource(LeafQueries(refresh, catalog, predicates), run, ordinals, range_size, leaves_per_query, progress)


def combine(exprs: Mapping[str, Expr], source: LeafSource) -> Evaluation:
    """The members of every segment from the members of the leaves."""
    leaves = dict.fromkeys(leaf for expr in exprs.values() for leaf in _own_leaves(expr))
    live, found = source.members(leaves)
    combination = _Combination(source, live, found)
    for path, expr in exprs.items():
        combination.segments[path] = combination.members(expr)
    return Evaluation(combination.segments, live, len(leaves))


def _own_leaves(expr: Expr) -> Iterator[Leaf]:
    """The leaves that a source answers: all but references."""
    match expr:
        case AttributeLeaf() | BehaviorLeaf() | SequenceLeaf() | VariantLeaf():
            yield expr
        case MemberLeaf():
            return
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _own_leaves(part)
        case Not(part) | Top(part=part):
            yield from _own_leaves(part)
        case _:
            assert_never(expr)


@dataclass
class _Combination:
    source: LeafSource
    live: Bitmap
    leaves: Mapping[Leaf, Bitmap]
    segments: dict[str, Bitmap] = field(default_factory=dict)
    tops: dict[Top, Bitmap] = field(default_factory=dict)

    def members(self, expr: Expr) -> Bitmap:
        match expr:
            case AttributeLeaf() | BehaviorLeaf() | SequenceLeaf() | VariantLeaf():
                return self.leaves[expr]
            case MemberLeaf(path):
                if path not in self.segments:
                    raise ValueError(f"{path} stands after a segment that refers to it")
                return self.segments[path]
            case All(parts):
                return self._all(self.members(part) for part in parts)
            case AnyOf(parts):
                return self._any(self.members(part) for part in parts)
            case Not(part):
                return self.live - self.members(part)
            case Top():
                if expr not in self.tops:
                    self.tops[expr] = self._top(expr)
                return self.tops[expr]
            case _:
                assert_never(expr)

    def _all(self, parts: Iterable[Bitmap]) -> Bitmap:
        """Nobody but live profiles is in any part."""
        found = list(parts)
        return reduce(and_, found) if found else self.live

    def _any(self, parts: Iterable[Bitmap]) -> Bitmap:
        found = list(parts)
        return reduce(or_, found) if found else Bitmap.empty(self.live.size)

    def _top(self, top: Top) -> Bitmap:
        candidates = self.members(top.part)
        wanted = kept(top, candidates.count())
        if wanted >= candidates.count():
            return candidates
        if wanted == 0:
            return Bitmap.empty(candidates.size)
        return self.source.best(candidates, top.order, wanted)


def kept(top: Top, candidates: int) -> int:
    """How many of so many candidates stay: a percentage is rounded up."""
    if top.kind == "Percent":
        return ceil(Fraction(top.number) * candidates / 100)
    return int(top.number)
