"""The warehouse for commands beside the server: they read and write tables through it while it stays open. For nobody else."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import pyarrow as pa
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlglot import exp

from kohort.adapters.served_warehouse import DATA, ENDED, FAILED, frame, table_document
from kohort.foundation.errors import Interrupted, KohortError, UserError
from kohort.parent.definition import TableRef
from kohort.services.runs import Stop, problem_document
from kohort.services.sources.registry import require_source, require_tables_unused
from kohort.services.tables import create_table
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body
from kohort.web.api.guard import COMMANDS, Routes

if TYPE_CHECKING:
    from kohort.adapters.duckdb.beside import BesideWarehouse
    from kohort.bootstrap import Kohort

routes = Routes("Commands")
T = TypeVar("T")
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_workers = ThreadPoolExecutor(16, thread_name_prefix="kohort-command")


class WantedTables(Body):
    """All tables, or one."""

    database: str = ""
    table: str = ""


class WantedRows(Body):
    """A query. is_text: a person wrote it, so it is checked that it only reads when it streams."""

    sql: str
    how: Literal["query", "stream"]
    is_text: bool
    batch_rows: Annotated[int, Field(ge=1, le=10_000_000)]


class WantedImport(Body):
    """Files that the server reads where they are."""

    database: str
    table: str
    paths: list[str]
    format: Literal["csv", "jsonl", "parquet"] | None
    types: dict[str, str]
    as_view: bool
    append: bool


class WantedTable(Body):
    """A table or view from one SELECT."""

    name: str
    select: str
    as_view: bool


class WantedName(Body):
    """A table, or the schema of a source."""

    name: str


@routes.on("POST", "/warehouse/tables", COMMANDS, hidden=True)
async def tables(request: Request, body: WantedTables) -> Json:
    """Tables with their columns and rows."""

    def work(warehouse: BesideWarehouse) -> list[dict[str, Any]]:
        if not body.database:
            return [table_document(info) for info in warehouse.tables()]
        found = warehouse.table(TableRef(body.database, body.table))
        return [table_document(found)] if found is not None else []

    return Json({"tables": await _Work(request).do(work)})


@routes.on("POST", "/warehouse/import", COMMANDS, hidden=True)
async def import_files(request: Request, body: WantedImport) -> Json:
    """Create a table from files."""

    def work(warehouse: BesideWarehouse) -> dict[str, Any]:
        ref = TableRef(body.database, body.table)
        done = warehouse.import_files(ref, body.paths, format=body.format, types=body.types, as_view=body.as_view, append=body.append)
        columns = [{"name": column.name, "type": column.type} for column in done.columns]
        document = {"database": done.table.database, "table": done.table.table, "rows": done.rows, "columns": columns}
        return {**document, "files": list(done.files), "copied": done.copied}

    return Json(await _Work(request).do(work))


@routes.on("POST", "/warehouse/create", COMMANDS, hidden=True)
async def create(request: Request, body: WantedTable) -> Json:
    """Create a table or view from one SELECT."""
    info = await _Work(request).do(lambda warehouse: create_table(warehouse, body.name, body.select, as_view=body.as_view))
    return Json(table_document(info))


@routes.on("POST", "/warehouse/drop", COMMANDS, hidden=True)
async def drop(request: Request, body: WantedName) -> Json:
    """Drop a table or view on which nothing stands."""
    kohort: Kohort = request.app.state.kohort
    info = await _Work(request).do(lambda warehouse: kohort.drop_table(body.name, warehouse))
    return Json(table_document(info))


@routes.on("POST", "/warehouse/drop-source", COMMANDS, hidden=True)
async def drop_source(request: Request, body: WantedName) -> Json:
    """Drop the tables of a source that no parent segment reads."""
    kohort: Kohort = request.app.state.kohort
    require_tables_unused(kohort.store, require_source(kohort.store, body.name))
    return Json({"dropped": await _Work(request).do(lambda warehouse: kohort.drop_source_tables(body.name, warehouse))})


@routes.on("POST", "/warehouse/rows", COMMANDS, hidden=True)
async def rows(request: Request, body: WantedRows) -> Response:
    """The rows of a query as frames that hold an Arrow stream: as many as are read, in the reader's pace."""
    work = _Work(request)
    parts = work.stream(lambda warehouse: _reader(warehouse, body))
    first = await work.run(lambda: next(parts, b""))
    return StreamingResponse(_frames(work, parts, first), media_type="application/octet-stream")


def _reader(warehouse: BesideWarehouse, body: WantedRows) -> pa.RecordBatchReader:
    if body.how == "query":
        return warehouse.query(body.sql).to_reader(body.batch_rows)
    return warehouse.stream(body.sql if body.is_text else exp.Var(this=body.sql), body.batch_rows)


async def _frames(work: _Work, parts: Iterator[bytes], first: bytes) -> AsyncIterator[bytes]:
    try:
        content = first
        while content:
            yield content
            content = await work.run(lambda: next(parts, b""))
    finally:
        work.end(parts)


class _Work:
    """Work on a warehouse of its own for one request; it ends when the command that asked is gone."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._kohort: Kohort = request.app.state.kohort
        self._stop = Stop()
        self._warehouse: BesideWarehouse | None = None

    async def do(self, work: Callable[[BesideWarehouse], T]) -> T:
        """The result of work."""

        def whole() -> T:
            with self._kohort.shared_warehouse.use(_WAIT_SECONDS, by_command=True) as warehouse:
                self._warehouse, warehouse.is_to_stop = warehouse, self._stop.hear
                return work(warehouse)

        return await self.run(whole)

    def stream(self, open_reader: Callable[[BesideWarehouse], pa.RecordBatchReader]) -> Iterator[bytes]:
        """Frames of an Arrow stream; the last one says that it ended, or why it failed after it had begun."""
        with self._kohort.shared_warehouse.use(_WAIT_SECONDS, by_command=True) as warehouse:
            self._warehouse, warehouse.is_to_stop = warehouse, self._stop.hear
            reader, sink = open_reader(warehouse), _Sink()
            try:
                with pa.ipc.new_stream(sink, reader.schema) as writer:
                    for batch in reader:
                        writer.write_batch(batch)
                        yield frame(DATA, sink.take())
            except KohortError as error:
                if not sink.place:
                    raise
                yield frame(FAILED, _told(error))
                return
            yield frame(DATA, sink.take())
            yield frame(ENDED)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of work on a thread. Raises UserError CALLER_GONE when the command is gone."""
        waiting = asyncio.get_running_loop().run_in_executor(_workers, work)
        while not (await asyncio.wait({waiting}, timeout=_LOOK_SECONDS))[0]:
            if await self._request.is_disconnected():
                self._interrupt()
        try:
            return await waiting
        except Interrupted as error:
            raise UserError("CALLER_GONE", "nobody waits for this any more", hint="run the command again") from error

    def _interrupt(self) -> None:
        self._stop.wish()
        if self._warehouse is not None:
            self._warehouse.interrupt()

    def end(self, parts: Iterator[bytes]) -> None:
        """Nothing more is wanted."""
        self._stop.wish()
        _workers.submit(_close, parts)


class _Sink(io.RawIOBase):
    """What was written, taken away part by part."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.place = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        """Keep it."""
        self._parts.append(bytes(content))
        self.place += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self.place

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def _close(parts: Iterator[bytes]) -> None:
    """Let go of the warehouse, once the thread that reads has come back."""
    assert isinstance(parts, Generator)
    while True:
        try:
            parts.close()
            return
        except ValueError:
            time.sleep(_LOOK_SECONDS)


def _told(error: KohortError) -> bytes:
    found = problem_document(error)
    return json.dumps({"code": found["code"], "message": found["detail"], "hint": found["hint"]}).encode()
