# mypy: disallow-untyped-calls=False
"""The ordinals of keys: one table of hashes over all keys, looked up by compiled code without the interpreter's lock."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import types

from kohort.index.compiled import INT64, Kernel, array, helper, output

_I32, _U8, _U64 = types.int32, types.uint8, types.uint64
_BLOCK = 64
_SLOTS_PER_KEY = 1.6

# Indexes are unsigned: signed ones are checked for being negative, which keeps the eight loads of a word from becoming one.


@helper
def _word(data, at):  # type: ignore[no-untyped-def]
    """Eight bytes."""
    return (
        types.uint64(data[at])
        | types.uint64(data[at + types.uint64(1)]) << types.uint64(8)
        | types.uint64(data[at + types.uint64(2)]) << types.uint64(16)
        | types.uint64(data[at + types.uint64(3)]) << types.uint64(24)
        | types.uint64(data[at + types.uint64(4)]) << types.uint64(32)
        | types.uint64(data[at + types.uint64(5)]) << types.uint64(40)
        | types.uint64(data[at + types.uint64(6)]) << types.uint64(48)
        | types.uint64(data[at + types.uint64(7)]) << types.uint64(56)
    )


@helper
def _mixed(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> types.uint64(32))) * types.uint64(0xD6E8FEB86659FD93)
    return value ^ (value >> types.uint64(32))


@helper
def _hash(data, start, stop):  # type: ignore[no-untyped-def]
    """64 bits that depend on every byte."""
    found = types.uint64(stop - start) * types.uint64(0x9E3779B97F4A7C15)
    at = start
    while at + types.uint64(8) <= stop:
        found = _mixed(found ^ _word(data, at))
        at += types.uint64(8)
    rest = types.uint64(0)
    while at < stop:
        rest = rest << types.uint64(8) | types.uint64(data[at])
        at += types.uint64(1)
    return _mixed(found ^ rest) * types.uint64(0x9FB21C651E98DF25)


@helper
def _same(data, start, other_data, other, length):  # type: ignore[no-untyped-def]
    at = types.uint64(0)
    while at + types.uint64(8) <= length:
        if _word(data, start + at) != _word(other_data, other + at):
            return False
        at += types.uint64(8)
    while at < length:
        if data[start + at] != other_data[other + at]:
            return False
        at += types.uint64(1)
    return True


def _fill(offsets, data, there, slots, shift, copies):  # type: ignore[no-untyped-def]
    """Enter every key that is there. slots: upper half of the hash, lower half place + 1; copies[0]: keys that were there before."""
    mask = types.uint64(len(slots) - 1)
    for key in range(len(offsets) - 1):
        if there[key] == 0:
            continue
        start, stop = types.uint64(offsets[key]), types.uint64(offsets[key + 1])
        found = _hash(data, start, stop)
        tag, at = found & types.uint64(0xFFFFFFFF00000000), found >> types.uint64(shift)
        while slots[at] != 0:
            if slots[at] & types.uint64(0xFFFFFFFF00000000) == tag:
                other = types.int64(slots[at] & types.uint64(0xFFFFFFFF)) - 1
                begin, end = types.uint64(offsets[other]), types.uint64(offsets[other + 1])
                if end - begin == stop - start and _same(data, start, data, begin, stop - start):
                    copies[0] += 1
                    break
            at = (at + types.uint64(1)) & mask
        else:
            slots[at] = tag | types.uint64(key + 1)


def _find(wanted_offsets, wanted, offsets, data, slots, shift, found, touched):  # type: ignore[no-untyped-def]
    """found[i]: the place of wanted key i, -1 where there is none."""
    mask, count = types.uint64(len(slots) - 1), len(found)
    block = np.empty(_BLOCK, dtype=np.uint64)
    first = np.empty(_BLOCK, dtype=np.uint64)
    begins = np.empty(_BLOCK, dtype=np.int64)
    for low in range(0, count, _BLOCK):
        size = min(_BLOCK, count - low)
        for one in range(size):
            start, stop = types.uint64(wanted_offsets[low + one]), types.uint64(wanted_offsets[low + one + 1])
            block[one] = _hash(wanted, start, stop)
        for one in range(size):
            first[one] = slots[block[one] >> types.uint64(shift)]
        for one in range(size):  # what is looked at next is fetched for all rows of the block at the same time
            begins[one] = offsets[max(types.int64(first[one] & types.uint64(0xFFFFFFFF)) - 1, 0)]
        for one in range(size):
            touched[0] ^= data[types.uint64(begins[one])]
        for one in range(size):
            hashes = block[one]
            tag, at, slot = hashes & types.uint64(0xFFFFFFFF00000000), hashes >> types.uint64(shift), first[one]
            place = -1
            while slot != 0:
                if slot & types.uint64(0xFFFFFFFF00000000) == tag:
                    other = types.int64(slot & types.uint64(0xFFFFFFFF)) - 1
                    start, stop = types.uint64(wanted_offsets[low + one]), types.uint64(wanted_offsets[low + one + 1])
                    begin, end = types.uint64(offsets[other]), types.uint64(offsets[other + 1])
                    if end - begin == stop - start and _same(wanted, start, data, begin, stop - start):
                        place = other
                        break
                at = (at + types.uint64(1)) & mask
                slot = slots[at]
            found[low + one] = place


_BYTES, _SLOTS = array(_U8), array(_U64)
_fill_slots = Kernel(_fill, ((array(INT64), _BYTES, _BYTES, output(_U64), INT64, output(INT64)),), 1)
_find_places = Kernel(
    _find, tuple((array(width), _BYTES, array(INT64), _BYTES, _SLOTS, INT64, output(_I32), output(_U8)) for width in (_I32, INT64)), 1
)


class KeyTable:
    """Which ordinal a key has. keys: pyarrow array of text in order of ordinals (null: nobody's). copies: keys that are there twice."""

    def __init__(self, keys: Any) -> None:
        self.keys = keys.cast(pa.large_string())
        offsets, data = _buffers(self.keys)
        self._offsets, self._data = offsets.copy(), data.copy()  # NumPy asks for large pages, which are found faster
        bits = max(4, int(np.ceil(np.log2(max(1, len(keys)) * _SLOTS_PER_KEY))))
        self._slots, self._shift = np.zeros(1 << bits, dtype=np.uint64), 64 - bits
        self.copies = self._enter(np.asarray(self.keys.is_valid()))

    def _enter(self, there: npt.NDArray[np.bool_]) -> int:
        copies = np.zeros(1, dtype=np.int64)
        _fill_slots(self._offsets, self._data, there.view(np.uint8), self._slots, self._shift, copies)
        return int(copies[0])

    def keep(self, live: npt.NDArray[np.bool_]) -> None:
        """Find only the keys of these ordinals from now on."""
        if not live.all():
            self._slots[:] = 0
            self._enter(live & np.asarray(self.keys.is_valid()))

    def find(self, keys: Any) -> Any:
        """Ordinals (pyarrow int32) of keys; null where nobody has it."""
        offsets, data = _buffers(keys)
        found = np.empty(len(keys), dtype=np.int32)
        _find_places(offsets, data, self._offsets, self._data, self._slots, self._shift, found, np.zeros(1, dtype=np.uint8))
        missing = found < 0
        if keys.null_count:
            missing |= np.asarray(keys.is_null())
        return pa.array(found, mask=missing) if missing.any() else pa.array(found)


def _buffers(texts: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    _, offsets, data = texts.buffers()
    dtype: Any = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    if offsets is None or not len(texts):
        return np.zeros(1, dtype=dtype), np.zeros(1, dtype=np.uint8)
    places = np.frombuffer(offsets, dtype=dtype)[texts.offset : texts.offset + len(texts) + 1]
    return places, np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, dtype=np.uint8)
