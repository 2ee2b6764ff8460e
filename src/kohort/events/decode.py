"""From the bytes of a request to calls: read, completed, corrected for the sender's clock, judged one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from kohort.events.model import CALL_TYPES, SEGMENT_RULES, Call, CallType, Received, Rejected, SourceRules
from kohort.foundation.instants import Micros, to_micros


@dataclass(frozen=True, slots=True)
class BadRequest(Exception):
    """A body that cannot be read at all. status: of the answer; code and message: of its body."""

    code: str
    message: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class Decoded:
    """The calls of a request that can be taken, in order, without those received before; and those that cannot."""

    calls: tuple[Call, ...]
    rejected: tuple[Rejected, ...]


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


def scan_request(body: bytes, call_type: CallType | Literal[""] = "", rules: SourceRules = SEGMENT_RULES) -> Scan:  # noqa: ARG001
    """Which calls are in a body, without decoding what they carry; raises BadRequest.

    call_type: of an endpoint for one call; "" for a batch.
    """
    request = _json(body)
    messages = [request] if call_type else _batch(request)
    rejected = {place: code for place, message in enumerate(messages) if (code := _judge(message, call_type))}
    ids = [str(message.get("messageId") or "") if isinstance(message, dict) else "" for message in messages]
    key = request.get("writeKey") if isinstance(request, dict) else None
    return Scan(ids, [len(msgspec.json.encode(message)) for message in messages], rejected, key if isinstance(key, str) else "")


def decode_request(received: Received, rules: SourceRules) -> Decoded:  # noqa: ARG001
    """All calls of a request, complete; places in `received.dropped` are in neither list. Raises BadRequest."""
    request = _json(received.body)
    messages = [request] if received.call_type else _batch(request)
    calls, rejected = [], []
    for place, message in enumerate(messages):
        if place in received.dropped:
            continue
        if code := _judge(message, received.call_type):
            sample = msgspec.json.encode(message).decode()[:1000]
            rejected.append(Rejected(place, code, code, received.call_type, "", sample))
        else:
            calls.append(_call(place, message, request, received))
    return Decoded(tuple(calls), tuple(rejected))


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadRequest("invalid_request", "malformed JSON") from problem


def _batch(request: Any) -> list[Any]:
    batch = request.get("batch") if isinstance(request, dict) else None
    return batch if isinstance(batch, list) else []


def _judge(message: Any, call_type: str) -> str:
    if not isinstance(message, dict):
        return "bad_request"
    if (call_type or message.get("type")) not in CALL_TYPES:
        return "unknown_type"
    return "" if message.get("userId") or message.get("anonymousId") else "no_user_anon_id"


def _call(place: int, message: dict[str, Any], request: dict[str, Any], received: Received) -> Call:
    original, sent = _instant(message.get("timestamp")), _instant(request.get("sentAt"))
    timestamp = received.received_at if original is None else original if sent is None else received.received_at - (sent - original)
    given = message.get("messageId") or received.message_ids.get(place)
    derived = hashlib.sha256(f"{received.source}/{received.received_at}/{place}/".encode() + received.body).hexdigest()[:32]
    return Call(
        place,
        received.call_type or message["type"],
        str(given or derived),
        message.get("userId"),
        message.get("anonymousId"),
        timestamp,
        original,
        sent,
        received.received_at,
        message,
    )


def _instant(value: Any) -> Micros | None:
    from datetime import UTC, datetime

    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return to_micros(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
