"""The embedded warehouse: what it reads, what it writes, and what it says when something is wrong."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.foundation.errors import UserError
from kohort.parent.definition import TableRef

ORDERS = TableRef("sales", "orders")
ENDLESS = "SELECT count(*) AS n FROM range(1000000000000) AS t(x) WHERE x % 7 = 3"


@pytest.fixture
def warehouse() -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(None) as opened:
        yield opened


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") and not data.startswith(b"plain") else data)
    return str(path)


def parquet(folder: Path, name: str, **columns: list[Any]) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return str(path)


def refusal(call: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value


def rows(warehouse: DuckDBWarehouse, sql: str) -> list[dict[str, Any]]:
    return list(warehouse.query(sql).to_pylist())


def types(warehouse: DuckDBWarehouse, ref: TableRef = ORDERS) -> dict[str, str]:
    info = warehouse.table(ref)
    assert info is not None
    return {column.name: column.type for column in info.columns}


# --- queries ------------------------------------------------------------------------------------------------------


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


# --- imports --------------------------------------------------------------------------------------------------------


def test_csv_types_are_inferred_over_the_whole_file(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    late = "\n".join(f"{i},{i}" for i in range(50_000))
    file = write(tmp_path, "orders.csv", f"id,code\n{late}\n50000,x1\n")
    report = warehouse.import_files(ORDERS, [file])
    assert (report.rows, report.copied, report.files) == (50_001, True, (file,))
    assert types(warehouse) == {"id": "BIGINT", "code": "VARCHAR"}


def test_csv_values(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    content = '\ufeffOrder Id;día;at;paid;zip;note\n1;2024-01-31;2024-01-31 10:00:00;true;01234;"a; ""b""\nc"\n2;;;false;00001;\n'
    warehouse.import_files(ORDERS, [write(tmp_path, "orders.csv", content)])
    assert types(warehouse) == {
        "Order Id": "BIGINT",
        "día": "DATE",
        "at": "TIMESTAMP",
        "paid": "BOOLEAN",
        "zip": "VARCHAR",
        "note": "VARCHAR",
    }
    assert rows(warehouse, "SELECT zip, note FROM sales.orders ORDER BY 1") == [
        {"zip": "00001", "note": None},
        {"zip": "01234", "note": 'a; "b"\nc'},
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "a,b\n1,x\n"),
        ("t.csv.gz", "a,b\n1,x\n"),
        ("t.tsv", "a\tb\n1\tx\n"),
        ("t.csv", "a|b\n1|x\n"),
        ("t.jsonl", '{"a":1,"b":"x"}\n'),
        ("t.ndjson.gz", '{"a":1,"b":"x"}\n'),
    ],
)
def test_every_text_format(warehouse: DuckDBWarehouse, tmp_path: Path, name: str, content: str) -> None:
    warehouse.import_files(ORDERS, [write(tmp_path, name, content)])
    assert rows(warehouse, "SELECT * FROM sales.orders") == [{"a": 1, "b": "x"}]


def test_json_lines(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    content = '{"id":1,"mixed":5,"tags":["a","b"],"nothing":null,"Name":"é"}\n\n{"id":2,"mixed":"five","later":true}\n'
    warehouse.import_files(ORDERS, [write(tmp_path, "orders.jsonl", content)])
    assert types(warehouse) == {
        "id": "BIGINT",
        "mixed": "VARCHAR",
        "tags": "VARCHAR[]",
        "nothing": "VARCHAR",
        "Name": "VARCHAR",
        "later": "BOOLEAN",
    }
    assert [row["mixed"] for row in rows(warehouse, "SELECT mixed FROM sales.orders ORDER BY id")] == ["5", "five"]


def test_a_folder_is_united_by_column_name(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    parquet(tmp_path, "in/1.parquet", a=[1], b=["x"])
    parquet(tmp_path, "in/deep/2.parquet", c=[2.5], a=[2])
    write(tmp_path, "in/_SUCCESS", "")
    write(tmp_path, "in/.hidden.parquet", "plain")
    report = warehouse.import_files(ORDERS, [str(tmp_path / "in")])
    assert len(report.files) == 2
    assert rows(warehouse, "SELECT a, b, c FROM sales.orders ORDER BY a") == [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": None, "c": 2.5}]


def test_a_glob_and_files_named_twice(warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "o1.csv", "a,b\n1,2\n")
    write(tmp_path, "o2.csv", "b,a\n4,3\n")
    monkeypatch.chdir(tmp_path)
    assert warehouse.import_files(ORDERS, ["o*.csv", "o1.csv"]).rows == 2
    assert rows(warehouse, "SELECT a, b FROM sales.orders ORDER BY a") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_types_override(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    csv = write(tmp_path, "o.csv", "id,amount,n\n1,1.10,3\n")
    warehouse.import_files(ORDERS, [csv], types={"ID": "VARCHAR", "amount": "DECIMAL(18,2)", "n": "number"})
    assert types(warehouse) == {"id": "VARCHAR", "amount": "DECIMAL(18,2)", "n": "DOUBLE"}
    json = write(tmp_path, "o.jsonl", '{"id":1,"at":"2024-01-01T00:00:00Z"}\n')
    warehouse.import_files(ORDERS, [json], types={"at": "VARCHAR"})
    assert rows(warehouse, "SELECT * FROM sales.orders") == [{"id": 1, "at": "2024-01-01T00:00:00Z"}]
    warehouse.import_files(ORDERS, [parquet(tmp_path, "o.parquet", id=["7"], x=[1])], types={"id": "BIGINT"})
    assert types(warehouse) == {"id": "BIGINT", "x": "BIGINT"}


def test_append_goes_by_name_and_keeps_the_types(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.import_files(ORDERS, [write(tmp_path, "1.csv", "id,zip,note\n1,01234,a\n")])
    report = warehouse.import_files(ORDERS, [write(tmp_path, "2.csv", "zip,id\n98765,2\n")], append=True)
    assert report.rows == 1
    assert types(warehouse) == {"id": "BIGINT", "zip": "VARCHAR", "note": "VARCHAR"}
    assert rows(warehouse, "SELECT * FROM sales.orders WHERE id = 2") == [{"id": 2, "zip": "98765", "note": None}]
    problem = refusal(lambda: warehouse.import_files(ORDERS, [write(tmp_path, "3.csv", "id,zap\n3,x\n")], append=True))
    assert problem.code == "COLUMNS_DIFFER"
    assert "zap" in problem.message
    problem = refusal(lambda: warehouse.import_files(ORDERS, [write(tmp_path, "4.csv", "id\nabc\n")], append=True))
    assert problem.code == "TYPE_MISMATCH"
    assert rows(warehouse, "SELECT count(*) AS n FROM sales.orders") == [{"n": 2}]


def test_append_to_nothing_creates(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    assert warehouse.import_files(ORDERS, [write(tmp_path, "1.csv", "id\n1\n")], append=True).rows == 1


def test_a_view_leaves_the_files_where_they_are(warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parquet(tmp_path, "in/1.parquet", a=[1, 2])
    monkeypatch.chdir(tmp_path)
    report = warehouse.import_files(ORDERS, ["in"], as_view=True)
    assert (report.rows, report.copied) == (2, False)
    monkeypatch.chdir("/")
    parquet(tmp_path, "in/2.parquet", a=[3])
    assert rows(warehouse, "SELECT sum(a)::BIGINT AS s FROM sales.orders") == [{"s": 6}]
    info = warehouse.table(ORDERS)
    assert info is not None
    assert (info.kind, info.rows) == ("view", -1)
    problem = refusal(lambda: warehouse.import_files(ORDERS, [first], append=True))
    assert problem.code == "NOT_A_TABLE"
    warehouse.import_files(ORDERS, [first])
    assert warehouse.tables()[0].kind == "table"
    warehouse.import_files(ORDERS, [first], as_view=True)
    assert warehouse.tables()[0].kind == "view"
    Path(first).unlink()
    assert refusal(lambda: warehouse.query("SELECT * FROM sales.orders")).code == "FILE_NOT_FOUND"
    assert [info.kind for info in warehouse.tables()] == ["view"]


def test_only_parquet_can_be_a_view(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    problem = refusal(lambda: warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n")], as_view=True))
    assert (problem.code, problem.hint) == ("VIEW_NEEDS_PARQUET", "import it as a table")


def test_a_failed_import_leaves_the_table_as_it_was(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.import_files(ORDERS, [write(tmp_path, "1.csv", "id\n1\n")])
    bad = write(tmp_path, "2.csv", "id\n" + "1\n" * 300_000 + "x\n")
    problem = refusal(lambda: warehouse.import_files(ORDERS, [bad], types={"id": "BIGINT"}))
    assert problem.code == "TYPE_MISMATCH"
    assert f"{bad}:300002" in problem.message
    assert rows(warehouse, "SELECT * FROM sales.orders") == [{"id": 1}]


# --- what is wrong, and the way out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("o.parquet", "plain text, certainly not columnar", "NOT_PARQUET", "o.parquet is not a Parquet file"),
        ("o.parquet", "", "NOT_PARQUET", "is not a Parquet file"),
        ("o.csv", "", "FILE_NOT_READABLE", "o.csv is empty"),
        ("o.csv", "a,b\n1,2\n3\n", "FILE_NOT_READABLE", "o.csv:3: expected 2 columns, found 1"),
        ("o.csv", "a,A\n1,2\n", "FILE_NOT_READABLE", "o.csv:1: the column a occurs twice"),
        ("o.csv", "a,b\n1,é\n".encode("latin-1"), "FILE_NOT_READABLE", "the text is not UTF-8"),
        ("o.csv", b"a,b\0\n1,2\n", "FILE_NOT_READABLE", "is not text"),
        ("o.csv.gz", b"plain,text\n", "FILE_NOT_READABLE", "is not a gzip file"),
        ("o.jsonl", "", "FILE_NOT_READABLE", "holds no JSON object"),
        ("o.jsonl", '{"a":1}\n{"a":\n', "FILE_NOT_READABLE", "o.jsonl:"),
        ("o.jsonl", '{"a":1}\n[1]\n', "FILE_NOT_READABLE", "o.jsonl:2: not a JSON object"),
        ("o.xlsx", "plain", "FORMAT_UNKNOWN", "o.xlsx"),
    ],
)
def test_files_that_cannot_be_read(
    warehouse: DuckDBWarehouse, tmp_path: Path, name: str, content: str | bytes, code: str, said: str
) -> None:
    problem = refusal(lambda: warehouse.import_files(ORDERS, [write(tmp_path, name, content)]))
    assert problem.code == code
    assert said in problem.message
    assert "\n" not in problem.message
    assert warehouse.table(ORDERS) is None


def test_a_damaged_parquet_file(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    file = Path(parquet(tmp_path, "o.parquet", a=list(range(50_000))))
    data = bytearray(file.read_bytes())
    data[200:4000] = b"\xff" * 3800
    file.write_bytes(data)
    problem = refusal(lambda: warehouse.import_files(ORDERS, [str(file)]))
    assert problem.code == "FILE_NOT_READABLE"
    assert warehouse.table(ORDERS) is None


def test_files_that_are_not_there(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("no.csv", "no*.csv", "empty"):
        assert refusal(lambda path=path: warehouse.import_files(ORDERS, [str(tmp_path / path)])).code == "FILE_NOT_FOUND"
    write(tmp_path, "mixed/a.csv", "a\n1\n")
    parquet(tmp_path, "mixed/b.parquet", a=[1])
    problem = refusal(lambda: warehouse.import_files(ORDERS, [str(tmp_path / "mixed")]))
    assert problem.code == "FORMATS_DIFFER"
    assert warehouse.import_files(ORDERS, [str(tmp_path / "mixed")], format="csv").rows == 1


@pytest.mark.parametrize("bad", ["", "my table", "1st", "a.b", 'a"b', "information_schema", "x; DROP TABLE y"])
def test_names(warehouse: DuckDBWarehouse, tmp_path: Path, bad: str) -> None:
    file = write(tmp_path, "o.csv", "a\n1\n")
    assert refusal(lambda: warehouse.import_files(TableRef(bad, "orders"), [file])).code == "NAME_INVALID"
    assert refusal(lambda: warehouse.import_files(TableRef("sales", bad), [file])).code == "NAME_INVALID"


def test_overrides_that_do_not_fit(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    csv = write(tmp_path, "o.csv", "id,at\n1,2024-01-01\nx,2024-13-01\n")
    assert refusal(lambda: warehouse.import_files(ORDERS, [csv], types={"id": "INTEGR"})).code == "TYPE_UNKNOWN"
    assert refusal(lambda: warehouse.import_files(ORDERS, [csv], types={"id": "BIGINT), evil AS (x"})).code == "TYPE_UNKNOWN"
    unknown = refusal(lambda: warehouse.import_files(ORDERS, [csv], types={"ide": "BIGINT", "att": "DATE"}))
    assert (unknown.code, unknown.hint) == ("COLUMN_NOT_FOUND", 'did you mean "id"?')
    for name, type_name in (("id", "BIGINT"), ("at", "DATE")):
        problem = refusal(lambda name=name, type_name=type_name: warehouse.import_files(ORDERS, [csv], types={name: type_name}))
        assert problem.code == "TYPE_MISMATCH"
        assert f"{csv}:3: column {name}" in problem.message
    json = write(tmp_path, "o.jsonl", '{"id":1}\n{"id":"x"}\n')
    problem = refusal(lambda: warehouse.import_files(ORDERS, [json], types={"id": "BIGINT"}))
    assert problem.code == "TYPE_MISMATCH"
    assert f"{json}:2" in problem.message
    file = parquet(tmp_path, "o.parquet", id=["1", "x"], n=[1, 2])
    problem = refusal(lambda: warehouse.import_files(ORDERS, [file], types={"n": "VARCHAR", "id": "BIGINT"}))
    assert problem.code == "TYPE_MISMATCH"
    assert 'column id: the value "x"' in problem.message


def test_tables_that_are_not_there(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n")])
    for sql in ("SELECT * FROM sales.order", "SELECT * FROM sale.orders", "SELECT * FROM orders"):
        problem = refusal(lambda sql=sql: warehouse.query(sql))
        assert (problem.code, problem.hint) == ("TABLE_NOT_FOUND", 'did you mean "sales.orders"?')


def test_sql_errors_are_short_and_placed(warehouse: DuckDBWarehouse) -> None:
    problem = refusal(lambda: warehouse.query("SELECT 1,\n  nope FROM (SELECT 1 AS known)"))
    assert problem.code == "SQL_ERROR"
    assert "line 2, column 3: nope" in problem.message
    assert problem.hint == "known: known"
    assert "line 1, column 1: SELEC" in refusal(lambda: warehouse.query("SELEC 1")).message
    assert refusal(lambda: warehouse.query("SELECT flor(1.5)")).hint == 'did you mean "floor"?'
    for sql in (
        "SELECT CAST('x' AS INTEGER)",
        "SELECT 9223372036854775807 + 1",
        "SELECT * FROM 'https://localhost:1/x.parquet'",
        "LOAD nothing",
    ):
        problem = refusal(lambda sql=sql: warehouse.query(sql))
        assert problem.code == "SQL_ERROR"
        assert "\n" not in problem.message


# --- the file -----------------------------------------------------------------------------------------------------------


PRELUDE = """
import sys
from pathlib import Path
from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.parent.definition import TableRef
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PRELUDE + code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "state" / "warehouse.duckdb"
    with DuckDBWarehouse(path, threads=1, memory_limit="500MB", temp_directory=tmp_path / "spill") as warehouse:
        warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n")])
    with DuckDBWarehouse(path, read_only=True) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders") == [{"a": 1}]
        assert refusal(lambda: warehouse.execute("DROP TABLE sales.orders")).code == "WAREHOUSE_READ_ONLY"


def test_one_process_owns_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    owner = child("w = DuckDBWarehouse(Path(sys.argv[1]))\nprint('open', flush=True)\nimport time\ntime.sleep(60)", str(path))
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        problem = refusal(lambda: DuckDBWarehouse(path))
        assert problem.code == "WAREHOUSE_LOCKED"
        assert f"process {owner.pid}" in problem.message
    finally:
        owner.kill()
        owner.wait()
    DuckDBWarehouse(path).close()


def test_files_that_are_no_warehouse(tmp_path: Path) -> None:
    other = write(tmp_path, "w.duckdb", "something else entirely " * 1000)
    assert refusal(lambda: DuckDBWarehouse(Path(other))).code == "WAREHOUSE_CORRUPT"
    assert refusal(lambda: DuckDBWarehouse(tmp_path / "no.duckdb", read_only=True)).code == "WAREHOUSE_NOT_FOUND"
    assert refusal(lambda: DuckDBWarehouse(tmp_path / "w.duckdb" / "w.duckdb")).code == "WAREHOUSE_UNUSABLE"


def test_out_of_memory_and_out_of_temporary_space(tmp_path: Path) -> None:
    hungry = "CREATE TABLE t AS SELECT md5(range::VARCHAR) AS m FROM range(3000000) ORDER BY m"
    with DuckDBWarehouse(None, memory_limit="30MB", temp_directory=tmp_path / "spill") as warehouse:
        warehouse.execute("SET max_temp_directory_size = '2MB'")
        assert refusal(lambda: warehouse.execute(hungry)).code == "DISK_FULL"
        warehouse.execute("SET max_temp_directory_size = '10GB'")
        assert refusal(lambda: warehouse.query("SELECT list(range) FROM range(30000000)")).code == "OUT_OF_MEMORY"
        assert not warehouse.tables()


IMPORT_UNTIL_FULL = """
from kohort.foundation.errors import UserError
if len(sys.argv) > 3:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
try:
    warehouse.import_files(TableRef("sales", "orders"), [sys.argv[2]])
except UserError as error:
    print(error.code)
print(warehouse.query("SELECT count(*) AS n FROM sales.orders")["n"][0].as_py())
warehouse.close()
"""


def fill(path: Path, big: str, *limit: str) -> list[str]:
    output, _ = child(IMPORT_UNTIL_FULL, str(path), big, *limit).communicate(timeout=100)
    return output.split()


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> str:
    noise = [os.urandom(24).hex() for _ in range(400_000)]
    return parquet(tmp_path_factory.mktemp("big"), "big.parquet", noise=noise)


def small_warehouse(path: Path, tmp_path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "a\n1\n2\n")])


def test_a_file_that_may_not_grow_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    assert fill(path, big, str(4 << 20)) == ["DISK_FULL", "2"]
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here; the limit on file size above covers the same path")
    try:
        small_warehouse(disk / "w.duckdb", tmp_path)
        assert fill(disk / "w.duckdb", big) == ["DISK_FULL", "2"]
        with DuckDBWarehouse(disk / "w.duckdb") as warehouse:
            assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


KILLED_IMPORT = """
import os, signal
w = DuckDBWarehouse(Path(sys.argv[1]))
with w.transaction():
    w.import_files(TableRef("sales", "orders"), [sys.argv[2]])
    os.kill(os.getpid(), signal.SIGKILL)
"""

HALFWAY = """
w = DuckDBWarehouse(Path(sys.argv[1]))
print("open", flush=True)
while True:
    w.import_files(TableRef("sales", "orders"), [sys.argv[2]])
    w.import_files(TableRef("sales", "orders"), [sys.argv[3]])
"""


def test_kill_before_the_commit_leaves_the_old_table(tmp_path: Path, big: str) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    killed = child(KILLED_IMPORT, str(path), big)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT a FROM sales.orders ORDER BY a") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("seconds", [0.05, 0.4, 0.9])
def test_kill_at_any_moment_leaves_one_whole_table(tmp_path: Path, big: str, seconds: float) -> None:
    path = tmp_path / "w.duckdb"
    small_warehouse(path, tmp_path)
    small = write(tmp_path, "s.csv", "a\n1\n2\n")
    busy = child(HALFWAY, str(path), big, small)
    assert busy.stdout is not None
    assert busy.stdout.readline() == "open\n"
    with pytest.raises(subprocess.TimeoutExpired):
        busy.wait(timeout=seconds)
    busy.kill()
    busy.wait()
    with DuckDBWarehouse(path) as warehouse:
        assert rows(warehouse, "SELECT count(*) AS n FROM sales.orders")[0]["n"] in (2, 400_000)
