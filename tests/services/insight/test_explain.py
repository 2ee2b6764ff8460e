"""A customer's rows come out of the warehouse as they are, and limits are explained as the oracle decides them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.evaluation.explain import walk
from kohort.foundation.instants import DAY, from_micros
from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.segments.graph import SegmentGraph, bind_segments
from kohort.services.evaluation.evaluate import Engine
from kohort.services.insight.explain import _limits, _next_among_others, _profile, needed_segments
from kohort.testing.dataset_tables import load_into
from kohort.testing.strategies import World, world_of
from tests.evaluation.test_explain import outcomes

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def engine_of(world: World, warehouse: DuckDBWarehouse, parent_id: int) -> Engine:
    """An engine over a world as a refresh would have left it."""
    load_into(warehouse, world.dataset, parent_id, 1)
    parent = ParentRecord(parent_id, "World", "world", {}, 1, NOW, "ann", NOW, "ann")
    refresh = RefreshRecord(1, parent_id, 1, "succeeded", NOW, NOW, from_micros(world.as_of), len(world.dataset.profiles), {}, {})
    return Engine(warehouse, parent, refresh, world.dataset.catalog, "", tuple(world.segments.values()), {}, 1000)


@pytest.mark.parametrize("seed", range(6))
def test_rows_and_limits_of_random_worlds(seed: int) -> None:
    world = world_of(seed, profiles=4, segments=8)
    warehouse = DuckDBWarehouse(None, threads=1)
    try:
        engine = engine_of(world, warehouse, 1)
        for path in SegmentGraph.of(world.segments.values()).owners:
            needed = needed_segments(engine, path, engine.segments)
            for profile in world.dataset.profiles[:2]:
                found = _profile(engine, world.dataset.ordinals[profile.id], needed)
                assert found.id == profile.id
                for field in world.dataset.catalog.attributes:
                    assert found.attributes[field.name] == profile.attributes.get(field.name), field.name
                for name, rows in found.rows.items():
                    listed = [(row.time, row.arrival, {k: v for k, v in row.values.items() if v is not None}) for row in rows]
                    expected = [
                        (row.time, row.arrival, {k: v for k, v in row.values.items() if v is not None}) for row in profile.rows[name]
                    ]
                    assert sorted(listed, key=lambda row: row[1]) == sorted(expected, key=lambda row: row[1])
                expected_limits = outcomes(world, profile.id)
                for place, outcome in _limits(engine, needed, world.dataset.ordinals[profile.id], world.as_of).items():
                    wanted = expected_limits[place]
                    assert (outcome.candidates, outcome.kept, outcome.member) == (wanted.candidates, wanted.kept, wanted.member), place
                    assert outcome.rank is None or (outcome.rank <= outcome.kept) == outcome.member
    finally:
        warehouse.close()


@pytest.mark.parametrize("seed", range(40, 52))
def test_a_change_among_others_is_a_change_and_never_means_never(seed: int) -> None:
    world = world_of(seed, profiles=4, segments=6)
    warehouse = DuckDBWarehouse(None, threads=1)
    try:
        engine = engine_of(world, warehouse, 1)
        limited = [path for path, segment in world.segments.items() if any(part.limit for _, part in walk(segment.rule))]
        for path in limited[:2]:
            needed = needed_segments(engine, path, engine.segments)
            bound = bind_segments(needed.values(), engine.catalog, "")
            ordinal = world.dataset.ordinals[world.dataset.profiles[0].id]
            change = _next_among_others(engine, needed, path, ordinal, world.as_of)
            assert (change.at, change.unchanged_until) == (None, None)
            now = ordinal in engine.run(bound, world.as_of).members[path]
            if change.at_latest is not None:
                assert world.as_of < change.at_latest
                at = change.at_latest
                assert [ordinal in engine.run(bound, moment).members[path] for moment in (at - 1, at)] == [now, not now]
            else:
                for days in (1, 3, 40, 400):
                    assert change.looked_until or (ordinal in engine.run(bound, world.as_of + days * DAY).members[path]) == now
    finally:
        warehouse.close()
