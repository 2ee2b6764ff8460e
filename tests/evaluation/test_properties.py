"""Random rules over random data at random instants: every evaluator says what the reference says.

A failure shows the whole world; `world_of(seed)` makes that of a seed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from kohort.evaluation.reference import segment_members
from kohort.evaluation.reference.windows import moment, moved, start_of
from kohort.foundation.calendar import UNITS, Duration, add, subtract, unit_start
from kohort.foundation.instants import DAY, HOUR, parse_instant
from kohort.rules.ast import Rule
from kohort.rules.check import check_rule
from kohort.rules.normalize import meaning, normalize
from kohort.rules.rulesets import to_rule_sets
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph
from kohort.testing.draw_values import ZONES
from kohort.testing.evaluators import IndexEvaluator, SqlEvaluator
from kohort.testing.strategies import World, world_of, worlds

CALM = list(HealthCheck)
FAST = settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=CALM, database=None)
DEEP = settings(max_examples=600, deadline=None, suppress_health_check=CALM, print_blob=True)
SEEDS = 3  # batches of 20 worlds
DEEP_SEEDS = 15  # batches of 100


@pytest.fixture(scope="module")
def sql() -> Iterator[SqlEvaluator]:
    with SqlEvaluator() as evaluator:
        yield evaluator


def reference(world: World, segments: Mapping[str, Segment] | None = None) -> dict[str, set[str]]:
    """The members of every segment and variant, by the oracle."""
    known = world.segments if segments is None else segments
    return {path: segment_members(path, world.dataset, world.as_of, known) for path in SegmentGraph.of(known.values()).owners}


@pytest.fixture(scope="module")
def index() -> Iterator[IndexEvaluator]:
    with IndexEvaluator(threads=2) as evaluator:
        yield evaluator


def assert_agrees(world: World, evaluator: SqlEvaluator | IndexEvaluator) -> None:
    evaluator.forget()
    found, expected = evaluator.all_members(world.dataset, world.segments, world.as_of), reference(world)
    wrong = {path: (sorted(expected[path]), sorted(found[path])) for path in expected if found[path] != expected[path]}
    assert not wrong, f"{wrong}\n{world!r}"


@FAST
@given(world=worlds())
def test_sql_agrees(world: World, sql: SqlEvaluator) -> None:
    assert_agrees(world, sql)


@pytest.mark.parametrize("batch", range(SEEDS))
def test_sql_agrees_on_seeds(batch: int, sql: SqlEvaluator) -> None:
    for seed in range(20 * batch, 20 * batch + 20):
        assert_agrees(world_of(seed), sql)


@settings(FAST, max_examples=15)
@given(world=worlds())
def test_index_agrees(world: World, index: IndexEvaluator) -> None:
    assert_agrees(world, index)


@pytest.mark.parametrize("batch", range(2))
def test_index_agrees_on_seeds(batch: int, index: IndexEvaluator) -> None:
    for seed in range(300 + 15 * batch, 315 + 15 * batch):
        assert_agrees(world_of(seed), index)


def test_index_agrees_on_many_profiles(index: IndexEvaluator) -> None:
    for seed in range(400, 403):
        assert_agrees(world_of(seed, profiles=120), index)


def test_the_statement_agrees_on_seeds(sql: SqlEvaluator) -> None:
    for seed in range(200, 212):
        world = world_of(seed)
        sql.forget()
        assert sql.statement_members(world.dataset, world.segments, world.as_of) == reference(world), f"seed {seed}: {world!r}"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
@DEEP
@given(world=worlds())
def test_sql_agrees_at_length(world: World, sql: SqlEvaluator) -> None:
    assert_agrees(world, sql)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", [0, 1, *(pytest.param(batch, marks=pytest.mark.long) for batch in range(2, DEEP_SEEDS))])
def test_sql_agrees_on_many_seeds(batch: int, sql: SqlEvaluator) -> None:
    for seed in range(10_000 + 100 * batch, 10_100 + 100 * batch):
        assert_agrees(world_of(seed), sql)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", [0, 1, *(pytest.param(batch, marks=pytest.mark.long) for batch in range(2, DEEP_SEEDS))])
def test_index_agrees_on_many_seeds(batch: int, index: IndexEvaluator) -> None:
    for seed in range(20_000 + 100 * batch, 20_100 + 100 * batch):
        assert_agrees(world_of(seed), index)


# --- calendars --------------------------------------------------------------------------------------------------

JUMPS = [
    f"{year}-{month_day}T00:00:00Z"
    for year in (1995, 2018, 2019, 2024)
    for month_day in ("01-01", "02-16", "02-29", "03-10", "03-31", "04-07", "10-21", "10-27", "11-03", "12-31")
    if month_day != "02-29" or year == 2024
]
FAR_ZONES = [*ZONES, "Europe/London", "Asia/Beirut", "Pacific/Apia", "Pacific/Chatham", "America/St_Johns", "Africa/Casablanca"]


@pytest.mark.parametrize("name", FAR_ZONES)
def test_calendars_agree(name: str) -> None:
    zone, random = ZoneInfo(name), Random(name)
    for text in JUMPS:
        day = parse_instant(text, zone)
        assert day is not None
        for _ in range(12):
            micros = day + random.choice([0, -1, 1, random.randrange(-2 * DAY, 2 * DAY), random.randrange(-48, 48) * HOUR // 2])
            instant, unit, steps = moment(micros), random.choice(UNITS), random.randrange(-3, 4)
            duration = Duration(((unit, abs(steps)), *((("second", 1),) if unit != "second" else ())))
            where = f"{instant} {unit} {steps}"
            assert moment(unit_start(micros, unit, zone, steps)) == start_of(unit, instant, zone, steps), where
            assert moment(add(micros, duration, zone)) == moved(instant, duration, 1, zone), where
            assert moment(subtract(micros, duration, zone)) == moved(instant, duration, -1, zone), where


# --- other forms of a rule mean the same ------------------------------------------------------------------------


def rewritten(world: World, rewrite: Mapping[str, Rule]) -> dict[str, Segment]:
    return {path: replace(segment, rule=rewrite[path]) for path, segment in world.segments.items()}


@pytest.mark.parametrize("batch", range(3))
def test_random_rules_pass_the_check(batch: int) -> None:
    for seed in range(50 * batch, 50 * batch + 50):
        world = world_of(seed)
        names = list(SegmentGraph.of(world.segments.values()).owners)
        for segment in world.segments.values():
            assert not check_rule(segment.rule, world.dataset.catalog, names).errors, f"seed {seed}: {segment!r}"


@pytest.mark.parametrize("batch", range(3))
def test_the_normal_form_means_the_same(batch: int) -> None:
    for seed in range(50 * batch, 50 * batch + 50):
        world = world_of(seed)
        normal = {path: normalize(segment.rule) for path, segment in world.segments.items()}
        assert reference(world, rewritten(world, normal)) == reference(world), f"seed {seed}: {world!r}"
        assert {path: meaning(rule) for path, rule in normal.items()} == {
            path: meaning(segment.rule) for path, segment in world.segments.items()
        }


@pytest.mark.parametrize("batch", range(3))
def test_the_rule_sets_form_means_the_same(batch: int) -> None:
    for seed in range(50 * batch, 50 * batch + 50):
        world = world_of(seed)
        sets = {path: to_rule_sets(segment.rule) for path, segment in world.segments.items()}
        assert reference(world, rewritten(world, sets)) == reference(world), f"seed {seed}: {world!r}"
