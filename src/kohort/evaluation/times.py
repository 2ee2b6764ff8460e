"""Windows as bounds on columns: instants for timestamps, calendar days for dates."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from kohort.foundation.calendar import Interval
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, Micros, midnight
from kohort.foundation.windows import Window

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAYS = range(1, date.max.toordinal() + 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of an evaluation and the zone of its calendar words."""

    as_of: Micros
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `first` to `last`, both included (microseconds or days since 1970); None is open. Empty when they cross."""

    first: int | None
    last: int | None

    @property
    def is_empty(self) -> bool:
        return self.first is not None and self.last is not None and self.first > self.last


def instants(window: Window, moment: Moment) -> Bounds:
    """The window as microseconds; ends at the edge of the calendar are open."""
    interval = window.interval(moment.as_of, moment.zone)
    if interval.first > interval.last or interval.first > MAX_MICROS or interval.last < MIN_MICROS:
        return Bounds(1, 0)
    return Bounds(
        None if interval.first <= MIN_MICROS else interval.first,
        None if interval.last >= MAX_MICROS else interval.last,
    )


def days(window: Window, moment: Moment) -> Bounds:
    """The days whose midnight in the zone lies in the window, as days since 1970-01-01."""
    interval: Interval = window.interval(moment.as_of, moment.zone)
    first = bisect_left(_DAYS, interval.first, key=lambda day: _midnight(day, moment.zone))
    last = bisect_right(_DAYS, interval.last, key=lambda day: _midnight(day, moment.zone))
    if first >= last:
        return Bounds(1, 0)
    return Bounds(
        None if first == 0 else _DAYS[first] - _EPOCH_DAY,
        None if last == len(_DAYS) else _DAYS[last - 1] - _EPOCH_DAY,
    )


def _midnight(day: int, zone: ZoneInfo) -> Micros:
    return midnight(date.fromordinal(day), zone)
