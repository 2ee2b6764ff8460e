"""Where the members of a leaf come from. Today: SQL over the tables of a refresh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap, BitmapBuilder, Ordinals, bools_of
from kohort.evaluation.leaves import LeafQueries
from kohort.rules.core import Leaf, TopOrder

Run = Callable[[exp.Expression], pa.RecordBatchReader | pa.Table]
"""Runs a query: all rows, or batches of them."""

Progress = Callable[[int, int], None]
"""Told after every step: steps done, steps in all."""


_LISTED = 1000  # so many members are named in the query of a ranking


class LeafSource(Protocol):
    """Answers leaves for every profile of one refresh at one instant."""

    def members(self, leaves: Collection[Leaf]) -> tuple[Bitmap, Mapping[Leaf, Bitmap]]:
        """All live profiles, and those of them for which each leaf holds."""
        ...

    def ranked(self, members: Bitmap, order: Sequence[TopOrder]) -> Iterator[Ordinals]:
        """The ordinals of at least `members`, best first, in chunks; ties by cdp_customer_id."""
        ...

    def best(self, members: Bitmap, order: Sequence[TopOrder], number: int) -> Bitmap:
        """So many of the members, those that come first; there are more of them than that."""
        ...


def first_ranked(source: LeafSource, members: Bitmap, order: Sequence[TopOrder], number: int) -> Bitmap:
    """`best` by way of `ranked`."""
    among, chosen = members.to_bools(), np.zeros(members.size, dtype=np.bool_)
    for ranked in source.ranked(members, order):
        found = ranked[among[ranked]][:number]
        chosen[found] = True
        number -= len(found)
        if number == 0:
            break
    return Bitmap.from_bools(chosen)


@dataclass
class SqlLeafSource:
    """Asks one query per range of `range_size` ordinals and `leaves_per_query` leaves; one more per ranking."""

    queries: LeafQueries
    run: Run
    ordinals: int
    range_size: int
    leaves_per_query: int
    progress: Progress | None = None
    asked: int = field(default=0, init=False)

    def members(self, leaves: Collection[Leaf]) -> tuple[Bitmap, Mapping[Leaf, Bitmap]]:
        live = BitmapBuilder(self.ordinals)
        found = {leaf: BitmapBuilder(self.ordinals) for leaf in leaves}
        ordered = tuple(found)
        batches = [ordered[start : start + self.leaves_per_query] for start in range(0, len(ordered), self.leaves_per_query)] or [()]
        ranges = range(0, self.ordinals, self.range_size)
        for position, low in enumerate(ranges):
            for batch in batches:
                high = min(low + self.range_size, self.ordinals)
                self._fill(self._ask(self.queries.query(batch, low, high)), low, high, live, [found[leaf] for leaf in batch])
            if self.progress is not None:
                self.progress(position + 1, len(ranges))
        return live.build(), {leaf: builder.build() for leaf, builder in found.items()}

    def _fill(self, batches: Iterator[pa.RecordBatch], low: int, high: int, live: BitmapBuilder, leaves: Sequence[BitmapBuilder]) -> None:
        present = np.zeros(high - low, dtype=np.bool_)
        holds = np.zeros((len(leaves), high - low), dtype=np.bool_)
        for batch in batches:
            places = batch.column(0).to_numpy(zero_copy_only=False).astype(np.int64) - low
            target: slice | Ordinals = places
            if len(places) and places[-1] - places[0] == len(places) - 1 and bool((np.diff(places) == 1).all()):
                target = slice(int(places[0]), int(places[-1]) + 1)
            present[target] = True
            for position in range(len(leaves)):
                holds[position, target] = bools_of(batch.column(position + 1))
        live.put(low, present)
        for position, builder in enumerate(leaves):
            builder.put(low, holds[position])

    def ranked(self, members: Bitmap, order: Sequence[TopOrder]) -> Iterator[Ordinals]:
        ordinals = members.ordinals()
        if not len(ordinals):
            return
        listed = [int(ordinal) for ordinal in ordinals] if len(ordinals) <= _LISTED else None
        for batch in self._ask(self.queries.ranking(order, int(ordinals[0]), int(ordinals[-1]) + 1, listed)):
            yield batch.column(0).to_numpy(zero_copy_only=False).astype(np.int64)

    def best(self, members: Bitmap, order: Sequence[TopOrder], number: int) -> Bitmap:
        return first_ranked(self, members, order, number)

    def _ask(self, query: exp.Expression) -> Iterator[pa.RecordBatch]:
        self.asked += 1
        result = self.run(query)
        if isinstance(result, pa.Table):
            yield from result.to_batches()
            return
        with result:
            yield from result
