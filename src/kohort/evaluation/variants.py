"""A profile's place in an A/B test as a SQL condition."""

from __future__ import annotations

from sqlglot import exp

from kohort.rules.core import VariantLeaf
from kohort.sql import build
from kohort.sql.dialects import SqlDialect

_DIGITS = 16
_LINE_END = 16**_DIGITS


def variant(leaf: VariantLeaf, alias: str, dialect: SqlDialect) -> exp.Expression:
    """The first 16 hex digits of SHA-256 of "<test id>:<key>" lie in [low, high): compared as text, which is their order."""
    if leaf.low >= leaf.high:
        return build.boolean(False)
    key = build.column(leaf.key_column, alias)
    marked = exp.DPipe(this=build.text(f"{leaf.test_id}:"), expression=exp.cast(key.copy(), "VARCHAR"))
    place = build.call("substr", dialect.hex_sha256(marked), build.integer(1), build.integer(_DIGITS))
    conditions = [build.not_null(key)]
    if leaf.low > 0:
        conditions.append(exp.GTE(this=place, expression=build.text(_hex(leaf.low))))
    if leaf.high < _LINE_END:
        conditions.append(exp.LT(this=place.copy(), expression=build.text(_hex(leaf.high))))
    return build.all_of(conditions)


def _hex(place: int) -> str:
    return f"{place:0{_DIGITS}x}"
