"""How much segments overlap: for every two of them the members they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.overlap import Counts, counts_with, jaccard, shared_counts
from kohort.foundation.errors import UserError
from kohort.foundation.instants import to_micros
from kohort.membership.snapshots import SegmentKey, Snapshot, SnapshotDamaged, SnapshotStore
from kohort.ports.definitions import DefinitionStore
from kohort.ports.progress import Progress
from kohort.rules.core import MemberLeaf
from kohort.services.evaluation.evaluate import Engine, needed_segments, resolve_path


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two segments share. share_of_first: of the first one's members (None of nothing); jaccard: of the members of either."""

    first: str
    second: str
    first_count: int
    second_count: int
    shared: int

    @property
    def share_of_first(self) -> float | None:
        return self.shared / self.first_count if self.first_count else None

    @property
    def share_of_second(self) -> float | None:
        return self.shared / self.second_count if self.second_count else None

    @property
    def jaccard(self) -> float | None:
        return jaccard(self.first_count, self.second_count, self.shared)


@dataclass(frozen=True, slots=True, eq=False)
class OverlapMatrix:
    """shared: int64[k, k] in the order of `paths`; the diagonal holds the sizes. source: the last evaluation's members, or a new run."""

    paths: tuple[str, ...]
    shared: Counts
    total: int
    as_of: datetime
    source: Literal["snapshot", "run"]

    def count(self, place: int) -> int:
        return int(self.shared[place, place])

    def pair(self, first: int, second: int) -> Overlap:
        names = (self.paths[first], self.paths[second])
        return Overlap(*names, self.count(first), self.count(second), int(self.shared[first, second]))

    def pairs(self) -> list[Overlap]:
        """Every two segments, the most alike first."""
        return sorted(self._pairs(), key=lambda pair: (-(pair.jaccard or 0), -pair.shared, pair.first, pair.second))

    def _pairs(self) -> Iterator[Overlap]:
        for first in range(len(self.paths)):
            for second in range(first + 1, len(self.paths)):
                yield self.pair(first, second)


def overlap_matrix(
    engine: Engine,
    store: DefinitionStore,
    snapshots: SnapshotStore,
    targets: Sequence[str] = (),
    *,
    as_of: datetime | None = None,
    progress: Progress | None = None,
) -> OverlapMatrix:
    """The overlap of the given segments and variants (none given: of all segments).

    Members are those of the last evaluation when it still holds (same refresh, instant and versions); else they are computed.
    Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT, NO_SEGMENTS; InvalidInput.
    """
    moment = as_of or engine.refresh.as_of
    graph = engine.graph
    paths = tuple(dict.fromkeys(resolve_path(engine, target) for target in targets)) or tuple(sorted(graph.by_path))
    if not paths:
        raise UserError("NO_SEGMENTS", f'"{engine.parent.name}" has no segments yet', hint="write one and run: kohort sg push")
    kept = kept_snapshot(engine, store, snapshots, moment)
    members = kept_members(engine, kept, paths) if kept is not None else None
    if kept is not None and members is not None:
        return OverlapMatrix(paths, shared_counts([members[path] for path in paths]), kept.manifest.total, moment, "snapshot")
    outcome = engine.run(needed_segments(engine, paths), to_micros(moment), progress)
    found = shared_counts([outcome.members[path] for path in paths])
    return OverlapMatrix(paths, found, outcome.live.count(), moment, "run")


def overlaps_with(
    engine: Engine, store: DefinitionStore, snapshots: SnapshotStore, target: str, others: Sequence[str], *, as_of: datetime | None = None
) -> list[Overlap]:
    """What a segment or variant (by path) shares with each of the others: most of its members first. See `overlap_matrix`."""
    moment = as_of or engine.refresh.as_of
    paths = [target, *others]
    kept = kept_snapshot(engine, store, snapshots, moment)
    members: Mapping[str, Bitmap] | None = kept_members(engine, kept, paths) if kept is not None else None
    if members is None:
        members = engine.run(needed_segments(engine, paths), to_micros(moment)).members
    own = members[target]
    counted = counts_with(own, [members[path] for path in others])
    found = [Overlap(target, path, own.count(), size, shared) for path, (size, shared) in zip(others, counted, strict=True)]
    return sorted(found, key=lambda pair: (-pair.shared, pair.second_count, pair.second))


def kept_snapshot(engine: Engine, store: DefinitionStore, snapshots: SnapshotStore, as_of: datetime) -> Snapshot | None:
    """What the last evaluation kept, if that is what an evaluation would give now: of this refresh, instant and of all versions."""
    snapshot = last_snapshot(engine, store, snapshots, as_of)
    if snapshot is None:
        return None
    held = held_paths(engine, snapshot)
    return snapshot if held == set(engine.graph.owners) == {segment.path for segment in snapshot.manifest.segments} else None


def last_snapshot(engine: Engine, store: DefinitionStore, snapshots: SnapshotStore, as_of: datetime) -> Snapshot | None:
    """What the last evaluation kept, if it is of this refresh and instant; `held_paths` says for whom it still holds."""
    evaluation = next(iter(store.evaluations(engine.parent.id, 1)), None)
    if evaluation is None or evaluation.refresh_number != engine.refresh.number or evaluation.as_of != as_of:
        return None
    snapshot = engine.opened_snapshots.get(evaluation.id)
    if snapshot is None:
        try:
            snapshot = snapshots.open(engine.parent.id, evaluation.id)
        except SnapshotDamaged:
            return None
        if snapshot is None:
            return None
        engine.opened_snapshots.clear()
        engine.opened_snapshots[evaluation.id] = snapshot
    return snapshot


def held_paths(engine: Engine, snapshot: Snapshot) -> set[str]:
    """The segments and variants that are as they were when the snapshot was taken, and all they need with them."""
    kept = {segment.path: (segment.key.segment_id, segment.version) for segment in snapshot.manifest.segments}
    same = {path for path, record in engine.records.items() if kept.get(path) == (record.id, record.version)}
    while True:
        loose = {path for path in same if not same.issuperset(engine.graph.needs.get(path, ()))}
        if not loose:
            break
        same -= loose
    return {path for path, owner in engine.graph.owners.items() if owner in same and path in kept}


def kept_members(engine: Engine, snapshot: Snapshot, paths: Iterable[str]) -> dict[str, Bitmap] | None:
    """The members of these segments and variants, all of which the snapshot holds; None when it is damaged: evaluate them then.

    What was read before in this process is not read again.
    """
    keys = {segment.path: segment.key for segment in snapshot.manifest.segments}
    try:
        return {path: _kept(engine, snapshot, path, keys[path]) for path in paths}
    except SnapshotDamaged:
        return None


def _kept(engine: Engine, snapshot: Snapshot, path: str, key: SegmentKey) -> Bitmap:
    manifest, cache = snapshot.manifest, engine.indexes.cache if engine.indexes is not None else None
    place = (manifest.parent_id, manifest.refresh_number, manifest.as_of, MemberLeaf(f"{manifest.evaluation_id}:{path}"))
    found = cache.get(*place) if cache is not None else None
    if found is None:
        found = Bitmap(snapshot.members(key), snapshot.word_count * 64)
        if cache is not None:
            cache.put(*place, found)
    return found
