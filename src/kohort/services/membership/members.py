"""The members of a segment as rows: a sample to look at, or all of them as a file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from sqlglot import exp

from kohort.evaluation.statement import CUSTOMERS, rule_statement
from kohort.foundation.errors import UserError
from kohort.foundation.instants import to_micros
from kohort.foundation.issues import Issues, did_you_mean
from kohort.parent.layout import CUSTOMER_ID
from kohort.rules.core import Expr
from kohort.services.evaluation.evaluate import Engine, resolve_path
from kohort.services.membership.spreadsheet import BYTE_ORDER_MARK, without_formulas
from kohort.sql import build

ExportFormat = Literal["csv", "jsonl", "parquet"]


def member_rows(engine: Engine, target: str, *, limit: int, as_of: datetime | None = None) -> pa.Table:
    """Up to `limit` members of a saved segment with all their attributes, by cdp_customer_id."""
    return engine.warehouse.query(_statement(engine, target, (), as_of).limit(limit))


def rule_rows(engine: Engine, expr: Expr, *, limit: int, as_of: datetime | None = None) -> pa.Table:
    """Up to `limit` members of a rule that need not be saved."""
    return engine.warehouse.query(_select(engine, expr, (), as_of).limit(limit))


def export_members(
    engine: Engine,
    target: str,
    *,
    columns: Sequence[str] = (),
    format: ExportFormat,
    output: Path | None,
    as_of: datetime | None = None,
    spreadsheet: bool = False,
) -> int:
    """Write all members to a file (None: standard output), whole or not at all; returns how many.

    columns: attributes to write, all when empty. spreadsheet: a CSV for people, in which no text is taken for a formula;
    for programs values are as they are. Raises InvalidInput UNKNOWN_ATTRIBUTE, UserError OUTPUT_NEEDED, FILE_NOT_WRITABLE.
    """
    require_attributes(engine, columns)
    if format == "parquet" and output is None:
        raise UserError("OUTPUT_NEEDED", "Parquet needs a file", hint="add: -o FILE.parquet")
    reader = engine.warehouse.stream(_statement(engine, target, columns, as_of))
    with opened_output(output) as stream:
        if spreadsheet and format == "csv":
            stream.write(BYTE_ORDER_MARK)
            return _write_csv(reader, stream, spreadsheet=True)
        return _WRITERS[format](reader, stream)


def require_attributes(engine: Engine, columns: Sequence[str]) -> None:
    """Raises InvalidInput UNKNOWN_ATTRIBUTE, with every column that no attribute is called."""
    known = [CUSTOMER_ID, *engine.catalog.attribute]
    issues = Issues()
    for name in columns:
        if name not in known:
            issues.error("UNKNOWN_ATTRIBUTE", f'there is no attribute "{name}"', hint=did_you_mean(name, known))
    issues.raise_if_errors()


def _statement(engine: Engine, target: str, columns: Sequence[str], as_of: datetime | None) -> exp.Select:
    path = resolve_path(engine, target)
    return _select(engine, engine.bound()[path], columns, as_of)


def _select(engine: Engine, expr: Expr, columns: Sequence[str], as_of: datetime | None) -> exp.Select:
    moment = to_micros(as_of or engine.refresh.as_of)
    select = rule_statement(expr, parent_id=engine.parent.id, catalog=engine.catalog, as_of=moment, segments=engine.bound())
    if columns:
        select.set("expressions", [build.column(name, CUSTOMERS) for name in columns])
    return select.order_by(build.column(CUSTOMER_ID, CUSTOMERS))


@contextmanager
def opened_output(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears under its name only when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if output.is_dir():
        raise UserError("FILE_NOT_WRITABLE", f"{output} is a folder", hint="name a file in it")
    if not output.parent.is_dir():
        raise UserError("FILE_NOT_WRITABLE", f"there is no folder {output.parent}", hint="make it first, or choose another place")
    handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_csv(reader: pa.RecordBatchReader, stream: IO[bytes], spreadsheet: bool = False) -> int:
    lists = [i for i, field in enumerate(reader.schema) if pa.types.is_nested(field.type)]
    schema = reader.schema
    for position in lists:
        schema = schema.set(position, pa.field(schema.field(position).name, pa.string()))
    rows = 0
    with pyarrow.csv.CSVWriter(stream, schema) as writer:
        for batch in reader:
            columns = [_as_json(column) if i in lists else column for i, column in enumerate(batch.columns)]
            columns = [without_formulas(column) for column in columns] if spreadsheet else columns
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            rows += batch.num_rows
    return rows


def _as_json(column: pa.Array) -> pa.Array:
    values = (None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist())
    return pa.array(values, pa.string())


def _write_jsonl(reader: pa.RecordBatchReader, stream: IO[bytes]) -> int:
    rows = 0
    for batch in reader:
        for row in batch.to_pylist():
            stream.write(json.dumps(row, ensure_ascii=False, default=_json_value).encode() + b"\n")
        rows += batch.num_rows
    return rows


def _json_value(value: object) -> object:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _write_parquet(reader: pa.RecordBatchReader, stream: IO[bytes]) -> int:
    rows = 0
    with pyarrow.parquet.ParquetWriter(stream, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


_WRITERS = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}
