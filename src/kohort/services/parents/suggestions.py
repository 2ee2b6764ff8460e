"""What values a field has: the most frequent ones, how numbers and times are spread, how many are missing.

Measured at the end of a refresh on its profile index (without one: by SQL, when first asked for) and kept beside the workspace's state
until the refresh after the next one. Personal data (`visibility: pii`) is counted, its values are not shown; blocked fields are not
measured.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from kohort.foundation.clock import Clock
from kohort.foundation.errors import UserError
from kohort.foundation.instants import to_micros
from kohort.foundation.issues import did_you_mean
from kohort.parent.catalog import TIME_FIELD, Behavior, Field, FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.layout import TIMESTAMP, behavior_table, profiles_table
from kohort.parent.statements import quoted, statement, table_sql
from kohort.ports.definitions import RefreshRecord
from kohort.ports.progress import Progress, Silent
from kohort.services.evaluation.evaluate import Engine
from kohort.services.parents.field_statistics import (
    KEPT_VALUES,
    FieldStatistics,
    Histogram,
    Value,
    ValueCount,
    bins_of,
    has_histogram,
    plain_value,
    shown_edge,
    statistics_from_document,
)
from kohort.services.refresh.index_files import stamp_of
from kohort.services.refresh.measure import rows_of
from kohort.workspace.files import write_text

if TYPE_CHECKING:
    from kohort.index.columns import ProfileIndex
    from kohort.services.parents.field_columns import FieldRows

_EXACT_ROWS = 20_000_000  # distinct values of more rows are estimated
_FORMAT = 2
_READ_FILES = 200
_ALL = "%all.json"  # no field's own file is called so: their names are quoted


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the values of a field are: `rows` selects one `v` a row."""

    name: str
    field: Field
    kind: Literal["attribute", "behavior"]
    rows: str

    @property
    def values(self) -> str:
        """One known `v` a value: the elements of arrays."""
        inner = f"SELECT UNNEST(v) AS v FROM ({self.rows}) AS r" if self.field.is_array else self.rows
        return f"SELECT v FROM ({inner}) AS e WHERE NOT v IS NULL"


def measure_fields(
    done: RefreshRecord,
    index: ProfileIndex,
    folder: Path,
    *,
    clock: Clock,
    seconds: float = 20.0,
    threads: int = 0,
    progress: Progress | None = None,
) -> int:
    """Measure every field of a fresh index and keep what was found for `field_statistics`; how many fields that are.

    After `seconds` no further field is begun: the others, and those the index does not hold, are measured when they are asked for.
    threads: 0 = all cores. Raises what the disk raises.
    """
    from kohort.services.parents.field_columns import measure_column

    report, until = progress or Silent(), clock.now() + timedelta(seconds=seconds)
    fields = list(_indexed(catalog_from_document(done.catalog), index, done))
    found: list[FieldStatistics] = []
    workers = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        for tried, measured in enumerate(workers.map(lambda rows: measure_column(rows) if clock.now() < until else None, fields)):
            report.step("Measure fields", tried, len(fields))
            found += [measured] if measured else []
            if tried + 1 == len(fields) or _table_of(fields[tried]) != _table_of(fields[tried + 1]):
                _release(index)
    finally:
        workers.shutdown(cancel_futures=True)
    report.step("", len(fields), len(fields))
    place = _place(folder, done)
    shutil.rmtree(place, ignore_errors=True)
    document = {**_head(done), "fields": [asdict(one) for one in found]}
    write_text(place / _ALL, json.dumps(document, ensure_ascii=False))
    _drop_old(folder, done)
    return len(found)


def _table_of(rows: FieldRows) -> str:
    return rows.name.rpartition(".")[0] if rows.kind == "behavior" else ""


def _release(index: ProfileIndex) -> None:
    """Give back the memory of mapped files: only one table's are needed at a time."""
    index.release()
    for behavior in index.behaviors.values():
        behavior.release()


def _indexed(catalog: FieldCatalog, index: ProfileIndex, done: RefreshRecord) -> Iterator[FieldRows]:
    """The fields that an index holds and that are not blocked."""
    from kohort.services.parents.field_columns import rows_of_attribute, rows_of_behavior

    for field in catalog.attributes:
        rows = rows_of_attribute(index, field)
        if rows is not None and field.visibility != "blocked":
            yield rows
    for behavior in catalog.behaviors:
        for rows in rows_of_behavior(index, behavior, to_micros(done.as_of)):
            if rows.field.visibility != "blocked":
                yield rows


def field_statistics(engine: Engine, folder: Path, name: str) -> FieldStatistics:
    """The statistics of one field, from `folder` or measured now. Raises UserError UNKNOWN_FIELD, BLOCKED_FIELD."""
    source = _source(engine, name)
    kept = _kept(folder, engine.refresh).get(source.name)
    return kept or _measured_now(engine, folder, source)


def all_statistics(engine: Engine, folder: Path, progress: Progress | None = None) -> list[FieldStatistics]:
    """Those of every field that is not blocked: attributes, then behaviors with their time."""
    report, kept = progress or Silent(), _kept(folder, engine.refresh)
    missing = [name for name in field_names(engine) if name not in kept]
    for done, name in enumerate(missing):
        report.step(f"Measure {name}", done, len(missing))
        kept[name] = _measured_now(engine, folder, _source(engine, name))
    return [kept[name] for name in field_names(engine)]


def kept_statistics(engine: Engine, folder: Path) -> dict[str, FieldStatistics]:
    """What was measured already, by field; nothing is measured now."""
    return _kept(folder, engine.refresh)


def suggest_values(engine: Engine, folder: Path, name: str, prefix: str = "", limit: int = 20) -> tuple[ValueCount, ...]:
    """The most frequent values that begin with `prefix` (any case), as somebody types them into a rule. Errors as `field_statistics`."""
    known = field_statistics(engine, folder, name)
    wanted = prefix.casefold()
    found = [value for value in known.top if _text(value.value).casefold().startswith(wanted)]
    source = _source(engine, name)
    if known.is_complete or len(found) >= limit or not prefix or source.field.visibility == "pii":
        return tuple(found[:limit])
    return _top(
        engine, source, known.rows - known.nulls, limit, f"STARTS_WITH(LOWER(CAST(v AS VARCHAR)), LOWER({quoted(prefix, chr(39))}))"
    )


def field_names(engine: Engine) -> Iterator[str]:
    """Every field there are statistics of: attributes, then `<behavior>.<column>`."""
    for field in engine.catalog.attributes:
        if field.visibility != "blocked":
            yield field.name
    for behavior in engine.catalog.behaviors:
        yield f"{behavior.name}.{TIME_FIELD.name}"
        for field in behavior.fields:
            if field.visibility != "blocked":
                yield f"{behavior.name}.{field.name}"


# --- measuring --------------------------------------------------------------------------------------------------


def _source(engine: Engine, name: str) -> _Source:
    field = engine.catalog.attribute.get(name)
    if field is not None:
        _refuse_blocked(field)
        table = table_sql(profiles_table(engine.parent.id, engine.refresh.number))
        return _Source(name, field, "attribute", f"SELECT {quoted(name)} AS v FROM {table} AS t")
    behavior_name, _, column = name.removeprefix("behavior_").rpartition(".")
    behavior = engine.catalog.behavior.get(behavior_name)
    found = behavior.by_name.get(column) if behavior is not None else None
    if behavior is None or found is None:
        raise UserError("UNKNOWN_FIELD", f'there is no field "{name}"', hint=did_you_mean(name, field_names(engine)))
    _refuse_blocked(found)
    return _Source(f"{behavior.name}.{found.name}", found, "behavior", _events(engine, behavior, found))


def _events(engine: Engine, behavior: Behavior, field: Field) -> str:
    table = table_sql(behavior_table(engine.parent.id, engine.refresh.number, behavior.name))
    until = engine.refresh.as_of.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return f"SELECT {quoted(field.name)} AS v FROM {table} AS t WHERE {quoted(TIMESTAMP)} <= CAST('{until}' AS TIMESTAMP)"


def _refuse_blocked(field: Field) -> None:
    if field.visibility == "blocked":
        raise UserError("BLOCKED_FIELD", f'"{field.name}" is blocked: its values are not shown', hint="ask the owner of the parent segment")


def _measured_now(engine: Engine, folder: Path, source: _Source) -> FieldStatistics:
    """Measured on the index where it holds the field, else by SQL; kept in a file of its own."""
    found = _measure_indexed(engine, source.name) or _measure(engine, source)
    path = _place(folder, engine.refresh) / f"{quote(source.name, safe='')[:200]}.json"
    write_text(path, json.dumps({**_head(engine.refresh), "fields": [asdict(found)]}, ensure_ascii=False))
    _drop_old(folder, engine.refresh)
    return found


def _measure_indexed(engine: Engine, name: str) -> FieldStatistics | None:
    if engine.index is None:
        return None
    from kohort.services.parents.field_columns import measure_column

    rows = next((rows for rows in _indexed(engine.catalog, engine.index, engine.refresh) if rows.name == name), None)
    return None if rows is None else measure_column(rows)


def _measure(engine: Engine, source: _Source) -> FieldStatistics:
    [counted] = _rows(engine, f"SELECT COUNT(*) AS rows, COUNT(v) AS known FROM ({source.rows}) AS r")
    rows, known = int(counted["rows"]), int(counted["known"])
    exact = rows <= _EXACT_ROWS
    distinct = "COUNT(DISTINCT v)" if exact else "APPROX_COUNT_DISTINCT(v)"
    [found] = _rows(engine, f"SELECT {distinct} AS values, COUNT(*) AS elements FROM ({source.values}) AS k")
    personal = source.field.visibility == "pii"
    return FieldStatistics(
        field=source.name,
        type=source.field.type,
        kind=source.kind,
        rows=rows,
        nulls=rows - known,
        distinct=int(found["values"]),
        distinct_exact=exact,
        top=() if personal else _top(engine, source, known, KEPT_VALUES),
        histogram=None if personal else _histogram(engine, source),
    )


def _top(engine: Engine, source: _Source, known: int, limit: int, where: str = "TRUE") -> tuple[ValueCount, ...]:
    query = f"SELECT v, COUNT(*) AS rows FROM ({source.values}) AS k WHERE {where} GROUP BY v ORDER BY rows DESC, v LIMIT {limit}"
    return tuple(ValueCount(plain_value(row["v"]), int(row["rows"]), int(row["rows"]) / known) for row in _rows(engine, query))


def _histogram(engine: Engine, source: _Source) -> Histogram | None:
    if not has_histogram(source.field):
        return None
    number = _number(source.field)
    query = f"""SELECT MIN(x) AS low, MAX(x) AS high, APPROX_QUANTILE(x, 0.01) AS first, APPROX_QUANTILE(x, 0.99) AS last
        FROM (SELECT {number} AS x FROM ({source.values}) AS k) AS n"""
    [found] = _rows(engine, query)
    if found["low"] is None or not (math.isfinite(found["low"]) and math.isfinite(found["high"])):
        return None
    edges = bins_of(source.field, float(found["low"]), float(found["high"]), float(found["first"]), float(found["last"]))
    place = " + ".join(["0", *(f"CAST(x >= {edge!r} AS INTEGER)" for edge in edges[1:-1])])
    query = f"SELECT {place} AS bin, COUNT(*) AS rows FROM (SELECT {number} AS x FROM ({source.values}) AS k) AS n GROUP BY bin"
    counted = _rows(engine, query)
    counts = [0] * (len(edges) - 1)
    for row in counted:
        counts[int(row["bin"])] = int(row["rows"])
    return Histogram(tuple(shown_edge(edge, source.field) for edge in edges), tuple(counts))


def _number(field: Field) -> str:
    """The SQL of a field's value as a float64: times in microseconds."""
    return "CAST(EPOCH_US(CAST(v AS TIMESTAMP)) AS DOUBLE)" if field.is_time else "CAST(v AS DOUBLE)"


def _rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    return rows_of(engine.warehouse, statement(query))


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- keeping ----------------------------------------------------------------------------------------------------


def _place(folder: Path, done: RefreshRecord) -> Path:
    return folder / str(done.parent_id) / str(done.number)


def _head(done: RefreshRecord) -> dict[str, Any]:
    """What a file must begin with: an earlier life of the workspace may have had a refresh of the same number."""
    return {"format": _FORMAT, "refresh": stamp_of(done)}


def _kept(folder: Path, done: RefreshRecord) -> dict[str, FieldStatistics]:
    """What was measured of a refresh, by field; damaged files are measured again."""
    found: dict[str, FieldStatistics] = {}
    for path in sorted(_place(folder, done).glob("*.json")):
        try:
            file = path.stat()
            head, fields = _kept_file(path, file.st_ino, file.st_mtime_ns, file.st_size)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if head.items() >= _head(done).items():
            found |= fields
    return found


@lru_cache(_READ_FILES)
def _kept_file(path: Path, _inode: int, _changed: int, _size: int) -> tuple[dict[str, Any], dict[str, FieldStatistics]]:
    """(what a file begins with, its fields); files are replaced as a whole, and read again when they are."""
    document = json.loads(path.read_text(encoding="utf-8"))
    fields = {one["field"]: statistics_from_document(one) for one in document.pop("fields")}
    return document, fields


def _drop_old(folder: Path, done: RefreshRecord) -> None:
    """Forget refreshes that are gone: only this one and the one before stay."""
    for entry in (folder / str(done.parent_id)).iterdir():
        if entry.name.isdecimal() and int(entry.name) < done.number - 1:
            shutil.rmtree(entry, ignore_errors=True)
