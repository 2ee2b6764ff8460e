"""The tables of a refresh as the build reads them: rows in order, column by column on several threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index.files import ArrayFile, Files
from kohort.index.layout import ColumnFacts, LeftOut
from kohort.index.narrow import narrowest
from kohort.index.writers import DICTIONARY_BYTES, TOO_MANY_TEXTS, ColumnWriter, Unfit, Wide, column_writer, write_dictionary
from kohort.parent.catalog import Field
from kohort.parent.definition import TableRef
from kohort.sql import build as sql

Batch: TypeAlias = Any
"""A pyarrow.RecordBatch."""
Ints = npt.NDArray[np.int64]

_GAP_ROWS = 1 << 18
_WORKERS = 4


class NotInOrder(Exception):
    """The rows of a table came in another order than that of the index."""

    def __init__(self) -> None:
        super().__init__("the rows of a table are not in order, or two of them have one ordinal")


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table of the refresh. sorted_by: its order; a single column is the ordinal, which is where the row stands in the index."""

    ref: TableRef
    sorted_by: tuple[str, ...]
    fields: tuple[Field, ...]

    def select(self, as_it_lies: bool) -> str:
        """All rows: the columns of the order, then the fields."""
        names = [*self.sorted_by, *(field.name for field in self.fields)]
        query = ", ".join(f"{quoted(name)} AS c{place}" for place, name in enumerate(names))
        return f"SELECT {query} FROM {table_sql(self.ref)}{'' if as_it_lies else f' ORDER BY {self._order}'}"

    def by_text(self, name: str, as_it_lies: bool) -> str:
        """Where each text of a column stands, in order of the texts."""
        numbered = f"ROW_NUMBER() OVER ({'' if as_it_lies else f'ORDER BY {self._order}'}) - 1"
        place = quoted(self.sorted_by[0]) if len(self.sorted_by) == 1 else numbered
        query = f"SELECT CAST({place} AS BIGINT) AS p, {quoted(name)} AS t FROM {table_sql(self.ref)}"
        return f"SELECT p, t FROM ({query}) WHERE t IS NOT NULL ORDER BY t"

    @property
    def _order(self) -> str:
        return ", ".join(map(quoted, self.sorted_by))


class TableColumns:
    """The columns of one table, written side by side."""

    def __init__(self, files: Files, behavior: str, stem: str, fields: Sequence[Field], first: int) -> None:
        self._files, self._behavior, self._fields, self._first = files, behavior, fields, first
        self._stems = [f"{stem}{place}" for place, _ in enumerate(fields)]
        self._writers: dict[int, ColumnWriter] = {
            place: column_writer(files, self._stems[place], field) for place, field in enumerate(fields)
        }
        self._pool = ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1))
        self._left_out: dict[int, LeftOut] = {}
        self._done: dict[int, ColumnFacts] = {}
        self._rows = 0
        self.wide: list[tuple[int, Field]] = []

    @property
    def facts(self) -> tuple[ColumnFacts, ...]:
        return tuple(self._done[place] for place in sorted(self._done))

    @property
    def left_out(self) -> list[LeftOut]:
        return [self._left_out[place] for place in sorted(self._left_out)]

    def append(self, batch: Batch) -> None:
        """Add rows to every column."""
        self._rows += batch.num_rows
        self._each(lambda place, writer: writer.append(batch.column(self._first + place)))

    def finish(self) -> None:
        """Close every column; `wide` then says which are still to be written with `write_sorted`."""
        self._each(lambda place, writer: self._done.__setitem__(place, writer.finish()))

    def write_sorted(self, place: int, rows: Iterable[Batch]) -> None:
        """Write a column of text from (position, text) in order of the texts; positions that do not come are null."""
        try:
            self._done[place] = _sorted_text(self._files, self._stems[place], self._fields[place].name, rows, self._rows)
        except Unfit as unfit:
            self._leave_out(place, str(unfit))

    def _each(self, work: Callable[[int, ColumnWriter], None]) -> None:
        """Do the same with every column, on several threads; a column that cannot hold its values is left out."""

        def guarded(place: int) -> Unfit | Wide | None:
            try:
                work(place, self._writers[place])
            except (Unfit, Wide) as problem:
                return problem
            return None

        places = list(self._writers)
        for place, problem in zip(places, self._pool.map(guarded, places), strict=True):
            if problem is None:
                continue
            self._writers.pop(place).abandon()
            if isinstance(problem, Wide):
                self._files.discard(self._stems[place])
                self.wide.append((place, self._fields[place]))
            else:
                self._leave_out(place, str(problem))

    def _leave_out(self, place: int, reason: str) -> None:
        self._files.discard(self._stems[place])
        self._left_out[place] = LeftOut(self._behavior, self._fields[place].name, reason)

    def close(self) -> None:
        """Give back threads and files."""
        self._pool.shutdown()
        for writer in self._writers.values():
            writer.abandon()


def _sorted_text(files: Files, stem: str, name: str, batches: Iterable[Batch], rows: int) -> ColumnFacts:
    codes = np.full(rows, -1, dtype=np.int32)
    kept: list[Any] = []
    last, distinct, found, size = None, 0, 0, 0
    for batch in batches:
        if not batch.num_rows:
            continue
        texts = batch.column(1).cast(pa.large_string())
        differs = np.ones(len(texts), dtype=np.bool_)
        differs[1:] = np.asarray(pc.not_equal(texts.slice(1), texts.slice(0, len(texts) - 1)))
        differs[0] = texts[0] != last
        codes[np.asarray(batch.column(0))] = distinct - 1 + np.cumsum(differs)
        kept.append(texts.filter(pa.array(differs)))
        last, distinct, found, size = texts[-1], distinct + len(kept[-1]), found + len(texts), size + kept[-1].nbytes
        if size > DICTIONARY_BYTES:
            raise Unfit(TOO_MANY_TEXTS)
    if int(np.count_nonzero(codes >= 0)) != found:
        raise ValueError(f"{name}: two values stand in one row")
    dtype = narrowest(-1, distinct - 1)
    file = ArrayFile(files, f"{stem}.codes")
    file.append(codes.astype(dtype, copy=False))
    file.close()
    write_dictionary(files, stem, pa.concat_arrays(kept) if kept else pa.array([], type=pa.large_string()))
    return ColumnFacts(name, stem, "text", rows, rows - found, distinct=distinct, dtype=dtype, low=-1, high=distinct - 1)


def in_order(batches: Any, sorted_by: int, size: int) -> Iterator[Batch]:
    """The batches, as long as their rows are in order. Raises NotInOrder."""
    last: list[int] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        keys = [np.asarray(batch.column(0)).astype(np.int64), *(_int64(batch.column(place)) for place in range(1, sorted_by))]
        if last is not None:
            keys = [np.concatenate((np.array([before], dtype=np.int64), key)) for before, key in zip(last, keys, strict=True)]
        if not _ascending(keys):
            raise NotInOrder
        last = [int(key[-1]) for key in keys]
        if int(keys[0][0]) < 0 or last[0] >= size:
            raise ValueError("a row belongs to no profile")
        yield batch


def _ascending(keys: Sequence[Ints]) -> bool:
    """Whether rows are sorted by the keys; rows with one key only must differ.

    >>> _ascending([np.array([1, 1, 2]), np.array([5, 6, 0])]), _ascending([np.array([1, 1])])
    (True, False)
    """
    strictly, equal = keys[0][1:] > keys[0][:-1], keys[0][1:] == keys[0][:-1]
    for key in keys[1:]:
        strictly |= equal & (key[1:] > key[:-1])
        equal &= key[1:] == key[:-1]
    return bool((strictly | equal).all() if len(keys) > 1 else strictly.all())


def without_gaps(batch: Batch, ordinals: Ints, start: int, end: int) -> Iterator[Batch]:
    """The rows of ordinals start to end - 1; those that nobody has are all null."""
    if end - start == len(ordinals):
        yield batch
        return
    for low in range(start, end, _GAP_ROWS):
        high = min(low + _GAP_ROWS, end)
        first, past = np.searchsorted(ordinals, (low, high))
        places = np.zeros(high - low, dtype=np.int64)
        there = np.zeros(high - low, dtype=np.bool_)
        places[ordinals[first:past] - low] = np.arange(first, past)
        there[ordinals[first:past] - low] = True
        yield batch.take(pa.array(places, mask=~there))


def _int64(array: Any) -> Ints:
    return micros(array) if pa.types.is_timestamp(array.type) else np.asarray(array.cast(pa.int64()))


def micros(array: Any) -> Ints:
    return np.asarray(pc.cast(array, pa.timestamp("us")).view(pa.int64()))


def quoted(name: str) -> str:
    return sql.column(name).sql("duckdb")


def table_sql(ref: TableRef) -> str:
    return f"{quoted(ref.database)}.{quoted(ref.table)}"
