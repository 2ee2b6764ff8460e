"""What was read of the warehouse, kept until it changes: what there is and what is in it is asked of the engine at every look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

from kohort.adapters.duckdb.importing import quote
from kohort.foundation.errors import UserError
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import ColumnInfo, TableInfo

T = TypeVar("T")
MOST: Final = 64
LONGEST_SECONDS: Final = 2.0
"""Columns of views over files are read again after this: files change, and nobody says so."""

_OURS: Final = "database_name = current_database() AND NOT internal AND NOT temporary"
_RELATIONS: Final = f"""
SELECT schema_name, table_name, 'table' AS kind, concat(table_oid, ' ', sql) FROM duckdb_tables() WHERE {_OURS}
UNION ALL
SELECT schema_name, view_name, 'view', concat(view_oid, ' ', column_count) FROM duckdb_views() WHERE {_OURS}
"""
_COLUMNS: Final = """
SELECT schema_name, table_name, column_index, column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal
"""


class Engine(Protocol):
    """Runs queries."""

    def query(self, statement: str) -> pa.Table:
        """All rows."""
        ...


class Kept:
    """Answers with what was seen before they were read: they may be newer than that, and are read again then, but never older."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, tuple[Hashable, float, Any]] = {}

    def structure(self, engine: Engine) -> Sequence[TableInfo]:
        """Every table and view with its columns, by database and name; `rows` is -1, they are not counted."""
        relations = sorted(_rows(engine, _RELATIONS))
        return self._get("structure", tuple(relations), lambda: _structure(engine, relations), LONGEST_SECONDS)

    def get(self, engine: Engine, key: Hashable, tables: Sequence[TableRef], make: Callable[[], T]) -> T:
        """What `make` gives, made before when no table has been made, changed or dropped since, nor got or lost rows.

        Nobody may change it. Rows changed in place are not noticed; what stands on a view is made every time.
        """
        seen = _seen(engine, tables)
        return make() if seen is None else self._get(key, seen, make)

    def forget(self) -> None:
        """Everything is read anew."""
        with self._lock:
            self._answers.clear()

    def _get(self, key: Hashable, seen: Hashable, make: Callable[[], T], longest_seconds: float = float("inf")) -> T:
        began = time.monotonic()
        with self._lock:
            before = self._answers.get(key)
        if before is not None and before[0] == seen and began - before[1] < longest_seconds:
            known: T = before[2]
            return known
        made = make()
        with self._lock:
            while len(self._answers) >= MOST:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = (seen, began, made)
        return made


def _structure(engine: Engine, relations: Sequence[tuple[Any, ...]]) -> tuple[TableInfo, ...]:
    grouped = groupby(sorted(_rows(engine, _COLUMNS)), key=lambda row: row[:2])
    columns = {place: tuple(ColumnInfo(name, sql_type) for *_, name, sql_type in rows) for place, rows in grouped}
    there = [(schema, name, kind) for schema, name, kind, _ in relations if (schema, name) in columns]
    return tuple(TableInfo(TableRef(schema, name), kind, -1, columns[schema, name]) for schema, name, kind in there)


def _seen(engine: Engine, tables: Sequence[TableRef]) -> Hashable | None:
    """Another value after any of the tables changed; None: it cannot be told."""
    wanted = {(ref.database.lower(), ref.table.lower()) for ref in tables}
    found = sorted(row for row in _rows(engine, _RELATIONS) if (row[0].lower(), row[1].lower()) in wanted)
    if any(kind == "view" for _, _, kind, _ in found):
        return None
    counts = [f"(SELECT concat(count(*), ' ', max(rowid)) FROM {quote(schema)}.{quote(name)})" for schema, name, *_ in found]
    try:
        return tuple(found), tuple(_rows(engine, f"SELECT {', '.join(counts)}")) if counts else ()
    except UserError:  # dropped in between
        return None


def _rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    found = engine.query(sql)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
