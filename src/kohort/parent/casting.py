"""How a column of the warehouse becomes a field: the SQL of its value, how it is held, and which values do not fit.

SQL is DuckDB's; expressions are text over one column. Instants come out as TIMESTAMP in UTC:
- whole and fractional numbers declared `timestamp` are Unix seconds; TIMESTAMP without a zone is UTC already;
- a DATE (or text of one) is its midnight in the parent segment's zone;
- text is read as ISO 8601; without an offset it is UTC, like a TIMESTAMP column.
Years outside 1 to 9999, NaN, infinities and text that is not what was declared become null and are counted as misfits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kohort.parent.catalog import Storage
from kohort.parent.definition import FieldType

Family = Literal["text", "int", "bigint", "float", "decimal", "boolean", "timestamp", "timestamptz", "date", "array", "other", "binary"]

_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING", "CHAR", "BPCHAR", "ENUM", "UUID"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "LONG", "UTINYINT", "USMALLINT", "UINTEGER"), "int"),
    **dict.fromkeys(("HUGEINT", "UBIGINT", "UHUGEINT", "BIGNUM", "VARINT", "INT128"), "bigint"),
    **dict.fromkeys(("FLOAT", "REAL", "DOUBLE"), "float"),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), "decimal"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "boolean"),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_US", "TIMESTAMP_NS", "TIMESTAMP_NTZ"), "timestamp"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), "timestamptz"),
    "DATE": "date",
    **dict.fromkeys(("BLOB", "BYTEA", "BINARY", "VARBINARY", "BIT", "GEOMETRY", "NULL", '"NULL"'), "binary"),
}
_MIN_SECONDS, _MAX_SECONDS = -62_135_596_800, 253_402_300_799
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_OFFSET = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_TRUE, _FALSE = "('true', 't', 'yes', 'y', 'on', '1')", "('false', 'f', 'no', 'n', 'off', '0')"


@dataclass(frozen=True, slots=True)
class Casting:
    """value: SQL of the field. misfit: SQL that is true for a value that got lost; "" when none can. note: a warning, or ""."""

    type: FieldType
    storage: Storage
    value: str
    misfit: str = ""
    scale: int = 0
    note: str = ""


def family(sql_type: str) -> Family:
    """The kind of a warehouse type.

    >>> family("DECIMAL(18,2)"), family("INTEGER[3]"), family("STRUCT(a INTEGER)")
    ('decimal', 'array', 'other')
    """
    text = sql_type.strip().upper()
    if text.endswith("]"):
        return "array"
    return _FAMILIES.get(re.split(r"\(", text, maxsplit=1)[0].strip(), "other")


def element_type(sql_type: str) -> str:
    """The type inside an array type."""
    return sql_type.strip()[: sql_type.strip().rindex("[")]


def decimal_scale(sql_type: str) -> int:
    """Digits after the point of a decimal type (3 when not said, as in DuckDB)."""
    found = re.search(r"\(\s*\d+\s*,\s*(\d+)\s*\)", sql_type)
    return int(found[1]) if found else (0 if "(" in sql_type else 3)


def cast_column(column: str, sql_type: str, declared: FieldType | None, timezone: str) -> Casting | None:
    """How `column` (SQL of a column reference) becomes a field of the declared type, or of its natural one; None: it cannot."""
    kind = family(sql_type)
    if kind == "binary":
        return None
    match declared or natural_type(sql_type):
        case "string":
            note = f"{sql_type} is kept as text" if kind == "other" and not declared else ""
            return Casting("string", "text", column if _is_varchar(sql_type) else f"CAST({column} AS VARCHAR)", note=note)
        case "number":
            return _number(column, kind, sql_type)
        case "boolean":
            return _boolean(column, kind)
        case "timestamp":
            value = _instant(column, kind, timezone)
            return Casting("timestamp", "timestamp", value, _lost(column, value)) if value else None
        case "date":
            value = _date(column, kind, timezone)
            return Casting("date", "date", value, _lost(column, value)) if value else None
        case "string_array":
            return _text_array(column, kind)
        case "number_array":
            return _number_array(column, kind, sql_type)


def natural_type(sql_type: str) -> FieldType:
    """The field type of a column whose type nobody declared."""
    match family(sql_type):
        case "int" | "bigint" | "float" | "decimal":
            return "number"
        case "boolean":
            return "boolean"
        case "timestamp" | "timestamptz":
            return "timestamp"
        case "date":
            return "date"
        case "array":
            return "number_array" if family(element_type(sql_type)) in ("int", "bigint", "float", "decimal") else "string_array"
        case _:
            return "string"


def key_text(column: str, sql_type: str) -> str:
    """A key as text: 7, 7.0 and '7' are the same customer."""
    match family(sql_type):
        case "float":
            whole = f"{column} = FLOOR({column}) AND ABS({column}) < 1e15"
            text = f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
            return f"CASE WHEN ISFINITE({column}) THEN {text} END"
        case "decimal" if decimal_scale(sql_type):
            whole = f"CAST(CAST({column} AS HUGEINT) AS VARCHAR)"
            return f"CASE WHEN {column} = FLOOR({column}) THEN {whole} ELSE CAST({column} AS VARCHAR) END"
        case _:
            return column if _is_varchar(sql_type) else f"CAST({column} AS VARCHAR)"


def _is_varchar(sql_type: str) -> bool:
    return sql_type.strip().upper() in ("VARCHAR", "TEXT", "STRING")


def _lost(column: str, value: str) -> str:
    return f"{column} IS NOT NULL AND ({value}) IS NULL"


def _finite(value: str) -> str:
    return f"CASE WHEN ISFINITE({value}) THEN {value} END"


def _number(column: str, kind: Family, sql_type: str) -> Casting | None:
    match kind:
        case "int" | "boolean":
            return Casting("number", "int64", f"CAST({column} AS BIGINT)")
        case "bigint":
            value = f"TRY_CAST({column} AS BIGINT)"
            return Casting("number", "int64", value, _lost(column, value))
        case "decimal":
            return Casting("number", "decimal", column, scale=decimal_scale(sql_type))
        case "float":
            value = f"CASE WHEN ISFINITE({column}) THEN CAST({column} AS DOUBLE) END"
            return Casting("number", "float64", value, _lost(column, value))
        case "text":
            value = _finite(f"TRY_CAST({column} AS DOUBLE)")
            return Casting("number", "float64", value, _lost(column, value))
    return None


def _boolean(column: str, kind: Family) -> Casting | None:
    match kind:
        case "boolean":
            return Casting("boolean", "boolean", column)
        case "int" | "bigint":
            value = f"CASE {column} WHEN 1 THEN TRUE WHEN 0 THEN FALSE END"
        case "text":
            word = f"LOWER(TRIM(CAST({column} AS VARCHAR)))"
            value = f"CASE WHEN {word} IN {_TRUE} THEN TRUE WHEN {word} IN {_FALSE} THEN FALSE END"
        case _:
            return None
    return Casting("boolean", "boolean", value, _lost(column, value))


def _instant(column: str, kind: Family, timezone: str) -> str:
    """SQL of the TIMESTAMP in UTC; "" when this kind is no time."""
    match kind:
        case "int" | "bigint":
            inside = f"{column} BETWEEN {_MIN_SECONDS} AND {_MAX_SECONDS}"
            return f"CASE WHEN {inside} THEN MAKE_TIMESTAMP(CAST({column} AS BIGINT) * 1000000) END"
        case "float" | "decimal":
            number = f"CAST({column} AS DOUBLE)"
            inside = f"{number} BETWEEN {_MIN_SECONDS} AND {_MAX_SECONDS}"
            return f"CASE WHEN {inside} THEN MAKE_TIMESTAMP(CAST(ROUND({number} * 1000000) AS BIGINT)) END"
        case "timestamp":
            return _named_instant(f"CAST({column} AS TIMESTAMP)")
        case "timestamptz":
            return _named_instant(f"TIMEZONE('UTC', {column})")
        case "date":
            return _midnight(column, timezone)
        case "text":
            text = f"TRIM(CAST({column} AS VARCHAR))"
            day = _midnight(f"TRY_CAST({text} AS DATE)", timezone)
            plain = _named_instant(f"TRY_CAST({text} AS TIMESTAMP)")
            offset = f"REGEXP_REPLACE({text}, ' ?([+-][0-9][0-9]):?([0-9][0-9])$', '\\1:\\2')"
            zoned = _named_instant(f"TIMEZONE('UTC', TRY_CAST({offset} AS TIMESTAMPTZ))")
            return (
                f"CASE WHEN REGEXP_FULL_MATCH({text}, '{_DAY}') THEN {day} "
                f"WHEN REGEXP_FULL_MATCH({text}, '{_DAY}{_CLOCK}') THEN {plain} "
                f"WHEN REGEXP_FULL_MATCH({text}, '{_DAY}{_CLOCK}{_OFFSET}') THEN {zoned} END"
            )
    return ""


def _named_instant(value: str) -> str:
    low, high = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
    return f"CASE WHEN {value} BETWEEN {low} AND {high} THEN {value} END"


def _midnight(day: str, timezone: str) -> str:
    """The instant a day begins in the zone; of a midnight that happens twice, the first."""
    wall = f"CAST({day} AS TIMESTAMP)"
    if timezone == "UTC":
        value = wall
    else:
        instant = f"TIMEZONE('{timezone}', {wall})"
        earlier = f"{instant} - INTERVAL '1' HOUR"
        twice = f"TIMEZONE('{timezone}', {earlier}) = {wall}"
        value = f"TIMEZONE('UTC', CASE WHEN {twice} THEN {earlier} ELSE {instant} END)"
    return f"CASE WHEN {day} BETWEEN DATE '0001-01-02' AND DATE '9999-12-30' THEN {value} END"


def _date(column: str, kind: Family, timezone: str) -> str:
    if kind in ("date", "text"):
        day = column if kind == "date" else f"TRY_CAST(TRIM(CAST({column} AS VARCHAR)) AS DATE)"
        known = f"CASE WHEN {day} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {day} END"
        if kind == "date":
            return known
        written = f"REGEXP_FULL_MATCH(TRIM(CAST({column} AS VARCHAR)), '{_DAY}')"
        return f"CASE WHEN {written} THEN {known} ELSE {_local_day(_instant(column, kind, timezone), timezone)} END"
    instant = _instant(column, kind, timezone)
    return _local_day(instant, timezone) if instant else ""


def _local_day(instant: str, timezone: str) -> str:
    return f"CAST({instant} AS DATE)" if timezone == "UTC" else f"CAST(TIMEZONE('{timezone}', TIMEZONE('UTC', {instant})) AS DATE)"


def _text_array(column: str, kind: Family) -> Casting | None:
    if kind == "array":
        return Casting("string_array", "text_array", f"CAST({column} AS VARCHAR[])")
    if kind != "text":
        return None
    value = f"TRY_CAST({column} AS VARCHAR[])"
    return Casting("string_array", "text_array", value, _lost(column, value))


def _number_array(column: str, kind: Family, sql_type: str) -> Casting | None:
    if kind == "text":
        value = f"LIST_TRANSFORM(TRY_CAST({column} AS DOUBLE[]), LAMBDA e : {_finite('e')})"
        return Casting("number_array", "float64_array", value, _lost(column, value))
    if kind != "array":
        return None
    match family(element_type(sql_type)):
        case "int" | "boolean":
            return Casting("number_array", "int64_array", f"CAST({column} AS BIGINT[])")
        case "bigint":
            value = f"LIST_TRANSFORM({column}, LAMBDA e : TRY_CAST(e AS BIGINT))"
            return Casting("number_array", "int64_array", value, _lost_elements(column, value))
        case "decimal":
            return Casting("number_array", "float64_array", f"CAST({column} AS DOUBLE[])")
        case "float":
            value = f"LIST_TRANSFORM(CAST({column} AS DOUBLE[]), LAMBDA e : {_finite('e')})"
        case "text":
            value = f"LIST_TRANSFORM({column}, LAMBDA e : {_finite('TRY_CAST(e AS DOUBLE)')})"
        case _:
            return None
    return Casting("number_array", "float64_array", value, _lost_elements(column, value))


def _lost_elements(column: str, value: str) -> str:
    return f"LIST_COUNT({column}) <> LIST_COUNT({value})"
