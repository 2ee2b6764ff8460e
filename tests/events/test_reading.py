"""Odd JSON: what no strict parser takes is read, what is no JSON is refused, and neighbours never suffer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.events.decode import BadRequest, decode_request, scan_request
from kohort.events.lenient import MAX_DEPTH, _counted_spans, elements, members, shallow
from kohort.events.model import SEGMENT_RULES
from kohort.events.reading import read_message, read_request
from tests.events.messages import ANY, json_values, received

GOOD = b'{"type":"track","event":"Good","userId":"u1","messageId":"m2"}'


def _events(body: bytes) -> list[str]:
    assert scan_request(body).rejected == {}
    return [call.payload["event"] for call in decode_request(received(body), SEGMENT_RULES).calls]


def _batch(odd_value: bytes) -> bytes:
    return b'{"batch": [{"type":"track","event":"Odd","userId":"u1","properties":{"x":%s}} , %s], "sentAt": null}' % (odd_value, GOOD)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"NaN", None),
        (b"-Infinity", None),
        (b"[NaN, 1]", [None, 1]),
        (b"1e999", "1e999"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-" + b"9" * 400, -int("9" * 400)),
        (b"-" + b"9" * 5000, "-" + "9" * 5000),
        (b'"\\ud800"', "\ufffd"),
        (b'"a\\udc00b\\ud83d\\ude00"', "a\ufffdb😀"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
        (b'"\\u0000"', "\x00"),
        (b'{"k\\ud800":1}', {"k\ufffd": 1}),
    ],
)
def test_odd_values_are_read_and_neighbours_stay(written: bytes, value: Any) -> None:
    body = _batch(written)
    assert _events(body) == ["Odd", "Good"]
    call = decode_request(received(body), SEGMENT_RULES).calls[0]
    assert call.payload["properties"] == {"x": value}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"batch": [{"type": "track"}',
        b'{"batch": [tru]}',
        b'{"batch": [{"a":1,}]}',
        b'{"batch": [1,]}',
        b'{"batch": [NaN,,1]}',
        b'{"batch": [NaN}}',
        b'{"batch": [NaN]]',
        b'{"batch", [NaN]}',
        b'{"batch": [NaN] "x": 1}',
        b'{"batch": [NaN]} x',
        b'{"batch": ["\x01"]}',
        b'{"batch": [01]}',
        b'{"batch": ' + b"[" * 5000,
        b"[" * 100_000,
        b'{"batch": ["' + b'\\"' * 50_000 + b"\\",
        b"\xff\xfe{\x00}\x00",
    ],
)
@pytest.mark.parametrize("call_type", ["", "track"])
def test_what_is_no_json_is_refused(body: bytes, call_type: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        scan_request(body, call_type)
    assert (caught.value.status, caught.value.code, caught.value.message) == (400, "invalid_request", "malformed JSON")
    with pytest.raises(BadRequest):
        decode_request(received(body, call_type), SEGMENT_RULES)


def test_a_byte_order_mark_is_no_harm() -> None:
    assert _events(b"\xef\xbb\xbf" + _batch(b"1")) == ["Odd", "Good"]


@pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 2_000, 15_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_becomes_text(depth: int, opening: bytes, closing: bytes) -> None:
    if len(opening) * depth > 25_000:
        depth = 5_000
    deep = opening * depth + b"1" + closing * depth
    body = _batch(deep)
    assert _events(body) == ["Odd", "Good"]
    value = decode_request(received(body), SEGMENT_RULES).calls[0].payload["properties"]["x"]
    for _ in range(MAX_DEPTH - 2):
        value = value[0] if isinstance(value, list) else value["a"]
    assert value == (opening * (depth - MAX_DEPTH + 2) + b"1" + closing * (depth - MAX_DEPTH + 2)).decode()
    single = decode_request(received(b'{"event":"Odd","userId":"u1","properties":{"x":%s}}' % deep, "track"), SEGMENT_RULES)
    assert len(single.calls) == 1


def test_messages_keep_their_exact_bytes() -> None:
    body = b' {"batch" : [ {"a" : 1} ,\n{"b":"},[{"} ],"context":{"ip":"1.1.1.1"}, "sentAt":"now"} '
    strict = read_request(body, single=False)
    lenient = read_request(body.replace(b'"now"', b"NaN"), single=False)
    assert list(strict.messages) == list(lenient.messages) == [b'{"a" : 1}', b'{"b":"},[{"}']
    assert strict.envelope == {"context": {"ip": "1.1.1.1"}, "sentAt": "now"}
    assert lenient.envelope == {"context": {"ip": "1.1.1.1"}, "sentAt": None}


def test_shallow_json_stays_as_it_is() -> None:
    raw = b'{"a": [' + b'"[{",' * 200 + b"1]}"
    assert shallow(raw) == raw
    assert read_message(raw) == json.loads(raw)


@ANY
@given(json_values)
def test_any_json_is_read_as_it_is(value: Any) -> None:
    for raw in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False, indent=1).encode()):
        assert read_message(raw) == value


@ANY
@given(json_values, st.lists(json_values, max_size=4))
def test_a_neighbour_changes_nothing(odd: Any, others: list[Any]) -> None:
    strict = json.dumps({"batch": [odd, *others], "x": 1}).encode()
    lenient = json.dumps({"batch": [odd, *others], "x": float("nan")}).encode()
    assert list(read_request(strict, single=False).messages) == list(read_request(lenient, single=False).messages)


@ANY
@given(st.lists(json_values, max_size=4), st.sampled_from([None, 1, 3]))
def test_counting_brackets_finds_the_same_parts(values: list[Any], indent: int | None) -> None:
    raw = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    assert elements(raw) == _counted_spans(raw, b",")
    named = json.dumps({str(place): value for place, value in enumerate(values)}, indent=indent).encode()
    assert [part for pair in members(named) for part in pair] == _counted_spans(named, b":,")


@ANY
@given(st.binary(max_size=60) | st.text('{}[]",:\\u0aN1 batch', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for call_type in ("", "track"):
        try:
            scan = scan_request(body, call_type)  # type: ignore[arg-type]
        except BadRequest:
            with pytest.raises(BadRequest):
                decode_request(received(body, call_type), SEGMENT_RULES)
        else:
            found = decode_request(received(body, call_type), SEGMENT_RULES)
            assert {rejected.place: rejected.code for rejected in found.rejected} == scan.rejected
