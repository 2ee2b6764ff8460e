"""Build the index of one refresh from its tables: streamed, written beside, switched to by one rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kohort.foundation.folders import flush_folder
from kohort.index.exchange import exchange
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
from kohort.index.narrow import INT32_MAX, NarrowFile
from kohort.index.source_tables import Batch, NotInOrder, SourceTable, TableColumns, in_order, micros, table_sql, without_gaps
from kohort.parent.catalog import Behavior, FieldCatalog
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, TIMESTAMP, behavior_table, profiles_table

Run = Callable[[str], Any]
"""Runs one SELECT (DuckDB's SQL) and returns a pyarrow.RecordBatchReader; the size of its batches bounds memory."""
Progress = Callable[[str, int, int], None]
Through = Callable[[Iterator[Batch]], Iterator[Batch]]


def build_index(
    run: Run,
    catalog: FieldCatalog,
    root: Path,
    parent_id: int,
    refresh_number: int,
    *,
    stamp: str = "",
    keep: int = 2,
    progress: Progress | None = None,
) -> Manifest:
    """Build the index of a refresh from its tables and keep it with the newest `keep`. stamp: what tells it from others of its number.

    Until the last moment the folder does not exist; an index that was there for the same refresh is replaced. Raises what
    `run` raises and OSError; nothing half-written stays, and what a process that died left behind is removed.
    """
    beside = begin_folder(root, parent_id)
    try:
        files = Files(beside)
        builder = _Builder(run, catalog, files, parent_id, refresh_number, progress or _silent)
        manifest = replace(builder.build(), stamp=stamp)
        files.settle()
        builder.step("Switch to the new index")
        switch_to(beside, root, manifest)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    builder.step("")
    drop_old(root, parent_id, keep, refresh_number)
    return manifest


def begin_folder(root: Path, parent_id: int) -> Path:
    """A new folder for an index under way; what builds that died left behind is removed."""
    parent = parent_folder(root, parent_id)
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{BUILDING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=BUILDING, dir=parent))


def switch_to(beside: Path, root: Path, manifest: Manifest) -> None:
    """Write the manifest of a finished folder and give it the name by which it is opened."""
    _write_manifest(beside, manifest)
    _switch(beside, index_folder(root, manifest.parent_id, manifest.refresh_number))


def drop_old(root: Path, parent_id: int, keep: int, last: int) -> None:
    """Remove all but the newest `keep` indexes. Whoever has one open goes on reading it.

    last: the refresh that is the newest; higher numbers are of an earlier life of the workspace and go first.
    """
    oldest_first = sorted(kept_numbers(root, parent_id), key=lambda number: (number <= last, number))
    for number in oldest_first[: -max(keep, 1)]:
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
            facts = self._behavior(behavior, f"b{place}")
            if facts.rows > INT32_MAX:
                self._files.discard(facts.stem)
                self._left_out.append(LeftOut(behavior.name, "", "it has more than 2,147,483,647 rows"))
            else:
                behaviors.append(facts)
        self.step("Write the index down")
        return Manifest(
            self._parent_id, self._number, self._size, live, attributes, tuple(behaviors), tuple(self._left_out), self._files.facts
        )

    def _count_ordinals(self) -> int:
        query = f"SELECT CAST(COALESCE(MAX({ORDINAL}) + 1, 0) AS BIGINT) AS n FROM {table_sql(self._profiles)}"
        return int(self._run(query).read_all().column(0)[0].as_py())

    def _attributes(self) -> tuple[int, tuple[ColumnFacts, ...]]:
        table = SourceTable(self._profiles, (ORDINAL,), self._catalog.attributes)
        live = np.zeros(self._size, dtype=np.bool_)

        def filled(batches: Iterator[Batch]) -> Iterator[Batch]:
            """The rows with an empty row for every ordinal that nobody has."""
            expected = 0
            for batch in batches:
                ordinals = np.asarray(batch.column(0)).astype(np.int64)
                live[ordinals] = True
                end = int(ordinals[-1]) + 1 if len(ordinals) else expected
                yield from without_gaps(batch, ordinals, expected, end)
                expected = end

        facts = self._columns(table, "", "a", filled)
        bits = BitFile(self._files, LIVE)
        bits.append(live)
        bits.close()
        return int(live.sum()), facts

    def _id_rank(self) -> None:
        query = f"SELECT {ORDINAL} AS o FROM {table_sql(self._profiles)} ORDER BY {CUSTOMER_ID}"
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
        ref = behavior_table(self._parent_id, self._number, behavior.name)
        table = SourceTable(ref, (ORDINAL, TIMESTAMP, ARRIVAL), behavior.fields)
        time, arrival = ArrayFile(self._files, f"{stem}.time"), NarrowFile(self._files, f"{stem}.arrival", at_least="int32")
        counts = np.zeros(self._size + 1, dtype=np.int64)
        latest = 0

        def noted(batches: Iterator[Batch]) -> Iterator[Batch]:
            nonlocal time, arrival, latest
            time.abandon()
            arrival.abandon()
            time, arrival, latest = ArrayFile(self._files, f"{stem}.time"), NarrowFile(self._files, f"{stem}.arrival", at_least="int32"), 0
            counts[:] = 0
            for batch in batches:
                if batch.num_rows:
                    ordinals = np.asarray(batch.column(0)).astype(np.int64)
                    first = int(ordinals[0])
                    found = np.bincount(ordinals - first)
                    counts[first + 1 : first + 1 + len(found)] += found
                    instants = micros(batch.column(1))
                    latest = max(latest, int(instants.max()))
                    time.append(instants)
                    arrival.append(np.asarray(batch.column(2)).astype(np.int64))
                yield batch

        columns = self._columns(table, behavior.name, f"{stem}.c", noted)
        time.close()
        arrival.close()
        offsets = ArrayFile(self._files, f"{stem}.offsets")
        longest = int(counts.max())
        np.cumsum(counts, out=counts)
        offsets.append(counts.astype(np.int32))
        offsets.close()
        return BehaviorFacts(behavior.name, stem, int(counts[-1]), columns, arrival.dtype, longest, latest)

    def _columns(self, table: SourceTable, behavior: str, stem: str, through: Through) -> tuple[ColumnFacts, ...]:
        """Write the columns of a table: as it lies when that is in order (as a refresh leaves it), else sorted."""
        left_out, facts = len(self._left_out), dict(self._files.facts)
        try:
            return self._try_columns(table, behavior, stem, through, as_it_lies=True)
        except NotInOrder:
            del self._left_out[left_out:]
            self._files.facts = facts
            return self._try_columns(table, behavior, stem, through, as_it_lies=False)

    def _try_columns(self, table: SourceTable, behavior: str, stem: str, through: Through, *, as_it_lies: bool) -> tuple[ColumnFacts, ...]:
        columns = TableColumns(self._files, behavior, stem, table.fields, len(table.sorted_by))
        try:
            for batch in through(in_order(self._run(table.select(as_it_lies)), len(table.sorted_by), self._size)):
                columns.append(batch)
            columns.finish()
            for place, field in columns.wide:
                columns.write_sorted(place, self._run(table.by_text(field.name, as_it_lies)))
        finally:
            columns.close()
        self._left_out += columns.left_out
        return columns.facts


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(manifest_text(manifest))
        file.flush()
        os.fsync(file.fileno())
    flush_folder(folder)


def _switch(beside: Path, target: Path) -> None:
    """Give the finished folder its name; one that has it already changes places with it, or makes room where that is not possible."""
    beside.chmod(0o755)
    old = beside
    if not target.exists():
        beside.rename(target)
    elif not exchange(beside, target):
        old = target.rename(target.parent / f"{BUILDING}replaced-{target.name}")
        beside.rename(target)
    flush_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
