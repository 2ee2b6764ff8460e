"""The quick look of ingest says the same as the full one, for anything that arrives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.events.decode import decode_request, scan_request
from kohort.events.model import CALL_TYPES, RUDDERSTACK_RULES, SEGMENT_RULES, CallType, SourceRules
from kohort.events.reading import read_request, readable
from kohort.events.scan import Scan, _scan_batch
from kohort.events.validation import code_of, message_id_of
from tests.events.messages import ANY, GOOD, json_values, nearly_calls, received

RULES = [SEGMENT_RULES, RUDDERSTACK_RULES, SourceRules(max_batch_events=2), SourceRules(max_call_bytes=120)]


def _closely(messages: list[Any], sizes: Any, call_type: str, rules: SourceRules) -> tuple[list[str], dict[int, str]]:
    """Ids and codes of decoded messages, by the rules alone."""
    codes = {} if messages else {0: "empty_batch"}
    for place, message in enumerate(messages):
        if isinstance(message, dict) and sizes[place] > rules.max_call_bytes:
            codes[place] = "call_too_large"
        elif place >= rules.max_batch_events:
            codes[place] = "too_many_events"
        elif code := code_of(message, call_type, rules):
            codes[place] = code
    return [message_id_of(message, rules) for message in messages], codes


def _agrees(body: bytes, call_type: str, rules: SourceRules) -> Scan:
    scan = scan_request(body, call_type, rules)  # type: ignore[arg-type]
    request = read_request(body, bool(call_type))
    assert list(scan.sizes) == [len(raw) for raw in request.messages]
    assert (list(scan.message_ids), scan.rejected) == _closely([readable(raw) for raw in request.messages], scan.sizes, call_type, rules)
    found = decode_request(received(body, call_type), rules)
    assert {rejected.place: rejected.code for rejected in found.rejected} == scan.rejected
    assert [call.place for call in found.calls] == [place for place in range(len(scan.sizes)) if place not in scan.rejected]
    for call in found.calls:
        assert call.message_id == scan.message_ids[call.place] or not scan.message_ids[call.place]
    return scan


@settings(ANY, max_examples=150)
@given(
    st.lists(nearly_calls | json_values, max_size=3), st.sampled_from(RULES), st.fixed_dictionaries({}, optional={"writeKey": json_values})
)
def test_any_batch(messages: list[Any], rules: SourceRules, beside: dict[str, Any]) -> None:
    _agrees(json.dumps({"batch": messages, **beside}).encode(), "", rules)


@ANY
@given(nearly_calls | json_values, st.sampled_from(CALL_TYPES), st.sampled_from(RULES))
def test_any_single_call(message: Any, call_type: CallType, rules: SourceRules) -> None:
    _agrees(json.dumps(message).encode(), call_type, rules)


@ANY
@given(json_values | st.fixed_dictionaries({"batch": json_values}))
def test_any_body(body: Any) -> None:
    _agrees(json.dumps(body).encode(), "", SEGMENT_RULES)


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_good_calls_take_the_quick_way(call_type: CallType) -> None:
    body = json.dumps({"batch": [GOOD[call_type]] * 3, "writeKey": "k"}).encode()
    quick = _scan_batch(body, SEGMENT_RULES)
    assert quick is not None
    assert quick == _agrees(body, "", SEGMENT_RULES)
    assert (quick.message_ids, quick.rejected, quick.write_key) == (["m1"] * 3, {}, "k")
    assert quick.sizes == [len(json.dumps(GOOD[call_type]))] * 3


def test_a_single_call_brings_its_write_key() -> None:
    assert scan_request(b'{"event":"X","userId":"u","writeKey":"k"}', "track").write_key == "k"
    assert scan_request(b'{"event":"X","userId":7,"writeKey":"k"}', "track").write_key == "k"
    assert scan_request(b'{"event":"X","userId":7,"writeKey":["k"]}', "track").write_key == ""


def test_the_limits() -> None:
    fitting = json.dumps(GOOD["track"] | {"pad": ""})
    pad = "x" * (32 * 1024 - len(fitting))
    for change, code in (("", {}), ("x", {1: "call_too_large"})):
        body = json.dumps({"batch": [GOOD["track"], GOOD["track"] | {"pad": pad + change}]}).encode()
        assert _agrees(body, "", SEGMENT_RULES).rejected == code
    many = json.dumps({"batch": [{"type": "track", "event": "E", "userId": "u"}] * 2_502}).encode()
    assert _agrees(many, "", SEGMENT_RULES).rejected == {2_500: "too_many_events", 2_501: "too_many_events"}


def test_calls_that_are_rejected_are_known_apart() -> None:
    good, bad = GOOD["track"], GOOD["track"] | {"event": 7}
    assert scan_request(json.dumps({"batch": [good]}).encode()).known_by == ["m1"]
    scan = scan_request(json.dumps({"batch": [good, bad, bad | {"userId": 7}, 7, good]}).encode())
    assert scan.known_by == ["m1", "event_not_string\0m1", "id_not_string\0m1", "", "m1"]
    assert scan_request(b"{}").known_by == []


@pytest.mark.parametrize("body", [b"{}", b'{"batch": []}', b'{"batch": null}', b'{"batch": {"0": 1}}', b'{"batch": "x"}'])
def test_an_empty_batch_shows(body: bytes) -> None:
    scan = _agrees(body, "", SEGMENT_RULES)
    assert (scan.message_ids, scan.rejected) == ([], {0: "empty_batch"})
