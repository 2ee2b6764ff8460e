"""When a parent segment refreshes: the schedule's two spellings (`type: daily` with keys, and `daily>: 07:00:00`) and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, get_args

from kohort.foundation.instants import load_zone
from kohort.foundation.issues import Issues, Path, did_you_mean
from kohort.parent.definition import Schedule, ScheduleType
from kohort.parent.reading import Reader

TYPES: tuple[ScheduleType, ...] = get_args(ScheduleType)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_INLINE = tuple(f"{name}>" for name in TYPES if name != "none")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CRON_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number + 1 for number, name in enumerate(_MONTHS)}),
    ("day of the week", 0, 7, {name[:3].lower(): number for number, name in enumerate(WEEKDAYS)}),
)


def read_schedule(value: Any, path: Path, issues: Issues) -> Schedule:
    """The schedule written at `path`; problems go to `issues`."""
    reader = Reader(value, path, issues, "the schedule")
    inline = [key for key in reader.values if key in _INLINE]
    kind: str
    fields: dict[str, Any]
    if inline:
        kind, fields = _read_inline(reader, inline)
    else:
        kind, fields = _read_keys(reader)
    timezone = reader.first_text("timezone", "time_zone")
    if timezone and load_zone(timezone) is None:
        issues.error(
            "INVALID_TIMEZONE", f'there is no time zone "{timezone}"', (*path, "timezone"), "write an IANA name such as Asia/Tokyo"
        )
    schedule = Schedule(
        type=_as_type(kind),
        timezone=timezone,
        delay_seconds=reader.whole("delay", low=0, high=10**9),
        start=_read_day(reader, "start"),
        end=_read_day(reader, "end"),
        skip_on_overtime=reader.flag("skip_on_overtime"),
        skip_delayed_by=_read_length(reader, "skip_delayed_by"),
        **fields,
    )
    if schedule.start and schedule.end and schedule.start > schedule.end:
        issues.error("INVALID_SCHEDULE", f"the schedule starts ({schedule.start}) after its end ({schedule.end})", (*path, "start"))
    reader.finish()
    return schedule


def schedule_to_document(schedule: Schedule) -> dict[str, Any]:
    """The `type:` spelling of a schedule; keys not written stay away."""
    document: dict[str, Any] = {"type": schedule.type}
    if schedule.time:
        document["time"] = schedule.time
    if schedule.minutes:
        document["minutes"] = schedule.minutes
    if schedule.days:
        document["repeat_sub_frequency"] = [int(day) if day.isdecimal() else day for day in schedule.days]
    options = {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "delay": schedule.delay_seconds,
        "start": schedule.start,
        "end": schedule.end,
        "skip_on_overtime": schedule.skip_on_overtime,
        "skip_delayed_by": schedule.skip_delayed_by,
    }
    return document | {key: value for key, value in options.items() if value}


def describe_schedule(schedule: Schedule) -> str:
    """A schedule in words.

    >>> describe_schedule(Schedule("weekly", time="03:00:00", days=("Monday",), timezone="UTC"))
    'weekly on Monday at 03:00:00 (UTC)'
    """
    match schedule.type:
        case "none":
            return "on demand"
        case "minutes_interval":
            text = f"every {schedule.minutes} minutes"
        case "cron":
            text = f"cron {schedule.cron}"
        case "monthly":
            text = f"monthly on day {', '.join(schedule.days) or '1'}"
        case "weekly":
            text = f"weekly on {', '.join(schedule.days) or 'Sunday'}"
        case "hourly" | "daily":
            text = schedule.type
    text += f" at {schedule.time}" if schedule.time else ""
    return text + (f" ({schedule.timezone})" if schedule.timezone else "")


def _as_type(kind: str) -> ScheduleType:
    return next((name for name in TYPES if name == kind), "none")


def _problem(reader: Reader, key: str, message: str, hint: str = "") -> None:
    reader.issues.error("INVALID_SCHEDULE", message, (*reader.path, key), hint)


# --- the `type:` spelling ----------------------------------------------------------------------------------------


def _read_keys(reader: Reader) -> tuple[str, dict[str, Any]]:
    kind = reader.text("type", required=True, hint=f"one of {', '.join(TYPES)}")
    if kind and kind not in TYPES:
        _problem(reader, "type", f'there is no schedule type "{kind}"', did_you_mean(kind, TYPES))
        kind = ""
    time = _read_time(reader, "time", reader.text("time"), hourly=kind == "hourly")
    days = tuple(day for item, path in reader.items("repeat_sub_frequency") if (day := _read_day_of(reader, kind, item, path)))
    cron = _read_cron(reader, "cron", reader.text("cron"))
    minutes = max(reader.whole(key, low=1, high=100_000) for key in ("minutes", "interval"))
    allowed = {
        "time": kind in ("hourly", "daily", "weekly", "monthly"),
        "repeat_sub_frequency": kind in ("weekly", "monthly"),
        "cron": kind == "cron",
        "minutes": kind == "minutes_interval",
        "interval": kind == "minutes_interval",
    }
    for key, fits in allowed.items():
        if kind and not fits and reader.has(key):
            _problem(reader, key, f'"{key}" does not belong to a schedule of type {kind}', "remove it or change the type")
    if kind == "cron" and not reader.has("cron"):
        _problem(reader, "type", "a schedule of type cron needs its expression", 'for example cron: "0 3 * * *"')
    if kind == "minutes_interval" and not reader.has("minutes", "interval"):
        _problem(reader, "type", "a schedule of type minutes_interval needs its number", "for example minutes: 30")
    return kind, {"time": time, "days": days, "cron": cron, "minutes": minutes}


def _read_day_of(reader: Reader, kind: str, item: Any, path: Path) -> str:
    text = str(item).strip() if isinstance(item, str | int) and not isinstance(item, bool) else ""
    day = _month_day(text) if kind == "monthly" else _weekday(text)
    if not day and kind in ("weekly", "monthly"):
        wanted = "a day of the month from 1 to 31" if kind == "monthly" else "a day of the week such as Monday"
        reader.issues.error(
            "INVALID_SCHEDULE", f"{item!r} is not {wanted}", path, "" if kind == "monthly" else did_you_mean(text, WEEKDAYS)
        )
    return day


# --- the digdag spelling -----------------------------------------------------------------------------------------


def _read_inline(reader: Reader, keys: list[str]) -> tuple[str, dict[str, Any]]:
    key = keys[0]
    for other in keys[1:]:
        reader.raw(other)
        _problem(reader, other, f'a schedule has one command; there is "{key}" already')
    kind, value = key[:-1], reader.raw(key)
    if value is None:
        value, key = reader.raw("at"), "at" if reader.has("at") else key
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    match kind:
        case "hourly":
            return kind, {"time": _read_time(reader, key, text, hourly=True, required=True)}
        case "daily":
            return kind, {"time": _read_time(reader, key, text, required=True)}
        case "weekly" | "monthly":
            first, comma, rest = text.partition(",")
            day = _weekday(first.strip()) if kind == "weekly" else _month_day(first.strip())
            if not comma or not day:
                example = "Mon,07:00:00" if kind == "weekly" else "1,07:00:00"
                _problem(reader, key, f'"{key}" wants a day and a time, not {text!r}', f"for example {kind}>: {example}")
                return kind, {}
            return kind, {"days": (day,), "time": _read_time(reader, key, rest.strip(), required=True)}
        case "minutes_interval":
            if text.isdecimal() and int(text) > 0:
                return kind, {"minutes": int(text)}
            _problem(reader, key, f'"{key}" wants a number of minutes, not {text!r}', "for example minutes_interval>: 30")
            return kind, {}
        case _:
            if not text:
                _problem(reader, key, f'"{key}" wants a cron expression', 'for example cron>: "0 3 * * *"')
            return kind, {"cron": _read_cron(reader, key, text)}


# --- parts -------------------------------------------------------------------------------------------------------


def _read_time(reader: Reader, key: str, text: str, *, hourly: bool = False, required: bool = False) -> str:
    if not text and not required:
        return ""
    wanted = "MM:SS" if hourly else "HH:MM:SS"
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
    if found:
        parts = [int(part) for part in found.groups() if part is not None]
        if len(parts) == 2:
            parts = [0, *parts] if hourly else [*parts, 0]
        if parts[0] <= (0 if hourly else 23) and parts[1] <= 59 and parts[2] <= 59:
            return f"{parts[0]:02}:{parts[1]:02}:{parts[2]:02}"
    _problem(reader, key, f"{text!r} is not a time {wanted}", "for example 30:00" if hourly else 'for example "03:00:00"')
    return ""


def _weekday(text: str) -> str:
    if text.isdecimal() and int(text) <= 7:
        return WEEKDAYS[int(text) % 7]
    return next((day for day in WEEKDAYS if text.lower() in (day.lower(), day[:3].lower())), "")


def _month_day(text: str) -> str:
    return str(int(text)) if text.isdecimal() and 1 <= int(text) <= 31 else ""


def _read_day(reader: Reader, key: str) -> str:
    text = reader.text(key)
    if not text:
        return ""
    try:
        return date.fromisoformat(text).isoformat() if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else _bad_day(reader, key, text)
    except ValueError:
        return _bad_day(reader, key, text)


def _bad_day(reader: Reader, key: str, text: str) -> str:
    _problem(reader, key, f"{text!r} is not a calendar day", "write it as 2026-01-31")
    return ""


def _read_length(reader: Reader, key: str) -> str:
    text = reader.text(key)
    if text and not re.fullmatch(r"(\d+\s*(d|h|m|s|days?|hours?|minutes?|seconds?)\s*)+", text):
        _problem(reader, key, f"{text!r} is not a length of time", "for example 3m or 1h 30m")
        return ""
    return text


def _read_cron(reader: Reader, key: str, text: str) -> str:
    if not text:
        return ""
    parts = text.split()
    if len(parts) != len(_CRON_FIELDS):
        _problem(reader, key, f"a cron expression has five fields, {text!r} has {len(parts)}", "minute hour day month weekday")
        return ""
    for part, (name, low, high, words) in zip(parts, _CRON_FIELDS, strict=True):
        if not all(_cron_item(item, low, high, words) for item in part.split(",")):
            _problem(reader, key, f'"{part}" is not a {name} of a cron expression', f"numbers from {low} to {high}, *, a-b, */n")
            return ""
    return " ".join(parts)


def _cron_item(item: str, low: int, high: int, words: Mapping[str, int]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [words.get(end.lower(), int(end) if end.isdecimal() else -1) for end in span.split("-", 1)]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)
