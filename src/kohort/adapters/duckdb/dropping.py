"""What stands on a table and would break without it."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from kohort.adapters.duckdb.event_tables_schema import OURS
from kohort.adapters.duckdb.importing import text
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import Warehouse


def views_over(warehouse: Warehouse, ref: TableRef) -> list[str]:
    """The views that read a table, by name. A view whose text this program cannot read is taken for none."""
    found = warehouse.query(
        exp.Var(
            this="SELECT schema_name || '.' || view_name AS name, sql FROM duckdb_views() "
            "WHERE database_name = current_database() AND NOT internal AND NOT temporary ORDER BY 1"
        )
    ).to_pylist()
    return [row["name"] for row in found if row["name"].lower() != str(ref).lower() and _reads(row["sql"], ref)]


def is_of_source(warehouse: Warehouse, ref: TableRef) -> bool:
    """Whether Kohort made the table for the calls of a source."""
    where = f"{OURS} AND lower(schema_name) = lower({text(ref.database)})"
    tables = f"SELECT 1 FROM duckdb_tables() WHERE {where} AND lower(table_name) = lower({text(ref.table)})"
    views = f"SELECT 1 FROM duckdb_views() WHERE {where} AND lower(view_name) = lower({text(ref.table)})"
    return bool(warehouse.query(exp.Var(this=f"{tables} UNION ALL {views}")).num_rows)


def _reads(view_sql: str, ref: TableRef) -> bool:
    try:
        tree = sqlglot.parse_one(view_sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return False
    return any((table.db.lower(), table.name.lower()) == (ref.database.lower(), ref.table.lower()) for table in tree.find_all(exp.Table))
