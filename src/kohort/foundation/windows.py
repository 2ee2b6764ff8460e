"""Time windows as data: two edges that become instants once `as_of` is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from kohort.foundation.calendar import Duration, Interval, Unit, add, subtract, unit_start
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, Micros


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a window.

    anchor: open (no bound), as_of, unit_start (start of the calendar `unit` around as_of, moved by `offset` units) or
    absolute (`instant`, microseconds). `shifts` are applied to the anchor in order: (+1 | -1, duration).
    """

    anchor: Literal["open", "as_of", "unit_start", "absolute"]
    included: bool = True
    shifts: tuple[tuple[Literal[1, -1], Duration], ...] = ()
    unit: Unit = "day"
    offset: int = 0
    instant: Micros = 0

    @property
    def is_fixed(self) -> bool:
        """True when the edge does not move with as_of."""
        return self.anchor in ("open", "absolute")

    def at(self, as_of: Micros, zone: ZoneInfo) -> Micros | None:
        """The instant of this edge; None when open."""
        if self.anchor == "open":
            return None
        if self.anchor == "as_of":
            instant = as_of
        elif self.anchor == "unit_start":
            instant = unit_start(as_of, self.unit, zone, self.offset)
        else:
            instant = self.instant
        for sign, duration in self.shifts:
            instant = add(instant, duration, zone) if sign > 0 else subtract(instant, duration, zone)
        return instant


@dataclass(frozen=True, slots=True)
class Window:
    """From `low` to `high`. `unordered`: the edges may stand in either order ("between the past 1 and 5 days")."""

    low: Edge
    high: Edge
    unordered: bool = False

    def interval(self, as_of: Micros, zone: ZoneInfo) -> Interval:
        """The instants of this window at `as_of`; empty when the edges cross."""
        low, high = self.low.at(as_of, zone), self.high.at(as_of, zone)
        if self.unordered and low is not None and high is not None and low > high:
            return Interval(high, low, self.high.included, self.low.included)
        return Interval(
            MIN_MICROS if low is None else low,
            MAX_MICROS if high is None else high,
            self.low.included or low is None,
            self.high.included or high is None,
        )


OPEN = Edge("open")
