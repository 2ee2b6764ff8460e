"""Requests for tests: good calls, calls that are nearly good, and any JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kohort.events.decode import Decoded, decode_request
from kohort.events.model import SEGMENT_RULES, Call, CallType, Received, SourceRules
from kohort.foundation.instants import Micros, to_micros

ANY = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
RECEIVED_AT: Micros = 1_706_695_201_000_000  # 2024-01-31T10:00:01Z
GOOD: dict[CallType, dict[str, Any]] = {
    "identify": {"type": "identify", "userId": "u1", "traits": {"email": "a@b.c"}, "messageId": "m1"},
    "track": {"type": "track", "userId": "u1", "event": "Signed Up", "properties": {"plan": "Pro"}, "messageId": "m1"},
    "page": {"type": "page", "anonymousId": "a1", "name": "Home", "properties": {"url": "https://x.y/"}, "messageId": "m1"},
    "screen": {"type": "screen", "anonymousId": "a1", "name": "Start", "properties": {}, "messageId": "m1"},
    "group": {"type": "group", "userId": "u1", "groupId": "g1", "traits": {"size": 7}, "messageId": "m1"},
    "alias": {"type": "alias", "userId": "u1", "previousId": "a1", "messageId": "m1"},
}


def received(body: bytes | dict[str, Any], call_type: str = "", **changes: Any) -> Received:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Received("shop", changes.pop("received_at", RECEIVED_AT), raw, call_type, **changes)  # type: ignore[arg-type]


def decoded(*messages: Any, rules: SourceRules = SEGMENT_RULES, **envelope: Any) -> Decoded:
    return decode_request(received({"batch": list(messages), **envelope}), rules)


def one_call(message: dict[str, Any], rules: SourceRules = SEGMENT_RULES, **envelope: Any) -> Call:
    found = decoded(message, rules=rules, **envelope)
    assert found.rejected == ()
    return found.calls[0]


def codes(*messages: Any, rules: SourceRules = SEGMENT_RULES) -> dict[int, str]:
    return {rejected.place: rejected.code for rejected in decoded(*messages, rules=rules).rejected}


def micros(text: str) -> Micros:
    from datetime import datetime

    return to_micros(datetime.fromisoformat(text))


texts = st.text(max_size=8) | st.sampled_from(
    ["", "userId", "user_id", "id", "event", "Timestamp", "name", "context", "order", "日本", "a b"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["2024-01-31T10:00:00Z", "2024-01-31", ""])
)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4), max_leaves=12)
json_objects = st.dictionaries(texts, json_values, max_size=5)

_ids = st.sampled_from(["u1", "u2", " u1\n", "\u200bu1", "x" * 101]) | scalars
_fields = {
    "type": st.sampled_from(["identify", "track", "page", "screen", "group", "alias", "track", "Track", "", 7, None]),
    "userId": _ids,
    "anonymousId": _ids,
    "messageId": _ids,
    "groupId": _ids,
    "previousId": _ids,
    "event": st.sampled_from(["Signed Up", "users", "日本語", "Order Completed"]) | scalars,
    "name": scalars,
    "category": scalars,
    "properties": json_objects | json_values,
    "traits": json_objects | json_values,
    "context": json_objects | st.fixed_dictionaries({"ip": scalars, "traits": json_values}) | json_values,
    "integrations": json_objects | scalars,
    "timestamp": scalars,
    "sentAt": scalars,
    "originalTimestamp": scalars,
    "channel": scalars,
}
nearly_calls = st.fixed_dictionaries({}, optional=_fields) | st.sampled_from(list(GOOD.values()))
good_calls = st.builds(
    lambda base, data, context, extra: base | {"properties": data, "traits": data, "context": context} | extra,
    st.sampled_from(list(GOOD.values())),
    json_objects,
    json_objects | st.none(),
    st.fixed_dictionaries({}, optional={"timestamp": scalars, "sentAt": scalars, "name": st.text(min_size=1, max_size=3)}),
)
