"""Conditions answered from the profile index; what it cannot answer goes to SQL in one call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from kohort.evaluation.bitmap import Bitmap, Ordinals, Words
from kohort.evaluation.indexed.aggregates import behavior_words
from kohort.evaluation.indexed.cache import ByteCache, LeafCache
from kohort.evaluation.indexed.ranking import best, ranked
from kohort.evaluation.indexed.reader import IndexReader
from kohort.evaluation.indexed.sequences import sequence_words
from kohort.evaluation.indexed.tests import NoKernel
from kohort.evaluation.indexed.variants import variant_words
from kohort.evaluation.source import LeafSource, Progress
from kohort.evaluation.times import Moment
from kohort.foundation.instants import Micros
from kohort.index.columns import ProfileIndex
from kohort.index.coverage import kind_of
from kohort.index.warming import warm_up
from kohort.parent.catalog import FieldCatalog
from kohort.rules.core import AttributeLeaf, BehaviorLeaf, Leaf, MemberLeaf, SequenceLeaf, TopOrder, VariantLeaf

WORK_BYTES = 512 * 2**20
BLOCK = 1 << 18
_MANY = 16


@dataclass
class IndexLeafSource:
    """Answers conditions of one refresh at one instant: from the cache, by a kernel, or else by `fallback`.

    work: masks and window edges kept between conditions; sources of other instants of this index may share it.
    block: places a thread works on at a time, a multiple of 64.
    by_kernel, by_fallback, by_cache: how many it answered so.
    left_to_sql: why, by condition.
    """

    index: ProfileIndex
    catalog: FieldCatalog
    as_of: Micros
    fallback: LeafSource
    cache: LeafCache | None = None
    threads: int = 0
    work: ByteCache[Any] = field(default_factory=lambda: ByteCache(WORK_BYTES))
    block: int = BLOCK
    progress: Progress | None = None
    compiling: Progress | None = None
    by_kernel: int = field(default=0, init=False)
    by_fallback: int = field(default=0, init=False)
    by_cache: int = field(default=0, init=False)
    left_to_sql: dict[Leaf, str] = field(default_factory=dict, init=False)
    _reader: IndexReader = field(init=False)

    def __post_init__(self) -> None:
        threads = self.threads or cpu_count() or 1
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        moment = Moment(self.as_of, ZoneInfo(self.catalog.timezone))
        self._reader = IndexReader(self.index, moment, pool, self.work, self.block)

    def members(self, leaves: Collection[Leaf]) -> tuple[Bitmap, Mapping[Leaf, Bitmap]]:
        live = Bitmap(self.index.live, self.index.size)
        found = {leaf: members for leaf in leaves if (members := self._known(leaf)) is not None}
        self.by_cache += len(found)
        unknown = sorted((leaf for leaf in dict.fromkeys(leaves) if leaf not in found), key=_work_order)
        if unknown:
            warm_up(self.compiling)
        left: list[Leaf] = []
        for position, leaf in enumerate(unknown):
            try:
                found[leaf] = self._keep(leaf, Bitmap(self._words(leaf), self.index.size) & live)
                self.by_kernel += 1
            except NoKernel as reason:
                self.left_to_sql[leaf] = str(reason)
                left.append(leaf)
            if len(unknown) > _MANY and (position + 1 == len(unknown) or _table(leaf) != _table(unknown[position + 1])):
                self._release()
            if self.progress is not None:
                self.progress(position + 1, len(unknown))
        if left:
            self.by_fallback += len(left)
            for leaf, members in self.fallback.members(left)[1].items():
                found[leaf] = self._keep(leaf, members)
        return live, found

    def ranked(self, members: Bitmap, order: Sequence[TopOrder]) -> Iterator[Ordinals]:
        warm_up(self.compiling)
        try:
            return ranked(self._reader, members, order)
        except NoKernel:
            return self.fallback.ranked(members, order)

    def best(self, members: Bitmap, order: Sequence[TopOrder], number: int) -> Bitmap:
        warm_up(self.compiling)
        asked = (self.index.parent_id, self.index.refresh_number, self.as_of, tuple(order), number, members)
        found = self.cache.best(*asked) if self.cache is not None else None
        if found is not None:
            return found
        try:
            found = best(self._reader, members, order, number)
        except NoKernel:
            found = self.fallback.best(members, order, number)
        if self.cache is not None:
            self.cache.put_best(*asked, found)
        return found

    def _release(self) -> None:
        """Give back the memory of the mapped files: while many conditions are answered only one table's are needed at a time."""
        self.index.release()
        for rows in self.index.behaviors.values():
            rows.release()

    def _known(self, leaf: Leaf) -> Bitmap | None:
        if self.cache is None:
            return None
        return self.cache.get(self.index.parent_id, self.index.refresh_number, self.as_of, leaf)

    def _keep(self, leaf: Leaf, members: Bitmap) -> Bitmap:
        if self.cache is not None:
            self.cache.put(self.index.parent_id, self.index.refresh_number, self.as_of, leaf, members)
        return members

    def _words(self, leaf: Leaf) -> Words:
        if kind_of(leaf).answer != "kernel":
            raise NoKernel(f"{kind_of(leaf).name}: there is no kernel")
        match leaf:
            case AttributeLeaf(attribute, test):
                return self._reader.test(self._reader.attribute(attribute), test, self.index.size)
            case BehaviorLeaf():
                return behavior_words(self._reader, leaf)
            case SequenceLeaf():
                return sequence_words(self._reader, leaf)
            case VariantLeaf():
                return variant_words(self._reader, leaf)
            case MemberLeaf():
                raise AssertionError("not answered by a kernel")
            case _:
                assert_never(leaf)


def _table(leaf: Leaf) -> str:
    """The behavior a condition looks at; "" for attributes and for several behaviors."""
    return leaf.aggregate.behavior if isinstance(leaf, BehaviorLeaf) else ""


def _work_order(leaf: Leaf) -> tuple[int, str, str]:
    """Conditions that look at the same rows follow each other, so that what they share is still at hand."""
    match leaf:
        case BehaviorLeaf(aggregate):
            return 1, aggregate.behavior, repr(aggregate.windows)
        case SequenceLeaf():
            return 2, "", ""
        case _:
            return 0, "", ""
