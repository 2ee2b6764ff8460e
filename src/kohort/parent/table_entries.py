"""The attribute and behavior entries of a parent segment file, in any of its three forms.

source/join/columns     the `tdx ps` form: a table with several columns
key_column/value_column the book form: one table, one key, one column
schema/join/column      the composable form: tables of a connection
"""

from __future__ import annotations

from typing import Any, get_args

from kohort.foundation.issues import Issues, Path
from kohort.parent.definition import AttributeTable, BehaviorTable, ColumnPick, FieldType, TableRef, Visibility
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, TIMESTAMP
from kohort.parent.reading import Reader

FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
PROFILE_RESERVED = frozenset({CUSTOMER_ID, ORDINAL})
BEHAVIOR_RESERVED = frozenset({CUSTOMER_ID, ORDINAL, ARRIVAL, TIMESTAMP, "time"})
SYSTEM_TIME = "time"


def read_source(reader: Reader) -> TableRef:
    """The table an entry names, nested under `source` or flat. Parts that are missing are "" and reported."""
    if reader.has("source"):
        inner = reader.mapping("source", f"the source of {reader.what}", required=True)
        if inner is None or not inner.is_mapping:
            return TableRef("", "")
        ref = read_table(inner)
        inner.finish()
        return ref
    if not reader.has("database", "schema", "table"):
        reader.raw("source")
        reader.missing("source", "source: { database: ..., table: ... }")
        return TableRef("", "")
    return read_table(reader)


def read_table(reader: Reader) -> TableRef:
    """The table that `database` (or `schema`) and `table` of this mapping name."""
    for key in ("connection", "catalog"):
        if reader.text(key):
            reader.issues.warning("NO_EFFECT", f'"{key}" has no effect: all tables are those of the warehouse', (*reader.path, key))
    database = reader.text("schema") if reader.has("schema") and not reader.has("database") else reader.text("database", required=True)
    return TableRef(database, reader.text("table", required=True))


def _read_join(reader: Reader, master_key: str) -> tuple[str, str]:
    """(column of the master, column of the table)."""
    if reader.has("key_column") and not reader.has("join"):
        child = reader.text("key_column")
        return master_key or child, child
    join = reader.mapping("join", f"the join of {reader.what}")
    if join is None:
        reader.missing("join", "join: { parent_key: <column of the master>, child_key: <column of the table> }")
        return "", ""
    if join.has("master_key", "table_key"):
        keys = join.text("master_key", required=True), join.text("table_key", required=True)
    else:
        keys = join.text("parent_key", required=True), join.text("child_key", required=True)
    join.finish()
    return keys


def read_attribute(value: Any, path: Path, issues: Issues, master_key: str) -> AttributeTable | None:
    """One entry of `attributes`; None when it is not a mapping."""
    reader = Reader(value, path, issues, _title(value, "the attribute"))
    if not reader.is_mapping:
        return None
    name = reader.text("name", required=True)
    source = read_source(reader)
    parent_key, child_key = _read_join(reader, master_key)
    single = next((key for key in ("value_column", "column") if reader.has(key)), "")
    book_form = not single and reader.has("key_column") and not reader.has("columns", "all_columns")
    columns: tuple[ColumnPick, ...]
    if single or book_form:
        single = single or "value_column"
        column = reader.text(single, required=True, hint="the column whose values become the attribute")
        columns, all_columns = (_finish_pick(reader, column, name),), False
        _check_pick(columns[0], child_key, SYSTEM_TIME, PROFILE_RESERVED, (*path, single), issues)
    else:
        columns, all_columns = _read_columns(reader, child_key, SYSTEM_TIME, PROFILE_RESERVED)
    group = reader.text("group")
    reader.finish()
    return AttributeTable(name, source, parent_key, child_key, columns, all_columns, group)


def read_behavior(value: Any, path: Path, issues: Issues, master_key: str) -> BehaviorTable | None:
    """One entry of `behaviors`; None when it is not a mapping. The book form, which lists no columns, takes all of them."""
    reader = Reader(value, path, issues, _title(value, "the behavior"))
    if not reader.is_mapping:
        return None
    name = reader.text("name", required=True)
    if name and not any(letter.isalnum() for letter in name):
        issues.error("INVALID_NAME", f'the behavior name "{name}" needs a letter or a digit', (*path, "name"))
    source = read_source(reader)
    parent_key, child_key = _read_join(reader, master_key)
    if reader.has("timestamp_column") and reader.has("time_column"):
        issues.error("CONFLICT", f"{reader.what} names its time twice", (*path, "time_column"), "keep timestamp_column or time_column")
    time_column = reader.first_text("timestamp_column", "time_column")
    if reader.has("key_column") and not reader.has("join", "columns", "all_columns"):
        columns: tuple[ColumnPick, ...] = ()
        all_columns = True
    else:
        columns, all_columns = _read_columns(reader, child_key, time_column or SYSTEM_TIME, BEHAVIOR_RESERVED)
    default_time_filter = reader.flag("default_time_filter")
    reader.finish()
    return BehaviorTable(name, source, parent_key, child_key, columns, all_columns, time_column, default_time_filter)


def _title(value: Any, what: str) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return f'{what} "{name}"' if isinstance(name, str) and name else what


def _read_columns(reader: Reader, child_key: str, time_column: str, reserved: frozenset[str]) -> tuple[tuple[ColumnPick, ...], bool]:
    all_columns = reader.flag("all_columns")
    picks: list[ColumnPick] = []
    taken: set[str] = set()
    for value, path in reader.items("columns"):
        pick = _read_pick(value, path, reader.issues)
        if pick is None:
            continue
        _check_pick(pick, child_key, time_column, reserved, path, reader.issues)
        if pick.name.lower() in taken:
            message = f'{reader.what} has two columns named "{pick.name}"'
            reader.issues.error("COLUMN_COLLISION", message, path, "give one of them another name: name: ...")
        taken.add(pick.name.lower())
        picks.append(pick)
    if all_columns and picks:
        reader.issues.error("CONFLICT", f"{reader.what} has columns and all_columns", (*reader.path, "all_columns"), "keep one of them")
    if not all_columns and not reader.values.get("columns"):
        reader.missing("columns", "list the columns, or write all_columns: true")
    return tuple(picks), all_columns


def _read_pick(value: Any, path: Path, issues: Issues) -> ColumnPick | None:
    if isinstance(value, str) and value.strip():
        return ColumnPick(value.strip(), value.strip())
    reader = Reader(value, path, issues, "the column")
    if not reader.is_mapping:
        return None
    name = reader.text("name")
    column = reader.text("column") or name
    if not column:
        reader.missing("column")
        return None
    pick = _finish_pick(reader, column, name or column)
    reader.finish()
    return pick


def _finish_pick(reader: Reader, column: str, name: str) -> ColumnPick:
    kind, seen = reader.choice("type", FIELD_TYPES), reader.choice("visibility", VISIBILITIES)
    field_type: FieldType | None = next((known for known in FIELD_TYPES if known == kind), None)
    visibility: Visibility = next((known for known in VISIBILITIES if known == seen), "clear")
    return ColumnPick(column, name, reader.text("label"), field_type, visibility)


def _check_pick(pick: ColumnPick, child_key: str, time_column: str, reserved: frozenset[str], path: Path, issues: Issues) -> None:
    """Join keys and times are not columns of their own, unless under another name; the system's names are taken."""
    renamed = pick.name != pick.column
    if pick.column == child_key and not renamed:
        hint = "remove it; the customer's own column has the value"
        issues.error("JOIN_KEY_LISTED", f'the join key "{pick.column}" does not go under columns', path, hint)
    elif pick.column in (SYSTEM_TIME, time_column) and not renamed:
        hint = "remove it, or give it another name: name: ..."
        issues.error("TIME_LISTED", f'the time "{pick.column}" does not go under columns', path, hint)
    elif pick.name.lower() in reserved:
        issues.error("RESERVED_NAME", f'"{pick.name}" is a name of the system', path, "give the column another name: name: ...")


def check_collisions(attributes: list[tuple[AttributeTable, Path]], issues: Issues) -> None:
    """All attribute tables share one `customers` table: report output names used twice across them."""
    owner: dict[str, str] = {}
    for table, path in attributes:
        own = {pick.name.lower(): pick.name for pick in table.columns}
        for key, name in own.items():
            if key in owner:
                message = f'the column "{name}" comes from "{owner[key]}" and from "{table.name}"'
                issues.error("COLUMN_COLLISION", message, path, "give one of them another name: name: ...")
            owner.setdefault(key, table.name)


def attribute_to_document(table: AttributeTable) -> dict[str, Any]:
    document = _head(table)
    if table.group:
        document["group"] = table.group
    return document | _columns(table)


def behavior_to_document(table: BehaviorTable) -> dict[str, Any]:
    document = _head(table)
    if table.time_column:
        document["timestamp_column"] = table.time_column
    if table.default_time_filter:
        document["default_time_filter"] = True
    return document | _columns(table)


def _head(table: AttributeTable | BehaviorTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "source": {"database": table.source.database, "table": table.source.table},
        "join": {"parent_key": table.parent_key, "child_key": table.child_key},
    }


def _columns(table: AttributeTable | BehaviorTable) -> dict[str, Any]:
    if table.all_columns:
        return {"all_columns": True}
    return {"columns": [_pick_to_document(pick) for pick in table.columns]}


def _pick_to_document(pick: ColumnPick) -> dict[str, Any]:
    document: dict[str, Any] = {"column": pick.column}
    if pick.name != pick.column:
        document["name"] = pick.name
    if pick.label:
        document["label"] = pick.label
    if pick.type:
        document["type"] = pick.type
    if pick.visibility != "clear":
        document["visibility"] = pick.visibility
    return document
