"""Memory of a warehouse that a server only writes tables of sources to."""

from __future__ import annotations

from pathlib import Path

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.beside import SharedWarehouse


def limit(warehouse: DuckDBWarehouse) -> str:
    return str(warehouse.query("SELECT current_setting('memory_limit') AS found").to_pylist()[0]["found"])


def test_memory_of_a_resting_warehouse_doubles_when_it_does_not_do(tmp_path: Path) -> None:
    main = DuckDBWarehouse(tmp_path / "w.duckdb", memory_limit="1GiB")
    shared = SharedWarehouse(lambda: main, lambda: False, resting_memory="32MiB")
    found = []
    for _ in range(5):
        shared.rest()
        found.append(limit(main))
        shared.rest_with_more()
        assert limit(main) == "1.0 GiB"
    assert found == ["32.0 MiB", "64.0 MiB", "128.0 MiB", "256.0 MiB", "1.0 GiB"]
    main.close()


def test_who_uses_a_resting_warehouse_has_all_memory(tmp_path: Path) -> None:
    main = DuckDBWarehouse(tmp_path / "w.duckdb", memory_limit="1GiB")
    shared = SharedWarehouse(lambda: main, lambda: False, resting_memory="32MiB")
    shared.rest()
    with shared.use() as beside:
        assert limit(beside) == "1.0 GiB"
        shared.rest()
        assert limit(beside) == "1.0 GiB"
    shared.rest()
    assert limit(main) == "1.0 GiB"  # somebody was there a moment ago
    shared.close(main.close)
