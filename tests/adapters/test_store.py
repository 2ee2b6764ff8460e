"""The definition store on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from kohort.adapters.sqlalchemy import SQLAlchemyStore
from kohort.adapters.sqlalchemy.engine import create_store_engine, parse_url
from kohort.adapters.sqlalchemy.processes import is_dead, this_process
from kohort.adapters.sqlalchemy.schema import HEAD, MIGRATIONS, REVISIONS, migrate
from kohort.adapters.sqlalchemy.tables import metadata, server_metadata
from kohort.foundation.errors import UserError
from kohort.testing.definition_contract import DefinitionContract
from kohort.testing.run_contract import RunContract
from kohort.testing.source_contract import SourceContract
from kohort.testing.store_contract import OpenStore
from kohort.testing.transaction_contract import TransactionContract

T0 = datetime(2024, 1, 1, tzinfo=UTC)
T1 = datetime(2024, 1, 2, tzinfo=UTC)


class TestSQLite(DefinitionContract, TransactionContract, RunContract, SourceContract):
    @pytest.fixture
    def open_store(self, sqlite_url: str) -> OpenStore:
        return lambda: SQLAlchemyStore(sqlite_url)


@pytest.mark.postgres
class TestPostgreSQL(DefinitionContract, TransactionContract, RunContract, SourceContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> OpenStore:
        return lambda: SQLAlchemyStore(postgres_url)


def code_of(url: str, **options: float) -> str:
    with pytest.raises(UserError) as caught:
        SQLAlchemyStore(url, **options)
    return caught.value.code


class TestSchema:
    def test_the_migrations_make_the_tables_that_the_code_uses(self, any_url: str) -> None:
        SQLAlchemyStore(any_url).close()
        engine = create_engine(parse_url(any_url))
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            there = metadata if connection.dialect.name == "sqlite" else [metadata, server_metadata]
            assert compare_metadata(context, there) == []
        engine.dispose()

    @pytest.mark.postgres
    def test_on_a_server_every_table_counts_changes(self, postgres_url: str) -> None:
        SQLAlchemyStore(postgres_url).close()
        engine = create_engine(parse_url(postgres_url))
        with engine.connect() as connection:
            found = connection.execute(text("SELECT CAST(CAST(tgrelid AS regclass) AS text) FROM pg_trigger WHERE NOT tgisinternal")).all()
            assert {name for (name,) in found} >= set(metadata.tables)
        engine.dispose()

    def test_the_list_of_revisions_is_that_of_the_files(self) -> None:
        script = ScriptDirectory(str(MIGRATIONS))
        assert [revision.revision for revision in script.walk_revisions()] == list(reversed(REVISIONS))
        assert script.get_heads() == [HEAD]

    def test_an_older_store_is_upgraded_and_keeps_what_it_held(self, any_url: str) -> None:
        engine = create_store_engine(parse_url(any_url), 5)
        with engine.begin() as connection:
            migrate(connection, "0001")
            connection.execute(
                text(
                    "INSERT INTO parent_segments (name, slug, document, version, created_at, created_by, updated_at, updated_by)"
                    " VALUES ('Shop', 'shop', '{}', 3, '2024-01-01 00:00:00', 'ann', '2024-01-01 00:00:00', 'ann')"
                )
            )
        engine.dispose()
        store = SQLAlchemyStore(any_url)
        [parent] = store.parents()
        assert (parent.name, parent.version, parent.created_at) == ("Shop", 3, T0)
        assert store.start_refresh(parent.id, as_of=T0, at=T0).number == 1
        store.close()

    def test_a_newer_store_is_refused_and_left_alone(self, any_url: str) -> None:
        SQLAlchemyStore(any_url).close()
        engine = create_engine(parse_url(any_url))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert code_of(any_url) == "STORE_TOO_NEW"
        with engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
        engine.dispose()

    def test_an_upgrade_that_breaks_leaves_the_older_store(self, sqlite_url: str) -> None:
        engine = create_store_engine(parse_url(sqlite_url), 5)
        with engine.begin() as connection:
            migrate(connection, "0001")
            connection.exec_driver_sql("CREATE TABLE populations (something INTEGER)")
        assert code_of(sqlite_url) == "STORE_FAILED"
        with engine.begin() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
            tables = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'refreshes'")).all()
            assert tables == []
        engine.dispose()


class TestSQLiteFile:
    def test_it_is_in_wal_mode_with_foreign_keys(self, sqlite_url: str, tmp_path: Path) -> None:
        store = SQLAlchemyStore(sqlite_url)
        with store._reading() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 20_000
        store.close()
        assert (tmp_path / ".kohort" / "kohort.db").exists()

    def test_a_locked_file_is_a_message(self, sqlite_url: str, tmp_path: Path) -> None:
        store = SQLAlchemyStore(sqlite_url, wait_seconds=0.05)
        blocker = sqlite3.connect(tmp_path / ".kohort" / "kohort.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError) as caught:
            store.save_parent("Shop", "shop", {}, by="ann", at=T0)
        assert caught.value.code == "STORE_LOCKED"
        assert list(store.parents()) == []
        blocker.close()
        store.save_parent("Shop", "shop", {}, by="ann", at=T0)
        store.close()

    def test_a_full_disk_is_a_message_and_nothing_is_half_written(self, sqlite_url: str) -> None:
        store = SQLAlchemyStore(sqlite_url)
        parent = store.save_parent("Shop", "shop", {}, by="ann", at=T0)
        with store.transaction(), store._reading() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")

        def save_two() -> None:
            with store.transaction():
                store.save_segment(parent.id, "", "small", "batch", {}, "f", by="ann", at=T0)
                store.save_segment(parent.id, "", "big", "batch", {"text": "x" * 100_000}, "f", by="ann", at=T0)

        with pytest.raises(UserError) as caught:
            save_two()
        assert caught.value.code == "DISK_FULL"
        assert list(store.segments(parent.id)) == []
        store.close()

    def test_a_file_that_is_no_database_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "kohort.db"
        path.write_text("name: Shop\n" * 500)
        assert code_of(f"sqlite:///{path}") == "STORE_DAMAGED"
        assert path.read_text() == "name: Shop\n" * 500

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert code_of(f"sqlite:///{tmp_path}/not/there/kohort.db") == "STORE_UNREACHABLE"
        assert code_of(f"sqlite:///{tmp_path}") == "STORE_UNREACHABLE"

    def test_many_writers_at_once_lose_nothing(self, sqlite_url: str) -> None:
        setup = SQLAlchemyStore(sqlite_url)
        parent = setup.save_parent("Shop", "shop", {}, by="ann", at=T0)

        def work(number: int) -> None:
            store = SQLAlchemyStore(sqlite_url)
            for index in range(5):
                store.save_segment(parent.id, f"F{number}", f"S{index}", "batch", {}, "f", by="ann", at=T0)
            store.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(setup.segments(parent.id)) == 20
        setup.close()


class TestUrls:
    def test_a_path_may_hold_anything(self, tmp_path: Path) -> None:
        path = tmp_path / "a b%20?x#y" / "kohort.db"
        store = SQLAlchemyStore(path)
        store.save_parent("Shop", "shop", {}, by="ann", at=T0)
        store.close()
        assert path.exists()

    @pytest.mark.parametrize(
        "url", ["", "kohort.db", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "sqlite+aiosqlite:///x.db"]
    )
    def test_what_cannot_be_opened_is_refused_without_its_password(self, url: str) -> None:
        with pytest.raises(UserError) as caught:
            SQLAlchemyStore(url)
        assert caught.value.code == "STORE_URL"
        assert "secret" not in caught.value.message + caught.value.hint

    def test_a_server_that_does_not_answer(self) -> None:
        with pytest.raises(UserError) as caught:
            SQLAlchemyStore("postgresql://ann:secret@127.0.0.1:1/kohort?connect_timeout=2")
        assert caught.value.code == "STORE_UNREACHABLE"
        assert "secret" not in str(caught.value) + caught.value.hint
        assert "ann:***@127.0.0.1:1/kohort" in caught.value.message

    @pytest.mark.postgres
    def test_a_database_that_is_not_there(self, postgres_server: str) -> None:
        assert code_of(postgres_server.replace("@/postgres?", "@/nothing?")) == "STORE_UNREACHABLE"

    @pytest.mark.postgres
    def test_the_plain_scheme_takes_our_driver(self, postgres_url: str) -> None:
        for scheme in ("postgresql", "postgres"):
            SQLAlchemyStore(postgres_url.replace("postgresql+psycopg", scheme)).close()

    def test_a_missing_driver_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(UserError) as caught:
            SQLAlchemyStore("postgresql://ann:secret@127.0.0.1:1/kohort")
        assert caught.value.code == "STORE_DRIVER_MISSING"
        assert 'pip install "kohort[postgres]"' in caught.value.hint


@pytest.mark.postgres
def test_turns_are_taken_whatever_the_default_of_the_server_is(postgres_url: str) -> None:
    stricter = make_url(postgres_url)
    options = f"{stricter.query['options']} -c default_transaction_isolation=serializable"
    url = stricter.update_query_dict({"options": options}).render_as_string(hide_password=False)
    setup = SQLAlchemyStore(url)
    parent = setup.save_parent("Shop", "shop", {}, by="ann", at=T0)

    def work(number: int) -> None:
        for index in range(5):
            setup.save_segment(parent.id, f"F{number}", f"S{index}", "batch", {}, "f", by="ann", at=T0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(setup.segments(parent.id)) == 20
    setup.close()


def test_a_refresh_of_a_dead_process_becomes_an_error(any_url: str) -> None:
    store = SQLAlchemyStore(any_url)
    parent = store.save_parent("Shop", "shop", {}, by="ann", at=T0)
    program = (
        "import sys; from datetime import datetime, UTC; from kohort.adapters.sqlalchemy import SQLAlchemyStore;"
        f"t = datetime(2024, 1, 1, tzinfo=UTC); SQLAlchemyStore(sys.argv[1]).start_refresh({parent.id}, as_of=t, at=t)"
    )
    subprocess.run([sys.executable, "-c", program, any_url], check=True)
    assert [r.status for r in store.refreshes(parent.id)] == ["running"]
    store.start_refresh(parent.id, as_of=T0, at=T1)
    second, first = store.refreshes(parent.id)
    assert (second.status, first.status, first.finished_at) == ("running", "error", T1)
    assert first.message == "the program ended before the refresh did"
    assert store.finish_refresh(first.id, "success", at=T1).status == "success", "it lived after all"
    store.close()


class TestProcesses:
    def test_this_process_lives(self) -> None:
        assert is_dead(this_process()) is False

    def test_the_same_id_with_another_start_is_another_process(self) -> None:
        host, number, mark = this_process().rsplit("/", 2)
        assert is_dead(f"{host}/{number}/{mark}1") is True
        assert is_dead(f"{host}/4194999/1") is True

    def test_another_machine_cannot_be_looked_into(self) -> None:
        assert is_dead("elsewhere/1/1") is None
        assert is_dead("") is None
