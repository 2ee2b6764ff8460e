"""Values of fields for people: instants in the parent segment's zone, sums with their thousands apart, keys as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kohort.web.studio.formats import value_text


@dataclass(frozen=True, slots=True)
class Values:
    """Writes values. zone: the one in which people of this parent segment live."""

    zone: ZoneInfo

    def at(self, instant: datetime | str) -> str:
        """An instant as the zone's clocks show it, as short as exactness allows; midnight is the day alone.

        >>> Values(ZoneInfo("Asia/Tokyo")).at("2024-01-31T15:30:00Z")
        '2024-02-01 00:30'
        """
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        local = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(self.zone)
        if local.microsecond:
            return f"{local:%Y-%m-%d %H:%M:%S.%f}"
        if local.second:
            return f"{local:%Y-%m-%d %H:%M:%S}"
        return f"{local:%Y-%m-%d %H:%M}" if local.hour or local.minute else f"{local:%Y-%m-%d}"

    def clock(self, instant: datetime) -> str:
        """The time of day of an instant."""
        local = instant.astimezone(self.zone)
        return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"

    def day(self, day: date) -> str:
        """A day in words.

        >>> Values(ZoneInfo("UTC")).day(date(2021, 3, 20))
        'Mar 20, 2021'
        """
        return f"{day:%b} {day.day}, {day.year}"

    def cell(self, value: Any) -> str:
        """A value of a field; whole numbers as they are, for they may be keys; floats to 6 digits, two of them after the point.

        >>> Values(ZoneInfo("UTC")).cell(Decimal("1725.25")), Values(ZoneInfo("UTC")).cell(406123)
        ('1,725.25', '406123')
        """
        match value:
            case datetime():
                return self.at(value)
            case float():
                return number_text(_rounded(value))
            case Decimal():
                return number_text(value)
            case list() | tuple():
                return ", ".join(self.cell(item) for item in value)
            case _:
                return value_text(value)


def _rounded(value: float) -> float:
    """A float to 6 digits, at least two of them after the point.

    >>> _rounded(0.09237609498418586), _rounded(24879.754)
    (0.0923761, 24879.75)
    """
    if not value or not math.isfinite(value):
        return value
    return round(value, max(2, 5 - math.floor(math.log10(abs(value)))))


def number_text(value: float | Decimal | str) -> str:
    """A number with its thousands apart and its digits as they are.

    >>> number_text("1234.50"), number_text(3.0), number_text("abc")
    ('1,234.50', '3', 'abc')
    """
    if isinstance(value, str):
        try:
            return f"{Decimal(value):,f}"
        except (ArithmeticError, ValueError):
            return value
    if isinstance(value, float):
        return f"{int(value):,}" if value.is_integer() and abs(value) < 1e15 else f"{value:,}"
    return f"{value:,f}"
