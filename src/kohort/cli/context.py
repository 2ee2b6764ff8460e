"""What most commands need first: the parent segment in use, an instant, the engine."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from kohort.cli.output import note
from kohort.cli.session import open_session
from kohort.foundation.errors import UserError
from kohort.foundation.instants import from_micros, load_zone, parse_instant

if TYPE_CHECKING:
    from kohort.parent.catalog import FieldCatalog
    from kohort.ports.definitions import ParentRecord
    from kohort.services.evaluation.evaluate import Engine

JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOf = Annotated[
    str, typer.Option("--as-of", metavar="T", help="The instant: 2024-01-31, 2024-01-31T10:00Z or now (default: that of the last refresh).")
]
RefreshAsOf = Annotated[
    str, typer.Option("--as-of", metavar="T", help="The instant it stands for: 2024-01-31, 2024-01-31T10:00Z or now (default: now).")
]
Expression = Annotated[str, typer.Option("-e", "--expression", metavar="RULE", help="A rule typed on the line.")]
ParentOption = Annotated[str, typer.Option("--parent", "-p", metavar="NAME", help="The parent segment (default: the one in use).")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]


def current_parent(name: str = "") -> ParentRecord:
    """The named parent segment, the one in use, or the only one there is."""
    from kohort.services.definitions.stored import require_parent

    session = open_session()
    wanted = name or session.workspace.parent_segment
    if not wanted:
        parents = session.store.parents()
        if len(parents) == 1:
            return parents[0]
    return require_parent(session.store, wanted)


def open_current_engine(name: str = "") -> Engine:
    """The engine over the last good refresh of the parent segment in use."""
    from kohort.services.evaluation.evaluate import open_engine

    session = open_session()
    return open_engine(session.warehouse, session.store, current_parent(name), session.settings.range_size, session.index_use)


def current_catalog(record: ParentRecord) -> FieldCatalog:
    """The fields of the last refresh, or those a refresh would give."""
    from kohort.services.parents.fields import parent_fields

    session = open_session()
    return parent_fields(session.warehouse, session.store, record).catalog


def catalog_if_known(record: ParentRecord) -> FieldCatalog | None:
    """The same, or None with a remark when there was no refresh yet and the tables do not fit the parent segment."""
    try:
        return current_catalog(record)
    except UserError as error:
        note(f"the fields of {record.name} are not known yet, so rules are not checked against them: {error.message}")
        return None


def read_as_of(text: str, zone_name: str) -> datetime | None:
    """The instant a person typed; None when none. Raises UserError INVALID_INSTANT."""
    if not text:
        return None
    if text.lower() == "now":
        return open_session().clock.now()
    micros = parse_instant(text, load_zone(zone_name) or ZoneInfo("UTC"))
    if micros is None:
        raise UserError("INVALID_INSTANT", f'"{text}" is not an instant', hint="write 2024-01-31, 2024-01-31T10:00:00Z or now")
    return from_micros(micros)


def confirm(question: str, *, yes: bool, destructive: bool) -> None:
    """Ask a person; without a terminal only what destroys something needs -y. Raises UserError NOT_CONFIRMED."""
    if yes:
        return
    if sys.stdin.isatty():
        if not typer.confirm(question, default=False, err=True):
            raise UserError("NOT_CONFIRMED", "nothing was changed")
    elif destructive:
        raise UserError("NOT_CONFIRMED", "nothing was changed: this cannot be taken back and nobody could be asked", hint="add -y")


def existing_paths(paths: list[Path]) -> list[Path]:
    """The paths a person named. Raises UserError FILE_NOT_FOUND."""
    for path in paths:
        if not path.exists():
            raise UserError(
                "FILE_NOT_FOUND", f"there is no file or folder {path}", hint="check the path; it counts from the current folder"
            )
    return paths
