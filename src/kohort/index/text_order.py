"""Texts in the order of their code points, sorted by compiled code without the interpreter's lock."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index import placing


def text_ranks(texts: Any) -> tuple[npt.NDArray[np.int32], Any]:
    """(codes, dictionary): the place of each text among the different ones (-1: null), and these, in order.

    texts: pyarrow array of strings; dictionary: pyarrow.LargeStringArray.
    """
    texts = texts.cast(pa.large_string())
    codes = np.full(len(texts), -1, dtype=np.int32)
    rows: Any = slice(None)
    if texts.null_count:
        rows = np.flatnonzero(np.asarray(texts.is_valid()))
        texts = texts.drop_null()
    if not len(texts):
        return codes, texts
    order, new = _sorted(texts)
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.cumsum(new, dtype=np.int32) - 1
    codes[rows] = ranks
    return codes, pc.take(texts, pa.array(order[new.view(np.bool_)]), boundscheck=False)


def _sorted(texts: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, dtype=np.uint8)
    skip, keys = np.zeros(1, dtype=np.int64), np.empty(len(texts), dtype=np.uint64)
    placing.common_prefix(offsets, data, skip)
    placing.prefixes(offsets, data, skip, keys)
    order = np.argsort(keys)
    new = np.empty(len(order), dtype=np.int8)
    placing.settle(offsets, data, keys, order, np.empty(len(order), dtype=np.int64), new)
    return order, new
