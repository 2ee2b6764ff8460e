"""One request as bytes: four bytes of checksum, then MessagePack."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from kohort.events.model import Received

_VERSION = 1
_Stored = tuple[int, str, int, str, tuple[int, ...], dict[int, str], str, bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


class Damaged(Exception):
    """These bytes are not what was written."""


def entry_bytes(received: Received) -> bytes:
    """What the log keeps of a request."""
    ids = dict(received.message_ids)
    stored: Any = (_VERSION, received.source, received.received_at, received.call_type, received.dropped, ids, received.ip, received.body)
    packed = _encode(stored)
    return crc32(packed).to_bytes(4, "little") + packed


def read_entry(data: bytes) -> Received:
    """The request again, the same in every field. Raises Damaged."""
    packed = memoryview(data)[4:]
    if len(data) < 5 or crc32(packed) != int.from_bytes(data[:4], "little"):
        raise Damaged("the checksum does not fit")
    try:
        version, source, received_at, call_type, dropped, ids, ip, body = _decode(packed)
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from error
    if version != _VERSION:
        raise Damaged(f"written by a newer Kohort (form {version})")
    return Received(source, received_at, body, call_type, dropped, ids, ip)
