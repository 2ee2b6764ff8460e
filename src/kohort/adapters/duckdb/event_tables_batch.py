"""Rows of one table on their way in: columns are found or made, types settled, what finds no place is kept for `discards`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kohort.adapters.duckdb.event_tables_schema import Catalog, Connection, TableState
from kohort.adapters.duckdb.event_tables_types import ARROW_OF_TYPE, WRONG_TYPE, LostCell, column_array, flags_of, text_of, type_of
from kohort.adapters.duckdb.importing import quote
from kohort.events.columns import DISCARD_COLUMNS, INSTANTS, OVERFLOW
from kohort.events.identity import PROFILE_ID, profile_name
from kohort.ports.event_tables import TableRows

Owners = npt.NDArray[np.int64]

_NOT_THAT: Final = (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError, ValueError)
"""What Arrow raises for values that are not of the type asked for."""

BATCH: Final = "kohort_batch_"
OLD: Final = "kohort_old_"
"""How statements call the rows that `run_over` gives them."""


@dataclass(frozen=True, slots=True)
class Discard:
    """One row of `discards`. column "" stands for the whole row, as JSON."""

    table: str
    row_id: str | None
    column: str
    value: str
    reason: str
    received_at: int | None

    def values(self) -> tuple[Any, ...]:
        """In the order of `DISCARD_COLUMNS`."""
        return (self.table, self.row_id, self.column, self.value, self.reason, self.received_at)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as Arrow, and the SQL of each column's value (a column of a type not ours is cast where that is possible)."""

    rows: pa.Table
    expressions: Mapping[str, str]


def arrange(
    connection: Connection,
    catalog: Catalog,
    state: TableState,
    found_rows: TableRows,
    max_columns: int,
    discards: list[Discard],
) -> Batch:
    """Make `state` fit the columns of rows and the other way round."""
    columns, count = found_rows.columns, found_rows.count
    arrays, rest = _as_they_are(state, columns, found_rows.packed)
    flags = {name: found for name, values in rest.items() if (found := flags_of(name, values))}
    new = sorted((name for name in flags if name not in state.columns and name != OVERFLOW), key=lambda name: _first(columns[name]))
    room = max(max_columns - len(state.columns), 0)
    over = sorted(new, key=lambda name: (_first(columns[name]), name))[room:]
    if over:
        new = [name for name in new if name not in over]
        arrays.pop(OVERFLOW, None)
        rest[OVERFLOW] = _overflown(columns, sorted(over), count)
        flags = {name: found for name, found in flags.items() if name not in over} | {OVERFLOW: flags_of(OVERFLOW, rest[OVERFLOW])}
    if OVERFLOW in flags and OVERFLOW not in state.columns:
        new.append(OVERFLOW)
    for name in new:
        catalog.add_column(connection, state, name, type_of(flags[name]))
    for name, found in flags.items():
        catalog.widen(connection, state, name, found)
    lost: list[LostCell] = []
    for name, found in flags.items():
        arrays[name] = column_array(name, rest[name], found, state.columns[name], lost)
    batch = Batch(pa.table(arrays), {name: _expression(name, state.columns[name]) for name in arrays})
    lost += _uncastable(connection, batch, state)
    discards += [_discard(state.name, columns, cell) for cell in lost]
    return batch


def packed(columns: Mapping[str, Sequence[Any]]) -> dict[str, pa.Array]:
    """Columns that hold nothing but text, or are instants, as Arrow; those without any value are left out."""
    arrays: dict[str, pa.Array] = {}
    for name, values in columns.items():
        with suppress(*_NOT_THAT):
            array = pa.array(values, ARROW_OF_TYPE["TIMESTAMP" if name in INSTANTS else "VARCHAR"])
            if array.null_count < len(array):
                arrays[name] = array
    return arrays


def _as_they_are(
    state: TableState, columns: Mapping[str, Sequence[Any]], ready: Mapping[str, pa.Array]
) -> tuple[dict[str, pa.Array], dict[str, Sequence[Any]]]:
    """Columns of text and instants that take their values without a closer look; and the columns that need one."""
    arrays: dict[str, pa.Array] = {}
    rest: dict[str, Sequence[Any]] = {}
    for name, values in columns.items():
        sql_type = state.columns.get(name)
        if sql_type == "VARCHAR" or (sql_type == "TIMESTAMP" and name in INSTANTS):
            if (array := ready.get(name)) is not None and array.type == ARROW_OF_TYPE[sql_type]:
                arrays[name] = array
                continue
            with suppress(*_NOT_THAT):
                array = pa.array(values, ARROW_OF_TYPE[sql_type])
                if array.null_count < len(array):
                    arrays[name] = array
                continue
        rest[name] = values
    return arrays, rest


def with_owners(batch: Batch, owners: Owners) -> Batch:
    """Rows with the profile of each; 0: of none."""
    rows = batch.rows.append_column(PROFILE_ID, pa.array(owners, mask=owners == 0))
    return Batch(rows, {**batch.expressions, PROFILE_ID: profile_sql(PROFILE_ID)})


def profile_sql(column: str) -> str:
    """SQL of `events.identity.profile_name` for a column of numbers."""
    return f"'{profile_name(0)[:-1]}' || {quote(column)}"


def insert(connection: Connection, state: TableState, batch: Batch) -> int:
    """Append the rows, in order; returns how many."""
    names = ", ".join(map(quote, batch.expressions))
    run_over(connection, f"INSERT INTO {state.sql} ({names}) SELECT {', '.join(batch.expressions.values())} FROM {BATCH}", batch.rows)
    return int(batch.rows.num_rows)


def lay_over(connection: Connection, state: TableState, batch: Batch, key: str = "id") -> int:
    """For each row: what it has goes before what the row of the same key had; the rest of that stays. Returns how many are new."""
    delete = f"DELETE FROM {state.sql} WHERE {quote(key)} IN (SELECT {quote(key)} FROM {BATCH}) RETURNING *"
    old = _returned(connection, delete, batch.rows)
    if not old.num_rows:
        return insert(connection, state, batch)
    values = [f"coalesce(b.{quote(name)}, o.{quote(name)})" if name in batch.expressions else f"o.{quote(name)}" for name in state.columns]
    new = ", ".join(f"{expression} AS {quote(name)}" for name, expression in batch.expressions.items())
    names = ", ".join(map(quote, state.columns))
    run_over(
        connection,
        f"INSERT INTO {state.sql} ({names}) SELECT {', '.join(values)} FROM (SELECT {new} FROM {BATCH}) AS b "
        f"LEFT JOIN {OLD} AS o ON o.{quote(key)} = b.{quote(key)}",
        batch.rows,
        old,
    )
    return int(batch.rows.num_rows - old.num_rows)


def refused(table: str, columns: Mapping[str, Sequence[Any]], count: int, reason: str) -> Iterator[Discard]:
    """Every row as it is, when its table cannot be written to."""
    for row in range(count):
        cells = {name: values[row] for name, values in columns.items() if values[row] is not None}
        yield Discard(
            table, _cell(columns, "id", row), "", json.dumps(cells, ensure_ascii=True), reason, _cell(columns, "received_at", row)
        )


def discard_columns(discards: Sequence[Discard]) -> dict[str, Sequence[Any]]:
    """Rows of `discards`, by column."""
    return dict(zip(DISCARD_COLUMNS, zip(*(each.values() for each in discards), strict=True), strict=True))


def may_read_variables(connection: Connection) -> Connection:
    """Allow `run_over` on this connection alone."""
    connection.execute("SET python_enable_replacements = true")
    return connection


def run_over(connection: Connection, statement: str, rows: pa.Table, old: pa.Table | None = None) -> list[tuple[Any, ...]]:
    """What a statement returns that reads `rows` as BATCH, and `old` as OLD.

    The engine finds both among the local variables of who calls it, at half the price of registering them.
    """
    kohort_batch_, kohort_old_ = rows, old  # noqa: F841
    return connection.execute(statement).fetchall()


def _returned(connection: Connection, statement: str, rows: pa.Table) -> pa.Table:
    kohort_batch_ = rows  # noqa: F841
    relation = connection.sql(statement)
    return relation.to_arrow_table() if relation is not None else pa.table({})


def _expression(name: str, sql_type: str) -> str:
    return quote(name) if sql_type in ARROW_OF_TYPE else f"TRY_CAST({quote(name)} AS {sql_type})"


def _uncastable(connection: Connection, batch: Batch, state: TableState) -> list[LostCell]:
    """Values that a column of a type not ours cannot hold."""
    foreign = [name for name in batch.expressions if state.columns[name] not in ARROW_OF_TYPE]
    lost: list[LostCell] = []
    for name in foreign:
        numbered = pa.table({"n": pa.array(range(batch.rows.num_rows), pa.int64()), name: batch.rows[name]})
        column = quote(name)
        query = f"SELECT n, {column} FROM {BATCH} WHERE {column} IS NOT NULL AND {batch.expressions[name]} IS NULL"
        lost += [LostCell(row, name, value, WRONG_TYPE) for row, value in run_over(connection, query, numbered)]
    return lost


def _discard(table: str, columns: Mapping[str, Sequence[Any]], cell: LostCell) -> Discard:
    row = cell.row
    return Discard(table, _cell(columns, "id", row), cell.column, cell.value, cell.reason, _cell(columns, "received_at", row))


def _cell(columns: Mapping[str, Sequence[Any]], name: str, row: int) -> Any:
    return columns[name][row] if name in columns else None


def _first(values: Sequence[Any]) -> int:
    return next(row for row, value in enumerate(values) if value is not None)


def _overflown(columns: Mapping[str, Sequence[Any]], names: Sequence[str], count: int) -> list[str | None]:
    """The overflow column with the cells of more columns in it: a JSON object per row."""
    written = columns.get(OVERFLOW) or [None] * count
    result: list[str | None] = []
    for row in range(count):
        more = {name: columns[name][row] for name in names if columns[name][row] is not None}
        held = json.loads(text_of(written[row])) if written[row] is not None else {}
        result.append(json.dumps(held | more, ensure_ascii=False) if more or held else None)
    return result
