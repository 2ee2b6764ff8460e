"""How the population of a segment develops: one figure a day, and growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from kohort.foundation.instants import SECOND, Micros, from_micros, midnight

ONE_DAY = timedelta(days=1)
GROWTH_DAYS = (1, 7, 30)


@dataclass(frozen=True, slots=True)
class DayPopulation:
    """The population of one calendar day. `has_run` is False when nothing was evaluated that day and the last figure is carried over.

    `starts_at`: the day's midnight in the parent segment's zone, microseconds.
    """

    day: date
    starts_at: Micros
    population: int
    has_run: bool

    @property
    def row(self) -> tuple[int, int, bool]:
        """[epoch in seconds, population, hasRun]."""
        return (self.starts_at // SECOND, self.population, self.has_run)


@dataclass(frozen=True, slots=True)
class Growth:
    """How a population changed over some days. `before` is None when nothing is known of that day; `ratio` also when it was 0."""

    days: int
    before: int | None
    change: int | None
    ratio: float | None


def day_of(instant: Micros, zone: ZoneInfo) -> date:
    """The calendar day of an instant in a zone."""
    return from_micros(instant).astimezone(zone).date()


def daily_populations(points: Sequence[tuple[Micros, int]], zone: ZoneInfo, first: date, last: date) -> list[DayPopulation]:
    """One figure for every day from `first` to `last`: the last one of that day, else the one before it.

    points: (as of, population), oldest first. Days before the first point, and days that the zone's calendar skips, are left out.
    """
    by_day = {day_of(at, zone): population for at, population in points}
    earlier = [day for day in by_day if day < first]
    current = by_day[max(earlier)] if earlier else None
    found, day = [], first
    while day <= last:
        current = by_day.get(day, current)
        if current is not None and midnight(day, zone) < midnight(day + ONE_DAY, zone):
            found.append(DayPopulation(day, midnight(day, zone), current, day in by_day))
        day += ONE_DAY
    return found


def growth(points: Sequence[tuple[Micros, int]], zone: ZoneInfo, last: date, days: int) -> Growth:
    """The population of the day `last` against that of `days` days before. points: (as of, population), oldest first."""
    now, before = (daily_populations(points, zone, day, day) for day in (last, last - timedelta(days=days)))
    if not now or not before:
        return Growth(days, None, None, None)
    then, change = before[0].population, now[0].population - before[0].population
    return Growth(days, then, change, change / then if then else None)
