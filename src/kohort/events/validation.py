"""Which calls can be taken: the codes of Segment's delivery overview, call by call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

import msgspec

from kohort.events.columns import DATA_KEYS
from kohort.events.model import CALL_TYPES, CallType, SourceRules

MAX_MESSAGE_ID: Final = 100

_Given = Annotated[str, msgspec.Meta(min_length=1)]
_MessageId = Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_ID)]


class GoodCall(msgspec.Struct, gc=False):
    """Keys of a call as they are when nothing is wrong. What fits in here is good, but for ids that its type demands."""

    messageId: _MessageId | None = None  # noqa: N815
    userId: _Given | None = None  # noqa: N815
    anonymousId: _Given | None = None  # noqa: N815
    groupId: _Given | None = None  # noqa: N815
    previousId: _Given | None = None  # noqa: N815
    event: _Given | None = None
    name: _Given | None = None
    category: str | None = None


CODES: Final[Mapping[str, str]] = {
    "bad_request": "the call is not a JSON object",
    "call_too_large": "the call is larger than a call may be",
    "too_many_events": "the batch holds more calls than a batch may; this one comes after the last that is taken",
    "empty_batch": "the batch holds no calls",
    "type_not_supported": "`type` is none of identify, track, page, screen, group, alias",
    "no_user_anon_id": "the call has neither `userId` nor `anonymousId`",
    "id_required": "an alias needs `userId` and `previousId` (or `anonymousId`), a group call needs `groupId`",
    "id_not_string": "`userId`, `anonymousId`, `groupId` or `previousId` is empty or not a string",
    "event_not_defined": "the track call has no `event`",
    "event_not_string": "`event` is not a string",
    "properties_not_object": "`properties` is not an object",
    "traits_not_object": "`traits` is not an object",
    "name_not_string": "`name` of the page or screen is empty or not a string",
    "category_not_string": "`category` of the page or screen is not a string",
}
"""Code -> what is wrong, in the order in which a call is looked at; the first that applies is the call's."""


def code_of(message: Any, call_type: str, rules: SourceRules) -> str:
    """The first code that applies to a decoded call, "" when it can be taken. call_type: of the endpoint; "" for a call of a batch."""
    if type(message) is not dict:
        return "bad_request"
    kind = call_type or type_of(message, rules)
    if kind not in CALL_TYPES:
        return "type_not_supported"
    return _ids_code(message, kind, rules) or _event_code(message, kind) or _data_code(message, kind) or _page_code(message, kind)


def type_of(message: Mapping[str, Any], rules: SourceRules) -> str:
    """The type a call names; RudderStack reads it in any case."""
    kind = message.get("type")
    if type(kind) is not str:
        return ""
    return kind.lower() if rules.naming == "rudderstack" else kind


def id_of(message: Mapping[str, Any], key: str, rules: SourceRules) -> str | None:
    """An id of a good call. RudderStack makes text of ids that are not text, and takes an empty one for none."""
    value = message.get(key)
    if type(value) is str or value is None:
        return value or None
    return json_text(value) if rules.naming == "rudderstack" else None


def message_id_of(message: Any, rules: SourceRules) -> str:
    """The id a call brings, "" when it brings none. Numbers are taken as text; of a longer text its SHA-256 is the id."""
    value = message.get("messageId") if type(message) is dict else None
    if type(value) is not str:
        value = json_text(value) if type(value) in (int, float, bool) else ""
    value = tidy_message_id(value, rules)
    return value if len(value) <= MAX_MESSAGE_ID else hashlib.sha256(value.encode()).hexdigest()


def tidy_message_id(given: str, rules: SourceRules) -> str:
    """An id as it counts: RudderStack leaves out what cannot be printed and blanks around it."""
    return given if rules.naming == "segment" else "".join(filter(str.isprintable, given)).strip()


def json_text(value: Any) -> str:
    """A value as compact JSON."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, ValueError):
        return _json_text_of_large_numbers(value)


def _json_text_of_large_numbers(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ids_code(message: dict[str, Any], kind: str, rules: SourceRules) -> str:
    keys = ["userId", "anonymousId", *(["groupId"] if kind == "group" else ["previousId"] if kind == "alias" else [])]
    if rules.naming == "segment":
        values = [message.get(key) for key in keys]
        if any(value is not None and (type(value) is not str or not value) for value in values):
            return "id_not_string"
    user, anonymous, *other = [id_of(message, key, rules) for key in keys]
    if kind == "alias":
        return "" if user and (other[0] or anonymous) else "id_required"
    if not (user or anonymous):
        return "no_user_anon_id"
    return "id_required" if kind == "group" and not other[0] else ""


def _event_code(message: dict[str, Any], kind: str) -> str:
    event = message.get("event")
    if kind != "track" or (type(event) is str and event):
        return ""
    return "event_not_defined" if event is None or event == "" else "event_not_string"


def _data_code(message: dict[str, Any], kind: str) -> str:
    key = DATA_KEYS[cast(CallType, kind)]
    data = message.get(key)
    return "" if data is None or type(data) is dict else f"{key}_not_object"


def _page_code(message: dict[str, Any], kind: str) -> str:
    if kind not in ("page", "screen"):
        return ""
    name, category = message.get("name"), message.get("category")
    if name is not None and (type(name) is not str or not name):
        return "name_not_string"
    return "" if category is None or type(category) is str else "category_not_string"
