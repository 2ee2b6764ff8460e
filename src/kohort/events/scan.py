"""What ingest needs to know of a request, without decoding what its calls carry: over a million calls a second on a core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from kohort.events.model import SEGMENT_RULES, CallType, SourceRules
from kohort.events.reading import Request, read_request, readable
from kohort.events.validation import GoodCall, code_of, message_id_of, tidy_message_id


class _Object(msgspec.Struct, gc=False):
    """Any JSON object."""


class _Call(GoodCall, gc=False):
    """What decides whether a call can be taken."""

    properties: _Object | None = None
    traits: _Object | None = None


class _Typed(_Call, gc=False, kw_only=True):
    type: CallType


class _Single(_Call, gc=False):
    writeKey: str | None = None  # noqa: N815


class _Batch(msgspec.Struct, gc=False):
    batch: list[_Typed]
    writeKey: str | None = None  # noqa: N815


class _Sizes(msgspec.Struct, gc=False):
    batch: list[msgspec.Raw]


_batch: Final = msgspec.json.Decoder(_Batch).decode
_single: Final = msgspec.json.Decoder(_Single).decode
_typed: Final = msgspec.json.Decoder(_Typed).decode
_sizes: Final = msgspec.json.Decoder(_Sizes).decode


@dataclass(frozen=True, slots=True)
class Scan:
    """What ingest needs to know of a request; lists are by place.

    message_ids: "" where a call has none: give it one and write it to `Received.message_ids`. sizes: bytes of each call as sent.
    rejected: place -> code of calls that `decode_request` rejects; an empty batch is rejected at place 0, though it holds no call.
    write_key: of the body; "" when there is none.
    """

    message_ids: Sequence[str]
    sizes: Sequence[int]
    rejected: Mapping[int, str] = field(default_factory=dict)
    write_key: str = ""

    @property
    def known_by(self) -> Sequence[str]:
        """By place, what a call is recognised by when it comes again; of a rejected one not its id alone: it may come again mended."""
        if not self.rejected:
            return self.message_ids
        codes = self.rejected
        return [f"{codes[place]}\0{each}" if each and place in codes else each for place, each in enumerate(self.message_ids)]


def scan_request(body: bytes, call_type: CallType | Literal[""] = "", rules: SourceRules = SEGMENT_RULES) -> Scan:
    """Which calls are in a body; raises BadRequest. call_type: of an endpoint for one call; "" for a batch.

    >>> scan_request(b'{"batch": [{"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1"}, 7], "writeKey": "k"}')
    Scan(message_ids=['m1', ''], sizes=[74, 1], rejected={1: 'bad_request'}, write_key='k')
    """
    try:
        scan = _scan_single(body, call_type, rules) if call_type else _scan_batch(body, rules)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        scan = None
    return scan or _scan_each(read_request(body, bool(call_type)), call_type, rules)


def _scan_batch(body: bytes, rules: SourceRules) -> Scan | None:
    """None when a call has to be looked at by itself."""
    request = _batch(body)
    calls = request.batch
    sizes = list(map(len, _sizes(body).batch))
    if not calls or len(calls) > rules.max_batch_events or max(sizes) > rules.max_call_bytes:
        return None
    for call in calls:
        if call.type == "track":
            if call.event is None or not (call.userId or call.anonymousId):
                return None
        elif not _is_complete(call, call.type):
            return None
    return Scan(_ids(calls, rules), sizes, {}, request.writeKey or "")


def _scan_single(body: bytes, call_type: CallType, rules: SourceRules) -> Scan | None:
    call = _single(body)
    if len(body) > rules.max_call_bytes or not _is_complete(call, call_type):
        return None
    return Scan(_ids((call,), rules), [len(body)], {}, call.writeKey or "")


def _ids(calls: Sequence[_Call], rules: SourceRules) -> list[str]:
    ids = [call.messageId or "" for call in calls]
    return ids if rules.naming == "segment" else [tidy_message_id(each, rules) for each in ids]


def _is_complete(call: _Call, call_type: str) -> bool:
    match call_type:
        case "alias":
            return bool(call.userId and (call.previousId or call.anonymousId))
        case "group":
            return bool(call.groupId and (call.userId or call.anonymousId))
        case "track":
            return bool(call.event and (call.userId or call.anonymousId))
        case _:
            return bool(call.userId or call.anonymousId)


def _scan_each(request: Request, call_type: CallType | Literal[""], rules: SourceRules) -> Scan:
    judged = [_judged(place, raw, call_type, rules) for place, raw in enumerate(request.messages)]
    rejected = {place: code for place, (_, code) in enumerate(judged) if code}
    holder = readable(request.messages[0]) if call_type else request.envelope
    key = holder.get("writeKey") if isinstance(holder, Mapping) else None
    sizes = [len(raw) for raw in request.messages]
    return Scan([given for given, _ in judged], sizes, rejected if judged else {0: "empty_batch"}, key if isinstance(key, str) else "")


def _judged(place: int, raw: bytes, call_type: CallType | Literal[""], rules: SourceRules) -> tuple[str, str]:
    """The id a call brings and the code for which it is rejected, each "" when there is none."""
    fits = len(raw) <= rules.max_call_bytes and place < rules.max_batch_events
    if fits and not call_type and (given := _given_id(raw, rules)) is not None:
        return given, ""
    message = readable(raw)
    code = "too_many_events" if place >= rules.max_batch_events else code_of(message, call_type, rules)
    if type(message) is dict and len(raw) > rules.max_call_bytes:
        code = "call_too_large"
    return message_id_of(message, rules), code


def _given_id(raw: bytes, rules: SourceRules) -> str | None:
    """The id of a call of a batch that can be taken as it is; None when it has to be looked at closely."""
    try:
        call = _typed(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return tidy_message_id(call.messageId or "", rules) if _is_complete(call, call.type) else None
