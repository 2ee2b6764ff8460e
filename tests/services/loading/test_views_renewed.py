"""Views that an older program made, or did not make yet, are those of this program once it has begun to load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from kohort.adapters.duckdb import event_tables_views
from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.adapters.duckdb.event_tables_schema import MARK, Catalog
from kohort.events.model import SourceRules
from kohort.services.loading.load import Loader
from tests.services.loading.event_desk import Desk

NEWER = ("profile_traits_updates", "user_identifiers", "user_traits")
TEXTS = {1: "108f1ea48592e4bb"}
"""Version -> fingerprint of the texts of its views."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    opened = Desk()
    yield opened
    opened.close()


def fill(desk: Desk, *sources: str) -> None:
    for source in sources:
        desk.send({"type": "identify", "userId": "u1", "traits": {"plan": "gold"}}, source=source)
        desk.send({"type": "track", "userId": "u1", "event": "Buy", "properties": {"price": 3}}, source=source)
    desk.loader.drain()


def as_an_older_program_left_it(desk: Desk, *sources: str) -> None:
    for source in sources:
        for view in NEWER:
            desk.warehouse.execute(f"DROP VIEW {source}.{view}")
    desk.warehouse.execute("DROP TABLE IF EXISTS kohort_events.views_made")


def begin_again(desk: Desk) -> Loader:
    """A program that begins to load; there is nothing new in the log."""
    loader = Loader(desk.log, DuckDBEventTables(desk.warehouse.connection), lambda _: SourceRules(), clock=desk.clock)
    assert loader.load_once().entries == 0
    return loader


def views(desk: Desk, source: str = "web") -> set[str]:
    found = desk.rows(f"SELECT view_name AS name FROM duckdb_views() WHERE schema_name = '{source}'")
    return {row["name"] for row in found}


def version(desk: Desk) -> list[int]:
    return [row["version"] for row in desk.rows("SELECT version FROM kohort_events.views_made")]


def view_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of views that are made from here on."""
    made: list[str] = []
    put = Catalog.put_view

    def put_view(self: Catalog, connection: Any, schema: str, name: str, query: str, comment: str) -> bool:
        made.append(f"{schema}.{name}: {query} -- {comment}")
        return put(self, connection, schema, name, query, comment)

    monkeypatch.setattr(Catalog, "put_view", put_view)
    return made


def test_views_that_are_missing_are_there_after_the_next_start(desk: Desk) -> None:
    fill(desk, "web", "app")
    before = desk.contents()
    as_an_older_program_left_it(desk, "web", "app")
    assert not views(desk) & set(NEWER)
    begin_again(desk)
    assert desk.contents() == before
    for source in ("web", "app"):
        assert views(desk, source) >= set(NEWER)
        joined = f"{source}.user_traits AS t JOIN {source}.user_identifiers AS i USING (canonical_segment_id)"
        found = desk.rows(f"SELECT t.name, t.value, i.value AS id FROM {joined}")
        assert found == [{"name": "plan", "value": "gold", "id": "u1"}]
    assert version(desk) == [event_tables_views.VERSION]


def test_views_of_another_version_are_made_anew(desk: Desk) -> None:
    fill(desk, "web")
    desk.warehouse.execute("CREATE OR REPLACE VIEW web.user_traits AS SELECT 'old' AS name")
    desk.warehouse.execute(f"COMMENT ON VIEW web.user_traits IS '{MARK}: as it was'")
    begin_again(desk)
    assert desk.rows("SELECT name FROM web.user_traits") == [{"name": "plan"}]
    desk.warehouse.execute("CREATE OR REPLACE VIEW web.user_traits AS SELECT 'newer' AS name")
    desk.warehouse.execute(f"COMMENT ON VIEW web.user_traits IS '{MARK}: as it will be'")
    desk.warehouse.execute("UPDATE kohort_events.views_made SET version = version + 1")
    begin_again(desk)
    assert desk.rows("SELECT name FROM web.user_traits") == [{"name": "plan"}]


def test_views_of_this_version_are_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, "web")
    begin_again(desk)
    made = view_statements(monkeypatch)
    begin_again(desk)
    assert made == []
    assert version(desk) == [event_tables_views.VERSION]


def test_before_the_first_call_nothing_is_made(desk: Desk) -> None:
    begin_again(desk)
    assert list(desk.warehouse.tables()) == []


def test_loading_goes_on_where_views_do_not_fit(desk: Desk) -> None:
    fill(desk, "app", "web")
    as_an_older_program_left_it(desk, "app", "web")
    desk.warehouse.execute("DROP VIEW app.profiles")
    desk.warehouse.execute("ALTER TABLE app.external_id_mapping_updates RENAME COLUMN external_id_value TO other")
    begin_again(desk)
    assert views(desk) >= set(NEWER)
    assert not views(desk, "app") & set(NEWER)
    with pytest.raises(Exception, match="views_made"):
        version(desk)
    desk.warehouse.execute("ALTER TABLE app.external_id_mapping_updates RENAME COLUMN other TO external_id_value")
    begin_again(desk)
    assert views(desk, "app") >= set(NEWER)
    assert version(desk) == [event_tables_views.VERSION]


def test_tables_of_others_keep_their_names(desk: Desk) -> None:
    fill(desk, "web")
    as_an_older_program_left_it(desk, "web")
    desk.warehouse.execute("CREATE TABLE web.user_traits AS SELECT 1 AS mine")
    begin_again(desk)
    assert desk.rows("user_traits") == [{"mine": 1}]
    assert views(desk) >= {"profile_traits_updates", "user_identifiers"}


def test_a_table_of_somebody_called_profiles_does_not_hold_up_loading(desk: Desk) -> None:
    desk.warehouse.execute("CREATE SCHEMA web")
    desk.warehouse.execute("CREATE TABLE web.profiles AS SELECT 1 AS mine")
    fill(desk, "web")
    assert desk.rows("profiles") == [{"mine": 1}]
    assert views(desk) & {"user_traits", "profile_traits_updates"} == {"profile_traits_updates"}


def test_calls_go_on_after_views_were_renewed(desk: Desk) -> None:
    fill(desk, "web")
    as_an_older_program_left_it(desk, "web")
    loader = begin_again(desk)
    desk.send({"type": "identify", "userId": "u2", "traits": {"plan": "free", "age": 7}})
    assert loader.load_once().calls == 1
    found = desk.rows("SELECT name, value FROM web.user_traits ORDER BY ALL")
    assert [tuple(row.values()) for row in found] == [("age", "7"), ("plan", "free"), ("plan", "gold")]


def test_a_full_disk_or_the_like_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, "web")
    as_an_older_program_left_it(desk, "web")
    put, failures = Catalog.put_view, [duckdb.IOException("disk")]

    def fails_once(self: Catalog, *given: Any) -> bool:
        if failures:
            raise failures.pop()
        return put(self, *given)

    monkeypatch.setattr(Catalog, "put_view", fails_once)
    begin_again(desk)
    assert views(desk) >= set(NEWER)


def test_the_version_goes_up_with_the_texts_of_the_views(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, "web")
    made = view_statements(monkeypatch)
    begin_again(desk)
    text = hashlib.sha256("\n".join(dict.fromkeys(made)).encode()).hexdigest()[:16]
    assert TEXTS[event_tables_views.VERSION] == text, "raise VERSION in event_tables_views, and write its fingerprint here"
