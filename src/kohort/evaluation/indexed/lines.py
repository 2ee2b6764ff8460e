"""The rows an aggregate looks at, for a range of profiles: in place, or taken out, sorted and cut into groups and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Bitmap, Words
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices
from kohort.evaluation.indexed.tests import NoKernel
from kohort.index.columns import BooleanColumn, Column, Int32, Int64, NumberColumn, TextColumn, TimeColumn
from kohort.index.kernels import locating, measuring
from kohort.parent.layout import TIMESTAMP

_SPAN_LIMIT = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The values of one column of some rows, and which of the rows count."""

    values: npt.NDArray[Any]
    present: Presence


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Rows taken out of a behavior: `rows` are their numbers, profile by profile; those of profile i are offsets[i]:offsets[i + 1]."""

    reader: IndexReader
    behavior: str
    rows: Int32
    offsets: Int32

    def column(self, name: str) -> Column:
        return self.reader.row_column(self.behavior, name)

    def values(self, name: str) -> npt.NDArray[Any]:
        return values_of(self.column(name))[self.rows]

    def valid(self, name: str) -> npt.NDArray[np.bool_] | None:
        """Which of the rows have a value; None: all."""
        column = self.column(name)
        if isinstance(column, TextColumn | BooleanColumn):
            return np.asarray(values_of(column)[self.rows] >= 0)
        words = self.reader.valid(column)
        return None if words is None else bits_at(words, self.rows)

    def cells(self, name: str, *others: str) -> Cells:
        """The values of a column; rows count that have a value in it and in the others."""
        found: npt.NDArray[np.bool_] | None = None
        for one in (name, *others):
            valid = self.valid(one)
            found = valid if found is None else found if valid is None else found & valid
        return Cells(self.values(name), Presence(None if found is None else padded(found)))

    def ordered(self, order: Int32) -> Taken:
        """The same rows of each profile in another order."""
        return Taken(self.reader, self.behavior, self.rows[order], self.offsets)

    def sorted_by(self, keys: Int64) -> Int32:
        """The places of each profile's rows by ascending key."""
        order = np.empty(len(self.rows), dtype=np.int32)
        locating.sorted_slices(self.offsets, keys, order)
        return order

    def keys(self, names: Sequence[str]) -> Int64:
        """A whole number per row, equal where all the columns are; null is a value of its own."""
        found, span = self._codes(names[0])
        for name in names[1:]:
            codes, more = self._codes(name)
            if span * more >= _SPAN_LIMIT:
                found, span = _ranked(found)
            if span * more >= _SPAN_LIMIT:
                codes, more = _ranked(codes)
            found, span = found * more + codes, span * more
        return found

    def _codes(self, name: str) -> tuple[Int64, int]:
        """Codes from 0, and how many there may be."""
        column = self.column(name)
        values = self.values(name)
        if isinstance(column, TextColumn):
            return values.astype(np.int64) + 1, len(column.dictionary) + 1
        if isinstance(column, BooleanColumn):
            return values.astype(np.int64) + 1, 3
        codes, span = _ranked(values)
        valid = self.valid(name)
        return (codes + 1 if valid is None else np.where(valid, codes + 1, 0)), span + 1


def take(reader: IndexReader, behavior: str, slices: Slices, present: Presence, first: int, last: int) -> Taken:
    """The rows of the profiles from `first` to below `last`."""
    counts = slices.stops[first:last] - slices.starts[first:last]
    if present.masked:
        counts = np.empty(last - first, dtype=np.int32)
        measuring.count_bits(slices.starts, slices.stops, first, last, present.mask, counts)
    offsets = np.zeros(last - first + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:], dtype=np.int32)
    rows = np.empty(int(offsets[-1]), dtype=np.int32)
    locating.rows_of(slices.starts, slices.stops, first, last, present.mask, present.masked, offsets, rows)
    return Taken(reader, behavior, rows, offsets)


def groups(taken: Taken, names: Sequence[str]) -> tuple[Taken, Int32, Int32]:
    """The rows of each profile sorted into groups of equal values, where each group begins (and the end), and whose it is."""
    keys = taken.keys(names)
    order = taken.sorted_by(keys)
    keys = keys[order]
    begins = np.zeros(len(keys), dtype=np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    begins[taken.offsets[:-1][np.diff(taken.offsets) > 0]] = True
    starts = np.flatnonzero(begins)
    owners = np.searchsorted(taken.offsets, starts, side="right") - 1
    return taken.ordered(order), np.append(starts, len(keys)).astype(np.int32), owners.astype(np.int32)


def windows(taken: Taken, starts: Int32, stops: Int32, length: int) -> Slices:
    """For each row, the rows of its group in the window of that length that ends with it."""
    found = Slices(np.empty(len(taken.rows), dtype=np.int32), np.empty(len(taken.rows), dtype=np.int32))
    locating.sliding_slices(starts, stops, taken.values(TIMESTAMP), length, found.starts, found.stops)
    return found


def values_of(column: Column) -> npt.NDArray[Any]:
    """The array that holds a column's values or codes."""
    match column:
        case TextColumn(codes):
            return codes
        case NumberColumn() | TimeColumn() | BooleanColumn():
            return column.values
        case _:
            raise NoKernel("an aggregate of arrays")


def bits_at(words: Words, places: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    found = (words[places >> 6] >> (places & 63).astype(np.uint64)) & np.uint64(1)
    return np.asarray(found.astype(np.bool_))


def padded(bools: npt.NDArray[np.bool_]) -> Words:
    """Bits of the bools, at least one word."""
    return Bitmap.from_bools(bools).words if len(bools) else np.zeros(1, dtype=np.uint64)


def _ranked(values: npt.NDArray[Any]) -> tuple[Int64, int]:
    different, places = np.unique(values, return_inverse=True)
    return places.astype(np.int64).reshape(-1), max(1, len(different))
