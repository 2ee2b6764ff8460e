"""The calls of a source as they arrive: what became of each, newest last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from kohort.events.decode import BadRequest, decode_request
from kohort.events.masking import KEY_NAMES, mask_write_keys
from kohort.events.model import Call, Received, Rejected, SourceRules
from kohort.foundation.instants import from_micros
from kohort.ports.event_log import Entry, EventLog, Position
from kohort.ports.sources import SourceRecord

Outcome = Literal["taken", "rejected", "duplicate"]
_LOOK_BACK_REQUESTS = 200_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call that arrived, or one that was not taken and why.

    name: of the event, page or screen, or the group; "" otherwise. code and message: why it was rejected, "" otherwise.
    payload: of a call that could be read. sample: the beginning of one that was rejected.
    """

    position: int
    received_at: datetime
    outcome: Outcome
    type: str = ""
    name: str = ""
    message_id: str = ""
    user_id: str | None = None
    anonymous_id: str | None = None
    timestamp: datetime | None = None
    code: str = ""
    message: str = ""
    payload: Mapping[str, Any] | None = None
    sample: str = ""


def source_rules(source: SourceRecord) -> SourceRules:
    """How calls of a source are read."""
    return SourceRules(naming=source.naming)


def recent_arrivals(log: EventLog, source: SourceRecord, most: int, look_back: int = _LOOK_BACK_REQUESTS) -> tuple[list[Arrival], Position]:
    """The last `most` calls of a source that are still in the log, oldest first, and the position to go on from.

    look_back: how many requests are looked at before it is left at those that were found.
    """
    end = log.end()
    span = max(most, 1)
    while True:
        start = max(0, end.number - span)
        found: deque[Arrival] = deque(maxlen=most)
        for entry in _between(log, Position(start), end):
            found.extend(arrivals_of(entry, source))
        if len(found) == most or start == 0 or span >= look_back:
            return list(found), end
        span *= 8


def new_arrivals(log: EventLog, source: SourceRecord, after: Position) -> Iterator[tuple[Position, list[Arrival]]]:
    """What has come since a position, request by request, with the position to go on from; other sources give empty lists."""
    for entry in log.read(after):
        yield entry.position, arrivals_of(entry, source)


def arrivals_of(entry: Entry, source: SourceRecord) -> list[Arrival]:
    """The calls of one request by their place; none when it is another source's."""
    received = entry.received
    if received.source != source.slug:
        return []
    at, position = from_micros(received.received_at), entry.position.number
    try:
        decoded = decode_request(replace(received, dropped=()), source_rules(source))
    except BadRequest as problem:
        return [_unreadable(received, position, at, problem)]
    placed = [(call.place, _taken(call, position, at)) for call in decoded.calls]
    placed += [(found.place, _rejected(found, position, at)) for found in decoded.rejected]
    return [
        replace(arrival, outcome="duplicate") if place in received.dropped else arrival for place, arrival in sorted(placed, key=_place)
    ]


def _place(placed: tuple[int, Arrival]) -> int:
    return placed[0]


def _between(log: EventLog, after: Position, end: Position) -> Iterator[Entry]:
    while after < end:
        count = 0
        for entry in log.read(after):
            if entry.position > end:
                return
            count += 1
            after = entry.position
            yield entry
        if not count:
            return


def _taken(call: Call, position: int, at: datetime) -> Arrival:
    key = {"track": "event", "page": "name", "screen": "name", "group": "groupId"}.get(call.type, "")
    name = call.payload.get(key)
    return Arrival(
        position,
        at,
        "taken",
        call.type,
        str(name) if name is not None else "",
        call.message_id,
        call.user_id,
        call.anonymous_id,
        from_micros(call.timestamp),
        payload={name: value for name, value in call.payload.items() if name not in KEY_NAMES},
    )


def _rejected(found: Rejected, position: int, at: datetime) -> Arrival:
    return Arrival(
        position,
        at,
        "rejected",
        found.call_type,
        "",
        found.message_id,
        code=found.code,
        message=found.message,
        sample=mask_write_keys(found.sample),
    )


def _unreadable(received: Received, position: int, at: datetime, problem: BadRequest) -> Arrival:
    sample = mask_write_keys(received.body[:1000].decode("utf-8", "replace"))
    return Arrival(position, at, "rejected", received.call_type, code=problem.code, message=problem.message, sample=sample)
