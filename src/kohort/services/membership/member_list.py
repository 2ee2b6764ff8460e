"""The kept members of an evaluation as a list: of one segment with since when, of all segments as a Parquet file for other engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from kohort.evaluation.bitmap import Bools, Ordinals
from kohort.foundation.errors import UserError
from kohort.foundation.instants import from_micros
from kohort.membership.changes import Since, count, first_ordinals, members_since
from kohort.membership.packed import PROFILES_PER_CHUNK
from kohort.membership.snapshots import SegmentKey, Snapshot, SnapshotDamaged, SnapshotSegment, SnapshotStore
from kohort.parent.layout import CUSTOMER_ID, ORDINAL
from kohort.ports.definitions import DefinitionStore, EvaluationSummary, ParentRecord
from kohort.ports.warehouse import Warehouse
from kohort.services.membership.kept_evaluations import (
    choose_evaluation,
    find_target,
    in_order,
    kept_evaluations,
    open_kept,
    open_readable,
    zone_of,
)
from kohort.services.membership.members import opened_output
from kohort.services.profiles.customers import Customer, customers_of, stream_customers

LIST_SCHEMA = pa.schema([("segment_id", pa.int64()), ("segment_path", pa.string()), (CUSTOMER_ID, pa.string())])
ROWS_AT_A_TIME = 500_000


@dataclass(frozen=True, slots=True)
class Generation:
    """How many are members without a break since one evaluation. or_earlier: members of before are not kept."""

    since: datetime
    or_earlier: bool
    count: int


@dataclass(frozen=True, slots=True)
class Member:
    """One member, and since when without a break."""

    customer: Customer
    since: datetime
    or_earlier: bool


@dataclass(frozen=True, slots=True)
class MemberList:
    """The members of one segment at an evaluation: some of them, and how many since when (latest first)."""

    evaluation: EvaluationSummary
    path: str
    count: int
    generations: tuple[Generation, ...]
    members: tuple[Member, ...]
    unreadable: tuple[int, ...]


def list_members(
    warehouse: Warehouse,
    store: DefinitionStore,
    snapshots: SnapshotStore,
    parent: ParentRecord,
    name: str,
    *,
    evaluation: str = "last",
    limit: int = 10,
) -> MemberList:
    """Up to `limit` members of a saved segment, those who came last first. Raises UserError: see `choose_evaluation`, `find_target`."""
    target = find_target(store, parent, name)
    kept = kept_evaluations(store, snapshots, parent)
    chosen = choose_evaluation(store, parent, kept, evaluation, zone_of(parent))
    newest = open_kept(snapshots, chosen)
    segment = newest.find(target.key)
    if segment is None:
        hint = "run: kohort sg eval" if chosen == kept[-1] else ""
        raise UserError("SEGMENT_NOT_COUNTED", f'evaluation {chosen.id} did not count "{target.path}"', hint=hint)
    earlier = list(reversed(kept[: kept.index(chosen)]))
    found, unreadable = open_readable(snapshots, earlier)
    groups, broken = _since([newest, *(found[item.id] for item in earlier if item.id in found)], target.key)
    lost = _counted_before(store, target.key, [chosen, *(item for item in earlier if item.id in found and item.id not in broken)])
    generations = tuple(Generation(from_micros(group.as_of), group.is_oldest and lost, count(group.members)) for group in groups)
    members = tuple(_members(warehouse, parent, groups, generations, limit))
    return MemberList(chosen, segment.path, segment.count, generations, members, (*unreadable, *broken))


def _since(newest_first: Sequence[Snapshot], key: SegmentKey) -> tuple[list[Since], tuple[int, ...]]:
    """(members by since when, the older evaluations found damaged, which do not count)."""
    readable = list(newest_first)
    broken: list[int] = []
    while True:
        try:
            return members_since(readable, key), tuple(broken)
        except SnapshotDamaged as error:
            if error.evaluation_id == readable[0].manifest.evaluation_id:
                raise
            readable = [snapshot for snapshot in readable if snapshot.manifest.evaluation_id != error.evaluation_id]
            broken.append(error.evaluation_id)


def _counted_before(store: DefinitionStore, key: SegmentKey, looked_at: Sequence[EvaluationSummary]) -> bool:
    """Whether an evaluation before the oldest of those looked at counted the segment."""
    oldest = in_order(looked_at)[0]
    return any((record.as_of, record.id) < (oldest.as_of, oldest.id) for record in store.segment_evaluations(key.segment_id))


def _members(
    warehouse: Warehouse, parent: ParentRecord, groups: Sequence[Since], generations: Sequence[Generation], limit: int
) -> Iterator[Member]:
    for group, generation in zip(groups, generations, strict=True):
        chosen = first_ordinals(group.members, limit)
        limit -= len(chosen)
        for customer in customers_of(warehouse, parent, chosen):
            yield Member(customer, generation.since, generation.or_earlier)


def write_member_list(
    warehouse: Warehouse,
    store: DefinitionStore,
    snapshots: SnapshotStore,
    parent: ParentRecord,
    output: Path,
    *,
    names: Sequence[str] = (),
    evaluation: str = "last",
) -> int:
    """Write (segment_id, segment_path, cdp_customer_id) of segments (default: all, variants too) as Parquet, whole or not at all.

    Returns the rows. A variant's segment_id is that of the segment it splits. Memory: one chunk of profiles and
    ROWS_AT_A_TIME rows. Raises UserError FILE_NOT_WRITABLE; see `choose_evaluation`, `find_target`.
    """
    kept = kept_evaluations(store, snapshots, parent)
    snapshot = open_kept(snapshots, choose_evaluation(store, parent, kept, evaluation, zone_of(parent)))
    segments = _chosen(store, parent, snapshot, names)
    rows = 0
    with opened_output(output) as stream, pa.parquet.ParquetWriter(stream, LIST_SCHEMA, compression="zstd") as writer:
        for table in _tables(_batches(warehouse, parent, snapshot, segments)):
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _chosen(store: DefinitionStore, parent: ParentRecord, snapshot: Snapshot, names: Sequence[str]) -> list[SnapshotSegment]:
    if not names:
        return list(snapshot.manifest.segments)
    found = []
    for name in names:
        target = find_target(store, parent, name)
        segment = snapshot.find(target.key)
        if segment is None:
            message = f'evaluation {snapshot.manifest.evaluation_id} did not count "{target.path}"'
            raise UserError("SEGMENT_NOT_COUNTED", message, hint="run: kohort sg eval")
        found.append(segment)
    return list(dict.fromkeys(found))


def _batches(
    warehouse: Warehouse, parent: ParentRecord, snapshot: Snapshot, segments: Sequence[SnapshotSegment]
) -> Iterator[pa.RecordBatch]:
    """The rows of one segment in one stretch of profiles at a time."""
    for batch in stream_customers(warehouse, parent):
        ordinals = batch.column(ORDINAL).to_numpy(zero_copy_only=False).astype(np.int64)
        chunks = ordinals // PROFILES_PER_CHUNK
        edges = [0, *(np.flatnonzero(np.diff(chunks)) + 1).tolist(), len(ordinals)]
        for start, stop in pairwise(edges):
            if start == stop:
                continue
            chunk = int(chunks[start])
            places = ordinals[start:stop] - chunk * PROFILES_PER_CHUNK
            ids = batch.column(CUSTOMER_ID).slice(start, stop - start)
            for segment in segments:
                bools = _bools(snapshot, segment, chunk, places)
                if bools.any():
                    yield _rows(segment, ids.filter(pa.array(bools)))


def _bools(snapshot: Snapshot, segment: SnapshotSegment, chunk: int, places: Ordinals) -> Bools:
    words = snapshot.part(segment.key, chunk)
    bits = np.zeros(PROFILES_PER_CHUNK, dtype=np.bool_)
    bits[: len(words) * 64] = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little").view(np.bool_)
    return bits[places]


def _rows(segment: SnapshotSegment, ids: pa.Array) -> pa.RecordBatch:
    columns = [pa.repeat(pa.scalar(segment.key.segment_id, pa.int64()), len(ids)), pa.repeat(segment.path, len(ids)), ids.cast(pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=LIST_SCHEMA)


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_AT_A_TIME:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
