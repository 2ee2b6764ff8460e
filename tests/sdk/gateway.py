"""A gateway in front of a server that fails at first: what clients then do is theirs, what comes of it is ours."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


@dataclass(frozen=True)
class Trouble:
    """An answer in place of the server's. delivers: the server gets the request all the same, only the client does not learn of it."""

    status: int
    delivers: bool = False
    retry_after: str = ""


@dataclass
class Gateway:
    """url: where clients send to. seen: (status, X-Retry-Count) of each request, in order."""

    target: str
    troubles: list[Trouble]
    url: str = ""
    seen: list[tuple[int, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def next_trouble(self) -> Trouble | None:
        with self.lock:
            return self.troubles.pop(0) if self.troubles else None


@contextmanager
def gateway(target: str, troubles: Sequence[Trouble]) -> Iterator[Gateway]:
    """The first requests meet these troubles, one each; the others go through."""
    made = Gateway(target, list(troubles))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            trouble = made.next_trouble()
            status, answer = 503, b""
            if trouble is None or trouble.delivers:
                status, answer = _forward(made.target + self.path, dict(self.headers), body)
                assert trouble is None or status == 200, "what is to be delivered twice must be taken the first time"
            if trouble is not None:
                status, answer = trouble.status, b'{"code": "trouble", "message": "not now"}'
            made.seen.append((status, self.headers.get("X-Retry-Count", "")))
            self.send_response(status)
            if trouble is not None and trouble.retry_after:
                self.send_header("Retry-After", trouble.retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _forward(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection", "content-length")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, kept, method="POST"), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
