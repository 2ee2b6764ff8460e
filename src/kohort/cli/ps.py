"""`kohort ps ...`: parent segments."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kohort.cli import ps_refresh, ps_scaffold, ps_values
from kohort.cli.audit import changed_parents
from kohort.cli.context import JSON, DryRun, Yes, confirm, current_catalog, current_parent, existing_paths
from kohort.cli.output import (
    count_text,
    counted,
    instant_text,
    note,
    show,
    show_arrow,
    show_issues,
    show_json,
    show_table,
    styled,
)
from kohort.cli.ps_refresh import Name, refresh_document, seconds_taken
from kohort.cli.session import open_session
from kohort.cli.sg_definitions import show_items

if TYPE_CHECKING:
    from kohort.parent.definition import ParentSegment
    from kohort.ports.definitions import ParentRecord, RefreshRecord

ps_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@ps_app.command("list")
def list_parents(as_json: JSON = False) -> None:
    """List parent segments with their last refresh."""
    session = open_session()
    rows = []
    for record in session.store.parents():
        last = session.store.last_refresh(record.id)
        rows.append((record, last, len(session.store.segments(record.id))))
    in_use = session.workspace.parent_segment
    if as_json:
        show_json(
            [
                {
                    "id": r.id,
                    "name": r.name,
                    "slug": r.slug,
                    "in_use": in_use in (r.name, r.slug),
                    "population": last.population if last else None,
                    "last_updated": instant_text(last.finished_at) if last and last.finished_at else None,
                    "segments": segments,
                }
                for r, last, segments in rows
            ]
        )
        return
    shown = [
        (
            "*" if in_use in (r.name, r.slug) else "",
            r.id,
            r.name,
            count_text(last.population) if last else "",
            segments,
            f"{last.finished_at:%Y-%m-%d %H:%M} GMT" if last and last.finished_at else "never",
        )
        for r, last, segments in rows
    ]
    columns = ("", "id", "name", "profiles", "segments", "last refresh")
    show_table(columns, shown, right=(1, 3, 4), empty="no parent segments yet: kohort ps push FILE")


@ps_app.command("use")
def use(name: Name = "") -> None:
    """Choose (or show) the parent segment that commands mean."""
    use_parent(name)


def use_parent(name: str) -> None:
    """Write the choice into kohort.toml, or show it."""
    session = open_session()
    if not name:
        show(session.workspace.parent_segment or "no parent segment is chosen")
        return
    record = current_parent(name)
    session.workspace.use_parent_segment(record.name)
    styled(f"Using [bold]{escape(record.name)}[/bold].")


@ps_app.command("push")
def push(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="YAML files (default: all in parent_segments/).")] = None,
    dry_run: DryRun = False,
    as_json: JSON = False,
) -> None:
    """Save parent segments from their files. A refresh is what makes them take effect."""
    from kohort.services.definitions.push import push_parents

    session = open_session()
    by, clock = session.settings.user_name, session.clock
    with nullcontext() if dry_run else changed_parents():
        result = push_parents(session.store, session.workspace, existing_paths(files or []), by=by, clock=clock, dry_run=dry_run)
    if as_json:
        show_json({"applied": result.applied, "items": [{"action": i.action, "path": i.path, "version": i.version} for i in result.items]})
        return
    show_items(result.items, only_changes=False)
    show_issues(result.issues)


@ps_app.command("pull")
def pull(name: Name = "", dry_run: DryRun = False, yes: Yes = False, as_json: JSON = False) -> None:
    """Write saved parent segments to their files. A file that already says the same is left as it is."""
    from kohort.services.definitions.pull import pull_parents

    session = open_session()
    wanted = [current_parent(name)] if name else list(session.store.parents())
    result = pull_parents(session.store, session.workspace, wanted, dry_run=True)
    if not as_json:
        show_items(result.items, only_changes=False)
    if not dry_run:
        if any(item.action == "update" for item in result.items):
            confirm("Overwrite files that differ?", yes=yes, destructive=True)
        result = pull_parents(session.store, session.workspace, wanted)
    if as_json:
        show_json({"applied": result.applied, "items": [{"action": i.action, "path": i.path, "file": i.file} for i in result.items]})


@ps_app.command("fields")
def fields(name: Name = "", as_json: JSON = False) -> None:
    """Show the attributes and behaviors that rules may use."""
    show_fields(name, as_json)


def show_fields(name: str, as_json: bool) -> None:
    """The two lists as YAML, or as JSON."""
    from kohort.parent.schema_export import fields_document, fields_text

    catalog = current_catalog(current_parent(name))
    if as_json:
        show_json(fields_document(catalog))
    else:
        show(fields_text(catalog).rstrip("\n"))


@ps_app.command("view")
def view(name: Name = "", as_json: JSON = False) -> None:
    """Show what it is made of and when it was last updated."""
    from kohort.services.definitions.stored import parent_of

    session = open_session()
    record = current_parent(name)
    parent, refreshes = parent_of(record), session.store.refreshes(record.id, limit=10)
    last = session.store.last_refresh(record.id)
    if as_json:
        show_json(
            {
                "id": record.id,
                "name": record.name,
                "description": parent.description,
                "last_updated": instant_text(last.finished_at) if last and last.finished_at else None,
                "population": last.population if last else None,
                "version": record.version,
                "definition": record.document,
                "refreshes": [{k: v for k, v in refresh_document(r).items() if k != "report"} for r in refreshes],
            }
        )
        return
    styled(f"[bold]{escape(record.name)}[/bold] [dim]id {record.id}, version {record.version}[/dim]")
    if parent.description:
        styled(escape(parent.description))
    for label, value in _facts(parent, record, last):
        styled(f"[dim]{label:<14}[/dim]{escape(value)}")
    if refreshes:
        show()
        rows = [
            (r.number, r.status, f"{r.started_at:%Y-%m-%d %H:%M:%S}", seconds_taken(r), count_text(r.population), r.message)
            for r in refreshes
        ]
        show_table(("refresh", "status", "started (GMT)", "took", "profiles", "message"), rows, right=(0, 3, 4))


def _facts(parent: ParentSegment, record: ParentRecord, last: RefreshRecord | None) -> list[tuple[str, str]]:
    from kohort.parent.layout import output_database
    from kohort.parent.schedule import describe_schedule

    updated = "never; run: kohort ps run"
    if last and last.finished_at:
        updated = f"{_gmt(last.finished_at)} GMT (as of {instant_text(last.as_of)}, {counted(last.population, 'profile')})"
    facts = [
        ("Last updated:", updated),
        ("Schedule:", describe_schedule(parent.schedule)),
        ("Time zone:", parent.timezone),
        ("Output:", output_database(record.id)),
        ("Master:", f"{parent.master.source} by {parent.key_column}"),
    ]
    facts += [("Filter:", f"{f.column} in ({', '.join(f.values)})") for f in parent.master.filters]
    facts += [("Attributes:", f"{a.name} from {a.source} on {a.parent_key} = {a.child_key}") for a in parent.attributes]
    facts += [("Behavior:", f"behavior_{b.slug} from {b.source} on {b.parent_key} = {b.child_key}") for b in parent.behaviors]
    return facts


def _gmt(instant: datetime) -> str:
    return f"{instant:%b} {instant.day}, {instant:%Y, %H:%M}"


@ps_app.command("desc")
def desc(
    name: Name = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write JSON to a file.")] = None,
    as_json: JSON = False,
) -> None:
    """Show the schema of the output database."""
    from kohort.parent.schema_export import schema_document
    from kohort.workspace.files import write_text

    record = current_parent(name)
    document = schema_document(current_catalog(record), record.name, record.id)
    if output is not None:
        write_text(output, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        note(f"written to {output}")
    elif as_json:
        show_json(document)
    else:
        tables = [document["customers"], *document["behaviors"]]
        rows = [
            (f"{document['database']}.{table['table']}", column["name"], column["type"]) for table in tables for column in table["columns"]
        ]
        show_table(("table", "column", "type"), rows)


@ps_app.command("show")
def show_customers(
    name: Name = "", limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 10, as_json: JSON = False
) -> None:
    """Show some customers with their attributes."""
    from kohort.rules.core import EVERYBODY
    from kohort.services.evaluation.evaluate import open_engine
    from kohort.services.membership.members import rule_rows

    session = open_session()
    engine = open_engine(session.warehouse, session.store, current_parent(name), session.settings.range_size, session.index_use)
    rows = rule_rows(engine, EVERYBODY, limit=limit)
    if as_json:
        show_json(rows.to_pylist())
    else:
        show_arrow(rows, empty="no customers")


@ps_app.command("explain-missing")
def explain_missing(column: Annotated[str, typer.Argument(help="The field you miss.")], name: Name = "", as_json: JSON = False) -> None:
    """Say how one would add a field. Which tables have it, and the YAML to paste."""
    from dataclasses import asdict

    from kohort.services.parents.fields import explain_missing as explain

    session = open_session()
    found = explain(session.warehouse, session.store, current_parent(name), column)
    if as_json:
        show_json(asdict(found))
        return
    for sentence in found.present:
        show(sentence)
    for place in found.places:
        exact = "" if place.exact else f' (near "{column}")'
        styled(f"[bold]{escape(place.table)}[/bold] has the column [bold]{escape(place.column)}[/bold] ({place.type}){escape(exact)}")
        show(f"{place.advice}\n")
        show("\n".join(f"    {line}" for line in place.yaml.rstrip().splitlines()) + "\n")
    if found.places:
        note("paste it into the parent segment's file, then: kohort ps push FILE and kohort ps run NAME")
    elif not found.present:
        note(f'no table of the warehouse has a column like "{column}": import one, or derive it with kohort tables create')


ps_refresh.register(ps_app)
ps_values.register(ps_app)
ps_scaffold.register(ps_app)
