"""Who is in a variant of an A/B test, on the index: every key is hashed once per test, whatever the number of variants."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.evaluation.bitmap import Bitmap, Words
from kohort.evaluation.indexed.reader import IndexReader
from kohort.evaluation.indexed.tests import NoKernel
from kohort.index.columns import NumberColumn, TextColumn
from kohort.index.kernels import hashing
from kohort.rules.core import VariantLeaf

_BLOCK = 1 << 16
_LINE_END = 2**64
Places = npt.NDArray[np.uint64]


def variant_words(reader: IndexReader, leaf: VariantLeaf) -> Words:
    """The profiles whose place on the line of the test lies in [low, high). Raises NoKernel."""
    column = reader.attribute(leaf.key_column)
    valid = reader.valid(column)
    if leaf.low >= leaf.high:
        return Bitmap.empty(reader.index.size).words
    places = reader.keep(("variant", leaf.test_id, leaf.key_column), lambda: _places(reader, leaf), lambda found: found.nbytes)
    inside = (places >= np.uint64(leaf.low)) & (places <= np.uint64(min(leaf.high, _LINE_END) - 1))
    words = Bitmap.from_bools(inside).words
    return words if valid is None else words & valid


def _places(reader: IndexReader, leaf: VariantLeaf) -> Places:
    """The place of every profile."""
    match reader.attribute(leaf.key_column):
        case TextColumn(codes, dictionary):
            hashed = _hashed(reader, leaf.test_id, dictionary)
            return hashed[np.maximum(codes, 0)] if len(hashed) else np.zeros(len(codes), dtype=np.uint64)
        case NumberColumn(values, storage="int64"):
            return _hashed(reader, leaf.test_id, pc.cast(pa.array(values), pa.string()))
        case _:
            raise NoKernel("variants by a key that is neither text nor a whole number")


def _hashed(reader: IndexReader, test_id: str, texts: Any) -> Places:
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, dtype=np.uint8)
    prefix, found = np.frombuffer(f"{test_id}:".encode(), dtype=np.uint8), np.empty(len(texts), dtype=np.uint64)
    reader.spread(len(texts), lambda low, high: hashing.hash_places(ends, letters, prefix, low, high, found[low:high]), _BLOCK)
    return found
