"""How a segment's population developed, and which segments one customer was in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from kohort.foundation.errors import UserError
from kohort.foundation.instants import load_zone, to_micros
from kohort.membership.changes import count_changes
from kohort.membership.snapshots import SegmentKey, Snapshot, SnapshotDamaged, SnapshotStore
from kohort.membership.statistics import GROWTH_DAYS, DayPopulation, Growth, daily_populations, day_of, growth
from kohort.ports.definitions import DefinitionStore, EvaluationRecord, EvaluationSummary, ParentRecord
from kohort.ports.warehouse import Queries
from kohort.services.membership.kept_evaluations import find_target, in_order, kept_evaluations, open_readable, population_of, zone_of
from kohort.services.profiles.customers import Customer, find_customer


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One evaluation of a segment. entered, left: since the evaluation before it; None when members of one of both are not kept.

    is_replaced: its members are not kept, and a later evaluation as of the same instant says what happened since the one before.
    """

    evaluation: EvaluationSummary
    path: str
    version: int
    population: int
    share_of: str
    base_count: int
    entered: int | None
    left: int | None
    is_replaced: bool


@dataclass(frozen=True, slots=True)
class SegmentHistory:
    """The history of a segment or variant, oldest first, until the day of its parent's last evaluation.

    unreadable: evaluations whose kept members are damaged.
    """

    path: str
    timezone: str
    days: tuple[DayPopulation, ...]
    growth: tuple[Growth, ...]
    points: tuple[HistoryPoint, ...]
    unreadable: tuple[int, ...]


def segment_history(store: DefinitionStore, snapshots: SnapshotStore, parent: ParentRecord, name: str, *, days: int = 30) -> SegmentHistory:
    """The last `days` days. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT, NOT_EVALUATED."""
    target, zone = find_target(store, parent, name), zone_of(parent)
    records = sorted(store.segment_evaluations(target.key.segment_id), key=lambda record: (record.as_of, record.id))
    counted = [record for record in records if population_of(record, target.key) is not None]
    if not counted:
        raise UserError("NOT_EVALUATED", f'"{target.path}" was never evaluated', hint="run: kohort sg eval")
    figures = [(to_micros(record.as_of), _population(record, target.key)) for record in counted]
    last = day_of(max(to_micros(found.as_of) for found in store.evaluations(parent.id)), zone)
    first = last - timedelta(days=days - 1)
    found, unreadable = open_readable(snapshots, [_summary(record) for record in counted])
    moves, broken = _moves(counted, target.key, found)
    points = _points(counted, target.key, moves, found.keys() - set(broken))
    return SegmentHistory(
        target.path,
        str(zone),
        tuple(daily_populations(figures, zone, first, last)),
        tuple(growth(figures, zone, last, distance) for distance in GROWTH_DAYS),
        tuple(point for point in points if day_of(to_micros(point.evaluation.as_of), zone) >= first),
        (*unreadable, *broken),
    )


def _population(record: EvaluationRecord, key: SegmentKey) -> int:
    found = population_of(record, key)
    assert found is not None
    return found.count


def _summary(record: EvaluationRecord) -> EvaluationSummary:
    return EvaluationSummary(record.id, record.parent_id, record.refresh_number, record.as_of, record.evaluated_at, record.total)


def _moves(
    records: Sequence[EvaluationRecord], key: SegmentKey, found: Mapping[int, Snapshot]
) -> tuple[dict[int, tuple[int, int]], tuple[int, ...]]:
    """((entered, left) by evaluation where both members are kept, the evaluations found damaged).

    What is not kept is passed over where a later evaluation stands for the same instant.
    """
    moves: dict[int, tuple[int, int]] = {}
    broken: list[int] = []
    earlier: Snapshot | None = None
    for record, following in zip(records, (*records[1:], None), strict=True):
        later = found.get(record.id)
        if earlier is not None and later is not None:
            try:
                change = count_changes(earlier, later, [key]).get(key)
            except SnapshotDamaged as error:
                broken.append(error.evaluation_id)
                later = None if error.evaluation_id == record.id else later
            else:
                if change:
                    moves[record.id] = (change.entered, change.left)
        if later is not None or following is None or following.as_of != record.as_of:
            earlier = later
    return moves, tuple(broken)


def _points(
    records: Sequence[EvaluationRecord], key: SegmentKey, moves: Mapping[int, tuple[int, int]], kept: Collection[int]
) -> list[HistoryPoint]:
    points = []
    for record, following in zip(records, (*records[1:], None), strict=True):
        population = population_of(record, key)
        assert population is not None
        entered, left = moves.get(record.id, (None, None))
        is_replaced = record.id not in kept and following is not None and following.as_of == record.as_of
        points.append(
            HistoryPoint(
                _summary(record),
                population.path,
                population.version,
                population.count,
                population.share_of,
                population.base_count,
                entered,
                left,
                is_replaced,
            )
        )
    return points


@dataclass(frozen=True, slots=True)
class DayMoves:
    """Who came and went on one calendar day, over all its evaluations. None: members of one of them, or of the one before, are not kept.

    Of several evaluations as of one instant, those that are not kept do not matter as long as a later one is.
    """

    day: date
    entered: int | None
    left: int | None


def daily_moves(history: SegmentHistory) -> tuple[DayMoves, ...]:
    """Entered and left of every day of a history; nothing happened on days without an evaluation."""
    zone = load_zone(history.timezone) or ZoneInfo("UTC")
    by_day: dict[date, list[HistoryPoint]] = {}
    for point in history.points:
        by_day.setdefault(day_of(to_micros(point.evaluation.as_of), zone), []).append(point)
    return tuple(_day_moves(day.day, by_day.get(day.day, [])) for day in history.days)


def _day_moves(day: date, points: Sequence[HistoryPoint]) -> DayMoves:
    counted = [point for point in points if not point.is_replaced]
    entered, left = [point.entered for point in counted], [point.left for point in counted]
    known = None not in entered and None not in left
    return DayMoves(day, sum(e or 0 for e in entered) if known else None, sum(m or 0 for m in left) if known else None)


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One customer at one evaluation. entered, left: against the evaluation before it that is kept; paths as they were called then."""

    evaluation: EvaluationSummary
    is_customer: bool
    segments: tuple[str, ...]
    entered: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberSince:
    """A segment a customer is in, and the evaluation since which without a break. or_earlier: members of before are not kept."""

    path: str
    since: EvaluationSummary
    or_earlier: bool


@dataclass(frozen=True, slots=True)
class ProfileHistory:
    """One customer over all evaluations whose members are kept, oldest first; what the last one says of today's segments."""

    customer: Customer
    points: tuple[ProfilePoint, ...]
    segments: tuple[MemberSince, ...]
    unreadable: tuple[int, ...]


def profile_history(warehouse: Queries, store: DefinitionStore, snapshots: SnapshotStore, parent: ParentRecord, key: str) -> ProfileHistory:
    """The history of the customer with that master key or cdp_customer_id, somebody who is gone included.

    Raises UserError PROFILE_NOT_FOUND, NOT_REFRESHED.
    """
    customer = find_customer(warehouse, store, parent, key)
    kept = kept_evaluations(store, snapshots, parent)
    found, unreadable = open_readable(snapshots, kept)
    seen: list[tuple[EvaluationSummary, Snapshot, dict[SegmentKey, str]]] = []
    for evaluation in kept:
        if evaluation.id not in found:
            continue
        snapshot = found[evaluation.id]
        try:
            inside = {segment.key: segment.path for segment in snapshot.segments_of(customer.ordinal)}
        except SnapshotDamaged:
            unreadable = (*unreadable, evaluation.id)
            continue
        seen.append((evaluation, snapshot, inside))
    oldest = _is_oldest(store, parent, seen[0][0]) if seen else True
    return ProfileHistory(customer, tuple(_profile_points(seen, customer.ordinal)), tuple(_memberships(seen, oldest)), unreadable)


Seen = Sequence[tuple[EvaluationSummary, Snapshot, dict[SegmentKey, str]]]


def _profile_points(seen: Seen, ordinal: int) -> list[ProfilePoint]:
    points = []
    before: dict[SegmentKey, str] = {}
    for place, (evaluation, snapshot, inside) in enumerate(seen):
        entered = tuple(path for key, path in inside.items() if key not in before) if place else ()
        left = tuple(path for key, path in before.items() if key not in inside)
        points.append(ProfilePoint(evaluation, snapshot.is_live(ordinal), tuple(inside.values()), entered, left))
        before = inside
    return points


def _is_oldest(store: DefinitionStore, parent: ParentRecord, evaluation: EvaluationSummary) -> bool:
    """Whether nothing was evaluated before."""
    return in_order(store.evaluations(parent.id))[0].id == evaluation.id


def _memberships(seen: Seen, first_is_oldest: bool) -> list[MemberSince]:
    if not seen:
        return []
    found = []
    for key, path in sorted(seen[-1][2].items(), key=lambda item: item[1]):
        place = len(seen) - 1
        while place and key in seen[place - 1][2]:
            place -= 1
        found.append(MemberSince(path, seen[place][0], not place and not first_is_oldest))
    return found
