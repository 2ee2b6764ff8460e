"""The application without a network: limits, back-pressure, group commit, unknown keys."""

from __future__ import annotations

import asyncio
import base64
import gzip
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.adapters.eventlog import MessageIndex, SQLiteEventLog
from kohort.events.decode import scan_request
from kohort.events.model import SEGMENT_RULES, Received
from kohort.foundation.clock import FixedClock
from kohort.ports.event_log import Entry, LogFull, Position
from kohort.web.ingest.answers import Refused
from kohort.web.ingest.app import IngestApp, IngestLimits, build_app
from kohort.web.ingest.bodies import unpacked
from kohort.web.ingest.commits import Committer
from kohort.web.ingest.keys import key_in_header, key_in_query
from kohort.web.ingest.pixels import pixel_call
from kohort.web.ingest.rates import Rates
from kohort.web.ingest.senders import Sender, Senders, key_hash, masked

Result = TypeVar("Result")
BATCH = b'{"batch":[{"type":"track","event":"x","userId":"u","messageId":"%d"}]}'


class SlowLog:
    """A log whose disk stops and goes on when a test says so, and is full when told."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.groups: list[int] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.failure: Exception | None = None

    def append(self, requests: Sequence[Received]) -> Position:
        self.goes_on.wait(10)
        if self.failure is not None:
            raise self.failure
        self.requests += requests
        self.groups.append(len(requests))
        return self.end()

    def end(self) -> Position:
        return Position(len(self.requests))

    def read(self, after: Position, limit: int = 1000) -> Iterator[Entry]:
        for number, request in list(enumerate(self.requests, 1))[after.number : after.number + limit]:
            yield Entry(Position(number), request)

    def mark(self, reader: str, position: Position) -> None: ...

    def marks(self) -> Mapping[str, Position]:
        return {}

    def drop(self, upto: Position) -> None: ...

    def close(self) -> None: ...


@dataclass
class Site:
    """An application over a slow log."""

    app: IngestApp
    log: SlowLog
    committer: Committer

    async def post(
        self, body: bytes, path: str = "/v1/batch", *, method: str = "POST", query: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of the answer."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        given = {"authorization": "Basic a2V5Og==", "content-length": str(len(body))} | headers
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "client": ("10.0.0.1", 5)}
        await self.app({**scope, "headers": [(name.encode(), value.encode()) for name, value in given.items()]}, receive, send)
        return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}, sent[1]["body"]


def with_site(test: Callable[[Site], Awaitable[None]], tmp_path: Path, *senders: Sender, **limits: Any) -> SlowLog:
    """Run a test inside an event loop."""
    log = SlowLog()

    async def run() -> None:
        known = MessageIndex(tmp_path / "ids", log, lambda received: scan_request(received.body).message_ids)
        committer = Committer(log, known)
        listed = senders or (Sender("shop", keys=(key_hash("key"),)),)
        clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
        app = build_app(Senders(listed), committer, limits=IngestLimits(**{"rate": 0, **limits}), clock=clock)
        try:
            await test(Site(app, log, committer))
        finally:
            committer.close()
            known.close()

    asyncio.run(run())
    return log


async def soon(*tasks: Coroutine[Any, Any, Result]) -> list[asyncio.Task[Result]]:
    """Begin them, and let them come as far as they can."""
    begun = [asyncio.ensure_future(task) for task in tasks]
    await asyncio.sleep(0.05)
    return begun


def test_what_arrives_together_is_committed_together(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        site.log.goes_on.clear()
        first = await soon(site.post(BATCH % 0))
        rest = await soon(*(site.post(BATCH % number) for number in range(1, 20)))
        assert not any(task.done() for task in first + rest)
        site.log.goes_on.set()
        assert [(await task)[0] for task in first + rest] == [200] * 20

    log = with_site(test, tmp_path)
    assert log.groups == [1, 19]
    assert [request.received_at for request in log.requests] == [1_767_225_600_000_000] * 20


def test_requests_are_refused_before_memory_grows(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        site.log.goes_on.clear()
        size = len(BATCH % 0)
        waiting = await soon(*(site.post(BATCH % number) for number in range(3)))
        status, headers, body = await site.post(BATCH % 9)
        assert (status, headers["retry-after"], headers["x-ratelimit-reset"]) == (429, "1", "1")
        assert b'"code": "busy"' in body
        assert "kohort_ingest_pending_bytes " + str(3 * size) in site.app.metrics.text(site.app._own_gauges())
        site.log.goes_on.set()
        assert [(await task)[0] for task in waiting] == [200] * 3
        assert (await site.post(BATCH % 9))[0] == 200

    log = with_site(test, tmp_path, pending_bytes=3 * len(BATCH % 0) + 10)
    assert len(log.requests) == 4


async def stalled(site: Site, path: str, declared: int, **headers: str) -> int:
    """The status of a request of which only the first byte arrives."""
    parts = [{"type": "http.request", "body": b"x", "more_body": True}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"authorization": "Basic a2V5Og==", "content-length": str(declared)} | headers
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "client": ("10.0.0.1", 5)}
    await site.app({**scope, "headers": [(name.encode(), value.encode()) for name, value in given.items()]}, receive, send)
    status: int = sent[0]["status"]
    return status


def test_slow_senders_take_no_more_memory_than_they_send(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        slow = [asyncio.ensure_future(stalled(site, "/v1/batch", 100, **{"content-encoding": "gzip"})) for _ in range(9)]
        slow += [asyncio.ensure_future(stalled(site, "/v1/m", 100_000)) for _ in range(9)]
        await asyncio.sleep(0.02)
        assert site.app._room.used_bytes == 9
        assert (await site.post(gzip.compress(BATCH % 1), **{"content-encoding": "gzip"}))[0] == 200
        spaces = BATCH % 2 + b" " * 200
        assert (await site.post(gzip.compress(spaces), **{"content-encoding": "gzip"}))[0] == 429
        assert site.app._room.used_bytes == 9
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert site.app._room.used_bytes == 0

    assert [request.body for request in with_site(test, tmp_path, pending_bytes=250).requests] == [BATCH % 1]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/m"])
def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("kohort.web.ingest.bodies.READ_SECONDS", 0.01)

    async def test(site: Site) -> None:
        assert await stalled(site, path, 100) == 408
        assert site.app._room.used_bytes == 0

    with_site(test, tmp_path)


def test_who_still_sends_when_the_server_ends_is_told_to_come_again(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        for stopping, status in ((True, 503), (False, 0)):
            site.app.stopping = stopping
            sending = asyncio.ensure_future(stalled(site, "/v1/batch", 100))
            await asyncio.sleep(0.01)
            sending.cancel()
            [outcome] = await asyncio.gather(sending, return_exceptions=True)
            assert outcome == status or (not status and isinstance(outcome, asyncio.CancelledError))
            assert site.app._room.used_bytes == 0

    with_site(test, tmp_path)


def test_a_full_disk_is_told_and_what_was_refused_is_new_when_it_comes_again(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        assert (await site.post(BATCH % 1))[0] == 200
        for failure, code in ((LogFull("no"), b"disk_full"), (OSError("broken"), b"log_unavailable")):
            site.log.failure = failure
            status, headers, body = await site.post(BATCH % 2)
            assert (status, headers["retry-after"]) == (503, "5")
            assert code in body
            assert site.app._readiness().status == 503
        assert (await site.post(BATCH % 1))[0] == 200
        site.log.failure = None
        assert (await site.post(BATCH % 2))[0] == 200
        assert site.app._readiness().status == 200

    log = with_site(test, tmp_path)
    assert [request.body for request in log.requests] == [BATCH % 1, BATCH % 2]


def test_some_time_after_a_refusal_calls_are_let_in_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(site: Site) -> None:
        async def ready() -> int:
            return (await site.post(b"", "/readyz", method="GET"))[0]

        site.log.failure = LogFull("no")
        assert ((await site.post(BATCH % 1))[0], await ready()) == (503, 503)
        monkeypatch.setattr("kohort.web.ingest.app._READY_AGAIN_SECONDS", 0.0)
        assert await ready() == 200
        assert (await site.post(BATCH % 1))[0] == 503
        monkeypatch.setattr("kohort.web.ingest.app._READY_AGAIN_SECONDS", 15.0)
        assert await ready() == 503
        site.log.failure = None
        assert ((await site.post(BATCH % 1))[0], await ready()) == (200, 200)

    with_site(test, tmp_path)


def test_a_duplicate_is_not_acknowledged_before_the_first_is_on_disk(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        site.log.goes_on.clear()
        tasks = await soon(site.post(BATCH % 1))
        tasks += await soon(site.post(BATCH % 1))
        assert not any(task.done() for task in tasks)
        site.log.failure = LogFull("no")
        site.log.goes_on.set()
        assert (await tasks[0])[0] == 503
        assert (await tasks[1])[0] == 503

    assert with_site(test, tmp_path).requests == []


def test_a_mistake_of_ours_is_an_answer_too(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        site.app._senders = None  # type: ignore[assignment]
        status, _, body = await site.post(BATCH % 1)
        assert (status, b'"code": "internal"' in body) == (500, True)

    with_site(test, tmp_path)


def test_unknown_keys_can_be_accepted_and_thrown_away(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        assert (await site.post(BATCH % 1, authorization="Basic YmFkOg=="))[0] == 200
        assert (await site.post(BATCH % 1, authorization=""))[0] == 200
        assert site.app.metrics.total("kohort_ingest_unknown_key_events_total") == 2

    assert with_site(test, tmp_path, unknown_keys="accept").requests == []


def test_unknown_keys_can_belong_to_a_source(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        for number, header in enumerate(("Basic YmFkOg==", "", "Basic a2V5Og==")):
            assert (await site.post(BATCH % number, authorization=header))[0] == 200

    senders = (Sender("shop", keys=(key_hash("key"),)), Sender("rest", accepts_unknown_keys=True))
    assert [request.source for request in with_site(test, tmp_path, *senders).requests] == ["rest", "rest", "shop"]


def test_the_limits_are_those_of_the_spec() -> None:
    assert IngestLimits() == IngestLimits(request_bytes=500 * 1024, pending_bytes=64 * 2**20, rate=1_000, unknown_keys="refuse")
    assert (SEGMENT_RULES.max_call_bytes, SEGMENT_RULES.max_batch_events) == (32 * 1024, 2_500)


def test_a_limit_by_source(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        statuses = [(await site.post(BATCH % number))[0] for number in range(30)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses

    with_site(test, tmp_path, rate=5)


def test_a_bucket_fills_with_time() -> None:
    rates = Rates(10)
    assert [rates.wait_seconds("a", None, 100.0) for _ in range(11)] == [0.0] * 10 + [pytest.approx(0.1)]
    assert rates.wait_seconds("b", None, 100.0) == 0.0
    assert rates.wait_seconds("a", None, 100.1) == 0.0
    assert rates.wait_seconds("a", None, 100.1) > 0
    assert [rates.wait_seconds("a", None, 500.0) for _ in range(11)].count(0.0) == 10
    assert rates.wait_seconds("c", 1, 0.0) == 0.0
    assert rates.wait_seconds("c", 1, 0.0) == pytest.approx(1.0)
    assert all(Rates(0).wait_seconds("a", None, 0.0) == 0.0 for _ in range(5000))


@given(st.binary(max_size=300), st.integers(1, 400))
def test_unpacking_gives_the_body_or_refuses(body: bytes, limit: int) -> None:
    if len(body) <= limit:
        assert unpacked(gzip.compress(body), b"gzip", limit) == body
    else:
        with pytest.raises(Refused):
            unpacked(gzip.compress(body), b"GZIP", limit)


@given(st.binary(max_size=200))
def test_nothing_in_a_header_or_an_address_breaks_anything(data: bytes) -> None:
    key_in_header(data)
    key_in_header(b"Basic " + data)
    key_in_query(b"writeKey=" + data)
    pixel_call(data)
    pixel_call(b"data=" + data)


def test_a_picture_reads_json_as_a_body_does() -> None:
    def shown(call: bytes) -> bytes:
        return pixel_call(b"data=" + base64.urlsafe_b64encode(call))

    assert shown(b'{"n":NaN,"big":%d,"text":"\\ud800"}' % 2**70) == b'{"n":null,"big":%d,"text":"\xef\xbf\xbd"}' % 2**70
    assert shown(b"[" * 20_000) == shown(b"7") == b""
    deep = shown(b'{"a":' * 4_000 + b"1" + b"}" * 4_000)
    assert scan_request(deep, "track").rejected == {0: "no_user_anon_id"}
    assert pixel_call(b"a." * 4_000 + b"a=1").count(b'{"a') == 100


def test_a_picture_is_shown_whatever_goes_wrong(tmp_path: Path) -> None:
    async def test(site: Site) -> None:
        site.app._senders = None  # type: ignore[assignment]
        status, headers, body = await site.post(b"", "/v1/pixel/track", method="GET", query="event=x&userId=u")
        assert (status, headers["content-type"], body[:6]) == (200, "image/gif", b"GIF89a")

    with_site(test, tmp_path)


def test_keys_are_shown_by_their_end_at_most() -> None:
    assert masked("0123456789abcdef") == "****cdef"
    assert masked("short") == "****"


def test_senders_are_replaced_as_a_whole() -> None:
    senders = Senders([Sender("a", keys=(key_hash("k1"),))])
    assert senders.find_key("k1") == senders.find_key("k1")
    senders.replace([Sender("b", keys=(key_hash("k2"),))])
    assert senders.find_key("k1") is None
    found = senders.find_key("k2")
    assert found is not None
    assert found.slug == "b"


def test_the_real_log_satisfies_what_the_committer_needs(tmp_path: Path) -> None:
    async def run() -> int:
        log = SQLiteEventLog(tmp_path / "log")
        committer = Committer(log, None)
        counts = await asyncio.gather(*(committer.commit(Received("s", number, b"{}"), [""]) for number in range(50)))
        committer.close()
        log.close()
        return sum(counts)

    assert asyncio.run(run()) == 0
    assert SQLiteEventLog(tmp_path / "log").end() == Position(50)
