"""Tell which fields rules may use, and how a field that is not there could be added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

from kohort.documents.yaml import write_yaml
from kohort.foundation.errors import InvalidInput
from kohort.parent.casting import family, natural_type
from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.definition import AttributeTable, BehaviorTable, ParentSegment, slug
from kohort.parent.statements import quoted, statement, table_sql
from kohort.parent.table_entries import BEHAVIOR_RESERVED, PROFILE_RESERVED
from kohort.ports.definitions import DefinitionStore, ParentRecord, RefreshRecord
from kohort.ports.warehouse import TableInfo, Warehouse
from kohort.services.definitions.stored import parent_of
from kohort.services.refresh.measure import resolve_parent, rows_of

_NEAR = 0.75
_MOST_PLACES = 10


@dataclass(frozen=True)
class ParentFields:
    """The catalog, and the refresh it is from; None: nothing was refreshed yet, it is what the warehouse's tables promise."""

    catalog: FieldCatalog
    refresh: RefreshRecord | None

    @property
    def refreshed_at(self) -> datetime | None:
        return self.refresh.finished_at if self.refresh else None


@dataclass(frozen=True, slots=True)
class Place:
    """A column of the warehouse that could become the field: what to paste into the file, and under which key."""

    table: str
    column: str
    type: str
    exact: bool
    kind: Literal["attribute", "behavior"]
    key_found: bool
    advice: str
    yaml: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a field is already (`present`: sentences) and where it could come from (`places`, best first)."""

    column: str
    present: tuple[str, ...]
    places: tuple[Place, ...]


def parent_fields(warehouse: Warehouse, store: DefinitionStore, record: ParentRecord) -> ParentFields:
    """The catalog of the last good refresh, else of the tables as they are. Raises InvalidInput when they do not fit."""
    last = store.last_refresh(record.id)
    if last is not None:
        return ParentFields(catalog_from_document(last.catalog), last)
    return ParentFields(promised_fields(warehouse, parent_of(record)), None)


def promised_fields(warehouse: Warehouse, parent: ParentSegment) -> FieldCatalog:
    """The catalog a refresh would give now. Raises InvalidInput."""
    resolved, issues = resolve_parent(warehouse, parent)
    if resolved is None or not issues.ok:
        raise InvalidInput(issues)
    return resolved.catalog


def explain_missing(warehouse: Warehouse, store: DefinitionStore, record: ParentRecord, column: str) -> Explanation:
    """How one would add a field: which tables have the column or one of a near name, and the YAML to paste."""
    parent = parent_of(record)
    last = store.last_refresh(record.id)
    catalog = catalog_from_document(last.catalog) if last else FieldCatalog((), ())
    present = tuple(_present(catalog, column)) or tuple(_pending(warehouse, parent, column))
    found = [
        (score, info, name)
        for info in warehouse.tables()
        if not info.ref.database.startswith("cdp_audience_")
        for name in (c.name for c in info.columns if family(c.type) != "binary")
        if (score := _likeness(column, name)) >= _NEAR
    ]
    found.sort(key=lambda item: (-item[0], str(item[1].ref), item[2]))
    exact = [item for item in found if item[0] == 1.0]
    places = tuple(_place(warehouse, parent, info, name, column) for _, info, name in (exact or found)[:_MOST_PLACES])
    return Explanation(column, present, () if present else places)


def _present(catalog: FieldCatalog, column: str) -> Iterator[str]:
    for field in catalog.attributes:
        if field.name.lower() == column.lower():
            yield f'"{field.name}" is an attribute already ({field.type}, from {field.source})'
    for behavior in catalog.behaviors:
        for field in behavior.fields:
            if field.name.lower() == column.lower():
                yield f'"{field.name}" is a field of the behavior {behavior.name} already ({field.type}, from {field.source})'


def _pending(warehouse: Warehouse, parent: ParentSegment, column: str) -> Iterator[str]:
    resolved, _ = resolve_parent(warehouse, parent)
    if resolved:
        for sentence in _present(resolved.catalog, column):
            yield f"{sentence}; it can be used after the next refresh: kohort ps run"


def _likeness(wanted: str, name: str) -> float:
    left, right = slug(wanted, ""), slug(name, "")
    if wanted.lower() == name.lower() or left == right:
        return 1.0
    return min(SequenceMatcher(None, left, right).ratio(), 0.99)


def _place(warehouse: Warehouse, parent: ParentSegment, info: TableInfo, name: str, wanted: str) -> Place:
    types = {column.name: column.type for column in info.columns}
    exact = name.lower() == wanted.lower()
    entry = _entry_of(parent, info)
    kind: Literal["attribute", "behavior"]
    if entry is not None:
        kind = "attribute" if isinstance(entry, AttributeTable) else "behavior"
        advice = f'{info.ref} is joined already: add this under columns of the {kind} "{entry.name}"'
        return Place(str(info.ref), name, types[name], exact, kind, True, advice, write_yaml([_pick(name, types, kind)]))
    parent_key, child_key = _join_of(parent, list(types), name)
    time = _time_of(types, name)
    many = bool(child_key) and _has_repeats(warehouse, info, child_key)
    kind = "behavior" if many and time else "attribute"
    join = (parent_key, child_key or "<column with the customer's key>")
    text = write_yaml({f"{kind}s": [_new_entry(parent, info, name, types, kind, join, time)]})
    return Place(str(info.ref), name, types[name], exact, kind, bool(child_key), _advice(str(info.ref), child_key, kind, many), text)


def _advice(table: str, child_key: str, kind: str, many: bool) -> str:
    if not child_key:
        return f"no column of {table} looks like the customers' key: write the one that is"
    if kind == "behavior":
        return f"{table} has several rows per customer, with a time: add it as a behavior"
    rows = "several rows per customer, of which one is taken" if many else "one row per customer"
    return f"{table} has {rows}: add it as an attribute"


def _entry_of(parent: ParentSegment, info: TableInfo) -> AttributeTable | BehaviorTable | None:
    """The entry of the table that takes one more column; one that is a single attribute of its own name may have no list of columns."""
    entries: tuple[AttributeTable | BehaviorTable, ...] = (*parent.attributes, *parent.behaviors)
    open_entries = (entry for entry in entries if not entry.all_columns and [pick.name for pick in entry.columns] != [entry.name])
    return next((entry for entry in open_entries if entry.source == info.ref), None)


def _join_of(parent: ParentSegment, columns: Sequence[str], wanted: str) -> tuple[str, str]:
    """(master column, column of the table) by the names joins use already, then by likeness; ("...", "") when none fits."""
    pairs = [(parent.key_column, parent.key_column)]
    pairs += [(t.parent_key, t.child_key) for t in parent.attributes] + [(t.parent_key, t.child_key) for t in parent.behaviors]
    lowered = {name.lower(): name for name in columns if name != wanted}
    for parent_key, child_key in pairs:
        for key in (child_key, parent_key):
            if key.lower() in lowered:
                return parent_key, lowered[key.lower()]
    best = max(lowered.values(), key=lambda name: _likeness(parent.key_column, name), default="")
    return parent.key_column, best if best and _likeness(parent.key_column, best) >= _NEAR else ""


def _time_of(types: dict[str, str], wanted: str) -> str:
    others = {name: kind for name, kind in types.items() if name != wanted}
    times = [name for name, kind in others.items() if family(kind) in ("timestamp", "timestamptz", "date")]
    named = [name for name, kind in others.items() if name.lower() in ("time", "timestamp") and family(kind) == "int"]
    return next(iter([*times, *named]), "")


def _has_repeats(warehouse: Warehouse, info: TableInfo, key: str) -> bool:
    query = f"SELECT COUNT({quoted(key)}) > COUNT(DISTINCT {quoted(key)}) AS repeats FROM {table_sql(info.ref)} AS s"
    return bool(rows_of(warehouse, statement(query))[0]["repeats"])


def _pick(name: str, types: dict[str, str], kind: str) -> dict[str, Any]:
    reserved = PROFILE_RESERVED if kind == "attribute" else BEHAVIOR_RESERVED
    renamed = {"name": f"source_{name}"} if name.lower() in reserved | {"time"} else {}
    declared = {"type": natural_type(types[name])} if family(types[name]) not in ("other", "binary") else {}
    return {"column": name, **renamed, **declared}


def _new_entry(
    parent: ParentSegment, info: TableInfo, name: str, types: dict[str, str], kind: str, join: tuple[str, str], time: str
) -> dict[str, Any]:
    taken = {t.name for t in parent.attributes} | {t.name for t in parent.behaviors} | {t.slug for t in parent.behaviors}
    titles = (info.ref.table, f"{info.ref.database} {info.ref.table}", f"{info.ref.database} {info.ref.table} {name}")
    title = next((t for t in titles if t not in taken), titles[-1])
    document: dict[str, Any] = {
        "name": title,
        "source": {"database": info.ref.database, "table": info.ref.table},
        "join": {"parent_key": join[0], "child_key": join[1]},
    }
    if kind == "behavior" and time != "time":
        document["timestamp_column"] = time
    return document | {"columns": [_pick(name, types, kind)]}
