"""The application: from a request to calls in the log, and what the client is told. Plain ASGI: a framework costs more than the work."""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from kohort.events.decode import BadRequest, Scan, scan_request
from kohort.events.model import SEGMENT_RULES, CallType, Received
from kohort.foundation.clock import Clock
from kohort.foundation.instants import to_micros
from kohort.ports.event_log import LogFull
from kohort.web.ingest import answers, cors
from kohort.web.ingest.answers import Answer, Refused, refusal, text_answer
from kohort.web.ingest.bodies import Receive, Room, Share, check_length, pass_over_body, read_body, unpacked
from kohort.web.ingest.commits import Committer, Report
from kohort.web.ingest.keys import key_in_header, key_in_query
from kohort.web.ingest.metrics import Metrics
from kohort.web.ingest.nearby import is_from_this_machine
from kohort.web.ingest.pixels import pixel_call
from kohort.web.ingest.rates import Rates
from kohort.web.ingest.routes import Route, find_route
from kohort.web.ingest.senders import Sender, Senders
from kohort.web.ingest.settings_page import settings_document

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Gauges = Callable[[], dict[str, tuple[str, float]]]


_READY_AGAIN_SECONDS = 15.0
"""After the log could not be written: then calls are let in, for only they show whether it can."""


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """How much the server takes. pending_bytes: bodies that are being read or wait for the disk. rate: requests a second, by source.

    unknown_keys: "refuse" answers 401, "accept" 200 as Segment does; such calls are counted and kept nowhere.
    metrics: who is told figures and the version: "local": this machine, "everybody": who reaches the port.
    """

    request_bytes: int = 512_000
    pending_bytes: int = 64 * 1024 * 1024
    rate: int = 1_000
    unknown_keys: Literal["refuse", "accept"] = "refuse"
    metrics: Literal["local", "everybody"] = "local"


@dataclass(slots=True)
class _Headers:
    """Those headers of a request that matter."""

    authorization: bytes = b""
    encoding: bytes = b""
    origin: bytes = b""
    host: bytes = b""
    length: int = 0


class IngestApp:
    """See `build_app`. `ready` is what /readyz says; the server sets `stopping` when it is to end."""

    def __init__(self, senders: Senders, committer: Committer, limits: IngestLimits, clock: Clock, gauges: Gauges, report: Report) -> None:
        self._senders = senders
        self._committer = committer
        self._limits = limits
        self._clock = clock
        self._gauges = gauges
        self._report = report
        self._room = Room(limits.pending_bytes)
        self._rates = Rates(limits.rate)
        self.metrics = Metrics()
        self.stopping = False
        self.refused_at: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        route = find_route(scope["path"])
        headers = _read_headers(scope)
        try:
            answer = await self._answer(route, scope, headers, receive)
        except Refused as refused:
            answer = refused.answer
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            answer = answers.STOPPING
        except Exception:
            self._report(traceback.format_exc())
            answer = answers.PIXEL if route.kind == "pixel" else answers.BROKEN
        if headers.origin:
            answer = answer.with_headers(*cors.allowed(headers.origin))
        await _send_answer(send, answer)

    async def _answer(self, route: Route, scope: Scope, headers: _Headers, receive: Receive) -> Answer:
        method = scope["method"]
        if method == "OPTIONS":
            return cors.preflight(scope["headers"])
        if route.kind == "nothing":
            return answers.NOT_FOUND
        if method not in route.methods:
            return answers.NOT_ALLOWED.with_headers((b"allow", ", ".join(route.methods).encode()))
        match route.kind:
            case "calls" | "pixel" | "ignored":
                return await self._counted(route, scope, headers, receive)
            case "unsupported":
                return answers.UNSUPPORTED
            case "settings":
                return self._settings(route.key, scope, headers)
            case _:
                return self._about(route.kind, scope)

    async def _counted(self, route: Route, scope: Scope, headers: _Headers, receive: Receive) -> Answer:
        began = time.perf_counter()
        source = ""
        try:
            if route.kind == "pixel":
                source = await self._take_pixel(route.call_type, scope, headers)
            elif route.kind == "ignored":
                await pass_over_body(receive, self._limits.request_bytes)
            else:
                source = await self._take_calls(route.call_type, scope, headers, receive)
            answer = answers.TAKEN
        except Refused as refused:
            source, answer = refused.source, refused.answer
            self.metrics.count("kohort_ingest_refused_total", source=source, reason=answer.reason)
        self.metrics.count("kohort_ingest_requests_total", source=source, status=str(answer.status))
        self.metrics.took(time.perf_counter() - began)
        return answers.PIXEL if route.kind == "pixel" else answer

    # --- calls --------------------------------------------------------------------------------------------------

    async def _take_calls(self, call_type: CallType | Literal[""], scope: Scope, headers: _Headers, receive: Receive) -> str:
        """Keep the calls of a request; the slug of their source. Raises Refused."""
        key = key_in_header(headers.authorization) or key_in_query(scope["query_string"])
        sender = self._admitted(key) if key else None
        source = sender.slug if sender else ""
        limit = min(self._limits.request_bytes, SEGMENT_RULES.max_call_bytes) if call_type else self._limits.request_bytes
        share = Share(self._room)
        try:
            check_length(headers.length, limit)
            self._room.check(headers.length)
            body = await read_body(receive, limit, share)
            if headers.encoding:
                body = unpacked(body, headers.encoding, limit)
                share.hold(len(body))
            return await self._keep(body, call_type, scope, sender, known_key=bool(key))
        except Refused as refused:
            raise Refused(refused.answer, refused.source or source) from None
        finally:
            share.hold(0)

    async def _take_pixel(self, call_type: CallType | Literal[""], scope: Scope, headers: _Headers) -> str:
        body = pixel_call(scope["query_string"])
        if not body or len(body) > SEGMENT_RULES.max_call_bytes:
            raise Refused(refusal(400, "bad_request", "there is no call in the address"))
        key = key_in_header(headers.authorization) or key_in_query(scope["query_string"])
        sender = self._admitted(key) if key else None
        share = Share(self._room)
        share.hold(len(body))
        try:
            return await self._keep(body, call_type, scope, sender, known_key=bool(key))
        finally:
            share.hold(0)

    async def _keep(self, body: bytes, call_type: CallType | Literal[""], scope: Scope, sender: Sender | None, *, known_key: bool) -> str:
        try:
            scan = scan_request(body, call_type, sender.rules if sender else SEGMENT_RULES)
        except BadRequest as problem:
            raise Refused(refusal(problem.status, problem.code, problem.message)) from None
        if not known_key:
            if not scan.write_key and self._limits.unknown_keys == "refuse" and self._senders.catch_all is None:
                raise Refused(answers.NO_KEY)
            sender = self._admitted(scan.write_key)
        if sender is None:
            self.metrics.count("kohort_ingest_unknown_key_events_total", len(scan.message_ids))
            return ""
        await self._commit(body, call_type, scope, sender, scan)
        return sender.slug

    async def _commit(self, body: bytes, call_type: CallType | Literal[""], scope: Scope, sender: Sender, scan: Scan) -> None:
        given = {place: str(uuid4()) for place, known in enumerate(scan.message_ids) if not known}
        client = scope.get("client")
        ip = client[0] if client else ""
        received = Received(sender.slug, to_micros(self._clock.now()), body, call_type, (), given, ip)
        try:
            duplicates = await self._committer.commit(received, scan.known_by)
        except LogFull:
            self.refused_at = time.monotonic()
            raise Refused(answers.DISK_FULL, sender.slug) from None
        except Exception:
            self.refused_at = time.monotonic()
            raise Refused(answers.LOG_FAILED, sender.slug) from None
        self.refused_at = None
        self._count_taken(sender.slug, len(body), scan, duplicates)

    def _count_taken(self, source: str, size: int, scan: Scan, duplicates: int) -> None:
        count = self.metrics.count
        count("kohort_ingest_events_total", len(scan.message_ids) - duplicates, source=source)
        count("kohort_ingest_bytes_total", size, source=source)
        if duplicates:
            count("kohort_ingest_duplicates_total", duplicates, source=source)
        for code in scan.rejected.values():
            count("kohort_ingest_rejected_total", source=source, reason=code)

    def _admitted(self, key: str) -> Sender | None:
        """The source of a key; None for a key of nobody that is answered with 200 all the same. Raises Refused."""
        sender = (self._senders.find_key(key) if key else None) or self._senders.catch_all
        if sender is None:
            if self._limits.unknown_keys == "accept":
                return None
            raise Refused(answers.UNKNOWN_KEY)
        if not sender.enabled:
            raise Refused(answers.DISABLED, sender.slug)
        wait = self._rates.wait_seconds(sender.slug, sender.rate_limit, time.monotonic())
        if wait > 0:
            answer = refusal(429, "rate_limited", "max requests limit reached", max(1, math.ceil(wait)))
            raise Refused(answer, sender.slug)
        return sender

    # --- everything else ----------------------------------------------------------------------------------------

    def _settings(self, key: str, scope: Scope, headers: _Headers) -> Answer:
        sender = self._senders.find_key(key)
        if sender is None or not sender.enabled:
            return answers.UNKNOWN_KEY if sender is None else answers.DISABLED
        host = headers.host.decode("ascii", "replace")
        return answers.json_answer(settings_document(key, host, scope.get("scheme", "http")))

    def _about(self, kind: str, scope: Scope) -> Answer:
        if kind in ("metrics", "version") and self._limits.metrics == "local" and not is_from_this_machine(scope):
            return answers.NOT_HERE
        match kind:
            case "health":
                return text_answer("ok\n")
            case "ready":
                return self._readiness()
            case "metrics":
                text = self.metrics.text({**self._own_gauges(), **self._gauges()})
                return text_answer(text, content_type="text/plain; version=0.0.4; charset=utf-8")
            case "version":
                from kohort import __version__

                return answers.json_answer({"version": __version__})
            case _:
                return text_answer("User-agent: *\nDisallow: /\n")

    def _readiness(self) -> Answer:
        if self.stopping:
            return text_answer("stopping\n", 503)
        if self.refused_at is not None and time.monotonic() - self.refused_at < _READY_AGAIN_SECONDS:
            return text_answer("the event log cannot be written\n", 503)
        return text_answer("ready\n")

    def _own_gauges(self) -> dict[str, tuple[str, float]]:
        return {
            "kohort_ingest_pending_bytes": ("Bytes of bodies that are being read or wait for the disk.", self._room.used_bytes),
            "kohort_ingest_sources": ("Sources that may send.", sum(sender.enabled for sender in self._senders.listed)),
            "kohort_ingest_commits": ("Group commits since the start.", self._committer.commits),
            "kohort_ingest_log_position": ("The position of the newest request in the log.", self._committer.position.number),
        }


def build_app(
    senders: Senders,
    committer: Committer,
    *,
    limits: IngestLimits,
    clock: Clock,
    gauges: Gauges = dict,
    report: Report = lambda text: None,  # noqa: ARG005
) -> IngestApp:
    """The ASGI application. gauges: more figures for /metrics; report: takes what the operator should read."""
    return IngestApp(senders, committer, limits, clock, gauges, report)


def _read_headers(scope: Scope) -> _Headers:
    found = _Headers()
    for name, value in scope["headers"]:
        match name:
            case b"authorization":
                found.authorization = value
            case b"content-encoding":
                found.encoding = value
            case b"content-length":
                found.length = int(value) if value.isdigit() else 0
            case b"origin":
                found.origin = value
            case b"host":
                found.host = value
    return found


async def _send_answer(send: Send, answer: Answer) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    if answer.closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
