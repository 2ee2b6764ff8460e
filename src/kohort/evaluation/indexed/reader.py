"""Reads an open index: tests of columns as bits, filters as masks over rows, windows as slices; each worked out once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from kohort.evaluation.bitmap import Bitmap, Words, word_count
from kohort.evaluation.indexed.cache import ByteCache, filter_depends_on_instant
from kohort.evaluation.indexed.tests import (
    INT64_MAX,
    Intervals,
    NoKernel,
    Table,
    boolean_table,
    float_intervals,
    table_intervals,
    whole_intervals,
)
from kohort.evaluation.indexed.texts import text_table
from kohort.evaluation.times import Moment, instants
from kohort.foundation.windows import Window
from kohort.index.columns import (
    ArrayColumn,
    BehaviorRows,
    BooleanColumn,
    Column,
    Int32,
    Narrow,
    NumberColumn,
    ProfileIndex,
    TextColumn,
    TimeColumn,
)
from kohort.index.kernels import locating, marking, measuring
from kohort.parent.layout import TIMESTAMP
from kohort.rules.ast import ArrayMatching
from kohort.rules.core import ALL_ROWS, IsNullTest, RowAll, RowAny, RowFilter, RowNot, RowTest, Test

NO_MASK = np.zeros(1, dtype=np.uint64)
_ALONE = 1 << 18  # so many places are not worth a second thread
_ELEMENTS: dict[str, Any] = {"text_array": "text", "int64_array": "int64", "float64_array": "float64"}


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The rows of each profile that lie in some windows and are not later than as_of: starts[o]:stops[o]."""

    starts: Int32
    stops: Int32


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """Which rows count: all of them, or those of a mask."""

    words: Words | None

    @property
    def mask(self) -> Words:
        return NO_MASK if self.words is None else self.words

    @property
    def masked(self) -> bool:
        return self.words is not None

    def __and__(self, words: Words | None) -> Presence:
        if words is None or self.words is None:
            return Presence(self.words if words is None else words)
        return Presence(self.words & words)


class IndexReader:
    """One open index at one instant. Results are kept in `work`, which readers of other instants of this index may share;
    work goes by at most `largest_block` (of 64s) places."""

    def __init__(
        self, index: ProfileIndex, moment: Moment, pool: ThreadPoolExecutor | None, work: ByteCache[Any], largest_block: int = _ALONE
    ) -> None:
        self.index = index
        self.moment = moment
        self._pool = pool
        self._largest_block = largest_block
        self._kept = work

    # --- work in parts ----------------------------------------------------------------------------------------------

    def spread(self, length: int, work: Callable[[int, int], object], block: int = _ALONE) -> None:
        """Do the work for ranges of at most `block` places that begin at multiples of 64, on all threads."""
        block = min(block, self._largest_block)
        ranges = [(low, min(low + block, length)) for low in range(0, length, block)]
        if self._pool is None or len(ranges) < 2:
            for low, high in ranges:
                work(low, high)
            return
        for _ in self._pool.map(lambda one: work(*one), ranges):
            pass

    def keep(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What `make` gives, remembered."""
        found = self._kept.get(key)
        if found is None:
            found = make()
            self._kept.put(key, found, size(found))
        return found

    # --- columns ----------------------------------------------------------------------------------------------------

    def attribute(self, name: str) -> Column:
        if name not in self.index.attributes:
            raise NoKernel(f"attribute {name} is not in the index")
        return self.index.attributes[name]

    def rows(self, behavior: str) -> BehaviorRows:
        if behavior not in self.index.behaviors:
            raise NoKernel(f"behavior {behavior} is not in the index")
        return self.index.behaviors[behavior]

    def row_column(self, behavior: str, name: str) -> Column:
        rows = self.rows(behavior)
        if name == TIMESTAMP:
            return TimeColumn(rows.time, None, "timestamp")
        if name not in rows.columns:
            raise NoKernel(f"column {name} of {behavior} is not in the index")
        return rows.columns[name]

    def valid(self, column: Column) -> Words | None:
        """Which places have a value; None: all."""
        match column:
            case TextColumn(codes):
                return self._valid_codes(codes) if column.has_nulls else None
            case BooleanColumn(values):
                return self._valid_codes(values) if column.has_nulls else None
            case NumberColumn() | TimeColumn() | ArrayColumn():
                return column.valid
            case _:
                assert_never(column)

    def _valid_codes(self, codes: Any) -> Words:
        return self.keep(("valid", id(codes)), lambda: self.within(codes, _NOT_NEGATIVE), _words_size)  # type: ignore[no-any-return]

    # --- tests ------------------------------------------------------------------------------------------------------

    def test(self, column: Column, test: Test, length: int) -> Words:
        """The places whose value passes, as bits over `length` places."""
        if isinstance(test.predicate, IsNullTest):
            return self._null_test(column, test.negated, length)
        match column:
            case TextColumn(codes, dictionary):
                return self._looked_up(codes, self._text_table(test, dictionary))
            case BooleanColumn(values):
                return self._looked_up(values, boolean_table(test))
            case NumberColumn(storage="float64") as numbers:
                return _both(self.within(numbers.values, float_intervals(test)), numbers.valid)
            case NumberColumn() as numbers:
                return _both(self.within(numbers.values, whole_intervals(test, numbers.scale, self.moment)), numbers.valid)
            case TimeColumn() as times:
                return _both(self.within(times.values, whole_intervals(test, 0, self.moment)), times.valid)
            case ArrayColumn() as lists:
                return self._array_test(lists, test, length)
            case _:
                assert_never(column)

    def _text_table(self, test: Test, dictionary: Any) -> Table:
        """`text_table`; of very many texts on all threads."""
        if self._pool is None or len(dictionary) <= _ALONE:
            return text_table(test, dictionary)
        pieces = [dictionary.slice(start, _ALONE) for start in range(0, len(dictionary), _ALONE)]
        tables = list(self._pool.map(lambda piece: text_table(test, piece)[1:], pieces))
        return np.concatenate((np.zeros(1, dtype=np.uint8), *tables))

    def _null_test(self, column: Column, negated: bool, length: int) -> Words:
        valid = self.valid(column)
        full = filled(length)
        if valid is None:
            return full if negated else np.zeros_like(full)
        return valid & full if negated else ~valid & full

    def _array_test(self, column: ArrayColumn, test: Test, length: int) -> Words:
        element = Test(test.predicate, _ELEMENTS[test.storage], test.negated)
        passed = self.test(column.elements, element, int(column.offsets[-1]))
        counts = np.empty(length, dtype=np.int32)
        starts, stops = column.offsets[:-1], column.offsets[1:]
        mask = passed if len(passed) else NO_MASK
        self.spread(length, lambda low, high: measuring.count_bits(starts, stops, low, high, mask, counts[low:high]))
        matching = test.matching or ArrayMatching("any")
        if matching.key == "all":
            judged = Bitmap.from_bools(counts == stops - starts).words
        else:
            judged = self.within(counts, _matching_intervals(matching))
        return _both(judged, column.valid)

    def within(self, values: Any, intervals: Intervals) -> Words:
        """The values in some of the intervals."""
        out = np.zeros(word_count(len(values)), dtype=np.uint64)
        intervals = intervals.fitted(values.dtype)
        if len(intervals.lows):
            lows, highs = intervals.lows, intervals.highs
            self.spread(len(values), lambda low, high: marking.within(values, low, high, lows, highs, out[low >> 6 :]))
        return out

    def _looked_up(self, codes: Any, table: Table) -> Words:
        together = table_intervals(table)
        if together is not None:
            return self.within(codes, together)
        out = np.zeros(word_count(len(codes)), dtype=np.uint64)
        self.spread(len(codes), lambda low, high: marking.looked_up(codes, low, high, table, out[low >> 6 :]))
        return out

    # --- rows -------------------------------------------------------------------------------------------------------

    def present(self, behavior: str, row_filter: RowFilter, *columns: str) -> Presence:
        """The rows that pass a filter and have a value in all of the columns."""
        found = Presence(None if row_filter == ALL_ROWS else self.mask(behavior, row_filter))
        for name in columns:
            found = found & self.valid(self.row_column(behavior, name))
        return found

    def mask(self, behavior: str, row_filter: RowFilter) -> Words:
        """The rows that pass a filter."""
        instant = self.moment.as_of if filter_depends_on_instant(row_filter) else None
        return self.keep(("mask", behavior, row_filter, instant), lambda: self._mask(behavior, row_filter), _words_size)  # type: ignore[no-any-return]

    def _mask(self, behavior: str, row_filter: RowFilter) -> Words:
        length = len(self.rows(behavior).time)
        match row_filter:
            case RowTest(column, test):
                return self.test(self.row_column(behavior, column), test, length)
            case RowAll(parts):
                found = filled(length)
                for part in parts:
                    found = found & self.mask(behavior, part)
                return found
            case RowAny(parts):
                found = np.zeros(word_count(length), dtype=np.uint64)
                for part in parts:
                    found = found | self.mask(behavior, part)
                return found
            case RowNot(part):
                return ~self.mask(behavior, part) & filled(length)
            case _:
                assert_never(row_filter)

    def arrival(self, behavior: str) -> Narrow:
        """The order in which the rows of a behavior came in (int32). Raises NoKernel when the index does not know it."""
        found = self.rows(behavior).arrival
        if found is None or found.dtype != np.int32:
            raise NoKernel("the index does not say in which order rows arrived")
        return found

    def bounds(self, windows: tuple[Window, ...]) -> tuple[int, int]:
        """The first and the last instant that lie in all the windows and are not later than as_of."""
        earliest, latest = -INT64_MAX, self.moment.as_of
        for window in windows:
            bounds = instants(window, self.moment)
            earliest = max(earliest, bounds.first if bounds.first is not None else earliest)
            latest = min(latest, bounds.last if bounds.last is not None else latest)
        return earliest, latest

    def slices(self, behavior: str, windows: tuple[Window, ...]) -> Slices:
        """The rows of each profile that lie in all the windows."""
        earliest, latest = self.bounds(windows)
        offsets = self.rows(behavior).offsets
        if earliest > latest:
            return Slices(offsets[:-1], offsets[:-1])
        return Slices(offsets[:-1] if earliest == -INT64_MAX else self._not_before(behavior, earliest), self.stops(behavior, latest))

    def stops(self, behavior: str, latest: int) -> Int32:
        """For each profile the end of the rows that are not later than an instant."""
        rows = self.rows(behavior)
        return rows.offsets[1:] if latest >= rows.latest else self._not_before(behavior, latest + 1)

    def _not_before(self, behavior: str, instant: int) -> Int32:
        """For each profile the first row at or after an instant, else the end of its rows."""
        rows, size = self.rows(behavior), self.index.size

        def find() -> Int32:
            places = np.empty(size, dtype=np.int32)
            self.spread(size, lambda low, high: locating.not_before(rows.time, rows.offsets, low, high, instant, places))
            return places

        return self.keep(("edge", behavior, instant), find, lambda places: places.nbytes)  # type: ignore[no-any-return]

    def largest(self, column: NumberColumn) -> int:
        """No absolute value of the column, as it is summed up (floats: millionths), is larger."""
        if column.storage == "float64":
            return int(column.largest) * 10**6 + 10**6
        return int(column.largest)


_NOT_NEGATIVE = Intervals(np.zeros(1, dtype=np.int64), np.full(1, INT64_MAX))


def _matching_intervals(matching: ArrayMatching) -> Intervals:
    low, high = {
        "any": (1, INT64_MAX),
        "at_least": (matching.count, INT64_MAX),
        "at_most": (0, matching.count),
        "exactly": (matching.count, matching.count),
    }[matching.key]
    return Intervals(np.array([low], dtype=np.int64), np.array([high], dtype=np.int64))


def filled(length: int) -> Words:
    """A bit for each of so many places."""
    words = np.full(word_count(length), np.uint64(2**64 - 1))
    if length & 63:
        words[-1] = np.uint64(2 ** (length & 63) - 1)
    return words


def _both(words: Words, valid: Words | None) -> Words:
    return words if valid is None else words & valid


def _words_size(words: Words) -> int:
    return words.nbytes
