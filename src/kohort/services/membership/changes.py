"""What changed in the members of segments between two evaluations: counts for all segments, people for one."""

from __future__ import annotations

from dataclasses import dataclass

from kohort.foundation.errors import UserError
from kohort.membership.changes import Change, count, count_changes, first_ordinals, within, without
from kohort.membership.packed import Words
from kohort.membership.snapshots import SnapshotStore
from kohort.ports.definitions import DefinitionStore, EvaluationSummary, ParentRecord
from kohort.ports.warehouse import Queries
from kohort.services.membership.kept_evaluations import choose_evaluation, find_target, kept_evaluations, open_kept, zone_of
from kohort.services.profiles.customers import Customer, customers_of


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """How one segment or variant changed. path: what the later evaluation calls it."""

    path: str
    old_version: int
    new_version: int
    change: Change


@dataclass(frozen=True, slots=True)
class AllChanges:
    """How all segments changed from one evaluation to another. added, removed: paths that only one of them counted."""

    before: EvaluationSummary
    after: EvaluationSummary
    segments: tuple[SegmentChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeopleChanged:
    """How one segment changed, with some of those who entered and left.

    new_customers: of those who entered, how many were not customers before; gone_customers: of those who left, how many are none now.
    """

    before: EvaluationSummary
    after: EvaluationSummary
    segment: SegmentChange
    new_customers: int
    gone_customers: int
    entered: tuple[Customer, ...]
    left: tuple[Customer, ...]


def two_evaluations(
    store: DefinitionStore, snapshots: SnapshotStore, parent: ParentRecord, before: str, after: str
) -> tuple[EvaluationSummary, EvaluationSummary]:
    """The two evaluations a person names; see `choose_evaluation`."""
    kept, zone = kept_evaluations(store, snapshots, parent), zone_of(parent)
    return choose_evaluation(store, parent, kept, before, zone), choose_evaluation(store, parent, kept, after, zone)


def all_changes(
    store: DefinitionStore, snapshots: SnapshotStore, parent: ParentRecord, before: str = "previous", after: str = "last"
) -> AllChanges:
    """Entered and left of every segment. Raises UserError: see `choose_evaluation`; SNAPSHOT_DAMAGED."""
    old, new = two_evaluations(store, snapshots, parent, before, after)
    earlier, later = open_kept(snapshots, old), open_kept(snapshots, new)
    counted = count_changes(earlier, later)
    changes, added = [], []
    for segment in later.manifest.segments:
        known = earlier.find(segment.key)
        if known is None:
            added.append(segment.path)
        else:
            changes.append(SegmentChange(segment.path, known.version, segment.version, counted[segment.key]))
    removed = tuple(segment.path for segment in earlier.manifest.segments if later.find(segment.key) is None)
    return AllChanges(old, new, tuple(changes), tuple(added), removed)


def people_changed(
    warehouse: Queries,
    store: DefinitionStore,
    snapshots: SnapshotStore,
    parent: ParentRecord,
    name: str,
    *,
    before: str = "previous",
    after: str = "last",
    sample: int = 10,
) -> PeopleChanged:
    """Who entered and left one segment; up to `sample` of each, in the order in which they became customers.

    Raises UserError: see `choose_evaluation`, `find_target`; SEGMENT_NOT_COUNTED, SNAPSHOT_DAMAGED.
    """
    target = find_target(store, parent, name)
    old, new = two_evaluations(store, snapshots, parent, before, after)
    earlier, later = open_kept(snapshots, old), open_kept(snapshots, new)
    first, second = earlier.find(target.key), later.find(target.key)
    if first is None or second is None:
        missing = old if first is None else new
        raise UserError(
            "SEGMENT_NOT_COUNTED",
            f'evaluation {missing.id} did not count "{target.path}"',
            hint=f"kohort sg history '{target.path}' lists those that did",
        )
    was, now = earlier.members(target.key), later.members(target.key)
    entered, left = without(now, was), without(was, now)
    change = SegmentChange(second.path, first.version, second.version, Change(first.count, second.count, count(entered), count(left)))
    return PeopleChanged(
        old,
        new,
        change,
        change.change.entered - count(within(entered, earlier.live())),
        change.change.left - count(within(left, later.live())),
        _sample(warehouse, parent, entered, sample),
        _sample(warehouse, parent, left, sample),
    )


def _sample(warehouse: Queries, parent: ParentRecord, words: Words, limit: int) -> tuple[Customer, ...]:
    return tuple(customers_of(warehouse, parent, first_ordinals(words, limit)))
