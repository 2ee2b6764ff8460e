"""The warehouse: databases of tables that a parent segment reads and a refresh writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from kohort.parent.definition import TableRef

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

FileFormat = Literal["csv", "jsonl", "parquet"]
Statement: TypeAlias = "str | exp.Expression"


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column and its type in the warehouse's own words, upper case (e.g. VARCHAR, BIGINT, DECIMAL(18,2), TIMESTAMP, VARCHAR[])."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table or view; `rows` is exact for tables and -1 for views."""

    ref: TableRef
    kind: Literal["table", "view"]
    rows: int
    columns: tuple[ColumnInfo, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: where to, how many rows and columns, from which files, whether copied or as a view."""

    table: TableRef
    rows: int
    columns: tuple[ColumnInfo, ...]
    files: tuple[str, ...]
    copied: bool


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """`relation`: SQL of what to select from, under the alias `s`; `place`: SQL of the place of a row, from 1 on."""

    relation: str
    place: str


class Queries(Protocol):
    """What answers queries."""

    def query(self, statement: Statement) -> pa.Table:
        """All rows of a query, in memory."""
        ...

    def stream(self, statement: Statement, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query in batches."""
        ...


class Warehouse(Queries, Protocol):
    """One SQL engine. Problems the user can mend are UserErrors; nothing half-written is ever left."""

    dialect: str

    def tables(self) -> Sequence[TableInfo]:
        """Every table and view, by database and name."""
        ...

    def table(self, ref: TableRef) -> TableInfo | None:
        """One table, or None."""
        ...

    def execute(self, statement: Statement) -> None:
        """Run a statement that returns nothing."""
        ...

    def append_rows(self, ref: TableRef, rows: pa.RecordBatchReader) -> int:
        """Add rows to a table, column by column in their order; the number of rows. Values are converted to the table's types."""
        ...

    def numbered(self, ref: TableRef) -> NumberedRows | None:
        """How to read the rows of a view over files with their places, on several threads; None: it cannot be said."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside take effect together, or none does."""
        ...

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
        """Create `ref` from files, folders or globs (replacing it unless `append`); `types` overrides inferred column types."""
        ...

    def close(self) -> None:
        """Give the warehouse back; it can be opened by another process."""
        ...
