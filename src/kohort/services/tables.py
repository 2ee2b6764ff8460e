"""Bring tables into the warehouse, derive tables from others, look at them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
import sqlglot
from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.foundation.issues import did_you_mean
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import FileFormat, ImportReport, TableInfo, Warehouse

OUTPUT_DATABASE = re.compile(r"cdp_audience_\d+(_.*)?")


def parse_table(name: str) -> TableRef:
    """`<database>.<table>`. Raises UserError NAME_INVALID."""
    database, dot, table = name.partition(".")
    if not dot or not database or not table or "." in table:
        raise UserError("NAME_INVALID", f'"{name}" is not <database>.<table>', hint="write for example sales.orders")
    return TableRef(database, table)


def writable_table(name: str) -> TableRef:
    """A table that a person may write. Raises UserError NAME_INVALID, NAME_RESERVED."""
    ref = parse_table(name)
    if OUTPUT_DATABASE.fullmatch(ref.database.lower()):
        hint = "choose another database, e.g. analytics." + ref.table
        raise UserError("NAME_RESERVED", f"{ref.database} holds what refreshes build; nothing else may be written there", hint=hint)
    return ref


def import_table(
    warehouse: Warehouse,
    name: str,
    files: Sequence[str],
    *,
    format: FileFormat | None = None,
    types: Mapping[str, str] | None = None,
    as_view: bool = False,
    append: bool = False,
) -> ImportReport:
    """Create or replace a table from files; see `ports.warehouse.Warehouse.import_files`."""
    return warehouse.import_files(writable_table(name), files, format=format, types=types, as_view=as_view, append=append)


def create_table(warehouse: Warehouse, name: str, select: str, *, as_view: bool = False) -> TableInfo:
    """Create or replace a table or view from one SELECT; all or nothing."""
    ref = writable_table(name)
    query = _one_select(select, warehouse.dialect)
    target = exp.table_(ref.table, db=ref.database, quoted=True)
    with warehouse.transaction():
        warehouse.execute(exp.Create(this=exp.table_("", db=ref.database, quoted=True), kind="SCHEMA", exists=True))
        existing = warehouse.table(ref)
        if existing is not None and existing.kind != ("view" if as_view else "table"):
            warehouse.execute(exp.Drop(tables=[target.copy()], kind=existing.kind.upper()))
        warehouse.execute(exp.Create(this=target, kind="VIEW" if as_view else "TABLE", replace=True, expression=query))
    return table_info(warehouse, name)


def _one_select(text: str, dialect: str) -> exp.Query:
    try:
        statements = [s for s in sqlglot.parse(text, read=dialect) if s is not None]
    except sqlglot.errors.ParseError as error:
        detail = error.errors[0] if error.errors else {}
        where = f" at line {detail.get('line')}, column {detail.get('col')}" if detail else ""
        raise UserError("SQL_ERROR", f"this is not a SELECT that can be read{where}: {detail.get('description', error)}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UserError("SQL_ERROR", "give exactly one SELECT", hint="several statements or other kinds are not run here")
    return statements[0]


def table_info(warehouse: Warehouse, name: str) -> TableInfo:
    """One table. Raises UserError TABLE_NOT_FOUND with the nearest name."""
    ref = parse_table(name)
    info = warehouse.table(ref)
    if info is None:
        names = [str(other.ref) for other in warehouse.tables()]
        raise UserError("TABLE_NOT_FOUND", f"there is no table {ref}", hint=did_you_mean(name, names))
    return info


def sample_rows(warehouse: Warehouse, ref: TableRef, limit: int) -> pa.Table:
    """Up to `limit` rows of a table."""
    return warehouse.query(exp.select("*").from_(exp.table_(ref.table, db=ref.database, quoted=True)).limit(limit))
