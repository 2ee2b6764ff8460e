"""Groups, windows and chains of events, tested where the rows lie: as bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from kohort.index.compiled import FLAG, I8, I32, I64, INT64, OUT_U8, OUT_U64, U64, WHOLE, helper, kernel

_INT64_MAX = 2**63 - 1


@helper
def _bit(words: Any, place: Any) -> Any:
    return (words[np.uint64(place >> 6)] >> np.uint64(place & 63)) & np.uint64(1)


@helper
def _mark(out: Any, place: Any, found: Any) -> Any:
    """Writes one bit; places come one after the other from 0 on."""
    if place & 63 == 0:
        out[place >> 6] = np.uint64(0)
    out[place >> 6] |= np.uint64(found) << np.uint64(place & 63)


@helper
def _inside(value: Any, lows: Any, highs: Any) -> Any:
    found = False
    for k in range(len(lows)):
        found |= (value >= lows[k]) & (value <= highs[k])
    return found


@kernel((I8, I32, I32, INT64, INT64, U64, FLAG, I64, I64, OUT_U64))
def group_counts(
    codes: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, lows: Any, highs: Any, out: Any
) -> None:
    """Slices with so many rows of one code (null, -1, is a code like others), in some of the intervals, which ascend; at least one."""
    counts = np.zeros(129, dtype=np.int64)
    for i in range(first, last):
        found = False
        if np.int64(stops[i]) - np.int64(starts[i]) < lows[0]:
            _mark(out, i - first, False)
            continue
        for row in range(starts[i], stops[i]):
            if not masked or _bit(mask, row):
                counts[np.uint64(np.int64(codes[np.uint64(row)]) + 1)] += 1
        for row in range(starts[i], stops[i]):
            place = np.uint64(np.int64(codes[np.uint64(row)]) + 1)
            if counts[place] > 0:
                found |= _inside(counts[place], lows, highs)
                counts[place] = 0
        _mark(out, i - first, found)


@kernel(*((one, I8, I32, I32, INT64, INT64, U64, FLAG, I64, I64, OUT_U64) for one in WHOLE))
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
        _mark(out, i - first, found)


@kernel((I64, I32, I32, INT64, INT64, U64, FLAG, INT64, I64, I64, FLAG, OUT_U64))
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
    if not masked and len(lows) == 1 and lows[0] >= 1 and highs[0] == _INT64_MAX:
        before = lows[0] - 1
        for i in range(first, last):
            found = empty and starts[i] == stops[i]
            for row in range(np.int64(starts[i]) + before, np.int64(stops[i])):
                found |= time[np.uint64(row)] - time[np.uint64(row - before)] < length
            _mark(out, i - first, found)
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
        _mark(out, i - first, found)


@kernel((I64, I32, I32, U64, FLAG, I64, I32, I32, U64, FLAG, INT64, INT64, INT64, FLAG, OUT_U8, FLAG, OUT_U64))
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
            _mark(out, i, found)
