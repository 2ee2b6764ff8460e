"""Random values on the edges: texts, numbers and times at which rules begin to hold or no longer do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from kohort.evaluation.reference import Profile, Row, Value
from kohort.foundation.calendar import UNITS, Duration, Unit, add, subtract, unit_start
from kohort.foundation.instants import DAY, Micros, from_micros
from kohort.parent.catalog import Behavior, Field
from kohort.testing.dataset import field_of

T = TypeVar("T")
Integers = Callable[[int, int], int]
"""A whole number from the first to the second, both included: the one source of choice."""

ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Asia/Tokyo")
INSTANTS = (
    "2024-03-31T12:00:00Z",
    "2024-02-29T23:59:59.999999Z",
    "2024-03-10T07:30:00Z",  # New York has just moved its clocks
    "2024-11-03T05:30:00Z",  # and here it does so again, as Havana does at midnight
    "2018-11-04T03:00:00Z",  # Sao Paulo skips midnight
    "2019-02-17T02:30:00Z",
    "2024-04-06T15:10:00Z",  # Lord Howe moves by half an hour
    "2024-12-31T15:00:00Z",
    "2000-01-01T00:00:00Z",
    "2023-05-15T10:20:30.400500Z",
)
TEXTS = (
    "",
    "a",
    "A",
    "b",
    "ab",
    "aa",
    "é",
    "e\u0301",
    "\U0001f600",
    "\uff5e",
    "a\nb",
    " ",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "0",
    "null",
    "ß",
    "ab ",
)
WHOLE = (0, 1, -1, 2, 3, 10, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS = (
    0.0,
    -0.0,
    0.1,
    0.2,
    0.3,
    0.30000000000000004,
    0.5,
    1.0,
    1.5,
    2.0,
    -0.0078125,
    0.0078125,
    1e-7,
    1e15,
    2.0**53,
    1e300,
    -1e300,
    5e-324,
)
CENTS = ("0.00", "0.10", "0.20", "0.30", "-1.25", "1.00", "2.00", "99999999.99")
NUMBERS = (*WHOLE, *FLOATS, 0.3000001, 0.15, 2.5, -4.5, 10**20, -(10**20), 1e30, 2**63, 0.007813, 1 / 3, 0.3333333333333333)
PATTERNS = ("a", "^a$", "a.b", "(?s)a.b", "(?i)A", "^$", "\\pL", "[^a-z]", "b|é", ".", "ab?$", "\\s")
AMOUNTS: tuple[tuple[int, Unit], ...] = (
    (1, "second"),
    (90, "minute"),
    (1, "hour"),
    (24, "hour"),
    (1, "day"),
    (7, "day"),
    (30, "day"),
    (1, "week"),
    (1, "month"),
    (2, "month"),
    (1, "quarter"),
    (1, "year"),
    (13, "month"),
)
DURATIONS = (*(Duration.of(*amount) for amount in AMOUNTS), Duration((("month", 1), ("day", 1))), Duration((("day", 1), ("hour", 2))))
FIXED = tuple(duration for duration in DURATIONS if duration.is_fixed)

ATTRIBUTES = tuple(
    field_of(name, kind)
    for name, kind in {
        "txt": "text",
        "txt2": "text",
        "num": "int64",
        "flt": "float64",
        "dec": "decimal(2)",
        "flag": "boolean",
        "seen": "timestamp",
        "day": "date",
        "tags": "text_array",
        "nums": "int64_array",
        "flts": "float64_array",
    }.items()
)
BEHAVIORS = (
    Behavior("buy", tuple(field for field in ATTRIBUTES if field.name not in ("nums", "flts"))),
    Behavior("visit", (field_of("txt", "text"), field_of("num", "int64"))),
)


def _edges(as_of: Micros, zone: ZoneInfo) -> list[Micros]:
    """The instants at which windows around `as_of` begin and end, and `as_of` itself."""
    found = {as_of}
    for duration in DURATIONS:
        found |= {add(as_of, duration, zone), subtract(as_of, duration, zone)}
    for unit in UNITS:
        found |= {unit_start(as_of, unit, zone, offset) for offset in (-1, 0, 1, 2)}
    return sorted(found)


class ValueDraws:
    """Draws values and profiles that fit the catalog; `edges` are the instants everything meets at."""

    def __init__(self, integers: Integers, zone: ZoneInfo, as_of: Micros) -> None:
        self.integers = integers
        self.zone = zone
        self.as_of = as_of
        self.edges = _edges(as_of, zone)

    def one(self, *values: T) -> T:
        """One of the values."""
        return values[self.integers(0, len(values) - 1)]

    def chance(self, percent: int) -> bool:
        return self.integers(1, 100) > 100 - percent

    def shuffled(self, values: Sequence[T]) -> list[T]:
        rest = list(values)
        return [rest.pop(self.integers(0, len(rest) - 1)) for _ in values]

    def some(self, make: Callable[[], T], low: int, high: int) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.integers(low, high)))

    def time(self) -> Micros:
        """Mostly on the edge of a window, or a microsecond beside it."""
        if self.chance(80):
            return self.one(*self.edges) + self.one(0, 0, -1, 1)
        return self.as_of + self.integers(-400 * DAY, 30 * DAY)

    def day(self) -> date:
        return from_micros(self.time()).astimezone(self.zone).date() + timedelta(days=self.one(0, 0, 1))

    def value(self, field: Field) -> Value:
        if self.chance(20):
            return None
        if field.is_array:
            return self.some(lambda: None if self.chance(20) else self.scalar(field.storage.removesuffix("_array")), 0, 3)
        return self.scalar(field.storage)  # type: ignore[no-any-return]

    def scalar(self, storage: str) -> Any:
        match storage:
            case "text":
                return self.one(*TEXTS)
            case "int64":
                return self.one(*WHOLE)
            case "float64":
                return self.one(*FLOATS)
            case "decimal":
                return Decimal(self.one(*CENTS))
            case "boolean":
                return self.one(True, False)
            case "timestamp":
                return self.time()
            case "date":
                return self.day()
            case _:
                raise AssertionError(storage)

    def profiles(self, most: int) -> tuple[Profile, ...]:
        """Profiles whose ids are not in the order of their ordinals; few distinct times, so that rows tie."""
        ids = self.shuffled([f"p{number}" for number in range(self.integers(1, most))])
        times = self.some(self.time, 1, 4)
        arrivals = {behavior.name: iter(self.shuffled(range(4 * len(ids)))) for behavior in BEHAVIORS}
        return tuple(self._profile(one, times, arrivals) for one in ids)

    def _profile(self, customer: str, times: tuple[Micros, ...], arrivals: dict[str, Any]) -> Profile:
        attributes = {field.name: self.value(field) for field in ATTRIBUTES}
        rows = {
            behavior.name: tuple(
                Row(
                    self.one(*times) if self.chance(60) else self.time(),
                    next(arrivals[behavior.name]),
                    {field.name: self.value(field) for field in behavior.fields},
                )
                for _ in range(self.integers(0, 4))
            )
            for behavior in BEHAVIORS
        }
        return Profile(customer, attributes, rows)
