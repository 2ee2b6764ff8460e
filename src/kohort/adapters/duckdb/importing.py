"""Imports: files become a table or a view, in one transaction or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import duckdb
import pyarrow as pa

from kohort.adapters.duckdb import errors
from kohort.adapters.duckdb.files import CsvShape, SourceFiles, csv_shape, odd_json_line
from kohort.foundation.errors import UserError
from kohort.foundation.issues import did_you_mean
from kohort.ports.warehouse import ColumnInfo

_SAMPLE_ALL_BYTES = 256 << 20
_SAMPLE_ROWS = 1_000_000
_TYPE_TEXT = re.compile(r'[A-Za-z][A-Za-z0-9_ ,()\[\]"]*')
_FIELD_TYPES = {"text": "VARCHAR", "number": "DOUBLE", "string_array": "VARCHAR[]", "number_array": "DOUBLE[]"}
_AS_TEXT = ("JSON", "UUID", "NULL", '"NULL"')

Types = Mapping[str, str]


class RawEngine(Protocol):
    """Runs SQL text and lets the engine's own exceptions through."""

    def raw(self, sql: str) -> pa.Table:
        """The rows of a query."""
        ...


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def described(engine: RawEngine, query: str) -> tuple[ColumnInfo, ...]:
    """Names and types of a query's columns."""
    rows = engine.raw(f"DESCRIBE {query}").select(["column_name", "column_type"]).to_pylist()
    return tuple(ColumnInfo(row["column_name"], row["column_type"]) for row in rows)


def checked_types(engine: RawEngine, types: Types) -> dict[str, str]:
    """Type names as the engine knows them. Raises TYPE_UNKNOWN."""
    known: dict[str, str] = {}
    for column, written in types.items():
        type_name = _FIELD_TYPES.get(written.strip().lower(), written.strip())
        try:
            if not _TYPE_TEXT.fullmatch(type_name):
                raise duckdb.ParserException("not the name of a type")
            known[column] = described(engine, f"SELECT CAST(NULL AS {type_name}) AS x")[0].type
        except duckdb.Error as error:
            hint = "e.g. VARCHAR, BIGINT, DOUBLE, DECIMAL(18,2), BOOLEAN, DATE, TIMESTAMP, VARCHAR[]"
            raise UserError("TYPE_UNKNOWN", f'column {column}: there is no type "{written}"', hint=hint) from error
    return known


def source_query(engine: RawEngine, source: SourceFiles, types: Types) -> str:
    """A SELECT over the files in which every column of `types` has that type. Raises COLUMN_NOT_FOUND and file problems."""
    if source.format == "csv":
        return _csv_query(engine, source, types)
    if source.format == "jsonl":
        return _json_query(engine, source, types)
    return parquet_query(engine, source.files, types)


def parquet_query(engine: RawEngine, files: Sequence[str], types: Types) -> str:
    """A SELECT over Parquet files or globs."""
    query = f"SELECT * FROM read_parquet({_list(files)}, union_by_name = true)"
    types = _named_as_there(described(engine, query), types)
    if not types:
        return query
    casts = ", ".join(f"CAST({quote(name)} AS {type_name}) AS {quote(name)}" for name, type_name in types.items())
    return query.replace("SELECT *", f"SELECT * REPLACE ({casts})", 1)


def _csv_query(engine: RawEngine, source: SourceFiles, types: Types) -> str:
    shapes = {file: csv_shape(file) for file in source.files}
    delimiters = {shape.delimiter for shape in shapes.values()}
    if len(delimiters) > 1:
        raise UserError("FILE_NOT_READABLE", "the files use different delimiters", hint="import them one by one, with append")
    sample = -1 if source.bytes <= _SAMPLE_ALL_BYTES else _SAMPLE_ROWS
    options = f"{_csv_options(delimiters.pop())}, union_by_name = true, sample_size = {sample}"
    query = f"SELECT * FROM read_csv({_list(source.files)}, {options})"
    try:
        columns = described(engine, query)
    except duckdb.Error:
        _diagnose_csv(engine, shapes)
        raise
    types = _named_as_there(columns, types)
    if not types:
        return query
    overrides = ", ".join(f"{text(name)}: {text(type_name)}" for name, type_name in types.items())
    return f"SELECT * FROM read_csv({_list(source.files)}, {options}, types = {{{overrides}}})"


def _csv_options(delimiter: str) -> str:
    return f"delim = {text(delimiter)}, quote = '\"', escape = '\"', comment = '', header = true, skip = 0, strict_mode = true"


def _diagnose_csv(engine: RawEngine, shapes: Mapping[str, CsvShape]) -> None:
    """Read every line as text, so that the engine says in which file and line the trouble is."""
    for file, shape in shapes.items():
        columns = ", ".join(f"{text(name or f'column{i}')}: 'VARCHAR'" for i, name in enumerate(shape.columns))
        options = f"{_csv_options(shape.delimiter)}, auto_detect = false, columns = {{{columns}}}"
        engine.raw(f"SELECT count(*) FROM read_csv({text(file)}, {options})")


def _json_query(engine: RawEngine, source: SourceFiles, types: Types) -> str:
    """Columns are inferred, then read with explicit types; what has no one type (or none at all) is text."""
    sample = -1 if source.bytes <= _SAMPLE_ALL_BYTES else _SAMPLE_ROWS
    reader = f"SELECT * FROM read_json({_list(source.files)}, format = 'newline_delimited'"
    columns = described(engine, f"{reader}, union_by_name = true, sample_size = {sample})")
    if [column.name for column in columns] == ["json"] and (place := odd_json_line(source.files)):
        raise UserError("FILE_NOT_READABLE", f"{place}: not a JSON object", hint="JSON lines hold one object per line: {...}")
    if not columns or all(column.name == "json" and column.type == "JSON" for column in columns):
        raise UserError("FILE_NOT_READABLE", f"{source.files[0]} holds no JSON object", hint="JSON lines hold one object per line: {...}")
    inferred = {c.name: "VARCHAR" if c.type.startswith(_AS_TEXT) else c.type for c in columns}
    inferred.update(_named_as_there(columns, types))
    spec = ", ".join(f"{text(name)}: {text(type_name)}" for name, type_name in inferred.items())
    return f"{reader}, columns = {{{spec}}})"


def _named_as_there(columns: Sequence[ColumnInfo], types: Types) -> dict[str, str]:
    """`types` under the names the columns really have."""
    there = {column.name.lower(): column.name for column in columns}
    for name in types:
        if name.lower() not in there:
            hint = did_you_mean(name, there.values())
            raise UserError("COLUMN_NOT_FOUND", f'the files have no column "{name}"', hint=hint)
    return {there[name.lower()]: type_name for name, type_name in types.items()}


def import_error(engine: RawEngine, error: Exception, source: SourceFiles, types: Types) -> UserError | None:
    """What went wrong in an import, where the general words for the engine's error would say too little; else None."""
    wanted = {name.lower(): type_name for name, type_name in types.items()}
    if (found := errors.csv_conversion(error)) and found[0].lower() in wanted:
        column, place, what = found
        return _mismatch(f"{place}: column {column}: {what}", wanted[column.lower()])
    if (odd := errors.json_conversion(error)) and types:
        return _mismatch(f"{odd[0]}: {odd[1]}", " or ".join(sorted(set(types.values()))))
    if errors.resource_error(error) or errors.file_error(error):
        return None
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException) and types:
        return _parquet_mismatch(engine, source, types) or _mismatch(errors.cause(str(error)), "")
    if source.format == "parquet":
        return errors.broken_parquet(error, source.files[0] if len(source.files) == 1 else "one of the files")
    return None


def _parquet_mismatch(engine: RawEngine, source: SourceFiles, types: Types) -> UserError | None:
    """Name the first column and value that does not fit."""
    if source.format != "parquet":
        return None
    files = f"read_parquet({_list(source.files)}, union_by_name = true)"
    for name, type_name in types.items():
        column = quote(name)
        odd = f"{column} IS NOT NULL AND TRY_CAST({column} AS {type_name}) IS NULL"
        rows = engine.raw(f"SELECT CAST({column} AS VARCHAR) AS value FROM {files} WHERE {odd} LIMIT 1").to_pylist()
        if rows:
            return _mismatch(f'column {name}: the value "{rows[0]["value"]}" does not fit', type_name)
    return None


def _mismatch(message: str, type_name: str) -> UserError:
    hint = f"{type_name} does not fit every value; choose a wider type, or mend the file" if type_name else "choose a wider type"
    return UserError("TYPE_MISMATCH", message, hint=hint)


def _list(files: Sequence[str]) -> str:
    return "[" + ", ".join(text(file) for file in files) + "]"
