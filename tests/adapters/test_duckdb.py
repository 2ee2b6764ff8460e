"""The embedded warehouse: queries, streams, transactions, and how they are stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pyarrow as pa
import pytest
from sqlglot import exp

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.parent.definition import TableRef
from tests.adapters.duckdb_files import refusal, rows

ENDLESS = "SELECT count(*) AS n FROM range(1000000000000) AS t(x) WHERE x % 7 = 3"


def test_statements_may_be_text_or_trees(warehouse: DuckDBWarehouse) -> None:
    tree = exp.select(exp.alias_(exp.Literal.number(2), "two"))
    assert rows(warehouse, "SELECT 1 AS one") == [{"one": 1}]
    assert warehouse.query(tree).to_pylist() == [{"two": 2}]


def test_a_stream_outlives_other_queries(warehouse: DuckDBWarehouse) -> None:
    reader = warehouse.stream("SELECT range AS x FROM range(250000)", batch_rows=100_000)
    first = reader.read_next_batch()
    assert rows(warehouse, "SELECT 1 AS one") == [{"one": 1}]
    assert first.num_rows + sum(batch.num_rows for batch in reader) == 250_000


def test_a_stream_in_a_transaction_sees_its_writes(warehouse: DuckDBWarehouse) -> None:
    with warehouse.transaction():
        warehouse.execute("CREATE TABLE t AS SELECT 7 AS x")
        assert warehouse.stream("SELECT x FROM t").read_all().to_pylist() == [{"x": 7}]


def test_a_problem_in_the_middle_of_a_stream_is_a_user_error(warehouse: DuckDBWarehouse) -> None:
    sql = "SELECT CAST(CASE WHEN range = 900000 THEN 'odd' ELSE '1' END AS INTEGER) AS x FROM range(1000000)"
    problem = refusal(lambda: warehouse.stream(sql, batch_rows=1000).read_all())
    assert problem.code == "SQL_ERROR"


def test_times_are_utc(warehouse: DuckDBWarehouse) -> None:
    assert rows(warehouse, "SELECT CAST(TIMESTAMPTZ '2024-01-01 00:00:00+02:00' AS TIMESTAMP)::VARCHAR AS t") == [
        {"t": "2023-12-31 22:00:00"}
    ]


def test_python_variables_are_not_tables(warehouse: DuckDBWarehouse) -> None:
    secret = pa.table({"x": [1]})
    assert refusal(lambda: warehouse.query("SELECT * FROM secret")).code == "TABLE_NOT_FOUND"
    assert secret.num_rows == 1


def test_listing(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute("CREATE SCHEMA sales")
    warehouse.execute("CREATE TABLE sales.orders (id BIGINT, amount DECIMAL(18,2), paid_at TIMESTAMP, tags VARCHAR[])")
    warehouse.execute("INSERT INTO sales.orders (id) VALUES (1), (2), (3)")
    warehouse.execute("DELETE FROM sales.orders WHERE id = 2")
    warehouse.execute("CREATE VIEW sales.big AS SELECT id FROM sales.orders")
    big, orders = warehouse.tables()
    assert (str(big.ref), big.kind, big.rows) == ("sales.big", "view", -1)
    assert (str(orders.ref), orders.kind, orders.rows) == ("sales.orders", "table", 2)
    assert [column.type for column in orders.columns] == ["BIGINT", "DECIMAL(18,2)", "TIMESTAMP", "VARCHAR[]"]
    assert warehouse.table(TableRef("SALES", "Orders")) == orders
    assert warehouse.table(TableRef("sales", "nothing")) is None


# --- transactions ---------------------------------------------------------------------------------------------------


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(warehouse: DuckDBWarehouse) -> None:
    def half() -> None:
        with warehouse.transaction():
            warehouse.execute("CREATE TABLE a AS SELECT 1 AS x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with warehouse.transaction():
        warehouse.execute("CREATE TABLE b AS SELECT 1 AS x")
        with warehouse.transaction():
            warehouse.execute("CREATE TABLE c AS SELECT 1 AS x")
    assert [info.ref.table for info in warehouse.tables()] == ["b", "c"]


def test_a_failed_statement_fails_its_transaction(warehouse: DuckDBWarehouse) -> None:
    def both() -> None:
        with warehouse.transaction():
            warehouse.execute("CREATE TABLE a AS SELECT 1 AS x")
            warehouse.execute("SELECT * FROM nowhere")

    assert refusal(both).code == "TABLE_NOT_FOUND"
    assert not warehouse.tables()


def interrupted(call: Callable[[], object], after_seconds: float = 0.3) -> None:
    timer = threading.Timer(after_seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
    finally:
        timer.join()


def test_ctrl_c_stops_a_running_query(warehouse: DuckDBWarehouse) -> None:
    interrupted(lambda: warehouse.query(ENDLESS))
    assert rows(warehouse, "SELECT 1 AS one") == [{"one": 1}]


def test_ctrl_c_stops_a_stream(warehouse: DuckDBWarehouse) -> None:
    interrupted(lambda: warehouse.stream(ENDLESS).read_all())
    assert rows(warehouse, "SELECT 1 AS one") == [{"one": 1}]


def test_ctrl_c_rolls_a_transaction_back(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute("CREATE TABLE kept AS SELECT 1 AS x")

    def work() -> None:
        with warehouse.transaction():
            warehouse.execute("DROP TABLE kept")
            warehouse.execute(f"CREATE TABLE kept AS {ENDLESS}")

    interrupted(work)
    assert rows(warehouse, "SELECT x FROM kept") == [{"x": 1}]
