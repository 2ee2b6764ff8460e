"""Views over Parquet files: the place of each row, known without reading the rows before it."""

from __future__ import annotations

from itertools import accumulate
from typing import Protocol

import pyarrow as pa
import sqlglot
from sqlglot import exp

from kohort.foundation.errors import UserError
from kohort.ports.warehouse import NumberedRows

_PLACE = "kohort row of file"
_FILE = "kohort file"


class Engine(Protocol):
    """Runs queries."""

    def query(self, statement: str) -> pa.Table:
        """All rows."""
        ...


def numbered_rows(engine: Engine, view_sql: str) -> NumberedRows | None:
    """The rows of `CREATE VIEW ... AS SELECT * [REPLACE ...] FROM read_parquet(...)` with their places; None for any other view.

    Files that come to a folder later are not among them.
    """
    select = _plain_select(view_sql)
    if select is None:
        return None
    source = select.args["from_"].this.sql(dialect="duckdb")
    listing = f"SELECT file_index AS file, FIRST(filename) AS name, COUNT(*) AS rows FROM {source} GROUP BY ALL ORDER BY file"
    try:
        files = engine.query(listing).to_pylist()
    except UserError:
        return None
    if not files or [file["file"] for file in files] != list(range(len(files))):
        return None
    numbered = select.copy()
    names = exp.Array(expressions=[exp.Literal.string(file["name"]) for file in files])
    numbered.args["from_"].this.this.expressions[0].replace(names)
    numbered.set("expressions", [*numbered.expressions, _alias("file_row_number", _PLACE), _alias("file_index", _FILE)])
    place = f's."{_PLACE}" + 1'
    if len(files) > 1:
        before = [0, *accumulate(file["rows"] for file in files)][:-1]
        place += f' + ([{", ".join(map(str, before))}])[CAST(s."{_FILE}" AS BIGINT) + 1]'
    return NumberedRows(f"({numbered.sql(dialect='duckdb')})", place)


def _plain_select(view_sql: str) -> exp.Select | None:
    try:
        create = sqlglot.parse_one(view_sql, read="duckdb")
    except sqlglot.ParseError:
        return None
    select = create.expression if isinstance(create, exp.Create) else None
    if not isinstance(select, exp.Select) or {name for name, value in select.args.items() if value} != {"expressions", "from_"}:
        return None
    table = select.args["from_"].this
    is_parquet = isinstance(table, exp.Table) and isinstance(table.this, exp.ReadParquet)
    is_star = len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Star)
    return select if is_parquet and is_star else None


def _alias(name: str, alias: str) -> exp.Alias:
    return exp.Alias(this=exp.column(name), alias=exp.to_identifier(alias, quoted=True))
