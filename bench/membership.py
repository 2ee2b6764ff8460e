"""How long it takes to keep the members of many segments and to say who entered and who left.

    python -m bench.membership [--profiles 10000000] [--segments 100] [--churn 0.01]

Makes members at random (shares from 0.1 % to 90 %, every tenth segment unchanged), keeps two evaluations, counts entered and left
of all segments, checks the counts against plain arrays, and prints one table.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kohort.membership.changes import Change, count, count_changes, members_since, within, without
from kohort.membership.snapshots import SegmentKey, SnapshotManifest, SnapshotSegment, SnapshotStore

Words = npt.NDArray[np.uint64]
PARENT = 1


def members(generator: np.random.Generator, profiles: int, share: float) -> Words:
    padded = np.zeros(-(-profiles // 64) * 64, dtype=np.bool_)
    padded[:profiles] = generator.random(profiles, dtype=np.float32) < share
    return np.packbits(padded, bitorder="little").view(np.uint64)


def churned(generator: np.random.Generator, words: Words, profiles: int, churn: float) -> Words:
    """`churn` of the members leave, as many profiles as that enter."""
    return (words & ~members(generator, profiles, churn)) | members(generator, profiles, churn * count(words) / profiles)


def save(store: SnapshotStore, evaluation: int, sets: list[Words], live: Words) -> None:
    segments = tuple(SnapshotSegment(SegmentKey(n), f"S{n}", 1, count(words)) for n, words in enumerate(sets))
    manifest = SnapshotManifest(PARENT, evaluation, evaluation, evaluation, count(live), segments)
    store.save(manifest, {f"S{n}": words for n, words in enumerate(sets)}, live, keep=30)


def timed(work: Callable[[], object], repeat: int) -> tuple[float, object]:
    """(the median of some runs in seconds, what the last one returned)."""
    seconds, outcome = [], None
    for _ in range(repeat):
        start = time.perf_counter()
        outcome = work()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2], outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profiles", type=int, default=10_000_000)
    parser.add_argument("--segments", type=int, default=100)
    parser.add_argument("--churn", type=float, default=0.01)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    generator = np.random.default_rng(7)
    old = [members(generator, options.profiles, share) for share in np.geomspace(0.001, 0.9, options.segments)]
    new = [words if n % 10 == 0 else churned(generator, words, options.profiles, options.churn) for n, words in enumerate(old)]
    live = members(generator, options.profiles, 2.0)
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = SnapshotStore(Path(folder))
        seconds, _ = timed(lambda: save(store, 1, old, live), 1)
        save(store, 2, new, live)
        rows.append(("keep one evaluation", f"{seconds:.3f} s"))
        size = (Path(folder) / str(PARENT) / "1" / "members.bin").stat().st_size
        rows.append(("size on disk, and of the plain bitmaps", f"{size / 2**20:,.0f} of {sum(w.nbytes for w in old) / 2**20:,.0f} MiB"))

        def changes() -> dict[SegmentKey, Change]:
            before, after = store.open(PARENT, 1), store.open(PARENT, 2)
            assert before is not None
            assert after is not None
            return count_changes(before, after)

        seconds, found = timed(changes, options.repeat)
        expected = {
            SegmentKey(n): Change(count(a), count(b), count(b & ~a), count(a & ~b)) for n, (a, b) in enumerate(zip(old, new, strict=True))
        }
        assert found == expected, "the counts differ"
        rows.append(("entered and left, all segments, opened from disk", f"{seconds:.3f} s"))
        snapshot = store.open(PARENT, 2)
        earlier = store.open(PARENT, 1)
        assert snapshot is not None
        assert earlier is not None
        seconds, _ = timed(lambda: snapshot.segments_of(options.profiles // 2), options.repeat)
        rows.append(("the segments of one profile", f"{seconds * 1000:.1f} ms"))
        key = SegmentKey(options.segments // 2)
        seconds, since = timed(lambda: members_since([snapshot, earlier], key), options.repeat)
        rows.append(("since when each member of one segment is one", f"{seconds * 1000:.1f} ms"))
        half = options.segments // 2
        assert isinstance(since, list)
        parts = [without(new[half], old[half]), within(new[half], old[half])]
        assert [count(s.members) for s in since] == [count(part) for part in parts if part.any()], "the counts differ"
    print(f"{options.profiles:,} profiles, {options.segments} segments, {options.churn:.1%} churn\n")
    for label, value in (*rows, ("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB")):
        print(f"| {label:<50} | {value:>16} |")


if __name__ == "__main__":
    main()
