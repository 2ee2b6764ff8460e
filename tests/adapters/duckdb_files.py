"""Files to import, and what a warehouse then holds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.foundation.errors import UserError
from kohort.parent.definition import TableRef

ORDERS = TableRef("sales", "orders")


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
