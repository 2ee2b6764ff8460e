"""The warehouse of a running server, through the server: commands read and write tables while it stays open there."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import pyarrow as pa

from kohort.adapters.duckdb.files import find_files
from kohort.adapters.server_link import ServerGone, ServerLink
from kohort.foundation.errors import UserError
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import ColumnInfo, FileFormat, ImportReport, NumberedRows, Statement, TableInfo

PATH = "/api/v1/warehouse"
FRAME_BYTES = 5
DATA, FAILED, ENDED = b"d", b"f", b"e"


class ServedWarehouse:
    """Tables of a server's warehouse. Everything is one request; what takes several statements is a request of its own."""

    dialect = "duckdb"

    def __init__(self, link: ServerLink) -> None:
        self._link = link

    def tables(self) -> Sequence[TableInfo]:
        """Every table and view, by database and name."""
        return [table_of(item) for item in self._call("/tables", {})["tables"]]

    def table(self, ref: TableRef) -> TableInfo | None:
        """One table, or None."""
        found = self._call("/tables", {"database": ref.database, "table": ref.table})["tables"]
        return table_of(found[0]) if found else None

    def query(self, statement: Statement) -> pa.Table:
        """All rows of a query, in memory."""
        return self._rows(statement, "query", 100_000).read_all()

    def stream(self, statement: Statement, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query in batches. Text must be one statement that only reads. Raises UserError NOT_A_QUERY."""
        return self._rows(statement, "stream", batch_rows)

    def _rows(self, statement: Statement, how: str, batch_rows: int) -> pa.RecordBatchReader:
        is_text = isinstance(statement, str)
        sql = statement if isinstance(statement, str) else statement.sql(dialect="duckdb")
        body = {"sql": sql, "how": how, "is_text": is_text, "batch_rows": batch_rows}
        frames = _Frames(self._open("/rows", body))
        reader = pa.ipc.open_stream(pa.PythonFile(frames, "r"))
        return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, frames))

    def numbered(self, ref: TableRef) -> NumberedRows | None:  # noqa: ARG002
        """It cannot be said."""
        return None

    def execute(self, statement: Statement) -> None:  # noqa: ARG002
        """Not through a server."""
        _refuse()

    def append_rows(self, ref: TableRef, rows: pa.RecordBatchReader) -> int:  # noqa: ARG002
        """Not through a server."""
        _refuse()

    def transaction(self) -> AbstractContextManager[None]:
        """Not through a server."""
        _refuse()

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
        """Create `ref` from files that the server reads where they are. They are looked for here, so that paths count from here."""
        source = find_files(paths, format)
        body = {"database": ref.database, "table": ref.table, "paths": list(source.patterns), "format": format or source.format}
        found = self._call("/import", {**body, "types": dict(types or {}), "as_view": as_view, "append": append})
        columns = tuple(ColumnInfo(**column) for column in found["columns"])
        return ImportReport(TableRef(found["database"], found["table"]), found["rows"], columns, tuple(found["files"]), found["copied"])

    def create_table(self, name: str, select: str, *, as_view: bool) -> TableInfo:
        """Create or replace a table or view from one SELECT; all or nothing."""
        return table_of(self._call("/create", {"name": name, "select": select, "as_view": as_view}))

    def drop_table(self, name: str) -> TableInfo:
        """Drop a table or view on which nothing stands."""
        return table_of(self._call("/drop", {"name": name}))

    def drop_source_tables(self, schema: str) -> list[str]:
        """Drop what Kohort made for a source; the names."""
        found: list[str] = self._call("/drop-source", {"name": schema})["dropped"]
        return found

    def close(self) -> None:
        """Nothing is kept."""

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._link.call("POST", PATH + path, body)
        except ServerGone as error:
            raise _gone() from error

    def _open(self, path: str, body: Mapping[str, Any]) -> http.client.HTTPResponse:
        try:
            return self._link.open("POST", PATH + path, body)
        except ServerGone as error:
            raise _gone() from error


def table_of(document: Mapping[str, Any]) -> TableInfo:
    """A table as it was sent: see `table_document`."""
    columns = tuple(ColumnInfo(**column) for column in document["columns"])
    return TableInfo(TableRef(document["database"], document["table"]), document["kind"], document["rows"], columns)


def table_document(info: TableInfo) -> dict[str, Any]:
    """A table to be sent."""
    columns = [{"name": column.name, "type": column.type} for column in info.columns]
    return {"database": info.ref.database, "table": info.ref.table, "kind": info.kind, "rows": info.rows, "columns": columns}


def frame(kind: bytes, content: bytes = b"") -> bytes:
    """A part of an answer of rows: what it is, how long it is, the content."""
    return kind + len(content).to_bytes(FRAME_BYTES - 1, "big") + content


class _Frames:
    """The data of an answer of rows as a file; what the server says at the end of a failed one is raised."""

    closed = False

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self._left = memoryview(b"")
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end."""
        parts: list[bytes] = []
        wanted = size if size >= 0 else 1 << 62
        while wanted and (self._left or self._next()):
            taken = self._left[:wanted]
            self._left = self._left[len(taken) :]
            wanted -= len(taken)
            parts.append(bytes(taken))
        return b"".join(parts)

    def _next(self) -> bool:
        if self._ended:
            return False
        try:
            head = self._response.read(FRAME_BYTES)
            content = self._response.read(int.from_bytes(head[1:], "big"))
        except (OSError, http.client.HTTPException) as error:
            raise _gone() from error
        if len(head) < FRAME_BYTES:
            raise _gone()
        match head[:1]:
            case b"d":
                self._left = memoryview(content)
                return True
            case b"f":
                found = json.loads(content)
                raise UserError(found["code"], found["message"], hint=found["hint"])
            case _:
                self._ended = True
                return False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The rest is not wanted; the server stops."""
        self.closed = True
        self._response.close()


def _batches(reader: pa.RecordBatchReader, frames: _Frames) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    finally:
        frames.close()


def _gone() -> UserError:
    return UserError("SERVER_GONE", "the server of this workspace ended, or was ended, meanwhile", hint="run the command again")


def _refuse() -> NoReturn:
    raise NotImplementedError("what takes several statements is a request of its own")
