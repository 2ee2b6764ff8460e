"""Sends batches to a server as fast as it answers, or at a fixed rate, and says how long answers took. A process of its own.

    python -m bench.ingest_load '{"port": 8040, "keys": [...], "seconds": 10, "rate": 200, "connections": 16, "run": 1}'

rate: requests a second; 0 = as many as are answered. One line of JSON comes back.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvloop

EVENT_BYTES = 593
BATCH = 100
KNOWN_USERS = 20_000
NEW_USERS = 2
"""Calls of each batch that come from somebody new; the others come from one of the known."""

_ID = "@@@@@@@@-####-4000-8000-%%%%%%%%%%%%"
_PRODUCT = {
    "product_id": "507f1f77bcf86cd799439011",
    "sku": "G-32",
    "category": "Games",
    "name": "Monopoly: 3rd Edition",
    "price": 18.99,
    "quantity": 1,
    "currency": "EUR",
    "in_stock": True,
}
_KINDS: tuple[tuple[int, dict[str, Any]], ...] = (
    (10, {"type": "identify", "traits": {"email": "user-######@example.com", "plan": "pro", "logins": 12, "city": "Köln"}}),
    (10, {"type": "page", "name": "Home", "properties": {"url": "https://shop.example/", "title": "Shop", "referrer": ""}}),
    (80, {"type": "track", "event": "Product Viewed", "properties": _PRODUCT}),
)
"""How many calls of each batch are of which kind."""


def template_event(kind: dict[str, Any]) -> bytes:
    """A call of 593 bytes, the comma after it included."""
    event = {
        "messageId": _ID,
        "userId": "user-######",
        "anonymousId": "507f191e-810c-4197-29de-860ea######",
        "timestamp": "2026-01-15T10:20:30.123Z",
        **kind,
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}, "locale": "en-GB", "ip": "203.0.113.7", "note": ""},
        "integrations": {},
    }
    short = len(_json(event)) + 1
    event["context"]["note"] = "x" * (EVENT_BYTES - short)
    return _json(event) + b","


def _json(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


class Bodies:
    """Batches in which every call has an id that was never sent before; only those bytes change that must."""

    def __init__(self, run: int) -> None:
        kinds = [kind for count, kind in _KINDS for _ in range(count)]
        rows = [template_event(kind).replace(b"@@@@@@@@", f"{run:08x}".encode()) for kind in kinds]
        rows = [row.replace(b"-####-", f"-{number:04x}-".encode()) for number, row in enumerate(rows)]
        self._rows = np.frombuffer(b"".join(rows), np.uint8).reshape(BATCH, -1).copy()
        self._slot = rows[0].index(b"%%%%%%%%%%%%")
        self._people = [[at for at in range(len(row) - 5) if row[at : at + 6] == b"######"] for row in rows]
        self._common = sorted(set.intersection(*map(set, self._people)))
        self._digits = (np.arange(1_000_000)[:, None] // 10 ** np.arange(5, -1, -1) % 10 + ord("0")).astype(np.uint8)
        self._order = np.random.default_rng(run)
        self._sent = 0

    def following(self) -> bytes:
        """The body of the next batch."""
        self._sent += 1
        self._rows[:, self._slot : self._slot + 12] = np.frombuffer(f"{self._sent:012x}".encode(), np.uint8)
        people = self._order.integers(0, KNOWN_USERS, BATCH)
        people[:NEW_USERS] = (KNOWN_USERS + self._sent * NEW_USERS + np.arange(NEW_USERS)) % 1_000_000
        digits = self._digits[people]
        for at in self._common:
            self._rows[:, at : at + 6] = digits
        for place, places in enumerate(self._people):
            for at in places:
                if at not in self._common:
                    self._rows[place, at : at + 6] = digits[place]
        return b'{"batch":[' + self._rows.tobytes()[:-1] + b"]}"


@dataclass
class Run:
    """What is sent, and what came of it."""

    port: int
    keys: list[str]
    seconds: float
    rate: float
    connections: int
    run: int
    gzip: bool = False
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    by_second: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    began: float = 0.0


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, run: Run, key: str, bodies: Bodies) -> None:
        token = base64.b64encode(f"{key}:".encode()).decode()
        coding = "Content-Encoding: gzip\r\n" if run.gzip else ""
        self._head = f"POST /v1/batch HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {token}\r\n{coding}Content-Length: ".encode()
        self._run = run
        self._bodies = bodies
        self._answer = b""
        self._due = 0.0
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, due: float) -> asyncio.Future[None]:
        """due: the instant at which it should have been sent; what it waits for before counts."""
        body = self._bodies.following()
        if self._run.gzip:
            import zlib

            packer = zlib.compressobj(1, wbits=31)
            body = packer.compress(body) + packer.flush()
        self._due = due
        self._transport.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)  # type: ignore[attr-defined]
        self.done = asyncio.get_running_loop().create_future()
        return self.done

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        now = time.perf_counter()
        self._run.latencies.append(now - self._due)
        self._run.statuses[self._answer[9:12].decode()] += 1
        self._run.by_second[int(now)] += 1
        self._answer = b""
        if self.done is not None:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.done is not None and not self.done.done():
            self._run.lost += 1
            self.done.set_result(None)


async def drive(run: Run) -> None:
    """Until the time is over."""
    loop = asyncio.get_running_loop()
    bodies = Bodies(run.run)
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for number in range(run.connections):
        key = run.keys[number % len(run.keys)]
        _, connection = await loop.create_connection(lambda key=key: Connection(run, key, bodies), "127.0.0.1", run.port)
        free.put_nowait(connection)
    start = run.began = time.perf_counter()
    if run.rate:
        await _at_rate(run, free, start)
    else:
        await asyncio.gather(*[_flat_out(run, free.get_nowait(), start) for _ in range(run.connections)])


async def _flat_out(run: Run, connection: Connection, start: float) -> None:
    while (now := time.perf_counter()) - start < run.seconds and not run.lost:
        await connection.send(now)


async def _at_rate(run: Run, free: asyncio.Queue[Connection], start: float) -> None:
    waiting: set[asyncio.Task[None]] = set()
    for number in range(int(run.seconds * run.rate)):
        due = start + number / run.rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.ensure_future(_one(await free.get(), due, free))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)


async def _one(connection: Connection, due: float, free: asyncio.Queue[Connection]) -> None:
    await connection.send(due)
    free.put_nowait(connection)


def main() -> None:
    options: dict[str, Any] = json.loads(sys.argv[1])
    run = Run(**options)
    cpu = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(drive(run))
    seconds = time.perf_counter() - run.began
    ordered = np.sort(np.array(run.latencies or [0.0])) * 1000
    answered = sum(run.statuses.values())
    figures = {
        "seconds": seconds,
        "requests": answered,
        "events_a_second": run.statuses["200"] * BATCH / seconds,
        "statuses": dict(run.statuses),
        "lost": run.lost,
        "p50_ms": float(np.percentile(ordered, 50)),
        "p99_ms": float(np.percentile(ordered, 99)),
        "p999_ms": float(np.percentile(ordered, 99.9)),
        "max_ms": float(ordered[-1]),
        "load_cpu_seconds": time.process_time() - cpu,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
