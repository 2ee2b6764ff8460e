"""Writes a `Dataset` into a warehouse the way a refresh would, so that SQL evaluators run on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlglot import exp

from kohort.foundation.instants import format_instant
from kohort.parent.catalog import Field
from kohort.parent.definition import TableRef
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, TIMESTAMP, behavior_table, output_database, profiles_table
from kohort.ports.warehouse import Warehouse
from kohort.testing.dataset import Dataset

_SQL_TYPES = {
    "text": "VARCHAR",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "text_array": "VARCHAR[]",
    "int64_array": "BIGINT[]",
    "float64_array": "DOUBLE[]",
}
_ROWS_PER_STATEMENT = 500


def load_into(warehouse: Warehouse, dataset: Dataset, parent_id: int, number: int) -> None:
    """Create the tables of refresh `number` and the public views of parent segment `parent_id`."""
    with warehouse.transaction():
        profiles = profiles_table(parent_id, number)
        output = output_database(parent_id)
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(profiles.database)}")
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(output)}")
        _write_profiles(warehouse, dataset, profiles)
        attributes = [field.name for field in dataset.catalog.attributes]
        _view(warehouse, TableRef(output, "customers"), f"SELECT {_names([CUSTOMER_ID, *attributes])} FROM {_table(profiles)}")
        for behavior in dataset.catalog.behaviors:
            table = behavior_table(parent_id, number, behavior.name)
            _write_behavior(warehouse, dataset, behavior.name, table)
            columns = ", ".join(f"b.{_name(name)}" for name in [*(field.name for field in behavior.fields), TIMESTAMP, ARRIVAL])
            seconds = f'CAST(FLOOR(EPOCH(b.{_name(TIMESTAMP)})) AS BIGINT) AS "time"'
            query = f"SELECT p.{CUSTOMER_ID}, {columns}, {seconds} FROM {_table(table)} b JOIN {_table(profiles)} p USING ({ORDINAL})"
            _view(warehouse, TableRef(output, table.table), query)


def _write_profiles(warehouse: Warehouse, dataset: Dataset, table: TableRef) -> None:
    fields = dataset.catalog.attributes
    columns = [f"{ORDINAL} INTEGER", f"{CUSTOMER_ID} VARCHAR", *(_column(field) for field in fields)]
    rows = [
        [str(dataset.ordinals[profile.id]), _text(profile.id), *(_literal(profile.attributes.get(field.name), field) for field in fields)]
        for profile in dataset.profiles
    ]
    _create(warehouse, table, columns, rows)


def _write_behavior(warehouse: Warehouse, dataset: Dataset, name: str, table: TableRef) -> None:
    fields = dataset.catalog.behavior[name].fields
    columns = [f"{ORDINAL} INTEGER", *(_column(field) for field in fields), f"{_name(TIMESTAMP)} TIMESTAMP", f"{ARRIVAL} BIGINT"]
    owned = [(dataset.ordinals[profile.id], row) for profile in dataset.profiles for row in profile.rows.get(name, ())]
    owned.sort(key=lambda pair: (pair[0], pair[1].time, pair[1].arrival))
    rows = [
        [
            str(ordinal),
            *(_literal(row.values.get(field.name), field) for field in fields),
            _timestamp(row.time),
            str(row.arrival),
        ]
        for ordinal, row in owned
    ]
    _create(warehouse, table, columns, rows)


def _create(warehouse: Warehouse, table: TableRef, columns: list[str], rows: list[list[str]]) -> None:
    warehouse.execute(f"CREATE OR REPLACE TABLE {_table(table)} ({', '.join(columns)})")
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        tuples = ", ".join(f"({', '.join(row)})" for row in rows[start : start + _ROWS_PER_STATEMENT])
        warehouse.execute(f"INSERT INTO {_table(table)} VALUES {tuples}")


def _view(warehouse: Warehouse, view: TableRef, query: str) -> None:
    warehouse.execute(f"CREATE OR REPLACE VIEW {_table(view)} AS {query}")


def _column(field: Field) -> str:
    sql_type = f"DECIMAL(38, {field.scale})" if field.storage == "decimal" else _SQL_TYPES[field.storage]
    return f"{_name(field.name)} {sql_type}"


def _literal(value: Any, field: Field) -> str:
    if field.is_array and value is not None:
        return f"[{', '.join(_scalar(one) for one in value)}]::{_SQL_TYPES[field.storage]}"
    if field.storage == "timestamp" and value is not None:
        return _timestamp(value)
    return _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return _text(value)
        case float():
            return f"{_text(repr(value))}::DOUBLE"
        case date():
            return f"DATE '{value.isoformat()}'"
        case int():
            return str(value)
        case Decimal():
            return f"'{value:f}'::DECIMAL(38, {max(0, -int(Decimal(value).as_tuple().exponent))})"
        case _:
            raise TypeError(f"no such value in a dataset: {value!r}")


def _timestamp(micros: int) -> str:
    return f"TIMESTAMP '{format_instant(micros).removesuffix('Z')}'"


def _text(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")


def _name(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def _names(names: Sequence[str]) -> str:
    return ", ".join(_name(name) for name in names)


def _table(table: TableRef) -> str:
    return f"{_name(table.database)}.{_name(table.table)}"
