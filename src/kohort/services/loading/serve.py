"""Serve: one process answers HTTP and keeps what it receives in the log; this one watches it and brings the log into tables.

Neither can hold up the other. When the warehouse is in use by another process, calls are still taken and tables wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.ports.sources import SourceStore
from kohort.services.loading.serve_tables import Loaded, LoadLoop, Say

_LOOK_SECONDS = 0.2
_SOURCES_SECONDS = 2.0
_READY_SECONDS = 60.0
_SHORT_LIFE_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0


class Answering(Protocol):
    """The process that answers HTTP. See `kohort.adapters.http_process.HttpProcess`."""

    def start(self) -> None: ...
    def tell(self, message: dict[str, Any]) -> None: ...
    def wait_until_ready(self, seconds: float) -> bool: ...
    def exit_code(self) -> int | None: ...
    def stop(self, seconds: float) -> bool: ...


def sender_documents(store: SourceStore, clock: Clock) -> list[dict[str, Any]]:
    """Who may send, under which keys, at this instant: what the HTTP process is told."""
    now = clock.now()
    keys: dict[int, list[str]] = {}
    for key in store.write_keys():
        if key.valid_at(now):
            keys.setdefault(key.source_id, []).append(key.key_hash)
    return [
        {
            "slug": source.slug,
            "name": source.name,
            "enabled": source.status == "enabled",
            "accepts_unknown_keys": source.accept_unknown_keys,
            "rate_limit": source.rate_limit,
            "naming": source.naming,
            "keys": sorted(keys.get(source.id, [])),
        }
        for source in store.sources()
    ]


class Serving:
    """Watches the HTTP process and keeps it informed."""

    def __init__(self, answering: Answering, loop: LoadLoop, senders: Callable[[], Sequence[dict[str, Any]]], say: Say) -> None:
        self._answering = answering
        self._loop = loop
        self._read_senders = senders
        self._say = say
        self._senders: list[dict[str, Any]] = []
        self._told_position = -1
        self._pause_seconds = 1.0
        self._began = 0.0
        self._store_failure = ""

    @property
    def why_tables_wait(self) -> str:
        """ "" when they do not."""
        return self._loop.failure

    def start(self) -> None:
        """Returns when calls are answered. Raises UserError SERVER_NOT_STARTED."""
        self._senders = list(self._read_senders())
        self._start_process()
        if not self._answering.wait_until_ready(_READY_SECONDS):
            self._answering.stop(0.0)
            raise UserError("SERVER_NOT_STARTED", "the HTTP process did not start", hint="its messages are above")
        self._loop.start()

    def _start_process(self) -> None:
        self._began = time.monotonic()
        self._answering.start()
        self._answering.tell({"senders": self._senders})
        self._told_position = -1

    def watch(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        looked_at = time.monotonic()
        while not stop.wait(_LOOK_SECONDS):
            if (code := self._answering.exit_code()) is not None:
                self._revive(code, stop)
            if time.monotonic() - looked_at >= _SOURCES_SECONDS:
                looked_at = time.monotonic()
                self._tell_senders()
            position = self._loop.loaded.position
            if position != self._told_position:
                self._told_position = position
                self._answering.tell({"loaded": position})

    def _tell_senders(self) -> None:
        try:
            senders = list(self._read_senders())
        except UserError as error:
            if error.message != self._store_failure:
                self._say(f"changes of sources are not seen: {error.message}")
            self._store_failure = error.message
            return
        self._store_failure = ""
        if senders != self._senders:
            self._senders = senders
            self._answering.tell({"senders": senders})

    def _revive(self, code: int, stop: threading.Event) -> None:
        """Start it again; at once after a long life, later and later when it keeps dying."""
        short_life = time.monotonic() - self._began < _SHORT_LIFE_SECONDS
        pause = self._pause_seconds if short_life else 0.0
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS) if short_life else 1.0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self._say(f"the HTTP process {how}; it is started again{f' in {pause:.0f} s' if pause else ''}")
        if not stop.wait(pause):
            self._start_process()

    def finish(self, grace_seconds: float, drain_seconds: float) -> Loaded:
        """Take no more, finish open requests, load what is left. Returns how far tables are."""
        if not self._answering.stop(grace_seconds + 5.0):
            self._say("open requests took too long and were cut off; nothing that was acknowledged is lost")
        return self._loop.drain(drain_seconds)
