"""Named SQL statements as sqlglot trees, written as DuckDB text."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from kohort.parent.definition import TableRef

DIALECT = "duckdb"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a refresh and what it is for, in words a person follows."""

    name: str
    statement: exp.Expression


def quoted(name: str, mark: str = '"') -> str:
    """A name as a quoted identifier, or with mark "'" a text literal.

    >>> quoted('a"b'), quoted("it's", "'")
    ('"a""b"', "'it''s'")
    """
    return mark + name.replace(mark, mark * 2) + mark


def table_sql(ref: TableRef) -> str:
    """A table as SQL."""
    return f"{quoted(ref.database)}.{quoted(ref.table)}"


def statement(sql: str) -> exp.Expression:
    """The tree of one statement."""
    tree = sqlglot.parse_one(sql, read=DIALECT)
    assert isinstance(tree, exp.Expression)
    return tree


def pretty(tree: exp.Expression, dialect: str = DIALECT) -> str:
    """A statement as indented SQL for people."""
    return tree.sql(dialect=dialect, pretty=True)
