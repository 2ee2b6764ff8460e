"""How many customers a rule would have had on each of the past days, judged on what is known today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kohort.foundation.errors import UserError
from kohort.foundation.instants import format_instant, from_micros, local_to_micros, to_micros
from kohort.ports.progress import Progress, Silent
from kohort.rules.bind import leaves
from kohort.rules.core import AttributeLeaf, Expr, MemberLeaf, Not, Top
from kohort.services.evaluation.evaluate import Engine, members_of


@dataclass(frozen=True, slots=True)
class DayCount:
    """The population on one day, at the time of day of the last one."""

    as_of: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """days: oldest first, the last one is the instant asked for. total: customers of the refresh, the same on every day.

    undated: attributes whose values of today stand in for those of the past. Customers are those of the refresh too.
    """

    days: tuple[DayCount, ...]
    total: int
    undated: tuple[str, ...]


def backtest(engine: Engine, expr: Expr, days: int, *, as_of: datetime | None = None, progress: Progress | None = None) -> Backtest:
    """The population on each of `days` past days and at `as_of` (default: the refresh's instant), at one time of day in the zone."""
    report = progress or Silent()
    moments = same_time_of_day(as_of or engine.refresh.as_of, range(-days, 1), engine.catalog.timezone)
    counted = []
    total = 0
    for done, moment in enumerate(moments):
        members, live, _ = members_of(engine, expr, moment)
        total = live.count()
        counted.append(DayCount(moment, members.count()))
        report.step("Evaluate days", done + 1, len(moments))
    return Backtest(tuple(counted), total, tuple(sorted(set(_attributes(engine, expr)))))


def same_time_of_day(as_of: datetime, offsets: range, zone_name: str) -> list[datetime]:
    """The same wall-clock time on days before (negative offsets) and after. Raises UserError INVALID_INSTANT beyond the years 1 to 9999."""
    zone = ZoneInfo(zone_name)
    try:
        local = as_of.astimezone(zone).replace(tzinfo=None)
        return [from_micros(local_to_micros(local + timedelta(days=offset), zone)) if offset else as_of for offset in offsets]
    except OverflowError:
        asked = format_instant(to_micros(as_of))
        side = "before" if offsets[0] < 0 else "after"
        message = f"the {len(offsets) - 1:,} days {side} {asked} are not all in the years 1 to 9999"
        raise UserError("INVALID_INSTANT", message, hint="ask for fewer days or another instant") from None


def _attributes(engine: Engine, expr: Expr) -> Iterator[str]:
    """The attributes that a rule looks at, in the segments it refers to as well."""
    bound = engine.bound()
    seen: set[str] = set()
    queue = [expr]
    while queue:
        current = queue.pop()
        yield from _ordering(current)
        for leaf in leaves(current):
            if isinstance(leaf, AttributeLeaf):
                yield leaf.attribute
            elif isinstance(leaf, MemberLeaf) and leaf.path not in seen:
                seen.add(leaf.path)
                queue.append(bound[leaf.path])


def _ordering(expr: Expr) -> Iterator[str]:
    """The attributes by which limits choose."""
    if isinstance(expr, Top):
        yield from (order.by for order in expr.order if isinstance(order.by, str))
    if isinstance(expr, Top | Not):
        yield from _ordering(expr.part)
    for part in getattr(expr, "parts", ()):
        yield from _ordering(part)
