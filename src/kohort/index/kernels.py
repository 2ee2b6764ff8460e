"""The compiled loops over an index: tests of columns, and aggregates over slices of rows.

A slice is `starts[i]:stops[i]` of some rows; a mask has one bit per row (uint64 words, lowest bit first) and counts only when
`masked`. Results stand at i - first. Bits are written into whole words: ranges begin at multiples of 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from kohort.index.compiled import FLAG, INT64, array, helper, kernel, output

_I64, _I32, _I8, _F64, _U64, _U8 = (array(one) for one in (types.int64, types.int32, types.int8, types.float64, types.uint64, types.uint8))
_OUT_I64, _OUT_F64, _OUT_U64, _OUT_U8 = (output(one) for one in (types.int64, types.float64, types.uint64, types.uint8))

ONE = np.uint64(1)


@helper
def _bit(words: Any, place: Any) -> Any:
    return (words[place >> 6] >> np.uint64(place & 63)) & np.uint64(1)


@helper
def _popcount(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


# --- tests ------------------------------------------------------------------------------------------------------


@kernel((_I64, INT64, INT64, _I64, _I64, _OUT_U64), (_F64, INT64, INT64, _F64, _F64, _OUT_U64))
def within(values: Any, first: Any, last: Any, lows: Any, highs: Any, out: Any) -> None:
    """Values in some interval lows[k] <= value <= highs[k]; the intervals are disjoint and ascending, at least one."""
    word = 0
    place = first
    if len(lows) == 1:
        low, high = lows[0], highs[0]
        while place < last:
            end = min(place + 64, last)
            bits = np.uint64(0)
            for j in range(place, end):
                bits |= np.uint64((values[j] >= low) & (values[j] <= high)) << np.uint64(j - place)
            out[word] = bits
            word += 1
            place = end
        return
    while place < last:
        end = min(place + 64, last)
        bits = np.uint64(0)
        for j in range(place, end):
            value = values[j]
            bottom, top = 0, len(highs)
            while bottom < top:
                middle = (bottom + top) >> 1
                if highs[middle] < value:
                    bottom = middle + 1
                else:
                    top = middle
            if bottom < len(lows) and lows[bottom] <= value:
                bits |= np.uint64(1) << np.uint64(j - place)
        out[word] = bits
        word += 1
        place = end


@kernel((_I32, INT64, INT64, _U8, _OUT_U64), (_I8, INT64, INT64, _U8, _OUT_U64), (_I64, INT64, INT64, _U8, _OUT_U64))
def looked_up(codes: Any, first: Any, last: Any, table: Any, out: Any) -> None:
    """Codes whose entry of the table, code + 1, is 1."""
    word = 0
    place = first
    while place < last:
        end = min(place + 64, last)
        bits = np.uint64(0)
        for j in range(place, end):
            bits |= np.uint64(table[np.int64(codes[j]) + 1]) << np.uint64(j - place)
        out[word] = bits
        word += 1
        place = end


@kernel((_I64, _I64, INT64, _I64, _I64, _I64, _I64, _OUT_U64))
def averages_within(totals: Any, counts: Any, factor: Any, lows: Any, low_steps: Any, highs: Any, high_steps: Any, out: Any) -> None:
    """Averages in some interval: lows[k] * count + low_steps[k] <= total * factor <= highs[k] * count + high_steps[k]."""
    for i in range(len(totals)):
        if i & 63 == 0:
            out[i >> 6] = np.uint64(0)
        total, count = totals[i] * factor, counts[i]
        for k in range(len(lows)):
            if lows[k] * count + low_steps[k] <= total <= highs[k] * count + high_steps[k]:
                out[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
                break


# --- which rows -------------------------------------------------------------------------------------------------


@kernel((_I64, _I64, INT64, INT64, INT64, _OUT_I64))
def not_before(offsets: Any, time: Any, first: Any, last: Any, instant: Any, places: Any) -> None:
    """For each profile the first row at or after an instant, else the end: rows are in order of time.

    Most instants asked for are recent: the last few rows are looked at one by one, the others by halves.
    """
    for i in range(first, last):
        low, high = offsets[i], offsets[i + 1]
        near = max(low, high - 6)
        while high > near and time[high - 1] >= instant:
            high -= 1
        if high == near:
            while low < high:
                middle = (low + high) >> 1
                if time[middle] < instant:
                    low = middle + 1
                else:
                    high = middle
        places[i] = high


@kernel((_I64, _I64, INT64, INT64, _U64, FLAG, _I64, _OUT_I64))
def rows_of(starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, places: Any, rows: Any) -> None:
    """The numbers of the rows in the mask, slice by slice; those of slice i begin at places[i - first]."""
    for i in range(first, last):
        place = places[i - first]
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                rows[place] = row
                place += 1


# --- aggregates -------------------------------------------------------------------------------------------------


@kernel((_I64, _I64, INT64, INT64, _U64, _OUT_I64))
def count_bits(starts: Any, stops: Any, first: Any, last: Any, mask: Any, counts: Any) -> None:
    """How many rows of each slice are in the mask."""
    for i in range(first, last):
        start, stop = starts[i], stops[i]
        found = 0
        if start < stop:
            low, high = start >> 6, (stop - 1) >> 6
            head = np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(start & 63)
            tail = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - ((stop - 1) & 63))
            if low == high:
                found = _popcount(mask[low] & head & tail)
            else:
                found = _popcount(mask[low] & head) + _popcount(mask[high] & tail)
                for word in range(low + 1, high):
                    found += _popcount(mask[word])
        counts[i - first] = found


@kernel((_I64, _I64, _I64, INT64, INT64, _U64, FLAG, _OUT_I64, _OUT_I64))
def sums(values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, totals: Any, counts: Any) -> None:
    """Sum and number of the values."""
    for i in range(first, last):
        start, stop = starts[i], stops[i]
        total, count = np.int64(0), np.int64(0)
        if masked:
            for row in range(start, stop):
                if _bit(mask, row):
                    total += values[row]
                    count += 1
        else:
            for row in range(start, stop):
                total += values[row]
            count = stop - start
        totals[i - first] = total
        counts[i - first] = count


@kernel((_F64, _I64, _I64, INT64, INT64, _U64, FLAG, _OUT_I64, _OUT_I64))
def millionths(values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, totals: Any, counts: Any) -> None:
    """Sum, in whole millionths, and number of the values; each is rounded first, ties away from zero."""
    for i in range(first, last):
        total, count = np.int64(0), np.int64(0)
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                scaled = values[row] * 1e6
                whole = np.trunc(scaled)
                if abs(scaled - whole) >= 0.5:
                    whole += np.copysign(1.0, scaled)
                total += np.int64(whole)
                count += 1
        totals[i - first] = total
        counts[i - first] = count


@kernel(
    (_I64, _I64, _I64, INT64, INT64, _U64, FLAG, FLAG, _OUT_I64, _OUT_I64),
    (_I32, _I64, _I64, INT64, INT64, _U64, FLAG, FLAG, _OUT_I64, _OUT_I64),
    (_I8, _I64, _I64, INT64, INT64, _U64, FLAG, FLAG, _OUT_I64, _OUT_I64),
    (_F64, _I64, _I64, INT64, INT64, _U64, FLAG, FLAG, _OUT_F64, _OUT_I64),
)
def extremes(
    values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, largest: Any, found: Any, counts: Any
) -> None:
    """The smallest (or largest) value; counts: 0 where there is none, else 1."""
    for i in range(first, last):
        count = np.int64(0)
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                value = values[row]
                if count == 0 or (value > found[i - first] if largest else value < found[i - first]):
                    found[i - first] = value
                count = np.int64(1)
        counts[i - first] = count


@kernel((_I64, _I64, INT64, INT64, _U64, FLAG, FLAG, _OUT_I64))
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
    (_I64, _I64, _I64, INT64, INT64, _U64, FLAG, _OUT_I64),
    (_I32, _I64, _I64, INT64, INT64, _U64, FLAG, _OUT_I64),
)
def distinct(keys: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, counts: Any) -> None:
    """How many different keys."""
    buffer = np.empty(64, dtype=keys.dtype)
    for i in range(first, last):
        size = 0
        if stops[i] - starts[i] > len(buffer):
            buffer = np.empty(2 * (stops[i] - starts[i]), dtype=keys.dtype)
        if stops[i] - starts[i] <= 32:
            for row in range(starts[i], stops[i]):
                if not masked or _bit(mask, row):
                    key = keys[row]
                    known = False
                    for j in range(size):
                        if buffer[j] == key:
                            known = True
                            break
                    if not known:
                        buffer[size] = key
                        size += 1
            counts[i - first] = size
            continue
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                buffer[size] = keys[row]
                size += 1
        part = buffer[:size]
        part.sort()
        count = 0
        for j in range(size):
            if j == 0 or part[j] != part[j - 1]:
                count += 1
        counts[i - first] = count


# --- rows taken out: order, groups, windows, chains -------------------------------------------------------------


@kernel((_I64, _I64, _OUT_I64))
def sorted_slices(offsets: Any, keys: Any, order: Any) -> None:
    """The places of the rows of each slice by ascending key; equal keys keep their order."""
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        if stop - start > 48:
            part = np.argsort(keys[start:stop], kind="mergesort")
            for j in range(len(part)):
                order[start + j] = part[j] + start
            continue
        for row in range(start, stop):
            key = keys[row]
            place = row
            while place > start and keys[order[place - 1]] > key:
                order[place] = order[place - 1]
                place -= 1
            order[place] = row


@kernel((_I64, _I64, _I64, INT64, _OUT_I64, _OUT_I64))
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


@kernel((_I64, _I64, _I64, _I64, INT64, FLAG, _OUT_U8))
def followers(before_offsets: Any, before_times: Any, offsets: Any, times: Any, reach: Any, bounded: Any, follows: Any) -> None:
    """Rows that come strictly later than some row of the step before, by at most `reach` when bounded."""
    for i in range(len(offsets) - 1):
        place = before_offsets[i]
        end = before_offsets[i + 1]
        for row in range(offsets[i], offsets[i + 1]):
            while place < end and before_times[place] < times[row]:
                place += 1
            near = place > before_offsets[i] and (not bounded or times[row] - before_times[place - 1] <= reach)
            follows[row] = near
