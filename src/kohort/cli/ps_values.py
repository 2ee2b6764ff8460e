"""`kohort ps values`: which values the fields have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.charts import bar, histogram, sparkline
from kohort.cli.context import JSON, ParentOption, open_current_engine
from kohort.cli.output import cell, count_text, counted, note, printable, progress, share_text, show, show_json, show_table, styled
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.services.parents.field_statistics import FieldStatistics, ValueCount

_BAR_CELLS = 24


def register(app: typer.Typer) -> None:
    """Add the command of this module to `kohort ps`."""
    app.command("values")(values)


def values(
    field: Annotated[str, typer.Argument(help="An attribute, or BEHAVIOR.COLUMN such as purchase.amount (default: all fields).")] = "",
    prefix: Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Only values that begin so, in any case.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many values.")] = 10,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show the values of a field. The most frequent ones, how they are spread, how many are missing."""
    from kohort.services.parents.suggestions import all_statistics, field_statistics, suggest_values

    folder = open_session().fields
    engine = open_current_engine(parent)
    if not field:
        with progress(not as_json) as steps:
            listed = all_statistics(engine, folder, steps)
        if as_json:
            show_json([_document(found, found.top[:limit]) for found in listed])
        else:
            _show_all(listed)
        return
    found = field_statistics(engine, folder, field)
    top = suggest_values(engine, folder, field, prefix, limit)
    if as_json:
        show_json(_document(found, top))
        return
    _show_facts(found)
    _show_values(found, top, prefix)
    if found.histogram and not prefix:
        show()
        for line in histogram(found.histogram.edges, found.histogram.counts):
            show(line)


def _document(found: FieldStatistics, top: tuple[ValueCount, ...]) -> dict[str, Any]:
    spread = found.histogram
    return {
        "field": found.field,
        "kind": found.kind,
        "type": found.type,
        "rows": found.rows,
        "nulls": found.nulls,
        "null_share": found.null_share,
        "distinct": found.distinct,
        "distinct_exact": found.distinct_exact,
        "values": [{"value": value.value, "count": value.count, "share": value.share} for value in top],
        "histogram": {"edges": list(spread.edges), "counts": list(spread.counts)} if spread else None,
    }


def _show_facts(found: FieldStatistics) -> None:
    about = "" if found.distinct_exact else "about "
    what = "profile" if found.kind == "attribute" else "event"
    styled(
        f"[bold]{escape(printable(found.field))}[/bold]  {found.type}, {about}{counted(found.distinct, 'different value')} in "
        f"{counted(found.rows, what)}, {share_text(found.nulls, found.rows)} without"
    )


def _show_values(found: FieldStatistics, top: tuple[ValueCount, ...], prefix: str) -> None:
    if not top:
        hidden = not found.top and found.distinct > 0
        note(
            "its values are personal data: they are not shown"
            if hidden
            else f'no value begins with "{printable(prefix)}"'
            if prefix
            else "no values"
        )
        return
    rows = [
        (value.value, count_text(value.count), f"{100 * value.share:.1f}%", bar(value.share, top[0].share, _BAR_CELLS).rstrip())
        for value in top
    ]
    show_table(("value", "count", "share", ""), rows, right=(1, 2))


def _show_all(listed: list[FieldStatistics]) -> None:
    rows = []
    for found in listed:
        common = ", ".join(cell(value.value) for value in found.top[:3])
        spread = sparkline(found.histogram.counts, low=0) if found.histogram else common
        about = "" if found.distinct_exact else "~"
        rows.append((found.field, found.type, f"{about}{count_text(found.distinct)}", share_text(found.nulls, found.rows), spread))
    show_table(("field", "type", "different", "without", "spread, or most frequent"), rows, right=(2, 3), empty="no fields")
