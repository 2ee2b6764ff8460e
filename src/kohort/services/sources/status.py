"""How a source is doing: what arrived, what became of it, how fresh its tables are. Works while another process has the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from kohort.events.decode import BadRequest, scan_request
from kohort.events.model import Received
from kohort.foundation.clock import Clock
from kohort.foundation.instants import from_micros
from kohort.ports.event_log import EventLog, Position
from kohort.ports.sources import ServerCounts, SourceRecord, SourceStore, WriteKeyRecord
from kohort.services.loading.status import SourceStatus, TablesStatus, read_status
from kohort.services.sources.duplicate_counts import read_duplicates
from kohort.services.sources.registry import valid_keys
from kohort.services.sources.tail import source_rules

MOST_WAITING_REQUESTS = 20_000


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source now. Calls: waiting ones are in the log and not in tables yet; waiting_more: there are more than were counted.

    oldest_waiting_at: when the oldest of them arrived, None when there is none. last_call_at: of the newest call, None when none ever came.
    duplicates: calls received before, since ever. refused: requests by reason, since the server began.
    tables: rows by table. problem: why tables are not written at present, or "".
    """

    source: SourceRecord
    keys: Sequence[WriteKeyRecord]
    at: datetime
    loaded: int = 0
    rejected: int = 0
    discarded: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    waiting_more: bool = False
    oldest_waiting_at: datetime | None = None
    last_call_at: datetime | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    @property
    def received(self) -> int:
        """Calls that arrived, without duplicates."""
        return self.loaded + self.rejected + self.waiting

    @property
    def age_seconds(self) -> float:
        """How far tables are behind: the age of the oldest call that is not in them."""
        return max(0.0, (self.at - self.oldest_waiting_at).total_seconds()) if self.oldest_waiting_at else 0.0


@dataclass(slots=True)
class _Waiting:
    """What of a source is in the log and not in tables."""

    calls: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


def source_states(
    store: SourceStore,
    log: EventLog,
    status_folder: Path,
    server: ServerCounts | None,
    sources: Sequence[SourceRecord],
    clock: Clock,
) -> list[SourceState]:
    """The state of each source, in their order. status_folder: where the loader tells how far it is."""
    tables = read_status(status_folder) or TablesStatus()
    waiting, more = _waiting(log, Position(tables.position), {source.slug: source for source in sources})
    now = clock.now()
    duplicates = server.duplicates if server else read_duplicates(status_folder)
    return [
        _state(
            source,
            valid_keys(store, source, now),
            now,
            tables,
            waiting.get(source.slug, _Waiting()),
            more,
            server,
            duplicates.get(source.slug, 0),
        )
        for source in sources
    ]


def _state(
    source: SourceRecord,
    keys: Sequence[WriteKeyRecord],
    now: datetime,
    tables: TablesStatus,
    waiting: _Waiting,
    waiting_more: bool,
    server: ServerCounts | None,
    duplicates: int,
) -> SourceState:
    loaded = tables.sources.get(source.slug, SourceStatus())
    last_loaded = from_micros(loaded.last_received_at) if loaded.last_received_at else None
    return SourceState(
        source,
        keys,
        now,
        loaded.calls,
        loaded.rejects,
        loaded.discards,
        duplicates,
        {reason: count for (slug, reason), count in server.refused.items() if slug == source.slug} if server else {},
        waiting.calls,
        waiting_more,
        waiting.oldest_at,
        waiting.newest_at or last_loaded,
        dict(sorted(loaded.tables.items())),
        tables.problem,
    )


def _waiting(log: EventLog, after: Position, sources: Mapping[str, SourceRecord]) -> tuple[dict[str, _Waiting], bool]:
    """By slug; and whether there is more than was looked at."""
    found: dict[str, _Waiting] = {}
    entries = log.read(after, MOST_WAITING_REQUESTS + 1)
    for entry in islice(entries, MOST_WAITING_REQUESTS):
        received = entry.received
        if received.source in sources:
            at = from_micros(received.received_at)
            waiting = found.setdefault(received.source, _Waiting(oldest_at=at))
            waiting.calls += max(0, _calls(received, sources[received.source]) - len(received.dropped))
            waiting.newest_at = at
    return found, next(entries, None) is not None


def _calls(received: Received, source: SourceRecord) -> int:
    try:
        return len(scan_request(received.body, received.call_type, source_rules(source)).message_ids)
    except BadRequest:
        return 1
