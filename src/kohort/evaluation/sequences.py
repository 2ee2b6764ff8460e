"""Sequences of events as SQL: A, then B within an hour, then C.

Step by step: a row reaches step k when some row that reached step k - 1 is earlier, by at most `within`. The latest earlier
one is the nearest, so it decides: nothing is lost by looking at it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from kohort.evaluation.rows import Rows, Selection
from kohort.rules.core import SequenceLeaf, SequenceStep
from kohort.sql import build

TIME, STEP, BEFORE = "t", "step", "before"


@dataclass(frozen=True, slots=True)
class Sequences:
    """Builds the query for the owners (`owner`: the column that names a profile) of completed chains."""

    rows: Rows
    owner: str
    table: Callable[[str], exp.Table]
    scope: tuple[exp.Expression, ...] = ()

    def owners(self, leaf: SequenceLeaf) -> exp.Select:
        """Each owner of a completed chain, once."""
        first, *later = leaf.steps
        reached = self._candidates(first)
        for step in later:
            reached = self._next(reached, step)
        return exp.Select(distinct=exp.Distinct(), expressions=[build.column(self.owner)]).from_(_derived(reached))

    def _candidates(self, step: SequenceStep, *extra: exp.Expression) -> exp.Select:
        """(owner, time in microseconds) of the rows that may be this step."""
        selected = self.rows.selected(Selection.of(step))
        conditions = [*(one.copy() for one in self.scope), self.rows.exists(), *([] if selected is None else [selected])]
        columns = [self.rows.column(self.owner), build.named(self.rows.micros, TIME), *extra]
        select = exp.Select(expressions=columns).from_(self.table(step.behavior))
        return select.where(build.all_of(conditions), copy=False)

    def _next(self, reached: exp.Select, step: SequenceStep) -> exp.Select:
        """The rows of this step that follow a row of the step before."""
        earlier = exp.Select(expressions=[build.column(self.owner), build.column(TIME), build.named(build.boolean(False), STEP)])
        earlier = earlier.from_(_derived(reached))
        both = exp.Union(this=earlier, expression=self._candidates(step, build.named(build.boolean(True), STEP)), distinct=False)
        nearest = exp.Select(expressions=[exp.Star(), build.named(self._nearest_before(), BEFORE)]).from_(_derived(both))
        columns = [build.column(self.owner), build.column(TIME)]
        return exp.Select(expressions=columns).from_(_derived(nearest)).where(_follows(step), copy=False)

    def _nearest_before(self) -> exp.Expression:
        """The latest time, strictly earlier, at which the step before was reached."""
        time_reached = exp.Case(ifs=[exp.If(this=build.complement(build.column(STEP)), true=build.column(TIME))])
        return exp.Window(
            this=exp.Max(this=time_reached),
            partition_by=[build.column(self.owner)],
            order=exp.Order(expressions=[exp.Ordered(this=build.column(TIME))]),
            spec=exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end=build.integer(1), end_side="PRECEDING"),
        )


def _follows(step: SequenceStep) -> exp.Expression:
    if step.within_micros is None:
        near: exp.Expression = build.not_null(build.column(BEFORE))
    else:
        gap = exp.Sub(this=build.column(TIME), expression=build.column(BEFORE))
        near = exp.LTE(this=gap, expression=build.integer(step.within_micros))
    return build.all_of([build.column(STEP), near])


def _derived(query: exp.Query) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("q")))
