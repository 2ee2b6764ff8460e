"""`kohort ps validate|preview|run|sql`: the tables of a parent segment checked, sampled and refreshed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from kohort.cli.context import JSON, RefreshAsOf, current_parent, existing_paths, read_as_of
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
from kohort.cli.usage import UsageError
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import Issue, Issues

if TYPE_CHECKING:
    from kohort.parent.definition import ParentSegment
    from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, Misfit, RefreshReport
    from kohort.ports.definitions import ParentRecord, RefreshRecord


Name = Annotated[str, typer.Argument(help="The parent segment (default: the one in use).")]
Master = Annotated[bool, typer.Option("--master", help="Only the master table.")]
Attribute = Annotated[str | None, typer.Option("--attribute", metavar="NAME", help="Only this attribute table (all: every one).")]
Behavior = Annotated[str | None, typer.Option("--behavior", metavar="NAME", help="Only this behavior (all: every one).")]
Part = Literal["all", "master", "attribute", "behavior"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `kohort ps`."""
    for command in (validate, preview, run, sql):
        app.command(command.__name__)(command)


def _definition(name: str) -> tuple[ParentSegment, Callable[[Issues], Issues]]:
    """The parent segment of a file or a saved one, and what places its issues in the file."""
    from kohort.parent.codec import located, read_parent
    from kohort.services.definitions.stored import parent_of
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
    from kohort.services.definitions.stored import parent_of
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


def validate(
    name: Name = "", master: Master = False, attribute: Attribute = None, behavior: Behavior = None, as_json: JSON = False
) -> None:
    """Check a parent segment against its tables. It may be saved or a YAML file; rows, join rates, keys and types are measured."""
    from kohort.services.parents.validate import validate_parent

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
    show_table(("part", "name", "table", "rows", "matched", "no key", "twice", "misfits"), rows, right=(3, 4, 5, 6, 7), spare=(5, 6, 7))


def _joined(table: AttributeReport | BehaviorReport, matched: str, duplicates: int | str) -> tuple[Any, ...]:
    return count_text(table.rows_in), matched, table.null_keys, duplicates, _misfits(table.misfits)


def _misfits(misfits: tuple[Misfit, ...]) -> str:
    total = sum(misfit.count for misfit in misfits)
    return count_text(total) if total else "0"


def preview(
    name: Name = "",
    master: Master = False,
    attribute: Attribute = None,
    behavior: Behavior = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of each.")] = 5,
    as_json: JSON = False,
) -> None:
    """Show rows as a refresh would build them. Of the master (default), an attribute table or a behavior."""
    from kohort.services.parents.preview import preview_parent

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


def run(name: Name = "", as_of: RefreshAsOf = "", as_json: JSON = False) -> None:
    """Refresh a parent segment. Builds profiles and behaviors, then switches to them all at once."""
    from kohort.cli.work import refresh
    from kohort.parent.report import report_from_document
    from kohort.services.definitions.stored import parent_of

    record = current_parent(name)
    moment = read_as_of(as_of, parent_of(record).timezone)
    _note_unpushed(record)
    with _placed(lambda issues: _in_file(record, issues)), progress(not as_json) as steps:
        refreshed = refresh(open_session(), record, moment, steps)
    done = refreshed.record
    if refreshed.problem:
        show_issues([Issue("INDEX_NOT_BUILT", f"evaluations go by SQL, which is slower: {refreshed.problem}", severity="warning")])
    if refreshed.unmeasured:
        note(f"the values of fields will be measured when they are asked for: {refreshed.unmeasured}")
    if as_json:
        show_json({**refresh_document(done), "indexed": refreshed.is_indexed})
        return
    styled(
        f"Refreshed [bold]{escape(record.name)}[/bold]: {counted(done.population, 'profile')} as of {instant_text(done.as_of)} "
        f"(refresh {done.number}, {seconds_taken(done)})"
    )
    report = report_from_document(done.report)
    _show_figures(report)
    _show_losses(report)


def _note_unpushed(record: ParentRecord) -> None:
    """A remark when the file says something else than what is about to be refreshed."""
    from kohort.services.definitions.push import push_parents

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


def refresh_document(record: RefreshRecord) -> dict[str, Any]:
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


def seconds_taken(record: RefreshRecord) -> str:
    return f"{(record.finished_at - record.started_at).total_seconds():.1f} s" if record.finished_at else ""


def sql(name: Name = "") -> None:
    """Print the SQL that a refresh runs."""
    from kohort.parent.statements import pretty
    from kohort.services.definitions.stored import parent_of
    from kohort.services.refresh.refresh import planned_refresh

    session, record = open_session(), current_parent(name)
    newest = session.store.refreshes(record.id, limit=1)
    number = newest[0].number + 1 if newest else 1
    with _placed(lambda issues: _in_file(record, issues)):
        steps = planned_refresh(session.warehouse, parent_of(record), record.id, number)
    for step in steps:
        show(f"-- {step.name}\n{pretty(step.statement)};\n")
