# mypy: disallow-untyped-calls=False
"""Compiled loops of a build: rows that come in any order are placed by ordinal, time and arrival; texts are put in order.

Loaded (or compiled) when first called; evaluations do without them.
"""

from __future__ import annotations

from numba import types

from kohort.index.compiled import INT64, Kernel, array, helper, output

_I8, _I32, _U8, _U64 = types.int8, types.int32, types.uint8, types.uint64
_SHORT = 24


def _tally(ordinals, counts):  # type: ignore[no-untyped-def]
    """counts[o + 1] += rows of ordinal o."""
    for place in range(len(ordinals)):
        counts[ordinals[place] + 1] += 1


def _place(ordinals, times, arrivals, cursor, placed_times, placed_arrivals, order):  # type: ignore[no-untyped-def]
    """Put every row where its ordinal's slice has room; order[p]: the row that came to place p. cursor: where each slice begins."""
    for row in range(len(ordinals)):
        place = cursor[ordinals[row]]
        cursor[ordinals[row]] = place + 1
        placed_times[place] = times[row]
        placed_arrivals[place] = arrivals[row]
        order[place] = row


@helper
def _before(time, arrival, other_time, other_arrival):  # type: ignore[no-untyped-def]
    return time < other_time or (time == other_time and arrival < other_arrival)


@helper
def _insert(times, arrivals, order, start, stop):  # type: ignore[no-untyped-def]
    for place in range(start + 1, stop):
        time, arrival, row = times[place], arrivals[place], order[place]
        free = place
        while free > start and _before(time, arrival, times[free - 1], arrivals[free - 1]):
            times[free], arrivals[free], order[free] = times[free - 1], arrivals[free - 1], order[free - 1]
            free -= 1
        times[free], arrivals[free], order[free] = time, arrival, row


def _sort_slices(times, arrivals, order, offsets, spare_times, spare_arrivals, spare_order):  # type: ignore[no-untyped-def]
    """Sort the rows of each ordinal by (time, arrival). spare_*: room for the longest slice."""
    for ordinal in range(len(offsets) - 1):
        start, stop = offsets[ordinal], offsets[ordinal + 1]
        in_order = True
        for place in range(start + 1, stop):
            if _before(times[place], arrivals[place], times[place - 1], arrivals[place - 1]):
                in_order = False
                break
        if in_order:
            continue
        for low in range(start, stop, _SHORT):
            _insert(times, arrivals, order, low, min(low + _SHORT, stop))
        width = _SHORT
        while width < stop - start:
            low = start
            while low + width < stop:
                middle, high = low + width, min(low + 2 * width, stop)
                if _before(times[middle], arrivals[middle], times[middle - 1], arrivals[middle - 1]):
                    count = middle - low
                    for place in range(count):
                        spare_times[place] = times[low + place]
                        spare_arrivals[place] = arrivals[low + place]
                        spare_order[place] = order[low + place]
                    left, right, place = 0, middle, low
                    while left < count:
                        if right < high and _before(times[right], arrivals[right], spare_times[left], spare_arrivals[left]):
                            times[place], arrivals[place], order[place] = times[right], arrivals[right], order[right]
                            right += 1
                        else:
                            times[place], arrivals[place], order[place] = spare_times[left], spare_arrivals[left], spare_order[left]
                            left += 1
                        place += 1
                low += 2 * width
            width *= 2


def _prefixes(offsets, data, skip, keys):  # type: ignore[no-untyped-def]
    """keys[i]: the 8 bytes of text i after the first `skip`, most significant first; 0 beyond its end."""
    for text in range(len(keys)):
        key, start, stop = 0, offsets[text] + skip[0], offsets[text + 1]
        for place in range(8):
            byte = 0
            if start + place < stop:
                byte = types.int64(data[start + place])
            key = (key << 8) | byte
        keys[text] = types.uint64(key)


def _common(offsets, data, found):  # type: ignore[no-untyped-def]
    """found[0]: how many bytes all texts begin with."""
    common = offsets[1] - offsets[0]
    first = offsets[0]
    for text in range(1, len(offsets) - 1):
        start = offsets[text]
        common = min(common, offsets[text + 1] - start)
        for place in range(common):
            if data[first + place] != data[start + place]:
                common = place
                break
        if common == 0:
            break
    found[0] = common


@helper
def _compared(offsets, data, one, other):  # type: ignore[no-untyped-def]
    """Below 0, 0 or above 0, as text `one` comes before, is, or comes after `other`."""
    start, second = offsets[one], offsets[other]
    length, other_length = offsets[one + 1] - start, offsets[other + 1] - second
    for place in range(min(length, other_length)):
        if data[start + place] != data[second + place]:
            return types.int64(data[start + place]) - types.int64(data[second + place])
    return length - other_length


def _settle(offsets, data, keys, order, spare, new):  # type: ignore[no-untyped-def]
    """Sort the texts whose keys are equal; new[p]: 1 where the text at place p is not the one before. keys: by text."""
    count, start = len(order), 0
    while start < count:
        stop = start + 1
        while stop < count and keys[order[stop]] == keys[order[start]]:
            stop += 1
        width = 1
        while width < stop - start:
            low = start
            while low + width < stop:
                middle, high = low + width, min(low + 2 * width, stop)
                if _compared(offsets, data, order[middle], order[middle - 1]) < 0:
                    for place in range(middle - low):
                        spare[place] = order[low + place]
                    left, right, place = 0, middle, low
                    while left < middle - low:
                        if right < high and _compared(offsets, data, order[right], spare[left]) < 0:
                            order[place] = order[right]
                            right += 1
                        else:
                            order[place] = spare[left]
                            left += 1
                        place += 1
                low += 2 * width
            width *= 2
        new[start] = 1
        for place in range(start + 1, stop):
            new[place] = 1 if _compared(offsets, data, order[place - 1], order[place]) != 0 else 0
        start = stop


tally = Kernel(_tally, ((array(_I32), output(_I32)),), 1)
place = Kernel(_place, ((array(_I32), array(INT64), array(INT64), output(_I32), output(INT64), output(INT64), output(_I32)),), 1)
sort_slices = Kernel(
    _sort_slices, ((output(INT64), output(INT64), output(_I32), array(_I32), output(INT64), output(INT64), output(_I32)),), 1
)
common_prefix = Kernel(_common, ((array(INT64), array(_U8), output(INT64)),), 1)
prefixes = Kernel(_prefixes, ((array(INT64), array(_U8), array(INT64), output(_U64)),), 1)
settle = Kernel(_settle, ((array(INT64), array(_U8), array(_U64), output(INT64), output(INT64), output(_I8)),), 1)
