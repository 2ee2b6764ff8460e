"""The compiled loops over an index: tests of columns, and aggregates over slices of rows.

An index that might be negative is looked at twice, and no loop with one is done many at a time: hot loops count from 0 over a part of
an array, or index with what has no sign.

A slice is `starts[i]:stops[i]` of some rows (int32); a mask has one bit per row (uint64 words, lowest bit first) and counts only when
`masked`. Results stand at i - first. Bits are written into whole words: ranges begin at multiples of 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from kohort.index.compiled import FLAG, INT64, WHOLE, array, helper, kernel, output

_I64, _I32, _I8, _F64, _U64, _U8 = (array(one) for one in (types.int64, types.int32, types.int8, types.float64, types.uint64, types.uint8))
_OUT_I64, _OUT_I32, _OUT_F64 = (output(one) for one in (types.int64, types.int32, types.float64))
_OUT_U64, _OUT_U8 = (output(one) for one in (types.uint64, types.uint8))
_WHOLE = tuple(map(array, WHOLE))

INT64_MAX = 2**63 - 1


@helper
def _bit(words: Any, place: Any) -> Any:
    return (words[np.uint64(place >> 6)] >> np.uint64(place & 63)) & np.uint64(1)


@helper
def _popcount(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@helper
def _inside(value: Any, lows: Any, highs: Any) -> Any:
    found = False
    for k in range(len(lows)):
        found |= (value >= lows[k]) & (value <= highs[k])
    return found


# --- tests ------------------------------------------------------------------------------------------------------


_CHUNK = 4096
_BYTES_TO_BITS = np.uint64(0x0102040810204080)


@helper
def _pack(flags: Any, count: Any, out: Any, word: Any) -> Any:
    """Writes flags (0 or 1, eight to a word) as bits, from a word of `out` on; up to 63 flags after the last are cleared."""
    for j in range(count, -(-count // 64) * 64):
        flags.view(np.uint8)[j] = 0
    for k in range(-(-count // 64)):
        bits = np.uint64(0)
        for j in range(8):
            bits |= ((flags[8 * k + j] * _BYTES_TO_BITS) >> np.uint64(56)) << np.uint64(8 * j)
        out[word + k] = bits


@kernel(*((one, INT64, INT64, one, one, _OUT_U64) for one in (*_WHOLE, _F64)))
def within(values: Any, first: Any, last: Any, lows: Any, highs: Any, out: Any) -> None:
    """Values in some interval lows[k] <= value <= highs[k]; the intervals are disjoint and ascending, at least one.

    Flags first and bits after them: so the comparisons are done many at a time.
    """
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        part = values[begin : min(begin + _CHUNK, last)]
        if len(lows) <= 4:
            low, high = lows[0], highs[0]
            for j in range(len(part)):
                flags[j] = np.uint8(part[j] >= low) & np.uint8(part[j] <= high)
            for k in range(1, len(lows)):
                low, high = lows[k], highs[k]
                for j in range(len(part)):
                    flags[j] |= np.uint8(part[j] >= low) & np.uint8(part[j] <= high)
        else:
            for j in range(len(part)):
                bottom, top = 0, len(highs)
                while bottom < top:
                    middle = (bottom + top) >> 1
                    if highs[middle] < part[j]:
                        bottom = middle + 1
                    else:
                        top = middle
                flags[j] = np.uint8(bottom < len(lows) and lows[bottom] <= part[j])
        _pack(words, len(part), out, (begin - first) >> 6)


@kernel(*((one, INT64, INT64, _U8, _OUT_U64) for one in _WHOLE))
def looked_up(codes: Any, first: Any, last: Any, table: Any, out: Any) -> None:
    """Codes whose entry of the table, code + 1, is 1."""
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        part = codes[begin : min(begin + _CHUNK, last)]
        for j in range(len(part)):
            flags[j] = table[np.uint64(np.int64(part[j]) + 1)]
        _pack(words, len(part), out, (begin - first) >> 6)


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


_TOGETHER = 1024
_SOME_ROWS = 1 << 14
_MANY_ROWS = 48
_FEW_OF = 16


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


# --- which rows -------------------------------------------------------------------------------------------------


@kernel((_I64, _I32, INT64, INT64, INT64, _OUT_I32))
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


@kernel((_I64, _I32, _I32, INT64, INT64, FLAG, INT64, INT64, _OUT_U64))
def edge_within(time: Any, starts: Any, stops: Any, first: Any, last: Any, at_end: Any, low: Any, high: Any, out: Any) -> None:
    """Slices whose first (or last) row is at low <= time <= high; time: not empty."""
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        end = min(begin + _CHUNK, last)
        begins, ends = starts[begin:end], stops[begin:end]
        for j in range(len(begins)):
            there = begins[j] < ends[j]
            place = np.int64(ends[j]) - 1 if at_end else np.int64(begins[j])
            instant = time[np.uint64(place if there else 0)]
            flags[j] = np.uint8(there) & np.uint8(instant >= low) & np.uint8(instant <= high)
        _pack(words, len(begins), out, (begin - first) >> 6)


@kernel((_I64, _I32, _I32, INT64, INT64, INT64, INT64, _OUT_U64))
def at_least(time: Any, starts: Any, stops: Any, first: Any, last: Any, number: Any, instant: Any, out: Any) -> None:
    """Slices in which so many rows (at least 1) are at or after an instant; time: not empty."""
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        end = min(begin + _CHUNK, last)
        begins, ends = starts[begin:end], stops[begin:end]
        for j in range(len(begins)):
            place = np.int64(ends[j]) - number
            there = place >= begins[j]
            flags[j] = np.uint8(there) & np.uint8(time[np.uint64(place if there else 0)] >= instant)
        _pack(words, len(begins), out, (begin - first) >> 6)


@kernel((_I32, _I32, INT64, INT64, _U64, FLAG, _I32, _OUT_I32))
def rows_of(starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, places: Any, rows: Any) -> None:
    """The numbers of the rows in the mask, slice by slice; those of slice i begin at places[i - first]."""
    for i in range(first, last):
        place = places[i - first]
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                rows[place] = row
                place += 1


# --- aggregates -------------------------------------------------------------------------------------------------


@kernel((_I32, _I32, INT64, INT64, _U64, _OUT_I32))
def count_bits(starts: Any, stops: Any, first: Any, last: Any, mask: Any, counts: Any) -> None:
    """How many rows of each slice are in the mask."""
    begins, ends = starts[first:last], stops[first:last]
    for j in range(len(begins)):
        start, stop = np.int64(begins[j]), np.int64(ends[j])
        found = 0
        if start < stop:
            low, high = np.uint64(start >> 6), np.uint64((stop - 1) >> 6)
            head = np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(start & 63)
            tail = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - ((stop - 1) & 63))
            if low == high:
                found = _popcount(mask[low] & head & tail)
            else:
                found = _popcount(mask[low] & head) + _popcount(mask[high] & tail)
                for word in range((start >> 6) + 1, (stop - 1) >> 6):
                    found += _popcount(mask[np.uint64(word)])
        counts[j] = found


@kernel((_I32, _I32, INT64, INT64, _U64, _OUT_U64))
def any_bits(starts: Any, stops: Any, first: Any, last: Any, mask: Any, out: Any) -> None:
    """Slices with a row in the mask."""
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        end = min(begin + _CHUNK, last)
        begins, ends = starts[begin:end], stops[begin:end]
        for j in range(len(begins)):
            start, stop = np.int64(begins[j]), np.int64(ends[j])
            there = start < stop
            head = np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(start & 63)
            tail = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(-stop & 63)
            low, high = (start if there else 0) >> 6, (stop - 1 if there else 0) >> 6
            same = low == high
            found = mask[np.uint64(low)] & head & (tail if same else head)
            found |= mask[np.uint64(high)] & tail & (head if same else tail)
            for between in range(low + 1, high):
                found |= mask[np.uint64(between)]
            flags[j] = np.uint8(found != 0) & np.uint8(there)
        _pack(words, len(begins), out, (begin - first) >> 6)


@helper
def _spans(starts: Any, stops: Any, first: Any, last: Any) -> Any:
    """(the first row, the end of the last, how many rows) of some slices in ascending order."""
    rows = np.int64(0)
    for i in range(first, last):
        rows += np.int64(stops[i]) - np.int64(starts[i])
    return np.int64(starts[first]), np.int64(stops[last - 1]), rows


@kernel(*((one, _I32, _I32, INT64, INT64, _U64, FLAG, _OUT_I64, _OUT_I64) for one in _WHOLE))
def sums(values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, totals: Any, counts: Any) -> None:
    """Sum and number of the values; slices ascend.

    Where most rows count, running sums go along all of them and a slice is a difference: a short loop for each slice would be
    slower, because its length is not to be foreseen. Running sums may wrap around; differences are exact all the same.
    """
    running = np.empty(_SOME_ROWS, dtype=np.int64)
    kept = np.empty(_SOME_ROWS, dtype=np.int64)
    for begin in range(first, last, _TOGETHER):
        end = min(begin + _TOGETHER, last)
        low, high, rows = _spans(starts, stops, begin, end)
        if high - low > _FEW_OF * rows:
            for i in range(begin, end):
                total, count = np.int64(0), np.int64(0)
                for row in range(starts[i], stops[i]):
                    bit = np.int64(_bit(mask, row)) if masked else np.int64(1)
                    total += np.int64(values[np.uint64(row)]) * bit
                    count += bit
                totals[i - first] = total
                counts[i - first] = count
            continue
        if high - low >= len(running):
            running = np.empty(2 * (high - low) + 1, dtype=np.int64)
            kept = np.empty(2 * (high - low) + 1, dtype=np.int64)
        part = values[low:high]
        total, count = np.int64(0), np.int64(0)
        running[0], kept[0] = 0, 0
        if masked:
            for j in range(len(part)):
                bit = np.int64(_bit(mask, low + j))
                total += np.int64(part[j]) * bit
                count += bit
                running[j + 1] = total
                kept[j + 1] = count
        else:
            for j in range(len(part)):
                total += np.int64(part[j])
                running[j + 1] = total
        begins, ends = starts[begin:end], stops[begin:end]
        found, of = totals[begin - first :], counts[begin - first :]
        for j in range(len(begins)):
            start, stop = np.uint64(begins[j] - low), np.uint64(ends[j] - low)
            found[j] = running[stop] - running[start]
            of[j] = kept[stop] - kept[start] if masked else np.int64(stop - start)


@helper
def _millionth(value: Any) -> Any:
    scaled = value * 1e6
    whole = np.trunc(scaled)
    return whole + (np.copysign(1.0, scaled) if abs(scaled - whole) >= 0.5 else 0.0)


@kernel((_F64, _I32, _I32, INT64, INT64, _U64, FLAG, _OUT_I64, _OUT_I64))
def millionths(values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, totals: Any, counts: Any) -> None:
    """Sum, in whole millionths, and number of the values; each is rounded first, ties away from zero. As `sums`."""
    rounded = np.empty(_SOME_ROWS, dtype=np.float64)
    running = np.empty(_SOME_ROWS, dtype=np.int64)
    kept = np.empty(_SOME_ROWS, dtype=np.int64)
    for begin in range(first, last, _TOGETHER):
        end = min(begin + _TOGETHER, last)
        low, high, rows = _spans(starts, stops, begin, end)
        if high - low > _FEW_OF * rows:
            for i in range(begin, end):
                total, count = np.int64(0), np.int64(0)
                for row in range(starts[i], stops[i]):
                    if not masked or _bit(mask, row):
                        total += np.int64(_millionth(values[np.uint64(row)]))
                        count += 1
                totals[i - first] = total
                counts[i - first] = count
            continue
        if high - low >= len(running):
            running = np.empty(2 * (high - low) + 1, dtype=np.int64)
            kept = np.empty(2 * (high - low) + 1, dtype=np.int64)
            rounded = np.empty(2 * (high - low) + 1, dtype=np.float64)
        part = values[low:high]
        for j in range(len(part)):
            rounded[j] = _millionth(part[j])
        total, count = np.int64(0), np.int64(0)
        running[0], kept[0] = 0, 0
        for j in range(len(part)):
            bit = np.int64(_bit(mask, low + j)) if masked else np.int64(1)
            total += np.int64(rounded[j]) * bit
            count += bit
            running[j + 1] = total
            kept[j + 1] = count
        begins, ends = starts[begin:end], stops[begin:end]
        found, of = totals[begin - first :], counts[begin - first :]
        for j in range(len(begins)):
            start, stop = np.uint64(begins[j] - low), np.uint64(ends[j] - low)
            found[j] = running[stop] - running[start]
            of[j] = kept[stop] - kept[start]


@kernel(
    *((one, _I32, _I32, INT64, INT64, _U64, FLAG, FLAG, _OUT_I64, _OUT_I64) for one in _WHOLE),
    (_F64, _I32, _I32, INT64, INT64, _U64, FLAG, FLAG, _OUT_F64, _OUT_I64),
)
def extremes(
    values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, largest: Any, found: Any, counts: Any
) -> None:
    """The smallest (or largest) value; counts: 0 where there is none, else 1."""
    for i in range(first, last):
        count = np.int64(0)
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                value = values[np.uint64(row)]
                if count == 0 or (value > found[i - first] if largest else value < found[i - first]):
                    found[i - first] = value
                count = np.int64(1)
        counts[i - first] = count


@kernel((_I32, _I32, INT64, INT64, _U64, FLAG, FLAG, _OUT_I32))
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
    *((one, _I32, _I32, _I32, INT64, INT64, _U64, FLAG, FLAG, _OUT_I32) for one in (*_WHOLE, _F64)),
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


@helper
def _sift(values: Any, root: Any, size: Any) -> Any:
    place, value = root, values[root]
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[place] = values[child]
        place = child
        child = 2 * place + 1
    values[place] = value


@helper
def _sort(values: Any, size: Any) -> Any:
    """Heapsort of the first `size` values, in place: never slow, whatever the order they come in."""
    for begin in range(size // 2 - 1, -1, -1):
        _sift(values, begin, size)
    for end in range(size - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sift(values, 0, end)


@kernel(*((one, _I32, _I32, INT64, INT64, _U64, FLAG, _OUT_I32) for one in _WHOLE[1:]))
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
        _sort(buffer, size)
        count = 0
        for j in range(size):
            if j == 0 or buffer[j] != buffer[j - 1]:
                count += 1
        counts[i - first] = count


@kernel(*((one, _I32, _I32, INT64, INT64, _U64, FLAG, INT64, INT64, _OUT_I32) for one in _WHOLE[:2]))
def distinct_codes(
    codes: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, lowest: Any, words: Any, counts: Any
) -> None:
    """How many different codes, all of them at least `lowest` and below lowest + 64 * words."""
    if words == 1:
        begins, ends = starts[first:last], stops[first:last]
        for i in range(len(begins)):
            start: Any = np.int64(begins[i])
            stop: Any = np.int64(ends[i])
            found = np.uint64(0)
            if start < stop:
                for j in range(4):
                    row = min(start + j, stop - 1)
                    bit = _bit(mask, row) if masked else np.uint64(1)
                    found |= bit << np.uint64((np.int64(codes[np.uint64(row)]) - lowest) & 63)
                for row in range(start + 4, stop):
                    bit = _bit(mask, row) if masked else np.uint64(1)
                    found |= bit << np.uint64((np.int64(codes[np.uint64(row)]) - lowest) & 63)
            counts[i] = _popcount(found)
        return
    seen = np.zeros(words, dtype=np.uint64)
    for i in range(first, last):
        count = np.int64(0)
        for row in range(starts[i], stops[i]):
            place: Any = np.int64(codes[np.uint64(row)]) - lowest
            bit = _bit(mask, row) if masked else np.uint64(1)
            word = (place >> 6) * np.int64(bit)
            bit <<= np.uint64(place & 63)
            count += np.int64((seen[np.uint64(word)] & bit) != bit)
            seen[np.uint64(word)] |= bit
        for row in range(starts[i], stops[i]):
            seen[max((np.int64(codes[np.uint64(row)]) - lowest) >> 6, 0)] = np.uint64(0)
        counts[i - first] = count


# --- groups, windows and chains, in place -----------------------------------------------------------------------


@kernel((_I8, _I32, _I32, INT64, INT64, _U64, FLAG, _I64, _I64, _OUT_U64))
def group_counts(
    codes: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, lows: Any, highs: Any, out: Any
) -> None:
    """Slices with so many rows of one code (null, -1, is a code like others), in some of the intervals, which ascend; at least one."""
    counts = np.zeros(129, dtype=np.int64)
    for i in range(first, last):
        found = False
        if np.int64(stops[i]) - np.int64(starts[i]) < lows[0]:
            if (i - first) & 63 == 0:
                out[(i - first) >> 6] = np.uint64(0)
            continue
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                counts[np.uint64(np.int64(codes[np.uint64(row)]) + 1)] += 1
        for row in range(starts[i], stops[i]):
            place = np.uint64(np.int64(codes[np.uint64(row)]) + 1)
            if counts[place] > 0:
                found |= _inside(counts[place], lows, highs)
                counts[place] = 0
        if (i - first) & 63 == 0:
            out[(i - first) >> 6] = np.uint64(0)
        out[(i - first) >> 6] |= np.uint64(found) << np.uint64((i - first) & 63)


@kernel(*((one, _I8, _I32, _I32, INT64, INT64, _U64, FLAG, _I64, _I64, _OUT_U64) for one in _WHOLE))
def group_sums(
    values: Any, codes: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, lows: Any, highs: Any, out: Any
) -> None:
    """Slices in which the values of one code sum up to within some of the intervals."""
    totals = np.zeros(129, dtype=np.int64)
    there = np.zeros(129, dtype=np.uint8)
    for i in range(first, last):
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                place = np.uint64(np.int64(codes[np.uint64(row)]) + 1)
                totals[place] += np.int64(values[np.uint64(row)])
                there[place] = 1
        found = False
        for row in range(starts[i], stops[i]):
            place = np.uint64(np.int64(codes[np.uint64(row)]) + 1)
            if there[place]:
                found |= _inside(totals[place], lows, highs)
                totals[place] = 0
                there[place] = 0
        if (i - first) & 63 == 0:
            out[(i - first) >> 6] = np.uint64(0)
        out[(i - first) >> 6] |= np.uint64(found) << np.uint64((i - first) & 63)


@kernel((_I64, _I32, _I32, INT64, INT64, _U64, FLAG, INT64, _I64, _I64, FLAG, _OUT_U64))
def sliding_counts(
    time: Any,
    starts: Any,
    stops: Any,
    first: Any,
    last: Any,
    mask: Any,
    masked: Any,
    length: Any,
    lows: Any,
    highs: Any,
    empty: Any,
    out: Any,
) -> None:
    """Slices with a window `(t - length, t]` that ends with one of their rows and whose rows number within some of the intervals.

    empty: what holds for a slice without rows.
    """
    if not masked and len(lows) == 1 and lows[0] >= 1 and highs[0] == INT64_MAX:
        before = lows[0] - 1
        for i in range(first, last):
            found = empty and starts[i] == stops[i]
            for row in range(np.int64(starts[i]) + before, np.int64(stops[i])):
                found |= time[np.uint64(row)] - time[np.uint64(row - before)] < length
            if (i - first) & 63 == 0:
                out[(i - first) >> 6] = np.uint64(0)
            out[(i - first) >> 6] |= np.uint64(found) << np.uint64((i - first) & 63)
        return
    for i in range(first, last):
        stop = np.int64(stops[i])
        low = np.int64(starts[i])
        count, rows = 0, 0
        found = False
        for row in range(starts[i], stops[i]):
            if masked and not _bit(mask, row):
                continue
            rows += 1
            count += 1
            while time[np.uint64(row)] - time[np.uint64(low)] >= length:
                count -= 1 if not masked or _bit(mask, low) else 0
                low += 1
            follower = row + 1
            while masked and follower < stop and not _bit(mask, follower):
                follower += 1
            if follower < stop and time[np.uint64(follower)] == time[np.uint64(row)]:
                continue
            if _inside(count, lows, highs):
                found = True
                break
        if rows == 0:
            found = empty
        if (i - first) & 63 == 0:
            out[(i - first) >> 6] = np.uint64(0)
        out[(i - first) >> 6] |= np.uint64(found) << np.uint64((i - first) & 63)


@kernel((_I64, _I32, _I32, _U64, FLAG, _I64, _I32, _I32, _U64, FLAG, INT64, INT64, INT64, FLAG, _OUT_U8, FLAG, _OUT_U64))
def followers_in_place(
    before_time: Any,
    before_starts: Any,
    before_stops: Any,
    before_mask: Any,
    before_masked: Any,
    time: Any,
    starts: Any,
    stops: Any,
    mask: Any,
    masked: Any,
    first: Any,
    last: Any,
    reach: Any,
    bounded: Any,
    reached: Any,
    is_last: Any,
    out: Any,
) -> None:
    """Rows that come strictly later than some row of the step before, by at most `reach` when bounded.

    Their bytes of `reached` become 1, or, when this is the last step, the bits of `out` say which slices have one.
    """
    begins, ends, before_begins, before_ends = starts[first:last], stops[first:last], before_starts[first:last], before_stops[first:last]
    for i in range(len(begins)):
        begin, stop = np.int64(begins[i]), np.int64(ends[i])
        place, end = np.int64(before_begins[i]), np.int64(before_ends[i])
        found = False
        if place < end and begin < stop and before_time[np.uint64(place)] < time[np.uint64(stop - 1)]:
            nearest = np.int64(-1)
            for row in range(begin, stop):
                if masked and not _bit(mask, row):
                    continue
                instant = time[np.uint64(row)]
                while place < end and before_time[np.uint64(place)] < instant:
                    if not before_masked or _bit(before_mask, place):
                        nearest = place
                    place += 1
                if nearest >= 0 and (not bounded or instant - before_time[np.uint64(nearest)] <= reach):
                    found = True
                    if is_last:
                        break
                    reached[np.uint64(row)] = 1
        if is_last:
            if i & 63 == 0:
                out[i >> 6] = np.uint64(0)
            out[i >> 6] |= np.uint64(found) << np.uint64(i & 63)


# --- rows taken out: order, groups, windows ---------------------------------------------------------------------


@kernel((_I32, _I64, _OUT_I32))
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


@kernel((_I32, _I32, _I64, INT64, _OUT_I32, _OUT_I32))
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
