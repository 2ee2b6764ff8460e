"""Calls that are read the fast way give the rows, users and ids that the obvious way gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.events.decode import BadRequest, decode_request
from kohort.events.identity import DEFAULT_IDENTITY, IdentityRules
from kohort.events.model import RUDDERSTACK_RULES, SEGMENT_RULES, CallType, Received, SourceRules
from kohort.events.plain import PlainReader
from kohort.ports.event_tables import TableRows
from kohort.services.loading.rows import SourceRows
from tests.events.messages import ANY, GOOD, RECEIVED_AT, good_calls, nearly_calls, received

RULES = [SEGMENT_RULES, SourceRules(max_columns=2), SourceRules(max_call_bytes=300)]
IDENTITIES = [
    DEFAULT_IDENTITY,
    IdentityRules(first=("email",)),
    IdentityRules(custom={"shop_id": "shopId"}),
    IdentityRules(left_out=frozenset({"email"})),
    IdentityRules(blocked=frozenset({"u1"}), left_out=frozenset()),
]
CONTEXTS: list[Any] = [
    {"library": {"name": "analytics.js"}, "userAgent": "x"},
    {"library": {"name": "analytics-python"}, "ip": ""},
    {"direct": True, "ip": None, "device": {"type": "ios", "id": "d1", "tags": [1]}},
    {"channel": "browser", "traits": {"email": "c@d.e"}},
    {"externalIds": [{"id": "e1", "type": "shop", "collection": "users", "encoding": "none"}]},
    None,
    "odd",
    [],
    {},
]
calls = st.one_of(
    good_calls,
    nearly_calls,
    st.builds(lambda call, context: call | {"context": context}, st.sampled_from(list(GOOD.values())), st.sampled_from(CONTEXTS)),
    st.builds(
        lambda call, channel: call | {"channel": channel}, st.sampled_from(list(GOOD.values())), st.sampled_from(["web", "x", 7, {}])
    ),
)
envelopes = st.fixed_dictionaries(
    {}, optional={"sentAt": st.sampled_from(["", "2024-01-31T10:00:00Z", "soon", 7]), "context": st.sampled_from([{}, {"a": 1}])}
)


def _cells(rows: TableRows) -> list[dict[str, str]]:
    return [
        {name: repr(values[place]) for name, values in rows.columns.items() if values[place] is not None} for place in range(rows.count)
    ]


def _found(rows: SourceRows) -> dict[str, Any]:
    tables = {each.table: ([*each.numbers] if each.numbers is not None else None, _cells(each)) for each in rows.tables()}
    if "discards" in tables:
        tables["discards"] = (None, sorted(tables["discards"][1], key=str))
    users = rows.users()
    return {"tables": tables, "users": _cells(users) if users else [], "seen": rows.seen}


def _slowly(rows: SourceRows, request: Received) -> None:
    for call in decode_request(request, rows.rules).calls:
        rows.add(call)


def _fast(rows: SourceRows, request: Received) -> bool:
    plain = rows.reader.read(request)
    if plain is None:
        _slowly(rows, request)
        return False
    for call in plain:
        rows.add_plain(call)
    assert decode_request(request, rows.rules).rejected == ()
    return True


@settings(ANY, max_examples=150)
@given(
    st.lists(st.tuples(st.lists(calls, min_size=1, max_size=3), envelopes), min_size=1, max_size=4),
    st.sampled_from(RULES),
    st.sampled_from(IDENTITIES),
    st.sampled_from(["", "203.0.113.9"]),
    st.sampled_from(["", "", "track", "identify", "page", "group"]),
)
def test_the_fast_way_is_the_obvious_one(
    batches: list[tuple[list[Any], dict[str, Any]]], rules: SourceRules, identity: IdentityRules, ip: str, kind: CallType | str
) -> None:
    fast, slow = SourceRows(rules, identity), SourceRows(rules, identity)
    for batch, envelope in batches:
        body = json.dumps(batch[0] if kind else {"batch": batch} | envelope).encode()
        request = received(body, kind, ip=ip, message_ids={0: "g0", 1: "g1"}, dropped=(2,))
        try:
            _slowly(slow, request)
        except BadRequest:
            assert fast.reader.read(request) is None
            continue
        _fast(fast, request)
    assert _found(fast) == _found(slow)


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_plain_is_read_fast(kind: CallType) -> None:
    deep: Any = {"a": {"b": [[1], {"c": 2}], "d": ""}}
    batch = [GOOD[kind] | {"properties": deep, "traits": deep, "context": context} for context in CONTEXTS if context != "odd"]
    rows = SourceRows(SEGMENT_RULES)
    assert _fast(rows, received({"batch": batch, "sentAt": "2024-01-31T10:00:00Z"}, ip="203.0.113.9"))
    assert len(rows.seen) == len(batch)
    assert _fast(rows, received(batch[0], kind))


def test_what_is_nested_deeper_than_is_kept_is_left_to_the_obvious_way() -> None:
    value: Any = 1
    for _ in range(150):
        value = {"a": [value]}
    for place in ("properties", "context"):
        request = received({"batch": [GOOD["track"] | {place: value}]})
        fast, slow = SourceRows(SEGMENT_RULES), SourceRows(SEGMENT_RULES)
        assert not _fast(fast, request)
        _slowly(slow, request)
        assert _found(fast) == _found(slow)


def test_calls_of_a_flush_keep_their_order_whichever_way_they_were_read() -> None:
    rows = SourceRows(SEGMENT_RULES)
    for number in range(9):
        odd = {"timestamp": "soon"} if number % 2 else {}
        _fast(rows, received({"batch": [GOOD["track"] | {"messageId": f"m{number}", "properties": {f"k{number % 3}": number}} | odd]}))
    tables = {each.table: each for each in rows.tables()}
    for name in ("tracks", "signed_up"):
        assert list(tables[name].columns["id"]) == [f"m{number}" for number in range(9)]
        assert list(tables[name].numbers or ()) == list(range(9))


def test_contexts_are_forgotten_before_they_are_many() -> None:
    reader = PlainReader(SEGMENT_RULES, remembered_bytes=20_000)
    for number in range(200):
        plain = reader.read(received(GOOD["track"] | {"context": {f"k{number}": number}}, "track"))
        assert plain is not None
        assert plain[0].context.values == (number,)
        assert plain[0].received_at == RECEIVED_AT
    assert len(reader._contexts) < 40
    assert len({call.context.shape for call in reader.read(received({"batch": [GOOD["track"]] * 3})) or ()}) == 1


def test_rudderstack_is_read_the_obvious_way() -> None:
    assert PlainReader(RUDDERSTACK_RULES).read(received(GOOD["track"], "track")) is None
