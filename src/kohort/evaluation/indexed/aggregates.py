"""Tests of aggregates: values by kernels for a range of profiles at a time, then the test, then bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from kohort.evaluation.aggregates import effective, holds_without_rows, scale_of
from kohort.evaluation.bitmap import Words, word_count
from kohort.evaluation.indexed.lines import Cells, Taken, groups, padded, take, values_of, windows
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices, filled
from kohort.evaluation.indexed.tests import (
    AverageIntervals,
    Intervals,
    NoKernel,
    Table,
    average_intervals,
    boolean_table,
    float_intervals,
    text_table,
    whole_intervals,
)
from kohort.index import kernels
from kohort.index.columns import BooleanColumn, Column, Int64, NumberColumn, TextColumn
from kohort.rules.core import Aggregate, BehaviorLeaf, IsNullTest, Test

BLOCK = 1 << 16
_TAKEN_BLOCK = 1 << 14
_ROOM = 2**62

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """One value per profile, group or window. values: whole numbers, floats or codes. counts: 0 where the value is null.

    Of averages `values` are the sums and `counts` how many values are in them; of counts `counts` is None: never null.
    """

    values: npt.NDArray[Any]
    counts: Int64 | None


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """A test of an aggregate, ready for kernels."""

    passes: Intervals | AverageIntervals | Table
    null_passes: bool

    def words(self, found: Values) -> Words:
        """Which of the values pass."""
        size = len(found.values)
        out = np.zeros(word_count(size), dtype=np.uint64)
        match self.passes:
            case Intervals(lows, highs):
                if len(lows):
                    kernels.within(found.values, 0, size, lows, highs, out)
            case AverageIntervals() as one:
                if found.counts is not None and len(one.lows):
                    steps = (one.lows, one.low_steps, one.highs, one.high_steps)
                    kernels.averages_within(found.values, found.counts, one.factor, *steps, out)
            case table:
                kernels.looked_up(found.values, 0, size, table, out)
        if found.counts is None:
            return out
        valued = np.zeros(word_count(size), dtype=np.uint64)
        kernels.within(found.counts, 0, size, _SOME.lows, _SOME.highs, valued)
        return (out & valued) | (~valued & filled(size)) if self.null_passes else out & valued


_SOME = Intervals(np.array([1], dtype=np.int64), np.array([2**63 - 1], dtype=np.int64))


def behavior_words(reader: IndexReader, leaf: BehaviorLeaf) -> Words:
    """The profiles for which an aggregate's test holds. Raises NoKernel."""
    aggregate = effective(leaf.aggregate)
    work = AggregateWork.of(reader, aggregate)
    judge = _judge(reader, aggregate, leaf.test)
    default = holds_without_rows(leaf.aggregate, leaf.test)
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)

    def block(low: int, high: int) -> None:
        found = work.passing(low, high, judge, default)
        out[low >> 6 : (low >> 6) + len(found)] = found

    reader.spread(reader.index.size, block, work.block)
    return out


def aggregate_values(reader: IndexReader, aggregate: Aggregate) -> Values:
    """The value of an aggregate without groups or sliding windows, for every profile. Raises NoKernel."""
    if aggregate.grouping or aggregate.sliding_micros is not None:
        raise NoKernel("no single value")
    work = AggregateWork.of(reader, aggregate)
    parts: dict[int, Values] = {}

    def block(low: int, high: int) -> None:
        parts[low] = work.values(low, high)

    reader.spread(reader.index.size, block, work.block)
    ordered = [parts[low] for low in sorted(parts)]
    counts = [part.counts for part in ordered if part.counts is not None]
    if not ordered:
        return Values(np.zeros(0, dtype=np.int64), None)
    return Values(np.concatenate([part.values for part in ordered]), np.concatenate(counts) if counts else None)


def _judge(reader: IndexReader, aggregate: Aggregate, test: Test) -> Judge:
    null_passes = isinstance(test.predicate, IsNullTest) and not test.negated
    if aggregate.key == "Average":
        largest, longest = _largest(reader, aggregate), reader.longest(aggregate.behavior)
        return Judge(average_intervals(test, scale_of(aggregate), largest * longest, longest), null_passes)
    if aggregate.key in ("Count", "CountDistinct"):
        return Judge(whole_intervals(test, 0, reader.moment), null_passes)
    if aggregate.key == "Sum":
        return Judge(whole_intervals(test, scale_of(aggregate), reader.moment), null_passes)
    match reader.row_column(aggregate.behavior, aggregate.columns[0]):
        case TextColumn(dictionary=dictionary):
            return Judge(text_table(test, dictionary), null_passes)
        case BooleanColumn():
            return Judge(boolean_table(test), null_passes)
        case NumberColumn(storage="float64"):
            return Judge(float_intervals(test), null_passes)
        case NumberColumn(scale=scale):
            return Judge(whole_intervals(test, scale, reader.moment), null_passes)
        case _:
            return Judge(whole_intervals(test, 0, reader.moment), null_passes)


def _largest(reader: IndexReader, aggregate: Aggregate) -> int:
    column = reader.row_column(aggregate.behavior, aggregate.columns[0])
    if not isinstance(column, NumberColumn):
        raise NoKernel("a sum of what is not a number")
    return reader.largest(aggregate.behavior, aggregate.columns[0])


@dataclass(frozen=True, slots=True, eq=False)
class AggregateWork:
    """An aggregate whose masks and slices are at hand: what is left goes by ranges of profiles, on any thread."""

    reader: IndexReader
    aggregate: Aggregate
    slices: Slices
    filtered: Presence
    present: Presence
    is_taken: bool

    @staticmethod
    def of(reader: IndexReader, aggregate: Aggregate) -> AggregateWork:
        """Raises NoKernel when a column is not there, or a sum might exceed 64 bits."""
        by_column = bool(aggregate.order_column) and aggregate.key in ("First", "Last")
        if by_column and (aggregate.sliding_micros is not None or reader.rows(aggregate.behavior).arrival is None):
            raise NoKernel("First and Last by a column in sliding windows, or without the order of arrival")
        for name in (*aggregate.columns, *aggregate.grouping, *((aggregate.order_column,) if by_column else ())):
            values_of(reader.row_column(aggregate.behavior, name))
        if aggregate.key in ("Sum", "Average") and _largest(reader, aggregate) * max(1, reader.longest(aggregate.behavior)) >= _ROOM:
            raise NoKernel("sums that might exceed 64 bits")
        gathers = bool(aggregate.grouping) or aggregate.sliding_micros is not None
        is_taken = gathers or by_column or _needs_keys(reader, aggregate)
        filtered = reader.present(aggregate.behavior, aggregate.filter)
        columns = () if is_taken else aggregate.columns
        present = reader.present(aggregate.behavior, aggregate.filter, *columns) if columns else filtered
        return AggregateWork(reader, aggregate, reader.slices(aggregate.behavior, aggregate.windows), filtered, present, is_taken)

    @property
    def block(self) -> int:
        return _TAKEN_BLOCK if self.is_taken else BLOCK

    # --- ranges of profiles -----------------------------------------------------------------------------------------

    def passing(self, first: int, last: int, judge: Judge, default: bool) -> Words:
        """Which profiles from `first` to below `last` pass."""
        aggregate = self.aggregate
        if not aggregate.grouping and aggregate.sliding_micros is None:
            return judge.words(self.values(first, last))
        taken = take(self.reader, aggregate.behavior, self.slices, self.filtered, first, last)
        passed = np.zeros(last - first, dtype=np.bool_)
        if default:
            passed = np.diff(taken.offsets) == 0
        passed[self._gathered(taken, judge)] = True
        return padded(passed)

    def values(self, first: int, last: int) -> Values:
        """The value of each profile."""
        if not self.is_taken:
            return self._in_place(first, last)
        taken = take(self.reader, self.aggregate.behavior, self.slices, self.filtered, first, last)
        return self._of_slices(taken, Slices(taken.offsets[:-1], taken.offsets[1:]), taken.offsets)

    def _gathered(self, taken: Taken, judge: Judge) -> Int64:
        """The profiles of the groups and windows that pass."""
        places, owners = taken.offsets, np.arange(len(taken.offsets) - 1, dtype=np.int64)
        if self.aggregate.grouping:
            taken, places, owners = groups(taken, self.aggregate.grouping)
        slices = Slices(places[:-1], places[1:])
        if self.aggregate.sliding_micros is not None:
            owners = np.repeat(owners, slices.stops - slices.starts)
            slices = windows(taken, slices.starts, slices.stops, self.aggregate.sliding_micros)
        words = judge.words(self._of_slices(taken, slices, places))
        found = np.unpackbits(words.view(np.uint8), count=len(slices.starts), bitorder="little").view(np.bool_)
        return owners[found]

    def _in_place(self, first: int, last: int) -> Values:
        aggregate, slices = self.aggregate, self.slices
        if aggregate.key == "Count":
            return Values(_counts(slices, first, last, self.filtered), None)
        column = self.reader.row_column(aggregate.behavior, aggregate.columns[0])
        return _values(aggregate, column, Cells(values_of(column), self.present), slices, first, last)

    def _of_slices(self, taken: Taken, slices: Slices, places: Int64) -> Values:
        """The values of slices of rows taken out. places: where a profile or a group begins, and the end."""
        aggregate, last = self.aggregate, len(slices.starts)
        if aggregate.key == "Count":
            return Values(slices.stops - slices.starts, None)
        column = taken.column(aggregate.columns[0])
        if aggregate.key == "CountDistinct":
            cells = taken.cells(aggregate.columns[0], *aggregate.columns[1:])
            return _values(aggregate, column, Cells(taken.keys(aggregate.columns), cells.present), slices, 0, last)
        if aggregate.key in ("First", "Last") and aggregate.order_column:
            taken = taken.in_order_of(aggregate.order_column, places)
            return _values(aggregate, column, taken.cells(aggregate.columns[0], aggregate.order_column), slices, 0, last)
        return _values(aggregate, column, taken.cells(aggregate.columns[0]), slices, 0, last)


def _needs_keys(reader: IndexReader, aggregate: Aggregate) -> bool:
    """Whether what is counted is not a code or whole number already."""
    if aggregate.key != "CountDistinct":
        return False
    values = values_of(reader.row_column(aggregate.behavior, aggregate.columns[0]))
    return len(aggregate.columns) > 1 or values.dtype not in (np.int32, np.int64)


def _counts(slices: Slices, first: int, last: int, present: Presence) -> Int64:
    if not present.masked:
        return slices.stops[first:last] - slices.starts[first:last]
    counts = np.empty(last - first, dtype=np.int64)
    kernels.count_bits(slices.starts, slices.stops, first, last, present.mask, counts)
    return counts


def _values(aggregate: Aggregate, column: Column, cells: Cells, slices: Slices, first: int, last: int) -> Values:
    """One value per slice."""
    size = last - first
    counts = np.empty(size, dtype=np.int64)
    arguments = (slices.starts, slices.stops, first, last, cells.present.mask, cells.present.masked)
    match aggregate.key:
        case "Sum" | "Average":
            totals = np.empty(size, dtype=np.int64)
            add: Any = kernels.millionths if cells.values.dtype == np.float64 else kernels.sums
            add(cells.values, *arguments, totals, counts)
            return Values(totals, counts)
        case "Min" | "Max":
            found = np.zeros(size, dtype=np.float64 if cells.values.dtype == np.float64 else np.int64)
            kernels.extremes(cells.values, *arguments, aggregate.key == "Max", found, counts)
            return Values(found, counts)
        case "First" | "Last":
            kernels.end_rows(*arguments, aggregate.key == "Last", counts)
            return _at(cells, counts)
        case "CountDistinct":
            kernels.distinct(cells.values, *arguments, counts)
            return Values(counts, None)
        case "Count":
            raise AssertionError(f"counted before: {column}")
        case _:
            assert_never(aggregate.key)


def _at(cells: Cells, rows: Int64) -> Values:
    """The values of these rows; row -1 is null."""
    dtype = np.float64 if cells.values.dtype == np.float64 else np.int64
    if not len(cells.values):
        return Values(np.zeros(len(rows), dtype=dtype), np.zeros(len(rows), dtype=np.int64))
    return Values(cells.values[np.maximum(rows, 0)].astype(dtype), (rows >= 0).astype(np.int64))
