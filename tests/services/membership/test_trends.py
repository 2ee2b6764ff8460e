"""The populations of all segments side by side: the same as the history of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kohort.membership.snapshots import SnapshotStore
from kohort.ports.definitions import PopulationRecord
from kohort.services.membership.history import segment_history
from kohort.services.membership.trends import segment_trends
from tests.services.conftest import Desk

START = datetime(2024, 1, 1, 22, tzinfo=UTC)


@pytest.fixture
def counted(desk: Desk) -> Desk:
    """Twice a day for a while, days without any, a segment that came later, a variant, one that was renamed."""
    desk.write("old.yml", "name: Old\nab_test: { variants: [{ name: A, ratio: 50 }], control: 50 }\n")
    desk.write("new.yml", "name: New\n")
    desk.write("never.yml", "name: Never\n")
    desk.push()
    ids = {record.name: record.id for record in desk.store.segments(desk.parent.id)}
    for step in (*range(20), 40, 41, 90, 95):
        moment = START + timedelta(hours=12 * step)
        path = "Old" if step > 5 else "Before/Old"
        rows = [
            PopulationRecord(path, ids["Old"], 1, 100 + 7 * step, desk.parent.name, 1000),
            PopulationRecord(f"{path}/A-Old", ids["Old"], 1, 50, path, 100),
        ]
        if step > 10:
            rows.append(PopulationRecord("New", ids["New"], 1, step, desk.parent.name, 1000))
        desk.store.save_evaluation(desk.parent.id, 1, as_of=moment, at=moment, total=1000 + step, populations=rows)
    return desk


@pytest.mark.parametrize("days", [1, 7, 20, 45, 100])
def test_it_says_what_histories_say(counted: Desk, days: int) -> None:
    snapshots = SnapshotStore(counted.workspace.state / "membership")
    records = counted.store.segments(counted.parent.id)
    found = segment_trends(counted.store, counted.parent, {record.id for record in records}, days)
    assert found.total == 1095
    for trend in found.segments:
        if trend.record.name == "Never":
            assert (trend.days, trend.population, trend.base_count) == ((), None, None)
            continue
        history = segment_history(counted.store, snapshots, counted.parent, trend.record.path, days=days)
        assert trend.days == history.days
        assert trend.growth == history.growth
        assert trend.base_count == 1000


def test_before_the_first_evaluation(desk: Desk) -> None:
    desk.write("new.yml", "name: New\n")
    desk.push()
    [record] = desk.store.segments(desk.parent.id)
    found = segment_trends(desk.store, desk.parent, {record.id}, 30)
    assert (found.last, found.total, found.segments[0].days) == (None, None, ())
