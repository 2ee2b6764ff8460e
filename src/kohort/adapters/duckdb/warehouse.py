"""The warehouse on a DuckDB file, owned by one process at a time."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

import duckdb
import pyarrow as pa
from sqlglot import exp

from kohort.adapters.duckdb import errors, importing, missing, views
from kohort.adapters.duckdb.files import SourceFiles, find_files
from kohort.adapters.duckdb.importing import described, quote, text
from kohort.adapters.duckdb.running import InterruptibleRunner
from kohort.foundation.errors import UserError
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import ColumnInfo, FileFormat, ImportReport, NumberedRows, Statement, TableInfo

Result = TypeVar("Result")
_Connection = duckdb.DuckDBPyConnection

_NAME = re.compile(r"[^\W\d]\w{0,126}")
_MEMORY_LIMIT = "60%"
_INCOMING = "kohort incoming rows"
_RESERVED = ("information_schema", "pg_catalog", "system", "temp")


class DuckDBWarehouse:
    """One DuckDB file (path None: in memory). Only this class and its neighbours know the engine.

    Every call runs on one background thread, so that Ctrl-C stops it at once: KeyboardInterrupt is raised after the running
    statement has ended, and an open transaction rolls back. Not for concurrent use by several threads, but for streams,
    each of which has its own connection.
    """

    dialect = "duckdb"

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        memory_limit: str | None = None,
        threads: int | None = None,
        temp_directory: Path | None = None,
    ) -> None:
        """memory_limit: e.g. "4GB" or "50%" (default: 60 % of the machine's); temp_directory: where big sorts spill."""
        self._path = path
        self._read_only = read_only
        self._config = _config(path, memory_limit, threads, temp_directory)
        self._runner = InterruptibleRunner()
        self._streams: WeakSet[_Connection] = WeakSet()
        self._depth = 0
        self._main = self._open()

    def __enter__(self) -> DuckDBWarehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading ------------------------------------------------------------------------------------------------

    def tables(self) -> Sequence[TableInfo]:
        """Every table and view, by database and name."""
        return self._listing("")

    def table(self, ref: TableRef) -> TableInfo | None:
        """One table, or None. Capital letters in names do not matter."""
        where = f"AND lower(schema_name) = lower({text(ref.database)}) AND lower(table_name) = lower({text(ref.table)})"
        found = self._listing(where)
        return found[0] if found else None

    def query(self, statement: Statement) -> pa.Table:
        """All rows of a query, in memory."""
        sql = self._sql(statement)
        try:
            return self._guarded(lambda: self._arrow(self._main, sql), raw=True)
        except duckdb.Error as error:
            raise self._placed(error, sql) from error

    def stream(self, statement: Statement, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query in batches. Inside a transaction they are read into memory first.

        Text must be one statement that only reads. Raises UserError NOT_A_QUERY.
        """
        if self._depth:
            return self.query(statement).to_reader(max_chunksize=batch_rows)
        sql = self._sql(statement)
        if isinstance(statement, str):
            self._guarded(lambda: _check_reads(statement))
        connection = self._main.cursor()
        self._streams.add(connection)
        try:
            reader = self._guarded(lambda: connection.sql(sql).to_arrow_reader(batch_rows), connection, raw=True)
        except duckdb.Error as error:
            raise self._placed(error, sql) from error
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, connection))

    def numbered(self, ref: TableRef) -> NumberedRows | None:
        """How to read the rows of a view over Parquet files with their places, on several threads; None: it is no such view."""
        where = f"lower(schema_name) = lower({text(ref.database)}) AND lower(view_name) = lower({text(ref.table)})"
        found = self.query(f"SELECT sql FROM duckdb_views() WHERE database_name = current_database() AND {where}").to_pylist()
        return views.numbered_rows(self, found[0]["sql"]) if len(found) == 1 else None

    # --- writing ------------------------------------------------------------------------------------------------

    def limit_memory(self, limit: str | None) -> None:
        """Memory that the engine may use from now on, e.g. "256MB"; None: as when it was opened. What it keeps beyond that goes to disk."""
        wanted = limit or str(self._config["memory_limit"])
        with suppress(duckdb.Error):  # more is in use at this moment: it stays as it is
            self._guarded(lambda: self._main.execute(f"SET memory_limit = {text(wanted)}"), raw=True)

    def execute(self, statement: Statement) -> None:
        """Run a statement that returns nothing."""
        sql = self._sql(statement)
        try:
            self._guarded(lambda: _run_to_end(self._main, sql), raw=True)
        except duckdb.Error as error:
            raise self._translated(error, sql, written=isinstance(statement, str)) from error

    def append_rows(self, ref: TableRef, rows: pa.RecordBatchReader) -> int:
        """Add rows to a table, column by column in their order; the number of rows. Values are converted to the table's types."""
        connection = self._main if self._depth else self._main.cursor()

        def insert() -> int:
            connection.register(_INCOMING, rows)
            try:
                found = connection.execute(f"INSERT INTO {_quoted(ref)} SELECT * FROM {quote(_INCOMING)}").fetchone()
                return int(found[0]) if found else 0
            finally:
                connection.unregister(_INCOMING)

        try:
            return self._guarded(insert, connection)
        finally:
            if connection is not self._main:
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside take effect together, or none does. Inside another transaction: part of that one."""
        self._depth += 1
        try:
            if self._depth > 1:
                yield
                return
            self._guarded(lambda: _run_to_end(self._main, "BEGIN TRANSACTION"))
            try:
                yield
                self._settled("COMMIT")
            except BaseException:
                with suppress(UserError):
                    self._settled("ROLLBACK")
                raise
        finally:
            self._depth -= 1

    def import_files(
        self,
        ref: TableRef,
        paths: Sequence[str],
        *,
        format: FileFormat | None = None,
        types: Mapping[str, str] | None = None,
        as_view: bool = False,
        append: bool = False,
    ) -> ImportReport:
        """Create `ref` from files, folders or globs (replacing it unless `append`); `types` overrides inferred column types.

        CSV needs column names in its first line. A view over a folder or a glob also sees files that come later.
        Raises UserErrors; the table is then as it was.
        """
        _check_names(ref)
        source = find_files(paths, format)
        if as_view:
            return self._import_view(ref, source, types or {}, append)
        there = self.table(ref) if append else None
        if there is not None and there.kind == "view":
            raise UserError(
                "NOT_A_TABLE", f"{ref} is a view; rows cannot be added to it", hint="add the file to its folder, or import it as a table"
            )
        known = self._guarded(lambda: importing.checked_types(self, types or {}))
        if there is not None:
            known = {**self._append_types(there, source), **known}
        with self._import_errors(source, known):
            query = self._guarded(lambda: importing.source_query(self, source, known), raw=True)
            rows = self._append(there, query) if there is not None else self._replace(ref, query)
        info = self._known_table(ref)
        return ImportReport(info.ref, rows, info.columns, source.files, copied=True)

    def connection(self) -> _Connection:
        """Another connection to the same file, for a thread of its own: the two do not wait for each other. It ends with the warehouse."""
        connection = self._main.cursor()
        self._streams.add(connection)
        return connection

    def close(self) -> None:
        """Give the warehouse back; it can be opened by another process."""
        for connection in list(self._streams):
            connection.close()
        self._main.close()
        self._runner.close()

    # --- imports ------------------------------------------------------------------------------------------------

    def _import_view(self, ref: TableRef, source: SourceFiles, types: Mapping[str, str], append: bool) -> ImportReport:
        if source.format != "parquet":
            raise UserError("VIEW_NEEDS_PARQUET", f"only Parquet can stay where it is, not {source.format}", hint="import it as a table")
        if append:
            raise UserError("NOT_A_TABLE", "a view cannot be appended to", hint="import a folder or a glob as a view: it sees new files")
        known = self._guarded(lambda: importing.checked_types(self, types))
        with self._import_errors(source, known):
            query = self._guarded(lambda: importing.parquet_query(self, source.patterns, known), raw=True)
            count = self._guarded(lambda: self.raw(f"SELECT count(*) AS n FROM ({query})"), raw=True)
            with self.transaction():
                self._make_room(ref)
                self._raw_execute(f"CREATE VIEW {_quoted(ref)} AS {query}")
        info = self._known_table(ref)
        return ImportReport(info.ref, count["n"][0].as_py(), info.columns, source.files, copied=False)

    def _replace(self, ref: TableRef, query: str) -> int:
        with self.transaction():
            self._make_room(ref)
            self._raw_execute(f"CREATE TABLE {_quoted(ref)} AS {query}")
        return self._known_table(ref).rows

    def _make_room(self, ref: TableRef) -> None:
        """Inside a transaction: the database exists and the name is free."""
        self._raw_execute(f"CREATE SCHEMA IF NOT EXISTS {quote(ref.database)}")
        there = self.table(ref)
        if there is not None:
            self._raw_execute(f"DROP {there.kind} {_quoted(there.ref)}")

    def _append_types(self, there: TableInfo, source: SourceFiles) -> dict[str, str]:
        """Types of the table's columns for the columns that the files have. Raises COLUMNS_DIFFER."""
        with self._import_errors(source, {}):
            query = self._guarded(lambda: importing.source_query(self, source, {}), raw=True)
            columns = self._guarded(lambda: described(self, query), raw=True)
        known = {column.name.lower(): column.type for column in there.columns}
        unknown = [column.name for column in columns if column.name.lower() not in known]
        if unknown:
            raise UserError(
                "COLUMNS_DIFFER",
                f"{there.ref} has no column {', '.join(unknown)}",
                hint=f"its columns: {', '.join(column.name for column in there.columns)}; import without append to replace it",
            )
        return {column.name: known[column.name.lower()] for column in columns}

    def _append(self, there: TableInfo, query: str) -> int:
        with self.transaction():
            self._raw_execute(f"INSERT INTO {_quoted(there.ref)} BY NAME {query}")
            return self._known_table(there.ref).rows - there.rows

    @contextmanager
    def _import_errors(self, source: SourceFiles, types: Mapping[str, str]) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            explain = partial(importing.import_error, self, error, source, types)
            raise self._guarded(explain) or self._translated(error) from error

    # --- engine -------------------------------------------------------------------------------------------------

    def raw(self, sql: str) -> pa.Table:
        """Rows of SQL text, on the background thread only; the engine's exceptions pass."""
        return self._arrow(self._main, sql)

    def _raw_execute(self, sql: str) -> None:
        self._guarded(lambda: _run_to_end(self._main, sql), raw=True)

    def _open(self) -> _Connection:
        try:
            if self._path is not None and not self._read_only:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            database = str(self._path) if self._path is not None else ":memory:"
            connection = duckdb.connect(database, read_only=self._read_only, config=self._config)
            _run_to_end(connection, "SET TimeZone = 'UTC'")
            return connection
        except (duckdb.Error, OSError) as error:
            raise errors.opening_error(error, self._path or Path(":memory:")) from error

    def _guarded(self, call: Callable[[], Result], connection: _Connection | None = None, *, raw: bool = False) -> Result:
        """Run on the background thread; engine errors become UserErrors unless `raw`."""
        try:
            return self._runner.run(call, (connection or self._main).interrupt)
        except duckdb.Error as error:
            if raw:
                raise
            raise self._translated(error) from error

    def _settled(self, word: str) -> None:
        """COMMIT or ROLLBACK: never cut short."""
        try:
            self._runner.run_to_end(lambda: _run_to_end(self._main, word))
        except duckdb.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: duckdb.Error, sql: str = "", *, written: bool = True) -> UserError:
        if isinstance(error, duckdb.FatalException) and self._path is not None:
            with suppress(duckdb.Error):
                self._main.close()
            self._main = self._open()
        return errors.statement_error(error, self._known, sql, skipped_lines=0 if written else None)

    def _placed(self, error: duckdb.Error, sql: str) -> UserError:
        """The error as the user sees it, with the position that the engine leaves out when it names columns and tables lazily."""
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException) and "LINE " not in str(error):
            try:
                with self._main.cursor() as connection:
                    connection.execute(f"EXPLAIN\n{sql}")
            except (duckdb.BinderException, duckdb.CatalogException) as placed:
                if errors.cause(str(placed)) == errors.cause(str(error)):
                    return errors.statement_error(placed, self._known, sql, skipped_lines=1)
            except duckdb.Error:
                pass
        return self._translated(error, sql)

    def _known(self) -> dict[str, list[str]]:
        """Every table by its whole name, with its columns."""
        with self._main.cursor() as connection:
            rows = self._arrow(connection, f"{_LISTING} ORDER BY schema_name, table_name").to_pylist()
        return {f"{row['schema_name']}.{row['table_name']}": row["names"] for row in rows}

    def _batches(self, reader: pa.RecordBatchReader, connection: _Connection) -> Iterator[pa.RecordBatch]:
        def following() -> pa.RecordBatch | None:
            return next(reader, None)

        try:
            while (batch := self._guarded(following, connection)) is not None:
                yield batch
        except (OSError, pa.ArrowException) as error:
            raise errors.statement_error(error, self._known) from error
        finally:
            connection.close()

    def _sql(self, statement: Statement) -> str:
        return statement.sql(dialect="duckdb") if isinstance(statement, exp.Expression) else statement

    def _arrow(self, connection: _Connection, sql: str) -> pa.Table:
        relation = connection.sql(sql)
        return relation.to_arrow_table() if relation is not None else pa.table({})

    def _listing(self, where: str) -> list[TableInfo]:
        rows = self.query(f"{_LISTING} {where} ORDER BY schema_name, table_name").to_pylist()
        tables = [row for row in rows if row["kind"] == "table"]
        counts = iter(self._row_counts([TableRef(row["schema_name"], row["table_name"]) for row in tables]))
        return [
            TableInfo(
                TableRef(row["schema_name"], row["table_name"]),
                row["kind"],
                next(counts) if row["kind"] == "table" else -1,
                tuple(ColumnInfo(name, type_name) for name, type_name in zip(row["names"], row["types"], strict=True)),
            )
            for row in rows
        ]

    def _row_counts(self, refs: Sequence[TableRef]) -> list[int]:
        if not refs:
            return []
        counts = ", ".join(f"(SELECT count(*) FROM {_quoted(ref)}) AS n{i}" for i, ref in enumerate(refs))
        return [column[0].as_py() for column in self.query(f"SELECT {counts}").columns]

    def _known_table(self, ref: TableRef) -> TableInfo:
        info = self.table(ref)
        if info is None:
            raise missing.table_not_found(str(ref), list(self._known()))
        return info


def _check_reads(sql: str) -> None:
    """Refuse text that is not one statement that only reads."""
    found = duckdb.extract_statements(sql)
    if len(found) != 1:
        problem = "there is no statement" if not found else f"these are {len(found)} statements"
        raise UserError("NOT_A_QUERY", f"{problem}; one SELECT is expected", hint="run them one by one" if found else "write a SELECT")
    explains = found[0].type == duckdb.StatementType.EXPLAIN and re.match(r"\s*explain\s+(?!analy[sz]e\b|\()", sql, re.IGNORECASE)
    if found[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI) and not explains:
        hint = "import files with kohort tables import, derive tables with kohort tables create"
        raise UserError("NOT_A_QUERY", "this statement does more than read; a SELECT is expected", hint=hint)


_LISTING = """
WITH relations AS (
  SELECT database_name, schema_name, table_name, 'table' AS kind, internal, temporary FROM duckdb_tables()
  UNION ALL
  SELECT database_name, schema_name, view_name, 'view', internal, temporary FROM duckdb_views()
), columns AS (
  SELECT schema_name, table_name, list(column_name ORDER BY column_index) AS names, list(data_type ORDER BY column_index) AS types
  FROM duckdb_columns() WHERE database_name = current_database() AND NOT internal
  GROUP BY schema_name, table_name
)
SELECT schema_name, table_name, kind, names, types FROM relations JOIN columns USING (schema_name, table_name)
WHERE database_name = current_database() AND NOT internal AND NOT temporary
"""


def _run_to_end(connection: _Connection, sql: str) -> None:
    connection.execute(sql)
    connection.complete()


def _quoted(ref: TableRef) -> str:
    return f"{quote(ref.database)}.{quote(ref.table)}"


def _config(
    path: Path | None, memory_limit: str | None, threads: int | None, temp_directory: Path | None
) -> dict[str, str | bool | int | float | list[str]]:
    """No downloads of extensions, no tables out of Python variables."""
    config: dict[str, str | bool | int | float | list[str]] = {"python_enable_replacements": False, "autoinstall_known_extensions": False}
    config["memory_limit"] = memory_limit or _MEMORY_LIMIT
    if threads is not None:
        config["threads"] = threads
    if temp_directory is None and path is None:
        temp_directory = Path(tempfile.gettempdir()) / f"kohort-{os.getpid()}"
    if temp_directory is not None:
        config["temp_directory"] = str(temp_directory)
    return config


def _check_names(ref: TableRef) -> None:
    for kind, name in (("database", ref.database), ("table", ref.table)):
        if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
            hint = "a letter or underscore, then letters, digits and underscores"
            raise UserError("NAME_INVALID", f'"{name}" cannot be the name of a {kind}', hint=hint)
