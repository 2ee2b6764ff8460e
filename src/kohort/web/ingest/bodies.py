"""The body of a request, read and unpacked no further than its limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from kohort.web.ingest.answers import BAD_GZIP, BUSY, CUT_OFF, DEFLATE, TOO_LARGE, TOO_LARGE_BY_FAR, TOO_SLOW, Refused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

READ_SECONDS = 60.0
"""How long the rest of a body may take to arrive."""
_READ_ON_FACTOR = 8
"""A body said to be longer than this many limits is not even waited for: the connection is closed."""


class Room:
    """Memory for bodies that are being read or wait for the disk. When it is used up, requests are refused, not collected."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0

    def check(self, count: int) -> None:
        """Raises Refused BUSY when there is not so much left."""
        if self.used_bytes + count > self.most_bytes:
            raise Refused(BUSY)


@dataclass(slots=True)
class Share:
    """What one request has of the room: as much as has arrived of it."""

    room: Room
    held_bytes: int = 0

    def hold(self, count: int) -> None:
        """So much from now on. Raises Refused BUSY."""
        self.room.check(count - self.held_bytes)
        self.room.used_bytes += count - self.held_bytes
        self.held_bytes = count


def check_length(declared: int, limit: int) -> None:
    """Refuse a body by the length its header says, before any of it is read."""
    if declared > limit:
        raise Refused(TOO_LARGE if declared <= _READ_ON_FACTOR * limit else TOO_LARGE_BY_FAR)


async def read_body(receive: Receive, limit: int, share: Share) -> bytes:
    """All of it, if it is no longer than `limit` bytes and arrives in time. Raises Refused."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message["body"]
        if len(body) > limit:
            raise Refused(TOO_LARGE)
        share.hold(len(body))
        return body
    parts: list[bytes] = []

    def keep(part: bytes) -> None:
        share.hold(share.held_bytes + len(part))
        parts.append(part)

    await _read_on(message, receive, limit, keep)
    return b"".join(parts)


async def pass_over_body(receive: Receive, limit: int) -> None:
    """The same, but nothing of it is kept."""
    await _read_on(await receive(), receive, limit, lambda _: None)


async def _read_on(message: MutableMapping[str, Any], receive: Receive, limit: int, keep: Callable[[bytes], None]) -> None:
    length = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            while message["type"] == "http.request":
                part: bytes = message.get("body", b"")
                length += len(part)
                if length > limit:
                    raise Refused(TOO_LARGE_BY_FAR)
                keep(part)
                if not message.get("more_body", False):
                    return
                message = await receive()
    except TimeoutError:
        raise Refused(TOO_SLOW) from None
    raise Refused(CUT_OFF)


def unpacked(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The JSON of a body. encoding: of its Content-Encoding header. What grows beyond `limit` is refused there, not afterwards."""
    wanted = encoding.strip().lower()
    if wanted in (b"", b"identity"):
        return body
    if wanted not in (b"gzip", b"x-gzip"):
        raise Refused(DEFLATE)
    parts, length = [], 0
    while body:
        stream = zlib.decompressobj(wbits=31)
        try:
            parts.append(stream.decompress(body, limit - length + 1))
        except zlib.error:
            raise Refused(BAD_GZIP) from None
        length += len(parts[-1])
        if length > limit:
            raise Refused(TOO_LARGE)
        if not stream.eof:
            raise Refused(BAD_GZIP)
        body = stream.unused_data
    return b"".join(parts)
