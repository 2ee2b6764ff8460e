"""One number for each slice of rows: counts, sums, extremes, how many different values."""

from __future__ import annotations

from typing import Any

import numpy as np

from kohort.index.compiled import F64, FLAG, I32, INT64, OUT_F64, OUT_I32, OUT_I64, U64, WHOLE, helper, kernel

_TOGETHER = 1024
_SOME_ROWS = 1 << 14
_FEW_OF = 16


@helper
def _bit(words: Any, place: Any) -> Any:
    return (words[np.uint64(place >> 6)] >> np.uint64(place & 63)) & np.uint64(1)


@helper
def _popcount(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel((U64, U64, OUT_I64))
def count_common(one: Any, other: Any, found: Any) -> None:
    """found[0]: how many bits are set in both."""
    both = np.uint64(0)
    for word in range(len(one)):
        both += _popcount(one[word] & other[word])
    found[0] = np.int64(both)


@kernel((I32, I32, INT64, INT64, U64, OUT_I32))
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


@helper
def _spans(starts: Any, stops: Any, first: Any, last: Any) -> Any:
    """(the first row, the end of the last, how many rows) of some slices in ascending order."""
    rows = np.int64(0)
    for i in range(first, last):
        rows += np.int64(stops[i]) - np.int64(starts[i])
    return np.int64(starts[first]), np.int64(stops[last - 1]), rows


@helper
def _differences(
    part: Any, mask: Any, masked: Any, low: Any, begins: Any, ends: Any, running: Any, kept: Any, totals: Any, counts: Any
) -> Any:
    """Totals and counts of slices from sums that run along all the rows of `part`, the first of which is row `low`.

    A short loop for each slice would be slower, because its length is not to be foreseen. Sums may wrap around; differences are
    exact all the same.
    """
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
    for j in range(len(begins)):
        start, stop = np.uint64(begins[j] - low), np.uint64(ends[j] - low)
        totals[j] = running[stop] - running[start]
        counts[j] = kept[stop] - kept[start] if masked else np.int64(stop - start)


@kernel(*((one, I32, I32, INT64, INT64, U64, FLAG, OUT_I64, OUT_I64) for one in WHOLE))
def sums(values: Any, starts: Any, stops: Any, first: Any, last: Any, mask: Any, masked: Any, totals: Any, counts: Any) -> None:
    """Sum and number of the values; slices ascend. Where most rows count, from running sums, else slice by slice."""
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
        _differences(
            values[low:high],
            mask,
            masked,
            low,
            starts[begin:end],
            stops[begin:end],
            running,
            kept,
            totals[begin - first :],
            counts[begin - first :],
        )


@helper
def _millionth(value: Any) -> Any:
    scaled = value * 1e6
    whole = np.trunc(scaled)
    return whole + (np.copysign(1.0, scaled) if abs(scaled - whole) >= 0.5 else 0.0)


@kernel((F64, I32, I32, INT64, INT64, U64, FLAG, OUT_I64, OUT_I64))
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
        _differences(
            rounded[: len(part)],
            mask,
            masked,
            low,
            starts[begin:end],
            stops[begin:end],
            running,
            kept,
            totals[begin - first :],
            counts[begin - first :],
        )


@kernel(
    *((one, I32, I32, INT64, INT64, U64, FLAG, FLAG, OUT_I64, OUT_I64) for one in WHOLE),
    (F64, I32, I32, INT64, INT64, U64, FLAG, FLAG, OUT_F64, OUT_I64),
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


@kernel(*((one, I32, I32, INT64, INT64, U64, FLAG, OUT_I32) for one in WHOLE[1:]))
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


@kernel(*((one, I32, I32, INT64, INT64, U64, FLAG, INT64, INT64, OUT_I32) for one in WHOLE[:2]))
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
