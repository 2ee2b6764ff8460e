"""Build an index from rows in memory, before the tables of its refresh are written: beside the others, switched to by one rename."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kohort.index.build import begin_folder, switch_to
from kohort.index.files import ArrayFile, BitFile, Files
from kohort.index.gathered import Gathered, Int32, PlainColumn, TextCodes, in_pieces, place_profiles, place_rows, taken
from kohort.index.layout import ID_RANK, LIVE, BehaviorFacts, ColumnFacts, LeftOut, Manifest
from kohort.index.narrow import INT32_MAX, NarrowFile, narrowest
from kohort.index.text_order import text_ranks
from kohort.index.writers import DICTIONARY_BYTES, TOO_MANY_TEXTS, Unfit, column_writer, write_dictionary
from kohort.parent.catalog import Behavior, Field, FieldCatalog

_WORKERS = 2


class Stopped(Exception):
    """The build was given up while its threads were at work."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Of the rows of one table: how many there are, and how many profiles have one."""

    rows: int
    profiles: int


class DirectBuild:
    """The index of one refresh under way. size: ordinals; piece_rows: rows that are put in order at a time (bounds memory)."""

    def __init__(self, root: Path, parent_id: int, number: int, catalog: FieldCatalog, size: int, piece_rows: int) -> None:
        self._root, self._parent_id, self._number, self._catalog = root, parent_id, number, catalog
        self._size, self._piece_rows = size, piece_rows
        self._folder = begin_folder(root, parent_id)
        self._files = Files(self._folder)
        self._attributes: dict[int, ColumnFacts] = {}
        self._behaviors: dict[int, BehaviorFacts] = {}
        self._left_out: dict[tuple[int, int], LeftOut] = {}
        self._columns = ThreadPoolExecutor(_WORKERS)
        self._profiles = 0
        self._stopped = False
        self.ids: Any = pa.array([], type=pa.large_string())

    def customers(self, rows: Gathered) -> Matched:
        """Take in the master's rows; their first column is the id. Afterwards `ids` are in order of ordinals (null: nobody's)."""
        order = place_profiles(rows, self._size)
        column = rows.columns.pop(0)
        assert isinstance(column, PlainColumn)
        self.ids = taken(column.whole(), order, may_miss=True)
        bits = BitFile(self._files, LIVE)
        bits.append(order >= 0)
        bits.close()
        self._profiles = rows.rows
        work = self._columns.submit(self._write_ranks)
        self._attribute_columns(0, rows, order)
        work.result()
        return Matched(rows.rows, rows.rows)

    def _write_ranks(self) -> None:
        ranks, _ = text_ranks(self.ids)
        if int(ranks.max(initial=-1)) + 1 != self._profiles:
            raise ValueError("two customers have one id")
        file = ArrayFile(self._files, ID_RANK)
        file.append(ranks)
        file.close()

    def attributes(self, first: int, rows: Gathered) -> Matched:
        """Take in the rows of an attribute table, at most one of a profile; its columns are the catalog's from `first` on."""
        self._attribute_columns(first, rows, place_profiles(rows, self._size))
        return Matched(rows.rows, rows.rows)

    def _attribute_columns(self, first: int, rows: Gathered, order: Int32) -> None:
        fields = self._catalog.attributes[first : first + len(rows.columns)]
        for place, facts in self._write_all((-1, first), "", "a", fields, rows, order, may_miss=True).items():
            self._attributes[place] = facts

    def behavior(self, place: int, rows: Gathered) -> Matched:
        """Take in the rows of behavior `place` of the catalog."""
        behavior, stem = self._catalog.behaviors[place], f"b{place}"
        if rows.rows > INT32_MAX:
            raise ValueError(f"{behavior.name} has more than 2,147,483,647 rows")
        placed = place_rows(rows, self._size)
        time, arrival = ArrayFile(self._files, f"{stem}.time"), NarrowFile(self._files, f"{stem}.arrival", "int32")
        for start in range(0, rows.rows, self._piece_rows):
            time.append(placed.times[start : start + self._piece_rows])
            arrival.append(placed.arrivals[start : start + self._piece_rows])
        time.close()
        arrival.close()
        offsets = ArrayFile(self._files, f"{stem}.offsets")
        offsets.append(placed.offsets)
        offsets.close()
        counts = np.diff(placed.offsets)
        longest, latest = int(counts.max(initial=0)), max(0, int(placed.times.max(initial=0)))
        order, profiles = placed.order, int(np.count_nonzero(counts))
        del placed, counts
        columns = self._write_all((place, 0), behavior.name, f"{stem}.c", behavior.fields, rows, order, may_miss=False)
        facts = tuple(columns[number] for number in sorted(columns))
        self._behaviors[place] = BehaviorFacts(behavior.name, stem, rows.rows, facts, arrival.dtype, longest, latest)
        return Matched(rows.rows, profiles)

    def _write_all(
        self, at: tuple[int, int], behavior: str, stem: str, fields: Sequence[Field], rows: Gathered, order: Int32, *, may_miss: bool
    ) -> dict[int, ColumnFacts]:
        """Write columns on several threads; number of the column -> facts of those that could be held."""

        def write(number: int) -> ColumnFacts | None:
            field, name = fields[number], f"{stem}{at[1] + number}"
            try:
                return self._write(name, field, rows.columns[number], order, may_miss=may_miss)
            except Unfit as unfit:
                self._files.discard(name)
                self._left_out[at[0], at[1] + number] = LeftOut(behavior, field.name, str(unfit))
                return None

        written = enumerate(self._columns.map(write, range(len(fields))))
        return {at[1] + number: facts for number, facts in written if facts is not None}

    def _write(self, stem: str, field: Field, column: PlainColumn | TextCodes, order: Int32, *, may_miss: bool) -> ColumnFacts:
        if isinstance(column, TextCodes):
            return self._write_text(stem, field, column, order, may_miss=may_miss)
        writer, values = column_writer(self._files, stem, field), column.whole()
        try:
            for piece in in_pieces(order, self._piece_rows):
                self._check_stopped()
                writer.append(taken(values, piece, may_miss=may_miss))
            return writer.finish()
        finally:
            writer.abandon()

    def _write_text(self, stem: str, field: Field, column: TextCodes, order: Int32, *, may_miss: bool) -> ColumnFacts:
        codes, dictionary = column.ranked_in(order) if may_miss else column.ranked()
        if dictionary.nbytes > DICTIONARY_BYTES:
            raise Unfit(TOO_MANY_TEXTS)
        high = len(dictionary) - 1
        dtype = narrowest(-1, high)
        values = pa.array(codes.astype(dtype, copy=False))
        file, nulls = ArrayFile(self._files, f"{stem}.codes"), 0
        for start in range(0, len(order), self._piece_rows):
            self._check_stopped()
            piece = slice(start, start + self._piece_rows)
            found = np.asarray(values)[piece] if may_miss else np.asarray(taken(values, order[piece], may_miss=False))
            nulls += int(np.count_nonzero(found < 0))
            file.append(found)
        file.close()
        write_dictionary(self._files, stem, dictionary)
        return ColumnFacts(field.name, stem, "text", len(order), nulls, distinct=len(dictionary), dtype=dtype, low=-1, high=high)

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Stopped

    def finish(self, stamp: str) -> Manifest:
        """Switch to the index: from now on it can be opened."""
        attributes = tuple(self._attributes[place] for place in sorted(self._attributes))
        behaviors = tuple(self._behaviors[place] for place in sorted(self._behaviors))
        left_out = tuple(self._left_out[place] for place in sorted(self._left_out))
        manifest = Manifest(
            self._parent_id,
            self._number,
            self._size,
            self._profiles,
            attributes,
            behaviors,
            left_out,
            dict(sorted(self._files.facts.items())),
        )
        manifest = replace(manifest, stamp=stamp)
        self._columns.shutdown()
        self._files.settle()
        switch_to(self._folder, self._root, manifest)
        return manifest

    def stop(self) -> None:
        """Have whoever still writes end soon, with Stopped."""
        self._stopped = True

    def abandon(self) -> None:
        """Give it up and leave nothing behind. Nobody may be taking in rows any more."""
        self.stop()
        self._columns.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        for folder in (self._folder.parent, self._root):
            with suppress(OSError):
                folder.rmdir()  # only what is empty goes


def is_whole(facts: BehaviorFacts, behavior: Behavior) -> bool:
    """Whether the index holds every field of a behavior."""
    return len(facts.columns) == len(behavior.fields)
