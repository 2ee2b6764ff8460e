"""`kohort source rename|remove`: another name for a source, and the end of one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kohort.cli.audit import change, changed_source
from kohort.cli.context import JSON, Yes, confirm
from kohort.cli.output import counted, note, show_json, styled
from kohort.cli.session import open_session
from kohort.foundation.errors import UserError

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort
    from kohort.ports.sources import SourceRecord

_SEEN_SECONDS = 6.0
_LONGEST_WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.2

Name = Annotated[str, typer.Argument(help="The source: its name or its schema.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `kohort source`."""
    app.command("rename")(rename)
    app.command("remove")(remove)


def rename(name: Name, new_name: Annotated[str, typer.Argument(help="What people call it from now on.")], as_json: JSON = False) -> None:
    """Give a source another name. Its schema and its keys stay."""
    from kohort.services.sources.registry import rename_source

    session = open_session()
    with changed_source("source.rename", name, new_name.strip()):
        record = rename_source(session.store, name, new_name, by=session.settings.user_name, clock=session.clock)
    if as_json:
        show_json({"name": record.name, "schema": record.slug})
    else:
        styled(f"The source with the schema {record.slug} is called [bold]{escape(record.name)}[/bold] now.")


def remove(
    name: Name,
    drop_tables: Annotated[bool, typer.Option("--drop-tables", help="Drop its tables, too; without this they stay.")] = False,
    yes: Yes = False,
    as_json: JSON = False,
) -> None:
    """Remove a source. Its calls are refused, what has arrived comes into tables, then it and its keys are forgotten."""
    from kohort.services.definitions.revisions import revision_of
    from kohort.services.sources.registry import remove_source, require_source, require_tables_unused, set_status

    session = open_session()
    record = require_source(session.store, name)
    if drop_tables:
        require_tables_unused(session.store, record)
    lost = "and drop all its tables" if drop_tables else "and keep its tables"
    confirm(f"Remove the source {record.name} {lost}? Its keys will never be taken again.", yes=yes, destructive=True)
    was_enabled = record.status == "enabled"
    with changed_source("source.change", record.slug):
        record = set_status(session.store, record.slug, "disabled", by=session.settings.user_name, clock=session.clock)
    _wait_for_tables(session, record, _SEEN_SECONDS if was_enabled else 0.0)
    dropped = session.drop_source_tables(record.slug) if drop_tables else []
    with change() as done:
        remove_source(session.store, record.slug)
        done("source.remove", "source", record.slug, before=revision_of(record), detail="with its tables" if drop_tables else "")
    if as_json:
        show_json({"name": record.name, "schema": record.slug, "dropped": dropped})
    else:
        what = f"{counted(len(dropped), 'table')} and views dropped" if drop_tables else f"its tables stay in {record.slug}"
        styled(f"[bold]{escape(record.name)}[/bold] is removed: {what}.")


def _wait_for_tables(session: Kohort, record: SourceRecord, seen_seconds: float) -> None:
    """Until a server has seen that the source is disabled, and nothing of it waits. Raises UserError SOURCE_HAS_CALLS."""
    began = time.monotonic()
    serves = session.server_counts() is not None
    if serves and seen_seconds:
        note("The server stops taking its calls; a few seconds ...")
        time.sleep(seen_seconds)
    while (waiting := _waiting(session, record)) and serves and time.monotonic() - began < _LONGEST_WAIT_SECONDS:
        time.sleep(_LOOK_SECONDS)
    if waiting:
        hint = "let them come into tables first: kohort serve; the source is disabled meanwhile"
        raise UserError("SOURCE_HAS_CALLS", f"{counted(waiting, 'call')} of {record.name} are not in tables yet", hint=hint)


def _waiting(session: Kohort, record: SourceRecord) -> int:
    (state,) = session.source_states([record], None)
    return state.waiting
