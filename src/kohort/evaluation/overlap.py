"""How many profiles sets have in common, from their bitmaps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Bitmap

Counts = npt.NDArray[np.int64]
_BLOCK_BYTES = 4 << 20  # the same words of all sets stay in the cache while every pair of them is counted
_SMALL_WORDS = 1 << 20  # less is counted faster than threads start


def shared_counts(sets: Sequence[Bitmap], threads: int | None = None) -> Counts:
    """int64[k, k]: [i, j] says how many belong to both set i and set j; the diagonal holds their sizes.

    All sets are over the same ordinals. threads: default one per processor.
    """
    if len({found.size for found in sets}) > 1:
        raise ValueError("sets over different ordinals")
    words = len(sets[0].words) if sets else 0
    workers = 1 if words * len(sets) < _SMALL_WORDS else threads or os.cpu_count() or 1
    bounds = [words * part // workers for part in range(workers + 1)]
    spans = list(pairwise(bounds))
    with ThreadPoolExecutor(workers) as pool:
        upper = sum(pool.map(lambda span: _upper(sets, *span), spans), np.zeros((len(sets), len(sets)), dtype=np.int64))
    return upper + np.triu(upper, 1).T


def _upper(sets: Sequence[Bitmap], start: int, stop: int) -> Counts:
    """The upper triangle of the counts over the words start..stop."""
    found = np.zeros((len(sets), len(sets)), dtype=np.int64)
    width = max(64, _BLOCK_BYTES // 8 // max(1, len(sets)))
    block = np.empty((len(sets), width), dtype=np.uint64)
    both, bits = np.empty_like(block), np.empty(block.shape, dtype=np.uint8)
    for low in range(start, stop, width):
        size = min(width, stop - low)
        for place, one in enumerate(sets):
            block[place, :size] = one.words[low : low + size]
        for place in range(len(sets)):
            rows = len(sets) - place
            np.bitwise_and(block[place, :size], block[place:, :size], out=both[:rows, :size])
            np.bitwise_count(both[:rows, :size], out=bits[:rows, :size])
            found[place, place:] += bits[:rows, :size].sum(axis=1, dtype=np.uint32)
    return found


def counts_with(one: Bitmap, others: Sequence[Bitmap]) -> list[tuple[int, int]]:
    """(size of the other set, how many of `one` are in it) for each other set."""
    if any(other.size != one.size for other in others):
        raise ValueError("sets over different ordinals")
    if len(one.words) * len(others) < _SMALL_WORDS:
        return [(other.count(), _in_both(one, other)) for other in others]
    workers = os.cpu_count() or 1
    bounds = [len(others) * part // workers for part in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda span: [(other.count(), _in_both_of_many(one, other)) for other in others[slice(*span)]], pairwise(bounds))
        return [counts for part in found for counts in part]


def _in_both(one: Bitmap, other: Bitmap) -> int:
    """How many belong to both."""
    return int(np.bitwise_count(one.words & other.words).sum(dtype=np.uint32))


def _in_both_of_many(one: Bitmap, other: Bitmap) -> int:
    """The same without anything in between."""
    from kohort.index.kernels.measuring import count_common

    found = np.empty(1, dtype=np.int64)
    count_common(one.words, other.words, found)
    return int(found[0])


def jaccard(first: int, second: int, shared: int) -> float | None:
    """Shared members among those of either set (0 to 1); None when both are empty."""
    either = first + second - shared
    return shared / either if either else None
