"""Whatever calls come and however they are cut into flushes, the tables are the same, and no call is lost or doubled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.events.model import CALL_TYPES, Received, SourceRules
from tests.events.messages import ANY
from tests.services.loading.event_desk import BEGIN, SECOND, Desk

keys = st.sampled_from(["a", "B", "b", "userId", "id", "select", "日本", "nested", "x y", "1st", "Überfluß", "", "timestamp", "overflow"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(
        [2**53, 2**53 + 1, -(2**63), 2**63, 10**30, 0.5, -0.0, 5.0, 1e16, 1e300, "", "text", "5", "2024-01-31T10:00:00Z", "\0", "日"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(keys, values, max_size=5)
ids = st.sampled_from([None, "u1", "u2", "0", ""])
messages = st.fixed_dictionaries(
    {"type": st.sampled_from(CALL_TYPES)},
    optional={
        "userId": ids,
        "anonymousId": st.sampled_from(["a1", "a2", "a3"]),
        "previousId": st.just("a1"),
        "groupId": st.just("g1"),
        "event": st.sampled_from(["Buy", "buy", "日本", "Users", "Buy With Profile", ""]),
        "name": st.sampled_from(["Home", 5]),
        "traits": objects | st.fixed_dictionaries({"email": st.sampled_from(["x@y.z", "j@y.z"])}),
        "properties": objects,
        "context": objects | st.just({"traits": {"email": "x@y.z"}}),
    },
)


batches_of_calls = st.lists(st.lists(st.tuples(st.sampled_from(["web", "app"]), messages), max_size=4), min_size=1, max_size=12)


@settings(ANY, max_examples=10)
@given(batches_of_calls, st.data())
def test_flushes_do_not_show(batches: list[list[tuple[str, dict[str, Any]]]], data: st.DataObject) -> None:
    _check_flushes(batches, data)


@pytest.mark.long
@settings(ANY, derandomize=False, max_examples=400)
@given(batches_of_calls, st.data())
def test_flushes_do_not_show_in_many_more(batches: list[list[tuple[str, dict[str, Any]]]], data: st.DataObject) -> None:
    _check_flushes(batches, data)


def _check_flushes(batches: list[list[tuple[str, dict[str, Any]]]], data: st.DataObject) -> None:
    requests = []
    for number, batch in enumerate(batches):
        source = batch[0][0] if batch else "web"
        calls = [{"messageId": f"m{number}_{place}"} | message for place, (_, message) in enumerate(batch)]
        requests.append(Received(source, BEGIN + number * SECOND, json.dumps({"batch": calls}).encode()))
    rules = SourceRules(max_columns=data.draw(st.sampled_from([3, 1000])))
    columns = data.draw(st.sampled_from([16, 1600]))
    pieces, straight = Desk(rules, flush_calls=data.draw(st.integers(1, 6)), max_columns=columns), Desk(rules, max_columns=columns)
    for desk in (pieces, straight):
        desk.log.requests = requests
        desk.loader.drain()
    contents = straight.contents()
    assert pieces.contents() == contents
    _check_nothing_is_lost(batches, contents)
    pieces.close()
    straight.close()


def _check_nothing_is_lost(batches: list[list[tuple[str, dict[str, Any]]]], contents: dict[str, Any]) -> None:
    """Every call is exactly once in a table of calls, or among the rejects."""
    sent = sorted(f"m{number}_{place}" for number, batch in enumerate(batches) for place in range(len(batch)))
    found = []
    for table in ("identifies", "tracks", "pages", "screens", "groups", "aliases"):
        for source in ("web", "app"):
            found += contents.get(f"{source}.{table}", {"id": ("", [])})["id"][1]
    for source in ("web", "app"):
        found += [name for name in contents.get(f"{source}.rejects", {"message_id": ("", [])})["message_id"][1] if name]
    assert sorted(found) == sent
