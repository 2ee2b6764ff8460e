"""The identity graph in tables: the published example row by row, merges, and the views that show profiles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.events.identity import IdentityRules, Limit
from kohort.events.model import Received, SourceRules
from kohort.foundation.instants import to_micros
from kohort.services.loading.identity import IdentityResolver
from kohort.services.loading.load import Loader
from tests.services.loading.event_desk import Desk


@pytest.fixture(params=[1, 10_000], ids=["flush by flush", "at once"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    desk = Desk(flush_calls=request.param)
    yield desk
    desk.close()


def send_example(desk: Desk) -> None:
    """Four calls in which an anonymous visitor signs up and is known again weeks later on another device."""
    first, second, mail = "5285bc35-05ef-4d21", "b50e18a5-1b8d-451c", {"email": "jane.kim@segment.com"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("2022-05-02T14:01:00+00:00", first, {"type": "page", "context": {"url": "twilio.com"}}),
        ("2022-05-02T14:01:47+00:00", first, {"type": "identify", "context": {"url": "twilio.com/try-twilio"}, "traits": mail}),
        ("2022-06-22T10:47:15+00:00", second, {"type": "page", "context": {"url": "twilio.com/education"}, "properties": mail}),
        ("2022-06-22T10:48:00+00:00", second, {"type": "identify", "context": {"url": "twilio.com/events/webinars"}, "traits": mail}),
    ]
    import json

    for number, (at, anonymous, call) in enumerate(calls, 1):
        body = json.dumps(call | {"anonymousId": anonymous, "messageId": f"event_{number}"}).encode()
        desk.log.append([Received("web", to_micros(datetime.fromisoformat(at)), body, call["type"])])
    desk.loader.drain()


def cells(desk: Desk, query: str) -> list[tuple[str, ...]]:
    return [tuple(str(cell) for cell in row.values()) for row in desk.rows(query)]


def test_ids_and_traits_of_people_are_there_for_other_tools(desk: Desk) -> None:
    send_example(desk)
    assert cells(desk, "SELECT * EXCLUDE (timestamp) FROM web.user_identifiers ORDER BY ALL") == [
        ("profile_1", "anonymous_id", "5285bc35-05ef-4d21"),
        ("profile_1", "anonymous_id", "b50e18a5-1b8d-451c"),
        ("profile_1", "email", "jane.kim@segment.com"),
    ]
    assert cells(desk, "SELECT * FROM web.user_traits") == [("profile_1", "email", "jane.kim@segment.com")]
    updates = "SELECT segment_id, triggering_event_id, email FROM web.profile_traits_updates ORDER BY timestamp"
    found = cells(desk, updates)
    assert [row[1:] for row in found] == [("event_2", "jane.kim@segment.com"), ("event_4", "jane.kim@segment.com")]
    assert found[0][0] == "profile_1"


def test_traits_of_odd_names_and_types_are_rows(desk: Desk) -> None:
    traits = {"user_id": "x", "it's": 1.5, "Segment Id": "s", "vip": True, "gone": None}
    body = msgspec.json.encode({"type": "identify", "userId": "u1", "messageId": "m1", "traits": traits})
    desk.log.append([Received("web", to_micros(datetime(2024, 1, 1, tzinfo=UTC)), body, "identify")])
    desk.loader.drain()
    assert dict(cells(desk, "SELECT name, value FROM web.user_traits ORDER BY name"))["vip"] == "true"
    [row] = desk.rows("SELECT * FROM web.profile_traits_updates")
    assert (row["segment_id"], row["_segment_id"], row["vip"]) == ("profile_1", "s", True)


def test_the_published_example_gives_the_published_rows(desk: Desk) -> None:
    send_example(desk)
    trigger = "triggering_event_type, triggering_event_id, timestamp"
    assert cells(desk, f"SELECT segment_id, canonical_segment_id, {trigger} FROM web.id_graph_updates ORDER BY seq") == [
        ("profile_1", "profile_1", "page", "event_1", "2022-05-02 14:01:00"),
        ("profile_2", "profile_2", "page", "event_3", "2022-06-22 10:47:15"),
        ("profile_2", "profile_1", "identify", "event_4", "2022-06-22 10:48:00"),
    ]
    ids = "external_id_type, external_id_value"
    assert cells(desk, f"SELECT segment_id, {ids}, {trigger} FROM web.external_id_mapping_updates ORDER BY seq") == [
        ("profile_1", "anonymous_id", "5285bc35-05ef-4d21", "page", "event_1", "2022-05-02 14:01:00"),
        ("profile_1", "email", "jane.kim@segment.com", "identify", "event_2", "2022-05-02 14:01:47"),
        ("profile_2", "anonymous_id", "b50e18a5-1b8d-451c", "page", "event_3", "2022-06-22 10:47:15"),
    ]
    assert cells(desk, "SELECT * FROM web.id_graph ORDER BY segment_id") == [
        ("profile_1", "profile_1", "2022-05-02 14:01:00"),
        ("profile_2", "profile_1", "2022-06-22 10:48:00"),
    ]
    assert cells(desk, f"SELECT canonical_segment_id, {ids} FROM web.external_id_mapping ORDER BY timestamp") == [
        ("profile_1", "anonymous_id", "5285bc35-05ef-4d21"),
        ("profile_1", "email", "jane.kim@segment.com"),
        ("profile_1", "anonymous_id", "b50e18a5-1b8d-451c"),
    ]
    assert cells(desk, "SELECT canonical_id, email FROM web.profiles") == [("profile_1", "jane.kim@segment.com")]
    assert cells(desk, "SELECT _profile_id, id FROM web.pages ORDER BY rowid") == [("profile_1", "event_1"), ("profile_2", "event_3")]
    assert cells(desk, "SELECT canonical_id, id FROM web.pages_with_profile ORDER BY id") == [
        ("profile_1", "event_1"),
        ("profile_1", "event_3"),
    ]


def test_merges_are_rows_with_their_reason(desk: Desk) -> None:
    send_example(desk)
    query = "SELECT segment_id, canonical_segment_id, reason, external_ids, triggering_event_id FROM web.profile_merges"
    ids = '["email:jane.kim@segment.com","anonymous_id:b50e18a5-1b8d-451c"]'
    assert cells(desk, query) == [("profile_2", "profile_1", "shared_ids", ids, "event_4")]


def test_profiles_carry_the_newest_traits_of_all_that_merged(desk: Desk) -> None:
    desk.send(
        {"type": "identify", "anonymousId": "a", "traits": {"plan": "free", "city": "Rome", "user_id": "odd"}},
        {"type": "identify", "anonymousId": "b", "traits": {"plan": "pro", "age": 30}},
        {"type": "identify", "anonymousId": "a", "traits": {"age": 31}},
        {"type": "track", "event": "Buy", "anonymousId": "b", "userId": "u1"},
        {"type": "track", "event": "Buy", "anonymousId": "a", "userId": "u1", "properties": {"canonical_id": "theirs"}},
    )
    desk.loader.drain()
    profile = desk.rows("SELECT * EXCLUDE (first_seen_at) FROM web.profiles")
    assert profile == [
        {
            "canonical_id": "profile_1",
            "user_id": "u1",
            "external_ids": ["anonymous_id:a", "anonymous_id:b", "user_id:u1"],
            "plan": "pro",
            "city": "Rome",
            "age": 31,
        }
    ]
    assert cells(desk, "SELECT canonical_id, id FROM web.buy_with_profile ORDER BY id") == [("profile_1", "m4"), ("profile_1", "m5")]
    assert desk.rows("SELECT _canonical_id FROM web.buy_with_profile WHERE _canonical_id IS NOT NULL") == [{"_canonical_id": "theirs"}]


def test_an_event_named_like_a_view_leaves_the_view(desk: Desk) -> None:
    desk.send(*({"type": "track", "event": event, "anonymousId": "a"} for event in ("Buy With Profile", "Buy", "Tracks With Profile")))
    desk.loader.drain()
    for table, ids in (("buy", ["m2"]), ("tracks", ["m1", "m2", "m3"]), ("buy_with_profile_event", ["m1"])):
        found = cells(desk, f"SELECT id, canonical_id FROM web.{table}_with_profile ORDER BY id")
        assert found == [(each, "profile_1") for each in ids]


def test_ids_that_were_not_believed_are_rows(desk: Desk) -> None:
    desk.send(
        {"type": "identify", "userId": "abc123", "traits": {"email": "jane@example1.com"}},
        {"type": "identify", "userId": "abc456", "traits": {"email": "jane@example1.com"}},
    )
    desk.loader.drain()
    query = "SELECT segment_id, external_id_type, external_id_value, reason, triggering_event_id FROM web.identity_demotions"
    assert cells(desk, query) == [("profile_2", "email", "jane@example1.com", "limit", "m2")]
    assert cells(desk, "SELECT canonical_id, user_id FROM web.profiles ORDER BY 1") == [("profile_1", "abc123"), ("profile_2", "abc456")]


def test_calls_of_nobody_have_no_profile(desk: Desk) -> None:
    desk.send({"type": "page", "anonymousId": "anonymous"}, {"type": "page", "anonymousId": "a"})
    desk.loader.drain()
    assert [row.get("_profile_id") for row in desk.rows("pages")] == [None, "profile_1"]
    assert [row.get("canonical_id") for row in desk.rows("SELECT * FROM web.pages_with_profile ORDER BY id")] == [None, "profile_1"]


def test_another_life_knows_what_this_one_learned() -> None:
    desk = Desk(identity=IdentityRules(limits={"user_id": Limit(1), "anonymous_id": Limit(2)}))
    ids = [("u1", "a1"), (None, "a2"), ("u1", "a2"), ("u1", "a3"), (None, "a3"), ("u2", "a1"), (None, "a1"), ("u3", None), ("u3", "a4")]
    desk.send(*({"type": "page", "anonymousId": anonymous, "userId": user} for user, anonymous in ids))
    while (
        Loader(desk.log, DuckDBEventTables(desk.warehouse.connection), lambda _: SourceRules(), identity=desk.loader._identity_rules)
        .load_once(1)
        .entries
    ):
        pass
    straight = Desk(identity=desk.loader._identity_rules)
    straight.log.requests = desk.log.requests
    straight.loader.drain()
    assert desk.contents() == straight.contents()
    assert [row.get("_profile_id") for row in desk.rows("pages")] == [f"profile_{number}" for number in (1, 2, 1, 1, 3, 4, 1, 5, 5)]


def test_memory_is_bounded_by_forgetting() -> None:
    desk, straight = Desk(flush_calls=3), Desk()
    for each in (desk, straight):
        each.send(*({"type": "page", "userId": f"u{n % 7}", "anonymousId": f"a{n % 11}"} for n in range(60)))
    desk.loader._identity["web"] = resolver = _small_resolver(desk)
    desk.loader.drain()
    straight.loader.drain()
    assert desk.contents() == straight.contents()
    assert resolver._graph is not None
    assert len(resolver._graph.known) <= 10


def _small_resolver(desk: Desk) -> Any:
    return IdentityResolver("web", desk.tables, remembered_ids=4)


def test_sources_share_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohort.services.loading.identity.REMEMBERED_IDS", 40)
    desk, slugs = Desk(flush_calls=4), [f"source_{n}" for n in range(5)]
    bodies = [(slugs[n % 5], f'{{"type": "page", "userId": "u{n}", "messageId": "m{n}"}}'.encode()) for n in range(400)]
    desk.log.append([Received(slug, 1_700_000_000_000_000 + n, body, "page") for n, (slug, body) in enumerate(bodies)])
    desk.loader.drain()
    remembered = [len(desk.loader._identity[slug]._graph.known) + len(desk.loader._identity[slug]._before) for slug in slugs]
    assert sum(remembered) <= 2 * 40
    assert [desk.rows(f"SELECT count(*) AS n FROM {slug}.pages")[0]["n"] for slug in slugs] == [80] * 5


def test_rules_that_are_changed_hold_for_calls_that_were_read_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohort.services.loading.load._LOOK_SECONDS", -1.0)
    desk = Desk()
    rules = {"web": IdentityRules()}
    loader = Loader(desk.log, desk.tables, lambda _: SourceRules(), identity_of_source=lambda slug: rules[slug], flush_calls=1)
    desk.send({"type": "page", "userId": "u1"}, {"type": "page", "userId": "u9"})
    loader.load_once()
    rules["web"] = IdentityRules(blocked=frozenset({"u9"}))
    loader.drain()
    assert desk.column("_profile_id", "pages") == ["profile_1", None]


def test_rules_that_are_changed_hold_for_calls_that_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohort.services.loading.load._LOOK_SECONDS", -1.0)
    desk = Desk()
    rules = {"web": IdentityRules()}
    loader = Loader(desk.log, desk.tables, lambda _: SourceRules(), identity_of_source=lambda slug: rules[slug])
    shop = {"type": "track", "event": "Buy", "properties": {"shopId": "s1"}}
    desk.send(shop | {"userId": "u1"}, shop | {"anonymousId": "a1"})
    loader.drain()
    rules["web"] = IdentityRules(custom={"shop_id": "shop_id"}, blocked=frozenset({"u9"}))
    desk.send(shop | {"userId": "u1"}, shop | {"anonymousId": "a2"}, shop | {"userId": "u9"}, {"type": "page", "userId": "u9"})
    loader.drain()
    assert [row.get("_profile_id") for row in desk.rows("buy")] == ["profile_1", "profile_2", "profile_1", "profile_1", "profile_1"]
    assert [row.get("_profile_id") for row in desk.rows("pages")] == [None]


class CommitsLast(DuckDBEventTables):
    """Whoever asks while a flush is made last sees the tables as they were before it."""

    def _commit(self, meanwhile: Callable[[], None]) -> None:
        meanwhile()
        super()._commit(lambda: None)


@pytest.mark.parametrize("remembered", [4, 100_000])
def test_the_next_calls_are_resolved_before_those_before_are_in_the_tables(monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    draw = random.Random(remembered)
    calls = []
    for number in range(400):
        visitor, user = draw.randrange(60), draw.randrange(40)
        ids = {"anonymousId": f"a{visitor}"} | ({"userId": f"u{user}"} if draw.random() < 0.4 else {})
        traits = {"email": f"{draw.randrange(30)}@x.y"} if draw.random() < 0.3 else {}
        calls.append({"type": "identify", "traits": traits | {"n": number}, **ids})
    straight, overlapped = Desk(flush_calls=len(calls)), Desk(flush_calls=7)
    straight.send(*calls)
    straight.loader.drain()
    forgetful = partial(IdentityResolver, remembered_ids=remembered, remembered_profiles=2)
    monkeypatch.setattr("kohort.services.loading.load.IdentityResolver", forgetful)
    overlapped.loader._tables = CommitsLast(overlapped.warehouse.connection)
    overlapped.send(*calls)
    assert overlapped.loader.drain() == len(calls)
    assert overlapped.contents() == straight.contents()
    assert len(straight.rows("SELECT * FROM web.profile_merges")) > 10
