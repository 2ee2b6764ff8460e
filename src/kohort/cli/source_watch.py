"""`kohort source tail`: the calls of a source as they arrive."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.output import instant_text, note, plain, printable, show, styled
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.services.source_tail import Arrival

_POLL_SECONDS = 0.25
_PAYLOAD_CHARACTERS = 200


def register(app: typer.Typer) -> None:
    """Add the command of this module to `kohort source`."""
    app.command("tail")(tail)


def tail(
    name: Annotated[str, typer.Argument(help="The source: its name or its schema.")],
    last: Annotated[int, typer.Option("--last", metavar="N", min=0, help="Begin with the last N calls.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for new calls until Ctrl-C.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a call.")] = False,
) -> None:
    """Show the calls of a source as they arrive. Calls that are not taken come with the reason."""
    from kohort.services.source_tail import new_arrivals, recent_arrivals
    from kohort.services.sources import require_source

    session = open_session()
    source = require_source(session.store, name)
    log = session.open_event_log()
    try:
        recent, position = recent_arrivals(log, source, last)
        _show(recent, as_json)
        if not recent and last and not as_json:
            note(f"no calls of {source.name} are in the log" + (": waiting for the first one" if follow else ""))
        while follow:
            for reached, arrivals in new_arrivals(log, source, position):
                position = reached
                _show(arrivals, as_json)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return
    finally:
        log.close()


def _show(arrivals: Iterable[Arrival], as_json: bool) -> None:
    for arrival in arrivals:
        if as_json:
            show(json.dumps(arrival_document(arrival), ensure_ascii=False, default=plain))
        else:
            _show_line(arrival)


def arrival_document(arrival: Arrival) -> dict[str, Any]:
    """One call as a line of JSON; what it does not have is left out."""
    document = {
        "received_at": instant_text(arrival.received_at),
        "outcome": arrival.outcome,
        "code": arrival.code,
        "message": arrival.message,
        "type": arrival.type,
        "name": arrival.name,
        "message_id": arrival.message_id,
        "user_id": arrival.user_id,
        "anonymous_id": arrival.anonymous_id,
        "timestamp": instant_text(arrival.timestamp) if arrival.timestamp else None,
        "position": arrival.position,
        "payload": arrival.payload,
        "sample": arrival.sample,
    }
    return {key: value for key, value in document.items() if value not in ("", None)}


def _show_line(arrival: Arrival) -> None:
    at = f"{arrival.received_at:%H:%M:%S.%f}"[:-3]
    head = f"[dim]{at}[/dim]  {escape((arrival.type or '?').ljust(8))}  "
    if arrival.outcome == "rejected":
        said = (
            f"[red]rejected[/red] {escape(f'[{arrival.code}]')} {escape(printable(arrival.message))}  [dim]{_short(arrival.sample)}[/dim]"
        )
        styled(head + said)
        return
    who = f"user {arrival.user_id}" if arrival.user_id is not None else f"anonymous {arrival.anonymous_id}"
    again = "[yellow]duplicate[/yellow]  " if arrival.outcome == "duplicate" else ""
    named = f"[bold]{escape(printable(arrival.name))}[/bold]  " if arrival.name else ""
    styled(f"{head}{again}{named}{escape(printable(who))}  [dim]{_short(_own(arrival))}[/dim]")


def _own(arrival: Arrival) -> str:
    """What the call says beside its common fields."""
    payload = arrival.payload or {}
    values = payload.get("properties" if arrival.type in ("track", "page", "screen") else "traits")
    if not isinstance(values, dict) or not values:
        values = {key: value for key, value in payload.items() if key in ("previousId", "groupId")}
    return json.dumps(values, ensure_ascii=False, default=plain) if values else ""


def _short(text: str) -> str:
    cut = text if len(text) <= _PAYLOAD_CHARACTERS else f"{text[: _PAYLOAD_CHARACTERS - 3]}..."
    return escape(printable(cut))
