"""Tests of aggregates: values by kernels for a range of profiles at a time, then the test, then bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from kohort.evaluation.aggregates import effective, holds_without_rows, scale_of
from kohort.evaluation.bitmap import Words, word_count
from kohort.evaluation.indexed.lines import Cells, Taken, groups, padded, take, values_of, windows
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices, filled
from kohort.evaluation.indexed.shortcuts import shortcut
from kohort.evaluation.indexed.tests import (
    AverageIntervals,
    Intervals,
    NoKernel,
    Table,
    average_intervals,
    boolean_table,
    float_intervals,
    whole_intervals,
)
from kohort.evaluation.indexed.texts import text_table
from kohort.index.columns import BooleanColumn, Column, Int32, Int64, Narrow, NumberColumn, TextColumn
from kohort.index.kernels import in_place, locating, marking, measuring
from kohort.rules.core import Aggregate, BehaviorLeaf, IsNullTest, Test

BLOCK = 1 << 16
_TAKEN_BLOCK = 1 << 14
_ROOM = 2**62
_FEW_CODES = 512
_FEW_INTERVALS = 8

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
            case Intervals() as intervals:
                fitted = intervals.fitted(found.values.dtype)
                if len(fitted.lows):
                    marking.within(found.values, 0, size, fitted.lows, fitted.highs, out)
            case AverageIntervals() as one:
                if found.counts is not None and len(one.lows):
                    steps = (one.lows, one.low_steps, one.highs, one.high_steps)
                    marking.averages_within(found.values, found.counts, one.factor, *steps, out)
            case table:
                marking.looked_up(found.values, 0, size, table, out)
        if found.counts is None:
            return out
        valued = np.zeros(word_count(size), dtype=np.uint64)
        marking.within(found.counts, 0, size, _SOME.lows, _SOME.highs, valued)
        return (out & valued) | (~valued & filled(size)) if self.null_passes else out & valued


_SOME = Intervals(np.array([1], dtype=np.int64), np.array([2**63 - 1], dtype=np.int64))


def behavior_words(reader: IndexReader, leaf: BehaviorLeaf) -> Words:
    """The profiles for which an aggregate's test holds. Raises NoKernel."""
    aggregate = effective(leaf.aggregate)
    judge = _judge(reader, aggregate, leaf.test)
    default = holds_without_rows(leaf.aggregate, leaf.test)
    if isinstance(judge.passes, Intervals) and not judge.null_passes:
        words = shortcut(reader, aggregate, judge.passes)
        if words is not None:
            return words
    work = AggregateWork.of(reader, aggregate)
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)
    write = gathered_in_place(work, judge.passes, default) if not judge.null_passes else None

    def block(low: int, high: int) -> None:
        if write is not None:
            write(low, high, out[low >> 6 :])
            return
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
        largest, longest = _largest(reader, aggregate), reader.rows(aggregate.behavior).longest
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
    return reader.largest(column)


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
        for name in (*aggregate.columns, *aggregate.grouping, *((aggregate.order_column,) if by_column else ())):
            values_of(reader.row_column(aggregate.behavior, name))
        if aggregate.key in ("Sum", "Average") and _largest(reader, aggregate) * max(1, reader.rows(aggregate.behavior).longest) >= _ROOM:
            raise NoKernel("sums that might exceed 64 bits")
        gathers = bool(aggregate.grouping) or aggregate.sliding_micros is not None
        is_taken = gathers or _needs_keys(reader, aggregate)
        filtered = reader.present(aggregate.behavior, aggregate.filter)
        columns = (*aggregate.columns, *((aggregate.order_column,) if by_column else ()))
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
        return self._of_slices(taken, Slices(taken.offsets[:-1], taken.offsets[1:]))

    def _gathered(self, taken: Taken, judge: Judge) -> Int32:
        """The profiles of the groups and windows that pass."""
        places, owners = taken.offsets, np.arange(len(taken.offsets) - 1, dtype=np.int32)
        if self.aggregate.grouping:
            taken, places, owners = groups(taken, self.aggregate.grouping)
        slices = Slices(places[:-1], places[1:])
        if self.aggregate.sliding_micros is not None:
            owners = np.repeat(owners, slices.stops - slices.starts)
            slices = windows(taken, slices.starts, slices.stops, self.aggregate.sliding_micros)
        words = judge.words(self._of_slices(taken, slices))
        found = np.unpackbits(words.view(np.uint8), count=len(slices.starts), bitorder="little").view(np.bool_)
        return owners[found]

    def _in_place(self, first: int, last: int) -> Values:
        aggregate, slices = self.aggregate, self.slices
        if aggregate.key == "Count":
            return Values(_counts(slices, first, last, self.filtered), None)
        column = self.reader.row_column(aggregate.behavior, aggregate.columns[0])
        cells = Cells(values_of(column), self.present)
        if aggregate.key in ("First", "Last") and aggregate.order_column:
            keys = values_of(self.reader.row_column(aggregate.behavior, aggregate.order_column))
            return _end_by(aggregate, cells, keys, self.reader.arrival(aggregate.behavior), slices, first, last)
        return _values(aggregate, column, cells, slices, first, last)

    def _of_slices(self, taken: Taken, slices: Slices) -> Values:
        """The values of slices of rows taken out."""
        aggregate, last = self.aggregate, len(slices.starts)
        if aggregate.key == "Count":
            return Values(slices.stops - slices.starts, None)
        column = taken.column(aggregate.columns[0])
        if aggregate.key == "CountDistinct":
            cells = taken.cells(aggregate.columns[0], *aggregate.columns[1:])
            return _values(aggregate, column, Cells(taken.keys(aggregate.columns), cells.present), slices, 0, last)
        if aggregate.key in ("First", "Last") and aggregate.order_column:
            cells = taken.cells(aggregate.columns[0], aggregate.order_column)
            arrival = self.reader.arrival(aggregate.behavior)[taken.rows]
            return _end_by(aggregate, cells, taken.values(aggregate.order_column), arrival, slices, 0, last)
        return _values(aggregate, column, taken.cells(aggregate.columns[0]), slices, 0, last)


def _needs_keys(reader: IndexReader, aggregate: Aggregate) -> bool:
    """Whether what is counted is not a code or whole number already."""
    if aggregate.key != "CountDistinct":
        return False
    values = values_of(reader.row_column(aggregate.behavior, aggregate.columns[0]))
    return len(aggregate.columns) > 1 or values.dtype == np.float64


def _counts(slices: Slices, first: int, last: int, present: Presence) -> Int32:
    if not present.masked:
        return slices.stops[first:last] - slices.starts[first:last]
    counts = np.empty(last - first, dtype=np.int32)
    measuring.count_bits(slices.starts, slices.stops, first, last, present.mask, counts)
    return counts


def _values(aggregate: Aggregate, column: Column, cells: Cells, slices: Slices, first: int, last: int) -> Values:
    """One value per slice."""
    size = last - first
    arguments = (slices.starts, slices.stops, first, last, cells.present.mask, cells.present.masked)
    match aggregate.key:
        case "Sum" | "Average":
            totals, counts = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
            add: Any = measuring.millionths if cells.values.dtype == np.float64 else measuring.sums
            add(cells.values, *arguments, totals, counts)
            return Values(totals, counts)
        case "Min" | "Max":
            found, counts = (
                np.zeros(size, dtype=np.float64 if cells.values.dtype == np.float64 else np.int64),
                np.empty(size, dtype=np.int64),
            )
            measuring.extremes(cells.values, *arguments, aggregate.key == "Max", found, counts)
            return Values(found, counts)
        case "First" | "Last":
            rows = np.empty(size, dtype=np.int32)
            locating.end_rows(*arguments, aggregate.key == "Last", rows)
            return _at(cells, rows)
        case "CountDistinct":
            different = np.empty(size, dtype=np.int32)
            if isinstance(column, TextColumn) and len(column.dictionary) <= _FEW_CODES and cells.values.dtype.itemsize <= 2:
                measuring.distinct_codes(cells.values, *arguments, 0, word_count(len(column.dictionary)) or 1, different)
            elif cells.values.dtype == np.int8:
                measuring.distinct_codes(cells.values, *arguments, -128, 4, different)
            else:
                measuring.distinct(cells.values, *arguments, different)
            return Values(different, None)
        case "Count":
            raise AssertionError(f"counted before: {column}")
        case _:
            assert_never(aggregate.key)


def _end_by(aggregate: Aggregate, cells: Cells, keys: npt.NDArray[Any], arrival: Narrow, slices: Slices, first: int, last: int) -> Values:
    """The value of the first or last row of each slice by an order of rows."""
    rows = np.empty(last - first, dtype=np.int32)
    arguments = (slices.starts, slices.stops, first, last, cells.present.mask, cells.present.masked)
    locating.end_rows_by(keys, arrival, *arguments, aggregate.key == "Last", rows)
    return _at(cells, rows)


def _at(cells: Cells, rows: Int32) -> Values:
    """The values of these rows; row -1 is null."""
    if not len(cells.values):
        return Values(np.zeros(len(rows), dtype=cells.values.dtype), np.zeros(len(rows), dtype=np.int64))
    return Values(cells.values[np.maximum(rows, 0)], (rows >= 0).astype(np.int64))


# --- groups and windows without taking rows out ---------------------------------------------------------------------


Write = Callable[[int, int, Words], None]


def gathered_in_place(work: AggregateWork, passes: Intervals | AverageIntervals | Table, default: bool) -> Write | None:
    """Groups by a column of few texts, or windows that slide, without taking rows out; None: it cannot be done so."""
    aggregate, slices = work.aggregate, work.slices
    if not isinstance(passes, Intervals) or len(passes.lows) > _FEW_INTERVALS:
        return None
    lows, highs = passes.lows, passes.highs
    if aggregate.sliding_micros is not None:
        if aggregate.grouping or aggregate.key != "Count":
            return None
        time, length, of = work.reader.rows(aggregate.behavior).time, aggregate.sliding_micros, work.filtered
        return lambda low, high, out: in_place.sliding_counts(
            time, slices.starts, slices.stops, low, high, of.mask, of.masked, length, lows, highs, default, out
        )
    if len(aggregate.grouping) != 1 or default or aggregate.key not in ("Count", "Sum"):
        return None
    codes = values_of(work.reader.row_column(aggregate.behavior, aggregate.grouping[0]))
    if codes.dtype != np.int8 or not isinstance(work.reader.row_column(aggregate.behavior, aggregate.grouping[0]), TextColumn):
        return None
    if aggregate.key == "Count":
        of = work.filtered
        return lambda low, high, out: in_place.group_counts(
            codes, slices.starts, slices.stops, low, high, of.mask, of.masked, lows, highs, out
        )
    values, of = values_of(work.reader.row_column(aggregate.behavior, aggregate.columns[0])), work.present
    if values.dtype == np.float64:
        return None
    return lambda low, high, out: in_place.group_sums(
        values, codes, slices.starts, slices.stops, low, high, of.mask, of.masked, lows, highs, out
    )
