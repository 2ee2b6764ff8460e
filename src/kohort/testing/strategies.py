"""Random parent segments, instants and rules that fit them: few profiles, nasty values, times on the edges of windows.

A `World` is made of all of it together, so that times in the data, literals in the rules and `as_of` meet at the same
instants. `worlds()` draws one with Hypothesis, which makes a failing one small; `world_of(seed)` makes one at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from kohort.evaluation.reference import Profile, Row, Value
from kohort.foundation.calendar import UNITS, Duration, Unit, add, subtract, unit_start
from kohort.foundation.instants import DAY, Micros, format_instant, from_micros, to_micros
from kohort.parent.catalog import Behavior, Field, FieldCatalog
from kohort.rules.ast import (
    Aggregation,
    AggregationKey,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operand,
    Operator,
    Order,
    ReferenceCondition,
    Regexp,
    Rule,
    SequenceCondition,
    Step,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.segments.definition import ABTest, Segment, Variant
from kohort.testing.dataset import Dataset, field_of

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


@dataclass(frozen=True)
class World:
    """A dataset, an instant and segments over it (each may refer to those before it)."""

    dataset: Dataset
    as_of: Micros
    segments: dict[str, Segment]

    def __repr__(self) -> str:
        lines = [f"as of {format_instant(self.as_of)} in {self.dataset.catalog.timezone}"]
        lines += [f"  {profile!r}" for profile in self.dataset.profiles]
        return "\n".join([*lines, *(f"  {segment!r}" for segment in self.segments.values())])


@st.composite
def worlds(draw: st.DrawFn, profiles: int = 5, segments: int = 5) -> World:
    """Random worlds with at most so many profiles and segments."""
    return make_world(lambda low, high: draw(st.integers(low, high)), profiles, segments)


def world_of(seed: int, profiles: int = 8, segments: int = 12) -> World:
    """The world of a seed."""
    return make_world(Random(seed).randint, profiles, segments)


def make_world(integers: Integers, profiles: int, segments: int) -> World:
    """Everything an evaluator needs; every choice is a number from `integers`."""
    zone = ZoneInfo(ZONES[integers(0, len(ZONES) - 1)])
    if integers(0, 3):
        as_of = _micros(INSTANTS[integers(0, len(INSTANTS) - 1)])
    else:
        as_of = integers(_micros("1999-01-01T00:00:00Z"), _micros("2035-01-01T00:00:00Z"))
    maker = _Maker(integers, zone, as_of)
    catalog = FieldCatalog(ATTRIBUTES, BEHAVIORS, zone.key)
    dataset = Dataset(catalog, maker.profiles(profiles))
    made: dict[str, Segment] = {}
    for number in range(integers(1, segments)):
        segment = maker.segment(f"S{number}", made)
        made[segment.path] = segment
    return World(dataset, as_of, made)


def _micros(text: str) -> Micros:
    return to_micros(datetime.fromisoformat(text.replace("Z", "+00:00")))


def _edges(as_of: Micros, zone: ZoneInfo) -> list[Micros]:
    """The instants at which windows around `as_of` begin and end, and `as_of` itself."""
    found = {as_of}
    for duration in DURATIONS:
        found |= {add(as_of, duration, zone), subtract(as_of, duration, zone)}
    for unit in UNITS:
        found |= {unit_start(as_of, unit, zone, offset) for offset in (-1, 0, 1, 2)}
    return sorted(found)


class _Maker:
    """Draws values, operators and conditions that fit the catalog; `edges` are the instants everything meets at."""

    def __init__(self, integers: Integers, zone: ZoneInfo, as_of: Micros) -> None:
        self.integers = integers
        self.zone = zone
        self.as_of = as_of
        self.edges = _edges(as_of, zone)
        self.references: list[str] = []

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

    # --- data -------------------------------------------------------------------------------------------------------

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

    # --- operators --------------------------------------------------------------------------------------------------

    def operator(self, storage: str) -> Operator:
        """An operator that fits values of a storage (of an array: its elements, or the array itself)."""
        negated = self.chance(25)
        if self.chance(8):
            return IsNull(negated)
        match storage.removesuffix("_array"):
            case "text":
                return self._text_operator(negated, storage)
            case "boolean":
                return Comparison("Equal", self.one(True, False), negated)
            case "timestamp" | "date":
                return self._time_operator(negated)
            case _:
                return self._ordered(lambda: self.one(*NUMBERS), negated)

    def _ordered(self, literal: Callable[[], Any], negated: bool) -> Operator:
        match self.one("compare", "compare", "between", "in"):
            case "compare":
                return Comparison(self.one("Equal", "Greater", "GreaterEqual", "Less", "LessEqual"), literal(), negated)
            case "between":
                low, high = self.one((True, True), (True, True), (True, False), (False, True))
                return Between(literal() if low else None, literal() if high else None, negated)
            case _:
                return In(self.some(literal, 1, 3), negated)

    def _text_operator(self, negated: bool, storage: str) -> Operator:
        match self.one("ordered", "ordered", "match", "regexp"):
            case "match":
                return TextMatch(self.one("Contain", "StartWith", "EndWith"), self.some(lambda: self.one(*TEXTS), 1, 2), negated)
            case "regexp" if storage == "text":
                return Regexp(self.one(*PATTERNS), negated)
            case _ if storage == "text_array":
                value = self.one(*TEXTS)
                return Comparison("Equal", value, negated) if self.chance(50) else In((value, self.one(*TEXTS)), negated)
            case _:
                return self._ordered(lambda: self.one(*TEXTS), negated)

    def moment(self) -> Operand:
        """An operand of a time field."""
        match self.one("timestamp", "timestamp", "day", "ago", "ahead", "text", "seconds"):
            case "timestamp":
                return Timestamp(format_instant(self.time()))
            case "day":
                return Timestamp(self.day().isoformat())
            case "ago":
                return Ago(self.one(*DURATIONS))
            case "ahead":
                return Ahead(self.one(*DURATIONS))
            case "text":
                return self.day().isoformat()
            case _:
                return self.time() // 1_000_000

    def _time_operator(self, negated: bool) -> Operator:
        unit = self.one(*UNITS)
        match self.one("compare", "between", "in", "within", "within", "range", "today", "calendar", "next"):
            case "compare":
                return Comparison(self.one("Equal", "Greater", "GreaterEqual", "Less", "LessEqual"), self.moment(), negated)
            case "between":
                low, high = self.one((True, True), (True, True), (True, False), (False, True))
                return Between(self.moment() if low else None, self.moment() if high else None, negated)
            case "in":
                return In(self.some(lambda: self.one(format_instant(self.time()), self.day().isoformat()), 1, 2), negated)
            case "within":
                amount = self.one(*AMOUNTS)
                return TimeWithin(self.one("TimeWithinPast", "TimeWithinPast", "TimeWithinNext"), *amount, negated)
            case "range":
                return self._range(unit, negated)
            case "today":
                return TimeToday(self.one("TimeToday", "TimeTodayAndBeyond"), negated)
            case "calendar":
                return TimeCalendar(self.one("TimeThis", "TimeLast", "TimeNext"), unit, negated)
            case _:
                return TimeInBetweenNext(self.one(*DURATIONS), self.one(*DURATIONS), negated)

    def _range(self, unit: Unit, negated: bool) -> Operator:
        start = self.one(Ago(self.one(*DURATIONS)), unit)
        if not isinstance(start, Ago) and self.chance(50):
            return TimeRange(None, start, False, negated)
        return TimeRange(self.one(*DURATIONS), start, self.chance(30), negated)

    def matching(self, storage: str) -> ArrayMatching | None:
        if not storage.endswith("_array"):
            return None
        key: Literal["any", "all", "at_least", "at_most", "exactly"] = self.one("any", "all", "at_least", "at_most", "exactly")
        return self.one(None, ArrayMatching(key, self.one(0, 1, 2) if key in ("at_least", "at_most", "exactly") else 0))

    # --- conditions -------------------------------------------------------------------------------------------------

    def segment(self, name: str, earlier: dict[str, Segment]) -> Segment:
        """A segment; with earlier ones, perhaps inside one of them, and perhaps split by an A/B test."""
        self.references = [target for segment in earlier.values() for target in (segment.path, *segment.variant_paths)]
        rule = self.rule()
        base = self.one(*self.references) if self.references and self.chance(15) else ""
        key_column = self.one("txt", "num")
        test = ABTest((Variant("A", 30), Variant("B", 33.3)), self.one(0, 20), key_column=key_column) if self.chance(15) else None
        return Segment(name, rule=rule, base=base, ab_test=test)

    def rule(self) -> Rule:
        """Often one condition alone, which hides nothing behind others."""
        return Group("all", (self.condition(0),)) if self.chance(60) else self.group(2)

    def group(self, depth: int) -> Group:
        conditions = self.some(lambda: self.condition(depth), 0 if self.chance(10) else 1, 3)
        kinds: list[Literal["all", "any", "expr"]] = ["all", "any", "all", "expr"] if conditions else ["all", "any"]
        match = self.one(*kinds)
        expr = self._expr(len(conditions)) if match == "expr" else ""
        return Group(match, conditions, expr, self.chance(15), self.limit(False) if self.chance(15) else None)

    def _expr(self, count: int) -> str:
        ids = self.one("ABC", "123")[:count]
        if count == 1:
            return ids
        first, second = self.one("and", "or"), self.one("and", "or")
        if count == 2:
            return f"{ids[1]} {first} {ids[0]}"
        pattern = self.one("{0} {a} ({1} {b} {2})", "({2} {a} {0}) {b} {1}", "{0} {a} {1} {b} {2}", "({0} {a} {1}) {b} ({0} {a} {2})")
        return pattern.format(*ids, a=first, b=second)

    def condition(self, depth: int) -> Condition:
        kinds = ["attribute"] * 3 + ["behavior"] * 4 + ["sequence"] + ["reference"] * bool(self.references) + ["group"] * (depth > 0)
        match self.one(*kinds):
            case "attribute":
                return self.attribute()
            case "behavior":
                return self.behavior()
            case "sequence":
                return self.sequence()
            case "reference":
                limit = self.limit(False) if self.chance(10) else None
                return ReferenceCondition(self.one(*self.references), exclude=self.chance(30), limit=limit)
            case _:
                return self.group(depth - 1)

    def attribute(self) -> AttributeCondition:
        field = self.one(*ATTRIBUTES)
        operator, matching = self.operator(field.storage), self.matching(field.storage)
        return AttributeCondition(field.name, operator, matching, self.chance(20), self.limit(False) if self.chance(10) else None)

    def limit(self, aggregate: bool) -> Limit:
        ordered = [field.name for field in ATTRIBUTES if not field.is_array] + [""] * (4 * aggregate)
        order = self.some(lambda: Order(self.one(*ordered), self.chance(50)), 0, 2)
        if self.chance(50):
            return Limit("Count", self.one(1, 2, 3, 10), order)
        return Limit("Percent", self.one(1, 25, 33.3, 50, 99.9, 100), order)

    def filter(self, behavior: Behavior) -> FilterGroup | None:
        if self.chance(35):
            return None
        found = self._filter_group(behavior, 1)
        return None if found == FilterGroup("all", ()) else found

    def _filter_group(self, behavior: Behavior, depth: int) -> FilterGroup:
        parts = self.some(lambda: self._filter_part(behavior, depth), 0 if self.chance(10) else 1, 2)
        return FilterGroup(self.one("all", "all", "any"), parts, self.chance(15))

    def _filter_part(self, behavior: Behavior, depth: int) -> FilterCondition:
        if depth and self.chance(20):
            return self._filter_group(behavior, depth - 1)
        column = self.one("timestamp", "time", *behavior.by_name)
        storage = behavior.by_name[column].storage
        return ColumnCondition(column, self.operator(storage), self.matching(storage), self.chance(15))

    def behavior(self) -> BehaviorCondition:
        behavior = self.one(*BEHAVIORS)
        grouping = self.some(lambda: self.one(*_scalar_columns(behavior)), 1, 2) if self.chance(25) else ()
        aggregation, storage = self._aggregation(behavior, tuple(dict.fromkeys(grouping)))
        if aggregation.key in ("Count", "CountDistinct"):
            operator = self._ordered(lambda: self.one(0, 1, 2, 3, 1.5, -1, 10**20), self.chance(20))
        else:
            operator = self.operator(storage)
        sliding = self.one(*FIXED) if self.chance(25) else None
        limit = self.limit(not grouping and sliding is None) if self.chance(15) else None
        return BehaviorCondition(behavior.name, aggregation, operator, self.filter(behavior), sliding, self.chance(20), limit)

    def _aggregation(self, behavior: Behavior, grouping: tuple[str, ...]) -> tuple[Aggregation, str]:
        keys: tuple[AggregationKey, ...] = ("Count", "Count", "CountDistinct", "Sum", "Average", "Min", "Max", "First", "Last")
        key: AggregationKey = self.one(*keys)
        columns = _scalar_columns(behavior)
        if key == "Count":
            return Aggregation(key, (), grouping), "int64"
        if key == "CountDistinct":
            distinct = tuple(dict.fromkeys(self.some(lambda: self.one(*columns), 1, 3)))
            return Aggregation(key, distinct, grouping), "int64"
        if key in ("Sum", "Average"):
            numbers = [name for name in columns if behavior.by_name[name].storage in ("int64", "float64", "decimal")]
            return Aggregation(key, (self.one(*numbers),), grouping), "decimal"
        column = self.one(*columns)
        order = self.one("", *columns) if key in ("First", "Last") else ""
        return Aggregation(key, (column,), grouping, order), behavior.by_name[column].storage

    def sequence(self) -> SequenceCondition:
        steps = [self._step(first=number == 0) for number in range(self.one(2, 2, 3))]
        return SequenceCondition(tuple(steps), self.chance(20), self.limit(False) if self.chance(10) else None)

    def _step(self, first: bool) -> Step:
        behavior = self.one(*BEHAVIORS)
        return Step(behavior.name, self.filter(behavior), None if first or self.chance(30) else self.one(*FIXED))


def _scalar_columns(behavior: Behavior) -> list[str]:
    return [name for name, field in behavior.by_name.items() if not field.is_array]
