"""A parent segment written from the tables of a source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.adapters.eventlog import SQLiteEventLog
from kohort.documents.yaml import read_yaml
from kohort.events.model import Received, SourceRules
from kohort.foundation.errors import UserError
from kohort.foundation.instants import to_micros
from kohort.parent.codec import read_parent
from kohort.parent.definition import ParentSegment
from kohort.ports.sources import SourceRecord
from kohort.services.loading.load import Loader
from kohort.services.parents.scaffold import MasterKind, scaffold
from kohort.services.parents.validate import validate_parent

NOW = datetime(2024, 3, 1, tzinfo=UTC)
SOURCE = SourceRecord(1, "Web: “Shop”", "web", "segment", "enabled", False, None, NOW, "ann", NOW, "ann")
COMMON = "id VARCHAR, anonymous_id VARCHAR, user_id VARCHAR, received_at TIMESTAMP, sent_at TIMESTAMP, timestamp TIMESTAMP"
TRACK = f"{COMMON}, event VARCHAR, event_text VARCHAR"


@pytest.fixture
def warehouse() -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(None) as warehouse:
        warehouse.execute("CREATE SCHEMA web")
        yield warehouse


def make(warehouse: DuckDBWarehouse, table: str, columns: str, *rows: str) -> None:
    warehouse.execute(f'CREATE TABLE web."{table}" ({columns})')
    for row in rows:
        warehouse.execute(f'INSERT INTO web."{table}" BY NAME SELECT {row}')


def made(warehouse: DuckDBWarehouse, name: str = "", master: MasterKind = "users") -> ParentSegment:
    """The parent segment that was written: it can be read, and validation finds nothing to refuse."""
    document, problems = read_yaml(scaffold(warehouse, SOURCE, name, master), "scaffold")
    assert problems.codes() == []
    parent, issues = read_parent(document)
    assert issues.codes() == []
    assert parent is not None
    assert [str(issue) for issue in validate_parent(warehouse, parent).issues.errors] == []
    return parent


def test_users_are_the_master_and_events_the_behaviors(warehouse: DuckDBWarehouse) -> None:
    make(warehouse, "users", "id VARCHAR, received_at TIMESTAMP, email VARCHAR, plan VARCHAR, context_ip VARCHAR", "'u1' AS id")
    row = "'m1' AS id, 'u1' AS user_id, TIMESTAMP '2024-01-01' AS timestamp, 'order_completed' AS event, {} AS event_text"
    rows = [row.format(f"'{name}'") for name in ("Order Completed", "Order Completed", "order completed")]
    make(warehouse, "order_completed", f"{TRACK}, total DOUBLE, coupon VARCHAR, gift BOOLEAN, context_page_url VARCHAR", *rows)
    make(warehouse, "tracks", TRACK)
    make(warehouse, "identifies", f"{COMMON}, email VARCHAR")
    make(warehouse, "pages", f"{COMMON}, name VARCHAR, url VARCHAR")
    make(warehouse, "discards", "table_name VARCHAR, row_id VARCHAR")
    parent = made(warehouse)
    assert (parent.name, str(parent.master.source), parent.key_column, parent.timezone) == ("Web: “Shop”", "web.users", "id", "UTC")
    assert [(b.name, str(b.source), b.time_column) for b in parent.behaviors] == [
        ("Order Completed", "web.order_completed", "timestamp"),
        ("Page", "web.pages", "timestamp"),
    ]
    assert [(c.name, c.type) for c in parent.behaviors[0].columns] == [("total", "number"), ("coupon", "string"), ("gift", "boolean")]
    assert [(said.column, said.visibility) for said in parent.master.columns] == [("email", "pii"), ("context_ip", "pii")]
    text = scaffold(warehouse, SOURCE)
    assert "# Attributes by themselves: email, plan\n" in text
    assert '# also sent as "order completed"' in text
    assert "      # - { column: context_page_url, type: string }\n" in text
    assert '#   - name: "Any event"\n' in text
    assert "discards" not in text


def test_what_is_only_a_remark_is_valid_too(warehouse: DuckDBWarehouse) -> None:
    make(warehouse, "users", "id VARCHAR")
    make(warehouse, "tracks", TRACK)
    make(warehouse, "identifies", f"{COMMON}, email VARCHAR, context_ip VARCHAR")
    make(warehouse, "aliases", f"{COMMON}, previous_id VARCHAR")
    assert made(warehouse).behaviors == ()
    lines = scaffold(warehouse, SOURCE).replace("behaviors: []", "behaviors:").splitlines()
    text = "\n".join(line.removeprefix("# ") if line.startswith("#   ") else line for line in lines)
    parent, issues = read_parent(read_yaml(text, "scaffold")[0])
    assert issues.codes() == []
    assert parent is not None
    assert [b.name for b in parent.behaviors] == ["Any event", "Identify", "Alias"]
    assert validate_parent(warehouse, parent).issues.ok


def test_odd_names_are_no_trouble(warehouse: DuckDBWarehouse) -> None:
    make(warehouse, "users", "id VARCHAR")
    odd = ["日本語", "a: b # c", "line\nbreak", "'quotes\" and {braces}", "@#$%", "x" * 300]
    for number, name in enumerate(odd):
        quoted = name.replace("'", "''")
        row = f"'m' AS id, 'u1' AS user_id, TIMESTAMP '2024-01-01' AS timestamp, '{quoted}' AS event_text"
        make(warehouse, f"event_{number}", f"{TRACK}, price BIGINT", row, row.replace(quoted, f"other {quoted}"), row)
    make(warehouse, "page", TRACK, "'page' AS event_text")
    make(warehouse, "1e3", f'{TRACK}, "true" VARCHAR, "123" VARCHAR, "time" VARCHAR, "time_sent" VARCHAR, "b" BLOB, "a" VARCHAR[]')
    make(warehouse, "pages", COMMON)
    parent = made(warehouse, "Name # with: signs")
    assert parent.name == "Name # with: signs"
    assert [b.name for b in parent.behaviors] == [
        "1e3", "日本語", "a: b # c", "event_2", odd[3], "event_4", "event_5", "event page", "Page",
    ]  # fmt: skip
    assert [(c.column, c.name) for c in parent.behaviors[0].columns] == [
        ("true", "true"), ("123", "123"), ("time", "time_sent_sent"), ("time_sent", "time_sent"), ("a", "a"),
    ]  # fmt: skip
    assert [c.column for c in parent.behaviors[-1].columns] == ["id"]


def test_without_users_there_is_nothing_to_stand_on(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(UserError) as caught:
        scaffold(warehouse, SOURCE)
    assert (caught.value.code, caught.value.message) == ("SOURCE_EMPTY", 'the source "Web: “Shop”" has no tables yet')
    make(warehouse, "tracks", TRACK)
    with pytest.raises(UserError) as caught:
        scaffold(warehouse, SOURCE)
    assert caught.value.message == 'the source "Web: “Shop”" knows nobody by a user id yet'


def test_tables_that_calls_became(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """One visitor who says later who he is, one user, one visitor who never says: two users, three profiles."""
    at = "2024-03-01T10:00:00Z"
    order = {"type": "track", "event": "Order Completed", "properties": {"total": 5, "time": "noon"}, "timestamp": at}
    calls = [
        order | {"anonymousId": "a1"},
        {"type": "page", "anonymousId": "a1", "properties": {"url": "/"}, "context": {"ip": "10.0.0.1"}, "timestamp": at},
        {"type": "identify", "anonymousId": "a1", "userId": "u1", "traits": {"email": "a@example.com", "age": 30}, "timestamp": at},
        {"type": "identify", "userId": "u2", "traits": {"email": "b@example.com"}, "timestamp": at},
        order | {"userId": "u2", "properties": {"total": 7.5}},
        order | {"anonymousId": "a9"},
        {"type": "group", "userId": "u2", "groupId": "g1", "timestamp": at},
        {"type": "alias", "userId": "u2", "previousId": "a2", "timestamp": at},
    ]
    log = SQLiteEventLog(tmp_path / "log")
    log.append([Received("web", to_micros(NOW), json.dumps({"batch": calls}).encode())])
    tables = DuckDBEventTables(warehouse.connection)
    Loader(log, tables, lambda _: SourceRules()).drain()
    tables.close()
    log.close()
    users, profiles = made(warehouse), made(warehouse, "All visitors", "profiles")
    assert [(b.name, [c.name for c in b.columns]) for b in users.behaviors] == [
        ("Order Completed", ["total", "time_sent"]),
        ("Page", ["url"]),
        ("Group", ["group_id"]),
    ]
    assert [(b.name, str(b.source)) for b in profiles.behaviors] == [
        ("Order Completed", "web.order_completed_with_profile"),
        ("Page", "web.pages_with_profile"),
        ("Group", "web.groups_with_profile"),
    ]
    checked = validate_parent(warehouse, users)
    assert checked.master is not None
    assert (checked.master.customers, checked.behaviors[0].rows_in, checked.behaviors[0].rows_matched) == (2, 3, 1)
    checked = validate_parent(warehouse, profiles)
    assert checked.master is not None
    assert (checked.master.customers, checked.behaviors[0].rows_in, checked.behaviors[0].rows_matched) == (3, 3, 3)
    assert "# Attributes by themselves: user_id, external_ids, first_seen_at, email, age\n" in scaffold(warehouse, SOURCE, "", "profiles")
