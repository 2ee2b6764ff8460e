"""From the bytes of a request to calls: read, completed, corrected for the sender's clock, judged one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from kohort.events.model import Call, CallType, Received, Rejected, SourceRules
from kohort.events.reading import BadRequest, Request, read_message, read_request, readable
from kohort.events.scan import Scan, scan_request
from kohort.events.timestamps import call_instants, instant_of
from kohort.events.validation import CODES, id_of, message_id_of, type_of

__all__ = ["BadRequest", "Decoded", "Scan", "decode_request", "scan_request"]

SAMPLE_CHARACTERS: Final = 1_000
_CLIENT_CHANNELS: Final = frozenset({"browser", "client", "mobile", "web"})
_CLIENT_LIBRARIES: Final = (
    "analytics.js",
    "analytics-android",
    "analytics-flutter",
    "analytics-ios",
    "analytics-kotlin",
    "analytics-react-native",
    "analytics-swift",
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The calls of a request that can be taken, in order, without those received before; and those that cannot."""

    calls: tuple[Call, ...]
    rejected: tuple[Rejected, ...]


def decode_request(received: Received, rules: SourceRules) -> Decoded:
    """All calls of a request, complete; places in `received.dropped` are in neither list. Raises BadRequest."""
    codes = scan_request(received.body, received.call_type, rules).rejected
    request = read_request(received.body, bool(received.call_type))
    dropped = frozenset(received.dropped)
    calls = tuple(
        _call(place, read_message(raw), request, received, rules)
        for place, raw in enumerate(request.messages)
        if place not in codes and place not in dropped
    )
    rejected = tuple(_rejected(place, code, request, received, rules) for place, code in codes.items() if place not in dropped)
    return Decoded(calls, rejected)


def _call(place: int, message: dict[str, Any], request: Request, received: Received, rules: SourceRules) -> Call:
    kind = cast(CallType, received.call_type or type_of(message, rules))
    unread = _complete(message, kind, request, received, rules)
    received_at = received.received_at
    if rules.naming == "rudderstack" and (given := instant_of(message.get("receivedAt"))) is not None:
        received_at = given
    timestamp, original, sent, wrong = call_instants(message, received_at, rules.naming)
    return Call(
        place,
        kind,
        message_id_of(message, rules) or received.message_ids.get(place) or _derived_id(place, request, received),
        id_of(message, "userId", rules),
        id_of(message, "anonymousId", rules),
        timestamp,
        original,
        sent,
        received_at,
        message,
        unread | wrong if unread else wrong,
    )


def _complete(message: dict[str, Any], kind: CallType, request: Request, received: Received, rules: SourceRules) -> dict[str, Any]:
    """Write into a message what its batch and its connection say; what of it could not be used comes back."""
    message["type"] = kind
    envelope = request.envelope
    if envelope.get("sentAt") not in (None, ""):
        message["sentAt"] = envelope["sentAt"]
    shared = envelope.get("integrations")
    if type(shared) is dict and shared:
        own = message.get("integrations")
        message["integrations"] = {**shared, **own} if type(own) is dict else shared
    unread: dict[str, Any] = {}
    context, shared = message.get("context"), envelope.get("context")
    if type(context) is not dict:
        if context not in (None, "", []):
            unread["context"] = context
        context = {}
    if type(shared) is dict:
        context = {**shared, **context}
    elif shared not in (None, "", []):
        unread.setdefault("context", shared)
    if rules.naming == "rudderstack":
        message["request_ip"] = message.get("request_ip") or received.ip or None
    elif received.ip and not context.get("ip") and comes_from_client(message.get("channel"), context):
        context["ip"] = received.ip
    message["context"] = context
    return unread


def comes_from_client(channel: Any, context: Mapping[str, Any]) -> bool:
    """Whether the sender's address is that of the person: the call comes from a browser or an app, not from a server.

    channel: of the message itself.
    """
    channel, library = channel or context.get("channel"), context.get("library")
    name = library.get("name") if type(library) is dict else None
    return context.get("direct") is True or (type(channel) is str and channel in _CLIENT_CHANNELS) or name in _CLIENT_LIBRARIES


def _derived_id(place: int, request: Request, received: Received) -> str:
    """The id of a call that has none and was given none: the same whenever the log is read again."""
    seed = f"{received.source}\n{received.received_at}\n{place}\n".encode()
    return hashlib.sha256(seed + request.messages[place]).hexdigest()[:32]


def _rejected(place: int, code: str, request: Request, received: Received, rules: SourceRules) -> Rejected:
    raw = request.messages[place] if place < len(request.messages) else received.body
    message = readable(raw)
    kind = received.call_type or (type_of(message, rules) if type(message) is dict else "")
    sample = raw[: 4 * SAMPLE_CHARACTERS].decode("utf-8", "replace")[:SAMPLE_CHARACTERS]
    return Rejected(place, code, CODES[code], kind, message_id_of(message, rules), sample)
