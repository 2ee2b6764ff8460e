"""Which values, and which slices, pass a test: as bits of whole words, so ranges begin at multiples of 64."""

from __future__ import annotations

from typing import Any

import numpy as np

from kohort.index.compiled import F64, FLAG, I32, I64, INT64, OUT_U64, U8, U64, WHOLE, helper, kernel

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


@kernel(*((one, INT64, INT64, one, one, OUT_U64) for one in (*WHOLE, F64)))
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


@kernel(*((one, INT64, INT64, U8, OUT_U64) for one in WHOLE))
def looked_up(codes: Any, first: Any, last: Any, table: Any, out: Any) -> None:
    """Codes whose entry of the table, code + 1, is 1."""
    words = np.empty(_CHUNK // 8, dtype=np.uint64)
    flags = words.view(np.uint8)
    for begin in range(first, last, _CHUNK):
        part = codes[begin : min(begin + _CHUNK, last)]
        for j in range(len(part)):
            flags[j] = table[np.uint64(np.int64(part[j]) + 1)]
        _pack(words, len(part), out, (begin - first) >> 6)


@kernel((I64, I64, INT64, I64, I64, I64, I64, OUT_U64))
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


@kernel((I64, I32, I32, INT64, INT64, FLAG, INT64, INT64, OUT_U64))
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


@kernel((I64, I32, I32, INT64, INT64, INT64, INT64, OUT_U64))
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


@kernel((I32, I32, INT64, INT64, U64, OUT_U64))
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
