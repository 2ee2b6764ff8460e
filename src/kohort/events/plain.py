"""Requests as nearly all are, read fast: strict JSON in which nothing is odd. What is odd is left to `decode`; both give the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kohort.events.decode import comes_from_client
from kohort.events.lenient import MAX_DEPTH
from kohort.events.model import CALL_TYPES, Call, CallType, Received, SourceRules
from kohort.events.plan import walk
from kohort.events.timestamps import segment_instants
from kohort.events.validation import GoodCall
from kohort.foundation.instants import Micros

REMEMBERED_BYTES: Final = 4 * 1024 * 1024
"""Of contexts, as sent; beyond, all are forgotten."""
_DEEPEST: Final = MAX_DEPTH - 10
_BLANK: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_NESTED: Final = frozenset({dict, list})
_DATA: Final = frozenset({"track", "page", "screen"})


class Fields(GoodCall, gc=False):
    """What a call carries that tables or identity need."""

    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    timestamp: Any = None
    originalTimestamp: Any = None  # noqa: N815
    sentAt: Any = None  # noqa: N815
    channel: Any = None
    context: msgspec.Raw = msgspec.Raw(b"")


class _Typed(Fields, gc=False, kw_only=True):
    type: CallType


class _Batch(msgspec.Struct, gc=False):
    batch: list[_Typed]
    sentAt: Any = None  # noqa: N815
    context: msgspec.Raw = msgspec.Raw(b"")


class _Sizes(msgspec.Struct, gc=False):
    batch: list[msgspec.Raw]


_batch: Final = msgspec.json.Decoder(_Batch).decode
_single: Final = msgspec.json.Decoder(Fields).decode
_sizes: Final = msgspec.json.Decoder(_Sizes).decode
_value: Final = msgspec.json.Decoder().decode


class Context(msgspec.Struct, gc=False, frozen=True):
    """A call's context. shape: a number that contexts with the same keys share; values: of its leaves, in the order of `rows.leaves`.

    has_ids: there may be ids in it. ip: of the sender, where it belongs into the context and is not there.
    """

    shape: int
    values: tuple[Any, ...]
    has_ids: bool
    raw: bytes
    ip: str

    def payload(self) -> dict[str, Any]:
        found = {} if self.raw in _BLANK else _value(self.raw)
        return found | {"ip": self.ip} if self.ip else found


class PlainCall(msgspec.Struct, gc=False):
    """One good call. keys: what tells the shape of its data from others; values: of the leaves of its data. The rest as in `Call`."""

    place: int
    type: CallType
    message_id: str
    fields: Fields
    timestamp: Micros
    original_timestamp: Micros | None
    sent_at: Micros | None
    received_at: Micros
    keys: tuple[Any, ...]
    values: tuple[Any, ...]
    context: Context

    def whole(self) -> Call:
        """The same as `decode` gives it, but for members of the message that nothing needs."""
        payload = {name: value for name, value in msgspec.structs.asdict(self.fields).items() if value is not None}
        payload |= {"type": self.type, "context": self.context.payload()}
        ids = (self.message_id, self.fields.userId, self.fields.anonymousId)
        return Call(self.place, self.type, *ids, self.timestamp, self.original_timestamp, self.sent_at, self.received_at, payload)


class _Odd(Exception):
    """Something that `decode` has to look at."""


class PlainReader:
    """Reads the requests of one source."""

    def __init__(self, rules: SourceRules, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self._rules = rules
        self._remembered_bytes = remembered_bytes
        self._contexts: dict[tuple[bytes, str | None, str], Context] = {}
        self._bytes = 0
        self._shapes: dict[tuple[Any, ...], int] = {}
        self._next_shape = 0

    def read(self, received: Received) -> list[PlainCall] | None:
        """The calls of a request by place, without those received before; None when something in it is odd."""
        if self._rules.naming != "segment":
            return None
        try:
            return self._read_single(received) if received.call_type else self._read_batch(received)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _Odd):
            return None

    def _read_single(self, received: Received) -> list[PlainCall]:
        body = received.body
        fields = _single(body)
        kind = received.call_type
        if kind not in CALL_TYPES or len(body) > self._rules.max_call_bytes or not _is_complete(fields, kind):
            raise _Odd
        return [] if 0 in received.dropped else [self._call(0, kind, fields, fields.sentAt, received)]

    def _read_batch(self, received: Received) -> list[PlainCall]:
        body, rules = received.body, self._rules
        request = _batch(body)
        calls = request.batch
        if not calls or len(calls) > rules.max_batch_events or bytes(request.context) not in _BLANK:
            raise _Odd
        if len(body) > rules.max_call_bytes and max(map(len, _sizes(body).batch)) > rules.max_call_bytes:
            raise _Odd
        for call in calls:
            if not _is_complete(call, call.type):
                raise _Odd
        sent = request.sentAt
        own = sent is None or sent == ""
        dropped = received.dropped
        return [
            self._call(place, call.type, call, call.sentAt if own else sent, received)
            for place, call in enumerate(calls)
            if place not in dropped
        ]

    def _call(self, place: int, kind: CallType, fields: Fields, sent: Any, received: Received) -> PlainCall:
        message_id = fields.messageId or received.message_ids.get(place)
        instants = segment_instants(fields.timestamp, fields.originalTimestamp, sent, received.received_at)
        if not message_id or instants is None:
            raise _Odd
        data = fields.properties if kind in _DATA else fields.traits
        keys, values = _leaves(data) if data else ((), ())
        context = self._context(fields, received.ip)
        return PlainCall(place, kind, message_id, fields, *instants, received.received_at, keys, values, context)

    def _context(self, fields: Fields, ip: str) -> Context:
        raw, channel = bytes(fields.context), fields.channel
        if channel is not None and type(channel) is not str:
            raise _Odd
        key = (raw, channel if ip else None, ip)
        found = self._contexts.get(key)
        if found is None:
            found = self._contexts[key] = self._read_context(raw, channel, ip)
            self._bytes += len(raw) + 500
            if self._bytes > self._remembered_bytes:
                self._contexts, self._shapes, self._bytes = {}, {}, 0
        return found

    def _read_context(self, raw: bytes, channel: str | None, ip: str) -> Context:
        context = {} if raw in _BLANK else _value(raw)
        if type(context) is not dict:
            raise _Odd
        own = "" if not ip or context.get("ip") or not comes_from_client(channel, context) else ip
        if own:
            context["ip"] = own
        keys, values = _leaves(context)
        shape = self._shapes.get(keys)
        if shape is None:
            self._next_shape += 1
            shape = self._shapes[keys] = self._next_shape
        return Context(shape, values, not _WITH_IDS.isdisjoint(context), raw, own)


_WITH_IDS: Final = frozenset({"traits", "device", "integrations", "externalIds"})


def _leaves(members: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What tells the shape of an object from others, and its leaves."""
    values = tuple(members.values())
    if _NESTED.isdisjoint(map(type, values)):
        return tuple(members), tuple([None if value == "" else value for value in values]) if "" in values else values
    if _is_deep(members, _DEEPEST):
        raise _Odd
    keys: list[Any] = []
    leaves: list[Any] = []
    walk(members, keys, leaves)
    return tuple(keys), tuple(leaves)


def _is_deep(value: Any, levels: int) -> bool:
    inner: Sequence[Any] = list(value.values()) if type(value) is dict else value
    return levels == 0 or any(_is_deep(each, levels - 1) for each in inner if type(each) in _NESTED)


def _is_complete(call: Fields, kind: str) -> bool:
    match kind:
        case "track":
            return call.event is not None and (call.userId is not None or call.anonymousId is not None)
        case "alias":
            return call.userId is not None and (call.previousId is not None or call.anonymousId is not None)
        case "group":
            return call.groupId is not None and (call.userId is not None or call.anonymousId is not None)
        case _:
            return call.userId is not None or call.anonymousId is not None
