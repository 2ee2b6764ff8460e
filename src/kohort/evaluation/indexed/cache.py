"""What was worked out before, kept while it fits: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar, assert_never

from kohort.evaluation.bitmap import Bitmap
from kohort.foundation.instants import Micros
from kohort.rules.core import AttributeLeaf, InWindow, Leaf, Predicate, RowAll, RowAny, RowFilter, RowNot, RowTest, TopOrder, VariantLeaf

V = TypeVar("V")


class ByteCache(Generic[V]):
    """Values of known sizes, at most `limit` bytes of them together. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._held: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value; one larger than the limit is not kept."""
        with self._lock:
            old = self._held.pop(key, None)
            self.bytes -= old[1] if old is not None else 0
            if size > self.limit:
                return
            self._held[key] = (value, size)
            self.bytes += size
            while self.bytes > self.limit:
                _, (_, freed) = self._held.popitem(last=False)
                self.bytes -= freed

    def __len__(self) -> int:
        return len(self._held)


class LeafCache:
    """The members of conditions and of limits, by parent segment, refresh, and instant where the condition depends on it."""

    def __init__(self, limit: int = 256 * 2**20) -> None:
        self._cache: ByteCache[Bitmap] = ByteCache(limit)

    def get(self, parent_id: int, refresh_number: int, as_of: Micros, leaf: Leaf) -> Bitmap | None:
        return self._cache.get(_key(parent_id, refresh_number, as_of, leaf))

    def put(self, parent_id: int, refresh_number: int, as_of: Micros, leaf: Leaf, members: Bitmap) -> None:
        self._cache.put(_key(parent_id, refresh_number, as_of, leaf), members, members.words.nbytes)

    def best(
        self, parent_id: int, refresh_number: int, as_of: Micros, order: tuple[TopOrder, ...], number: int, among: Bitmap
    ) -> Bitmap | None:
        """The first `number` of some profiles by an order."""
        return self._cache.get(_best_key(parent_id, refresh_number, as_of, order, number, among))

    def put_best(
        self, parent_id: int, refresh_number: int, as_of: Micros, order: tuple[TopOrder, ...], number: int, among: Bitmap, found: Bitmap
    ) -> None:
        self._cache.put(_best_key(parent_id, refresh_number, as_of, order, number, among), found, found.words.nbytes)

    @property
    def bytes(self) -> int:
        return self._cache.bytes

    @property
    def limit(self) -> int:
        return self._cache.limit


def _best_key(parent_id: int, refresh_number: int, as_of: Micros, order: tuple[TopOrder, ...], number: int, among: Bitmap) -> Hashable:
    by_attributes = all(isinstance(one.by, str) for one in order)
    digest = blake2b(among.words.tobytes(), digest_size=16).digest()
    return parent_id, refresh_number, None if by_attributes else as_of, order, number, digest


def _key(parent_id: int, refresh_number: int, as_of: Micros, leaf: Leaf) -> Hashable:
    return parent_id, refresh_number, as_of if depends_on_instant(leaf) else None, leaf


def depends_on_instant(leaf: Leaf) -> bool:
    """Whether the members may differ from one as_of to another. Events after as_of do not exist: behaviors always may."""
    match leaf:
        case AttributeLeaf(test=test):
            return _moves(test.predicate)
        case VariantLeaf():
            return False
        case _:
            return True


def filter_depends_on_instant(row_filter: RowFilter) -> bool:
    """Whether the rows that pass may differ from one as_of to another."""
    match row_filter:
        case RowTest(test=test):
            return _moves(test.predicate)
        case RowAll(parts) | RowAny(parts):
            return any(filter_depends_on_instant(part) for part in parts)
        case RowNot(part):
            return filter_depends_on_instant(part)
        case _:
            assert_never(row_filter)


def _moves(predicate: Predicate) -> bool:
    return isinstance(predicate, InWindow) and not (predicate.window.low.is_fixed and predicate.window.high.is_fixed)
