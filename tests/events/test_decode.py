"""From requests to calls: validation codes, ids, what a batch gives to its calls, what was received before."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.events.decode import decode_request, scan_request
from kohort.events.model import CALL_TYPES, RUDDERSTACK_RULES, SEGMENT_RULES, CallType, SourceRules
from kohort.events.validation import CODES
from tests.events.messages import ANY, GOOD, RECEIVED_AT, codes, decoded, micros, nearly_calls, one_call, received

TRACK, PAGE, GROUP, ALIAS, IDENTIFY = (GOOD[kind] for kind in ("track", "page", "group", "alias", "identify"))


def _without(message: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in keys}


SEGMENT_CASES: list[tuple[Any, str]] = [
    *((message, "") for message in GOOD.values()),
    (7, "bad_request"),
    (None, "bad_request"),
    (["track"], "bad_request"),
    (TRACK | {"type": "Track"}, "type_not_supported"),
    (TRACK | {"type": "merge"}, "type_not_supported"),
    (TRACK | {"type": None}, "type_not_supported"),
    (_without(TRACK, "type"), "type_not_supported"),
    (_without(TRACK, "userId"), "no_user_anon_id"),
    (TRACK | {"userId": None}, "no_user_anon_id"),
    (TRACK | {"userId": None, "anonymousId": "a1"}, ""),
    (TRACK | {"userId": ""}, "id_not_string"),
    (TRACK | {"userId": 7}, "id_not_string"),
    (TRACK | {"anonymousId": {}}, "id_not_string"),
    (TRACK | {"anonymousId": False}, "id_not_string"),
    (_without(TRACK, "event"), "event_not_defined"),
    (TRACK | {"event": ""}, "event_not_defined"),
    (TRACK | {"event": None}, "event_not_defined"),
    (TRACK | {"event": 7}, "event_not_string"),
    (TRACK | {"properties": []}, "properties_not_object"),
    (TRACK | {"properties": "x"}, "properties_not_object"),
    (TRACK | {"properties": None}, ""),
    (TRACK | {"traits": []}, ""),
    (PAGE | {"properties": 7}, "properties_not_object"),
    (PAGE | {"name": ""}, "name_not_string"),
    (PAGE | {"name": 7}, "name_not_string"),
    (PAGE | {"name": None}, ""),
    (_without(PAGE, "name"), ""),
    (PAGE | {"category": 7}, "category_not_string"),
    (PAGE | {"category": ""}, ""),
    (TRACK | {"name": 7, "category": 7}, ""),
    (IDENTIFY | {"traits": []}, "traits_not_object"),
    (IDENTIFY | {"properties": []}, ""),
    (_without(IDENTIFY, "userId") | {"anonymousId": "a1"}, ""),
    (_without(GROUP, "groupId"), "id_required"),
    (GROUP | {"groupId": ""}, "id_not_string"),
    (GROUP | {"groupId": 7}, "id_not_string"),
    (_without(GROUP, "userId"), "no_user_anon_id"),
    (GROUP | {"traits": 7}, "traits_not_object"),
    (_without(ALIAS, "userId"), "id_required"),
    (_without(ALIAS, "previousId"), "id_required"),
    (_without(ALIAS, "previousId") | {"anonymousId": "a1"}, ""),
    (ALIAS | {"previousId": 7}, "id_not_string"),
    (TRACK | {"context": "none", "integrations": 7}, ""),
]


@pytest.mark.parametrize(("message", "code"), SEGMENT_CASES)
def test_validation_codes(message: Any, code: str) -> None:
    """A bad call has its code, and its neighbours are taken."""
    assert codes(TRACK, message, PAGE) == ({1: code} if code else {})
    assert [call.place for call in decoded(TRACK, message, PAGE).calls] == ([0, 2] if code else [0, 1, 2])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (TRACK | {"userId": 7}, ""),
        (TRACK | {"userId": ""}, "no_user_anon_id"),
        (TRACK | {"userId": "", "anonymousId": "a1"}, ""),
        (TRACK | {"type": "TRACK"}, ""),
        (GROUP | {"groupId": 7}, ""),
        (GROUP | {"groupId": ""}, "id_required"),
    ],
)
def test_rudderstack_takes_ids_that_are_not_text(message: Any, code: str) -> None:
    assert codes(message, rules=RUDDERSTACK_RULES) == ({0: code} if code else {})


def test_rudderstack_makes_text_of_ids() -> None:
    call = one_call(TRACK | {"userId": 7, "anonymousId": True, "type": "TRACK"}, rules=RUDDERSTACK_RULES)
    assert (call.user_id, call.anonymous_id, call.type) == ("7", "true", "track")


def test_a_rejected_call_shows_what_it_was() -> None:
    rejected = decoded(_without(TRACK, "userId") | {"pad": "é" * 2_000}).rejected[0]
    assert (rejected.code, rejected.message, rejected.call_type, rejected.message_id) == (
        "no_user_anon_id",
        CODES["no_user_anon_id"],
        "track",
        "m1",
    )
    assert rejected.sample.startswith('{"type": "track", "event": "Signed Up"')
    assert len(rejected.sample) == 1_000


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_an_endpoint_of_one_call_says_its_type(call_type: CallType) -> None:
    body = _without(GOOD[call_type], "type")
    call = decode_request(received(body, call_type), SEGMENT_RULES).calls[0]
    assert (call.type, call.payload["type"], call.place) == (call_type, call_type, 0)
    assert decode_request(received(body | {"type": "other"}, call_type), SEGMENT_RULES).calls[0].type == call_type


def test_a_batch_gives_its_context_and_integrations() -> None:
    own = {"context": {"ip": "1.1.1.1", "app": {"name": "a"}}, "integrations": {"All": False}}
    shared = {"context": {"ip": "2.2.2.2", "locale": "de"}, "integrations": {"All": True, "X": True}}
    call, plain = decoded(TRACK | own, TRACK, **shared).calls
    assert call.payload["context"] == {"ip": "1.1.1.1", "app": {"name": "a"}, "locale": "de"}
    assert call.payload["integrations"] == {"All": False, "X": True}
    assert plain.payload["context"] == shared["context"]


def test_a_context_that_is_no_object_is_left_aside_and_kept() -> None:
    call = decoded(TRACK | {"context": "odd"}, context={"ip": "2.2.2.2"}).calls[0]
    assert (call.payload["context"], call.unread) == ({"ip": "2.2.2.2"}, {"context": "odd"})
    assert decoded(TRACK | {"context": None}, context=7).calls[0].unread == {"context": 7}
    assert one_call(TRACK | {"context": []}).unread == {}


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        ({}, False),
        ({"channel": "server"}, False),
        ({"channel": "browser"}, True),
        ({"context": {"channel": "mobile"}}, True),
        ({"context": {"direct": True}}, True),
        ({"context": {"library": {"name": "analytics.js"}}}, True),
        ({"context": {"library": {"name": ["analytics.js"]}}, "channel": ["web"]}, False),
    ],
)
def test_the_address_of_people_is_filled_in_that_of_servers_is_not(fields: dict[str, Any], filled: bool) -> None:
    request = received({"batch": [TRACK | fields]}, ip="9.9.9.9")
    assert decode_request(request, SEGMENT_RULES).calls[0].payload["context"].get("ip") == ("9.9.9.9" if filled else None)
    assert decode_request(request, RUDDERSTACK_RULES).calls[0].payload["request_ip"] == "9.9.9.9"
    own = received({"batch": [TRACK | {"context": {"ip": "1.1.1.1", "direct": True}}]}, ip="9.9.9.9")
    assert decode_request(own, SEGMENT_RULES).calls[0].payload["context"]["ip"] == "1.1.1.1"


def _id(**fields: Any) -> str:
    return (
        decode_request(received({"batch": [_without(TRACK, "messageId") | fields]}, message_ids={0: "given"}), SEGMENT_RULES)
        .calls[0]
        .message_id
    )


def test_message_ids() -> None:
    assert _id(messageId="m" * 100) == "m" * 100
    assert _id(messageId="m" * 101) == hashlib.sha256(b"m" * 101).hexdigest()
    assert _id(messageId=7) == "7"
    for missing in ({}, {"messageId": None}, {"messageId": ""}, {"messageId": []}, {"messageId": {"a": 1}}):
        assert _id(**missing) == "given"


@pytest.mark.parametrize("given", [" m1\n", "\u200bm\x001\ufeff", "m1"])
def test_rudderstack_tidies_message_ids(given: str) -> None:
    for body, call_type in (({"batch": [TRACK | {"messageId": given}]}, ""), (TRACK | {"messageId": given}, "track")):
        request = received(body, call_type)
        assert scan_request(request.body, request.call_type, RUDDERSTACK_RULES).message_ids == ["m1"]
        assert decode_request(request, RUDDERSTACK_RULES).calls[0].message_id == "m1"
        assert decode_request(request, SEGMENT_RULES).calls[0].message_id == given
    blank = received({"batch": [TRACK | {"messageId": " \t"}]}, message_ids={0: "given"})
    assert scan_request(blank.body, "", RUDDERSTACK_RULES).message_ids == [""]
    assert decode_request(blank, RUDDERSTACK_RULES).calls[0].message_id == "given"


def test_a_call_that_was_given_no_id_gets_a_stable_one() -> None:
    message = _without(TRACK, "messageId")
    one, other = decoded(message, message).calls
    assert one.message_id != other.message_id
    assert [call.message_id for call in decoded(message, message).calls] == [one.message_id, other.message_id]
    later = decode_request(received({"batch": [message]}, received_at=RECEIVED_AT + 1), SEGMENT_RULES).calls[0]
    assert later.message_id not in (one.message_id, other.message_id)


def test_what_was_received_before_is_in_neither_list() -> None:
    request = received({"batch": [TRACK, 7, PAGE, None]}, dropped=(0, 1))
    found = decode_request(request, SEGMENT_RULES)
    assert [call.place for call in found.calls] == [2]
    assert [rejected.place for rejected in found.rejected] == [3]
    assert decode_request(received(TRACK, "track", dropped=(0,)), SEGMENT_RULES).calls == ()


def test_a_body_that_is_no_object_is_a_bad_call() -> None:
    for call_type in ("", "track"):
        found = decode_request(received(b"[1, 2]", call_type), SEGMENT_RULES)
        assert [(rejected.place, rejected.code, rejected.sample) for rejected in found.rejected] == [(0, "bad_request", "[1, 2]")]


def test_a_call_over_the_limit_does_not_take_its_neighbours() -> None:
    large = TRACK | {"pad": "x" * 40_000}
    assert codes(TRACK, large, TRACK) == {1: "call_too_large"}
    assert codes(TRACK, large, rules=SourceRules(max_call_bytes=100_000)) == {}


@ANY
@given(st.lists(nearly_calls, max_size=4), st.sampled_from([SEGMENT_RULES, RUDDERSTACK_RULES]))
def test_every_call_is_taken_or_rejected_once(messages: list[Any], rules: SourceRules) -> None:
    found = decoded(*messages, rules=rules)
    places = [call.place for call in found.calls] + [rejected.place for rejected in found.rejected]
    assert sorted(places) == (list(range(len(messages))) or [0])
    assert all(call.type in CALL_TYPES and 1 <= len(call.message_id) <= 100 for call in found.calls)
    assert {rejected.code for rejected in found.rejected} <= CODES.keys()
    assert decoded(*messages, rules=rules) == found


def test_rudderstack_keeps_the_instant_of_receiving_that_a_message_brings() -> None:
    message = GOOD["track"] | {
        "receivedAt": "2024-01-31T09:00:00Z",
        "originalTimestamp": "2024-01-31T08:00:00Z",
        "sentAt": "2024-01-31T08:30:00Z",
    }
    call = one_call(message, RUDDERSTACK_RULES)
    assert (call.received_at, call.timestamp) == (micros("2024-01-31T09:00:00+00:00"), micros("2024-01-31T08:30:00+00:00"))
    assert one_call(message | {"receivedAt": "soon"}, RUDDERSTACK_RULES).received_at == RECEIVED_AT
    assert one_call(message, SEGMENT_RULES).received_at == RECEIVED_AT
