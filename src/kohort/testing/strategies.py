"""Random parent segments, instants and rules that fit them: few profiles, nasty values, times on the edges of windows.

A `World` is made of all of it together, so that times in the data, literals in the rules and `as_of` meet at the same
instants. `worlds()` draws one with Hypothesis, which makes a failing one small; `world_of(seed)` makes one at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from kohort.foundation.instants import Micros, format_instant, to_micros
from kohort.parent.catalog import FieldCatalog
from kohort.segments.definition import Segment
from kohort.testing.dataset import Dataset
from kohort.testing.draw_rules import RuleDraws
from kohort.testing.draw_values import ATTRIBUTES, BEHAVIORS, INSTANTS, ZONES, Integers


@dataclass(frozen=True)
class World:
    """A dataset, an instant and segments over it (each may refer to those before it)."""

    dataset: Dataset
    as_of: Micros
    segments: dict[str, Segment]

    def __repr__(self) -> str:
        lines = [f"as of {format_instant(self.as_of)} in {self.dataset.catalog.timezone}"]
        lines += [f"  {profile!r}" for profile in self.dataset.profiles]
        return "\n".join([*lines, *(f"  {segment!r}" for segment in self.segments.values())])


@st.composite
def worlds(draw: st.DrawFn, profiles: int = 5, segments: int = 5) -> World:
    """Random worlds with at most so many profiles and segments."""
    return make_world(lambda low, high: draw(st.integers(low, high)), profiles, segments)


def world_of(seed: int, profiles: int = 8, segments: int = 12) -> World:
    """The world of a seed."""
    return make_world(Random(seed).randint, profiles, segments)


def make_world(integers: Integers, profiles: int, segments: int) -> World:
    """Everything an evaluator needs; every choice is a number from `integers`."""
    zone = ZoneInfo(ZONES[integers(0, len(ZONES) - 1)])
    if integers(0, 3):
        as_of = _micros(INSTANTS[integers(0, len(INSTANTS) - 1)])
    else:
        as_of = integers(_micros("1999-01-01T00:00:00Z"), _micros("2035-01-01T00:00:00Z"))
    maker = RuleDraws(integers, zone, as_of)
    catalog = FieldCatalog(ATTRIBUTES, BEHAVIORS, zone.key)
    dataset = Dataset(catalog, maker.profiles(profiles))
    made: dict[str, Segment] = {}
    for number in range(integers(1, segments)):
        segment = maker.segment(f"S{number}", made)
        made[segment.path] = segment
    return World(dataset, as_of, made)


def _micros(text: str) -> Micros:
    return to_micros(datetime.fromisoformat(text.replace("Z", "+00:00")))
