"""How a rule's population goes on if nothing new happens: windows move, events and attributes stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kohort.evaluation.turning_points import moving_edges
from kohort.foundation.instants import Micros, to_micros
from kohort.ports.progress import Progress, Silent
from kohort.rules.bind import leaves
from kohort.rules.core import Expr, MemberLeaf
from kohort.services.evaluation.evaluate import Engine, members_of, needed_segments
from kohort.services.insight.backtest import same_time_of_day
from kohort.services.insight.explain import latest_event


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """One day ahead. left, entered: against the first day (members then who are not now, and the other way round);
    leaving, joining: the same against the day before."""

    as_of: datetime
    count: int
    left: int
    entered: int
    leaving: int = 0
    joining: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """days: the first one is the instant asked for, then one a day. leaving, entering: who does so on some day, even if they
    are back at the end; total: customers of the refresh. dated_later: behaviors of the rule that have events after the first day."""

    days: tuple[ForecastDay, ...]
    leaving: int
    entering: int
    total: int
    dated_later: tuple[str, ...] = ()


def forecast(engine: Engine, expr: Expr, days: int, *, as_of: datetime | None = None, progress: Progress | None = None) -> Forecast:
    """The members on each of the next `days` days, at the same time of day in the zone. as_of: default the refresh's instant.

    Events of the refresh that are dated later than `as_of` begin to exist when their time comes.
    """
    report = progress or Silent()
    moments = same_time_of_day(as_of or engine.refresh.as_of, range(days + 1), engine.catalog.timezone)
    start, live, _ = members_of(engine, expr, moments[0])
    leaving, entering = start - start, start - start
    before = start
    listed = [ForecastDay(moments[0], start.count(), 0, 0)]
    for done, moment in enumerate(moments[1:], 1):
        members, _, _ = members_of(engine, expr, moment)
        left, entered = start - members, members - start
        leaving, entering = leaving | left, entering | entered
        moves = ((before - members).count(), (members - before).count())
        listed.append(ForecastDay(moment, members.count(), left.count(), entered.count(), *moves))
        before = members
        report.step("Evaluate days", done, days)
    return Forecast(tuple(listed), leaving.count(), entering.count(), live.count(), _dated_later(engine, expr, to_micros(moments[0])))


def _dated_later(engine: Engine, expr: Expr, as_of: Micros) -> tuple[str, ...]:
    others = needed_segments(engine, [leaf.path for leaf in leaves(expr) if isinstance(leaf, MemberLeaf)])
    behaviors = {behavior for (behavior, _), _ in moving_edges(expr, others) if behavior}
    return tuple(behavior for behavior in sorted(behaviors) if latest_event(engine, behavior) > as_of)
