"""The history of a segment counts the days of its parent's zone and needs no kept members."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kohort.adapters.sqlalchemy.store import SQLAlchemyStore
from kohort.evaluation.bitmap import Bitmap
from kohort.foundation.errors import UserError
from kohort.membership.snapshots import SegmentKey, SnapshotManifest, SnapshotSegment, SnapshotStore
from kohort.parent.codec import parent_to_document
from kohort.ports.definitions import ParentRecord, PopulationRecord, SegmentRecord
from kohort.services.membership.history import daily_moves, segment_history
from tests.services.shop import BOOK, START, parent_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(tmp_path / "kohort.db")
    yield store
    store.close()


def made(store: SQLAlchemyStore, zone: str) -> tuple[ParentRecord, SegmentRecord]:
    parent = parent_of(f"{BOOK}timezone: {zone}\n")
    record = store.save_parent(parent.name, parent.slug, parent_to_document(parent), by="ann", at=START)
    document = {"rule": {"type": "And", "conditions": []}}
    return record, store.save_segment(record.id, "", "VIP", "batch", document, "f", by="ann", at=START)


def evaluated(store: SQLAlchemyStore, segment: SegmentRecord, as_of: datetime, count: int) -> None:
    population = PopulationRecord("VIP", segment.id, 1, count, "All Customers", 10)
    store.save_evaluation(segment.parent_id, 1, as_of=as_of, at=START, total=10, populations=[population])


def test_days_are_those_of_the_parents_zone_also_when_clocks_change(store: SQLAlchemyStore, tmp_path: Path) -> None:
    parent, segment = made(store, "America/New_York")
    for hour, count in ((0, 1), (24, 2), (47, 3), (48, 4)):
        evaluated(store, segment, datetime(2024, 3, 9, 5, tzinfo=UTC) + timedelta(hours=hour), count)
    found = segment_history(store, SnapshotStore(tmp_path), parent, "VIP")
    assert [(day.day, day.population, day.has_run) for day in found.days] == [
        (date(2024, 3, 9), 1, True),
        (date(2024, 3, 10), 2, True),
        (date(2024, 3, 11), 4, True),
    ]
    assert [day.row[0] for day in found.days] == [1_709_960_400, 1_710_046_800, 1_710_129_600]
    assert [(g.days, g.before, g.change) for g in found.growth] == [(1, 2, 2), (7, None, None), (30, None, None)]
    assert [(p.population, p.entered, p.left) for p in found.points] == [(1, None, None), (2, None, None), (3, None, None), (4, None, None)]


def test_days_go_on_until_the_last_evaluation_of_the_parent(store: SQLAlchemyStore, tmp_path: Path) -> None:
    parent, segment = made(store, "Asia/Tokyo")
    evaluated(store, segment, datetime(2024, 1, 1, 14, 59, tzinfo=UTC), 7)
    store.save_evaluation(parent.id, 2, as_of=datetime(2024, 1, 2, 15, tzinfo=UTC), at=START, total=10, populations=[])
    found = segment_history(store, SnapshotStore(tmp_path), parent, "VIP", days=2)
    assert [(day.day, day.population, day.has_run) for day in found.days] == [(date(2024, 1, 2), 7, False), (date(2024, 1, 3), 7, False)]
    assert found.points == ()
    assert found.timezone == "Asia/Tokyo"


def test_a_segment_that_was_never_evaluated_has_no_history(store: SQLAlchemyStore, tmp_path: Path) -> None:
    parent, _ = made(store, "UTC")
    with pytest.raises(UserError) as failure:
        segment_history(store, SnapshotStore(tmp_path), parent, "VIP")
    assert failure.value.code == "NOT_EVALUATED"


def kept_days(store: SQLAlchemyStore, folder: Path, days: list[list[tuple[str, bool]]]) -> list[tuple[int | None, int | None]]:
    """(entered, left) of each day. days: the evaluations of its noon as (a digit for each member, whether they are kept)."""
    parent, segment = made(store, "UTC")
    snapshots, key = SnapshotStore(folder / "membership"), SegmentKey(segment.id)
    for day, evaluations in enumerate(days):
        moment = START + timedelta(days=day, hours=12)
        for members, is_kept in evaluations:
            population = PopulationRecord("VIP", segment.id, 1, len(members), "All Customers", 10)
            record = store.save_evaluation(parent.id, 1, as_of=moment, at=moment, total=10, populations=[population])
            if is_kept:
                named = SnapshotSegment(key, "VIP", 1, len(members))
                manifest = SnapshotManifest(parent.id, record.id, 1, int(moment.timestamp() * 1e6), 64, (named,))
                words = Bitmap.of([int(digit) for digit in members], 64).words
                snapshots.save(manifest, {"VIP": words}, words, 30)
    found = segment_history(store, snapshots, parent, "VIP", days=len(days))
    return [(day.entered, day.left) for day in daily_moves(found)][1:]


def test_evaluations_of_one_instant_that_are_not_kept_do_not_hide_who_came_and_went(store: SQLAlchemyStore, tmp_path: Path) -> None:
    days = [[("12", False), ("1", True)], [("9", False), ("8", False), ("123", True)], [("23", True), ("7", False), ("34", True)]]
    assert kept_days(store, tmp_path, days) == [(2, 0), (0 + 1, 1 + 1)]


@pytest.mark.parametrize("first", [[("1", False)], [("1", True), ("1", False)]])
def test_who_came_is_not_known_when_the_last_members_of_the_instant_before_are_not_kept(
    store: SQLAlchemyStore, tmp_path: Path, first: list[tuple[str, bool]]
) -> None:
    assert kept_days(store, tmp_path, [first, [("12", True), ("123", True)]]) == [(None, None)]


def test_who_came_is_not_known_on_a_day_whose_last_members_are_not_kept(store: SQLAlchemyStore, tmp_path: Path) -> None:
    days = [[("1", True)], [("12", True), ("123", False)], [("123", True)]]
    assert kept_days(store, tmp_path, days) == [(None, None), (None, None)]
