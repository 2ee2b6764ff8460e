"""Who entered and who left between two evaluations, and since when each member is one. Bitmaps of any two refreshes compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kohort.membership.packed import Words
from kohort.membership.snapshots import THREADS, SegmentKey, Snapshot


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one segment between two evaluations; after == before + entered - left."""

    before: int
    after: int
    entered: int
    left: int


def count_changes(before: Snapshot, after: Snapshot, keys: Iterable[SegmentKey] | None = None) -> dict[SegmentKey, Change]:
    """The changes of the segments (default: all) that both evaluations counted. Raises UserError SNAPSHOT_DAMAGED."""
    asked = [segment.key for segment in after.manifest.segments] if keys is None else list(keys)
    both = [key for key in asked if before.find(key) is not None and after.find(key) is not None]
    if len(both) == 1:
        return {both[0]: _change(before, after, both[0])}
    with ThreadPoolExecutor(THREADS) as threads:
        return dict(zip(both, threads.map(lambda key: _change(before, after, key), both), strict=True))


def _change(before: Snapshot, after: Snapshot, key: SegmentKey) -> Change:
    old, new = before.find(key), after.find(key)
    assert old is not None
    assert new is not None
    if not old.count or not new.count:
        return Change(old.count, new.count, new.count, old.count)
    stayed = before.count_stayed(key, after)
    return Change(old.count, new.count, new.count - stayed, old.count - stayed)


def count(words: Words) -> int:
    """How many belong to a set."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def without(left: Words, right: Words) -> Words:
    """Those of `left` that are not in `right`, whose lengths may differ."""
    shared = min(len(left), len(right))
    rest = left.copy()
    rest[:shared] &= ~right[:shared]
    return rest


def within(left: Words, right: Words) -> Words:
    """Those of `left` that are in `right` too, whose lengths may differ; as long as `left`."""
    shared = min(len(left), len(right))
    common = np.zeros_like(left)
    common[:shared] = left[:shared] & right[:shared]
    return common


def first_ordinals(words: Words, limit: int) -> list[int]:
    """The lowest `limit` ordinals of a set."""
    found: list[int] = []
    for place in np.flatnonzero(words)[:limit].tolist():
        value = int(words[place])
        while value and len(found) < limit:
            lowest = value & -value
            found.append(place * 64 + lowest.bit_length() - 1)
            value ^= lowest
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Since:
    """Members who are members without a break since one evaluation. `is_oldest`: nothing older was looked at, so perhaps for longer."""

    evaluation_id: int
    as_of: int
    is_oldest: bool
    members: Words


def members_since(newest_first: Sequence[Snapshot], key: SegmentKey) -> list[Since]:
    """The members of the newest snapshot by the evaluation since which they are members without a break, latest first.

    A segment that an older evaluation did not count begins with the next one. Raises UserError SNAPSHOT_DAMAGED.
    """
    if not newest_first or newest_first[0].find(key) is None:
        return []
    found: list[Since] = []
    remaining = newest_first[0].members(key)
    for newer, older in pairwise(newest_first):
        exists = older.find(key) is not None
        earlier = older.members(key) if exists else np.zeros(0, dtype=np.uint64)
        _add(found, newer, False, without(remaining, earlier))
        remaining = within(remaining, earlier)
        if not exists or not remaining.any():
            return found
    _add(found, newest_first[-1], True, remaining)
    return found


def _add(found: list[Since], snapshot: Snapshot, is_oldest: bool, members: Words) -> None:
    if members.any():
        found.append(Since(snapshot.manifest.evaluation_id, snapshot.manifest.as_of, is_oldest, members))
