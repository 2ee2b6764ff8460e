"""Sorted runs of 128-bit keys, in memory or in a file, each with a filter that answers "never seen" without looking at the keys.

A file: header, the upper halves of all keys in order, the lower halves, the filter, every 256th upper half. All numbers are
little-endian uint64. The filter has a word for every few keys: the upper half of a key says which word, the lower half which
five bits of it. Words ascend with keys, so that runs of any size are merged a small part at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

KEY_BYTES = 16
FILTER_BITS = 12
"""Bits of the filter for each key: about one new key in seventy is looked up in vain."""

_MAGIC = b"KOHORTI1"
_HEADER_BYTES = 64
_STEP = 256
_PART_KEYS = 262_144
_BYTES_A_SECOND = 120e6
_ONE = np.uint64(1)
_63 = np.uint64(63)
_32 = np.uint64(32)


class DamagedRun(Exception):
    """A file of keys that is not what was written."""


class GivenUp(Exception):
    """A file is not needed any more before it is written."""


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """Keys by upper half, ascending."""

    upper: Words
    lower: Words
    words: Words

    @staticmethod
    def of(keys: bytes) -> MemoryRun:
        """keys: 16 bytes each, in any order."""
        halves = np.frombuffer(keys, "<u8").reshape(-1, 2)
        return MemoryRun.sorted_from(halves[:, 0], halves[:, 1])

    @staticmethod
    def sorted_from(upper: Words, lower: Words) -> MemoryRun:
        order = np.argsort(upper, kind="stable")
        upper, lower = upper[order], lower[order]
        words = np.zeros(filter_words(len(upper)), np.uint64)
        _set_bits(words, 0, upper, lower, len(words))
        return MemoryRun(upper, lower, words)

    @property
    def size(self) -> int:
        return len(self.upper)

    def holds(self, upper: Words, lower: Words, bits: Words) -> NDArray[np.bool_]:
        """Which of some keys are in the run. bits: `filter_bits(lower)`."""
        words = self.words[_word_of(upper, len(self.words))]
        found: NDArray[np.bool_] = (words & bits) == bits
        for place in np.flatnonzero(found):
            begin = int(self.upper.searchsorted(upper[place], "left"))
            end = int(self.upper.searchsorted(upper[place], "right"))
            found[place] = bool((self.lower[begin:end] == lower[place]).any())
        return found

    def part(self, begin: int, end: int) -> tuple[Words, Words]:
        return self.upper[begin:end], self.lower[begin:end]

    def boundaries(self, edges: Words) -> list[int]:
        """By edge, how many keys are below it."""
        return [int(place) for place in self.upper.searchsorted(edges, "left")]


class FileRun:
    """Keys in a file. Only the filter is mapped: pages that the system may take back; keys are read when they are needed."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedRun."""
        self.path = path
        self._file = path.open("rb")
        header = self._file.read(_HEADER_BYTES)
        fields = np.frombuffer(header[8:32], "<u8") if len(header) == _HEADER_BYTES else None
        if fields is None or header[:8] != _MAGIC or crc32(header[:24]) != int(fields[2]):
            raise DamagedRun(f"{path.name} has no sound header")
        self.size, count = int(fields[0]), int(fields[1])
        self._places = _places(self.size, count)
        if os.fstat(self._file.fileno()).st_size != self._places.end:
            raise DamagedRun(f"{path.name} has another length than it was written with")
        self.words: Words = np.memmap(path, "<u8", "r", self._places.words, (count,)).view(np.ndarray)
        self._every: Words = np.fromfile(path, "<u8", -1, offset=self._places.every)

    def holds(self, upper: Words, lower: Words, bits: Words) -> NDArray[np.bool_]:
        """Which of some keys are in the run. bits: `filter_bits(lower)`."""
        words = self.words[_word_of(upper, len(self.words))]
        found: NDArray[np.bool_] = (words & bits) == bits
        for place in np.flatnonzero(found):
            found[place] = self._looked_up(upper[place], lower[place])
        return found

    def _looked_up(self, upper: np.uint64, lower: np.uint64) -> bool:
        block = max(int(self._every.searchsorted(upper, "left")) - 1, 0)
        begin = block * _STEP
        count = min(2 * _STEP, self.size - begin)
        near = self._read(self._places.upper, begin, count)
        first, end = int(near.searchsorted(upper, "left")), int(near.searchsorted(upper, "right"))
        return first < end and bool((self._read(self._places.lower, begin + first, end - first) == lower).any())

    def _read(self, offset: int, begin: int, count: int) -> Words:
        return np.frombuffer(os.pread(self._file.fileno(), 8 * count, offset + 8 * begin), "<u8")

    def part(self, begin: int, end: int) -> tuple[Words, Words]:
        return self._read(self._places.upper, begin, end - begin), self._read(self._places.lower, begin, end - begin)

    def boundaries(self, edges: Words) -> list[int]:
        """By edge, how many keys are below it."""
        found = []
        for edge in edges:
            begin = max(int(self._every.searchsorted(edge, "left")) - 1, 0) * _STEP
            near = self._read(self._places.upper, begin, min(2 * _STEP, self.size - begin))
            found.append(begin + int(near.searchsorted(edge, "left")))
        return found


Run = MemoryRun | FileRun


def merged_in_memory(runs: Sequence[MemoryRun]) -> MemoryRun:
    """One run of several."""
    return MemoryRun.sorted_from(np.concatenate([run.upper for run in runs]), np.concatenate([run.lower for run in runs]))


def write_run(runs: Sequence[Run], path: Path, is_wanted: Callable[[], bool] = lambda: True) -> FileRun:
    """All keys of several runs as one file, on disk when this returns. Works at a bounded speed and in bounded memory.

    is_wanted is asked all the time; raises GivenUp when it says no.
    """
    size = sum(run.size for run in runs)
    count = filter_words(size)
    places = _places(size, count)
    with path.open("wb") as stream:
        os.truncate(stream.fileno(), places.end)
        _write_parts(runs, stream, places, count, is_wanted)
        header = _MAGIC + np.array([size, count], "<u8").tobytes()
        os.pwrite(stream.fileno(), (header + np.array([crc32(header)], "<u8").tobytes()).ljust(_HEADER_BYTES, b"\0"), 0)
        os.fsync(stream.fileno())
    return FileRun(path)


def _write_parts(runs: Sequence[Run], stream: IO[bytes], places: _Places, count: int, is_wanted: Callable[[], bool]) -> None:
    number, done, next_word, carried = stream.fileno(), 0, 0, np.uint64(0)
    every: list[Words] = []
    for upper, lower in _parts(runs):
        if not is_wanted():
            raise GivenUp
        began = time.monotonic()
        order = np.argsort(upper, kind="stable")
        upper, lower = upper[order], lower[order]
        last = int(_word_of(upper[-1:], count)[0])
        words = np.zeros(last - next_word + 1, np.uint64)
        words[0] = carried
        _set_bits(words, next_word, upper, lower, count)
        os.pwrite(number, upper.tobytes(), places.upper + 8 * done)
        os.pwrite(number, lower.tobytes(), places.lower + 8 * done)
        os.pwrite(number, words.tobytes(), places.words + 8 * next_word)
        every.append(upper[-done % _STEP :: _STEP].copy())  # a view would keep all of it
        done, next_word, carried = done + len(upper), last, words[-1]
        os.fdatasync(number)
        time.sleep(max(0.0, KEY_BYTES * len(upper) / _BYTES_A_SECOND - (time.monotonic() - began)))
    os.pwrite(number, np.concatenate(every).tobytes(), places.every)


def _parts(runs: Sequence[Run]) -> Iterator[tuple[Words, Words]]:
    """The keys of all runs, by ranges that follow each other; inside a range as they come."""
    size = sum(run.size for run in runs)
    ranges = max(1, size // _PART_KEYS)
    edges = np.array([number * 2**64 // ranges for number in range(1, ranges)], np.uint64)
    borders = [[0, *run.boundaries(edges), run.size] for run in runs]
    for number in range(ranges):
        parts = [run.part(border[number], border[number + 1]) for run, border in zip(runs, borders, strict=True)]
        upper = np.concatenate([part[0] for part in parts])
        if len(upper):
            yield upper, np.concatenate([part[1] for part in parts])


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the parts of a file begin, in bytes."""

    upper: int
    lower: int
    words: int
    every: int
    end: int


def _places(size: int, count: int) -> _Places:
    lower = _HEADER_BYTES + 8 * size
    words = lower + 8 * size
    every = words + 8 * count
    return _Places(_HEADER_BYTES, lower, words, every, every + 8 * -(-size // _STEP))


def filter_words(size: int) -> int:
    """How many words the filter of so many keys has."""
    return size * FILTER_BITS // 64 + 1


def filter_bits(lower: Words) -> Words:
    """The five bits of each key's word."""
    bits = _ONE << (lower & _63)
    for shift in (6, 12, 18, 24):
        bits |= _ONE << ((lower >> np.uint64(shift)) & _63)
    return bits


def _word_of(upper: Words, count: int) -> Words:
    return ((upper >> _32) * np.uint64(count)) >> _32


def _set_bits(words: Words, first: int, upper: Words, lower: Words, count: int) -> None:
    """Put keys, in order of their upper halves, into a filter of `count` words, of which `words` are those from `first` on."""
    if not len(upper):
        return
    owners = _word_of(upper, count)
    starts = np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))
    words[(owners[starts] - np.uint64(first)).astype(np.intp)] |= np.bitwise_or.reduceat(filter_bits(lower), starts)
