"""What values a field has: the most frequent ones, how numbers and times are spread, how many are missing.

Measured over the tables of the last good refresh when first asked for, and kept beside the workspace's state until the refresh after
the next one. Personal data (`visibility: pii`) is counted, its values are not shown; blocked fields are not measured.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from kohort.foundation.errors import UserError
from kohort.foundation.instants import from_micros
from kohort.foundation.issues import did_you_mean
from kohort.parent.catalog import TIME_FIELD, Behavior, Field
from kohort.parent.layout import TIMESTAMP, behavior_table, profiles_table
from kohort.parent.statements import quoted, statement, table_sql
from kohort.ports.progress import Progress, Silent
from kohort.services.evaluate import Engine
from kohort.services.measure_tables import rows_of
from kohort.workspace.files import write_text

_KEPT_VALUES = 200
_BINS = 20
_EXACT_ROWS = 20_000_000  # distinct values of more rows are estimated
_FORMAT = 1
_DAY = 86_400_000_000
_TIME_STEPS = tuple(_DAY * days // 24 for days in (1, 3, 6, 12, 24, 2 * 24, 7 * 24, 14 * 24, 30 * 24, 91 * 24, 182 * 24, 365 * 24))

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value and in how many rows it is. share: of the rows that have a value. Times are ISO 8601 (UTC), dates YYYY-MM-DD."""

    value: Value
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers and times in bins: edges are one more than counts; a bin ends before its upper edge, the last one with it.

    Inner edges are round; the first and the last edge are the lowest and highest value, however far out they are.
    """

    edges: tuple[Value, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """One attribute (rows are profiles) or one column of a behavior (rows are events up to the refresh's instant).

    field: `loyalty_tier` or `purchase.amount`. distinct: different values, of arrays different elements; estimated when not
    distinct_exact. top: the most frequent values (of arrays: elements), complete when there are as many as distinct; empty for personal
    data. histogram: of numbers and times, else None.
    """

    field: str
    type: str
    kind: Literal["attribute", "behavior"]
    rows: int
    nulls: int
    distinct: int
    distinct_exact: bool
    top: tuple[ValueCount, ...]
    histogram: Histogram | None

    @property
    def null_share(self) -> float | None:
        return self.nulls / self.rows if self.rows else None

    @property
    def is_complete(self) -> bool:
        return len(self.top) == self.distinct


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


def field_statistics(engine: Engine, folder: Path, name: str) -> FieldStatistics:
    """The statistics of one field, from `folder` or measured now. Raises UserError UNKNOWN_FIELD, BLOCKED_FIELD."""
    source = _source(engine, name)
    path = _file(engine, folder, source.name)
    try:
        return _from_document(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        found = _measure(engine, source)
        write_text(path, json.dumps({"format": _FORMAT, **asdict(found)}, ensure_ascii=False))
        _drop_old(engine, folder)
        return found


def all_statistics(engine: Engine, folder: Path, progress: Progress | None = None) -> list[FieldStatistics]:
    """Those of every field that is not blocked: attributes, then behaviors with their time."""
    report = progress or Silent()
    names = list(field_names(engine))
    found = []
    for done, name in enumerate(names):
        report.step(f"Measure {name}", done, len(names))
        found.append(field_statistics(engine, folder, name))
    return found


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
        top=() if personal else _top(engine, source, known, _KEPT_VALUES),
        histogram=None if personal else _histogram(engine, source),
    )


def _top(engine: Engine, source: _Source, known: int, limit: int, where: str = "TRUE") -> tuple[ValueCount, ...]:
    query = f"SELECT v, COUNT(*) AS rows FROM ({source.values}) AS k WHERE {where} GROUP BY v ORDER BY rows DESC, v LIMIT {limit}"
    return tuple(ValueCount(_plain(row["v"]), int(row["rows"]), int(row["rows"]) / known) for row in _rows(engine, query))


def _histogram(engine: Engine, source: _Source) -> Histogram | None:
    if source.field.is_array or source.field.type not in ("number", "timestamp", "date"):
        return None
    number = _number(source.field)
    query = f"""SELECT MIN(x) AS low, MAX(x) AS high, APPROX_QUANTILE(x, 0.01) AS first, APPROX_QUANTILE(x, 0.99) AS last
        FROM (SELECT {number} AS x FROM ({source.values}) AS k) AS n"""
    [found] = _rows(engine, query)
    if found["low"] is None:
        return None
    edges = bin_edges(float(found["low"]), float(found["high"]), float(found["first"]), float(found["last"]), _shortest(source.field))
    place = " + ".join(["0", *(f"CAST(x >= {edge!r} AS INTEGER)" for edge in edges[1:-1])])
    query = f"SELECT {place} AS bin, COUNT(*) AS rows FROM (SELECT {number} AS x FROM ({source.values}) AS k) AS n GROUP BY bin"
    counted = _rows(engine, query)
    counts = [0] * (len(edges) - 1)
    for row in counted:
        counts[int(row["bin"])] = int(row["rows"])
    return Histogram(tuple(_edge(edge, source.field) for edge in edges), tuple(counts))


def bin_edges(low: float, high: float, first: float, last: float, shortest: float = 0.0) -> list[float]:
    """Round edges a step apart between `first` and `last`, with `low` before and `high` after them.

    shortest: the least step; of an hour in microseconds or more, steps are of hours, days, weeks...

    >>> bin_edges(-5, 900, 0, 100)[:4], bin_edges(-5, 900, 0, 100)[-3:]
    ([-5, 5.0, 10.0, 15.0], [95.0, 100.0, 900])
    """
    width = max((last - first) / _BINS, shortest)
    step = _time_step(width) if shortest >= _TIME_STEPS[0] else _round_step(width)
    start = math.floor(first / step) * step
    inner = [start + step * place for place in range(1, _BINS + 2)]
    return [low, *(edge for edge in inner if low < edge < high and edge <= last), high]


def _shortest(field: Field) -> float:
    """The least step of bins: an hour of times, a day of dates, 1 of whole numbers."""
    if field.is_time:
        return float(_DAY if field.type == "date" else _TIME_STEPS[0])
    return 1.0 if field.storage == "int64" else 0.0


def _round_step(width: float) -> float:
    if width <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(width))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= width * 0.999999)


def _time_step(width: float) -> float:
    found = next((step for step in _TIME_STEPS if step >= width), None)
    return float(found) if found else math.ceil(width / _TIME_STEPS[-1]) * float(_TIME_STEPS[-1])


def _number(field: Field) -> str:
    """The SQL of a field's value as a float64: times in microseconds."""
    return "CAST(EPOCH_US(CAST(v AS TIMESTAMP)) AS DOUBLE)" if field.is_time else "CAST(v AS DOUBLE)"


def _edge(value: float, field: Field) -> Value:
    if field.is_time:
        moment = from_micros(int(value))
        return moment.date().isoformat() if field.type == "date" else _plain(moment)
    return int(value) if value == int(value) else float(f"{value:.12g}")


def _rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    return rows_of(engine.warehouse, statement(query))


def _plain(value: Any) -> Value:
    match value:
        case datetime():
            return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case timedelta():
            return str(value)
        case _:
            return value  # type: ignore[no-any-return]


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- keeping ----------------------------------------------------------------------------------------------------


def _file(engine: Engine, folder: Path, name: str) -> Path:
    return folder / str(engine.parent.id) / str(engine.refresh.number) / f"{quote(name, safe='')[:200]}.json"


def _from_document(document: dict[str, Any]) -> FieldStatistics:
    if document.pop("format") != _FORMAT:
        raise ValueError("another format")
    histogram = document["histogram"]
    top = tuple(ValueCount(**value) for value in document["top"])
    bins = Histogram(tuple(histogram["edges"]), tuple(histogram["counts"])) if histogram else None
    return FieldStatistics(**{**document, "top": top, "histogram": bins})


def _drop_old(engine: Engine, folder: Path) -> None:
    """Forget refreshes that are gone: only this one and the one before stay."""
    for entry in (folder / str(engine.parent.id)).iterdir():
        if entry.name.isdecimal() and int(entry.name) < engine.refresh.number - 1:
            shutil.rmtree(entry, ignore_errors=True)
