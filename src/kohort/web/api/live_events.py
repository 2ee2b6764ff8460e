"""The calls of a source while they arrive, as server-sent events: for the live debugger and for programs that watch."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse

from kohort.foundation.errors import KohortError, UserError
from kohort.ports.event_log import EventLog, Position
from kohort.ports.sources import SourceRecord
from kohort.services.sources.live_calls import LiveCalls, call_document, calls_after, latest_calls
from kohort.services.sources.registry import require_source
from kohort.web.api.answers import plain
from kohort.web.api.desk import AtDesk, Desk
from kohort.web.api.guard import Routes, recognised
from kohort.web.api.sources import SourceName

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

EVENT_STREAM = "text/event-stream"
MOST_STREAMS = 32
LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
LONGEST_SECONDS = 3600
_READERS = 2
_EXAMPLE = 'id: 17\nevent: calls\ndata: {"calls": [{"outcome": "taken", "type": "track", "name": "Order Completed"}], "passed_over": 0}\n'

T = TypeVar("T")
routes = Routes("Sources")


@dataclass
class Streams:
    """The streams that are open in one server: how many, and the few threads that read for all of them."""

    is_ending: Callable[[], bool] = lambda: False
    count: int = 0
    _limiters: dict[int, CapacityLimiter] = field(default_factory=dict)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A place among them."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1

    async def read(self, work: Callable[..., T], *values: Any) -> T:
        """Do something that waits for the disk on a thread; never more than a few at once."""
        loop = id(asyncio.get_running_loop())
        if loop not in self._limiters:
            self._limiters = {loop: CapacityLimiter(_READERS)}
        return await run_sync(work, *values, limiter=self._limiters[loop], abandon_on_cancel=True)


def streams_of(request: Request) -> Streams:
    """Those of the server that answers."""
    state = request.app.state
    if not hasattr(state, "streams"):
        state.streams = Streams(lambda: bool(getattr(state, "is_ending", False)))
    streams: Streams = state.streams
    return streams


@routes.on("GET", "/sources/{source}/events", "sources.read", problems=("TOO_MANY_STREAMS",), example=_EXAMPLE, media=EVENT_STREAM)
def live_events(
    request: Request,
    desk: AtDesk,
    source: SourceName,
    seconds: Annotated[
        int, Query(ge=1, le=LONGEST_SECONDS, description="The stream ends after so long; watch again then.")
    ] = LONGEST_SECONDS,
    last_event_id: Annotated[str, Header(alias="Last-Event-ID", max_length=40, description="Go on after this event.")] = "",
) -> StreamingResponse:
    """The calls of a source as they arrive, those that were not taken too, as server-sent events `calls`; the last ones first.

    Values are shown to those who may see personal data; others see what calls are named and which keys they have.
    """
    streams = streams_of(request)
    if streams.count >= MOST_STREAMS:
        raise UserError("TOO_MANY_STREAMS", f"{MOST_STREAMS} live views are open already", hint="close one of them, then try again")
    record = require_source(desk.kohort.store, source)
    after = Position(int(last_event_id)) if last_event_id.isdecimal() and last_event_id.isascii() else None
    watch = _Watch(request, desk, record, streams, after, time.monotonic() + seconds)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(watch.messages(), media_type=EVENT_STREAM, headers=headers)


@dataclass
class _Watch:
    """One stream. after: the position it has told, None before the first part."""

    request: Request
    desk: Desk
    source: SourceRecord
    streams: Streams
    after: Position | None
    ends_at: float

    async def messages(self) -> AsyncIterator[str]:
        """Server-sent events, until whoever watches goes away, may no longer watch, or the server ends."""
        log: EventLog = self.desk.kohort.open_event_log()
        shows_values = self.desk.access.may("pii.read")
        async with self.streams.one():
            yield _message("hello", {"source": self.source.name, "values": shows_values})
            checked_at = time.monotonic()
            while time.monotonic() < self.ends_at and not self.streams.is_ending():
                try:
                    found = await self.streams.read(self._next, log)
                except (KohortError, OSError) as error:
                    yield _message("problem", {"detail": str(error)})
                    return
                if found.calls or found.passed_over:
                    yield _calls_message(found, shows_values)
                if time.monotonic() - checked_at > HEARTBEAT_SECONDS:
                    checked_at = time.monotonic()
                    if not await self.streams.read(self._may_still_watch):
                        yield _message("problem", {"detail": "you may not watch any more: sign in again"})
                        return
                    yield ": still here\n\n"
                await asyncio.sleep(LOOK_SECONDS)

    def _next(self, log: EventLog) -> LiveCalls:
        found = latest_calls(log, self.source) if self.after is None else calls_after(log, self.source, self.after)
        self.after = found.position
        return found

    def _may_still_watch(self) -> bool:
        kohort: Kohort = self.desk.kohort
        caller = recognised(self.request)
        if caller is None or kohort.store.source(self.source.slug) is None:
            return False
        sees_less = self.desk.access.may("pii.read") and not caller.access.may("pii.read")
        return caller.access.may("sources.read") and not sees_less


def _calls_message(found: LiveCalls, shows_values: bool) -> str:
    calls = [call_document(call, shows_values=shows_values) for call in found.calls]
    return _message("calls", {"calls": calls, "passed_over": found.passed_over}, found.position)


def _message(event: str, data: dict[str, Any], position: Position | None = None) -> str:
    text = json.dumps(plain(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    number = f"id: {position.number}\n" if position is not None else ""
    return f"{number}event: {event}\ndata: {text}\n\n"
