"""The calls of a source for somebody who watches: in small parts, with a bound on the work of each, however much arrives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kohort.ports.event_log import EventLog, Position
from kohort.ports.sources import SourceRecord
from kohort.services.sources.tail import Arrival, arrivals_of, recent_arrivals

RECENT_CALLS = 50
MOST_CALLS = 200
MOST_REQUESTS = 400
MOST_BYTES = 400_000
_LOOK_BACK_REQUESTS = 5_000
_HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """Calls, oldest first, and where to go on. passed_over: requests (of any source) that were not looked at, as there were too many."""

    calls: tuple[Arrival, ...]
    position: Position
    passed_over: int = 0


def latest_calls(log: EventLog, source: SourceRecord) -> LiveCalls:
    """What came last, to begin with."""
    found, end = recent_arrivals(log, source, RECENT_CALLS, _LOOK_BACK_REQUESTS)
    return LiveCalls(tuple(found), end)


def calls_after(log: EventLog, source: SourceRecord, after: Position) -> LiveCalls:
    """What came since a position; when that is more than a person can follow, what lies further back is passed over."""
    end = log.end()
    if end <= after:
        return LiveCalls((), after if end == after else end)  # a log that was begun anew
    start = max(after.number, end.number - MOST_REQUESTS)
    found: list[Arrival] = []
    position, looked_at_bytes = Position(start), 0
    for entry in log.read(position, MOST_REQUESTS):
        position = entry.position
        if entry.received.source == source.slug:
            found += arrivals_of(entry, source)
            looked_at_bytes += len(entry.received.body)
        if looked_at_bytes > MOST_BYTES or len(found) > MOST_CALLS:
            break
    left = max(0, end.number - position.number)
    return LiveCalls(tuple(found[-MOST_CALLS:]), Position(max(position.number, end.number)), start - after.number + left)


def call_document(call: Arrival, *, shows_values: bool) -> dict[str, Any]:
    """One call as JSON; what it does not have is left out.

    shows_values False: nobody has said yet which of its values are personal, so those who may not see personal data see none.
    """
    values = _values if shows_values else _hidden
    document = {
        "position": call.position,
        "received_at": call.received_at,
        "outcome": call.outcome,
        "type": call.type,
        "name": call.name,
        "message_id": call.message_id,
        "user_id": values(call.user_id),
        "anonymous_id": values(call.anonymous_id),
        "timestamp": call.timestamp,
        "code": call.code,
        "message": call.message,
        "sample": call.sample if shows_values else "",
        "payload": values(call.payload),
    }
    return {name: value for name, value in document.items() if value not in ("", None)}


def _values(value: Any) -> Any:
    return value


def _hidden(value: Any) -> Any:
    """The names in a value without what stands under them."""
    match value:
        case None:
            return None
        case Mapping():
            return {name: _hidden(item) for name, item in value.items()}
        case list() | tuple():
            return [_hidden(item) for item in value]
        case _:
            return _HIDDEN
