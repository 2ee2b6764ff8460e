"""From bytes to messages: whatever clients send as JSON is read, and a message that is odd never takes its neighbours with it.

Beside strict JSON these are read: `NaN` and infinities (as null), numbers that are too large (as text), invalid UTF-8 and lone
surrogates (as U+FFFD), and any depth: what is nested deeper than `MAX_DEPTH` levels of a message becomes JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kohort.events.lenient import MAX_DEPTH, elements, lenient_value, members, shallow

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_strict = msgspec.json.Decoder().decode


class BadRequest(Exception):
    """A body that cannot be read at all. status: of the answer; code and message: of its body."""

    def __init__(self, code: str = "invalid_request", message: str = "malformed JSON", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class Request:
    """The messages of a body, each as its exact bytes, and what stands beside the batch: `sentAt`, `context`, `writeKey` and so on."""

    messages: Sequence[bytes]
    envelope: Mapping[str, Any]


def read_request(body: bytes, single: bool) -> Request:
    """single: the body is one message. A body that is JSON but no object is one message, too. Raises BadRequest."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if single:
            _strict(body)
            return Request((body,), {})
        found = _members(body)
        batch = bytes(found.pop("batch", b""))
        messages = _elements(batch) if batch[:1] == b"[" else ()
        return Request([bytes(raw) for raw in messages], {key: read_message(bytes(raw)) for key, raw in found.items()})
    except (*_UNREADABLE, ValueError):
        return _read_leniently(body, single)


def read_message(raw: bytes) -> Any:
    """The value of one message. Raises ValueError for what is no JSON."""
    if len(raw) > 2 * MAX_DEPTH and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        raw = shallow(raw)
    try:
        return _strict(raw)
    except _UNREADABLE:
        return lenient_value(raw)


def readable(raw: bytes) -> Any:
    """The value of one message; None for what is no JSON."""
    try:
        return read_message(raw)
    except ValueError:
        return None


def _read_leniently(body: bytes, single: bool) -> Request:
    try:
        if single or body.lstrip()[:1] != b"{":
            read_message(body)
            return Request((body,), {})
        pairs = {read_message(key): value for key, value in members(body)}
        batch = pairs.pop("batch", b"")
        messages = elements(batch) if batch[:1] == b"[" else []
        for raw in messages:
            read_message(raw)
        return Request(messages, {key: read_message(raw) for key, raw in pairs.items()})
    except (ValueError, TypeError) as problem:
        raise BadRequest from problem
