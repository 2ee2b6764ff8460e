"""The HTTP process: one event loop, one thread that writes the log, and nothing that could hold them up."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
import uvloop

from kohort.adapters.eventlog import MessageIndex, SQLiteEventLog
from kohort.events.decode import BadRequest, scan_request
from kohort.events.model import SEGMENT_RULES, Received
from kohort.foundation.clock import SystemClock
from kohort.foundation.errors import UserError
from kohort.foundation.instants import SECOND, to_micros
from kohort.ports.event_log import Position
from kohort.services.sources.duplicate_counts import read_duplicates, write_duplicates
from kohort.web.broken_requests import BrokenRequests
from kohort.web.connections import KEEP_ALIVE_SECONDS
from kohort.web.ingest.app import IngestApp, build_app
from kohort.web.ingest.commits import Committer
from kohort.web.ingest.feed import Feed, ServerSettings, read_settings, tell_parent
from kohort.web.ingest.metrics import Metrics
from kohort.web.ingest.senders import Senders

_CLAIM_SECONDS = 30.0
_KEEP_SECONDS = 5.0
_DUPLICATES = "kohort_ingest_duplicates_total"


def main() -> None:
    """Serve until the input ends or a signal says so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # until the event loop listens
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="kohort serve: %(message)s")
    settings = read_settings()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


def report(text: str) -> None:
    """A line for the operator."""
    print(f"kohort serve: {text.rstrip()}", file=sys.stderr, flush=True)


async def _serve(settings: ServerSettings) -> None:
    log = SQLiteEventLog(settings.log_folder, on_damage=report, durable=settings.durable)
    claim(log)
    senders, stop = Senders(), _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.now)
    feed = Feed(senders, stop.now)
    await feed.wait_for_senders()
    known = await asyncio.to_thread(open_index, settings, log, senders) if settings.deduplicate else None
    committer = Committer(log, known, report)
    gauges = _Gauges(log, SQLiteEventLog(settings.log_folder), feed, known)
    app = build_app(senders, committer, limits=settings.limits, clock=SystemClock(), gauges=gauges.read, report=report)
    app.metrics.broken = BrokenRequests().listen()
    duplicates = _Duplicates(app.metrics, settings.log_folder)
    server = stop.of(app, _Server(_config(app, settings)))
    gc.collect()
    gc.freeze()
    tell_parent({"ready": True, "position": log.end().number})
    keeping = asyncio.create_task(duplicates.keep())
    try:
        await server.serve([socket.socket(fileno=settings.socket)])
    finally:
        keeping.cancel()
        duplicates.write()
        committer.close()
        if known is not None:
            known.close()
        log.close()


def claim(log: SQLiteEventLog) -> None:
    """Become the writer; the process before this one may be about to end."""
    deadline = time.monotonic() + _CLAIM_SECONDS
    while True:
        try:
            return log.claim()
        except UserError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def open_index(settings: ServerSettings, log: SQLiteEventLog, senders: Senders) -> MessageIndex:
    """The index of message ids, complete: what it does not have in files it reads from the log."""
    rules = {sender.slug: sender.rules for sender in senders.listed}

    def ids_of(received: Received) -> Sequence[str]:
        try:
            return scan_request(received.body, received.call_type, rules.get(received.source, SEGMENT_RULES)).known_by
        except BadRequest:
            return ()

    return MessageIndex(settings.log_folder / "ids", log, ids_of, on_trouble=report)


class _Stop:
    """Ends the server, whenever it is asked to, also before there is one."""

    def __init__(self) -> None:
        self._asked = False
        self._app: IngestApp | None = None
        self._server: uvicorn.Server | None = None

    def of(self, app: IngestApp, server: uvicorn.Server) -> uvicorn.Server:
        self._app, self._server = app, server
        if self._asked:
            self.now()
        return server

    def now(self) -> None:
        self._asked = True
        if self._app is not None and self._server is not None:
            self._app.stopping = True
            self._server.should_exit = True


def _config(app: IngestApp, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.grace_seconds,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
    )


class _Server(uvicorn.Server):
    """Leaves signals to us: they end the server, not the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Duplicates:
    """Counts calls that were received before from where the last process left off, and writes the counts down every few seconds."""

    def __init__(self, metrics: Metrics, folder: Path) -> None:
        self._metrics = metrics
        self._folder = folder
        self._written = read_duplicates(folder)
        for slug, count in self._written.items():
            metrics.count(_DUPLICATES, count, source=slug)

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            self.write()

    def write(self) -> None:
        counts = self._metrics.by(_DUPLICATES, "source")
        if counts != self._written:
            with suppress(OSError):
                write_duplicates(self._folder, counts)
                self._written = counts


class _Gauges:
    """Figures about the log that are looked up when somebody asks."""

    def __init__(self, log: SQLiteEventLog, reader: SQLiteEventLog, feed: Feed, known: MessageIndex | None) -> None:
        self._log = log
        self._reader = reader
        self._feed = feed
        self._known = known
        self._began = time.monotonic()

    def read(self) -> dict[str, tuple[str, float]]:
        loaded = Position(self._feed.loaded)
        return {
            "kohort_ingest_known_messages": ("Messages that would be recognised.", self._known.size if self._known else 0),
            "kohort_ingest_loaded_position": ("Requests up to this position of the log are in tables.", loaded.number),
            "kohort_ingest_unloaded_requests": (
                "Requests that are in the log but not yet in tables.",
                self._log.end().number - loaded.number,
            ),
            "kohort_ingest_unloaded_age_seconds": ("Age of the oldest request that is not yet in tables.", self._unloaded_age(loaded)),
            "kohort_ingest_log_bytes": ("Bytes of the log on disk.", self._log.bytes),
            "kohort_ingest_up_seconds": ("Since the start of the HTTP process.", time.monotonic() - self._began),
        }

    def _unloaded_age(self, loaded: Position) -> float:
        oldest = next(self._reader.read(loaded, 1), None)
        if oldest is None:
            return 0.0
        return max(0.0, (to_micros(SystemClock().now()) - oldest.received.received_at) / SECOND)
