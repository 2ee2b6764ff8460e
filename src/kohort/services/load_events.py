"""From the log to the tables: continuously, in order, every call exactly once.

While one flush is being written, which is mostly the engine's work, the requests of the next one are read.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from kohort.events.decode import BadRequest, decode_request
from kohort.events.identity import DEFAULT_IDENTITY, IdentityRules
from kohort.events.model import Call, Received, Rejected, SourceRules
from kohort.events.plain import PlainCall
from kohort.foundation.clock import Clock, SystemClock
from kohort.foundation.instants import Micros, to_micros
from kohort.ports.event_log import EventLog, Position
from kohort.ports.event_tables import EventTables, Flush, SourceFlush, WriteReport
from kohort.services.identity import IdentityResolver
from kohort.services.load_events_rows import SourceRows
from kohort.services.load_events_status import TablesStatus, write_status

FLUSH_CALLS: Final = 10_000
FLUSH_REQUESTS: Final = 10_000
FLUSH_BYTES: Final = 8 * 1024 * 1024
"""What one flush takes at most when much waits: every flush costs some milliseconds a table, and two at a time are in memory."""
SAMPLE_CHARACTERS: Final = 1_000
_LOOK_SECONDS: Final = 2.0
NOT_LOADED: Final = "not_loaded"
"""Code in `rejects` of a call that no rows could be made of, though it was taken: a mistake in Kohort. The sample is the whole call."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one flush did. oldest_waiting_at: when the oldest request that is still waiting was received; None: all are in."""

    entries: int
    calls: int
    rejects: int
    rows: int
    discards: int
    position: Position
    oldest_waiting_at: Micros | None


@dataclass(slots=True)
class _Batch:
    """Requests that were read and are to be written together, up to `position`. size: bytes of their bodies.

    next_at: when the first request that has no room here was received; None: there was none.
    """

    position: Position
    entries: int = 0
    calls: int = 0
    size: int = 0
    next_at: Micros | None = None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A flush makes a million objects that all go by themselves: looking through them for circles takes a third of its time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Loader:
    """Reads requests after the stored position and writes what they become together with the new position. For one thread.

    rules_of_source: by slug. status_folder: where `load_events_status` is kept; None: nowhere. identity_of_source: rules of identity by
    slug, looked up again every few seconds; None: `identity` holds for all.
    """

    def __init__(
        self,
        log: EventLog,
        tables: EventTables,
        rules_of_source: Callable[[str], SourceRules],
        *,
        clock: Clock | None = None,
        status_folder: Path | None = None,
        flush_calls: int = FLUSH_CALLS,
        identity: IdentityRules = DEFAULT_IDENTITY,
        identity_of_source: Callable[[str], IdentityRules] | None = None,
    ) -> None:
        self._log = log
        self._tables = tables
        self._rules_of_source = rules_of_source
        self._clock = clock or SystemClock()
        self._folder = status_folder
        self._flush_calls = flush_calls
        self._identity_rules = identity
        self._identity_of_source = identity_of_source or (lambda _: identity)
        self._looked_at = time.monotonic()
        self._sources: dict[str, SourceRows] = {}
        self._identity: dict[str, IdentityResolver] = {}
        self._position: Position | None = None
        self._batch: _Batch | None = None
        self._writer = ThreadPoolExecutor(1, "kohort-write")
        self._status = TablesStatus()

    def load_once(self, max_entries: int = FLUSH_REQUESTS) -> LoadReport:
        """Write the next requests: at most `max_entries`, and no more once `flush_calls` calls are reached.

        Raises UserError; then nothing is written and the same requests are next.
        """
        try:
            with _collector_paused():
                return self._loaded(max_entries)
        except BaseException:
            self._give_up()
            raise

    def drain(self) -> int:
        """Write everything that is in the log; returns how many calls."""
        calls = 0
        while (report := self.load_once()).entries:
            calls += report.calls
        return calls

    # --- one flush ----------------------------------------------------------------------------------------------

    def _loaded(self, max_entries: int) -> LoadReport:
        batch = self._begin()
        self._collect(batch, max_entries)
        if not batch.entries:
            self._tell(None, batch.position, None, {})
            return LoadReport(0, 0, 0, 0, 0, batch.position, None)
        flush = self._flush(batch.position)
        rejects = sum(rows.rejects for rows in self._sources.values())
        received = {source: rows.last_received_at for source, rows in self._sources.items()}
        for rows in self._sources.values():
            rows.clear()
        self._batch = None
        written = self._write(flush, max_entries) if batch.next_at is not None else self._tables.write(flush)
        self._position = batch.position
        self._tell(written, batch.position, batch.next_at, received)
        calls = sum(len(each.profiles) for each in flush.sources)
        added, discards = sum(written.rows.values()), sum(written.discards.values())
        return LoadReport(batch.entries, calls, rejects, added, discards, batch.position, batch.next_at)

    def _begin(self) -> _Batch:
        if self._position is None:
            self._position = self._tables.position()
            self._status.count(self._tables.counts())
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._look_at_rules()
        if self._batch is None:
            self._batch = _Batch(self._position)
        return self._batch

    def _write(self, flush: Flush, max_entries: int) -> WriteReport:
        """Write a flush, and read what follows it meanwhile."""
        writing = self._writer.submit(self._tables.write, flush)
        try:
            self._batch = _Batch(flush.position)
            self._collect(self._batch, max_entries)
        finally:
            wait([writing])
        return writing.result()

    def _look_at_rules(self) -> None:
        """Begin anew with sources whose identity is resolved by other rules from now on."""
        changed = [source for source, rows in self._sources.items() if self._identity_of_source(source) != rows.identity]
        for source in changed:
            del self._sources[source]
            self._identity.pop(source, None)
        if changed:
            self._drop_batch()
        self._looked_at = time.monotonic()

    def _drop_batch(self) -> None:
        """Read again what was read and not written."""
        self._batch = None
        for rows in self._sources.values():
            rows.clear()

    def _collect(self, batch: _Batch, max_entries: int) -> None:
        """Read requests into a batch until it is full or there are no more."""
        batch.next_at = None
        for entry in self._log.read(batch.position, max(1, max_entries - batch.entries + 1)):
            received = entry.received
            if batch.entries >= max_entries or batch.calls >= self._flush_calls or batch.size >= FLUSH_BYTES:
                batch.next_at = received.received_at
                return
            batch.calls += self._take(received)
            batch.size += len(received.body)
            batch.entries += 1
            batch.position = entry.position

    def _take(self, received: Received) -> int:
        rows = self._sources.get(received.source)
        if rows is None:
            rows = self._new_source(received.source)
        rows.last_received_at = received.received_at
        plain = rows.reader.read(received)
        if plain is not None:
            for each in plain:
                self._add(rows, received, each)
            return len(plain)
        try:
            decoded = decode_request(received, rows.rules)
        except BadRequest as problem:
            sample = received.body[:SAMPLE_CHARACTERS].decode("utf-8", "replace")
            rows.reject(Rejected(0, problem.code, problem.message, received.call_type, "", sample), received)
            return 1
        for call in decoded.calls:
            self._add(rows, received, call)
        for rejected in decoded.rejected:
            rows.reject(rejected, received)
        return len(decoded.calls) + len(decoded.rejected)

    def _new_source(self, source: str) -> SourceRows:
        rows = self._sources[source] = SourceRows(self._rules_of_source(source), self._identity_of_source(source))
        return rows

    def _add(self, rows: SourceRows, received: Received, call: PlainCall | Call) -> None:
        try:
            if isinstance(call, PlainCall):
                rows.add_plain(call)
            else:
                rows.add(call)
        except Exception as error:  # a call must not hold up those behind it
            whole = call.whole() if isinstance(call, PlainCall) else call
            sample = msgspec.json.encode(whole.payload).decode()
            why = f"{type(error).__name__}: {error}"
            rows.reject(Rejected(call.place, NOT_LOADED, why, call.type, call.message_id, sample), received)

    def _flush(self, position: Position) -> Flush:
        return Flush([self._source_flush(source, rows) for source, rows in self._sources.items() if rows.changed], position, self._now())

    def _source_flush(self, source: str, rows: SourceRows) -> SourceFlush:
        resolver = self._identity.get(source)
        if resolver is None:
            resolver = self._identity[source] = IdentityResolver(source, self._tables, rows.identity)
        profiles, changes = resolver.resolve(rows.seen)
        return SourceFlush(source, rows.tables(), rows.users(), profiles, changes)

    def _give_up(self) -> None:
        self._position = None
        for resolver in self._identity.values():
            resolver.forget()
        self._drop_batch()

    # --- news ---------------------------------------------------------------------------------------------------

    def _tell(self, written: WriteReport | None, position: Position, waiting: Micros | None, received: Mapping[str, Micros]) -> None:
        status = self._status
        if written is None and (status.position, status.oldest_waiting_at, status.problem) == (position.number, waiting, ""):
            return
        status.position, status.written_at, status.oldest_waiting_at, status.problem = position.number, self._now(), waiting, ""
        if written is not None:
            status.add(written.rows)
            for source, at in received.items():
                status.received(source, at)
        if self._folder is not None:
            with suppress(OSError):
                write_status(self._folder, status)

    def _now(self) -> Micros:
        return to_micros(self._clock.now())
