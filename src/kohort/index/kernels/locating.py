"""Which rows: edges in time, those in a mask, the first or last of each slice, an order, a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from kohort.index.compiled import F64, FLAG, I32, I64, INT64, OUT_I32, U64, WHOLE, helper, kernel

_TOGETHER = 1024
_SOME_ROWS = 1 << 14
_MANY_ROWS = 48


@helper
def _bit(words: Any, place: Any) -> Any:
    return (words[np.uint64(place >> 6)] >> np.uint64(place & 63)) & np.uint64(1)


@helper
def _halved(time: Any, low: Any, stop: Any, instant: Any) -> Any:
    """The first row at or after an instant; which half it is in is not to be foreseen, so nothing jumps on it."""
    length = stop - low
    while length > 1:
        half = length >> 1
        low += half * np.int64(time[low + half - 1] < instant)
        length -= half
    if length == 1:
        low += np.int64(time[low] < instant)
    return low


@kernel((I64, I32, INT64, INT64, INT64, OUT_I32))
def not_before(time: Any, offsets: Any, first: Any, last: Any, instant: Any, places: Any) -> None:
    """For each profile the first row at or after an instant, else the end: rows are in order of time.

    Where profiles have few rows, earlier rows are counted along all of them, without a jump; else each profile is halved.
    """
    counts = np.empty(_SOME_ROWS, dtype=np.int32)
    for begin in range(first, last, _TOGETHER):
        end = min(begin + _TOGETHER, last)
        low, high = np.int64(offsets[begin]), np.int64(offsets[end])
        if high - low > _MANY_ROWS * (end - begin):
            for i in range(begin, end):
                places[i] = _halved(time, np.int64(offsets[i]), np.int64(offsets[i + 1]), instant)
            continue
        if high - low >= len(counts):
            counts = np.empty(2 * (high - low) + 1, dtype=np.int32)
        earlier = np.int32(0)
        counts[0] = 0
        part, after, edges, found = time[low:high], counts[1:], offsets[begin : end + 1], places[begin:end]
        for j in range(len(part)):
            earlier += np.int32(part[j] < instant)
            after[j] = earlier
        for j in range(len(found)):
            found[j] = edges[j] + counts[np.uint64(edges[j + 1] - low)] - counts[np.uint64(edges[j] - low)]


@kernel((I32, I32, INT64, INT64, U64, FLAG, I32, OUT_I32))
def rows_of(starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, places: Any, rows: Any) -> None:
    """The numbers of the rows in the mask, slice by slice; those of slice i begin at places[i - first]."""
    for i in range(first, last):
        place = places[i - first]
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                rows[place] = row
                place += 1


@kernel((I32, I32, INT64, INT64, U64, FLAG, FLAG, OUT_I32))
def end_rows(starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, at_end: Any, rows: Any) -> None:
    """The first (or last) row of each slice in the mask, -1 where there is none."""
    for i in range(first, last):
        start, stop = starts[i], stops[i]
        found = -1
        if not masked:
            if start < stop:
                found = stop - 1 if at_end else start
        elif at_end:
            for row in range(stop - 1, start - 1, -1):
                if _bit(mask, row):
                    found = row
                    break
        else:
            for row in range(start, stop):
                if _bit(mask, row):
                    found = row
                    break
        rows[i - first] = found


@kernel(
    *((one, I32, I32, I32, INT64, INT64, U64, FLAG, FLAG, OUT_I32) for one in (*WHOLE, F64)),
)
def end_rows_by(
    keys: Any, arrival: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, at_end: Any, rows: Any
) -> None:
    """The row of each slice in the mask with the smallest (or largest) key, -1: none; of equal ones the first (or last) to arrive."""
    for i in range(first, last):
        found = -1
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                if found < 0:
                    found = row
                    continue
                key, best = keys[np.uint64(row)], keys[np.uint64(found)]
                if key == best:
                    later = arrival[np.uint64(row)] > arrival[np.uint64(found)]
                    better = later if at_end else not later
                else:
                    better = key > best if at_end else key < best
                if better:
                    found = row
        rows[i - first] = found


@kernel((I32, I64, OUT_I32))
def sorted_slices(offsets: Any, keys: Any, order: Any) -> None:
    """The places of the rows of each slice by ascending key; equal keys keep their order.

    Runs of 32 rows are sorted by insertion, then merged two by two.
    """
    buffer = np.empty(64, dtype=np.int32)
    for i in range(len(offsets) - 1):
        start: Any = np.int64(offsets[i])
        stop: Any = np.int64(offsets[i + 1])
        for begin in range(start, stop, 32):
            for row in range(begin, min(begin + 32, stop)):
                key = keys[row]
                place = row
                while place > begin and keys[order[place - 1]] > key:
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = row
        if stop - start > len(buffer):
            buffer = np.empty(2 * (stop - start), dtype=np.int32)
        width = 32
        while width < stop - start:
            for begin in range(start, stop, 2 * width):
                middle, end = min(begin + width, stop), min(begin + 2 * width, stop)
                left, right = begin, middle
                for place in range(begin, end):
                    if left < middle and (right >= end or keys[order[left]] <= keys[order[right]]):
                        buffer[place - start] = order[left]
                        left += 1
                    else:
                        buffer[place - start] = order[right]
                        right += 1
            for place in range(start, stop):
                order[place] = buffer[place - start]
            width *= 2


@kernel((I32, I32, I64, INT64, OUT_I32, OUT_I32))
def sliding_slices(group_starts: Any, group_stops: Any, times: Any, length: Any, starts: Any, stops: Any) -> None:
    """For each row, the rows of its group in the window `(t - length, t]`; times ascend within a group."""
    for group in range(len(group_starts)):
        low = group_starts[group]
        high = low
        for row in range(group_starts[group], group_stops[group]):
            while times[row] - times[low] >= length:
                low += 1
            if high <= row:
                high = row + 1
            while high < group_stops[group] and times[high] == times[row]:
                high += 1
            starts[row] = low
            stops[row] = high
