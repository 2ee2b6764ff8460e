"""The embedded warehouse: what it reads, and what it says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.parent.definition import TableRef
from tests.adapters.duckdb_files import ORDERS, parquet, refusal, rows, types, write


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
        assert problem.code == "TABLE_NOT_FOUND"
        assert problem.hint.startswith('did you mean "sales.orders"? tables')


@pytest.mark.parametrize(
    ("sql", "name", "hint"),
    [
        ("SELECT * FROM sales.order", "sales.order", 'did you mean "sales.orders"? tables of sales: orders, refunds'),
        ('SELECT * FROM "Sales"."we ird"', "Sales.we ird", "tables of sales: orders, refunds"),
        ("SELECT * FROM sale.orders AS o", "sale.orders", 'did you mean "sales.orders"? tables: sales.orders, sales.refunds'),
        ("SELECT * FROM nothing", "nothing", "tables: sales.orders, sales.refunds"),
        ("SELECT 1 FROM sales.orders JOIN sales.refund USING (a)", "sales.refund", 'did you mean "sales.refunds"? tables of sales: '),
        ("SELECT * FROM cdp_audience_1_r1.profile", "cdp_audience_1_r1.profile", 'did you mean "cdp_audience_1_r1.profiles"? tables of '),
    ],
)
def test_a_table_that_is_not_there_is_told_whole_with_near_ones_and_those_there_are(
    warehouse: DuckDBWarehouse, tmp_path: Path, sql: str, name: str, hint: str
) -> None:
    for table in (ORDERS, TableRef("sales", "refunds"), TableRef("cdp_audience_1_r1", "profiles")):
        warehouse.import_files(table, [write(tmp_path, "o.csv", "a\n1\n")])
    for asked in (lambda: warehouse.query(sql), lambda: warehouse.stream(sql), lambda: warehouse.execute(f"CREATE VIEW x AS {sql}")):
        problem = refusal(asked)
        assert (problem.code, problem.message) == ("TABLE_NOT_FOUND", f"there is no table {name}")
        assert problem.hint.startswith(hint)


@pytest.mark.parametrize(
    ("sql", "told", "hint"),
    [
        (
            "SELECT\n  amuont FROM sales.orders",
            "amuont in sales.orders (line 2, column 3: amuont)",
            'did you mean "amount"? sales.orders has amount, day',
        ),
        ("SELECT o.zz FROM sales.orders o, sales.refunds r", "zz in sales.orders (", "sales.orders has amount, day"),
        (
            "SELECT zz FROM sales.orders o JOIN sales.refunds r ON true",
            "zz in sales.orders or sales.refunds (",
            "sales.orders has amount, day; sales.refunds has reason",
        ),
        ("WITH t AS (SELECT amount FROM sales.orders) SELECT amoun FROM t", "amoun (", "known: amount"),
        ("SELECT amoun FROM (SELECT amount FROM sales.orders)", "amoun (", "known: amount"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_those_there_are(
    warehouse: DuckDBWarehouse, tmp_path: Path, sql: str, told: str, hint: str
) -> None:
    warehouse.import_files(ORDERS, [write(tmp_path, "o.csv", "amount,day\n1,2\n")])
    warehouse.import_files(TableRef("sales", "refunds"), [write(tmp_path, "r.csv", "reason\nx\n")])
    for asked in (lambda: warehouse.query(sql), lambda: warehouse.stream(sql)):
        problem = refusal(asked)
        assert (problem.code, problem.hint) == ("COLUMN_NOT_FOUND", hint)
        assert problem.message.startswith(f"there is no column {told}")


def test_sql_errors_are_short_and_placed(warehouse: DuckDBWarehouse) -> None:
    problem = refusal(lambda: warehouse.query("SELECT 1,\n  nope FROM (SELECT 1 AS known)"))
    assert problem.code == "COLUMN_NOT_FOUND"
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
