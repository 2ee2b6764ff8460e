"""A process of its own that writes the tables of a log and is killed by its parent at any moment: python -m ... LOG WAREHOUSE."""

from __future__ import annotations

import sys
from pathlib import Path

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.adapters.eventlog import SQLiteEventLog
from kohort.events.model import SourceRules
from kohort.services.loading.load import Loader


def main(log: Path, warehouse: Path) -> None:
    with DuckDBWarehouse(warehouse) as opened:
        tables = DuckDBEventTables(opened.connection)
        tables._connection.execute("SET checkpoint_threshold = '64KB'")
        loader = Loader(SQLiteEventLog(log), tables, lambda _: SourceRules(), flush_calls=50)
        print("ready", flush=True)
        loader.drain()
        print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
