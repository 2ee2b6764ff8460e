"""Bitmaps packed for the disk: chunks of words, each squeezed on its own, so that one profile's bit costs one chunk.

A packed bitmap is a header of two uint32 per chunk (bytes, CRC-32 of them), little endian, then the chunks: 4096 words (262,144
profiles) each, zstd, or the words as they are where zstd saves less than a tenth. No words: no bytes.
"""

from __future__ import annotations

import struct
import threading
import zlib
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]
CHUNK_WORDS = 4096
PROFILES_PER_CHUNK = CHUNK_WORDS * 64
_CHUNK_BYTES = CHUNK_WORDS * 8
_HEADER_BYTES = 8


class Damaged(Exception):
    """What was read is not what was written."""


def pack(words: Words) -> bytes:
    """The packed form of words (uint64, lowest bit first)."""
    raw = memoryview(np.ascontiguousarray(words, dtype="<u8").view(np.uint8).data)
    codec = pa.Codec("zstd", compression_level=1)
    chunks = []
    for start in range(0, len(raw), _CHUNK_BYTES):
        plain = raw[start : start + _CHUNK_BYTES]
        squeezed = codec.compress(plain, asbytes=True)
        chunks.append(squeezed if len(squeezed) * 10 <= len(plain) * 9 else bytes(plain))
    header = [struct.pack("<II", len(chunk), zlib.crc32(chunk)) for chunk in chunks]
    return b"".join((*header, *chunks))


def unpack(packed: memoryview, word_count: int) -> Words:
    """The words again. Raises Damaged."""
    chunks = _Chunks(packed, word_count)
    words = np.empty(word_count, dtype="<u8")
    for number in range(len(chunks)):
        first = number * CHUNK_WORDS
        words[first : first + CHUNK_WORDS] = chunks[number]
    return words


def unpack_chunk(packed: memoryview, word_count: int, number: int) -> Words:
    """The words of one chunk; none beyond the last. Raises Damaged."""
    chunks = _Chunks(packed, word_count)
    return chunks[number] if number < len(chunks) else np.zeros(0, dtype=np.uint64)


def has_bit(packed: memoryview, word_count: int, ordinal: int) -> bool:
    """Whether one ordinal is in the set; only its chunk is read. Raises Damaged."""
    word, bit = divmod(ordinal, 64)
    if not 0 <= word < word_count:
        return False
    number, place = divmod(word, CHUNK_WORDS)
    return bool(int(_Chunks(packed, word_count)[number][place]) >> bit & 1)


def count_common(left: memoryview, left_words: int, right: memoryview, right_words: int) -> int:
    """How many belong to both sets, chunk by chunk, so that nothing but a chunk of each is in memory. Raises Damaged."""
    lefts, rights = _Chunks(left, left_words), _Chunks(right, right_words)
    common = 0
    for number in range(min(len(lefts), len(rights))):
        mine = lefts[number]
        theirs = mine if lefts.same(number, rights) else rights[number]
        shared = min(len(mine), len(theirs))
        common += int(np.bitwise_count(mine[:shared] & theirs[:shared]).sum(dtype=np.int64))
    return common


class _Chunks:
    """The chunks of one packed bitmap, each read and checked when asked for."""

    def __init__(self, packed: memoryview, word_count: int) -> None:
        chunks = -(-word_count // CHUNK_WORDS)
        head = chunks * _HEADER_BYTES
        if len(packed) < head:
            raise Damaged("it is too short")
        header = struct.unpack(f"<{chunks * 2}I", packed[:head])
        self._sizes, self._checksums = header[0::2], header[1::2]
        self._ends = tuple(accumulate(self._sizes, initial=head))
        if self._ends[-1] != len(packed):
            raise Damaged("its length is not what it should be")
        self._packed, self._word_count = packed, word_count

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, number: int) -> Words:
        data = self._data(number)
        if zlib.crc32(data) != self._checksums[number]:
            raise Damaged("its checksum is not what it should be")
        size = self._length(number) * 8
        if len(data) == size:
            return np.frombuffer(data, dtype="<u8")
        try:
            return np.frombuffer(_codec().decompress(data, size), dtype="<u8")
        except (OSError, pa.ArrowException) as error:
            raise Damaged(str(error)) from error

    def same(self, number: int, other: _Chunks) -> bool:
        """True when both have the same bytes here."""
        if (self._sizes[number], self._checksums[number]) != (other._sizes[number], other._checksums[number]):
            return False
        return bytes(self._data(number)) == bytes(other._data(number)) and self._length(number) == other._length(number)

    def _data(self, number: int) -> memoryview:
        return self._packed[self._ends[number] : self._ends[number + 1]]

    def _length(self, number: int) -> int:
        return min(CHUNK_WORDS, self._word_count - number * CHUNK_WORDS)


_codecs = threading.local()


def _codec() -> pa.Codec:
    if not hasattr(_codecs, "zstd"):
        _codecs.zstd = pa.Codec("zstd")
    return _codecs.zstd
