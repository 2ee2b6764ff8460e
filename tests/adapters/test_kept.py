"""What is kept of the warehouse is what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse, kept
from kohort.adapters.duckdb.beside import BesideWarehouse, SharedWarehouse
from kohort.parent.definition import TableRef

REJECTS = TableRef("shop", "rejects")


@pytest.fixture
def main(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as opened:
        yield opened


@pytest.fixture
def shared(main: DuckDBWarehouse) -> SharedWarehouse:
    return SharedWarehouse(lambda: main, lambda: False)


@pytest.fixture
def elsewhere(main: DuckDBWarehouse) -> duckdb.DuckDBPyConnection:
    """A connection that the warehouse knows nothing of, as that of those who write tables."""
    connection = main.connection()
    run(connection, "CREATE SCHEMA shop")
    return connection


def run(connection: duckdb.DuckDBPyConnection, statements: str) -> None:
    """One after the other, each to its end."""
    for statement in statements.split("; "):
        connection.execute(statement)
        connection.complete()


def fresh(warehouse: DuckDBWarehouse) -> list[Any]:
    return [replace(info, rows=-1) for info in warehouse.tables()]


def rejects(warehouse: BesideWarehouse) -> list[Any]:
    return list(warehouse.query("SELECT * FROM shop.rejects ORDER BY ALL").to_pylist()) if warehouse.table(REJECTS) else []


def counting(warehouse: BesideWarehouse, made: list[int]) -> Callable[[], list[Any]]:
    return lambda: (made.append(1), rejects(warehouse))[1]


def test_structure_is_read_once_and_again_when_it_changes(shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection) -> None:
    changes = (
        "CREATE TABLE shop.t (a INTEGER)",
        "ALTER TABLE shop.t ADD COLUMN b INTEGER",
        "ALTER TABLE shop.t ALTER COLUMN b SET DATA TYPE VARCHAR",
        "ALTER TABLE shop.t RENAME COLUMN b TO c",
        "CREATE VIEW shop.v AS SELECT a FROM shop.t",
        "CREATE OR REPLACE VIEW shop.v AS SELECT c FROM shop.t",
        "DROP VIEW shop.v",
        "DROP TABLE shop.t",
        "CREATE TABLE shop.T (a INTEGER, c VARCHAR)",
    )
    for change in changes:
        run(elsewhere, change)
        for _ in range(2):
            with shared.use() as warehouse:
                assert list(warehouse.structure()) == fresh(warehouse), change


def test_what_does_not_change_is_not_read_again(
    shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(elsewhere, "CREATE TABLE shop.t (a INTEGER)")
    now, read = [0.0], []
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(kept, "_structure", lambda *_: (read.append(now[0]), ())[1])
    with shared.use() as first, shared.use() as second:
        for warehouse in (first, second, first):
            warehouse.structure()
        now[0] += kept.LONGEST_SECONDS
        second.structure()
    assert read == [0.0, kept.LONGEST_SECONDS]


def test_a_view_over_files_has_the_columns_of_its_files_after_a_while(
    shared: SharedWarehouse, main: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    file = tmp_path / "rows.parquet"
    main.execute(f"COPY (SELECT 1 AS a) TO '{file}' (FORMAT parquet)")
    main.execute(f"CREATE VIEW v AS SELECT * FROM read_parquet('{file}')")
    with shared.use() as warehouse:
        warehouse.structure()
        main.execute(f"COPY (SELECT 'x' AS a) TO '{file}' (FORMAT parquet)")
        main.query("SELECT * FROM v")
        now[0] += kept.LONGEST_SECONDS
        assert list(warehouse.structure()) == fresh(warehouse)


def test_an_answer_serves_until_its_tables_change(shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection) -> None:
    made: list[int] = []
    changes = (
        "SELECT 1",
        "CREATE TABLE shop.rejects (a INTEGER)",
        "INSERT INTO shop.rejects VALUES (1), (2)",
        "BEGIN; DELETE FROM shop.rejects WHERE a = 1; INSERT INTO shop.rejects VALUES (3); COMMIT",
        "ALTER TABLE shop.rejects ADD COLUMN b INTEGER",
        "BEGIN; DROP TABLE shop.rejects; CREATE TABLE shop.rejects (a INTEGER, b INTEGER); INSERT INTO shop.rejects VALUES (8, 8); COMMIT",
        "DROP TABLE shop.rejects",
    )
    for number, change in enumerate(changes, 1):
        run(elsewhere, change)
        for _ in range(2):
            with shared.use() as warehouse:
                assert warehouse.remembered("r", [REJECTS], counting(warehouse, made)) == rejects(warehouse), change
        assert len(made) == number, change


def test_what_is_not_committed_is_not_seen_and_what_was_rolled_back_never_was(
    shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection
) -> None:
    run(elsewhere, "CREATE TABLE shop.rejects (a INTEGER)")
    for ends, rows in (("ROLLBACK", []), ("COMMIT", [{"a": 1}])):
        run(elsewhere, "BEGIN; INSERT INTO shop.rejects VALUES (1)")
        for then, expected in (("SELECT 1", []), (ends, rows)):
            run(elsewhere, then)
            with shared.use() as warehouse:
                assert warehouse.remembered("r", [REJECTS], lambda: rejects(warehouse)) == expected


def test_in_a_transaction_nothing_is_kept(shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection) -> None:
    run(elsewhere, "CREATE TABLE shop.rejects (a INTEGER)")
    with shared.use() as warehouse:
        with suppress(ZeroDivisionError), warehouse.transaction():
            warehouse.execute("INSERT INTO shop.rejects VALUES (1)")
            assert warehouse.remembered("r", [REJECTS], lambda: rejects(warehouse)) == [{"a": 1}]
            raise ZeroDivisionError
        assert warehouse.remembered("r", [REJECTS], lambda: rejects(warehouse)) == []


def test_what_stands_on_a_view_is_made_every_time(shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection) -> None:
    run(elsewhere, "CREATE TABLE shop.t (a INTEGER); CREATE VIEW shop.rejects AS SELECT * FROM shop.t")
    with shared.use() as warehouse:
        for count in range(3):
            assert len(warehouse.remembered("r", [REJECTS], lambda: rejects(warehouse))) == count
            run(elsewhere, "INSERT INTO shop.t VALUES (1)")


def test_whoever_gets_the_file_back_reads_anew(shared: SharedWarehouse, main: DuckDBWarehouse) -> None:
    made: list[int] = []
    for _ in range(2):
        with shared.use() as warehouse:
            warehouse.remembered("r", [REJECTS], counting(warehouse, made))
        shared.close(lambda: None)
    assert len(made) == 2
    assert main.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_only_so_much_is_kept(shared: SharedWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    made: list[int] = []
    with shared.use() as warehouse:
        for number in (1, 2, 3, 3, 1):
            warehouse.remembered(number, [REJECTS], lambda: made.append(number))  # noqa: B023
    assert made == [1, 2, 3, 1]


@pytest.mark.parametrize("seed", range(3))
def test_kept_answers_are_those_of_fresh_reads(shared: SharedWarehouse, elsewhere: duckdb.DuckDBPyConnection, seed: int) -> None:
    draw = Random(seed)
    for step in range(60):
        there = elsewhere.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejects'").fetchall()
        if not there:
            run(elsewhere, "CREATE TABLE shop.rejects (a INTEGER)")
        begun = draw.random() < 0.5
        if begun:
            run(elsewhere, "BEGIN")
        for _ in range(draw.randrange(3)):
            run(
                elsewhere,
                draw.choice(
                    (
                        f"INSERT INTO shop.rejects (a) VALUES ({step})",
                        "DELETE FROM shop.rejects WHERE a % 3 = 0",
                        f"ALTER TABLE shop.rejects ADD COLUMN IF NOT EXISTS c{step % 4} INTEGER",
                        "CREATE OR REPLACE TABLE shop.rejects AS SELECT 7 AS a",
                        f"CREATE OR REPLACE VIEW shop.v{step % 3} AS SELECT {step} AS n",
                    )
                ),
            )
        if begun:
            run(elsewhere, draw.choice(("COMMIT", "ROLLBACK")))
        elif draw.random() < 0.2:
            run(elsewhere, "CHECKPOINT")
        with shared.use() as warehouse:
            assert warehouse.remembered("r", [REJECTS], lambda: rejects(warehouse)) == rejects(warehouse)
            assert list(warehouse.structure()) == fresh(warehouse)
