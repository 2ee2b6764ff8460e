"""Drops what Kohort made for a source that is removed."""

from __future__ import annotations

from kohort.adapters.duckdb.event_tables_schema import OURS
from kohort.adapters.duckdb.importing import quote, text
from kohort.ports.warehouse import Warehouse


def drop_source_tables(warehouse: Warehouse, schema: str) -> list[str]:
    """Drop the tables and views of a source, and its schema if nothing else is in it; tables of others stay. Names of what was dropped."""
    mine = f"schema_name = {text(schema)} AND {OURS}"
    views = warehouse.query(f"SELECT view_name AS name FROM duckdb_views() WHERE {mine} ORDER BY 1").to_pylist()
    tables = warehouse.query(f"SELECT table_name AS name FROM duckdb_tables() WHERE {mine} ORDER BY 1").to_pylist()
    with warehouse.transaction():
        for kind, found in (("VIEW", views), ("TABLE", tables)):
            for row in found:
                warehouse.execute(f"DROP {kind} {quote(schema)}.{quote(row['name'])}")
        left = warehouse.query(f"SELECT 1 FROM information_schema.tables WHERE table_schema = {text(schema)} LIMIT 1")
        if (views or tables) and not left.num_rows:
            warehouse.execute(f"DROP SCHEMA {quote(schema)}")
    return [row["name"] for row in (*tables, *views)]
