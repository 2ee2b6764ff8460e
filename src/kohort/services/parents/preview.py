"""Show a few rows of a parent segment as a refresh would build them, without refreshing."""

from __future__ import annotations

import pyarrow as pa

from kohort.foundation.errors import InvalidInput
from kohort.parent.definition import ParentSegment
from kohort.parent.layout import TIMESTAMP
from kohort.parent.refresh_plan import attribute_sql, customers_sql, events_sql, join_columns
from kohort.parent.resolution import ResolvedAttribute, ResolvedBehavior, ResolvedParent
from kohort.parent.statements import quoted, statement, table_sql
from kohort.ports.warehouse import Warehouse
from kohort.services.parents.validate import Part, check_name
from kohort.services.refresh.measure import resolve_parent


def preview_parent(
    warehouse: Warehouse, parent: ParentSegment, *, part: Part = "master", name: str = "", limit: int = 10
) -> dict[str, pa.Table]:
    """Up to `limit` rows of the master, of the attribute tables, of the behaviors or of one of them, joined to the customers.

    Keys are the entries' names ("master" for the master table). Raises InvalidInput, UserError NAME_NOT_FOUND.
    """
    check_name(parent, part, name)
    resolved, issues = resolve_parent(warehouse, parent)
    if resolved is None or not issues.ok:
        raise InvalidInput(issues)
    queries: dict[str, str] = {}
    if part in ("all", "master"):
        queries["master"] = _master_sql(resolved)
    if part in ("all", "attribute"):
        queries |= {t.table.name: _attribute_sql(resolved, t) for t in resolved.attributes if name in ("", t.table.name)}
    if part in ("all", "behavior"):
        queries |= {t.table.name: _behavior_sql(resolved, t) for t in resolved.behaviors if name in ("", t.table.name, t.table.slug)}
    return {title: warehouse.query(statement(f"{sql} LIMIT {max(limit, 0)}")) for title, sql in queries.items()}


def _master_sql(resolved: ResolvedParent) -> str:
    master = resolved.master
    columns = ", ".join(f"{column.casting.value} AS {quoted(column.field.name)}" for column in master.columns)
    kept = f"({master.filter_sql}) AND ({master.key_sql}) IS NOT NULL"
    return f"SELECT {columns} FROM {table_sql(master.source.ref)} AS s WHERE {kept}"


def _attribute_sql(resolved: ResolvedParent, table: ResolvedAttribute) -> str:
    columns = [f"c.key AS {quoted(resolved.parent.key_column)}"]
    columns += [f"STRUCT_EXTRACT(a.pick, 'c{i}') AS {quoted(column.field.name)}" for i, column in enumerate(table.columns)]
    join = join_columns(resolved)[table.join.parent_sql]
    return f"SELECT {', '.join(columns)} FROM ({customers_sql(resolved)}) AS c JOIN ({attribute_sql(table)}) AS a ON a.key = c.{join}"


def _behavior_sql(resolved: ResolvedParent, table: ResolvedBehavior) -> str:
    columns = [f"c.key AS {quoted(resolved.parent.key_column)}"]
    columns += [f"e.c{i} AS {quoted(column.field.name)}" for i, column in enumerate(table.columns)]
    join = join_columns(resolved)[table.join.parent_sql]
    return (
        f"SELECT {', '.join(columns)}, e.moment AS {quoted(TIMESTAMP)} "
        f"FROM ({events_sql(table)}) AS e JOIN ({customers_sql(resolved)}) AS c ON c.{join} = e.key WHERE e.moment IS NOT NULL"
    )
