"""What values a field has, counted on the arrays of a profile index: fast enough for every field after every refresh.

Text and booleans are counted by code, numbers that lie close together (cents included) by their distance from the lowest one; all
that is exact. Of other columns with very many values the number of different ones is estimated, and the most frequent are looked
for in a sample; what is said of them is counted over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kohort.foundation.instants import Micros, from_micros
from kohort.index.columns import ArrayColumn, BooleanColumn, Column, Int64, NumberColumn, ProfileIndex, TextColumn, TimeColumn, Words
from kohort.parent.catalog import TIME_FIELD, Behavior, Field
from kohort.services.parents.field_statistics import (
    KEPT_VALUES,
    FieldStatistics,
    Histogram,
    ValueCount,
    bins_of,
    has_histogram,
    plain_value,
    shown_edge,
)

Numbers = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
_CHUNK = 1 << 17
_NEAR = 1 << 22  # whole numbers no farther apart are counted one by one
_EXACT_VALUES = 2_000_000
_SMALLEST_HASHES = 1 << 16  # estimates of distinct values are off by 0.4% (one over the square root)
_SAMPLE = 1_000_000
_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class FieldRows:
    """The rows of one field. kept: bits of the rows that count (None: all `rows`); they are `count` many."""

    name: str
    field: Field
    kind: Literal["attribute", "behavior"]
    column: Column
    rows: int
    count: int
    kept: Words | None = None


def measure_column(rows: FieldRows) -> FieldStatistics:
    """The statistics of one field; what is personal is counted only."""
    values = _Values.of(rows)
    counted = values.count()
    known = _lists(rows.column, rows) if isinstance(rows.column, ArrayColumn) else counted.known
    personal = rows.field.visibility == "pii"
    top = () if personal else tuple(ValueCount(values.shown(value), count, count / known) for value, count in counted.top)
    return FieldStatistics(
        field=rows.name,
        type=rows.field.type,
        kind=rows.kind,
        rows=rows.count,
        nulls=rows.count - known,
        distinct=counted.distinct,
        distinct_exact=counted.is_exact,
        top=top,
        histogram=None if personal else counted.histogram,
    )


# --- the values of a column -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """known: how many values were seen. top: values as the column holds them, the most frequent first, equal ones in order."""

    known: int = 0
    distinct: int = 0
    is_exact: bool = True
    top: tuple[tuple[Any, int], ...] = ()
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True)
class _Span:
    """How many values there are, the lowest and the highest."""

    known: int
    low: Any
    high: Any


Chunks = Callable[[], Iterator[Numbers]]
"""The known values, a chunk at a time, as often as they are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """The known values of a column; of arrays: the elements."""

    field: Field
    column: TextColumn | NumberColumn | TimeColumn | BooleanColumn
    chunks: Chunks

    @staticmethod
    def of(rows: FieldRows) -> _Values:
        column = rows.column
        if isinstance(column, ArrayColumn):
            return _Values(rows.field, column.elements, lambda: _elements(column, rows))
        return _Values(rows.field, column, lambda: _known(column, rows))

    def count(self) -> _Counted:
        match self.column:
            case TextColumn(dictionary=dictionary):
                return _of_codes(self.chunks(), len(dictionary))
            case BooleanColumn():
                return _of_codes(self.chunks(), 2)
        span = _span(self.chunks())
        if span is None:
            return _Counted()
        if isinstance(self.column, NumberColumn) and self.column.storage == "float64":
            return self._of_cents(span) or self._of_any(span)
        if int(span.high) - int(span.low) < _NEAR:
            return self._of_places(self.chunks, int(span.low), int(span.high), 1)
        return self._of_any(span)

    def shown(self, value: Any) -> str | int | float | bool:
        """A value as JSON holds it."""
        match self.column:
            case TextColumn(dictionary=dictionary):
                return str(dictionary[int(value)].as_py())
            case BooleanColumn():
                return bool(value)
            case TimeColumn(storage="date"):
                return (_EPOCH + timedelta(days=int(value))).isoformat()
            case TimeColumn():
                return plain_value(from_micros(int(value)))
            case NumberColumn(storage="decimal", scale=scale):
                return plain_value(Decimal(int(value)).scaleb(-scale))
            case NumberColumn(storage="int64"):
                return int(value)
            case _:
                return float(value)

    # --- numbers and times ----------------------------------------------------------------------------------------

    def _of_cents(self, span: _Span) -> _Counted | None:
        """Floats that all are whole hundredths close together, as prices are; None when they are not."""
        if not (np.isfinite([span.low, span.high]).all() and (span.high - span.low) * 100 < _NEAR and max(-span.low, span.high) < 2**40):
            return None
        if any(not np.array_equal(np.rint(chunk * 100) / 100, chunk) for chunk in self.chunks()):
            return None
        return self._of_places(self._cents, round(span.low * 100), round(span.high * 100), 100)

    def _cents(self) -> Iterator[Numbers]:
        return (np.rint(chunk * 100).astype(np.int64) for chunk in self.chunks())

    def _of_places(self, chunks: Chunks, low: int, high: int, unit: int) -> _Counted:
        """Counts of every whole number from low to high; a value is that number divided by `unit`."""
        counts = _bincount((chunk - low for chunk in chunks()), high - low + 1)
        held = np.flatnonzero(counts)
        numbers, counts = held + low, counts[held]
        values = numbers / unit if unit > 1 else numbers
        return _Counted(int(counts.sum()), len(held), True, _most_frequent(values, counts), self._bins(values, counts))

    def _bins(self, values: Numbers, counts: Int64) -> Histogram | None:
        """The histogram of values that are known with their counts, in order."""
        if not has_histogram(self.field) or not len(values) or not np.isfinite(values[[0, -1]]).all():
            return None
        numbers = self._numbers(values)
        total = np.cumsum(counts)
        first, last = (float(numbers[np.searchsorted(total, share * total[-1])]) for share in (0.01, 0.99))
        edges = bins_of(self.field, float(numbers[0]), float(numbers[-1]), first, last)
        places = np.searchsorted(np.array(edges[1:-1]), numbers, side="right")
        return self._histogram(edges, np.bincount(places, weights=counts, minlength=len(edges) - 1))

    def _of_any(self, span: _Span) -> _Counted:
        """Any numbers."""
        if span.known <= _EXACT_VALUES:
            values, counts = np.unique(np.concatenate(list(self.chunks())), return_counts=True)
            return _Counted(span.known, len(values), True, _most_frequent(values, counts), self._bins(values, counts))
        distinct, is_exact = _distinct(self.chunks())
        step = -(-span.known // _SAMPLE)
        sample = np.sort(np.concatenate([chunk[::step] for chunk in self.chunks()]))
        return _Counted(span.known, distinct, is_exact, self._top_of_sample(sample), self._bins_of_sample(sample, span))

    def _top_of_sample(self, sample: Numbers) -> tuple[tuple[Any, int], ...]:
        """The values that are most frequent in a sample, counted in all rows."""
        values, counts = np.unique(sample, return_counts=True)
        limit = KEPT_VALUES if counts.max() > 2 else KEPT_VALUES // 10
        wanted = np.sort(np.array([value for value, _ in _most_frequent(values, counts, limit)], dtype=sample.dtype))
        exact = np.zeros(len(wanted), dtype=np.int64)
        maybe = np.zeros(1 << 16, dtype=np.bool_)
        maybe[_short_hashes(wanted)] = True
        for chunk in self.chunks():
            few = chunk[maybe[_short_hashes(chunk)]]
            places = np.minimum(np.searchsorted(wanted, few), len(wanted) - 1)
            exact += np.bincount(places[wanted[places] == few], minlength=len(wanted))
        return _most_frequent(wanted, exact)

    def _bins_of_sample(self, sample: Numbers, span: _Span) -> Histogram | None:
        """The histogram of all rows; a sample says where most of them are."""
        if not has_histogram(self.field) or not np.isfinite([span.low, span.high]).all():
            return None
        low, high, first, last = self._numbers(np.array([span.low, span.high, sample[len(sample) // 100], sample[-1 - len(sample) // 100]]))
        edges = bins_of(self.field, float(low), float(high), float(first), float(last))
        inner = np.array(edges[1:-1])
        counts = np.zeros(len(edges) - 1, dtype=np.int64)
        for chunk in self.chunks():
            counts += np.bincount(self._places(inner, chunk), minlength=len(counts))
        return self._histogram(edges, counts)

    def _places(self, inner: npt.NDArray[np.float64], chunk: Numbers) -> Numbers:
        """The bin of each value; inner edges of times are whole and evenly spaced."""
        if isinstance(self.column, TimeColumn) and self.column.storage == "timestamp" and len(inner) > 1:
            places = (chunk - int(inner[0])) // int(inner[1] - inner[0]) + 1
            return np.clip(places, 0, len(inner), out=places)
        return np.searchsorted(inner, self._numbers(chunk), side="right")

    def _numbers(self, values: Numbers) -> npt.NDArray[np.float64]:
        """Values as histograms count them: times in microseconds, decimals with their point."""
        match self.column:
            case TimeColumn(storage="date"):
                return np.asarray(values, dtype=np.float64) * _DAY
            case NumberColumn(storage="decimal", scale=scale):
                return np.asarray(values, dtype=np.float64) / float(10**scale)
            case _:
                return np.asarray(values, dtype=np.float64)

    def _histogram(self, edges: list[float], counts: Numbers) -> Histogram:
        return Histogram(tuple(shown_edge(edge, self.field) for edge in edges), tuple(int(count) for count in counts))


# --- reading ----------------------------------------------------------------------------------------------------


def _ranges(rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, _CHUNK):
        yield start, min(rows, start + _CHUNK)


def _slice(words: Words, start: int, stop: int) -> Bools:
    """Bits start..stop as bools."""
    part = np.unpackbits(words.view(np.uint8)[start // 8 : -(-stop // 8)], bitorder="little")
    return part[start % 8 : start % 8 + stop - start].view(np.bool_)


def _bits(column: ArrayColumn | NumberColumn | TimeColumn, rows: FieldRows, start: int, stop: int) -> Bools:
    """Which rows of a range count and have a value."""
    found = np.ones(stop - start, dtype=np.bool_)
    for words in (rows.kept, column.valid):
        if words is not None:
            found &= _slice(words, start, stop)
    return found


def _known(column: TextColumn | NumberColumn | TimeColumn | BooleanColumn, rows: FieldRows) -> Iterator[Numbers]:
    """The values of the rows that count and have one."""
    for start, stop in _ranges(rows.rows):
        if isinstance(column, TextColumn | BooleanColumn):
            part = _wide(column.codes[start:stop] if isinstance(column, TextColumn) else column.values[start:stop])
            held = part >= 0
            if rows.kept is not None:
                held &= _slice(rows.kept, start, stop)
        else:
            part, held = _wide(column.values[start:stop]), _bits(column, rows, start, stop)
        yield part if held.all() else part[held]


def _wide(values: Numbers) -> Numbers:
    """Whole numbers as int64: differences fit."""
    return values if values.dtype == np.float64 else values.astype(np.int64, copy=False)


def _lists(column: ArrayColumn, rows: FieldRows) -> int:
    """How many rows have a list."""
    return sum(int(_bits(column, rows, start, stop).sum()) for start, stop in _ranges(rows.rows))


def _elements(column: ArrayColumn, rows: FieldRows) -> Iterator[Numbers]:
    """The elements of the lists that count."""
    held = column.elements.codes if isinstance(column.elements, TextColumn) else column.elements.values
    for start, stop in _ranges(rows.rows):
        offsets = column.offsets[start : stop + 1]
        part = _wide(held[offsets[0] : offsets[-1]])
        chosen = np.repeat(_bits(column, rows, start, stop), np.diff(offsets))
        if isinstance(column.elements, TextColumn):
            chosen &= part >= 0
        elif column.elements.valid is not None:
            chosen &= _slice(column.elements.valid, int(offsets[0]), int(offsets[-1]))
        yield part[chosen]


# --- counting ---------------------------------------------------------------------------------------------------


def _bincount(chunks: Iterator[Numbers], size: int) -> Int64:
    counts = np.zeros(size, dtype=np.int64)
    for chunk in chunks:
        if len(chunk) * 8 < size:
            np.add.at(counts, chunk, 1)
        else:
            counts += np.bincount(chunk, minlength=size)
    return counts


def _of_codes(chunks: Iterator[Numbers], size: int) -> _Counted:
    counts = _bincount(chunks, size)
    held = np.flatnonzero(counts)
    return _Counted(int(counts.sum()), len(held), True, _most_frequent(held, counts[held]))


def _most_frequent(values: Numbers, counts: Int64, limit: int = KEPT_VALUES) -> tuple[tuple[Any, int], ...]:
    """The first of `values` (ascending) by count, equal counts by value."""
    chosen = np.arange(len(counts))
    if len(counts) > limit:
        least = np.partition(counts, len(counts) - limit)[len(counts) - limit]
        above = np.flatnonzero(counts > least)
        chosen = np.sort(np.concatenate([above, np.flatnonzero(counts == least)[: limit - len(above)]]))
    order = chosen[np.argsort(-counts[chosen], kind="stable")]
    return tuple((values[place], int(counts[place])) for place in order)


def _span(chunks: Iterator[Numbers]) -> _Span | None:
    """None of no values."""
    found = [(len(chunk), chunk.min(), chunk.max()) for chunk in chunks if len(chunk)]
    return _Span(sum(size for size, _, _ in found), min(low for _, low, _ in found), max(high for _, _, high in found)) if found else None


def _distinct(chunks: Iterator[Numbers]) -> tuple[int, bool]:
    """How many different values there are, and whether that is exact: judged by the smallest of their hashes (KMV)."""
    smallest = np.zeros(0, dtype=np.uint64)
    limit = np.uint64(2**64 - 1)
    for chunk in chunks:
        hashes = _hashes(chunk)
        smallest = _sorted_set(np.concatenate([smallest, hashes[hashes < limit]]))
        if len(smallest) > _SMALLEST_HASHES:
            smallest = smallest[:_SMALLEST_HASHES]
            limit = smallest[-1]
    if len(smallest) < _SMALLEST_HASHES:
        return len(smallest), True
    return round((_SMALLEST_HASHES - 1) * 2.0**64 / float(limit)), False


def _sorted_set(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values.sort()
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def _hashes(values: Numbers) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 over the bits of 8-byte values: different values have different hashes."""
    bits = (values + 0.0 if values.dtype == np.float64 else values).view(np.uint64).copy()
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _short_hashes(values: Numbers) -> npt.NDArray[np.uint64]:
    """16 bits of a number."""
    bits = (values + 0.0 if values.dtype == np.float64 else values).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits >>= np.uint64(48)
    return bits


# --- the fields of an index -------------------------------------------------------------------------------------


def rows_of_attribute(index: ProfileIndex, field: Field) -> FieldRows | None:
    """The profiles' values of an attribute; None when the index does not hold them."""
    column = index.attributes.get(field.name)
    count = int(np.bitwise_count(index.live).sum())
    return None if column is None else FieldRows(field.name, field, "attribute", column, index.size, count, index.live)


def rows_of_behavior(index: ProfileIndex, behavior: Behavior, until: Micros) -> Iterator[FieldRows]:
    """The time and the columns of a behavior, over its events up to `until`."""
    rows = index.behaviors.get(behavior.name)
    if rows is None:
        return
    size = len(rows.time)
    kept, count = _events_until(rows.time, until)
    named = f"{behavior.name}.{TIME_FIELD.name}"
    yield FieldRows(named, TIME_FIELD, "behavior", TimeColumn(rows.time, None, "timestamp"), size, count, kept)
    for field in behavior.fields:
        if field.name in rows.columns:
            yield FieldRows(f"{behavior.name}.{field.name}", field, "behavior", rows.columns[field.name], size, count, kept)


def _events_until(times: Int64, until: Micros) -> tuple[Words | None, int]:
    """Bits of the events that are not later (None: all), and how many they are."""
    late = [(start, stop) for start, stop in _ranges(len(times)) if times[start:stop].max() > until]
    if not late:
        return None, len(times)
    words = np.full(-(-len(times) // 64), 2**64 - 1, dtype=np.uint64)
    bits = words.view(np.uint8)
    count = len(times)
    for start, stop in late:
        held = times[start:stop] <= until
        bits[start // 8 : -(-stop // 8)] = np.packbits(held, bitorder="little")
        count -= len(held) - int(held.sum())
    return words, count
