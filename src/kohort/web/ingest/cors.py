"""Browsers may send from every site, with credentials."""

from __future__ import annotations

from collections.abc import Iterable

from kohort.web.ingest.answers import Answer, Headers

_METHODS = b"GET, POST, OPTIONS"
_MAX_AGE_SECONDS = b"900"


def allowed(origin: bytes) -> Headers:
    """What every answer to a browser carries."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"Retry-After, X-RateLimit-Reset"),
        (b"vary", b"Origin"),
    )


def preflight(headers: Iterable[tuple[bytes, bytes]]) -> Answer:
    """The answer to OPTIONS: all headers that were asked for. The origin is added as to every answer."""
    wanted = next((value for name, value in headers if name == b"access-control-request-headers"), b"Authorization, Content-Type")
    return Answer(
        200,
        b"",
        (
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", _MAX_AGE_SECONDS),
        ),
    )
