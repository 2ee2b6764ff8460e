"""Who comes first, from the index: nulls last whichever the direction, ties by cdp_customer_id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Bitmap, Ordinals
from kohort.evaluation.indexed.aggregates import aggregate_values
from kohort.evaluation.indexed.lines import bits_at, values_of
from kohort.evaluation.indexed.reader import IndexReader
from kohort.evaluation.indexed.tests import NoKernel
from kohort.rules.core import TopOrder

_FIRST_CHUNK = 1 << 16
_GROWTH = 8
_FEW = 2**26  # fractions with smaller denominators differ as floats when they differ at all

Keys = npt.NDArray[Any]


def ranked(reader: IndexReader, members: Bitmap, order: Sequence[TopOrder]) -> Iterator[Ordinals]:
    """The members best first, in chunks. Raises NoKernel before the first chunk."""
    ordinals = members.ordinals()
    keys = [key for one in order for key in _keys(reader, one, ordinals)]
    return _chunks(ordinals, [*keys, reader.index.id_rank[ordinals]])


def best(reader: IndexReader, members: Bitmap, order: Sequence[TopOrder], number: int) -> Bitmap:
    """So many of the members, those that come first. Raises NoKernel.

    Nobody is sorted: the edge of each key is found, and the next key judges only those that stand on it.
    """
    ordinals = members.ordinals()
    keys = [key for one in order for key in _keys(reader, one, ordinals)]
    chosen, level = np.zeros(members.size, dtype=np.bool_), np.arange(len(ordinals))
    for key in [*keys, reader.index.id_rank[ordinals]]:
        if len(level) <= number:
            break
        values = key[level] if len(level) < len(key) else key
        edge = _edge(values, number)
        before = level[values < edge]
        chosen[ordinals[before]] = True
        number -= len(before)
        level = level[values == edge]
    chosen[ordinals[level[:number]]] = True
    return Bitmap.from_bools(chosen)


def _edge(values: Keys, number: int) -> Any:
    """The value that the number-th smallest has (number >= 1)."""
    if values.dtype == np.bool_:
        return np.count_nonzero(~values) < number
    return np.partition(values, number - 1)[number - 1]


def _keys(reader: IndexReader, order: TopOrder, ordinals: Ordinals) -> list[Keys]:
    """Keys that ascend from the best; the first says whether the value is null."""
    if isinstance(order.by, str):
        column = reader.attribute(order.by)
        values = values_of(column)[ordinals]
        valid = reader.valid(column)
        null = np.zeros(len(ordinals), dtype=np.bool_) if valid is None else ~bits_at(valid, ordinals)
        parts: list[Keys] = [values]
    else:
        parts, null = _aggregate_keys(reader, order, ordinals)
    if order.descending:
        parts = [-part if part.dtype == np.float64 else ~part for part in parts]
    parts = [np.where(null, part.dtype.type(0), part) for part in parts]
    return [null, *parts] if null.any() else parts


def _aggregate_keys(reader: IndexReader, order: TopOrder, ordinals: Ordinals) -> tuple[list[Keys], npt.NDArray[np.bool_]]:
    assert not isinstance(order.by, str)
    found = aggregate_values(reader, order.by)
    values = found.values[ordinals]
    if found.counts is None:
        return [values], np.zeros(len(ordinals), dtype=np.bool_)
    counts = found.counts[ordinals]
    if order.by.key != "Average":
        return [values], counts == 0
    if len(counts) and counts.max() >= _FEW:
        raise NoKernel("averages of very many values")
    divisors = np.maximum(counts, 1)
    whole = values // divisors
    return [whole, (values - whole * divisors) / divisors], counts == 0


def _chunks(ordinals: Ordinals, keys: Sequence[Keys]) -> Iterator[Ordinals]:
    """Sorts no more than what is asked for: the best chunk by the first key, then a larger one."""
    left = np.arange(len(ordinals))
    wanted = _FIRST_CHUNK
    while len(left):
        first = keys[0][left]
        if len(left) > wanted:
            edge = np.partition(first, wanted)[wanted]
            inside = first <= edge
            best, left = left[inside], left[~inside]
        else:
            best, left = left, left[:0]
        yield ordinals[best[np.lexsort([key[best] for key in reversed(keys)])]]
        wanted *= _GROWTH
