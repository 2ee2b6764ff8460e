"""Explanations: verdicts are the oracle's, what turns the verdict does turn it, and it changes exactly when it is said to."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given

from kohort.evaluation.explain import Explanation, Inquiry, LimitOutcome, Limits, OneProfile, explain, walk
from kohort.evaluation.reference import segment_members
from kohort.foundation.instants import DAY, MAX_MICROS
from kohort.rules.ast import AttributeCondition, Comparison, Group, ReferenceCondition
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph
from kohort.testing.dataset import Dataset
from kohort.testing.strategies import World, world_of, worlds
from tests.evaluation.test_properties import FAST


def outcomes(world: World, customer: str) -> Limits:
    """What every limit of a world does to one profile, by the oracle over everybody."""
    found = {}
    for segment in world.segments.values():
        for place, condition in walk(segment.rule):
            if condition.limit is None:
                continue
            part = Segment("\0part", rule=Group("all", (condition,)), base=segment.base)
            whole = replace(part, rule=Group("all", (replace(condition, limit=None),)))
            kept, candidates = (
                segment_members("\0part", world.dataset, world.as_of, {**world.segments, "\0part": one}) for one in (part, whole)
            )
            rank = None if customer not in candidates else 1
            found[segment.path, place] = LimitOutcome(len(candidates), len(kept), rank, customer in kept)
    return found


def explanations(world: World, customers: int = 2) -> list[tuple[str, str, Explanation]]:
    """(path, customer, explanation) of every segment and variant for some of the profiles."""
    found = []
    for profile in world.dataset.profiles[:customers]:
        limits = outcomes(world, profile.id)
        for path in SegmentGraph.of(world.segments.values()).owners:
            inquiry = Inquiry(path, world.segments, world.dataset.catalog, profile, world.as_of, limits)
            found.append((path, profile.id, explain(inquiry)))
    return found


def assert_verdicts_agree(world: World) -> None:
    for path, customer, explanation in explanations(world):
        expected = customer in segment_members(path, world.dataset, world.as_of, world.segments)
        assert explanation.holds == expected, f"{path} {customer}\n{world!r}"


def assert_changes_when_said(world: World, random: Random) -> None:
    profiles = {profile.id: profile for profile in world.dataset.profiles}
    for path, customer, explanation in explanations(world, 1):
        change = explanation.next
        if change is None:
            continue
        data = OneProfile(world.dataset.catalog, (profiles[customer],))

        def verdict(at: int, path: str = path, data: OneProfile = data) -> bool:
            return bool(segment_members(path, data, at, world.segments))

        until = change.at or change.unchanged_until or min(world.as_of + 800 * DAY, MAX_MICROS)
        where = f"{path} {customer} {change}\n{world!r}"
        for at in [until - 1, *(random.randint(world.as_of, until - 1) for _ in range(8))]:
            assert verdict(at) == explanation.holds, f"{at}: {where}"
        if change.at is not None:
            assert verdict(change.at) != explanation.holds, where


@FAST
@given(world=worlds())
def test_verdicts_are_the_oracles(world: World) -> None:
    assert_verdicts_agree(world)


@pytest.mark.parametrize("batch", range(2))
def test_the_verdict_changes_when_it_is_said_to(batch: int) -> None:
    for seed in range(15 * batch, 15 * batch + 15):
        assert_changes_when_said(world_of(seed, profiles=3, segments=6), Random(seed))


def test_a_base_that_is_referred_to_as_well_is_one_condition() -> None:
    data = Dataset.from_mapping({"attributes": {"n": "int64"}, "profiles": {"a": {"n": 1}}})
    inside, outside = ReferenceCondition("A's"), ReferenceCondition("A's", exclude=True)
    base = Segment("A's", rule=Group("all", (AttributeCondition("n", Comparison("Greater", 5)),)))

    def change(*rule: ReferenceCondition) -> tuple[str, ...] | None:
        segments = {"A's": base, "B": Segment("B", rule=Group("all", rule), base="A's")}
        found = explain(Inquiry("B", segments, data.catalog, data.profiles[0], 0)).change
        return None if found is None else tuple(turn.text for turn in found)

    assert change() == change(inside) == ("in segment 'A''s'",)
    assert change(outside) is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(4))
def test_explanations_of_many_seeds(batch: int) -> None:
    for seed in range(1000 + 50 * batch, 1050 + 50 * batch):
        world = world_of(seed)
        assert_verdicts_agree(world)
        assert_changes_when_said(world, Random(seed))
