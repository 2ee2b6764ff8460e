"""`kohort sg backtest|forecast`: how many a rule had on past days, and how it goes on if nothing new happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from kohort.cli.charts import bar, sparkline, thinned
from kohort.cli.context import JSON, AsOf, Expression, ParentOption, open_current_engine, read_as_of
from kohort.cli.output import (
    count_text,
    counted,
    counted_bold,
    instant_text,
    note,
    progress,
    share_text,
    show_json,
    show_table,
    styled,
)
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from kohort.services.evaluation.evaluate import Engine

Name = Annotated[str, typer.Argument(help="A saved segment or variant: path, name or id.")]
Found = TypeVar("Found")


def backtest(
    name: Name = "",
    expression: Expression = "",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many past days.")] = 30,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show how many customers a rule had on past days. It is judged on what is known today."""
    from kohort.services.insight.backtest import backtest as run

    engine, found = _judged(run, name, expression, days, as_of, parent, as_json)
    if as_json:
        listed = [{"as_of": instant_text(day.as_of), "population": day.count} for day in found.days]
        show_json({"days": listed, "total": found.total, "undated_attributes": list(found.undated)})
        return
    counts = [day.count for day in found.days]
    highest = max(counts)
    spread = f" (from {count_text(min(counts))} to {count_text(highest)})" if min(counts) != highest else " (the same on every day)"
    styled(f"{sparkline(thinned(counts))}  {counted_bold(counts[-1], 'profile')} at the end{spread}")
    rows = [
        (_local(day.as_of, engine), count_text(day.count), share_text(day.count, found.total), bar(day.count, highest).rstrip())
        for day in found.days
    ]
    show_table(("as of", "profiles", "share", ""), rows, right=(1, 2))
    if found.undated:
        note(f"The past of attributes is not known: today's values were used of {', '.join(found.undated)}.")


def forecast(
    name: Name = "",
    expression: Expression = "",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many days ahead.")] = 30,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show how many will leave if nothing new happens. Day by day, and how many enter: only windows move."""
    from kohort.services.insight.forecast import forecast as run

    engine, found = _judged(run, name, expression, days, as_of, parent, as_json)
    if as_json:
        listed = [
            {"as_of": instant_text(day.as_of), "population": day.count, "left": day.left, "entered": day.entered} for day in found.days
        ]
        numbers = {"leaving": found.leaving, "entering": found.entering, "total": found.total}
        show_json({"days": listed, **numbers, "dated_later": list(found.dated_later)})
        return
    start = found.days[0].count
    styled(
        f"{sparkline(thinned([day.count for day in found.days]))}  {counted_bold(start, 'profile')} now; within {counted(days, 'day')} "
        f"[bold]{count_text(found.leaving)}[/bold] leave and [bold]{count_text(found.entering)}[/bold] enter if nothing new happens"
    )
    rows = [(_local(day.as_of, engine), count_text(day.count), count_text(day.left), count_text(day.entered)) for day in found.days]
    show_table(("as of", "profiles", "left", "entered"), rows, right=(1, 2, 3))
    if found.dated_later:
        note(f"Already known events of later days were counted as their time comes: {', '.join(found.dated_later)}.")


def _judged(
    run: Callable[..., Found], name: str, expression: str, days: int, as_of: str, parent: str, as_json: bool
) -> tuple[Engine, Found]:
    """The engine, and what `run` finds of a saved segment or of a rule over so many days."""
    from kohort.services.evaluation.evaluate import bind_text, resolve_path

    engine = open_current_engine(parent)
    if bool(name) == bool(expression):
        raise UsageError("give one of: NAME, -e 'RULE'")
    expr = bind_text(engine, expression) if expression else engine.bound()[resolve_path(engine, name)]
    with progress(not as_json) as steps:
        return engine, run(engine, expr, days, as_of=read_as_of(as_of, engine.catalog.timezone), progress=steps)


def _local(instant: datetime, engine: Engine) -> str:
    return f"{instant.astimezone(ZoneInfo(engine.catalog.timezone)):%Y-%m-%d %H:%M}"
