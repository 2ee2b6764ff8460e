"""Take in the rows of one table for an index: streamed in any order, kept in memory, what belongs to nobody counted."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL
from kohort.parent.measures import SAMPLES
from kohort.ports.warehouse import Warehouse

if TYPE_CHECKING:
    from kohort.index.gathered import Gathered, Prepared
    from kohort.index.key_table import KeyTable

Array = Any

_STRANGER_BYTES = 1 << 28
_WAITING_BATCHES = 6
_PREPARERS = 2
_CHECKED_BATCHES = 32
_VALUE, _LOST = re.compile(r"c\d+"), re.compile(r"m\d+")


class TooLarge(Exception):
    """The rows of one table take more memory than they may."""


@dataclass(slots=True)
class Strangers:
    """Keys of rows that belong to no customer, with a weight each. too_many: they are no longer kept, only counted."""

    count: int = 0
    too_many: bool = False
    _keys: list[Array] = field(default_factory=list)
    _weights: list[Array] = field(default_factory=list)
    _bytes: int = 0

    def add(self, keys: Array, weights: Array | None = None) -> None:
        """Add keys; weights: how many rows each stands for (None: one)."""
        self.count += len(keys)
        self._bytes += keys.nbytes + 8 * len(keys)
        self.too_many = self.too_many or self._bytes > _STRANGER_BYTES
        if self.too_many:
            self._keys, self._weights = [], []
        elif len(keys):
            self._keys.append(pa.concat_arrays([keys, keys.slice(0, 0)]))
            self._weights.append(pa.repeat(pa.scalar(1, pa.int64()), len(keys)) if weights is None else weights)

    @property
    def by_key(self) -> Any:
        """Each key once: `key`, `copies`."""
        table = pa.table({"key": pa.chunked_array(self._keys, pa.string()), "weight": pa.chunked_array(self._weights, pa.int64())})
        return table.group_by("key").aggregate([("weight", "sum")]).rename_columns(["key", "copies"])

    def samples(self) -> list[str]:
        """The keys of the greatest weights."""
        return most_frequent(self.by_key)


def most_frequent(keys: Any) -> list[str]:
    """Of a table of `key` and `copies`: the keys with most copies."""
    best = keys.sort_by([("copies", "descending"), ("key", "ascending")]).slice(0, SAMPLES)
    return [str(key) for key in best["key"].to_pylist()]


@dataclass(slots=True)
class Taken:
    """What came of one table. rows: of the streams; lost: misfits by the names of their columns."""

    gathered: Gathered | None = None
    strangers: Strangers = field(default_factory=Strangers)
    rows: int = 0
    null_keys: int = 0
    no_time: int = 0
    lost: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One batch: what is counted of it, and its rows as they are kept."""

    rows: int
    ordinals: Array
    strangers: Array
    times: Array | None
    copies: Array | None
    lost: dict[str, int]
    prepared: Prepared


class Intake:
    """Streams tables into memory; batches are worked on beside the stream. bytes_limit: memory that the rows of one table may take."""

    def __init__(self, warehouse: Warehouse, keys: KeyTable, batch_rows: int, bytes_limit: int) -> None:
        self._warehouse, self._keys, self._batch_rows, self._bytes_limit = warehouse, keys, batch_rows, bytes_limit
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="kohort-intake")
        self._preparers = ThreadPoolExecutor(_PREPARERS, thread_name_prefix="kohort-prepare")

    def take(self, query: str, are_codes: Sequence[bool], taken: Taken | None = None) -> Taken:
        """Take in the rows of a query (see `parent.intake_plan` for its columns). Raises TooLarge."""
        from kohort.index.gathered import Gathered

        reader = self._warehouse.stream(query, self._batch_rows)
        values = [place for place, name in enumerate(reader.schema.names) if name == CUSTOMER_ID or _VALUE.fullmatch(name)]
        taken = taken or Taken()
        if taken.gathered is None:
            taken.gathered = Gathered([reader.schema.types[place] for place in values], are_codes)
        waiting: deque[Future[None]] = deque()
        for number, batch in enumerate(reader):
            part = self._preparers.submit(self._prepare, batch, taken.gathered, values)
            waiting.append(self._worker.submit(self._add, part, taken))
            while len(waiting) > (_WAITING_BATCHES if number % _CHECKED_BATCHES else 0):
                waiting.popleft().result()
            if not waiting:
                self._check(taken.gathered)
        while waiting:
            waiting.popleft().result()
        self._check(taken.gathered)
        return taken

    def _check(self, gathered: Gathered) -> None:
        if gathered.bytes > self._bytes_limit:
            raise TooLarge(f"{gathered.rows:,} rows take more than {self._bytes_limit:,} bytes")

    def _prepare(self, batch: Any, gathered: Gathered, values: Sequence[int]) -> _Part:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        ordinals = self._keys.find(columns["key"]) if "key" in columns else columns[ORDINAL]
        strangers = columns["key"] if "key" in columns else columns["stranger"]
        times, arrivals = columns.get("moment"), columns.get(ARRIVAL)
        if arrivals is not None and arrivals.null_count:
            raise ValueError("a row has no place")
        lost = {name: pc.sum(columns[name]).as_py() or 0 for name in filter(_LOST.fullmatch, columns)}
        rows = gathered.prepared(ordinals, times, arrivals, [batch.column(place) for place in values], len(self._keys.keys))
        return _Part(batch.num_rows, ordinals, strangers, times, columns.get("copies"), lost, rows)

    def _add(self, work: Future[_Part], taken: Taken) -> None:
        part = work.result()
        taken.rows += part.rows
        for name, count in part.lost.items():
            taken.lost[name] = taken.lost.get(name, 0) + count
        if part.ordinals.null_count or (part.times is not None and part.times.null_count):
            _count_lost(taken, part.ordinals, part.strangers, part.times, part.copies)
        assert taken.gathered is not None
        taken.gathered.add(part.prepared)

    def close(self) -> None:
        """Give back the threads."""
        self._preparers.shutdown(wait=True, cancel_futures=True)
        self._worker.shutdown(wait=True, cancel_futures=True)


def _count_lost(taken: Taken, ordinals: Array, keys: Array, times: Array | None, copies: Array | None) -> None:
    """Count the rows without key, without time, and without customer. keys: of the rows without ordinal at least."""
    without_key = pc.and_(ordinals.is_null(), keys.is_null())
    stranger = pc.and_(ordinals.is_null(), keys.is_valid())
    taken.null_keys += without_key.true_count
    if times is not None:
        taken.no_time += pc.and_not(times.is_null(), without_key).true_count
        stranger = pc.and_(stranger, times.is_valid())
    taken.strangers.add(keys.filter(stranger), None if copies is None else copies.filter(stranger))
