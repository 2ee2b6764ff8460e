"""`kohort source rename`, `remove` and `identity`: what people may change of a source that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.adapters.eventlog import SQLiteEventLog
from kohort.bootstrap import open_kohort
from kohort.events.model import Received, SourceRules
from kohort.foundation.instants import to_micros
from kohort.services.loading.load import Loader
from tests.cli.workspaces import Desk, make_sources


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A workspace with the sources Web and App."""
    return make_sources(tmp_path / "w")


def append(desk: Desk, *calls: dict[str, Any], source: str = "web") -> None:
    kohort = open_kohort(desk.folder)
    batch = [{"messageId": f"m{number}", "userId": "u1"} | call for number, call in enumerate(calls)]
    log = SQLiteEventLog(kohort.log_folder)
    log.append([Received(source, to_micros(kohort.clock.now()), json.dumps({"batch": batch}).encode())])
    log.close()


def load(desk: Desk) -> None:
    """What a server does beside answering."""
    kohort = open_kohort(desk.folder)
    log, warehouse = kohort.open_event_log(), kohort.warehouse
    assert isinstance(warehouse, DuckDBWarehouse)
    Loader(log, DuckDBEventTables(warehouse.connection), lambda _: SourceRules(), status_folder=kohort.log_folder).drain()
    log.close()
    kohort.close()


def tables(desk: Desk, database: str = "web") -> set[str]:
    kohort = open_kohort(desk.folder)
    found = {info.ref.table for info in kohort.warehouse.tables() if info.ref.database == database}
    kohort.close()
    return found


def test_a_source_gets_another_name_and_keeps_its_schema(desk: Desk) -> None:
    assert "is called Web Shop now" in desk.ok("source", "rename", "Web", " Web Shop ")
    assert desk.json("source", "show", "Web Shop")["schema"] == "web"
    assert desk.json("source", "show", "web")["name"] == "Web Shop"
    assert "[NAME_TAKEN]" in desk.refused("source", "rename", "web", "App")
    assert "[NAME_TAKEN]" in desk.refused("source", "rename", "App", "web")
    assert "[NAME_INVALID]" in desk.refused("source", "rename", "web", "  ")
    assert desk.json("source", "rename", "web", "Web Shop") == {"name": "Web Shop", "schema": "web"}


def test_a_source_is_removed_and_its_tables_stay(desk: Desk) -> None:
    append(desk, {"type": "track", "event": "Buy"})
    load(desk)
    assert "[NOT_CONFIRMED]" in desk.refused("source", "remove", "Web")
    assert desk.json("source", "show", "Web")["status"] == "enabled"
    assert "its tables stay in web" in desk.ok("source", "remove", "Web", "-y")
    assert [source["name"] for source in desk.json("source", "list")] == ["App"]
    assert {"tracks", "buy", "profiles"} <= tables(desk)
    assert "[SCHEMA_TAKEN]" in desk.refused("source", "add", "Web")


def test_a_source_is_removed_with_its_tables_but_not_with_those_of_others(desk: Desk) -> None:
    append(desk, {"type": "track", "event": "Buy"}, {"type": "identify", "traits": {"email": "a@b.c"}})
    load(desk)
    kohort = open_kohort(desk.folder)
    kohort.warehouse.execute("CREATE TABLE web.theirs AS SELECT 1 AS one")
    kohort.close()
    found = desk.json("source", "remove", "Web", "--drop-tables", "-y")
    assert {"tracks", "buy", "users", "profiles"} <= set(found["dropped"])
    assert tables(desk) == {"theirs"}
    desk.ok("source", "remove", "App", "--drop-tables", "-y")
    assert desk.json("source", "list") == []


def test_a_schema_that_is_empty_goes_with_its_tables(desk: Desk) -> None:
    append(desk, {"type": "page"})
    load(desk)
    desk.ok("source", "remove", "Web", "--drop-tables", "-y")
    assert tables(desk) == set()
    desk.ok("source", "add", "Web")


def test_what_has_arrived_comes_into_tables_before_a_source_goes(desk: Desk) -> None:
    append(desk, {"type": "page"}, {"type": "page"})
    assert "[SOURCE_HAS_CALLS] 2 calls of Web" in desk.refused("source", "remove", "Web", "-y")
    assert desk.json("source", "show", "Web")["status"] == "disabled"
    load(desk)
    desk.ok("source", "remove", "Web", "-y")


def test_tables_that_a_parent_segment_reads_are_not_dropped(desk: Desk) -> None:
    append(desk, {"type": "track", "event": "Buy"}, {"type": "identify", "traits": {"plan": "pro"}})
    load(desk)
    desk.ok("ps", "scaffold", "--source", "Web", "-o", str(desk.folder / "web.yml"))
    desk.ok("ps", "push", str(desk.folder / "web.yml"))
    assert "[SOURCE_IN_USE]" in desk.refused("source", "remove", "Web", "--drop-tables", "-y")
    assert desk.json("source", "show", "Web")["status"] == "enabled"


def test_identity_is_what_it_is_in_every_source_until_it_is_changed(desk: Desk) -> None:
    shown = desk.ok("source", "identity", "Web")
    assert "the rules of every source" in shown
    assert "user_id" in shown
    assert desk.json("source", "identity", "Web") == {
        "name": "Web",
        "schema": "web",
        "own": False,
        "limits": {"user_id": {"count": 1, "period": "ever"}},
        "limit": {"count": 5, "period": "ever"},
        "priority": ["user_id", "email"],
        "blocked": ["-1", "anonymous", "null"],
        "blocked_pattern": "[0-]*|\\s*",
        "custom": {},
        "left_out": ["group_id"],
    }


def test_identity_is_changed_piece_by_piece_and_reset(desk: Desk) -> None:
    desk.ok(
        "source",
        "identity",
        "Web",
        "--limit",
        "email=2/monthly",
        "--limit",
        "shop_id=1",
        "--other-limit",
        "7",
        "--custom",
        "shop_id=shopId",
    )
    desk.ok("source", "identity", "Web", "--priority", "user_id, shop_id,email", "--block", "test@test.com", "--unblock", "-1")
    found = desk.json("source", "identity", "web", "--use", "group_id", "--leave-out", "ga_client_id", "--block-pattern", "x+")
    assert found["own"] is True
    assert found["limits"]["email"] == {"count": 2, "period": "monthly"}
    assert (found["limit"]["count"], found["priority"], found["custom"]) == (7, ["user_id", "shop_id", "email"], {"shop_id": "shopId"})
    assert (found["blocked"], found["left_out"], found["blocked_pattern"]) == (
        ["anonymous", "null", "test@test.com"],
        ["ga_client_id"],
        "x+",
    )
    assert "shopId" in desk.ok("source", "identity", "Web")
    assert desk.json("source", "identity", "Web", "--custom", "shop_id=")["custom"] == {}
    assert desk.json("source", "identity", "Web", "--reset")["own"] is False
    assert desk.json("source", "identity", "App")["own"] is False


@pytest.mark.parametrize(
    "change",
    [
        ["--limit", "email"],
        ["--limit", "email=0"],
        ["--limit", "email=5/daily"],
        ["--limit", "E-Mail=5"],
        ["--other-limit", "many"],
        ["--priority", "user_id,user_id"],
        ["--block-pattern", "("],
        ["--custom", "shop_id"],
    ],
    ids=" ".join,
)
def test_identity_that_cannot_be_is_refused(desk: Desk, change: list[str]) -> None:
    assert "[IDENTITY_INVALID]" in desk.refused("source", "identity", "Web", *change)
    assert desk.json("source", "identity", "Web")["own"] is False
