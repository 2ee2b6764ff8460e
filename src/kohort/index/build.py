"""Build the index of one refresh from its tables: streamed, written beside, switched to by one rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index.files import ArrayFile, BitFile, Files
from kohort.index.layout import (
    BUILDING,
    ID_RANK,
    LIVE,
    MANIFEST,
    BehaviorFacts,
    ColumnFacts,
    LeftOut,
    Manifest,
    index_folder,
    kept_numbers,
    manifest_text,
    parent_folder,
)
from kohort.index.writers import ColumnWriter, Unfit, column_writer
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.parent.definition import TableRef
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, TIMESTAMP, behavior_table, profiles_table
from kohort.sql import build as sql

Batch: TypeAlias = Any
"""A pyarrow.RecordBatch."""
Run = Callable[[str], Any]
"""Runs one SELECT (DuckDB's SQL) and returns a pyarrow.RecordBatchReader; the size of its batches bounds memory."""
Progress = Callable[[str, int, int], None]
Ints = npt.NDArray[np.int64]

_GAP_ROWS = 1 << 18
_WORKERS = 4


class _NotInOrder(Exception):
    """The rows of a table came in another order than that of the index."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the refresh and what is read from it besides the ordinal."""

    ref: TableRef
    sorted_by: tuple[str, ...]
    fields: tuple[Field, ...]

    def select(self, in_order: bool) -> str:
        names = [*self.sorted_by, *(field.name for field in self.fields)]
        query = " , ".join(f"{_quoted(name)} AS c{place}" for place, name in enumerate(names))
        order = f" ORDER BY {', '.join(map(_quoted, self.sorted_by))}" if in_order else ""
        return f"SELECT {query} FROM {_quoted(self.ref.database)}.{_quoted(self.ref.table)}{order}"


def build_index(
    run: Run,
    catalog: FieldCatalog,
    root: Path,
    parent_id: int,
    refresh_number: int,
    *,
    keep: int = 2,
    progress: Progress | None = None,
) -> Manifest:
    """Build the index of a refresh from its tables and keep it with the newest `keep`.

    Until the last moment the folder does not exist; an index that was there for the same refresh is replaced. Raises what
    `run` raises and OSError; nothing half-written stays, and what a process that died left behind is removed.
    """
    parent = parent_folder(root, parent_id)
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{BUILDING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix=BUILDING, dir=parent))
    try:
        builder = _Builder(run, catalog, Files(beside), parent_id, refresh_number, progress or _silent)
        manifest = builder.build()
        _write_manifest(beside, manifest)
        builder.step("Switch to the new index")
        _switch(beside, index_folder(root, parent_id, refresh_number))
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    builder.step("")
    drop_old(root, parent_id, keep)
    return manifest


def drop_old(root: Path, parent_id: int, keep: int) -> None:
    """Remove all but the newest `keep` indexes. Whoever has one open goes on reading it."""
    for number in kept_numbers(root, parent_id)[: -max(keep, 1)]:
        shutil.rmtree(index_folder(root, parent_id, number), ignore_errors=True)


def _silent(name: str, done: int, total: int) -> None:
    """Nobody listens."""


class _Builder:
    """One build under way."""

    def __init__(self, run: Run, catalog: FieldCatalog, files: Files, parent_id: int, number: int, progress: Progress) -> None:
        self._run, self._catalog, self._files = run, catalog, files
        self._parent_id, self._number = parent_id, number
        self._progress, self._done, self._total = progress, 0, len(catalog.behaviors) + 4
        self._left_out: list[LeftOut] = []
        self._profiles = profiles_table(parent_id, number)
        self._size = 0

    def step(self, name: str) -> None:
        self._progress(name, self._done, self._total)
        self._done += 1

    def build(self) -> Manifest:
        self.step("Index the profiles")
        self._size = self._count_ordinals()
        live, attributes = self._attributes()
        self.step("Index the order of customers")
        self._id_rank()
        behaviors = []
        for place, behavior in enumerate(self._catalog.behaviors):
            self.step(f"Index behavior {behavior.name}")
            behaviors.append(self._behavior(behavior, f"b{place}"))
        self.step("Write the index down")
        return Manifest(
            self._parent_id, self._number, self._size, live, attributes, tuple(behaviors), tuple(self._left_out), self._files.facts
        )

    def _count_ordinals(self) -> int:
        query = f"SELECT CAST(COALESCE(MAX({ORDINAL}) + 1, 0) AS BIGINT) AS n FROM {_table(self._profiles)}"
        return int(self._run(query).read_all().column(0)[0].as_py())

    def _attributes(self) -> tuple[int, tuple[ColumnFacts, ...]]:
        table = _Table(self._profiles, (ORDINAL,), self._catalog.attributes)
        live = np.zeros(self._size, dtype=np.bool_)

        def filled(batches: Iterator[Batch]) -> Iterator[Batch]:
            """The rows with an empty row for every ordinal that nobody has."""
            expected = 0
            for batch in batches:
                ordinals = np.asarray(batch.column(0)).astype(np.int64)
                live[ordinals] = True
                end = int(ordinals[-1]) + 1 if len(ordinals) else expected
                yield from _without_gaps(batch, ordinals, expected, end)
                expected = end

        facts = self._columns(table, "", "a", filled)
        bits = BitFile(self._files, LIVE)
        bits.append(live)
        bits.close()
        return int(live.sum()), facts

    def _id_rank(self) -> None:
        query = f"SELECT {ORDINAL} AS o FROM {_table(self._profiles)} ORDER BY {CUSTOMER_ID}"
        rank = np.full(self._size, -1, dtype=np.int32)
        place = 0
        for batch in self._run(query):
            ordinals = np.asarray(batch.column(0))
            rank[ordinals] = np.arange(place, place + len(ordinals), dtype=np.int32)
            place += len(ordinals)
        file = ArrayFile(self._files, ID_RANK)
        file.append(rank)
        file.close()

    def _behavior(self, behavior: Behavior, stem: str) -> BehaviorFacts:
        table = _Table(behavior_table(self._parent_id, self._number, behavior.name), (ORDINAL, TIMESTAMP, ARRIVAL), behavior.fields)
        time, counts = ArrayFile(self._files, f"{stem}.time"), np.zeros(self._size + 1, dtype=np.int64)

        def noted(batches: Iterator[Batch]) -> Iterator[Batch]:
            nonlocal time
            time.abandon()
            time = ArrayFile(self._files, f"{stem}.time")
            counts[:] = 0
            for batch in batches:
                if batch.num_rows:
                    ordinals = np.asarray(batch.column(0)).astype(np.int64)
                    first = int(ordinals[0])
                    found = np.bincount(ordinals - first)
                    counts[first + 1 : first + 1 + len(found)] += found
                    time.append(_micros(batch.column(1)))
                yield batch

        columns = self._columns(table, behavior.name, f"{stem}.c", noted)
        time.close()
        offsets = ArrayFile(self._files, f"{stem}.offsets")
        np.cumsum(counts, out=counts)
        offsets.append(counts)
        offsets.close()
        return BehaviorFacts(behavior.name, stem, int(counts[-1]), columns)

    def _columns(
        self, table: _Table, behavior: str, stem: str, through: Callable[[Iterator[Batch]], Iterator[Batch]]
    ) -> tuple[ColumnFacts, ...]:
        """Write the columns of a table: as it lies when that is in order (as a refresh leaves it), else sorted."""
        left_out, facts = len(self._left_out), dict(self._files.facts)
        try:
            return self._try_columns(table, behavior, stem, through, in_order=False)
        except _NotInOrder:
            del self._left_out[left_out:]
            self._files.facts = facts
            return self._try_columns(table, behavior, stem, through, in_order=True)

    def _try_columns(
        self, table: _Table, behavior: str, stem: str, through: Callable[[Iterator[Batch]], Iterator[Batch]], in_order: bool
    ) -> tuple[ColumnFacts, ...]:
        columns = _Columns(self._files, behavior, stem, table.fields, len(table.sorted_by))
        try:
            for batch in through(_checked(self._run(table.select(in_order)), len(table.sorted_by), self._size)):
                columns.append(batch)
            facts = columns.finish()
        finally:
            columns.close()
        self._left_out += columns.left_out
        return facts


class _Columns:
    """The columns of one table, written side by side."""

    def __init__(self, files: Files, behavior: str, stem: str, fields: Sequence[Field], first: int) -> None:
        self._files, self._behavior, self._fields, self._first = files, behavior, fields, first
        self._stems = [f"{stem}{place}" for place, _ in enumerate(fields)]
        self._writers: dict[int, ColumnWriter] = {
            place: column_writer(files, self._stems[place], field) for place, field in enumerate(fields)
        }
        self._pool = ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1))
        self.left_out: list[LeftOut] = []

    def append(self, batch: Batch) -> None:
        self._each(lambda place, writer: writer.append(batch.column(self._first + place)))

    def finish(self) -> tuple[ColumnFacts, ...]:
        done: dict[int, ColumnFacts] = {}
        self._each(lambda place, writer: done.__setitem__(place, writer.finish()))
        self.left_out.sort(key=lambda left: [field.name for field in self._fields].index(left.field))
        return tuple(done[place] for place in sorted(done))

    def _each(self, work: Callable[[int, ColumnWriter], None]) -> None:
        """Do the same with every column, on several threads; a column that cannot hold its values is left out."""

        def guarded(place: int) -> Unfit | None:
            try:
                work(place, self._writers[place])
            except Unfit as unfit:
                return unfit
            return None

        places = list(self._writers)
        for place, unfit in zip(places, self._pool.map(guarded, places), strict=True):
            if unfit is not None:
                self._writers.pop(place).abandon()
                self._files.discard(self._stems[place])
                self.left_out.append(LeftOut(self._behavior, self._fields[place].name, str(unfit)))

    def close(self) -> None:
        self._pool.shutdown()
        for writer in self._writers.values():
            writer.abandon()


def _checked(batches: Any, sorted_by: int, size: int) -> Iterator[Batch]:
    """The batches, as long as their rows are in order. Raises _NotInOrder."""
    last: list[int] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        keys = [np.asarray(batch.column(0)).astype(np.int64), *(_int64(batch.column(place)) for place in range(1, sorted_by))]
        if last is not None:
            keys = [np.concatenate((np.array([before], dtype=np.int64), key)) for before, key in zip(last, keys, strict=True)]
        if not _ascending(keys):
            raise _NotInOrder
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


def _without_gaps(batch: Batch, ordinals: Ints, start: int, end: int) -> Iterator[Batch]:
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
    return _micros(array) if pa.types.is_timestamp(array.type) else np.asarray(array.cast(pa.int64()))


def _micros(array: Any) -> Ints:
    return np.asarray(pc.cast(array, pa.timestamp("us")).view(pa.int64()))


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(manifest_text(manifest))
        file.flush()
        os.fsync(file.fileno())
    _flush_folder(folder)


def _switch(beside: Path, target: Path) -> None:
    """Give the finished folder its name; one that has it already makes room."""
    beside.chmod(0o755)
    if target.exists():
        target.rename(target.parent / f"{BUILDING}replaced-{target.name}")
    beside.rename(target)
    _flush_folder(target.parent)
    shutil.rmtree(target.parent / f"{BUILDING}replaced-{target.name}", ignore_errors=True)


def _flush_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _quoted(name: str) -> str:
    return sql.column(name).sql("duckdb")


def _table(ref: TableRef) -> str:
    return f"{_quoted(ref.database)}.{_quoted(ref.table)}"
