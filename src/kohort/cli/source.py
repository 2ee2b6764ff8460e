"""`kohort source ...`: who may send calls, with which key, into which tables."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from kohort.cli import source_identity, source_removal, source_watch
from kohort.cli.audit import change, changed_source
from kohort.cli.context import JSON, Yes, confirm
from kohort.cli.output import count_text, instant_text, note, show, show_json, show_table, styled
from kohort.cli.session import open_session
from kohort.foundation.errors import UserError

if TYPE_CHECKING:
    from kohort.ports.sources import SourceRecord, SourceStatus, WriteKeyRecord
    from kohort.services.sources.registry import IssuedKey

source_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="The source: its name or its schema.")]
WriteKey = Annotated[
    str, typer.Option("--write-key", metavar="KEY", help="Take this key, which apps already have, instead of a new one; - reads it.")
]
RateLimit = Annotated[int | None, typer.Option("--rate-limit", metavar="N", help="Requests a second.")]


@source_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help='What people call it, e.g. "Web Shop".')],
    schema: Annotated[str, typer.Option("--schema", help="The schema of its tables (default: made from the name: web_shop).")] = "",
    naming: Annotated[Literal["segment", "rudderstack"], typer.Option("--naming", help="Whose rule names tables and columns.")] = "segment",
    accept_unknown_keys: Annotated[
        bool, typer.Option("--accept-unknown-keys", help="Calls whose key belongs to no source are its calls.")
    ] = False,
    rate_limit: RateLimit = None,
    write_key: WriteKey = "",
    as_json: JSON = False,
) -> None:
    """Add a source and show its write key, this once."""
    from kohort.ports.sources import NewSource
    from kohort.services.definitions.revisions import revision_of
    from kohort.services.sources.registry import add_source

    session = open_session()
    wanted = NewSource(name, schema, naming, accept_unknown_keys, rate_limit)
    databases, key, by = _databases(), _given_key(write_key), session.settings.user_name
    with change() as done:
        issued = add_source(session.store, wanted, databases, by=by, clock=session.clock, write_key=key)
        done("source.add", "source", issued.source.slug, after=revision_of(issued.source))
    if as_json:
        show_json(source_document(issued.source, _keys(issued.source)) | {"write_key": issued.write_key})
        return
    styled(f"Added [bold]{escape(issued.source.name)}[/bold]. Its tables come into the schema {issued.source.slug}.")
    _show_key(issued)


@source_app.command("list")
def list_sources(as_json: JSON = False) -> None:
    """List sources with their state and key."""
    listed = [(record, _keys(record)) for record in open_session().store.sources()]
    if as_json:
        show_json([source_document(record, keys) for record, keys in listed])
        return
    rows = [(r.name, r.slug, r.status, _valid_text(keys), r.naming, _limit_text(r), _unknown_text(r)) for r, keys in listed]
    columns = ("source", "schema", "state", "key", "naming", "requests/s", "unknown keys")
    show_table(columns, rows, empty='no sources yet: kohort source add "NAME"')


@source_app.command("show")
def show_source(name: Name, as_json: JSON = False) -> None:
    """Show a source with its keys, old ones too."""
    from kohort.services.sources.registry import require_source

    record = require_source(open_session().store, name)
    keys = _keys(record)
    if as_json:
        show_json(source_document(record, keys))
        return
    styled(f"[bold]{escape(record.name)}[/bold] [dim]schema {record.slug}[/dim]")
    for label, value in (
        ("State:", record.status),
        ("Naming:", record.naming),
        ("Requests/s:", _limit_text(record)),
        ("Unknown keys:", _unknown_text(record)),
        ("Created:", f"{_gmt(record.created_at)} by {record.created_by}"),
        ("Updated:", f"{_gmt(record.updated_at)} by {record.updated_by}"),
    ):
        styled(f"[dim]{label:<14}[/dim]{escape(value)}")
    show()
    rows = [(_masked(k), _key_state(k), _gmt(k.created_at), k.created_by, _gmt(k.expires_at) if k.expires_at else "") for k in keys]
    show_table(("key", "state", "since (GMT)", "by", "until (GMT)"), rows)


@source_app.command("disable")
def disable(name: Name, yes: Yes = False, as_json: JSON = False) -> None:
    """Refuse the calls of a source from now on; its tables stay."""
    from kohort.services.sources.registry import require_source

    record = require_source(open_session().store, name)
    if record.status == "enabled":
        confirm(f"Refuse all calls of {record.name} from now on?", yes=yes, destructive=False)
    _set_status(name, "disabled", as_json)


@source_app.command("enable")
def enable(name: Name, as_json: JSON = False) -> None:
    """Take the calls of a source again."""
    _set_status(name, "enabled", as_json)


def _set_status(name: str, status: SourceStatus, as_json: bool) -> None:
    from kohort.services.sources.registry import set_status

    session = open_session()
    with changed_source("source.change", name):
        record = set_status(session.store, name, status, by=session.settings.user_name, clock=session.clock)
    if as_json:
        show_json(source_document(record, _keys(record)))
    else:
        what = "takes calls" if status == "enabled" else "takes no calls"
        styled(f"[bold]{escape(record.name)}[/bold] is {status}: within 5 seconds it {what}.")


@source_app.command("set")
def set_switches(
    name: Name,
    rate_limit: Annotated[int | None, typer.Option("--rate-limit", metavar="N", min=0, help="Requests a second; 0 = the server's.")] = None,
    accept_unknown_keys: Annotated[
        bool | None,
        typer.Option("--accept-unknown-keys/--refuse-unknown-keys", help="Whether calls whose key belongs to no source are its calls."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Change the switches of a source. Schema and naming are for life."""
    from kohort.services.sources.registry import change_source

    session = open_session()
    by, clock = session.settings.user_name, session.clock
    with changed_source("source.change", name):
        record = change_source(session.store, name, rate_limit=rate_limit, accept_unknown_keys=accept_unknown_keys, by=by, clock=clock)
    if as_json:
        show_json(source_document(record, _keys(record)))
    else:
        limit = f"{_limit_text(record)} requests a second"
        styled(f"[bold]{escape(record.name)}[/bold]: {limit}, unknown keys {_unknown_text(record)}.")


@source_app.command("rotate-key")
def rotate(
    name: Name,
    grace: Annotated[str, typer.Option("--grace", metavar="T", help="How long older keys stay valid: 30m, 24h, 7d.")] = "0",
    write_key: WriteKey = "",
    yes: Yes = False,
    as_json: JSON = False,
) -> None:
    """Give a source a new write key and show it, this once. The old one stops, now or when the grace is over."""
    from kohort.services.sources.registry import parse_grace, require_source, rotate_key

    session = open_session()
    length = parse_grace(grace)
    record = require_source(session.store, name)
    if length == timedelta(0):
        confirm(f"Refuse the present key of {record.name} from now on? (--grace 24h keeps it for a day)", yes=yes, destructive=False)
    by, clock = session.settings.user_name, session.clock
    key = _given_key(write_key)
    with change() as done:
        issued = rotate_key(session.store, name, grace=length, by=by, clock=clock, write_key=key)
        done("source.rotate", "source", record.slug, after=issued.write_key[-4:], detail=f"grace {grace}")
    if as_json:
        until = instant_text(issued.old_until) if issued.old_until else None
        show_json(source_document(record, _keys(record)) | {"write_key": issued.write_key, "old_until": until})
        return
    old = f"are valid until {_gmt(issued.old_until)} GMT" if issued.old_until else "are refused within 5 seconds"
    styled(f"[bold]{escape(record.name)}[/bold] has a new key. Older keys {old}.")
    _show_key(issued)


@source_app.command("revoke-key")
def revoke(
    name: Name,
    last_four: Annotated[str, typer.Argument(metavar="LAST4", help="The last four characters of the key: kohort source show NAME.")],
    yes: Yes = False,
    as_json: JSON = False,
) -> None:
    """Refuse one write key of a source from now on. Its other keys stay. This cannot be taken back."""
    from kohort.services.sources.registry import revoke_key, valid_key

    session = open_session()
    record, key = valid_key(session.store, name, last_four.lstrip("*•"), session.clock.now())
    left = len(_valid_text(_keys(record)).split(", ")) - 1
    more = "" if left else " It is the only one: no call can be sent until there is a new key."
    confirm(f"Refuse the key {_masked(key)} of {record.name} from now on?{more}", yes=yes, destructive=False)
    with change() as done:
        record, key = revoke_key(session.store, record.slug, key.last_four, clock=session.clock)
        done("source.revoke", "source", record.slug, before=key.last_four)
    if as_json:
        show_json(source_document(record, _keys(record)))
    else:
        styled(f"The key {_masked(key)} of [bold]{escape(record.name)}[/bold] is refused within 5 seconds.")


@source_app.command("name")
def name_of(
    text: Annotated[str, typer.Argument(help="The name of an event, or a key of properties or traits.")],
    as_json: JSON = False,
) -> None:
    """Show how an event or a property is named. The table of the one, the column of the other, in both namings."""
    from typing import get_args

    from kohort.events.model import Naming
    from kohort.events.naming import column_name, table_name

    names = {naming: {"table": table_name(text, naming), "column": column_name(text, naming)} for naming in get_args(Naming)}
    if as_json:
        show_json({"text": text, **names})
    else:
        show_table(("naming", "table of the event", "column of the property"), [(n, v["table"], v["column"]) for n, v in names.items()])


def source_document(record: SourceRecord, keys: list[WriteKeyRecord]) -> dict[str, Any]:
    """A source as JSON; of its keys only the last four characters."""
    return {
        "name": record.name,
        "schema": record.slug,
        "status": record.status,
        "naming": record.naming,
        "accept_unknown_keys": record.accept_unknown_keys,
        "rate_limit": record.rate_limit,
        "created_at": instant_text(record.created_at),
        "created_by": record.created_by,
        "updated_at": instant_text(record.updated_at),
        "updated_by": record.updated_by,
        "keys": [
            {
                "key": _masked(key),
                "state": _key_state(key),
                "created_at": instant_text(key.created_at),
                "created_by": key.created_by,
                "expires_at": instant_text(key.expires_at) if key.expires_at else None,
            }
            for key in keys
        ],
    }


def _databases() -> list[str]:
    """The databases of the warehouse; none, with a remark, while another process has it."""
    try:
        return sorted({info.ref.database for info in open_session().warehouse.tables()})
    except UserError as error:
        if error.code != "WAREHOUSE_LOCKED":
            raise
    note("The warehouse is in use, so whether it has such a database already was not checked. Tables of others are never written to.")
    return []


def _given_key(text: str) -> str:
    if text != "-":
        return text
    line = sys.stdin.readline().strip()
    if not line:
        raise UserError("KEY_INVALID", "no write key was given on standard input", hint="write it on one line")
    return line


def _show_key(issued: IssuedKey) -> None:
    show(f"\n    {issued.write_key}\n")
    note("This is the write key. Keep it where your app gets its keys: only its hash is kept here, and it is not shown again.")


def _keys(record: SourceRecord) -> list[WriteKeyRecord]:
    return list(open_session().store.write_keys(record.id))


def _masked(key: WriteKeyRecord) -> str:
    from kohort.services.sources.registry import masked_key

    return masked_key(key.last_four)


def _key_state(key: WriteKeyRecord) -> str:
    if not key.valid_at(open_session().clock.now()):
        return "expired"
    return "valid" if key.expires_at is None else "valid for now"


def _valid_text(keys: list[WriteKeyRecord]) -> str:
    now = open_session().clock.now()
    return ", ".join(_masked(key) for key in keys if key.valid_at(now))


def _limit_text(record: SourceRecord) -> str:
    return "as the server" if record.rate_limit is None else count_text(record.rate_limit)


def _unknown_text(record: SourceRecord) -> str:
    return "taken" if record.accept_unknown_keys else "refused"


def _gmt(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


source_watch.register(source_app)
source_identity.register(source_app)
source_removal.register(source_app)
