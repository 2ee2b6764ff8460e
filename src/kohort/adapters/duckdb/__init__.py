"""The embedded warehouse: one DuckDB file. A database of Kohort is a schema of that file."""

from kohort.adapters.duckdb.warehouse import DuckDBWarehouse

__all__ = ["DuckDBWarehouse"]
