"""What arrives: requests with calls in them, the calls that are good, those that are not and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kohort.foundation.instants import Micros

CallType = Literal["identify", "track", "page", "screen", "group", "alias"]
CALL_TYPES: tuple[CallType, ...] = ("identify", "track", "page", "screen", "group", "alias")
Naming = Literal["segment", "rudderstack"]
"""Whose rules name tables and columns of a source."""


@dataclass(frozen=True, slots=True)
class SourceRules:
    """How the calls of one source are read, named and laid out.

    naming: whose published rules hold where Segment and RudderStack differ (names, timestamps, ids that are not text, extra columns).
    max_columns: columns one call may bring to a table beside the standard ones; what is over goes into the column `overflow` as JSON.
    max_call_bytes: of one call as sent. max_batch_events: calls of one request; those after it are rejected.
    """

    naming: Naming = "segment"
    max_columns: int = 1000
    max_call_bytes: int = 32 * 1024
    max_batch_events: int = 2_500


SEGMENT_RULES = SourceRules()
RUDDERSTACK_RULES = SourceRules(naming="rudderstack")


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it lies in the log: enough to make the same rows of it at any later time.

    source: the slug of the source. received_at: microseconds UTC. body: the JSON of the request, not compressed, exactly as sent.
    call_type: of an endpoint for one call (`/v1/track`); "" for a batch or import. dropped: places of calls of the batch that were
    received before (0 for a single call). message_ids: those that were given to calls without one, by place. ip: of the sender.
    """

    source: str
    received_at: Micros
    body: bytes
    call_type: CallType | Literal[""] = ""
    dropped: tuple[int, ...] = ()
    message_ids: Mapping[int, str] = field(default_factory=dict)
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One good call, complete: batch-level context and integrations merged in, instants corrected for the sender's clock.

    place: within its request. payload: the whole message as decoded JSON. Instants: microseconds UTC, None where the call has none.
    unread: column -> value as sent, of an instant or a context that could not be read; such values go to `discards`.
    """

    place: int
    type: CallType
    message_id: str
    user_id: str | None
    anonymous_id: str | None
    timestamp: Micros
    original_timestamp: Micros | None
    sent_at: Micros | None
    received_at: Micros
    payload: Mapping[str, Any]
    unread: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One call that cannot be taken. code: of the spec's delivery overview (`no_user_anon_id`, ...); sample: its first 1,000 characters."""

    place: int
    code: str
    message: str
    call_type: str
    message_id: str
    sample: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one table of a source. columns: name -> value as JSON has it (str, int, float, bool, list/dict already as JSON text);
    instants as Micros under the names in `events.columns.INSTANTS`."""

    table: str
    columns: Mapping[str, Any]
