"""From calls to tables: golden tables, types that widen, what finds no place, users, and what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kohort.events.model import RUDDERSTACK_RULES, Received, SourceRules
from kohort.foundation.errors import UserError
from kohort.ports.event_log import Entry, Position
from kohort.services.loading.load import Loader
from kohort.services.loading.status import read_status
from tests.services.loading.event_desk import BEGIN, SECOND, Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def at(number: int) -> datetime:
    return datetime(2024, 1, 31, 10, 0, number)


def common(number: int, profile: str = "profile_1", **ids: str) -> dict[str, Any]:
    ids = ids or {"user_id": "u1"}
    return {"id": f"m{number}", "received_at": at(number), "timestamp": at(number), "_profile_id": profile, **ids}


# --- each type of call ----------------------------------------------------------------------------------------------


def test_identify_becomes_a_row_and_a_user(desk: Desk) -> None:
    desk.load({"type": "identify", "traits": {"email": "a@b.c", "age": 30, "address": {"city": "Köln"}, "tags": ["a", 1], "vip": False}})
    traits = {"email": "a@b.c", "age": 30, "address_city": "Köln", "tags": '["a",1]', "vip": False}
    assert desk.rows("identifies") == [common(1) | traits]
    assert desk.rows("users") == [{"id": "u1", "received_at": at(1)} | traits]


def test_track_becomes_a_row_of_tracks_and_one_of_its_event(desk: Desk) -> None:
    desk.load({"type": "track", "event": "Order Completed", "properties": {"total": 9.5, "items": [{"sku": "x"}]}})
    named = common(1) | {"event": "order_completed", "event_text": "Order Completed"}
    assert desk.rows("tracks") == [named]
    assert desk.rows("order_completed") == [named | {"total": 9.5, "items": '[{"sku":"x"}]'}]


def test_page_screen_group_and_alias_have_tables_of_their_own(desk: Desk) -> None:
    desk.load(
        {"type": "page", "name": "Home", "category": "Shop", "properties": {"url": "https://x.y/"}},
        {"type": "screen", "name": "Start"},
        {"type": "group", "groupId": "g1", "traits": {"employees": 7}},
        {"type": "alias", "userId": "u2", "previousId": "u1"},
    )
    assert desk.rows("pages") == [common(1) | {"name": "Home", "category": "Shop", "url": "https://x.y/"}]
    assert desk.rows("screens") == [common(2) | {"name": "Start"}]
    assert desk.rows("groups") == [common(3) | {"group_id": "g1", "employees": 7}]
    assert desk.rows("aliases") == [common(4, "profile_2", user_id="u2") | {"previous_id": "u1"}]


def test_an_event_without_letters_and_one_named_like_a_table_have_tables_too(desk: Desk) -> None:
    desk.load(*({"type": "track", "event": event} for event in ("日本語", "Users", "Profiles", "select")))
    tables = [row["event"] for row in desk.rows("tracks")]
    assert len(set(tables)) == 4
    for row in desk.rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'web' AND table_name LIKE 'event\\_%' ESCAPE '\\'"):
        assert len(desk.rows(row["table_name"])) == 1
    assert desk.rows("_users")[0]["event_text"] == "Users"
    assert desk.rows("_profiles")[0]["event_text"] == "Profiles"


def test_no_call_says_which_profile_it_is_of() -> None:
    desk = Desk(RUDDERSTACK_RULES)
    desk.track({"_profile_id": 7, "profile_id": 8})
    assert (desk.column("_profile_id"), desk.column("__profile_id"), desk.column("profile_id")) == (["profile_1"], [7], [8])
    desk.close()


def test_what_has_no_value_makes_no_column(desk: Desk) -> None:
    desk.track({"a": None, "b": "", "c": [], "d": {}, "e": 0, "f": False})
    assert {"a", "b", "c", "d"}.isdisjoint(desk.rows("SELECT * FROM web.buy")[0])
    assert (desk.column("e"), desk.column("f"), desk.type_of("a")) == ([0], [False], "")


def test_unicode_and_odd_characters_come_through(desk: Desk) -> None:
    odd = ["日本 🎉", "a\"b'c\\", "line\nbreak", "nul\0l", "x" * 20_000]
    desk.track(*({"v": value} for value in odd))
    assert desk.column("v") == odd


def test_rudderstack_names_its_own_way() -> None:
    desk = Desk(RUDDERSTACK_RULES)
    desk.load({"type": "track", "event": "2FA Enabled", "properties": {"HTTPServer": "x"}})
    assert desk.column("http_server", "_2fa_enabled") == ["x"]


# --- types ----------------------------------------------------------------------------------------------------------

WIDENING: list[tuple[list[Any], str, list[Any]]] = [
    ([1, 2], "BIGINT", [1, 2]),
    ([1, 2.5], "DOUBLE", [1.0, 2.5]),
    ([2.5, 1], "DOUBLE", [2.5, 1.0]),
    ([1, "x"], "VARCHAR", ["1", "x"]),
    ([1, 2.5, "x"], "VARCHAR", ["1", "2.5", "x"]),
    ([True, "x"], "VARCHAR", ["true", "x"]),
    ([True, 1], "VARCHAR", ["true", "1"]),
    ([0.5, False], "VARCHAR", ["0.5", "false"]),
    (["x", 1, 2.0, True], "VARCHAR", ["x", "1", "2", "true"]),
    ([2**63 - 1, -(2**63)], "BIGINT", [2**63 - 1, -(2**63)]),
    ([1, 2**63], "VARCHAR", ["1", str(2**63)]),
    ([2**53 + 1, 0.5], "VARCHAR", [str(2**53 + 1), "0.5"]),
    ([0.5, 2**53 + 1], "VARCHAR", ["0.5", str(2**53 + 1)]),
    ([2**53, 0.5], "DOUBLE", [float(2**53), 0.5]),
    ([1e300, 5.0, -0.0, "x"], "VARCHAR", ["1e+300", "5", "0", "x"]),
    (["2024-01-31T10:00:00Z", "soon"], "VARCHAR", ["2024-01-31T10:00:00Z", "soon"]),
    ([[1], "x", 3], "VARCHAR", ["[1]", "x", "3"]),
]


@pytest.mark.parametrize("flush_calls", [1, 100])
@pytest.mark.parametrize(("values", "type_", "cells"), WIDENING, ids=[str(values) for values, _, _ in WIDENING])
def test_types_widen_and_keep_every_cell(values: list[Any], type_: str, cells: list[Any], flush_calls: int) -> None:
    desk = Desk(flush_calls=flush_calls)
    desk.send(*({"type": "track", "event": "Buy", "properties": {"v": value}} for value in values))
    assert desk.loader.drain() == len(values)
    assert (desk.type_of("v"), desk.column("v")) == (type_, cells)
    desk.close()


def test_a_column_whose_type_was_changed_takes_what_fits_and_discards_the_rest(desk: Desk) -> None:
    desk.track({"day": "2024-01-31"})
    desk.warehouse.execute("ALTER TABLE web.buy ALTER COLUMN day TYPE DATE")
    desk.track({"day": "2024-02-01"}, {"day": "someday"})
    assert [str(day) for day in desk.column("day")] == ["2024-01-31", "2024-02-01", "None"]
    assert desk.rows("discards") == [
        {
            "table_name": "buy",
            "row_id": "m3",
            "column_name": "day",
            "column_value": "someday",
            "reason": "wrong_type",
            "received_at": at(3),
        }
    ]


def test_columns_and_tables_that_differ_in_capitals_only_are_one(desk: Desk) -> None:
    desk.track({"Total": 1})
    desk.warehouse.execute("ALTER TABLE web.buy RENAME COLUMN total TO TOTAL")
    desk.track({"total": 2}, event="BUY")
    assert desk.rows("SELECT TOTAL FROM web.buy ORDER BY rowid") == [{"TOTAL": 1}, {"TOTAL": 2}]


def test_a_wide_event_keeps_everything() -> None:
    desk = Desk(SourceRules(max_columns=20))
    desk.track({f"k{number}": number for number in range(50)})
    row = desk.rows("buy")[0]
    overflow = json.loads(row["overflow"])
    assert {**{name: row[name] for name in row if name.startswith("k")}, **overflow} == {f"k{number}": number for number in range(50)}


def test_a_table_that_got_wide_keeps_everything() -> None:
    desk = Desk(max_columns=20)
    for number in range(0, 30, 2):
        desk.track({f"k{number}": number, "always": number}, {f"k{number + 1}": [number], "always": number})
    rows = desk.rows("buy")
    assert len(rows[0]) <= 21
    kept = [{name: row[name] for name in row if name.startswith("k")} | json.loads(row.get("overflow", "{}")) for row in rows]
    assert [list(each) for each in kept] == [[f"k{number}"] for number in range(30)]
    assert desk.column("always") == [number - number % 2 for number in range(30)]


@pytest.mark.parametrize("together", [True, False])
def test_the_columns_that_a_table_has_room_for_do_not_hang_on_what_is_written_together(together: bool) -> None:
    desk = Desk(max_columns=11)
    calls: list[dict[str, Any]] = [{"b": None, "a": None}, {"d": 1, "c": 2, "a": 3, "b": 4}, {"f": 5, "e": 6, "c": 7}]
    for part in [calls] if together else [[call] for call in calls]:
        desk.track(*part)
    assert [{name: row[name] for name in row if len(name) == 1} for row in desk.rows("buy")] == [{}, {"a": 3}, {}]
    assert [row.get("overflow") for row in desk.rows("buy")] == [None, '{"b": 4, "c": 2, "d": 1}', '{"c": 7, "e": 6, "f": 5}']


# --- what finds no place --------------------------------------------------------------------------------------------


def test_refused_calls_are_rows_and_their_neighbours_are_not_harmed(desk: Desk) -> None:
    report = desk.load(
        {"type": "track", "event": "Buy"}, {"type": "track", "userId": "u1"}, {"type": "page", "userId": "", "anonymousId": "a"}
    )
    assert (report.calls, report.rejects) == (1, 2)
    found = desk.rows("rejects")
    assert [(row["code"], row["type"], row["message_id"], row["received_at"]) for row in found] == [
        ("event_not_defined", "track", "m2", at(2)),
        ("id_not_string", "page", "m3", at(3)),
    ]
    assert all(row["message"] and row["sample"].startswith("{") for row in found)


def test_a_body_that_cannot_be_read_is_a_reject(desk: Desk) -> None:
    from kohort.events.model import Received

    desk.log.append([Received("web", BEGIN, b'{"broken', "track"), Received("web", BEGIN, b"\xff\xfe", "")])
    desk.load({"type": "page"})
    assert [row["sample"] for row in desk.rows("rejects")] == ['{"broken', "��"]
    assert len(desk.rows("pages")) == 1


def test_a_table_of_somebody_else_is_never_written_to(desk: Desk) -> None:
    desk.warehouse.execute("CREATE SCHEMA web; CREATE TABLE web.buy (id VARCHAR); CREATE VIEW web.pages AS SELECT 1 AS one")
    report = desk.load({"type": "track", "event": "Buy", "properties": {"total": 5}}, {"type": "page", "name": "Home"})
    assert desk.rows("SELECT * FROM web.buy") == []
    assert desk.rows("SELECT * FROM web.pages") == [{"one": 1}]
    assert len(desk.rows("tracks")) == 1
    found = {row["table_name"]: row for row in desk.rows("discards")}
    assert (report.discards, found["buy"]["row_id"], found["buy"]["reason"]) == (2, "m1", "table_taken")
    assert json.loads(found["buy"]["column_value"])["total"] == 5


def test_a_needed_table_of_somebody_else_stops_the_writing_and_says_so(tmp_path: Path) -> None:
    desk = Desk(folder=tmp_path)
    desk.warehouse.execute("CREATE SCHEMA web; CREATE TABLE web.rejects (mine VARCHAR)")
    desk.send({"type": "page"}, {"type": "track"})
    with pytest.raises(UserError) as caught:
        desk.loader.load_once()
    assert caught.value.code == "TABLE_TAKEN"
    assert desk.tables.position() == Position(0)
    desk.warehouse.execute("DROP TABLE web.rejects")
    assert desk.loader.load_once().calls == 1


def test_views_of_somebody_else_stay(desk: Desk) -> None:
    desk.warehouse.execute(
        "CREATE SCHEMA web; CREATE VIEW web.profiles AS SELECT 1 AS mine; CREATE TABLE web.pages_with_profile (mine INT)"
    )
    desk.load({"type": "page"})
    assert desk.rows("SELECT * FROM web.profiles") == [{"mine": 1}]
    assert desk.rows("SELECT * FROM web.pages_with_profile") == []


# --- users ----------------------------------------------------------------------------------------------------------


def test_a_user_has_the_newest_value_that_is_not_null(desk: Desk) -> None:
    desk.load(
        {"type": "identify", "traits": {"plan": "free", "age": 30}},
        {"type": "identify", "traits": {"plan": "pro", "age": None, "city": ""}},
        {"type": "identify", "userId": "u2", "traits": {"plan": "free"}},
        {"type": "identify", "anonymousId": "a1", "traits": {"plan": "none"}},
    )
    desk.load({"type": "identify", "traits": {"age": 31.5, "name": "Jane"}})
    assert {row["id"]: row for row in desk.rows("users")} == {
        "u1": {"id": "u1", "received_at": at(5), "plan": "pro", "age": 31.5, "name": "Jane"},
        "u2": {"id": "u2", "received_at": at(3), "plan": "free"},
    }


def test_sources_do_not_see_each_other(desk: Desk) -> None:
    desk.send({"type": "identify", "traits": {"plan": "web"}})
    desk.send({"type": "identify", "traits": {"plan": "app"}}, source="app")
    desk.loader.drain()
    assert desk.column("plan", "users") == ["web"]
    assert desk.rows("SELECT plan FROM app.users") == [{"plan": "app"}]
    assert [row["segment_id"] for row in desk.rows("SELECT segment_id FROM app.id_graph")] == ["profile_1"]


# --- once, in order, and told ---------------------------------------------------------------------------------------


def test_the_position_goes_on_in_another_life(desk: Desk) -> None:
    from kohort.adapters.duckdb.event_tables import DuckDBEventTables
    from kohort.services.loading.load import Loader

    desk.load({"type": "page"}, {"type": "page"})
    desk.send({"type": "page"})
    other = Loader(desk.log, DuckDBEventTables(desk.warehouse.connection), lambda _: SourceRules())
    assert [other.load_once().calls, other.load_once().calls] == [1, 0]
    assert desk.column("id", "pages") == ["m1", "m2", "m3"]


def test_requests_whose_calls_were_all_dropped_move_the_position(desk: Desk) -> None:
    from kohort.events.model import Received

    desk.log.append([Received("web", BEGIN, b'{"type":"page","userId":"u"}', "page", dropped=(0,))])
    assert desk.loader.load_once().calls == 0
    assert desk.tables.position() == Position(1)
    assert desk.rows("SELECT 1 AS x FROM duckdb_tables() WHERE schema_name = 'web'") == []


def test_a_failure_in_the_middle_leaves_nothing_and_is_made_good(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load({"type": "identify", "anonymousId": "a1", "userId": "u1", "traits": {"age": 1}})
    before = desk.contents()
    written = desk.tables._write_position
    monkeypatch.setattr(desk.tables, "_write_position", lambda _: (_ for _ in ()).throw(UserError("X", "no")))
    desk.send({"type": "identify", "anonymousId": "a2", "userId": "u1", "traits": {"age": "old"}}, {"type": "page", "anonymousId": "a3"})
    with pytest.raises(UserError):
        desk.loader.load_once()
    assert desk.contents() == before
    monkeypatch.setattr(desk.tables, "_write_position", written)
    desk.loader.load_once()
    straight = Desk()
    straight.log.requests = desk.log.requests
    straight.loader.drain()
    assert desk.contents() == straight.contents()


def test_tables_may_be_dropped_and_changed_beside(desk: Desk) -> None:
    desk.track({"total": 1})
    desk.warehouse.execute("DROP TABLE web.buy")
    desk.warehouse.execute("ALTER TABLE web.tracks DROP COLUMN event_text")
    desk.track({"total": "x"})
    assert desk.column("total") == ["x"]
    assert [row.get("event_text") for row in desk.rows("tracks")] == [None, "Buy"]


def test_freshness_and_counts_are_told(tmp_path: Path) -> None:
    desk = Desk(folder=tmp_path, flush_calls=2)
    assert read_status(tmp_path) is None
    desk.send({"type": "identify"}, {"type": "page"}, {"type": "page"}, {"type": "track"})
    desk.loader.load_once()
    status = read_status(tmp_path)
    assert status is not None
    assert (status.position, status.oldest_waiting_at) == (2, BEGIN + 3 * SECOND)
    assert status.age_seconds(BEGIN + 10 * SECOND) == 7
    desk.loader.drain()
    status = read_status(tmp_path)
    assert status is not None
    web = status.sources["web"]
    assert (status.oldest_waiting_at, web.calls, web.rejects, web.discards) == (None, 3, 1, 0)
    assert (web.tables["pages"], web.tables["users"], web.last_received_at) == (2, 1, BEGIN + 4 * SECOND)
    (tmp_path / "tables.json").write_text("half")
    assert read_status(tmp_path) is None


def test_a_failure_while_more_waits_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(flush_calls=2)
    desk.send(*({"type": "page", "anonymousId": f"a{number}"} for number in range(9)))
    written = desk.tables._write_position
    monkeypatch.setattr(desk.tables, "_write_position", lambda _: (_ for _ in ()).throw(UserError("X", "no")))
    with pytest.raises(UserError):
        desk.loader.load_once()
    monkeypatch.setattr(desk.tables, "_write_position", written)
    assert [desk.loader.load_once().calls for _ in range(6)] == [2, 2, 2, 2, 1, 0]
    assert desk.column("id", "pages") == [f"m{number}" for number in range(1, 10)]


def test_a_log_that_cannot_be_read_on_keeps_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(flush_calls=2)
    desk.send(*({"type": "page"} for _ in range(4)))
    read = desk.log.read

    def broken(after: Position, limit: int = 1000) -> Iterator[Entry]:
        if after.number >= 2:
            raise UserError("LOG_DAMAGED", "no")
        return read(after, limit)

    monkeypatch.setattr(desk.log, "read", broken)
    with pytest.raises(UserError, match="no"):
        desk.loader.drain()
    assert desk.tables.position() == Position(2)
    monkeypatch.setattr(desk.log, "read", read)
    assert desk.loader.drain() == 2
    assert desk.column("id", "pages") == ["m1", "m2", "m3", "m4"]


def test_the_oldest_that_waits_is_the_first_that_was_not_written(tmp_path: Path) -> None:
    desk = Desk(flush_calls=2, folder=tmp_path)
    desk.send(*({"type": "page"} for _ in range(5)))
    waiting = [desk.loader.load_once().oldest_waiting_at for _ in range(3)]
    assert waiting == [BEGIN + 3 * SECOND, BEGIN + 5 * SECOND, None]
    status = read_status(tmp_path)
    assert status is not None
    assert (status.position, status.oldest_waiting_at, status.sources["web"].last_received_at) == (5, None, BEGIN + 5 * SECOND)


def test_when_calls_came_last_is_known_in_another_life(tmp_path: Path) -> None:
    desk = Desk(folder=tmp_path)
    desk.send({"type": "page"}, {"type": "page"})
    desk.loader.drain()
    following = Loader(desk.log, desk.tables, lambda _: SourceRules(), status_folder=tmp_path)
    following.load_once()
    desk.log.append([Received("app", BEGIN, b'{"anonymousId": "a"}', "page")])
    following.drain()
    status = read_status(tmp_path)
    assert status is not None
    assert {name: each.last_received_at for name, each in status.sources.items()} == {"web": BEGIN + 2 * SECOND, "app": BEGIN}
