"""Small pieces of SQL trees: quoted names, typed literals, truth values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from sqlglot import exp

from kohort.foundation.instants import Micros, from_micros
from kohort.sql.dialects import SqlDialect

_EPOCH_DAY = date(1970, 1, 1)
_PLAIN_DIGITS = 15  # a decimal literal of so many digits becomes the same float64 in every engine


def table(database: str, name: str, alias: str = "") -> exp.Table:
    """`"database"."name"`, perhaps with an alias."""
    plain = exp.Table(this=_quoted(name), db=_quoted(database))
    if alias:
        plain.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return plain


def source(name: str, alias: str = "") -> exp.Table:
    """A table expression of the same query, by its name."""
    plain = exp.Table(this=exp.to_identifier(name))
    if alias:
        plain.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return plain


def column(name: str, of: str = "") -> exp.Column:
    """`of."name"`; the name is always quoted, the table's alias never."""
    return exp.Column(this=_quoted(name), table=exp.to_identifier(of) if of else None)


def named(value: exp.Expression, name: str) -> exp.Expression:
    return exp.Alias(this=value, alias=_quoted(name))


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


# --- literals ---------------------------------------------------------------------------------------------------


def text(value: str) -> exp.Expression:
    return exp.Literal.string(value)


def integer(value: int) -> exp.Expression:
    return exp.Literal.number(value)


def double(value: float) -> exp.Expression:
    """A float64, exactly: a plain number while that is safe, else with an exponent, which every engine reads as float64.

    >>> double(12.5).sql(), double(1e300).sql(), double(0.1 + 0.2).sql()
    ('12.5', '1e+300', '3.0000000000000004e-1')
    """
    written = repr(value)
    if "e" not in written and len(written) > _PLAIN_DIGITS:
        written = _scientific(Decimal(written))
    return exp.Literal.number(written.removesuffix(".0"))


def _scientific(value: Decimal) -> str:
    sign, digits, _ = value.normalize().as_tuple()
    head, *tail = map(str, digits)
    return f"{'-' if sign else ''}{head}{'.' + ''.join(tail) if tail else ''}e{value.adjusted()}"


def decimal(value: Decimal) -> exp.Expression:
    """A number with a fixed point.

    >>> decimal(Decimal("1E+2")).sql()
    '100'
    """
    return exp.Literal.number(f"{value:f}")


def boolean(value: bool) -> exp.Expression:
    return exp.Boolean(this=value)


def day(days: int) -> exp.Expression:
    """A DATE by its days since 1970-01-01 (years 1 to 9999)."""
    return exp.cast(exp.Literal.string((_EPOCH_DAY + timedelta(days=days)).isoformat()), "DATE")


def timestamp(micros: Micros, dialect: SqlDialect) -> exp.Expression:
    """An instant as a TIMESTAMP without zone, in UTC."""
    instant = from_micros(micros).replace(tzinfo=None)
    return exp.cast(exp.Literal.string(instant.isoformat(sep=" ")), exp.DataType.build(dialect.timestamp, dialect=dialect.name))


def wide(value: exp.Expression, dialect: SqlDialect) -> exp.Expression:
    """A value as an integer wide enough for exact sums."""
    return exp.cast(value, exp.DataType.build(dialect.wide_integer, dialect=dialect.name))


# --- truth ------------------------------------------------------------------------------------------------------


def all_of(parts: Iterable[exp.Expression]) -> exp.Expression:
    """Every part holds; no parts: true."""
    return _joined(exp.And, parts, empty=True)


def any_of(parts: Iterable[exp.Expression]) -> exp.Expression:
    """Some part holds; no parts: false."""
    return _joined(exp.Or, parts, empty=False)


def _joined(kind: type[exp.Expression], parts: Iterable[exp.Expression], empty: bool) -> exp.Expression:
    items = list(parts)
    if not items:
        return boolean(empty)
    joined: exp.Expression = _wrapped(items[0]) if len(items) > 1 else items[0]
    for item in items[1:]:
        joined = kind(this=joined, expression=_wrapped(item))
    return joined


def _wrapped(part: exp.Expression) -> exp.Expression:
    return exp.Paren(this=part) if isinstance(part, exp.Connector) else part


def negation(part: exp.Expression) -> exp.Expression:
    """NOT: null stays null."""
    if isinstance(part, exp.Boolean):
        return boolean(not part.this)
    return exp.Not(this=exp.Paren(this=part) if isinstance(part, exp.Binary | exp.Not | exp.Between) else part)


def known(part: exp.Expression) -> exp.Expression:
    """Null becomes false."""
    if isinstance(part, exp.Boolean) or _is_null_test(part):
        return part
    return exp.Coalesce(this=part, expressions=[boolean(False)])


def complement(part: exp.Expression) -> exp.Expression:
    """Everything for which `part` is false or null."""
    return negation(known(part))


def is_null(value: exp.Expression) -> exp.Expression:
    return exp.Is(this=value, expression=exp.Null())


def not_null(value: exp.Expression) -> exp.Expression:
    return exp.Not(this=is_null(value))


def _is_null_test(part: exp.Expression) -> bool:
    inner = part.this if isinstance(part, exp.Not) else part
    return isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null)
