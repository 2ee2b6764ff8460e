"""Columns of the warehouse to fields, on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from kohort.parent.casting import cast_column, family, key_text
from kohort.parent.definition import FieldType
from kohort.parent.statements import statement

LOST = object()


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        yield connection


def one_row(engine: duckdb.DuckDBPyConnection, select: str, literal: str, sql_type: str) -> tuple[Any, ...]:
    query = statement(f'SELECT {select} FROM (SELECT CAST({literal} AS {sql_type}) AS "x y") AS s').sql("duckdb")
    (row,) = engine.execute(query).fetchall()
    return tuple(row)


INSTANTS: list[tuple[str, str, FieldType | None, str, Any]] = [
    ("'2024-01-01'", "VARCHAR", "timestamp", "UTC", datetime(2024, 1, 1)),
    ("'2024-01-01'", "VARCHAR", "timestamp", "America/New_York", datetime(2024, 1, 1, 5)),
    ("' 2024-01-01 10:00 '", "VARCHAR", "timestamp", "America/New_York", datetime(2024, 1, 1, 10)),
    ("'2024-01-01T10:00:00.123456Z'", "VARCHAR", "timestamp", "UTC", datetime(2024, 1, 1, 10, 0, 0, 123456)),
    ("'2024-01-01 10:00:00+02:00'", "VARCHAR", "timestamp", "UTC", datetime(2024, 1, 1, 8)),
    ("'2024-01-01 10:00:00 -0130'", "VARCHAR", "timestamp", "UTC", datetime(2024, 1, 1, 11, 30)),
    ("'2024-01-01 10:00:00 Europe/Berlin'", "VARCHAR", "timestamp", "UTC", LOST),
    ("'2024-02-30'", "VARCHAR", "timestamp", "UTC", LOST),
    ("'soon'", "VARCHAR", "timestamp", "UTC", LOST),
    ("1700000000", "BIGINT", "timestamp", "UTC", datetime(2023, 11, 14, 22, 13, 20)),
    ("-1", "INTEGER", "timestamp", "UTC", datetime(1969, 12, 31, 23, 59, 59)),
    ("1700000000000", "BIGINT", "timestamp", "UTC", LOST),
    ("9223372036854775807", "BIGINT", "timestamp", "UTC", LOST),
    ("1700000000.25", "DOUBLE", "timestamp", "UTC", datetime(2023, 11, 14, 22, 13, 20, 250000)),
    ("1700000000.25", "DECIMAL(18,2)", "timestamp", "UTC", datetime(2023, 11, 14, 22, 13, 20, 250000)),
    ("'nan'", "DOUBLE", "timestamp", "UTC", LOST),
    ("'2024-01-01 10:00:00+02:00'", "TIMESTAMPTZ", None, "America/New_York", datetime(2024, 1, 1, 8)),
    ("'2024-01-01 10:00:00.5'", "TIMESTAMP_NS", None, "UTC", datetime(2024, 1, 1, 10, 0, 0, 500000)),
    ("'infinity'", "TIMESTAMP", None, "UTC", LOST),
    ("'20000-01-01'", "TIMESTAMP", None, "UTC", LOST),
    ("'2024-07-01'", "DATE", "timestamp", "Asia/Tokyo", datetime(2024, 6, 30, 15)),
    ("'2024-11-03'", "DATE", "timestamp", "America/Havana", datetime(2024, 11, 3, 4)),  # a midnight that happens twice: the first
    ("'2024-03-10'", "DATE", "timestamp", "America/Havana", datetime(2024, 3, 10, 5)),  # a midnight that is skipped
    ("'-infinity'", "DATE", "timestamp", "Asia/Tokyo", LOST),
    ("'2024-01-01 03:00:00'", "TIMESTAMP", "date", "America/New_York", date(2023, 12, 31)),
    ("'2024-01-01T03:00:00Z'", "VARCHAR", "date", "America/New_York", date(2023, 12, 31)),
    ("'2024-01-01'", "VARCHAR", "date", "America/New_York", date(2024, 1, 1)),
    ("1704078000", "BIGINT", "date", "America/New_York", date(2023, 12, 31)),
    ("'infinity'", "DATE", None, "UTC", LOST),
]

VALUES: list[tuple[str, str, FieldType | None, str, Any]] = [
    ("5", "UTINYINT", None, "int64", 5),
    ("5", "UBIGINT", None, "int64", 5),
    ("99999999999999999999999", "HUGEINT", None, "int64", LOST),
    ("1.25", "DECIMAL(10,2)", None, "decimal", Decimal("1.25")),
    ("1.5", "FLOAT", None, "float64", 1.5),
    ("'nan'", "FLOAT", None, "float64", LOST),
    ("'-inf'", "DOUBLE", None, "float64", LOST),
    ("' 12'", "VARCHAR", "number", "float64", 12.0),
    ("'1e999'", "VARCHAR", "number", "float64", LOST),
    ("''", "VARCHAR", "number", "float64", LOST),
    ("true", "BOOLEAN", "number", "int64", 1),
    ("'Yes'", "VARCHAR", "boolean", "boolean", True),
    ("'perhaps'", "VARCHAR", "boolean", "boolean", LOST),
    ("0", "INTEGER", "boolean", "boolean", False),
    ("2", "INTEGER", "boolean", "boolean", LOST),
    ("12", "INTEGER", "string", "text", "12"),
    ("''", "VARCHAR", None, "text", ""),
    ("'{}'", "JSON", None, "text", "{}"),
    ("'10:00'", "TIME", None, "text", "10:00:00"),
    ("[1, 2]", "INTEGER[]", None, "int64_array", [1, 2]),
    ("[1, 2]", "INTEGER[2]", None, "int64_array", [1, 2]),
    ("['1', 'nan']", "DOUBLE[]", None, "float64_array", [1.0, None]),
    ("['1', 'b']", "VARCHAR[]", "number_array", "float64_array", [1.0, None]),
    ("['1', NULL]", "VARCHAR[]", None, "text_array", ["1", None]),
    ("'[1, 2]'", "VARCHAR", "number_array", "float64_array", [1.0, 2.0]),
    ('\'["a", "b"]\'', "VARCHAR", "string_array", "text_array", ["a", "b"]),
    ("'a'", "VARCHAR", "string_array", "text_array", LOST),
]


@pytest.mark.parametrize(("literal", "sql_type", "declared", "zone", "expected"), INSTANTS)
def test_times(
    engine: duckdb.DuckDBPyConnection, literal: str, sql_type: str, declared: FieldType | None, zone: str, expected: Any
) -> None:
    casting = cast_column('s."x y"', sql_type, declared, zone)
    assert casting is not None
    value, misfit = one_row(engine, f"{casting.value}, {casting.misfit}", literal, sql_type)
    assert (value, misfit) == ((None, True) if expected is LOST else (expected, False))


@pytest.mark.parametrize(("literal", "sql_type", "declared", "storage", "expected"), VALUES)
def test_values(
    engine: duckdb.DuckDBPyConnection, literal: str, sql_type: str, declared: FieldType | None, storage: str, expected: Any
) -> None:
    casting = cast_column('s."x y"', sql_type, declared, "UTC")
    assert casting is not None
    assert casting.storage == storage
    value, misfit = one_row(engine, f"{casting.value}, {casting.misfit or 'FALSE'}", literal, sql_type)
    if expected is LOST:
        assert (value, misfit) == (None, True)
    else:
        lost_element = isinstance(expected, list) and literal not in ("['1', NULL]",) and None in expected
        assert (value, misfit) == (expected, lost_element)


@pytest.mark.parametrize(
    ("sql_type", "declared"), [("BLOB", None), ("BLOB", "string"), ("DATE", "number"), ("INTEGER[]", "number"), ("INTEGER", "string_array")]
)
def test_what_cannot_be(sql_type: str, declared: FieldType | None) -> None:
    assert cast_column("x", sql_type, declared, "UTC") is None


@pytest.mark.parametrize(
    ("literal", "sql_type", "text"),
    [
        ("7", "BIGINT", "7"),
        ("7.0", "DOUBLE", "7"),
        ("7.5", "DOUBLE", "7.5"),
        ("7.00", "DECIMAL(10,2)", "7"),
        ("7.50", "DECIMAL(10,2)", "7.50"),
        ("' 7'", "VARCHAR", " 7"),
        ("'nan'", "DOUBLE", None),
        ("'2024-01-01'", "DATE", "2024-01-01"),
    ],
)
def test_keys_as_text(engine: duckdb.DuckDBPyConnection, literal: str, sql_type: str, text: str | None) -> None:
    assert one_row(engine, key_text('s."x y"', sql_type), literal, sql_type) == (text,)


def test_families() -> None:
    assert [family(name) for name in ("ENUM('a', 'b')", "timestamp with time zone", "MAP(VARCHAR, INTEGER)", "VARCHAR[][]")] == [
        "text",
        "timestamptz",
        "other",
        "array",
    ]
