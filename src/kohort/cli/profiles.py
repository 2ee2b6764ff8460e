"""`kohort profile show KEY`: one customer's card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.panel import Panel

from kohort.cli import sg_history
from kohort.cli.context import JSON, AsOf, ParentOption, open_current_engine, read_as_of
from kohort.cli.output import cell, count_text, instant_text, print_panel, show_json
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.services.profiles.card import BehaviorRow, ProfileCard

profile_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
sg_history.register_profile(profile_app)


@profile_app.callback()
def profiles() -> None:
    """One customer: attributes, behaviors, segments."""


@profile_app.command("show")
def show_profile(
    key: Annotated[str, typer.Argument(help="The master key, or a cdp_customer_id.")],
    recent: Annotated[int, typer.Option("--recent", min=0, help="How many behaviors to show.")] = 10,
    as_of: AsOf = "",
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show a customer. Attributes, recent behaviors by date, and segments."""
    from kohort.services.profiles.card import profile_card

    session = open_session()
    engine = open_current_engine(parent)
    moment = read_as_of(as_of, engine.catalog.timezone)
    card = profile_card(engine, session.store, session.snapshots, key, recent=recent, as_of=moment)
    if as_json:
        show_json(_document(card))
    else:
        print_panel(
            Panel(
                "\n".join(_lines(card)), title=f"[bold]{escape(card.key_column)} {escape(card.key)}[/bold]", title_align="left", width=100
            )
        )


def _document(card: ProfileCard) -> dict[str, Any]:
    return {
        "key": card.key,
        "key_column": card.key_column,
        "cdp_customer_id": card.customer_id,
        "as_of": instant_text(card.as_of),
        "attributes": {field.name: value for field, value in card.attributes},
        "behaviors": [
            {"date": day.isoformat(), "rows": [{"behavior": r.behavior, "timestamp": instant_text(r.at), **r.values} for r in rows]}
            for day, rows in card.days
        ],
        "behavior_counts": card.behavior_counts,
        "segments": list(card.segments),
        "segments_as_of": instant_text(card.segments_as_of) if card.segments_as_of else None,
    }


def _lines(card: ProfileCard) -> list[str]:
    lines = [f"[dim]{card.customer_id}[/dim]", ""]
    groups: dict[str, list[tuple[str, Any]]] = {}
    for field, value in card.attributes:
        groups.setdefault(field.group or "Customer", []).append((field.label or field.name, value))
    for group, values in groups.items():
        lines.append(f"[bold]{escape(group)}[/bold]")
        lines += [f"  {escape(label):<24} {escape(cell(value)) if value is not None else '[dim]--[/dim]'}" for label, value in values]
    counts = ", ".join(f"{name} {count_text(count)}" for name, count in card.behavior_counts.items())
    lines += ["", f"[bold]Recent behaviors[/bold] [dim]({escape(counts)} in all)[/dim]"]
    for day, rows in card.days:
        lines.append(f"  {day:%b} {day.day}, {day.year} ({len(rows)})")
        lines += [f"    {_row(row)}" for row in rows]
    if not card.days:
        lines.append("  [dim]none[/dim]")
    as_of = f" [dim]as of {instant_text(card.segments_as_of)}[/dim]" if card.segments_as_of else ""
    lines += ["", f"[bold]Segments[/bold]{as_of}"]
    lines += [f"  {escape(path)}" for path in card.segments] or ["  [dim]none, or not evaluated yet[/dim]"]
    return lines


def _row(row: BehaviorRow) -> str:
    values = ", ".join(f"{name} {cell(value)}" for name, value in row.values.items())
    return f"[dim]{row.at:%H:%M}[/dim] {escape(row.label)}  {escape(values)}"
