"""When does a verdict change by itself: the instants at which an edge of a window passes something that happened.

Nothing new is assumed to happen; only `as_of` moves on. Between two neighbouring turning points every test of time stays as it is.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from kohort.evaluation.reference import Profile
from kohort.foundation.calendar import Duration, add, subtract, unit_start
from kohort.foundation.instants import DAY, HOUR, MAX_MICROS, MINUTE, SECOND, Micros, from_micros, local_to_micros, midnight
from kohort.foundation.windows import Edge, Window
from kohort.rules.bind import leaves
from kohort.rules.core import (
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    InWindow,
    Leaf,
    MemberLeaf,
    RowFilter,
    RowTest,
    SequenceLeaf,
    Test,
    VariantLeaf,
)

Source = tuple[str, str]
"""Where times come from: ("", attribute) or (behavior, column)."""

TIMESTAMP = "timestamp"
_SHIFTS = (0, HOUR, -HOUR, 30 * MINUTE, -30 * MINUTE, 2 * HOUR, -2 * HOUR)
NEAR_DAYS = 5


@dataclass(frozen=True, slots=True)
class NextChange:
    """The first instant after `as_of` at which something is different, None when it never is.

    unchanged_until: set when the search was stopped there; nothing changes before it. What depends on other profiles is only looked
    at here and there. at_latest: it turns then, perhaps to and fro before; looked_until: it was the same at every instant up to then
    that was looked at.
    """

    at: Micros | None = None
    unchanged_until: Micros | None = None
    at_latest: Micros | None = None
    looked_until: Micros | None = None

    @property
    def depends_on_others(self) -> bool:
        return self.at_latest is not None or self.looked_until is not None


# --- which edges look at which times ------------------------------------------------------------------------------


def moving_edges(expr: Expr, others: Mapping[str, Expr]) -> set[tuple[Source, Edge]]:
    """The edges that move with `as_of` and the times they are compared with, segments that are referred to included."""
    found: set[tuple[Source, Edge]] = set()
    seen: set[str] = set()
    queue = [expr]
    while queue:
        for leaf in leaves(queue.pop()):
            if isinstance(leaf, MemberLeaf):
                if leaf.path not in seen:
                    seen.add(leaf.path)
                    queue.append(others[leaf.path])
                continue
            found.update((source, edge) for source, edge in _edges(leaf) if not edge.is_fixed)
    return found


def _edges(leaf: Leaf) -> Iterator[tuple[Source, Edge]]:
    match leaf:
        case AttributeLeaf(attribute, test):
            yield from _of_test(("", attribute), test)
        case BehaviorLeaf(aggregate, test):
            yield from _of_rows(aggregate.behavior, aggregate.windows, aggregate.filter)
            if aggregate.columns:
                yield from _of_test((aggregate.behavior, aggregate.columns[0]), test)
        case SequenceLeaf(steps):
            for step in steps:
                yield from _of_rows(step.behavior, step.windows, step.filter)
        case MemberLeaf() | VariantLeaf():
            return
        case _:
            assert_never(leaf)


def _of_rows(behavior: str, windows: Iterable[Window], rows: RowFilter) -> Iterator[tuple[Source, Edge]]:
    yield (behavior, TIMESTAMP), Edge("as_of")
    for window in windows:
        yield (behavior, TIMESTAMP), window.low
        yield (behavior, TIMESTAMP), window.high
    for test in row_tests(rows):
        yield from _of_test((behavior, test.column), test.test)


def row_tests(rows: RowFilter) -> Iterator[RowTest]:
    """The tests of a filter, in order."""
    if isinstance(rows, RowTest):
        yield rows
        return
    for part in getattr(rows, "parts", ()) or (getattr(rows, "part", None),):
        if part is not None:
            yield from row_tests(part)


def _of_test(source: Source, test: Test) -> Iterator[tuple[Source, Edge]]:
    if isinstance(test.predicate, InWindow):
        yield source, test.predicate.window.low
        yield source, test.predicate.window.high


# --- the turning points of one profile ----------------------------------------------------------------------------


def turning_points(edges: Iterable[tuple[Source, Edge]], profile: Profile, after: Micros, zone: ZoneInfo) -> list[Micros]:
    """Every instant later than `after` at which an edge begins or ceases to be before, at or behind one of its times; ascending."""
    times: dict[Source, set[Micros]] = {}
    found: set[Micros] = set()
    for source, edge in edges:
        if source not in times:
            times[source] = set(_times(source, profile, zone))
        for time in times[source]:
            found.update(point for point in _passings(edge, time, after, zone) if after < point <= MAX_MICROS)
    return sorted(found)


def _times(source: Source, profile: Profile, zone: ZoneInfo) -> Iterator[Micros]:
    behavior, column = source
    if not behavior:
        values: Iterable[object] = (profile.attributes.get(column),)
    elif column == TIMESTAMP:
        values = (row.time for row in profile.rows.get(behavior, ()))
    else:
        values = (row.values.get(column) for row in profile.rows.get(behavior, ()))
    for value in values:
        if isinstance(value, date):
            yield midnight(value, zone)
        elif isinstance(value, int):
            yield value


def _passings(edge: Edge, time: Micros, after: Micros, zone: ZoneInfo) -> Iterator[Micros]:
    """The instants `t` near which `edge.at(t)` passes `time`, exact to the microsecond."""
    rough = time
    for sign, duration in reversed(edge.shifts):
        rough = subtract(rough, duration, zone) if sign > 0 else add(rough, duration, zone)
    if (rough < after - 800 * DAY and edge.anchor == "unit_start") or (rough < after - 10 * DAY and edge.anchor == "as_of"):
        return
    for point in _candidates(edge, time, rough, zone):
        before, at, behind = (_relation(edge, point + shift, time, zone) for shift in (-1, 0, 1))
        if at != before:
            yield point
        if behind != at:
            yield point + 1


def _relation(edge: Edge, as_of: Micros, time: Micros, zone: ZoneInfo) -> int:
    at = edge.at(as_of, zone)
    assert at is not None
    return (at > time) - (at < time)


def _candidates(edge: Edge, time: Micros, rough: Micros, zone: ZoneInfo) -> Iterable[Micros]:
    if edge.anchor == "unit_start":
        return {unit_start(rough, edge.unit, zone, steps - edge.offset) for steps in range(-NEAR_DAYS, NEAR_DAYS + 1)}
    if all(duration.is_fixed for _, duration in edge.shifts):
        return {rough}
    instants = {time}
    for sign, duration in reversed(edge.shifts):
        instants = {origin for instant in instants for origin in _origins(instant, sign, duration, zone)}
    return {*(instant + shift for instant in instants for shift in _SHIFTS), *_midnights(rough, zone)}


def _origins(instant: Micros, sign: int, duration: Duration, zone: ZoneInfo) -> set[Micros]:
    """The instants from which a duration may lead to `instant`: of clamped days and repeated hours there are several."""
    target = instant - sign * duration.fixed_micros
    if not duration.months:
        return {target}
    local = from_micros(target).astimezone(zone).replace(tzinfo=None)
    index = local.year * 12 + local.month - 1 - sign * duration.months
    year, month = index // 12, index % 12 + 1
    if not 1 <= year <= 9998:
        return set()
    last = monthrange(year, month)[1]
    at_end = local.day == monthrange(local.year, local.month)[1]
    days = range(local.day, last + 1) if at_end else range(min(local.day, last), min(local.day, last) + 1)
    return {local_to_micros(datetime(year, month, min(day, last)) + _time_of_day(local), zone) for day in days}


def _time_of_day(local: datetime) -> timedelta:
    return local - datetime(local.year, local.month, local.day)


def _midnights(rough: Micros, zone: ZoneInfo) -> Iterator[Micros]:
    """The midnights around, and the instants around at which the clocks of the zone jump."""
    for steps in range(-NEAR_DAYS, NEAR_DAYS + 1):
        low, high = unit_start(rough, "day", zone, steps), unit_start(rough, "day", zone, steps + 1)
        yield low
        if _offset(low, zone) != _offset(high, zone):
            yield first_different(lambda at: _offset(at, zone), low, high)


def _offset(instant: Micros, zone: ZoneInfo) -> timedelta | None:
    return from_micros(instant).astimezone(zone).utcoffset()


# --- search -------------------------------------------------------------------------------------------------------


def first_different(state: Callable[[Micros], object], low: Micros, high: Micros) -> Micros:
    """The instant in (low, high] at which `state` leaves what it is at `low`; it must be different at `high`."""
    start = state(low)
    while high - low > 1:
        middle = (low + high) // 2
        if state(middle) == start:
            low = middle
        else:
            high = middle
    return high


def next_change(state: Callable[[Micros], object], points: Iterable[Micros], as_of: Micros, evaluations: int) -> NextChange:
    """The first of the ascending `points` at which `state` is not what it is at `as_of`."""
    start = state(as_of)
    for tried, point in enumerate(points):
        if tried >= evaluations:
            return NextChange(unchanged_until=point)
        if state(point) != start:
            return NextChange(point)
    return NextChange()


def change_by_looking(state: Callable[[Micros], object], as_of: Micros, days: Sequence[int]) -> NextChange:
    """A change of a state whose turning points are not known: looked for after so many days (ascending), then ever closer."""
    start, low, high = state(as_of), as_of // SECOND * SECOND, as_of
    for distance in days:
        high = (as_of + distance * DAY) // SECOND * SECOND
        if state(high) != start:
            break
        low = high
    else:
        return NextChange(looked_until=low)
    high = _halved(state, start, low, high, SECOND)
    if state(high - 1) != start:
        high = _halved(state, start, max(as_of, high - SECOND), high - 1, 1)
    return NextChange(at_latest=high)


def _halved(state: Callable[[Micros], object], start: object, low: Micros, high: Micros, step: Micros) -> Micros:
    """The end of an interval of `step` over which a state turns that is another one at `high` than at `low`."""
    while high - low > step:
        middle = low + (high - low) // step // 2 * step
        if state(middle) == start:
            low = middle
        else:
            high = middle
    return high


def flips_once(expr: Expr, profile: Profile, as_of: Micros) -> bool:
    """Whether a condition can only turn once, because its rows only become fewer: "at least so many" of what happened.

    Calendar months are clamped and clocks jump, so that it may turn to and fro for up to a few days around that instant.
    """
    if not isinstance(expr, BehaviorLeaf) or any(row.time > as_of for row in profile.rows.get(expr.aggregate.behavior, ())):
        return False
    aggregate, test = expr.aggregate, expr.test
    tests = [row.test.predicate for row in row_tests(aggregate.filter)]
    if any(isinstance(one, InWindow) and not (one.window.low.is_fixed and one.window.high.is_fixed) for one in tests):
        return False
    if not all(_only_loses(window) for window in aggregate.windows) or test.negated or not isinstance(test.predicate, Compare):
        return False
    if test.predicate.op in (">", ">="):
        return aggregate.key in ("Count", "CountDistinct", "Max") or (aggregate.key == "Sum" and _is_positive(profile, expr))
    single = not aggregate.grouping and aggregate.sliding_micros is None
    return test.predicate.op in ("<", "<=") and aggregate.key in ("Count", "CountDistinct") and single


def _only_loses(window: Window) -> bool:
    if window.unordered or window.high.shifts or window.high.anchor not in ("as_of", "open"):
        return False
    backwards = all(sign < 0 for sign, _ in window.low.shifts)
    return (
        window.low.is_fixed or (backwards and window.low.anchor == "as_of") or (window.low.anchor == "unit_start" and not window.low.shifts)
    )


def _is_positive(profile: Profile, leaf: BehaviorLeaf) -> bool:
    values = (row.values.get(leaf.aggregate.columns[0]) for row in profile.rows.get(leaf.aggregate.behavior, ()))
    return all(isinstance(value, int | float | Decimal) and value >= 0 for value in values if value is not None)


def has_months(expr: Expr) -> bool:
    """Whether a window of a behavior condition begins calendar months back."""
    return isinstance(expr, BehaviorLeaf) and any(not all(length.is_fixed for _, length in w.low.shifts) for w in expr.aggregate.windows)


def around_the_flip(state: Callable[[Micros], object], points: list[Micros], as_of: Micros, days: int) -> list[Micros]:
    """The turning point at which a state that flips once does so, and those of so many days before; none when it never does."""
    start = state(as_of)
    if not points or state(points[-1]) == start:
        return []
    low, high = -1, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if state(points[middle]) == start:
            low = middle
        else:
            high = middle
    first = bisect_left(points, points[high] - days * DAY)
    return points[first : high + 1]
