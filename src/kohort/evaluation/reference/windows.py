"""Time operators and time operands, worked out naively with datetime and zoneinfo.

Everything is an aware datetime in UTC. SEMANTICS.md, "Windows", reads in the same order.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from kohort.foundation.calendar import Duration, Unit
from kohort.foundation.instants import Micros, parse_instant
from kohort.rules.ast import Ago, Ahead, Operand, TimeCalendar, TimeInBetweenNext, TimeOperator, TimeRange, Timestamp, TimeToday, TimeWithin

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
UNIT_MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNIT_LENGTH = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=24),
    "week": timedelta(hours=7 * 24),
}


def moment(micros: Micros) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def clocks(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks of the zone show; where they would need year 0 or 10000, what those of UTC show."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant


def wall_clock(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks of the zone show `local`: skipped times with the offset before the jump, repeated ones the first."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return wall_clock(datetime(day.year, day.month, day.day), zone)


def moved(instant: datetime, duration: Duration, sign: int, zone: ZoneInfo) -> datetime:
    """`instant` plus (sign 1) or minus (sign -1) a duration: calendar months in the zone first, then the fixed lengths."""
    months = sum(UNIT_MONTHS[unit] * amount for unit, amount in duration.parts if unit in UNIT_MONTHS)
    try:
        if months:
            instant = months_later(instant, sign * months, zone)
        for unit, amount in duration.parts:
            if unit in UNIT_LENGTH:
                instant += sign * amount * UNIT_LENGTH[unit]
    except (OverflowError, ValueError):
        return LATEST if sign > 0 else EARLIEST
    return instant


def months_later(instant: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The same wall-clock time in another month; a day that month does not have becomes its last day."""
    local = clocks(instant, zone).replace(tzinfo=None)
    month_number = local.year * 12 + (local.month - 1) + months
    year, month = month_number // 12, month_number % 12 + 1
    day = min(local.day, monthrange(year, month)[1])
    return wall_clock(local.replace(year=year, month=month, day=day), zone)


def start_of(unit: Unit, instant: datetime, zone: ZoneInfo, steps: int = 0) -> datetime:
    """The start of the calendar unit around `instant`, or of the unit `steps` later (earlier when negative)."""
    local = clocks(instant, zone)
    past_minute = timedelta(seconds=local.second, microseconds=local.microsecond)
    match unit:
        case "second":
            return instant - timedelta(microseconds=local.microsecond) + steps * UNIT_LENGTH["second"]
        case "minute":
            return instant - past_minute + steps * UNIT_LENGTH["minute"]
        case "hour":
            return instant - past_minute - timedelta(minutes=local.minute) + steps * UNIT_LENGTH["hour"]
        case "day":
            return midnight(local.date() + timedelta(days=steps), zone)
        case "week":
            monday = local.date() - timedelta(days=local.weekday())
            return midnight(monday + timedelta(days=7 * steps), zone)
        case "month" | "quarter" | "year":
            length = UNIT_MONTHS[unit]
            first = (local.year * 12 + local.month - 1) // length * length + steps * length
            return midnight(date(first // 12, first % 12 + 1, 1), zone)
        case _:
            assert_never(unit)


def instant_of(operand: Operand, as_of: datetime, zone: ZoneInfo) -> datetime:
    """The instant an operand of a time field names; a number is unix seconds."""
    match operand:
        case Ago(duration):
            return moved(as_of, duration, -1, zone)
        case Ahead(duration):
            return moved(as_of, duration, +1, zone)
        case Timestamp(text) | str(text):
            micros = parse_instant(text, zone)
            if micros is None:
                raise ValueError(f"not an instant: {text!r}")
            return moment(micros)
        case int() if not isinstance(operand, bool):
            return EPOCH + timedelta(seconds=operand)
        case _:
            raise ValueError(f"not an instant: {operand!r}")


def in_window(operator: TimeOperator, time: datetime, as_of: datetime, zone: ZoneInfo) -> bool:
    """Whether `time` lies in the operator's window; `negated` is the caller's business."""
    match operator:
        case TimeWithin(key="TimeWithinPast", amount=amount, unit=unit):
            return moved(as_of, Duration.of(amount, unit), -1, zone) < time <= as_of
        case TimeWithin(key="TimeWithinNext", amount=amount, unit=unit):
            return as_of < time <= moved(as_of, Duration.of(amount, unit), +1, zone)
        case TimeToday(key="TimeToday"):
            return start_of("day", as_of, zone) <= time < start_of("day", as_of, zone, 1)
        case TimeToday(key="TimeTodayAndBeyond"):
            return start_of("day", as_of, zone) <= time
        case TimeCalendar(key="TimeThis", unit=unit):
            return start_of(unit, as_of, zone) <= time <= as_of
        case TimeCalendar(key="TimeLast", unit=unit):
            return start_of(unit, as_of, zone, -1) <= time < start_of(unit, as_of, zone)
        case TimeCalendar(key="TimeNext", unit=unit):
            return start_of(unit, as_of, zone, 1) <= time < start_of(unit, as_of, zone, 2)
        case TimeInBetweenNext(low, high):
            return moved(as_of, low, +1, zone) <= time <= moved(as_of, high, +1, zone)
        case TimeRange():
            return _in_range(operator, time, as_of, zone)
        case _:
            raise AssertionError(operator)


def _in_range(operator: TimeRange, time: datetime, as_of: datetime, zone: ZoneInfo) -> bool:
    if isinstance(operator.start, Ago):
        start = moved(as_of, operator.start.duration, -1, zone)
    else:
        start = start_of(operator.start, as_of, zone)
    if operator.duration is None:
        return start <= time <= as_of
    if operator.reverse:
        return moved(start, operator.duration, -1, zone) <= time < start
    return start <= time < moved(start, operator.duration, +1, zone)
