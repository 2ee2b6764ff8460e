"""What tables of sources exist, whose they are, and how they grow. A table that Kohort did not make is never written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb

from kohort.adapters.duckdb.event_tables_types import EXACT_IN_DOUBLE, FLAGS_OF_TYPE, FLOAT, INTEGER, LONG, text_cast, type_of
from kohort.adapters.duckdb.importing import quote, text
from kohort.foundation.errors import UserError

Connection = duckdb.DuckDBPyConnection

MARK: Final = "written by Kohort"
"""How the comment of a table or view begins that may be written to."""

OURS: Final = f"database_name = current_database() AND starts_with(comment, '{MARK}')"

_LISTING: Final = """
SELECT schema_name, table_name, false, table_oid, column_count, comment FROM duckdb_tables()
WHERE database_name = current_database() AND schema_name IN ({schemas})
UNION ALL
SELECT schema_name, view_name, true, view_oid, column_count, comment FROM duckdb_views()
WHERE database_name = current_database() AND schema_name IN ({schemas})
"""
_COLUMNS: Final = """
SELECT table_name, column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = {schema} AND table_oid IN ({oids}) ORDER BY table_oid, column_index
"""


@dataclass(slots=True)
class TableState:
    """A table or view as it is now. columns: name -> type in DuckDB's words; empty for views and tables of others."""

    schema: str
    name: str
    ours: bool
    is_view: bool = False
    oid: int = 0
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        return f"{quote(self.schema)}.{quote(self.name)}"


class Catalog:
    """The tables of some schemas as last seen; `changed` collects those that were made or got other columns since `settle`."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, TableState]] = {}
        self.changed: dict[tuple[str, str], TableState] = {}

    def look(self, connection: Connection, schemas: Iterable[str]) -> None:
        """See what others did meanwhile. Columns are read again only of tables that are new or differ."""
        wanted = sorted(set(schemas))
        rows = connection.execute(_LISTING.format(schemas=", ".join(map(text, wanted)) or "''")).fetchall()
        seen: dict[str, dict[str, TableState]] = {schema: {} for schema in wanted}
        stale: dict[str, list[TableState]] = {}
        for schema, name, is_view, oid, count, comment in rows:
            known = self._tables.get(schema, {}).get(name.lower())
            ours = bool(comment) and comment.startswith(MARK)
            if (
                known is not None
                and (known.oid, known.ours, known.is_view) == (oid, ours, is_view)
                and (is_view or len(known.columns) == count)
            ):
                seen[schema][name.lower()] = known
                continue
            state = seen[schema][name.lower()] = TableState(schema, name, ours, is_view, oid)
            if not is_view:
                stale.setdefault(schema, []).append(state)
        for schema, states in stale.items():
            self._read_columns(connection, schema, states)
        self._tables.update(seen)

    def find(self, schema: str, name: str) -> TableState | None:
        """Capital letters do not matter."""
        return self._tables.get(schema, {}).get(name.lower())

    def of(self, schema: str) -> Sequence[TableState]:
        """Every table and view of a schema."""
        return tuple(self._tables.get(schema, {}).values())

    def forget(self) -> None:
        """What is known may be wrong: look again."""
        self._tables.clear()
        self.changed.clear()

    def settle(self, connection: Connection, schemas: Iterable[str]) -> None:
        """Before a commit: learn the numbers of tables just made."""
        if self.changed:
            self.changed.clear()
            self.look(connection, schemas)

    # --- changes ------------------------------------------------------------------------------------------------

    def create(self, connection: Connection, schema: str, name: str, columns: Mapping[str, str], comment: str) -> TableState:
        """A new table of ours. A view of ours that has the name gives way."""
        there = self.find(schema, name)
        state = TableState(schema, name, True, columns=dict(columns))
        if there is not None and there.is_view and there.ours:
            connection.execute(f"DROP VIEW {there.sql}")
        elif there is not None:
            raise taken(there)
        written = ", ".join(f"{quote(column)} {sql_type}" for column, sql_type in columns.items())
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        connection.execute(f"CREATE TABLE {state.sql} ({written})")
        connection.execute(f"COMMENT ON TABLE {state.sql} IS {text(f'{MARK}: {comment}')}")
        return self._note(state)

    def ensure(self, connection: Connection, schema: str, name: str, columns: Mapping[str, str], comment: str) -> TableState:
        """A table of ours with at least these columns. Raises UserError TABLE_TAKEN."""
        state = self.find(schema, name)
        if state is None or (state.is_view and state.ours):
            return self.create(connection, schema, name, columns, comment)
        if not state.ours:
            raise taken(state)
        for column, sql_type in columns.items():
            if column not in state.columns:
                self.add_column(connection, state, column, sql_type)
        return state

    def add_column(self, connection: Connection, state: TableState, column: str, sql_type: str) -> None:
        connection.execute(f"ALTER TABLE {state.sql} ADD COLUMN {quote(column)} {sql_type}")
        state.columns[column] = sql_type
        self._note(state)

    def widen(self, connection: Connection, state: TableState, column: str, flags: int) -> None:
        """Make room for values of these kinds beside those that the column holds. Columns of types not ours stay as they are."""
        present = FLAGS_OF_TYPE.get(state.columns[column])
        if present is None or flags | present == present:
            return
        if present == INTEGER and flags & FLOAT and self._has_long_numbers(connection, state, column):
            present |= LONG
        wanted = type_of(flags | present)
        if wanted == state.columns[column]:
            return
        name = quote(column)
        using = text_cast(name, state.columns[column]) if wanted == "VARCHAR" else f"CAST({name} AS {wanted})"
        connection.execute(f"ALTER TABLE {state.sql} ALTER COLUMN {name} SET DATA TYPE {wanted} USING {using}")
        state.columns[column] = wanted
        self._note(state)

    def put_view(self, connection: Connection, schema: str, name: str, query: str, comment: str) -> bool:
        """Make or renew a view of ours; False when the name is taken."""
        there = self.find(schema, name)
        if there is not None and not (there.is_view and there.ours):
            return False
        state = TableState(schema, name, True, is_view=True)
        connection.execute(f"CREATE OR REPLACE VIEW {state.sql} AS {query}")
        connection.execute(f"COMMENT ON VIEW {state.sql} IS {text(f'{MARK}: {comment}')}")
        self._tables.setdefault(schema, {})[name.lower()] = state
        return True

    def _note(self, state: TableState) -> TableState:
        self._tables.setdefault(state.schema, {})[state.name.lower()] = state
        self.changed[state.schema, state.name] = state
        return state

    def _has_long_numbers(self, connection: Connection, state: TableState, column: str) -> bool:
        name = quote(column)
        found = connection.execute(
            f"SELECT 1 FROM {state.sql} WHERE {name} > {EXACT_IN_DOUBLE} OR {name} < -{EXACT_IN_DOUBLE} LIMIT 1"
        ).fetchall()
        return bool(found)

    def _read_columns(self, connection: Connection, schema: str, states: Sequence[TableState]) -> None:
        by_name = {state.name: state for state in states}
        query = _COLUMNS.format(schema=text(schema), oids=", ".join(str(state.oid) for state in states))
        for table, column, sql_type in connection.execute(query).fetchall():
            by_name[table].columns[column.lower()] = sql_type


def taken(state: TableState) -> UserError:
    """Somebody else's table has a name that Kohort needs."""
    kind = "view" if state.is_view else "table"
    return UserError(
        "TABLE_TAKEN",
        f"the {kind} {state.schema}.{state.name} was not made by Kohort; nothing is written to it",
        hint=f"give it another name or another database: calls of the source {state.schema} wait in the log meanwhile",
    )
