"""Sequences of events on the index: the rows that reach a step, step by step, for a range of profiles at a time."""

from __future__ import annotations

import numpy as np

from kohort.evaluation.bitmap import Words, word_count
from kohort.evaluation.indexed.lines import padded, take
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices
from kohort.index import kernels
from kohort.index.columns import Int64
from kohort.parent.layout import TIMESTAMP
from kohort.rules.core import SequenceLeaf

_BLOCK = 1 << 15


def sequence_words(reader: IndexReader, leaf: SequenceLeaf) -> Words:
    """The profiles that complete the chain. Raises NoKernel."""
    steps = [(step, reader.slices(step.behavior, step.windows), reader.present(step.behavior, step.filter)) for step in leaf.steps]
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)

    def times_of(behavior: str, slices: Slices, present: Presence, low: int, high: int) -> tuple[Int64, Int64]:
        taken = take(reader, behavior, slices, present, low, high)
        return taken.offsets, taken.values(TIMESTAMP)

    def block(low: int, high: int) -> None:
        offsets, times = times_of(steps[0][0].behavior, steps[0][1], steps[0][2], low, high)
        for step, slices, present in steps[1:]:
            if not len(times):
                break
            next_offsets, next_times = times_of(step.behavior, slices, present, low, high)
            follows = np.zeros(len(next_times), dtype=np.uint8)
            reach = step.within_micros
            kernels.followers(offsets, times, next_offsets, next_times, reach or 0, reach is not None, follows)
            reached = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(follows, dtype=np.int64)))
            offsets, times = reached[next_offsets], next_times[follows.view(np.bool_)]
        found = padded(np.diff(offsets) > 0)
        out[low >> 6 : (low >> 6) + len(found)] = found

    reader.spread(reader.index.size, block, _BLOCK)
    return out
