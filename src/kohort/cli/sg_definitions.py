"""`kohort sg push|pull|validate|move|versions|diff|revert`: segments as files and as versions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.audit import changed_segments
from kohort.cli.context import JSON, DryRun, ParentOption, Yes, catalog_if_known, confirm, current_parent, existing_paths
from kohort.cli.output import counted, instant_text, note, show_issues, show_json, show_table, styled
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from kohort.parent.catalog import FieldCatalog

Files = Annotated[list[Path] | None, typer.Argument(metavar="[FILE|DIR]...", help="Files or folders (default: all of the parent segment).")]
_SIGNS = {
    "create": "[green]+ create[/green]",
    "update": "[yellow]~ update[/yellow]",
    "describe": "[blue]~ describe[/blue]",
    "unchanged": "[dim]= unchanged[/dim]",
    "delete": "[red]- delete[/red]",
    "refused": "[red]! refused[/red]",
    "move": "[yellow]> move[/yellow]",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `kohort sg`."""
    for name, command in (
        ("push", push),
        ("pull", pull),
        ("validate", validate),
        ("move", move),
        ("versions", versions),
        ("diff", diff),
        ("revert", revert),
    ):
        app.command(name)(command)


def show_items(items: Iterable[Any], *, only_changes: bool = True) -> None:
    """One line an item of a plan: what happens to which definition."""
    listed = list(items)
    for item in listed:
        if item.action == "unchanged" and only_changes:
            continue
        version = f" [dim]version {item.version}[/dim]" if getattr(item, "version", 0) else ""
        file = f" [dim]{escape(item.file)}[/dim]" if getattr(item, "file", "") else ""
        styled(f"  {_SIGNS.get(item.action, item.action)}  {escape(item.path)}{version}{file}")
    unchanged = sum(item.action == "unchanged" for item in listed)
    if unchanged and only_changes:
        styled(f"  [dim]= {unchanged} unchanged[/dim]")


def _item(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def push(
    files: Files = None,
    dry_run: DryRun = False,
    delete: Annotated[bool, typer.Option("--delete", help="Also delete saved segments that have no file.")] = False,
    yes: Yes = False,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Save segments from their files. Everything is checked first, and all is saved or nothing."""
    session, record = open_session(), current_parent(parent)
    catalog = catalog_if_known(record)
    result = _push(record, files, catalog, dry_run=True, delete=delete)
    warnings = [issue for issue in result.issues if issue.severity == "warning"]
    if not as_json:
        show_items(result.items)
        show_issues(warnings)
        if not result.items:
            note(f"no segment files in {session.workspace.shown(session.workspace.segments_folder(record.slug))}")
    if not dry_run:
        result.issues.raise_if_errors()
        if result.changes:
            question = f"Save {counted(len(result.changes), 'change')} to {record.name}?"
            confirm(question, yes=yes, destructive=any(item.action == "delete" for item in result.items))
        with changed_segments(record):
            result = _push(record, files, catalog, dry_run=False, delete=delete)
    if as_json:
        show_json({"applied": result.applied, "items": [_item(item) for item in result.items]})
    elif not dry_run:
        note(
            f"{len(result.changes)} saved." + (" Next: kohort sg eval" if result.changes and session.store.last_refresh(record.id) else "")
        )
    result.issues.raise_if_errors()


def _push(record: Any, files: list[Path] | None, catalog: FieldCatalog | None, *, dry_run: bool, delete: bool) -> Any:
    from kohort.services.definitions.push import push_segments

    session = open_session()
    return push_segments(
        session.store,
        session.workspace,
        record,
        existing_paths(files or []),
        by=session.settings.user_name,
        clock=session.clock,
        catalog=catalog,
        delete=delete,
        dry_run=dry_run,
    )


def validate(files: Files = None, parent: ParentOption = "", as_json: JSON = False) -> None:
    """Check segment files. Against the fields, the operators and each other; nothing is saved."""
    from kohort.foundation.errors import InvalidInput

    try:
        record = current_parent(parent)
        result = _push(record, files, catalog_if_known(record), dry_run=True, delete=False)
        issues, checked = result.issues, len(result.items)
    except InvalidInput as error:
        issues, checked = error.issues, 0
    if as_json:
        show_json([_item(issue) for issue in issues])
    else:
        show_issues(issues)
        errors, warnings = len(issues.errors), len(issues) - len(issues.errors)
        note(
            f"{counted(checked, 'segment')} checked, no problems"
            if not issues
            else f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
        )
    if not issues.ok:
        raise typer.Exit(1)


def pull(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Segments (default: all).")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Write saved segments to their files. A file that already says the same is left as it is."""
    from kohort.services.definitions.pull import pull_segments

    session, record = open_session(), current_parent(parent)
    result = pull_segments(session.store, session.workspace, record, names or (), dry_run=True)
    if not as_json:
        show_items(result.items)
    if not dry_run:
        if any(item.action == "update" for item in result.items):
            confirm("Overwrite files that differ?", yes=yes, destructive=True)
        result = pull_segments(session.store, session.workspace, record, names or ())
    if as_json:
        show_json({"applied": result.applied, "items": [_item(item) for item in result.items], "local_only": list(result.local_only)})
    elif result.local_only:
        note(f"not saved yet, left as they are: {', '.join(result.local_only)}")


def move(
    segments: Annotated[list[str], typer.Argument(help="Segments: path, name or id.")],
    folder: Annotated[str | None, typer.Option("--folder", help="The folder to move to; / is the root.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="A new name (for one segment).")] = None,
    dry_run: DryRun = False,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Move segments to a folder, or rename one. Their rules stay as they are, references to them follow."""
    from kohort.services.definitions.move import move_segments

    if folder is None and name is None:
        raise UsageError("give --folder, --name or both")
    session, record = open_session(), current_parent(parent)
    with nullcontext() if dry_run else changed_segments(record):
        result = move_segments(
            session.store,
            session.workspace,
            record,
            segments,
            folder=None if folder is None else folder.strip("/"),
            name=name,
            by=session.settings.user_name,
            clock=session.clock,
            dry_run=dry_run,
        )
    if as_json:
        show_json({"applied": result.applied, "moved": [_item(m) for m in result.moved], "rewritten": [_item(r) for r in result.rewritten]})
        return
    for item in result.moved:
        styled(f"  {_SIGNS['move']}  {escape(item.old_path)} -> {escape(item.new_path)}")
    for reference in result.rewritten:
        change = f'in {reference.path}: "{reference.old_target}" -> "{reference.new_target}"'
        styled(f"  [blue]~ reference[/blue]  {escape(change)}")
    if not result.moved:
        note("nothing to move")


def versions(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")], parent: ParentOption = "", as_json: JSON = False
) -> None:
    """List the versions of a segment. There is one for each meaning it had."""
    from kohort.rules.text import write_rule
    from kohort.services.definitions.stored import segment_of
    from kohort.services.definitions.versions import list_versions

    record, found = list_versions(open_session().store, current_parent(parent), name)
    texts = [write_rule(segment_of(record, version.document).rule) for version in found]
    if as_json:
        show_json(
            [
                {"version": v.number, "created_at": instant_text(v.created_at), "created_by": v.created_by, "note": v.note, "rule": text}
                for v, text in zip(found, texts, strict=True)
            ]
        )
        return
    rows = [(v.number, f"{v.created_at:%Y-%m-%d %H:%M}", v.created_by, v.note, text) for v, text in zip(found, texts, strict=True)]
    show_table(("version", "when (GMT)", "by", "note", "rule"), rows, right=(0,))


def diff(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id (with --between: default all).")] = "",
    old: Annotated[int | None, typer.Option("--from", help="Version (default: the one before).")] = None,
    new: Annotated[int | None, typer.Option("--to", help="Version (default: the newest).")] = None,
    file: Annotated[bool, typer.Option("--file", help="Compare with the segment's file instead.")] = False,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option("--between", metavar="A B", help="Compare the members of two evaluations: last, previous, ids, days or instants."),
    ] = None,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show what changed between two versions. Or between a version and the file, or in the members of two evaluations."""
    from kohort.services.definitions.versions import diff_file, diff_versions

    if between is not None:
        if file or old is not None or new is not None:
            raise UsageError("give --between, or versions and --file, not both")
        _diff_members(name, between, parent, as_json)
        return
    if not name:
        raise UsageError("give a NAME, or --between A B for all segments")
    session, record = open_session(), current_parent(parent)
    if file and new is not None:
        raise UsageError("give --to or --file, not both")
    found = diff_file(session.store, session.workspace, record, name, old) if file else diff_versions(session.store, record, name, old, new)
    if as_json:
        rules = [
            {"kind": change.kind, "before": change.before, "after": change.after, "sentence": change.sentence} for change in found.rule
        ]
        show_json(
            {
                "path": found.path,
                "from": found.old,
                "to": found.new,
                "same_meaning": found.same_meaning,
                "rule": rules,
                "fields": [_item(c) for c in found.fields],
            }
        )
        return
    if found.old == found.new and old is None and new is None:
        note(f"{found.path} has version 1 only: there is nothing to compare it with yet (--file compares it with its file)")
        return
    styled(f"[bold]{escape(found.path)}[/bold]: {found.old} -> {escape(found.new)}")
    if found.is_empty:
        styled("  nothing changed")
    for change in found.rule:
        styled(f"  {escape(change.sentence)}")
    for field in found.fields:
        styled(f"  {field.field}: {escape(field.before or '--')} -> {escape(field.after or '--')}")
    if not found.is_empty and found.same_meaning:
        styled("  [dim]the meaning is the same[/dim]")


def _diff_members(name: str, between: tuple[str, str], parent: str, as_json: bool) -> None:
    from kohort.cli.sg_history import show_all_changes, show_people_changed
    from kohort.services.membership.changes import all_changes, people_changed

    session, record = open_session(), current_parent(parent)
    before, after = between
    if name:
        people = people_changed(session.warehouse, session.store, session.snapshots, record, name, before=before, after=after)
        show_people_changed(people, as_json)
    else:
        show_all_changes(all_changes(session.store, session.snapshots, record, before, after), as_json)


def revert(
    name: Annotated[str, typer.Argument(help="A saved segment: path, name or id.")],
    version: Annotated[int, typer.Argument(help="The version to go back to.")],
    yes: Yes = False,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Go back to an old version. It becomes the newest one, and the file is written."""
    from kohort.services.definitions.versions import revert_segment

    session, record = open_session(), current_parent(parent)
    confirm(f"Revert {name} to version {version}?", yes=yes, destructive=False)
    catalog = catalog_if_known(record)
    with changed_segments(record, "segment.revert", f"to version {version}"):
        result = revert_segment(
            session.store,
            session.workspace,
            record,
            name,
            version,
            by=session.settings.user_name,
            clock=session.clock,
            catalog=catalog,
        )
    if as_json:
        show_json({"path": result.record.path, "version": result.record.version, "changed": result.changed, "file": result.file})
        return
    what = (
        f"is version {version} again, as version {result.record.version}" if result.changed else f"already says what version {version} said"
    )
    styled(f"[bold]{escape(result.record.path)}[/bold] {what}")
