"""From the log to the tables: continuously, in order, every call exactly once."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from kohort.events.decode import BadRequest, decode_request
from kohort.events.identity import DEFAULT_IDENTITY, IdentityRules
from kohort.events.model import Call, Received, Rejected, SourceRules
from kohort.events.plain import PlainCall
from kohort.foundation.clock import Clock, SystemClock
from kohort.foundation.errors import UserError
from kohort.foundation.instants import Micros, to_micros
from kohort.ports.event_log import EventLog, Position
from kohort.ports.event_tables import EventTables, Flush, SourceFlush, WriteReport
from kohort.services.loading.identity import IdentityResolver
from kohort.services.loading.rows import SourceRows
from kohort.services.loading.status import TablesStatus, read_status, write_status

FLUSH_CALLS: Final = 20_000
FLUSH_REQUESTS: Final = 20_000
FLUSH_BYTES: Final = 16 * 1024 * 1024
"""What one flush takes at most when much waits: every flush costs some milliseconds a table, and what it holds is in memory."""
SAMPLE_CHARACTERS: Final = 1_000
COLLECT_EVERY: Final = 8
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
class _Counted:
    """What a flush is made of. received: when the newest request of each source was."""

    calls: int = 0
    rejects: int = 0
    received: dict[str, Micros] = field(default_factory=dict)


@dataclass(slots=True)
class _Taken:
    """Requests that have been read: up to where, how many, with how many calls and bytes.

    waiting_at: when the one after them was received, for which there was no room; None: there is room. flushes: what is to be written,
    once that has been worked out; counted: what it is made of.
    """

    position: Position
    entries: int = 0
    calls: int = 0
    size: int = 0
    waiting_at: Micros | None = None
    flushes: list[SourceFlush] | None = None
    counted: _Counted = field(default_factory=_Counted)


class _Collector:
    """Python's search for circles of objects, held back: a flush makes a million that all go by themselves.

    While the next calls lie there already it is let go only now and then: looking through them takes a tenth of a flush.
    """

    def __init__(self) -> None:
        self._holds = False
        self._flushes = 0

    def hold(self) -> None:
        """Until `let_go`."""
        if gc.isenabled():
            self._holds = True
            gc.disable()

    def let_go(self, more_follows: bool = False) -> None:
        """A flush is over."""
        self._flushes += 1
        if self._holds and not (more_follows and self._flushes % COLLECT_EVERY):
            self._holds = False
            gc.enable()

    def __del__(self) -> None:
        self.let_go()


class Loader:
    """Reads requests after the stored position and writes what they become together with the new position. For one thread.

    rules_of_source: by slug. status_folder: where `loading/status` is kept; None: nowhere. identity_of_source: rules of identity by
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
        self._ahead: _Taken | None = None
        self._collector = _Collector()
        self._status = TablesStatus()

    def load_once(self, max_entries: int = FLUSH_REQUESTS) -> LoadReport:
        """Write the next requests: at most `max_entries`, and no more once `flush_calls` calls are reached.

        Raises UserError when it fails twice; then nothing is written and the same requests are next.
        """
        try:
            return self._attempt(max_entries)
        except UserError:
            return self._attempt(max_entries)

    def drain(self) -> int:
        """Write everything that is in the log; returns how many calls."""
        calls = 0
        while (report := self.load_once()).entries:
            calls += report.calls
        return calls

    # --- one flush ----------------------------------------------------------------------------------------------

    def _attempt(self, max_entries: int) -> LoadReport:
        self._collector.hold()
        try:
            return self._loaded(self._begin(), max_entries)
        except BaseException:
            self._give_up()
            raise
        finally:
            self._collector.let_go(more_follows=self._ahead is not None)

    def _loaded(self, position: Position, max_entries: int) -> LoadReport:
        taken, self._ahead = self._ahead or _Taken(position), None
        self._collect(taken, max_entries)
        if not taken.entries:
            self._tell(None, position, None)
            return LoadReport(0, 0, 0, 0, 0, position, None)
        flush = Flush(self._worked_out(taken), taken.position, self._now())
        written = self._tables.write(flush, lambda: self._read_ahead(taken, max_entries))
        self._position, counted = flush.position, taken.counted
        self._tell(written, flush.position, taken.waiting_at, counted.received)
        rows, discards = sum(written.rows.values()), sum(written.discards.values())
        return LoadReport(taken.entries, counted.calls, counted.rejects, rows, discards, flush.position, taken.waiting_at)

    def _read_ahead(self, taken: _Taken, max_entries: int) -> None:
        """Begin the next flush, if this one did not hold all that waits; work it out if there is no room for more in it."""
        if taken.waiting_at is not None:
            ahead = self._ahead = _Taken(taken.position)
            self._collect(ahead, max_entries)
            if ahead.waiting_at is not None:
                ahead.flushes = self._worked_out(ahead)

    def _begin(self) -> Position:
        if self._position is None:
            self._tables.upgrade()
            self._position = self._tables.position()
            self._status.count(self._tables.counts())
            self._status.learn(read_status(self._folder) if self._folder is not None else None)
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._look_at_rules()
        return self._position

    def _look_at_rules(self) -> None:
        """Begin anew with sources whose identity is resolved by other rules from now on."""
        changed = [source for source, rows in self._sources.items() if self._identity_of_source(source) != rows.identity]
        if changed:
            self._forget_ahead()
        for source in changed:
            del self._sources[source]
            self._identity.pop(source, None)
        self._looked_at = time.monotonic()

    def _forget_ahead(self) -> None:
        """What was read and is not written is read again."""
        self._ahead = None
        for resolver in self._identity.values():
            resolver.forget()
        for rows in self._sources.values():
            rows.clear()

    def _collect(self, taken: _Taken, max_entries: int) -> None:
        """Read requests for as long as there is room."""
        if taken.waiting_at is not None:
            return
        for entry in self._log.read(taken.position, max_entries - taken.entries + 1):
            received = entry.received
            if taken.entries == max_entries or taken.calls >= self._flush_calls or taken.size >= FLUSH_BYTES:
                taken.waiting_at = received.received_at
                return
            taken.calls += self._take(received)
            taken.size += len(received.body)
            taken.entries += 1
            taken.position = entry.position

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

    def _worked_out(self, taken: _Taken) -> list[SourceFlush]:
        if taken.flushes is not None:
            return taken.flushes
        changed = {source: rows for source, rows in self._sources.items() if rows.changed}
        return [self._source_flush(source, rows, taken.counted) for source, rows in changed.items()]

    def _source_flush(self, source: str, rows: SourceRows, counted: _Counted) -> SourceFlush:
        resolver = self._identity.get(source)
        if resolver is None:
            resolver = self._identity[source] = IdentityResolver(source, self._tables, rows.identity)
            self._share()
        counted.calls += len(rows.seen)
        counted.rejects += rows.rejects
        counted.received[source] = rows.last_received_at
        profiles, changes = resolver.resolve(rows.seen)
        packed, users = self._tables.packed, rows.users()
        flush = SourceFlush(source, [packed(each) for each in rows.tables()], packed(users) if users else None, profiles, changes)
        rows.clear()
        return flush

    def _share(self) -> None:
        """What is remembered is bounded for all sources together, however many there are."""
        for resolver in self._identity.values():
            resolver.share(len(self._identity))
        for rows in self._sources.values():
            rows.share(len(self._sources))

    def _give_up(self) -> None:
        self._position = None
        self._forget_ahead()

    # --- news ---------------------------------------------------------------------------------------------------

    def _tell(
        self, written: WriteReport | None, position: Position, waiting: Micros | None, received: Mapping[str, Micros] = MappingProxyType({})
    ) -> None:
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
