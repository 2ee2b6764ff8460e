"""Instants as int64 microseconds since 1970-01-01T00:00:00Z, and text to instants."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Micros = int

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
MIN_MICROS = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
MAX_MICROS = 253_402_300_799 * SECOND + 999_999  # 9999-12-31T23:59:59.999999Z

_TEXT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?: ?(?P<zone>Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)


def clamp(micros: int) -> Micros:
    """The nearest instant that a calendar can name (years 1 to 9999)."""
    return max(MIN_MICROS, min(MAX_MICROS, micros))


def to_micros(instant: datetime) -> Micros:
    """Microseconds of an aware datetime, exactly."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (instant - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: Micros) -> datetime:
    """The aware UTC datetime of an instant (years 1 to 9999)."""
    return EPOCH + timedelta(microseconds=clamp(micros))


def local_to_micros(local: datetime, zone: ZoneInfo) -> Micros:
    """The instant of a wall-clock time in a zone.

    A time that daylight saving skips is read with the offset before the jump; of a time that happens
    twice the first is meant.
    """
    naive = local.replace(tzinfo=None)
    first = naive.replace(tzinfo=zone, fold=0)
    offset = first.utcoffset() or timedelta(0)
    micros = (naive - EPOCH.replace(tzinfo=None) - offset) // timedelta(microseconds=1)
    return clamp(micros)


def midnight(day: date, zone: ZoneInfo) -> Micros:
    """The instant at which a calendar day begins in a zone."""
    return local_to_micros(datetime(day.year, day.month, day.day), zone)


def parse_instant(text: str, zone: ZoneInfo) -> Micros | None:
    """The instant a text names, or None. A bare date is its midnight in `zone`; without an offset the zone's time is meant.

    >>> parse_instant("1970-01-02", ZoneInfo("UTC")) == DAY
    True
    >>> parse_instant("1970-01-01T01:00:00+01:00", ZoneInfo("UTC"))
    0
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        local = datetime.fromisoformat(f"{match['day']}T{match['time'] or '00:00'}")
        offset = match["zone"]
        if offset is None:
            return local_to_micros(local, zone)
        if offset in ("Z", "UTC"):
            return clamp(to_micros(local.replace(tzinfo=UTC)))
        hours, minutes = int(offset[1:3]), int(offset[-2:])
        shift = (hours * HOUR + minutes * MINUTE) * (-1 if offset[0] == "-" else 1)
        return clamp(to_micros(local.replace(tzinfo=UTC)) - shift)
    except ValueError:
        return None


def format_instant(micros: Micros) -> str:
    """ISO 8601 in UTC, as short as exactness allows.

    >>> format_instant(0)
    '1970-01-01T00:00:00Z'
    """
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def load_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None when there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
