"""Schedules in both spellings."""

from __future__ import annotations

from typing import Any

import pytest

from kohort.documents.yaml import read_yaml, write_yaml
from kohort.foundation.issues import Issues
from kohort.parent.definition import Schedule
from kohort.parent.schedule import describe_schedule, read_schedule, schedule_to_document


def read(text: str) -> tuple[Schedule, Issues]:
    document, problems = read_yaml(text)
    assert not problems, text
    issues = Issues()
    return read_schedule(document.value, (), issues), issues


GOOD: list[tuple[str, Schedule]] = [
    ("type: none", Schedule()),
    ("type: hourly", Schedule("hourly")),
    ("type: hourly\ntime: '30:00'", Schedule("hourly", "00:30:00")),
    ("type: daily\ntime: 03:00", Schedule("daily", "03:00:00")),
    ("type: daily\ntime: 03:00:00\ntimezone: Asia/Tokyo", Schedule("daily", "03:00:00", "Asia/Tokyo")),
    ("type: weekly\nrepeat_sub_frequency: [Monday, fri, 0]", Schedule("weekly", days=("Monday", "Friday", "Sunday"))),
    ("type: monthly\ntime: 1:00:00\nrepeat_sub_frequency: [1, 15]", Schedule("monthly", "01:00:00", days=("1", "15"))),
    ("type: cron\ncron: '0 3 * * *'", Schedule("cron", cron="0 3 * * *")),
    ("type: minutes_interval\nminutes: 30\ndelay: 10", Schedule("minutes_interval", minutes=30, delay_seconds=10)),
    ("daily>: 07:00:00", Schedule("daily", "07:00:00")),
    ("hourly>: 30:00", Schedule("hourly", "00:30:00")),
    ("weekly>: Sun,09:00:00", Schedule("weekly", "09:00:00", days=("Sunday",))),
    ("weekly>: 7,09:00:00", Schedule("weekly", "09:00:00", days=("Sunday",))),
    ("monthly>: 1,09:00:00", Schedule("monthly", "09:00:00", days=("1",))),
    ("minutes_interval>: 30", Schedule("minutes_interval", minutes=30)),
    ("cron>: 42 4 1 * *", Schedule("cron", cron="42 4 1 * *")),
    ("cron>: '*/15 0-6,22 * JAN-mar mon,3'", Schedule("cron", cron="*/15 0-6,22 * JAN-mar mon,3")),
    ("daily>:\nat: 07:00:00", Schedule("daily", "07:00:00")),
    (
        "daily>: 07:00:00\nstart: 2024-01-01\nend: 2024-02-29\nskip_on_overtime: true\nskip_delayed_by: 3m",
        Schedule("daily", "07:00:00", start="2024-01-01", end="2024-02-29", skip_on_overtime=True, skip_delayed_by="3m"),
    ),
]


@pytest.mark.parametrize(("text", "schedule"), GOOD)
def test_schedules_are_read_and_written(text: str, schedule: Schedule) -> None:
    found, issues = read(text)
    assert list(map(str, issues)) == []
    assert found == schedule
    assert read(write_yaml(schedule_to_document(schedule))) == (schedule, Issues())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("type: dayly", ("type",)),
        ("type: daily\ntime: 25:00", ("time",)),
        ("type: daily\ncron: '0 3 * * *'", ("cron",)),
        ("type: cron", ("type",)),
        ("type: minutes_interval", ("type",)),
        ("type: cron\ncron: 0 3 * *", ("cron",)),
        ("type: cron\ncron: 61 3 * * *", ("cron",)),
        ("type: weekly\nrepeat_sub_frequency: [Mondy]", ("repeat_sub_frequency", 0)),
        ("type: monthly\nrepeat_sub_frequency: [32]", ("repeat_sub_frequency", 0)),
        ("daily>: 7", ("daily>",)),
        ("weekly>: 09:00:00", ("weekly>",)),
        ("weekly>: -1,09:00:00", ("weekly>",)),
        ("monthly>: x,09:00:00", ("monthly>",)),
        ("minutes_interval>: often", ("minutes_interval>",)),
        ("daily>: 07:00:00\nhourly>: 30:00", ("hourly>",)),
        ("daily>: 07:00:00\nstart: 2023-02-29", ("start",)),
        ("daily>: 07:00:00\nstart: 2024-02-02\nend: 2024-02-01", ("start",)),
        ("daily>: 07:00:00\nskip_delayed_by: soon", ("skip_delayed_by",)),
    ],
)
def test_wrong_schedules_are_issues(text: str, place: tuple[Any, ...]) -> None:
    _, issues = read(text)
    assert [(issue.code, issue.path) for issue in issues] == [("INVALID_SCHEDULE", place)]


def test_zones_and_keys_are_checked() -> None:
    _, issues = read("type: daily\ntimezone: Mars/North\nevery: 3")
    assert [(issue.code, issue.path) for issue in issues] == [("INVALID_TIMEZONE", ("timezone",)), ("UNKNOWN_KEY", ("every",))]


def test_schedules_in_words() -> None:
    assert [describe_schedule(s) for _, s in GOOD[:8]] == [
        "on demand",
        "hourly",
        "hourly at 00:30:00",
        "daily at 03:00:00",
        "daily at 03:00:00 (Asia/Tokyo)",
        "weekly on Monday, Friday, Sunday",
        "monthly on day 1, 15 at 01:00:00",
        "cron 0 3 * * *",
    ]
