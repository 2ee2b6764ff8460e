"""What a parent segment file says of single columns of its master table: a label, and who may see their values."""

from __future__ import annotations

from typing import Any, get_args

from kohort.foundation.issues import Issues, Path
from kohort.parent.definition import MasterColumn, Visibility
from kohort.parent.reading import Reader

_VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


def read_master_columns(master: Reader) -> tuple[MasterColumn, ...]:
    """The entries under `columns` of the master table; columns that are not named there are taken as they are."""
    found: dict[str, MasterColumn] = {}
    for value, path in master.items("columns"):
        said = _read(value, path, master.issues)
        if said is None:
            continue
        if said.column in found:
            master.issues.error("DUPLICATE_NAME", f'the master table names its column "{said.column}" twice', path, "keep one of them")
        found.setdefault(said.column, said)
    return tuple(found.values())


def _read(value: Any, path: Path, issues: Issues) -> MasterColumn | None:
    reader = Reader(value, path, issues, "the column")
    if not reader.is_mapping:
        return None
    column, label, seen = reader.text("column", required=True), reader.text("label"), reader.choice("visibility", _VISIBILITIES)
    reader.finish()
    visibility: Visibility = next((known for known in _VISIBILITIES if known == seen), "clear")
    return MasterColumn(column, label, visibility) if column else None


def master_column_to_document(said: MasterColumn) -> dict[str, Any]:
    """The entry that `read_master_columns` reads as the same."""
    document: dict[str, Any] = {"column": said.column}
    if said.label:
        document["label"] = said.label
    if said.visibility != "clear":
        document["visibility"] = said.visibility
    return document
