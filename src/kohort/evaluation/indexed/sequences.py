"""Sequences of events on the index: the rows that reach a step, step by step, for all profiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kohort.evaluation.bitmap import Words, word_count
from kohort.evaluation.indexed.reader import IndexReader, Presence, Slices
from kohort.evaluation.indexed.tests import NoKernel
from kohort.index.columns import Int64
from kohort.index.kernels import in_place
from kohort.rules.core import SequenceLeaf

_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """The rows of one step, or those of them that are reached."""

    time: Int64
    slices: Slices
    present: Presence


def sequence_words(reader: IndexReader, leaf: SequenceLeaf) -> Words:
    """The profiles that complete the chain. Raises NoKernel."""
    if len(leaf.steps) < 2:
        raise NoKernel("a sequence of one step")
    steps = [
        _Step(reader.rows(step.behavior).time, reader.slices(step.behavior, step.windows), reader.present(step.behavior, step.filter))
        for step in leaf.steps
    ]
    out = np.zeros(word_count(reader.index.size), dtype=np.uint64)
    before = steps[0]
    for step, written in zip(steps[1:-1], leaf.steps[1:-1], strict=True):
        reached = np.zeros(word_count(len(step.time)) * 64, dtype=np.uint8)
        _follow(reader, before, step, written.within_micros, reached, out, is_last=False)
        before = _Step(step.time, step.slices, Presence(np.packbits(reached, bitorder="little").view(np.uint64)))
    _follow(reader, before, steps[-1], leaf.steps[-1].within_micros, np.zeros(0, dtype=np.uint8), out, is_last=True)
    return out


def _follow(
    reader: IndexReader, before: _Step, step: _Step, within: int | None, reached: npt.NDArray[np.uint8], out: Words, *, is_last: bool
) -> None:
    """Mark the rows of a step that follow a row of the one before, or, of the last step, the profiles that have one."""
    rows_before = (before.time, before.slices.starts, before.slices.stops, before.present.mask, before.present.masked)
    rows = (step.time, step.slices.starts, step.slices.stops, step.present.mask, step.present.masked)

    def block(low: int, high: int) -> None:
        bits = out[low >> 6 :]
        in_place.followers_in_place(*rows_before, *rows, low, high, within or 0, within is not None, reached, is_last, bits)

    reader.spread(reader.index.size, block, _BLOCK)
