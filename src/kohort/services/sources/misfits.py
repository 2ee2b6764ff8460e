"""What of a source found no place: calls that were rejected, and values that were discarded, with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kohort.events.columns import DISCARDS, REASONS, REJECTS
from kohort.events.validation import CODES
from kohort.parent.definition import TableRef
from kohort.parent.statements import statement, table_sql
from kohort.ports.sources import SourceRecord
from kohort.ports.warehouse import Warehouse
from kohort.services.refresh.measure import rows_of

MisfitKind = Literal["rejects", "discards"]
_MORE_REASONS = {
    "wrong_type": "the column has a type of its own, and the value does not fit it",
    "not_unicode": "the text cannot be stored",
    "table_taken": "a table that Kohort did not make has the name; this is the whole row",
    "not_loaded": "a mistake in Kohort; this is the whole call",
}
_REASON_COLUMN: Mapping[MisfitKind, str] = {REJECTS: "code", DISCARDS: "reason"}
_VALUE_COLUMNS = ("sample", "column_value")


@dataclass(frozen=True, slots=True)
class MisfitReason:
    """One reason: how often it was given, and when last."""

    code: str
    meaning: str
    count: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Misfits:
    """Rejected calls or discarded values of a source. rows: the newest, by column; reasons: the most frequent first."""

    count: int
    reasons: tuple[MisfitReason, ...]
    rows: tuple[Mapping[str, Any], ...]


def source_misfits(warehouse: Warehouse, source: SourceRecord, kind: MisfitKind, most: int, *, shows_values: bool) -> Misfits:
    """Those of a source in its tables. shows_values: whether samples and values may be seen (False: they are None)."""
    ref = TableRef(source.slug, kind)
    if warehouse.table(ref) is None:
        return Misfits(0, (), ())
    table, reason = table_sql(ref), _REASON_COLUMN[kind]
    grouped = f"SELECT {reason} AS code, COUNT(*) AS count, MAX(received_at) AS last_at FROM {table} GROUP BY 1 ORDER BY 2 DESC, 1"
    reasons = tuple(
        MisfitReason(row["code"], meaning(row["code"]), row["count"], row["last_at"]) for row in rows_of(warehouse, statement(grouped))
    )
    found = rows_of(warehouse, statement(f"SELECT * FROM {table} ORDER BY received_at DESC LIMIT {int(most)}"))
    rows = tuple({name: _shown(name, value, shows_values) for name, value in row.items()} for row in found)
    return Misfits(sum(each.count for each in reasons), reasons, rows)


def meaning(code: str) -> str:
    """What a code or reason says in words."""
    return CODES.get(code) or REASONS.get(code) or _MORE_REASONS.get(code, "")


def _shown(name: str, value: Any, shows_values: bool) -> Any:
    return None if name in _VALUE_COLUMNS and not shows_values else value
