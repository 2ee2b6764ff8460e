"""A SQL tree as text for people and other tools: lower-case keywords, table aliases without `as`, conditions in parentheses."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlglot import TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.generator import Generator

from kohort.sql.dialects import SqlDialect

_LINE = 100
_LITERALS = {TokenType.STRING, TokenType.IDENTIFIER, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.UNICODE_STRING}


def render(statement: exp.Expression, dialect: SqlDialect) -> str:
    """The statement, pretty, in the words of one engine.

    The shape `select\\n  a.*\\nfrom "database"."table" a\\nwhere (\\n  ...\\n)` is kept: other tools cut this text up.
    """
    engine = Dialect.get_or_raise(dialect.name)
    generator = _generator(dialect.name)(dialect=engine, pretty=True, normalize_functions="lower", comments=False)
    return _lower_keywords(str(generator.generate(statement)), engine)


@cache
def _generator(dialect: str) -> type[Generator]:
    base: type[Generator] = Dialect.get_or_raise(dialect).generator_class
    transforms = {**base.TRANSFORMS, exp.StrPosition: _position}
    overrides = {"table_sql": _table, "where_sql": _where, "paren_sql": _paren, "not_sql": _not}
    originals = {"_table": base.table_sql, "_not": base.not_sql}
    return type("PlainGenerator", (base,), {"TRANSFORMS": transforms, **overrides, **originals})


def _table(self: Any, expression: exp.Table, sep: str = " ") -> str:
    del sep
    return str(self._table(expression, sep=" "))


def _where(self: Any, expression: exp.Where) -> str:
    inner = self.indent(self.sql(expression, "this"))
    return f"{self.seg('WHERE')} (\n{inner}\n)"


def _paren(self: Any, expression: exp.Paren) -> str:
    inner = self.sql(expression, "this")
    if len(inner) <= _LINE and "\n" not in inner:
        return f"({inner})"
    return f"(\n{self.indent(inner)}\n)"


def _not(self: Any, expression: exp.Not) -> str:
    inner = expression.this
    if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
        return f"{self.sql(inner, 'this')} IS NOT NULL"
    if isinstance(inner, exp.In):
        operand = self.sql(inner, "this")
        return f"{operand} NOT{self.in_sql(inner)[len(operand) :]}"
    return str(self._not(expression))


def _position(self: Any, expression: exp.StrPosition) -> str:
    return f"POSITION({self.sql(expression, 'substr')} IN {self.sql(expression, 'this')})"


def _lower_keywords(sql: str, engine: Dialect) -> str:
    """Everything but quoted names and literals in lower case."""
    pieces, end = [], 0
    for token in engine.tokenize(sql):
        pieces.append(sql[end : token.start])
        word = sql[token.start : token.end + 1]
        pieces.append(word if token.token_type in _LITERALS else word.lower())
        end = token.end + 1
    return "".join([*pieces, sql[end:]])
