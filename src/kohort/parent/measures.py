"""Queries that count what did not join or fit. `customers` and `keys` are relations as SQL: a working table's name or a subquery.

Each query names its figures by its columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from kohort.parent.layout import ORDINAL
from kohort.parent.refresh_plan import attribute_sql, join_columns
from kohort.parent.resolution import ResolvedAttribute, ResolvedBehavior, ResolvedColumn, ResolvedMaster, ResolvedParent, SourceTable
from kohort.parent.statements import quoted, statement, table_sql

SAMPLES = 5


def master_counts(master: ResolvedMaster) -> exp.Expression:
    """rows_in, filtered_out, null_keys, m<n>: misfits of column n."""
    kept = f"({master.filter_sql}) IS TRUE"
    figures = [
        "COUNT(*) AS rows_in",
        f"COUNT(*) FILTER (WHERE NOT ({kept})) AS filtered_out",
        f"COUNT(*) FILTER (WHERE {kept} AND ({master.key_sql}) IS NULL) AS null_keys",
        *_misfit_counts(master.columns, kept),
    ]
    return _over(figures, master.source)


def attribute_counts(table: ResolvedAttribute) -> exp.Expression:
    """rows_in, null_keys, m<n>."""
    figures = ["COUNT(*) AS rows_in", f"COUNT(*) FILTER (WHERE ({table.join.child_sql}) IS NULL) AS null_keys"]
    return _over([*figures, *_misfit_counts(table.columns)], table.source)


def behavior_counts(table: ResolvedBehavior) -> exp.Expression:
    """rows_in, null_keys, no_time (of the rows with a key), m<n>; the last m<n> is that of the time column."""
    keyed = f"({table.join.child_sql}) IS NOT NULL"
    figures = [
        "COUNT(*) AS rows_in",
        f"COUNT(*) FILTER (WHERE NOT ({keyed})) AS null_keys",
        f"COUNT(*) FILTER (WHERE {keyed} AND ({table.time.casting.value}) IS NULL) AS no_time",
        *_misfit_counts((*table.columns, table.time)),
    ]
    return _over(figures, table.source)


def key_counts(keys: str) -> exp.Expression:
    """rows, duplicate_keys, extra_rows of a relation with `key`."""
    return statement(
        "SELECT COALESCE(SUM(copies), 0) AS rows, COUNT(*) FILTER (WHERE copies > 1) AS duplicate_keys, "
        f"COALESCE(SUM(copies - 1), 0) AS extra_rows FROM (SELECT key, COUNT(*) AS copies FROM {keys} AS k GROUP BY key)"
    )


def duplicate_samples(keys: str, copies: str = "COUNT(*)") -> exp.Expression:
    """The keys with most rows: key, copies."""
    return statement(
        f"SELECT CAST(key AS VARCHAR) AS key, {copies} AS copies FROM {keys} AS k GROUP BY key HAVING {copies} > 1 "
        f"ORDER BY copies DESC, key LIMIT {SAMPLES}"
    )


def attribute_keys(keys: str) -> exp.Expression:
    """keys, duplicate_keys, extra_rows of a relation with `key` and `copies`."""
    return statement(
        "SELECT COUNT(*) AS keys, COUNT(*) FILTER (WHERE copies > 1) AS duplicate_keys, "
        f"COALESCE(SUM(copies - 1), 0) AS extra_rows FROM {keys} AS k"
    )


def unmatched_keys(keys: str, customers: str, join: str) -> exp.Expression:
    """count: keys of `keys` that no customer has."""
    return statement(f"SELECT COUNT(*) AS count FROM {keys} AS k ANTI JOIN {customers} AS c ON c.{join} = k.key")


def matched_customers(keys: str, customers: str, join: str) -> exp.Expression:
    """count: customers that have a key of `keys`."""
    return statement(f"SELECT COUNT(*) AS count FROM {customers} AS c SEMI JOIN {keys} AS k ON c.{join} = k.key")


def unmatched_samples(keys: str, customers: str, join: str, weight: str = "COUNT(*)") -> exp.Expression:
    """The keys without a customer that have most rows: key, copies."""
    return statement(
        f"SELECT CAST(k.key AS VARCHAR) AS key, {weight} AS copies FROM {keys} AS k ANTI JOIN {customers} AS c ON c.{join} = k.key "
        f"GROUP BY k.key ORDER BY copies DESC, key LIMIT {SAMPLES}"
    )


def attribute_relation(table: ResolvedAttribute) -> str:
    """Relation of the `key` and `copies` of an attribute table."""
    return f"({attribute_sql(table)})"


def event_keys(table: ResolvedBehavior) -> str:
    """Relation of the `key` of every row of a behavior that has key and time."""
    return (
        f"(SELECT {table.join.child_sql} AS key FROM {table_sql(table.source.ref)} AS s "
        f"WHERE ({table.join.child_sql}) IS NOT NULL AND ({table.time.casting.value}) IS NOT NULL)"
    )


def built_counts(behavior: str) -> exp.Expression:
    """rows, customers of a behavior's table."""
    return statement(f"SELECT COUNT(*) AS rows, COUNT(DISTINCT {ORDINAL}) AS customers FROM {behavior} AS b")


def misfit_samples(source: SourceTable, column: ResolvedColumn) -> exp.Expression:
    """The most frequent values that did not fit: value, copies."""
    return statement(
        f"SELECT CAST(s.{quoted(column.column)} AS VARCHAR) AS value, COUNT(*) AS copies FROM {table_sql(source.ref)} AS s "
        f"WHERE {column.casting.misfit} GROUP BY 1 ORDER BY copies DESC, value LIMIT {SAMPLES}"
    )


def join_column(resolved: ResolvedParent, table: ResolvedAttribute | ResolvedBehavior) -> str:
    """The column of the customers relation that a table joins on."""
    return join_columns(resolved)[table.join.parent_sql]


def _misfit_counts(columns: Sequence[ResolvedColumn], kept: str = "") -> list[str]:
    prefix = f"{kept} AND " if kept else ""
    return [
        f"COUNT(*) FILTER (WHERE {prefix}({column.casting.misfit})) AS m{i}" for i, column in enumerate(columns) if column.casting.misfit
    ]


def _over(figures: list[str], source: SourceTable) -> exp.Expression:
    return statement(f"SELECT {', '.join(figures)} FROM {table_sql(source.ref)} AS s")
