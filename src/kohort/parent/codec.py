"""The parent segment file: every printed form to one `ParentSegment`, and back to the `tdx ps` form."""

from __future__ import annotations

from typing import Any

from kohort.documents.document import Document
from kohort.foundation.instants import load_zone
from kohort.foundation.issues import Issues, Path
from kohort.parent.definition import (
    AttributeTable,
    BehaviorTable,
    Engine,
    Master,
    ParentSegment,
    PopulationFilter,
    Schedule,
    TableRef,
)
from kohort.parent.master_columns import master_column_to_document, read_master_columns
from kohort.parent.reading import Reader, in_order, kind_of
from kohort.parent.schedule import read_schedule, schedule_to_document
from kohort.parent.table_entries import (
    attribute_to_document,
    behavior_to_document,
    check_collisions,
    read_attribute,
    read_behavior,
    read_source,
    read_table,
)

MAX_FILTERS = 2


def read_parent(document: Document) -> tuple[ParentSegment | None, Issues]:
    """The parent segment a file describes, and every problem in it, placed; None when any of them is an error.

    Calendar words use `timezone`; where it is not written, the schedule's time zone, then UTC.
    """
    issues = Issues()
    reader = Reader(document.value, (), issues, "the parent segment")
    if not reader.is_mapping:
        return None, in_order(document.located(issues))
    name = reader.text("name", required=True)
    if name and not any(letter.isalnum() for letter in name):
        issues.error("INVALID_NAME", f'the name "{name}" needs a letter or a digit', ("name",))
    description = reader.text("description") if reader.raw("description") != "" else ""
    master = _read_master(reader)
    engine = _read_engine(reader)
    schedule = Schedule() if reader.raw("schedule") is None else read_schedule(reader.values["schedule"], ("schedule",), issues)
    timezone = _read_timezone(reader) or schedule.timezone or "UTC"
    attributes = [(t, p) for value, p in reader.items("attributes") if (t := read_attribute(value, p, issues, master.key_column))]
    behaviors = [(b, p) for value, p in reader.items("behaviors") if (b := read_behavior(value, p, issues, master.key_column))]
    reader.finish()
    _check_names(attributes, behaviors, issues)
    check_collisions(attributes, issues)
    parent = ParentSegment(
        name, master, description, tuple(t for t, _ in attributes), tuple(t for t, _ in behaviors), schedule, engine, timezone
    )
    _check_key(parent, "master_table" if reader.has("master_table") else "master", issues)
    return (parent if issues.ok else None), in_order(document.located(issues))


def parent_to_document(parent: ParentSegment) -> dict[str, Any]:
    """The canonical document: `read_parent` of it gives the same parent segment."""
    document: dict[str, Any] = {"name": parent.name}
    if parent.description:
        document["description"] = parent.description
    document["timezone"] = parent.timezone
    document["master"] = _master_to_document(parent.master)
    if parent.schedule != Schedule():
        document["schedule"] = schedule_to_document(parent.schedule)
    if parent.engine != Engine():
        engine = parent.engine
        document["engine"] = {"hive_only": engine.hive_only, "trino_pool": engine.trino_pool, "hive_pool": engine.hive_pool}
    if parent.attributes:
        document["attributes"] = [attribute_to_document(table) for table in parent.attributes]
    if parent.behaviors:
        document["behaviors"] = [behavior_to_document(table) for table in parent.behaviors]
    return document


def written_path(document: Document, path: Path) -> Path:
    """Where the value that the `tdx ps` form has at `path` stands in a file of another form.

    >>> written_path(Document({"master_table": {}}), ("master", "key_column"))
    ('master_table', 'key_column')
    """
    value = document.value
    if not isinstance(value, dict) or not path:
        return path
    if path[0] == "master" and "master" not in value:
        return ("master_table", *path[1:])
    entries = value.get(path[0]) if path[0] in ("attributes", "behaviors") else None
    if not isinstance(entries, list) or len(path) < 3 or not isinstance(path[1], int) or path[1] >= len(entries):
        return path
    entry, rest = entries[path[1]], path[2:]
    return (*path[:2], *_written_part(entry, rest)) if isinstance(entry, dict) else path


def _written_part(entry: dict[str, Any], rest: Path) -> Path:
    match rest:
        case ("source", *inner) if "source" not in entry:
            return ("schema",) if inner == ["database"] and "schema" in entry else tuple(inner) or ("table",)
        case ("columns", *_) if "columns" not in entry:
            return next(((key,) for key in ("value_column", "column", "all_columns") if key in entry), rest)
        case ("join", *_) if "join" not in entry:
            return ("key_column",)
        case ("join", "parent_key") if "master_key" in (entry["join"] or {}):
            return ("join", "master_key")
        case ("join", "child_key") if "table_key" in (entry["join"] or {}):
            return ("join", "table_key")
        case ("timestamp_column",) if "timestamp_column" not in entry:
            return ("time_column",)
    return rest


def located(document: Document, issues: Issues) -> Issues:
    """Issues with `tdx ps` paths, placed in the file whatever its form."""
    moved = Issues()
    for issue in issues:
        place = document.place(written_path(document, issue.path))
        moved.add(issue if issue.line else issue.with_place(issue.file or document.file, *place))
    return in_order(moved)


def _read_master(reader: Reader) -> Master:
    if reader.has("master") and reader.has("master_table"):
        reader.issues.error("CONFLICT", 'there is "master" and "master_table"', ("master_table",), "keep one of them")
    reader.raw("master")
    reader.raw("master_table")
    key = "master_table" if reader.has("master_table") and not reader.has("master") else "master"
    inner = reader.mapping(key, "the master table", required=True)
    if inner is None or not inner.is_mapping:
        return Master(TableRef("", ""))
    source = read_source(inner) if inner.has("source") else read_table(inner)
    master = Master(source, inner.text("key_column"), _read_filters(inner), read_master_columns(inner))
    inner.finish()
    return master


def _read_filters(reader: Reader) -> tuple[PopulationFilter, ...]:
    filters: list[PopulationFilter] = []
    for value, path in reader.items("filters"):
        inner = Reader(value, path, reader.issues, "the filter")
        if not inner.is_mapping:
            continue
        column = inner.text("column", required=True)
        values = tuple(text for item, at in inner.items("values") if (text := _filter_value(item, at, reader.issues)) is not None)
        if not inner.values.get("values"):
            inner.missing("values", 'values: ["active", "trial"]')
        inner.finish()
        filters.append(PopulationFilter(column, values))
    if len(filters) > MAX_FILTERS:
        path = (*reader.path, "filters", MAX_FILTERS)
        reader.issues.error("TOO_MANY_FILTERS", f"a parent segment has at most {MAX_FILTERS} filters, not {len(filters)}", path)
    return tuple(filters)


def _filter_value(item: Any, path: Path, issues: Issues) -> str | None:
    if isinstance(item, str):
        return item
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    issues.error("WRONG_TYPE", f"a filter's value must be text, not {kind_of(item)}", path, "put it in quotes")
    return None


def _read_engine(reader: Reader) -> Engine:
    inner = reader.mapping("engine", "the engine")
    if inner is None or not inner.is_mapping:
        return Engine()
    engine = Engine(inner.flag("hive_only"), inner.text("trino_pool") or None, inner.text("hive_pool") or None)
    inner.finish()
    return engine


def _read_timezone(reader: Reader) -> str:
    if reader.has("timezone") and reader.has("time_zone"):
        reader.issues.error("CONFLICT", "the time zone is written twice", ("time_zone",), "keep timezone")
    written = {key: reader.text(key) for key in ("timezone", "time_zone")}
    key = "timezone" if written["timezone"] else "time_zone"
    if written[key] and load_zone(written[key]) is None:
        hint = "write an IANA name such as Asia/Tokyo"
        reader.issues.error("INVALID_TIMEZONE", f'there is no time zone "{written[key]}"', (key,), hint)
    return written[key]


def _check_names(attributes: list[tuple[AttributeTable, Path]], behaviors: list[tuple[BehaviorTable, Path]], issues: Issues) -> None:
    names: set[str] = set()
    for table, path in attributes:
        if table.name and table.name in names:
            issues.error("DUPLICATE_NAME", f'two attributes are named "{table.name}"', (*path, "name"))
        names.add(table.name)
    slugs: dict[str, str] = {}
    for behavior, path in behaviors:
        if behavior.name and behavior.slug in slugs:
            message = f'the behaviors "{slugs[behavior.slug]}" and "{behavior.name}" would both be the table behavior_{behavior.slug}'
            issues.error("DUPLICATE_BEHAVIOR", message, (*path, "name"), "give one of them another name")
        slugs.setdefault(behavior.slug, behavior.name)


def _check_key(parent: ParentSegment, written_as: str, issues: Issues) -> None:
    if parent.master.key_column:
        return
    joins: tuple[AttributeTable | BehaviorTable, ...] = (*parent.attributes, *parent.behaviors)
    keys = sorted({join.parent_key for join in joins if join.parent_key})
    if not keys and issues.ok:
        hint = "write key_column: <the column that identifies a customer>"
        issues.error("MISSING_KEY", 'the master table needs "key_column": no join says it', (written_as,), hint)
    if len(keys) > 1:
        message = f'the joins use several columns of the master ({", ".join(keys)}); "{parent.key_column}" is taken as its key'
        issues.warning("KEY_COLUMN_GUESSED", message, (written_as,), f"write key_column: {parent.key_column}")


def _master_to_document(master: Master) -> dict[str, Any]:
    document: dict[str, Any] = {"database": master.source.database, "table": master.source.table}
    if master.key_column:
        document["key_column"] = master.key_column
    if master.filters:
        document["filters"] = [{"column": item.column, "values": list(item.values)} for item in master.filters]
    if master.columns:
        document["columns"] = [master_column_to_document(said) for said in master.columns]
    return document
