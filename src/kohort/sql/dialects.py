"""What differs between SQL engines, as data. Everything else is sqlglot's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

DialectName = Literal["duckdb", "trino", "spark"]
Unary = Callable[[exp.Expression], exp.Expression]


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """One engine.

    wide_integer: the type in which exact sums are held. micros: a timestamp as whole microseconds since 1970. row: the
    function that makes a comparable tuple. hex_sha256: text to 64 lower-case hex digits.
    """

    name: DialectName
    wide_integer: str
    timestamp: str
    row: str
    micros: Unary
    hex_sha256: Unary
    ends_with: Callable[[exp.Expression, exp.Expression], exp.Expression]


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _trino_micros(value: exp.Expression) -> exp.Expression:
    seconds = exp.Mul(this=_call("to_unixtime", value), expression=exp.Literal.number("1e6"))
    return exp.cast(_call("round", seconds), "BIGINT")


def _ends_with(text: exp.Expression, end: exp.Expression) -> exp.Expression:
    return exp.EndsWith(this=text, expression=end)


def _reversed_starts_with(text: exp.Expression, end: exp.Expression) -> exp.Expression:
    return exp.StartsWith(this=_call("reverse", text), expression=_call("reverse", end))


DUCKDB = SqlDialect(
    name="duckdb",
    wide_integer="HUGEINT",
    timestamp="TIMESTAMP",
    row="row",
    micros=lambda value: _call("epoch_us", value),
    hex_sha256=lambda value: _call("sha256", value),
    ends_with=_ends_with,
)
TRINO = SqlDialect(
    name="trino",
    wide_integer="DECIMAL(38, 0)",
    timestamp="TIMESTAMP(6)",
    row="row",
    micros=_trino_micros,
    hex_sha256=lambda value: _call("lower", _call("to_hex", _call("sha256", _call("to_utf8", value)))),
    ends_with=_reversed_starts_with,
)
SPARK = SqlDialect(
    name="spark",
    wide_integer="DECIMAL(38, 0)",
    timestamp="TIMESTAMP_NTZ",
    row="struct",
    micros=lambda value: _call("unix_micros", exp.cast(value, exp.DataType.build("TIMESTAMP", dialect="spark"))),
    hex_sha256=lambda value: _call("sha2", value, exp.Literal.number(256)),
    ends_with=_ends_with,
)
"""Spark's unix_micros reads the session's zone: set spark.sql.session.timeZone to UTC."""

DIALECTS: Mapping[DialectName, SqlDialect] = {dialect.name: dialect for dialect in (DUCKDB, TRINO, SPARK)}
