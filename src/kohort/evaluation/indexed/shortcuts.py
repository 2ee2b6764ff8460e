"""Tests of aggregates that need no value of anybody: the n-th row from the end tells, or whether there is a row beyond an edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Words, word_count
from kohort.evaluation.indexed.lines import values_of
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices, filled
from kohort.evaluation.indexed.tests import INT64_MAX, Intervals
from kohort.index.kernels import marking
from kohort.parent.layout import TIMESTAMP
from kohort.rules.core import ALL_ROWS, Aggregate

_FEW = 2


def shortcut(reader: IndexReader, aggregate: Aggregate, passes: Intervals) -> Words | None:
    """The profiles for which an aggregate passes, null does not; None: there is no shortcut."""
    plain = not aggregate.grouping and aggregate.sliding_micros is None and 1 <= len(passes.lows) <= _FEW
    if not plain or not len(reader.rows(aggregate.behavior).time):
        return None
    if aggregate.key in ("Min", "Max"):
        return _extreme(reader, aggregate, passes)
    if aggregate.key != "Count":
        return None
    return _counted(reader, aggregate, passes) if aggregate.filter == ALL_ROWS else _some_or_none(reader, aggregate, passes)


def _counted(reader: IndexReader, aggregate: Aggregate, passes: Intervals) -> Words | None:
    """A count of all rows of a window: whether there are n of them, the n-th from the end tells."""
    earliest, latest = reader.bounds(aggregate.windows)
    if earliest > latest or earliest == -INT64_MAX:
        return None
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)
    for low, high in zip(passes.lows.tolist(), passes.highs.tolist(), strict=True):
        found = _at_least(reader, aggregate.behavior, earliest, latest, low)
        if high < reader.rows(aggregate.behavior).longest:
            found = found & ~_at_least(reader, aggregate.behavior, earliest, latest, high + 1)
        out |= found
    return out


def _at_least(reader: IndexReader, behavior: str, earliest: int, latest: int, number: int) -> Words:
    """The profiles with so many rows between two instants."""
    rows, size = reader.rows(behavior), reader.index.size
    if number <= 0:
        return filled(size)
    if number > rows.longest:
        return np.zeros(word_count(size), dtype=np.uint64)
    starts, stops = rows.offsets[:-1], reader.stops(behavior, latest)
    out = np.zeros(word_count(size), dtype=np.uint64)
    reader.spread(size, lambda low, high: marking.at_least(rows.time, starts, stops, low, high, number, earliest, out[low >> 6 :]))
    return out


def _some_or_none(reader: IndexReader, aggregate: Aggregate, passes: Intervals) -> Words | None:
    """Whether some row passes a filter, or none does; None: another number is asked for."""
    low, high = int(passes.lows[0]), int(passes.highs[-1])
    some = low == 1 and high >= reader.rows(aggregate.behavior).longest
    if len(passes.lows) > 1 or not (some or (low <= 0 and high == 0)):
        return None
    found = _with_row(reader, reader.mask(aggregate.behavior, aggregate.filter), reader.slices(aggregate.behavior, aggregate.windows))
    return found if some else ~found & filled(reader.index.size)


def _with_row(reader: IndexReader, mask: Words, slices: Slices) -> Words:
    """The profiles with a row in a mask."""
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)
    starts, stops = slices.starts, slices.stops
    reader.spread(reader.index.size, lambda first, last: marking.any_bits(starts, stops, first, last, mask, out[first >> 6 :]))
    return out


def _extreme(reader: IndexReader, aggregate: Aggregate, passes: Intervals) -> Words:
    """The largest (smallest) value: there is one at or beyond the one edge, and none beyond the other.

    Rows are judged where they lie, and nothing is computed for a profile.
    """
    if aggregate.columns == (TIMESTAMP,) and aggregate.filter == ALL_ROWS and not aggregate.windows:
        return _extreme_time(reader, aggregate, passes)
    values = values_of(reader.row_column(aggregate.behavior, aggregate.columns[0]))
    bottom, top = _limits(values.dtype)
    slices = reader.slices(aggregate.behavior, aggregate.windows)
    present = reader.present(aggregate.behavior, aggregate.filter, *aggregate.columns)
    fitted, out = passes.fitted(values.dtype), np.zeros(word_count(reader.index.size), dtype=np.uint64)
    for low, high in zip(fitted.lows, fitted.highs, strict=True):
        reached, edge = ((low, top), high) if aggregate.key == "Max" else ((bottom, high), low)
        found = _somewhere(reader, values, *reached, present, slices)
        if edge != (top if aggregate.key == "Max" else bottom):
            beyond = (_after(edge), top) if aggregate.key == "Max" else (bottom, _before(edge))
            found = found & ~_somewhere(reader, values, *beyond, present, slices)
        out |= found
    return out


def _extreme_time(reader: IndexReader, aggregate: Aggregate, passes: Intervals) -> Words:
    """The time of the first or last row of each profile: rows are in order of time."""
    rows, at_end = reader.rows(aggregate.behavior), aggregate.key == "Max"
    starts, stops = rows.offsets[:-1], reader.stops(aggregate.behavior, reader.moment.as_of)
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)
    for low, high in zip(passes.lows.tolist(), passes.highs.tolist(), strict=True):
        found = np.zeros_like(out)

        def block(first: int, last: int, low: int = low, high: int = high, found: Words = found) -> None:
            marking.edge_within(rows.time, starts, stops, first, last, at_end, low, high, found[first >> 6 :])

        reader.spread(reader.index.size, block)
        out |= found
    return out


def _limits(dtype: npt.DTypeLike) -> tuple[Any, Any]:
    if dtype == np.float64:
        return np.float64(-np.inf), np.float64(np.inf)
    limits = np.iinfo(dtype)
    return limits.min, limits.max


def _after(value: Any) -> Any:
    return np.nextafter(value, np.inf) if isinstance(value, float) else int(value) + 1


def _before(value: Any) -> Any:
    return np.nextafter(value, -np.inf) if isinstance(value, float) else int(value) - 1


def _somewhere(reader: IndexReader, values: Any, low: Any, high: Any, present: Presence, slices: Slices) -> Words:
    """The profiles with a row whose value lies between two, both included."""
    whole = _limits(values.dtype)
    if (low, high) == whole:
        mask = present.words if present.words is not None else None
    else:
        inside = reader.within(values, Intervals(np.array([low], dtype=values.dtype), np.array([high], dtype=values.dtype)))
        mask = inside if present.words is None else inside & present.words
    if mask is None:
        lengths = slices.stops - slices.starts
        return reader.within(lengths, Intervals(np.array([1], dtype=np.int32), np.array([2**31 - 1], dtype=np.int32)))
    return _with_row(reader, mask, slices)
