"""Sets of profiles as packed bits over their ordinals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Ordinals = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """Bit o of `words` (uint64, lowest bit first) says whether ordinal o, 0 <= o < size, belongs to the set.

    Bits at and above `size` are 0. The complement is taken within a set: ordinals have holes.
    """

    words: Words
    size: int
    _counted: int = field(default=-1, init=False, repr=False)

    @staticmethod
    def empty(size: int) -> Bitmap:
        return Bitmap(np.zeros(word_count(size), dtype=np.uint64), size)

    @staticmethod
    def of(ordinals: Iterable[int] | Ordinals, size: int) -> Bitmap:
        """The set of the given ordinals, in any order."""
        chosen = np.asarray(ordinals if isinstance(ordinals, np.ndarray) else list(ordinals), dtype=np.int64)
        bools = np.zeros(size, dtype=np.bool_)
        bools[chosen] = True
        return Bitmap.from_bools(bools)

    @staticmethod
    def from_bools(bools: Bools) -> Bitmap:
        """One bool per ordinal."""
        builder = BitmapBuilder(len(bools))
        builder.put(0, bools)
        return builder.build()

    def __and__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.words & self._same_size(other).words, self.size)

    def __or__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.words | self._same_size(other).words, self.size)

    def __xor__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.words ^ self._same_size(other).words, self.size)

    def __sub__(self, other: Bitmap) -> Bitmap:
        """Those of this set that are not in the other: the complement of `other` within this set."""
        return Bitmap(self.words & ~self._same_size(other).words, self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and self.size == other.size and bool(np.array_equal(self.words, other.words))

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, ordinal: int) -> bool:
        return 0 <= ordinal < self.size and bool(int(self.words[ordinal >> 6]) >> (ordinal & 63) & 1)

    def count(self) -> int:
        """How many (below 2**32) belong to the set; remembered."""
        if self._counted < 0:
            object.__setattr__(self, "_counted", int(np.bitwise_count(self.words).sum(dtype=np.uint32)))
        return self._counted

    def resized(self, size: int) -> Bitmap:
        """The same set over another number of ordinals that takes as many words; nobody is in the difference."""
        found = Bitmap(self.words, size)
        object.__setattr__(found, "_counted", self.count())
        return found

    def to_bools(self) -> Bools:
        """One bool per ordinal."""
        return np.unpackbits(self.words.astype("<u8", copy=False).view(np.uint8), count=self.size, bitorder="little").view(np.bool_)

    def ordinals(self) -> Ordinals:
        """The members' ordinals, ascending (int64)."""
        return np.flatnonzero(self.to_bools())

    def _same_size(self, other: Bitmap) -> Bitmap:
        if other.size != self.size:
            raise ValueError(f"sets over {self.size} and {other.size} ordinals")
        return other


class BitmapBuilder:
    """Collects a bitmap range by range, in any order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._words = np.zeros(word_count(size), dtype=np.uint64)

    def put(self, first: int, bools: Bools) -> None:
        """Add those of the ordinals first, first + 1, ... whose bool is true."""
        if not len(bools):
            return
        lead = first & 63
        padded = np.zeros(word_count(lead + len(bools)) * 64, dtype=np.bool_)
        padded[lead : lead + len(bools)] = bools
        words = np.packbits(padded, bitorder="little").view("<u8")
        start = first >> 6
        self._words[start : start + len(words)] |= words

    def build(self) -> Bitmap:
        return Bitmap(self._words, self.size)


def word_count(size: int) -> int:
    return (size + 63) // 64


def bools_of(column: pa.BooleanArray) -> Bools:
    """A boolean Arrow array as one bool per row; null is false."""
    values = _unpacked(column, 1)
    if values is None:
        return np.zeros(len(column), dtype=np.bool_)
    valid = _unpacked(column, 0) if column.null_count else None
    return values if valid is None else values & valid


def _unpacked(column: pa.BooleanArray, buffer: int) -> Bools | None:
    packed = column.buffers()[buffer]
    if packed is None:
        return None
    start, stop = column.offset, column.offset + len(column)
    bits = np.frombuffer(packed, dtype=np.uint8)[start // 8 : (stop + 7) // 8]
    lead = start % 8
    return np.unpackbits(bits, count=lead + len(column), bitorder="little")[lead:].view(np.bool_)
