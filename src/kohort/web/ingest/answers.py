"""What a client is told. Errors are JSON with `code` and `message`, for some clients take any other JSON for a lost connection."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

Headers = tuple[tuple[bytes, bytes], ...]

_JSON = (b"content-type", b"application/json; charset=utf-8")
_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body and its headers. reason: the code of a refusal, "" when all is well; it is what metrics count by."""

    status: int
    body: bytes
    headers: Headers = (_JSON,)
    reason: str = ""
    closes: bool = False

    def with_headers(self, *more: tuple[bytes, bytes]) -> Answer:
        """The same with more headers."""
        return Answer(self.status, self.body, (*self.headers, *more), self.reason, self.closes)


@dataclass(slots=True)
class Refused(Exception):
    """The request ends here, with this answer."""

    answer: Answer
    source: str = field(default="")


def refusal(status: int, code: str, message: str, retry_seconds: int = 0, *, closes: bool = False) -> Answer:
    """A refusal. retry_seconds > 0: when it is worth trying again, told in both headers that clients read."""
    body = json.dumps({"success": False, "code": code, "message": message}).encode()
    headers: Headers = (_JSON,)
    if retry_seconds:
        text = str(retry_seconds).encode()
        headers += ((b"retry-after", text),)
        headers += ((b"x-ratelimit-reset", text),) if status == 429 else ()
    return Answer(status, body, headers, code, closes)


def text_answer(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Answer:
    return Answer(status, text.encode(), ((b"content-type", content_type.encode()),))


def json_answer(document: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode())


TAKEN = Answer(200, b'{"success": true}')
PIXEL = Answer(200, _PIXEL, ((b"content-type", b"image/gif"), (b"cache-control", b"no-store, no-cache, must-revalidate, private")))
UNKNOWN_KEY = refusal(401, "invalid_write_key", "there is no source with this write key")
NO_KEY = refusal(401, "no_write_key", "the request carries no write key: send it as Basic user name, or as writeKey in the body")
DISABLED = refusal(404, "source_disabled", "source is disabled")
NOT_FOUND = refusal(404, "not_found", "there is nothing at this path")
NOT_HERE = refusal(
    403, "only_here", "this is told to the server's own machine only; elsewhere: GET /api/v1/metrics of the API, with a token"
)
NOT_ALLOWED = refusal(405, "method_not_allowed", "this path is not for this method")
UNSUPPORTED = refusal(404, "unsupported_endpoint", "this endpoint is not kept: send identify, track, page, screen, group, alias or batch")
BUSY = refusal(429, "busy", "more requests are waiting for the disk than fit into memory", 1)
DISK_FULL = refusal(503, "disk_full", "the disk is full; nothing of this request was kept", 5)
LOG_FAILED = refusal(503, "log_unavailable", "the request could not be written; nothing of it was acknowledged", 5)
BROKEN = refusal(500, "internal", "this is a mistake in Kohort; it is in the server's messages")
DEFLATE = refusal(400, "unsupported_encoding", "only gzip is understood as content encoding: send gzip or plain JSON")
BAD_GZIP = refusal(400, "invalid_request", "the body says it is gzip, but it is not, or it is cut off")
TOO_LARGE = refusal(400, "payload_too_large", "Exceed payload limit")
TOO_LARGE_BY_FAR = refusal(400, "payload_too_large", "Exceed payload limit", closes=True)
CUT_OFF = refusal(400, "invalid_request", "the connection ended before the body did")
TOO_SLOW = refusal(408, "request_timeout", "the rest of the body did not come in time", closes=True)
STOPPING = refusal(503, "stopping", "the server is ending; nothing of this request was acknowledged", 5, closes=True)
