"""One figure a day in the parent segment's zone, carried over where nothing was evaluated; growth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kohort.foundation.instants import to_micros
from kohort.membership.statistics import Growth, daily_populations, day_of, growth

NEW_YORK, HAVANA, APIA, TOKYO = (ZoneInfo(name) for name in ("America/New_York", "America/Havana", "Pacific/Apia", "Asia/Tokyo"))


def at(*parts: int) -> int:
    return to_micros(datetime(*parts, tzinfo=UTC))  # type: ignore[misc]


def epoch(*parts: int) -> int:
    return at(*parts) // 1_000_000


def rows(points: list[tuple[int, int]], zone: ZoneInfo, first: date, last: date) -> list[tuple[int, int, bool]]:
    return [day.row for day in daily_populations(points, zone, first, last)]


def test_missing_days_carry_the_last_figure_over() -> None:
    points = [(at(2024, 1, 2, 5), 10), (at(2024, 1, 2, 20), 12), (at(2024, 1, 5), 0)]
    assert rows(points, ZoneInfo("UTC"), date(2024, 1, 1), date(2024, 1, 6)) == [
        (epoch(2024, 1, 2), 12, True),
        (epoch(2024, 1, 3), 12, False),
        (epoch(2024, 1, 4), 12, False),
        (epoch(2024, 1, 5), 0, True),
        (epoch(2024, 1, 6), 0, False),
    ]


def test_the_figure_before_the_first_day_asked_for_is_known() -> None:
    points = [(at(2023, 12, 1), 5), (at(2023, 12, 9), 6)]
    assert rows(points, ZoneInfo("UTC"), date(2024, 1, 1), date(2024, 1, 1)) == [(epoch(2024, 1, 1), 6, False)]
    assert rows([], ZoneInfo("UTC"), date(2024, 1, 1), date(2024, 1, 3)) == []
    assert rows(points, ZoneInfo("UTC"), date(2024, 1, 2), date(2024, 1, 1)) == []


def test_days_are_those_of_the_zone() -> None:
    points = [(at(2024, 1, 1, 14, 59), 1), (at(2024, 1, 1, 15), 2)]
    assert rows(points, TOKYO, date(2024, 1, 1), date(2024, 1, 2)) == [(epoch(2023, 12, 31, 15), 1, True), (epoch(2024, 1, 1, 15), 2, True)]
    assert rows(points, ZoneInfo("UTC"), date(2024, 1, 1), date(2024, 1, 1)) == [(epoch(2024, 1, 1), 2, True)]


def test_days_of_23_and_25_hours_are_days() -> None:
    spring = rows(
        [(at(2024, 3, 10, 4, 59), 1), (at(2024, 3, 10, 5), 2), (at(2024, 3, 11, 4), 3)], NEW_YORK, date(2024, 3, 9), date(2024, 3, 11)
    )
    assert spring == [(epoch(2024, 3, 9, 5), 1, True), (epoch(2024, 3, 10, 5), 2, True), (epoch(2024, 3, 11, 4), 3, True)]
    autumn = rows(
        [(at(2024, 11, 3, 4), 1), (at(2024, 11, 4, 4, 59), 2), (at(2024, 11, 4, 5), 3)], NEW_YORK, date(2024, 11, 3), date(2024, 11, 4)
    )
    assert autumn == [(epoch(2024, 11, 3, 4), 2, True), (epoch(2024, 11, 4, 5), 3, True)]


def test_a_day_without_midnight_begins_when_it_begins() -> None:
    points = [(at(2024, 3, 10, 4, 59), 1), (at(2024, 3, 10, 5), 2)]
    assert rows(points, HAVANA, date(2024, 3, 9), date(2024, 3, 10)) == [(epoch(2024, 3, 9, 5), 1, True), (epoch(2024, 3, 10, 5), 2, True)]


def test_a_day_the_calendar_skips_is_no_day() -> None:
    found = daily_populations([(at(2011, 12, 1), 1)], APIA, date(2011, 12, 29), date(2011, 12, 31))
    assert [day.day for day in found] == [date(2011, 12, 29), date(2011, 12, 31)]


@pytest.mark.parametrize("zone", [NEW_YORK, HAVANA, TOKYO, ZoneInfo("UTC")])
def test_a_year_has_its_days_once(zone: ZoneInfo) -> None:
    found = daily_populations([(at(2023, 1, 1), 1)], zone, date(2024, 1, 1), date(2024, 12, 31))
    assert [day.day for day in found] == [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    assert [day_of(day.starts_at, zone) for day in found] == [day.day for day in found]
    assert [day_of(day.starts_at - 1, zone) for day in found] == [day.day - timedelta(days=1) for day in found]


def test_growth_compares_days() -> None:
    points = [(at(2024, 1, 1), 100), (at(2024, 1, 25), 0), (at(2024, 1, 30), 80), (at(2024, 1, 31), 90)]
    last, zone = date(2024, 1, 31), ZoneInfo("UTC")
    assert growth(points, zone, last, 1) == Growth(1, 80, 10, 0.125)
    assert growth(points, zone, last, 3) == Growth(3, 0, 90, None)
    assert growth(points, zone, last, 7) == Growth(7, 100, -10, -0.1)
    assert growth(points, zone, last, 30) == Growth(30, 100, -10, -0.1)
    assert growth(points, zone, last, 31) == Growth(31, None, None, None)
    assert growth([], zone, last, 1) == Growth(1, None, None, None)
