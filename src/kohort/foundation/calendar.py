"""Calendar arithmetic and time windows: what "the past 30 days" or "last month" are at one instant.

SEMANTICS.md, "Windows", is the specification.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from kohort.foundation.instants import DAY, HOUR, MAX_MICROS, MIN_MICROS, MINUTE, SECOND, WEEK, Micros, clamp, from_micros, local_to_micros

Unit = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
UNITS: tuple[Unit, ...] = get_args(Unit)

FIXED_MICROS: dict[str, int] = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK}
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in calendar words, e.g. 7 days or 1 month and 2 days.

    `parts` are (unit, whole number >= 0), each unit once, largest unit first. Weeks and smaller have fixed
    lengths (a day is 24 hours); months, quarters and years are calendar steps in the zone.
    """

    parts: tuple[tuple[Unit, int], ...]

    @staticmethod
    def of(amount: int, unit: Unit) -> Duration:
        return Duration(((unit, amount),))

    @staticmethod
    def from_mapping(parts: dict[Unit, int]) -> Duration:
        return Duration(tuple((unit, parts[unit]) for unit in UNITS if unit in parts))

    @property
    def is_fixed(self) -> bool:
        """True when no month, quarter or year is in it, so that its length is the same everywhere."""
        return all(unit in FIXED_MICROS for unit, _ in self.parts)

    @property
    def fixed_micros(self) -> int:
        """The length in microseconds of the fixed parts (weeks and smaller)."""
        return sum(FIXED_MICROS[unit] * amount for unit, amount in self.parts if unit in FIXED_MICROS)

    @property
    def months(self) -> int:
        """The calendar part in months."""
        return sum(MONTHS[unit] * amount for unit, amount in self.parts if unit in MONTHS)


@dataclass(frozen=True, slots=True)
class Interval:
    """Instants between `low` and `high`, in microseconds; each end belongs to it or not."""

    low: Micros
    high: Micros
    low_included: bool = True
    high_included: bool = False

    @property
    def first(self) -> Micros:
        """The first microsecond inside."""
        return self.low if self.low_included else self.low + 1

    @property
    def last(self) -> Micros:
        """The last microsecond inside; smaller than `first` when the interval is empty."""
        return self.high if self.high_included else self.high - 1

    def __contains__(self, instant: Micros) -> bool:
        return self.first <= instant <= self.last


def _wall_clock(instant: Micros, zone: ZoneInfo) -> datetime:
    """What the clocks of the zone show; where they would need year 0 or 10000, what those of UTC show."""
    utc = from_micros(instant)
    try:
        return utc.astimezone(zone)
    except OverflowError:
        return utc


def add_months(instant: Micros, months: int, zone: ZoneInfo) -> Micros:
    """Calendar addition in the zone; the day is clamped to the month's end. Saturates at years 1 and 9999."""
    if months == 0:
        return instant
    local = _wall_clock(instant, zone)
    index = local.year * 12 + local.month - 1 + months
    year, month = divmod(index, 12)
    if year < 1:
        return MIN_MICROS
    if year > 9999:
        return MAX_MICROS
    day = min(local.day, monthrange(year, month + 1)[1])
    moved = local.replace(year=year, month=month + 1, day=day, tzinfo=None)
    return local_to_micros(moved, zone)


def add(instant: Micros, duration: Duration, zone: ZoneInfo) -> Micros:
    """`instant` + duration: first the calendar months, then the fixed rest."""
    return clamp(add_months(instant, duration.months, zone) + duration.fixed_micros)


def subtract(instant: Micros, duration: Duration, zone: ZoneInfo) -> Micros:
    """`instant` - duration: first the calendar months, then the fixed rest."""
    return clamp(add_months(instant, -duration.months, zone) - duration.fixed_micros)


def unit_start(instant: Micros, unit: Unit, zone: ZoneInfo, offset: int = 0) -> Micros:
    """The start of the calendar unit around `instant` in the zone, moved by `offset` units. Weeks start on Monday."""
    local = _wall_clock(instant, zone)
    if unit in ("hour", "minute", "second"):
        length = FIXED_MICROS[unit]
        shift = (local.utcoffset() or timedelta(0)) // timedelta(microseconds=1)
        return clamp((instant + shift) // length * length - shift + offset * length)
    day = datetime(local.year, local.month, local.day)
    try:
        if unit == "day":
            day += timedelta(days=offset)
        elif unit == "week":
            day += timedelta(days=7 * offset - day.weekday())
        else:
            step = MONTHS[unit]
            index = (day.year * 12 + day.month - 1) // step * step + offset * step
            day = datetime(index // 12, index % 12 + 1, 1)
    except (OverflowError, ValueError):
        return MIN_MICROS if offset < 0 else MAX_MICROS
    return local_to_micros(day, zone)
