"""The tables of the last refresh as Parquet, for engines that cannot read the warehouse: integer ordinals, in their order.

Beside each array column stands has_<column>, because ClickHouse has no null arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb

from bench.measured import Measured
from bench.shop import open_shop, refreshed
from kohort.parent.catalog import Field
from kohort.parent.definition import TableRef
from kohort.parent.layout import behavior_table, profiles_table

PROFILES = "profiles"
HAS = "has_"
ROWS_IN_GROUP = 122_880
Connection = duckdb.DuckDBPyConnection


def exported(folder: Path) -> Path:
    """Where the files are."""
    return folder / "exported"


def measure_export(folder: Path, _: Mapping[str, Any]) -> Measured:
    """Write the files, unless those of this refresh are there."""
    shop = open_shop(folder)
    try:
        record, last, catalog = refreshed(shop)
        warehouse = shop.workspace.state / "warehouse.duckdb"
    finally:
        shop.close()
    into = exported(folder)
    mark, wanted = into / "refresh.txt", f"{last.number} {last.started_at.isoformat()}"
    started = perf_counter()
    made = not mark.exists() or mark.read_text() != wanted
    if made:
        into.mkdir(exist_ok=True)
        mark.unlink(missing_ok=True)
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            _write(connection, profiles_table(record.id, last.number), catalog.attributes, into / f"{PROFILES}.parquet")
            for behavior in catalog.behaviors:
                _write(connection, behavior_table(record.id, last.number, behavior.name), (), into / f"{behavior.name}.parquet")
        mark.write_text(wanted)
    size = sum(file.stat().st_size for file in into.glob("*.parquet"))
    return Measured(perf_counter() - started, {"bytes": size, "made": made})


def _write(connection: Connection, table: TableRef, fields: Sequence[Field], file: Path) -> None:
    flags = "".join(f', "{field.name}" IS NOT NULL AS "{HAS}{field.name}"' for field in fields if field.is_array)
    query = f'SELECT *{flags} FROM "{table.database}"."{table.table}"'
    connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROWS_IN_GROUP})")
