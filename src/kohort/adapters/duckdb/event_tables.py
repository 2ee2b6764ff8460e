"""The tables of sources in DuckDB: rows, users, identity and the place in the log, in one transaction a flush."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from kohort.adapters.duckdb import errors
from kohort.adapters.duckdb import event_tables_identity as graph
from kohort.adapters.duckdb.event_tables_batch import (
    Discard,
    Owners,
    arrange,
    discard_columns,
    insert,
    lay_over,
    may_read_variables,
    packed,
    refused,
    with_owners,
)
from kohort.adapters.duckdb.event_tables_schema import OURS, Catalog, Connection, TableState
from kohort.adapters.duckdb.event_tables_views import are_of_this_version, put_views
from kohort.adapters.duckdb.event_tables_views import renew as renew_views
from kohort.adapters.duckdb.importing import quote
from kohort.events.columns import CALL_TABLES, COMMON_COLUMNS, DISCARDS, INSTANTS, REJECTS
from kohort.events.identity import PROFILE_ID, GraphUpdate, Profile
from kohort.ports.event_log import Position
from kohort.ports.event_tables import Flush, SourceFlush, TableRows, WriteReport

Result = TypeVar("Result")

STATE_SCHEMA: Final = "kohort_events"
READER: Final = "tables"
MAX_COLUMNS: Final = 1_600
CHECKPOINT_AT: Final = "32MB"
"""Size of the engine's own log at which it is worked into the file: oftener, and the ends of all tables are compressed again and again."""
TABLE_TAKEN: Final = "table_taken"
"""Why whole rows are in `discards`: a table that Kohort did not make has the name."""

_POSITION_COLUMNS: Final = {"reader": "VARCHAR", "position": "BIGINT", "written_at": "TIMESTAMP"}


@dataclass(slots=True)
class _Outcome:
    """What a transaction has done so far."""

    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    discards: dict[str, int] = field(default_factory=dict)


class DuckDBEventTables:
    """Writes the tables of sources over connections of its own; evaluations go on beside it. For one thread.

    connect: opens a connection to the warehouse; it is called again when the engine gave up on the last one. max_columns: of one table;
    what is beyond goes into its column `overflow`. more_memory: called when the engine's memory did not suffice, before it is tried again.
    """

    def __init__(
        self, connect: Callable[[], Connection], max_columns: int = MAX_COLUMNS, more_memory: Callable[[], None] | None = None
    ) -> None:
        self._connect = connect
        self._more_memory = more_memory
        self._max_columns = max_columns
        self._connection = may_read_variables(connect())
        self._connection.execute(f"SET checkpoint_threshold = '{CHECKPOINT_AT}'")
        self._catalog = Catalog()
        self._counters: dict[str, tuple[int, int]] = {}
        self._with_graph: set[str] = set()
        self._committer = ThreadPoolExecutor(1, "kohort-commit")
        self._second: Connection | None = None

    def upgrade(self) -> None:
        """Make the views of sources as this program makes them, if another one made them. Raises UserError."""

        def renew() -> None:
            state = self._seen(self._connection, STATE_SCHEMA)
            if state.find(STATE_SCHEMA, "positions") and not are_of_this_version(self._connection, state, STATE_SCHEMA):
                renew_views(self._connection, state, STATE_SCHEMA)

        self._reading(renew)

    def position(self) -> Position:
        """Up to where the log is in the tables; 0 before the first write."""

        def read() -> Position:
            state = self._seen(self._connection, STATE_SCHEMA).find(STATE_SCHEMA, "positions")
            if state is None or not state.ours:
                return Position(0)
            row = self._connection.execute(f"SELECT max(position) FROM {state.sql} WHERE reader = '{READER}'").fetchone()
            return Position((row[0] or 0) if row else 0)

        return self._reading(read)

    def write(self, flush: Flush, meanwhile: Callable[[], None] = lambda: None) -> WriteReport:
        """Everything of a flush and its position in one transaction. Raises UserError; nothing of the flush is there then.

        meanwhile: called while the engine makes it last, which takes a quarter of the time and leaves this thread alone.
        """
        try:
            return self._written(flush, meanwhile)
        except duckdb.Error as error:
            self._start_over(error)
            raise errors.statement_error(error, dict) from error

    def packed(self, rows: TableRows) -> TableRows:
        """The same rows with their columns of text and instants as Arrow."""
        return replace(rows, packed=packed(rows.columns))

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Rows of every table of every source, by (source, table)."""

        def read() -> dict[tuple[str, str], int]:
            query = f"SELECT schema_name, table_name FROM duckdb_tables() WHERE {OURS} AND schema_name <> '{STATE_SCHEMA}' ORDER BY ALL"
            tables = self._connection.execute(query).fetchall()
            if not tables:
                return {}
            counts = ", ".join(f"(SELECT count(*) FROM {quote(schema)}.{quote(table)})" for schema, table in tables)
            row = self._connection.execute(f"SELECT {counts}").fetchone() or ()
            return dict(zip(tables, row, strict=True))

        return self._reading(read)

    def next_profile(self, source: str) -> int:
        """The number of the next new profile of a source; 1 for the first."""
        return self._beside(lambda connection: self._counted(connection, source)[0])

    def profiles_of(self, source: str, hashes: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], int]:
        """Hashes of external ids -> the number of the profile they are of by now; unknown ones are left out."""

        def read(connection: Connection) -> dict[tuple[int, int], int]:
            return graph.profiles_of(connection, source, hashes) if hashes and self._has_graph(connection, source) else {}

        return self._beside(read)

    def profiles(self, source: str, numbers: Sequence[int]) -> Sequence[Profile]:
        """What resolution needs of profiles that have not been merged away."""

        return self._beside(lambda connection: graph.profiles(connection, source, numbers) if numbers else [])

    def close(self) -> None:
        """Give the connections back."""
        self._committer.shutdown()
        self._connection.close()
        self._forget_second()

    # --- one transaction ----------------------------------------------------------------------------------------

    def _written(self, flush: Flush, meanwhile: Callable[[], None]) -> WriteReport:
        schemas = {STATE_SCHEMA, *(each.source for each in flush.sources)}
        outcome = _Outcome()
        try:
            self._connection.execute("BEGIN TRANSACTION")
            self._catalog.look(self._connection, schemas)
            counters = {source: self._write_source(flush.sources.pop(0), outcome) for source in [each.source for each in flush.sources]}
            self._write_position(flush)
            put_views(self._connection, self._catalog)
            self._catalog.settle(self._connection, schemas)
            self._commit(meanwhile)
        except BaseException:
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            self._catalog.forget()
            self._counters.clear()
            self._with_graph.clear()
            raise
        self._counters.update(counters)
        pa.default_memory_pool().release_unused()
        return WriteReport(outcome.rows, outcome.discards)

    def _commit(self, meanwhile: Callable[[], None]) -> None:
        done = self._committer.submit(self._connection.execute, "COMMIT")
        try:
            meanwhile()
        finally:
            done.result()

    def _write_source(self, flush: SourceFlush, outcome: _Outcome) -> tuple[int, int]:
        discards: list[Discard] = []
        owners = np.array(flush.profiles, dtype=np.int64)
        next_profile, next_seq = self._counted(self._connection, flush.source)
        if flush.profiles:
            next_seq = graph.write_changes(self._connection, self._catalog, flush.source, flush.identity, next_seq)
            next_profile = max([next_profile, *(each.number + 1 for each in flush.identity if isinstance(each, GraphUpdate))])
        for rows in flush.tables:
            self._append(flush.source, rows, owners, discards, outcome)
        if flush.users is not None and flush.users.count:
            self._append(flush.source, flush.users, owners, discards, outcome, lay=True)
        if discards:
            self._append(flush.source, TableRows(DISCARDS, discard_columns(discards), len(discards)), owners, [], outcome)
        found = sum(rows.count for rows in flush.tables if rows.table == DISCARDS) + len(discards)
        if found:
            outcome.discards[flush.source] = found
        return next_profile, next_seq

    def _append(self, source: str, rows: TableRows, owners: Owners, discards: list[Discard], outcome: _Outcome, lay: bool = False) -> None:
        state = self._table(source, rows)
        if state is None:
            discards += refused(rows.table, rows.columns, rows.count, TABLE_TAKEN)
            return
        batch = arrange(self._connection, self._catalog, state, rows, self._max_columns, discards)
        if rows.numbers is not None:
            batch = with_owners(batch, owners[rows.numbers])
        added = (lay_over if lay else insert)(self._connection, state, batch)
        outcome.rows[source, rows.table] = outcome.rows.get((source, rows.table), 0) + added

    def _table(self, source: str, rows: TableRows) -> TableState | None:
        """The table of rows, made if need be; None when somebody else's has the name."""
        there = self._catalog.find(source, rows.table)
        if there is not None and not there.is_view and there.ours:
            return there
        if rows.table in (DISCARDS, REJECTS):
            return self._catalog.ensure(self._connection, source, rows.table, {"received_at": "TIMESTAMP"}, f"{rows.table} of {source}")
        if there is not None and not there.ours:
            return None
        if rows.numbers is None:
            columns = {"id": "VARCHAR", "received_at": "TIMESTAMP"}
        else:
            columns = {name: "TIMESTAMP" if name in INSTANTS else "VARCHAR" for name in (*COMMON_COLUMNS, PROFILE_ID)}
        what = "calls" if rows.table in CALL_TABLES.values() else rows.table
        return self._catalog.create(self._connection, source, rows.table, columns, f"{what} of the source {source}")

    def _write_position(self, flush: Flush) -> None:
        state = self._catalog.ensure(
            self._connection, STATE_SCHEMA, "positions", _POSITION_COLUMNS, "up to where the log of calls has been read"
        )
        self._connection.execute(f"DELETE FROM {state.sql} WHERE reader = '{READER}'")
        self._connection.execute(f"INSERT INTO {state.sql} VALUES ('{READER}', {flush.position.number}, make_timestamp({flush.at}))")

    # --- reading ------------------------------------------------------------------------------------------------

    def _seen(self, connection: Connection, schema: str) -> Catalog:
        self._catalog.look(connection, [schema])
        return self._catalog

    def _has_graph(self, connection: Connection, source: str) -> bool:
        """Whether a source's graph is there for everybody: tables that are being made are not."""
        if source not in self._with_graph and graph.exists(connection, source):
            self._with_graph.add(source)
        return source in self._with_graph

    def _counted(self, connection: Connection, source: str) -> tuple[int, int]:
        if source not in self._counters:
            self._counters[source] = graph.counters(connection, source) if self._has_graph(connection, source) else (1, 1)
        return self._counters[source]

    def _beside(self, read: Callable[[Connection], Result]) -> Result:
        """Read over a connection that is free while the other one commits."""
        if self._second is None:
            self._second = may_read_variables(self._connect())
        try:
            return read(self._second)
        except duckdb.Error as error:
            self._forget_second()
            raise errors.statement_error(error, dict) from error

    def _forget_second(self) -> None:
        if self._second is not None:
            with suppress(duckdb.Error):
                self._second.close()
            self._second = None

    def _reading(self, read: Callable[[], Result]) -> Result:
        try:
            return read()
        except duckdb.Error as first:
            self._start_over(first)
        try:
            return read()
        except duckdb.Error as error:
            raise errors.statement_error(error, dict) from error

    def _start_over(self, error: duckdb.Error) -> None:
        """Forget what was known, and go on outside of any transaction; after a fatal error on other connections."""
        self._catalog.forget()
        self._counters.clear()
        self._with_graph.clear()
        with suppress(duckdb.Error):
            self._connection.execute("ROLLBACK")
        if isinstance(error, duckdb.OutOfMemoryException) and self._more_memory is not None:
            self._more_memory()
        if isinstance(error, duckdb.FatalException | duckdb.ConnectionException):
            self._forget_second()
            with suppress(duckdb.Error):
                self._connection.close()
            self._connection = may_read_variables(self._connect())


__all__ = ["MAX_COLUMNS", "STATE_SCHEMA", "DuckDBEventTables"]
