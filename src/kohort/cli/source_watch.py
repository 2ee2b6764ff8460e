"""`kohort source tail|status`: the calls of a source as they arrive, and what became of them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.context import JSON
from kohort.cli.index import age_text
from kohort.cli.output import count_text, counted, instant_text, note, plain, printable, show, show_json, show_table, styled
from kohort.cli.session import open_session

if TYPE_CHECKING:
    from kohort.ports.sources import ServerCounts
    from kohort.services.sources.status import SourceState
    from kohort.services.sources.tail import Arrival

_POLL_SECONDS = 0.25
_PAYLOAD_CHARACTERS = 200


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `kohort source`."""
    app.command("tail")(tail)
    app.command("status")(status)


def tail(
    name: Annotated[str, typer.Argument(help="The source: its name or its schema.")],
    last: Annotated[int, typer.Option("--last", metavar="N", min=0, help="Begin with the last N calls.")] = 10,
    follow: Annotated[
        bool | None, typer.Option("--follow/--no-follow", help="Wait for new calls until Ctrl-C (default: in a terminal).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a call.")] = False,
) -> None:
    """Show the calls of a source as they arrive. Calls that are not taken come with the reason."""
    from kohort.services.sources.registry import require_source
    from kohort.services.sources.tail import new_arrivals, recent_arrivals

    session = open_session()
    source = require_source(session.store, name)
    follow = sys.stdout.isatty() if follow is None else follow
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
    sys.stdout.flush()


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


def status(
    name: Annotated[str, typer.Argument(help="The source: its name or its schema (default: all).")] = "",
    as_json: JSON = False,
) -> None:
    """Show what arrived, what became of it and how fresh tables are. Works while kohort serve runs."""
    from kohort.services.sources.registry import require_source

    session = open_session()
    sources = [require_source(session.store, name)] if name else list(session.store.sources())
    server = session.server_counts()
    states = session.source_states(sources, server)
    if as_json:
        documents = [state_document(state, server) for state in states]
        show_json(documents[0] if name else documents)
    elif name:
        _show_state(states[0], server)
    else:
        _show_states(states, server)


def state_document(state: SourceState, server: ServerCounts | None) -> dict[str, Any]:
    """A state as JSON. refused: since the server began; empty when none answers."""
    from kohort.services.sources.registry import masked_key

    return {
        "name": state.source.name,
        "schema": state.source.slug,
        "status": state.source.status,
        "keys": [masked_key(key.last_four) for key in state.keys],
        "received": state.received,
        "loaded": state.loaded,
        "waiting": state.waiting,
        "waiting_more": state.waiting_more,
        "rejected": state.rejected,
        "discarded": state.discarded,
        "duplicates": state.duplicates,
        "refused": state.refused,
        "age_seconds": round(state.age_seconds, 3),
        "last_call_at": instant_text(state.last_call_at) if state.last_call_at else None,
        "tables": state.tables,
        "problem": state.problem,
        "server": server.url if server else None,
    }


def _show_states(states: list[SourceState], server: ServerCounts | None) -> None:
    rows = [
        (
            state.source.name,
            state.source.status,
            _number(state.received, state),
            count_text(state.loaded),
            _number(state.waiting, state),
            count_text(state.rejected),
            count_text(state.discarded),
            _last(state),
            _behind(state),
        )
        for state in states
    ]
    columns = ("source", "state", "received", "in tables", "waiting", "rejected", "discards", "last call", "tables are behind")
    show_table(columns, rows, right=(2, 3, 4, 5, 6), empty='no sources yet: kohort source add "NAME"')
    _remarks(states[:1], server)


def _show_state(state: SourceState, server: ServerCounts | None) -> None:
    from kohort.services.sources.registry import masked_key

    styled(f"[bold]{escape(state.source.name)}[/bold] [dim]schema {state.source.slug}[/dim]")
    facts = [
        ("State:", state.source.status),
        ("Key:", ", ".join(masked_key(key.last_four) for key in state.keys) or "none is valid"),
        ("Received:", counted_calls(state.received) + (" at least" if state.waiting_more else "")),
        ("In tables:", counted_calls(state.loaded)),
        ("Waiting:", f"{_number(state.waiting, state)}{f', the oldest for {_behind(state)}' if state.waiting else ''}"),
        ("Rejected:", counted_calls(state.rejected) + (f": see {state.source.slug}.rejects" if state.rejected else "")),
        ("Discarded:", f"{counted(state.discarded, 'value')}{f': see {state.source.slug}.discards' if state.discarded else ''}"),
        ("Duplicates:", counted_calls(state.duplicates)),
        ("Last call:", _last(state)),
    ]
    if state.refused:
        refused = ", ".join(f"{reason} {count_text(count)}" for reason, count in sorted(state.refused.items()))
        facts.append(("Refused:", f"{refused} (requests since the server began)"))
    for label, value in facts:
        styled(f"[dim]{label:<14}[/dim]{escape(value)}")
    if state.tables:
        show()
        show_table(
            ("table", "rows"), [(f"{state.source.slug}.{name}", count_text(rows)) for name, rows in state.tables.items()], right=(1,)
        )
    _remarks([state], server)


def _remarks(states: list[SourceState], server: ServerCounts | None) -> None:
    for state in states:
        if state.problem:
            note(f"tables are not written at present: {state.problem}")
    if states and server is None:
        note("no server answers: start one with kohort serve")


def counted_calls(number: int) -> str:
    return counted(number, "call")


def _number(number: int, state: SourceState) -> str:
    return f"{count_text(number)}{'+' if state.waiting_more else ''}"


def _last(state: SourceState) -> str:
    return "never" if state.last_call_at is None else f"{state.last_call_at:%Y-%m-%d %H:%M:%S} GMT"


def _behind(state: SourceState) -> str:
    return f"{state.age_seconds:.1f} s" if state.age_seconds < 60 else age_text(int(state.age_seconds))
