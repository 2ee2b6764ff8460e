"""`kohort ps ...`: parent segments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from kohort.cli import ps_values
from kohort.cli.context import JSON, AsOf, DryRun, Yes, confirm, current_catalog, current_parent, existing_paths, read_as_of
from kohort.cli.output import (
    count_text,
    counted,
    instant_text,
    note,
    progress,
    show,
    show_arrow,
    show_issues,
    show_json,
    show_table,
    styled,
)
from kohort.cli.session import open_session
from kohort.cli.sg_definitions import show_items
from kohort.cli.usage import UsageError
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issue, Issues

if TYPE_CHECKING:
    from kohort.parent.definition import ParentSegment
    from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, Misfit, RefreshReport
    from kohort.ports.definitions import ParentRecord, RefreshRecord

ps_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ps_values.register(ps_app)
Name = Annotated[str, typer.Argument(help="The parent segment (default: the one in use).")]
Master = Annotated[bool, typer.Option("--master", help="Only the master table.")]
Attribute = Annotated[str | None, typer.Option("--attribute", metavar="NAME", help="Only this attribute table (all: every one).")]
Behavior = Annotated[str | None, typer.Option("--behavior", metavar="NAME", help="Only this behavior (all: every one).")]
Part = Literal["all", "master", "attribute", "behavior"]


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
    from kohort.services.push import push_parents

    session = open_session()
    by, clock = session.settings.user_name, session.clock
    result = push_parents(session.store, session.workspace, existing_paths(files or []), by=by, clock=clock, dry_run=dry_run)
    if as_json:
        show_json({"applied": result.applied, "items": [{"action": i.action, "path": i.path, "version": i.version} for i in result.items]})
        return
    show_items(result.items, only_changes=False)
    show_issues(result.issues)


@ps_app.command("pull")
def pull(name: Name = "", dry_run: DryRun = False, yes: Yes = False, as_json: JSON = False) -> None:
    """Write saved parent segments to their files. A file that already says the same is left as it is."""
    from kohort.services.pull import pull_parents

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


def _definition(name: str) -> tuple[ParentSegment, Callable[[Issues], Issues]]:
    """The parent segment of a file or a saved one, and what places its issues in the file."""
    from kohort.parent.codec import located, read_parent
    from kohort.services.stored import parent_of
    from kohort.workspace.files import read_document

    path = Path(name)
    if name and path.suffix in (".yml", ".yaml"):
        existing_paths([path])
        document, issues = read_document(path, str(path))
        issues.raise_if_errors()
        assert document is not None
        parent, problems = read_parent(document)
        placed = document.located(problems)
        placed.raise_if_errors()
        assert parent is not None
        return parent, lambda found: Issues([*placed, *located(document, found)])
    record = current_parent(name)
    return parent_of(record), lambda found: _in_file(record, found)


def _in_file(record: ParentRecord, issues: Issues) -> Issues:
    """Issues of a saved parent segment, placed in its file if there is one that says the same."""
    from kohort.parent.codec import located
    from kohort.services.stored import parent_of
    from kohort.workspace.reading import read_parent_files

    saved = parent_of(record)
    files, _ = read_parent_files(open_session().workspace)
    document = next((file.document for file in files if file.parent == saved), None)
    return issues if document is None else located(document, issues)


@contextmanager
def _placed(place: Callable[[Issues], Issues]) -> Iterator[None]:
    """Whatever input is refused inside is told with the places of its file."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(place(error.issues)) from error


def _part(master: bool, attribute: str | None, behavior: str | None, default: Part) -> tuple[Part, str]:
    if sum((master, attribute is not None, behavior is not None)) > 1:
        raise UsageError("give one of --master, --attribute, --behavior")
    if master:
        return "master", ""
    if attribute is not None:
        return "attribute", "" if attribute == "all" else attribute
    if behavior is not None:
        return "behavior", "" if behavior == "all" else behavior
    return default, ""


@ps_app.command("validate")
def validate(
    name: Name = "", master: Master = False, attribute: Attribute = None, behavior: Behavior = None, as_json: JSON = False
) -> None:
    """Check a parent segment against its tables. It may be saved or a YAML file; rows, join rates, keys and types are measured."""
    from kohort.services.validate_parent import validate_parent

    parent, place = _definition(name)
    part, entry = _part(master, attribute, behavior, "all")
    check = validate_parent(open_session().warehouse, parent, part=part, name=entry)
    issues: Issues = place(check.issues)
    if as_json:
        from dataclasses import asdict

        figures = {"master": asdict(check.master) if check.master else None}
        attributes = [{**asdict(table), "match_rate": table.match_rate} for table in check.attributes]
        behaviors = [{**asdict(table), "match_rate": table.match_rate} for table in check.behaviors]
        show_json({"issues": [_issue(issue) for issue in issues], **figures, "attributes": attributes, "behaviors": behaviors})
    else:
        _show_figures(check)
        show_issues(issues)
        errors = len(issues.errors)
        note(f"{counted(errors, 'error')}, {counted(len(issues) - errors, 'warning')}" if issues else "no problems")
    if not issues.ok:
        raise typer.Exit(1)


def _issue(issue: Issue) -> dict[str, Any]:
    return {name: getattr(issue, name) for name in issue.__dataclass_fields__}


def _show_figures(report: Any) -> None:
    """Rows, match rates and key problems of every table, of a check or a refresh report."""
    if report.master is None:
        return
    m = report.master
    rows: list[tuple[Any, ...]] = [("master", "", m.source, count_text(m.rows_in), "", m.null_keys, m.duplicate_keys, _misfits(m.misfits))]
    rows += [("attribute", a.name, a.source, *_joined(a, f"{a.match_rate:.1%}", a.duplicate_keys)) for a in report.attributes]
    rows += [("behavior", b.name, b.source, *_joined(b, f"{b.match_rate:.1%}", "")) for b in report.behaviors]
    show_table(("part", "name", "table", "rows", "matched", "no key", "twice", "misfits"), rows, right=(3, 4, 5, 6, 7))


def _joined(table: AttributeReport | BehaviorReport, matched: str, duplicates: int | str) -> tuple[Any, ...]:
    return count_text(table.rows_in), matched, table.null_keys, duplicates, _misfits(table.misfits)


def _misfits(misfits: tuple[Misfit, ...]) -> str:
    total = sum(misfit.count for misfit in misfits)
    return count_text(total) if total else "0"


@ps_app.command("preview")
def preview(
    name: Name = "",
    master: Master = False,
    attribute: Attribute = None,
    behavior: Behavior = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of each.")] = 5,
    as_json: JSON = False,
) -> None:
    """Show rows as a refresh would build them. Of the master (default), an attribute table or a behavior."""
    from kohort.services.preview_parent import preview_parent

    parent, place = _definition(name)
    part, entry = _part(master, attribute, behavior, "master")
    with _placed(place):
        found = preview_parent(open_session().warehouse, parent, part=part, name=entry, limit=limit)
    if as_json:
        show_json({title: table.to_pylist() for title, table in found.items()})
        return
    for title, table in found.items():
        styled(f"[bold]{escape(title)}[/bold]")
        show_arrow(table, empty="no rows")


@ps_app.command("run")
def run(name: Name = "", as_of: AsOf = "", as_json: JSON = False) -> None:
    """Refresh a parent segment. Builds profiles and behaviors, then switches to them all at once."""
    from kohort.parent.report import report_from_document
    from kohort.services.index import refresh_and_index
    from kohort.services.stored import parent_of

    session = open_session()
    record = current_parent(name)
    moment = read_as_of(as_of, parent_of(record).timezone)
    _note_unpushed(record)
    with _placed(lambda issues: _in_file(record, issues)), progress(not as_json) as steps:
        refreshed = refresh_and_index(
            session.warehouse, session.store, record, session.indexes, clock=session.clock, as_of=moment, progress=steps
        )
    done = refreshed.record
    if refreshed.problem:
        show_issues([Issue("INDEX_NOT_BUILT", f"evaluations go by SQL, which is slower: {refreshed.problem}", severity="warning")])
    if as_json:
        show_json({**_refresh(done), "indexed": refreshed.index is not None})
        return
    styled(
        f"Refreshed [bold]{escape(record.name)}[/bold]: {count_text(done.population)} profiles as of {instant_text(done.as_of)} "
        f"(refresh {done.number}, {_seconds(done)})"
    )
    report = report_from_document(done.report)
    _show_figures(report)
    _show_losses(report)


def _note_unpushed(record: ParentRecord) -> None:
    """A remark when the file says something else than what is about to be refreshed."""
    from kohort.services.push import push_parents

    session = open_session()
    try:
        plan = push_parents(session.store, session.workspace, by="", clock=session.clock, dry_run=True)
    except UserError:
        return
    for item in plan.items:
        if item.path == record.name and item.action == "update":
            note(f"{item.file} has changes that are not pushed; this refreshes version {record.version} without them")


def _show_losses(report: RefreshReport) -> None:
    """In words, everything that did not join or fit."""
    for warning in report.warnings:
        show_issues([Issue("REFRESH_WARNING", warning, severity="warning")])
    for attribute in report.attributes:
        _note_loss(attribute.name, attribute.unmatched_keys, "keys belong to no customer", attribute.unmatched_samples)
        _note_loss(attribute.name, attribute.extra_rows, "rows of duplicate keys were left out", attribute.duplicate_samples)
    for behavior in report.behaviors:
        _note_loss(behavior.name, behavior.unmatched_rows, "rows belong to no customer", behavior.unmatched_samples)
        _note_loss(behavior.name, behavior.no_time, "rows have no time", ())
    entries: list[MasterReport | AttributeReport | BehaviorReport] = [report.master, *report.attributes, *report.behaviors]
    for entry in entries:
        for misfit in entry.misfits:
            _note_loss(f"{entry.source}.{misfit.column}", misfit.count, f"values are no {misfit.type} and became null", misfit.samples)


def _note_loss(where: str, number: int, what: str, samples: Iterable[str]) -> None:
    if number:
        shown = ", ".join(samples)
        note(f"  {where}: {count_text(number)} {what}{f' ({shown})' if shown else ''}")


def _refresh(record: RefreshRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "status": record.status,
        "as_of": instant_text(record.as_of),
        "started_at": instant_text(record.started_at),
        "finished_at": instant_text(record.finished_at) if record.finished_at else None,
        "population": record.population,
        "message": record.message,
        "report": record.report,
    }


def _seconds(record: RefreshRecord) -> str:
    return f"{(record.finished_at - record.started_at).total_seconds():.1f} s" if record.finished_at else ""


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
    from kohort.services.stored import parent_of

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
                "refreshes": [{k: v for k, v in _refresh(r).items() if k != "report"} for r in refreshes],
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
            (r.number, r.status, f"{r.started_at:%Y-%m-%d %H:%M:%S}", _seconds(r), count_text(r.population), r.message) for r in refreshes
        ]
        show_table(("refresh", "status", "started (GMT)", "took", "profiles", "message"), rows, right=(0, 3, 4))


def _facts(parent: ParentSegment, record: ParentRecord, last: RefreshRecord | None) -> list[tuple[str, str]]:
    from kohort.parent.layout import output_database
    from kohort.parent.schedule import describe_schedule

    updated = "never; run: kohort ps run"
    if last and last.finished_at:
        updated = f"{_gmt(last.finished_at)} GMT (as of {instant_text(last.as_of)}, {count_text(last.population)} profiles)"
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


@ps_app.command("sql")
def sql(name: Name = "") -> None:
    """Print the SQL that a refresh runs."""
    from kohort.parent.statements import pretty
    from kohort.services.refresh import planned_refresh
    from kohort.services.stored import parent_of

    session, record = open_session(), current_parent(name)
    newest = session.store.refreshes(record.id, limit=1)
    number = newest[0].number + 1 if newest else 1
    with _placed(lambda issues: _in_file(record, issues)):
        steps = planned_refresh(session.warehouse, parent_of(record), record.id, number)
    for step in steps:
        show(f"-- {step.name}\n{pretty(step.statement)};\n")


@ps_app.command("show")
def show_customers(
    name: Name = "", limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 10, as_json: JSON = False
) -> None:
    """Show some customers with their attributes."""
    from kohort.rules.core import EVERYBODY
    from kohort.services.evaluate import open_engine
    from kohort.services.members import rule_rows

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

    from kohort.services.fields import explain_missing as explain

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
