"""Windows and calendar arithmetic at their edges."""

from zoneinfo import ZoneInfo

import pytest

from kohort.foundation.calendar import UNITS, Duration, Interval, Unit, add, subtract, unit_start
from kohort.foundation.instants import DAY, HOUR, MAX_MICROS, MIN_MICROS, format_instant, parse_instant
from kohort.foundation.windows import OPEN, Edge, Window

UTC = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")  # until 2018 the clock jumped at midnight


def at(text: str, zone: ZoneInfo = UTC) -> int:
    instant = parse_instant(text, zone)
    assert instant is not None
    return instant


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2024-03-31T10:00", 1, "2024-02-29T10:00:00Z"),
        ("2023-03-31T10:00", 1, "2023-02-28T10:00:00Z"),
        ("2024-02-29", 12, "2023-02-28T00:00:00Z"),
        ("2024-01-15", 1, "2023-12-15T00:00:00Z"),
    ],
)
def test_months_back_clamp_to_the_end_of_the_month(start: str, months: int, expected: str) -> None:
    assert format_instant(subtract(at(start), Duration.of(months, "month"), UTC)) == expected


def test_a_month_in_a_zone_keeps_the_wall_clock_over_daylight_saving() -> None:
    start = at("2024-02-15T12:00", NEW_YORK)
    assert add(start, Duration.of(1, "month"), NEW_YORK) == at("2024-03-15T12:00", NEW_YORK)
    assert add(start, Duration.of(29, "day"), NEW_YORK) == at("2024-03-15T13:00", NEW_YORK)


@pytest.mark.parametrize(
    ("unit", "offset", "expected"),
    [
        ("week", 0, "2024-05-13T00:00:00Z"),
        ("week", -1, "2024-05-06T00:00:00Z"),
        ("month", 1, "2024-06-01T00:00:00Z"),
        ("quarter", 0, "2024-04-01T00:00:00Z"),
        ("quarter", -2, "2023-10-01T00:00:00Z"),
        ("year", -1, "2023-01-01T00:00:00Z"),
        ("hour", 0, "2024-05-15T13:00:00Z"),
        ("day", 0, "2024-05-15T00:00:00Z"),
    ],
)
def test_units_start_where_the_calendar_says(unit: str, offset: int, expected: str) -> None:
    assert format_instant(unit_start(at("2024-05-15T13:45:10"), unit, UTC, offset)) == expected  # type: ignore[arg-type]


def test_the_day_the_clock_jumps_is_23_hours_long() -> None:
    noon = at("2024-03-10T12:00", NEW_YORK)
    assert unit_start(noon, "day", NEW_YORK, 1) - unit_start(noon, "day", NEW_YORK) == 23 * HOUR


def test_a_midnight_that_does_not_exist_is_the_jump() -> None:
    day = unit_start(at("2017-10-15T12:00", SAO_PAULO), "day", SAO_PAULO)
    assert format_instant(day) == "2017-10-15T03:00:00Z"


def test_arithmetic_saturates_instead_of_failing() -> None:
    assert subtract(at("2024-01-01"), Duration.of(9_000, "year"), UTC) == MIN_MICROS
    assert add(at("2024-01-01"), Duration.of(10**15, "week"), UTC) == MAX_MICROS
    assert unit_start(at("9999-12-31"), "year", UTC, 1) == MAX_MICROS


def test_past_30_days_leaves_exactly_at_t_plus_30_days() -> None:
    window = Window(Edge("as_of", included=False, shifts=((-1, Duration.of(30, "day")),)), Edge("as_of"))
    event = at("2024-01-01")
    assert event in window.interval(event, UTC)
    assert event in window.interval(event + 30 * DAY - 1, UTC)
    assert event not in window.interval(event + 30 * DAY, UTC)


def test_unordered_edges_swap_and_ordered_ones_are_empty() -> None:
    one, five = Edge("as_of", shifts=((-1, Duration.of(1, "day")),)), Edge("as_of", shifts=((-1, Duration.of(5, "day")),))
    now = at("2024-01-10")
    assert Window(one, five, unordered=True).interval(now, UTC) == Interval(now - 5 * DAY, now - DAY, True, True)
    assert now - 3 * DAY not in Window(one, five).interval(now, UTC)
    assert MIN_MICROS in Window(OPEN, one).interval(now, UTC)


@pytest.mark.parametrize("text", ["2024-13-01", "2024-02-30", "yesterday", "", "2024-1-1", "20240101", "2024-01-01T25:00"])
def test_text_that_is_no_instant_is_none(text: str) -> None:
    assert parse_instant(text, UTC) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01", "2024-07-01T04:00:00Z"),
        ("2024-07-01 10:00", "2024-07-01T14:00:00Z"),
        ("2024-07-01T10:00:00.5+05:30", "2024-07-01T04:30:00.500000Z"),
        ("2024-07-01T10:00:00-0100", "2024-07-01T11:00:00Z"),
        ("2024-07-01T10:00Z", "2024-07-01T10:00:00Z"),
    ],
)
def test_text_is_read_in_the_zone_unless_it_names_an_offset(text: str, expected: str) -> None:
    assert format_instant(at(text, NEW_YORK)) == expected


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
@pytest.mark.parametrize("instant", [MIN_MICROS, MAX_MICROS])
@pytest.mark.parametrize("unit", UNITS)
def test_the_ends_of_the_calendar_are_instants_like_others(unit: Unit, instant: int, zone: str) -> None:
    place = ZoneInfo(zone)
    for found in (
        add(instant, Duration.of(1, unit), place),
        subtract(instant, Duration.of(1, unit), place),
        *(unit_start(instant, unit, place, offset) for offset in (-1, 0, 1)),
    ):
        assert MIN_MICROS <= found <= MAX_MICROS
