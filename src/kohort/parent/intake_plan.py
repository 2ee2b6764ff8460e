"""The tables of a parent segment as streams of rows in any order, of which an index is built.

Where a table joins on the key of the master, its stream has `key` (as text), and whose it is is found out by the reader. Where it
joins on another column the warehouse joins, and the stream has `ordinal` (null: the row belongs to no customer) and `stranger` (its
key as text, where it belongs to none). Then follow
    master      cdp_customer_id, c<n>
    behavior    moment, arrival, c<n>, m<n> (whether the value of column n got lost; of those that can; the last is the time's)
    attribute   c<n>; joined by the warehouse: copies (rows of the key), c<n>, and each key once
"""

from __future__ import annotations

from sqlglot import exp

from kohort.parent.definition import TableRef
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, ORDINAL, behavior_table, keys_table, profiles_table
from kohort.parent.refresh_plan import WorkingTables, join_columns, keys_sql
from kohort.parent.resolution import ResolvedAttribute, ResolvedBehavior, ResolvedColumn, ResolvedMaster, ResolvedParent
from kohort.parent.statements import Step, quoted, statement, table_sql


def customers_step(resolved: ResolvedParent, work: WorkingTables) -> Step:
    """The ordinals of customers and what is joined on, in the place of the refresh's own working table."""
    master = resolved.master
    joins = [f"{sql} AS {name}" for sql, name in join_columns(resolved).items()]
    sql = (
        f"CREATE TABLE {table_sql(work.customers)} AS SELECT {', '.join([f'o.{ORDINAL}', *joins])} "
        f"FROM {table_sql(master.source.ref)} AS s JOIN {table_sql(keys_table(work.parent_id))} AS o ON o.key = {master.key_sql} "
        f"WHERE {master.filter_sql}"
    )
    return Step("Find the customers", statement(sql))


def append_step(resolved: ResolvedParent, work: WorkingTables) -> Step:
    """Ordinals for the keys that have none, in order of the keys."""
    keys = table_sql(keys_table(work.parent_id))
    sql = (
        f"INSERT INTO {keys} SELECT n.key, "
        f"CAST((SELECT COALESCE(MAX({ORDINAL}) + 1, 0) FROM {keys}) + ROW_NUMBER() OVER (ORDER BY n.key) - 1 AS INTEGER) "
        f"FROM (SELECT k.key FROM ({keys_sql(resolved)}) AS k ANTI JOIN {keys} AS o ON o.key = k.key) AS n"
    )
    return Step("Give new customers their ordinals", statement(sql))


def all_keys(work: WorkingTables) -> str:
    """SELECT of every key that ever was, with its ordinal."""
    return f"SELECT key, {ORDINAL} FROM {table_sql(keys_table(work.parent_id))}"


def master_rows(resolved: ResolvedParent) -> str:
    """SELECT of every customer."""
    master = resolved.master
    values = "".join(f", {column.casting.value} AS c{i}" for i, column in enumerate(master.columns))
    return (
        f"SELECT {master.key_sql} AS key, SUBSTRING(SHA256({master.key_sql}), 1, 40) AS {CUSTOMER_ID}{values} "
        f"FROM {table_sql(master.source.ref)} AS s WHERE ({master.filter_sql}) AND ({master.key_sql}) IS NOT NULL"
    )


def joins_on_key(resolved: ResolvedParent, table: ResolvedAttribute | ResolvedBehavior) -> bool:
    """Whether a table joins on the key of the master."""
    return table.join.parent_key == resolved.parent.key_column


def attribute_rows(table: ResolvedAttribute) -> str:
    """SELECT of every row of an attribute table that joins on the key."""
    values = "".join(f", {column.casting.value} AS c{i}" for i, column in enumerate(table.columns))
    return f"SELECT CAST({table.join.child_sql} AS VARCHAR) AS key{values} FROM {table_sql(table.source.ref)} AS s"


def empty_duplicates(duplicates: TableRef) -> Step:
    """Where the keys are entered that stand in several rows."""
    return Step("Make room for duplicates", statement(f"CREATE TABLE {table_sql(duplicates)} (key VARCHAR)"))


def smallest_rows(table: ResolvedAttribute, duplicates: TableRef) -> str:
    """SELECT of the smallest row of each of the keys that stand in several."""
    key = f"CAST({table.join.child_sql} AS VARCHAR)"
    fields = ", ".join(f"'c{i}': {column.casting.value}" for i, column in enumerate(table.columns))
    pick = f", MIN({{{fields}}}) AS pick" if fields else ""
    values = "".join(f", STRUCT_EXTRACT(g.pick, 'c{i}') AS c{i}" for i, _ in enumerate(table.columns))
    return (
        f"SELECT g.key{values} FROM (SELECT d.key{pick} FROM {table_sql(table.source.ref)} AS s "
        f"JOIN {table_sql(duplicates)} AS d ON d.key = {key} GROUP BY 1) AS g"
    )


def duplicates_step(table: ResolvedAttribute, duplicates: TableRef) -> Step:
    """The keys that stand in several rows, and in how many."""
    key = table.join.child_sql
    sql = (
        f"CREATE TABLE {table_sql(duplicates)} AS SELECT {key} AS key, COUNT(*) AS copies FROM {table_sql(table.source.ref)} AS s "
        f"WHERE ({key}) IS NOT NULL GROUP BY 1 HAVING COUNT(*) > 1"
    )
    return Step(f"Look for duplicates in {table.table.name}", statement(sql))


def single_rows(resolved: ResolvedParent, table: ResolvedAttribute, work: WorkingTables, duplicates: TableRef) -> str:
    """SELECT of the rows whose key no other row has."""
    values = "".join(f", {column.casting.value} AS c{i}" for i, column in enumerate(table.columns))
    rows = (
        f"SELECT e.* FROM (SELECT {table.join.child_sql} AS key, CAST(1 AS BIGINT) AS copies{values} "
        f"FROM {table_sql(table.source.ref)} AS s WHERE ({table.join.child_sql}) IS NOT NULL) AS e "
        f"ANTI JOIN {table_sql(duplicates)} AS d ON d.key = e.key"
    )
    return _matched(resolved, table, work, rows, ["copies", *_names(table.columns)])


def picked_rows(resolved: ResolvedParent, table: ResolvedAttribute, work: WorkingTables, duplicates: TableRef) -> str:
    """SELECT of the smallest row of every key that has several."""
    fields = ", ".join(f"'c{i}': {column.casting.value}" for i, column in enumerate(table.columns))
    pick = f", MIN({{{fields}}}) AS pick" if fields else ""
    values = "".join(f", STRUCT_EXTRACT(g.pick, 'c{i}') AS c{i}" for i, _ in enumerate(table.columns))
    rows = (
        f"SELECT g.key, g.copies{values} FROM (SELECT d.key, COUNT(*) AS copies{pick} FROM {table_sql(table.source.ref)} AS s "
        f"JOIN {table_sql(duplicates)} AS d ON d.key = {table.join.child_sql} GROUP BY 1) AS g"
    )
    return _matched(resolved, table, work, rows, ["copies", *_names(table.columns)])


def behavior_rows(resolved: ResolvedParent, table: ResolvedBehavior, work: WorkingTables, relation: str = "", place: str = "") -> str:
    """SELECT of every row of a behavior's source. relation, place: another way to read it, and SQL of the place of a row `s`."""
    columns = (*table.columns, table.time)
    lost = [(f"m{i}", column.casting.misfit) for i, column in enumerate(columns) if column.casting.misfit]
    arrival = "s.rowid" if table.source.has_rowid else place or "ROW_NUMBER() OVER ()"
    values = "".join(f", {column.casting.value} AS c{i}" for i, column in enumerate(table.columns))
    values += "".join(f", ({sql}) AS {name}" for name, sql in lost)
    key = f"CAST({table.join.child_sql} AS VARCHAR)" if joins_on_key(resolved, table) else table.join.child_sql
    rows = (
        f"SELECT {key} AS key, {table.time.casting.value} AS moment, CAST({arrival} AS BIGINT) AS {ARRIVAL}{values} "
        f"FROM {relation or table_sql(table.source.ref)} AS s"
    )
    if joins_on_key(resolved, table):
        return rows
    return _matched(resolved, table, work, rows, ["moment", ARRIVAL, *_names(table.columns), *(name for name, _ in lost)])


def _matched(
    resolved: ResolvedParent, table: ResolvedAttribute | ResolvedBehavior, work: WorkingTables, rows: str, columns: list[str]
) -> str:
    join = join_columns(resolved)[table.join.parent_sql]
    return (
        f"SELECT c.{ORDINAL}, CASE WHEN c.{ORDINAL} IS NULL THEN CAST(e.key AS VARCHAR) END AS stranger, "
        f"{', '.join(f'e.{name}' for name in columns)} FROM ({rows}) AS e LEFT JOIN {table_sql(work.customers)} AS c ON c.{join} = e.key"
    )


def _names(columns: tuple[ResolvedColumn, ...]) -> list[str]:
    return [f"c{i}" for i, _ in enumerate(columns)]


def empty_profiles(resolved: ResolvedParent, work: WorkingTables) -> exp.Expression:
    """CREATE TABLE of the profiles, without rows."""
    master: ResolvedMaster = resolved.master
    values = [f"{column.casting.value} AS {quoted(column.field.name)}" for column in master.columns]
    parts = [_no_rows([f"CAST(0 AS INTEGER) AS {ORDINAL}", f"'' AS {CUSTOMER_ID}", *values], master.source.ref)]
    for table in resolved.attributes:
        if table.columns:
            values = [f"{column.casting.value} AS {quoted(column.field.name)}" for column in table.columns]
            parts.append(_no_rows(values, table.source.ref))
    tables = ", ".join(f"({part}) AS t{i}" for i, part in enumerate(parts))
    return statement(f"CREATE TABLE {table_sql(profiles_table(work.parent_id, work.number))} AS SELECT * FROM {tables}")


def empty_behavior(table: ResolvedBehavior, work: WorkingTables) -> exp.Expression:
    """CREATE TABLE of a behavior, without rows."""
    target = table_sql(behavior_table(work.parent_id, work.number, table.table.slug))
    fields = [f"{column.casting.value} AS {quoted(column.field.name)}" for column in table.columns]
    values = [f"CAST(0 AS INTEGER) AS {ORDINAL}", *fields, f'{table.time.casting.value} AS "timestamp"', f"CAST(0 AS BIGINT) AS {ARRIVAL}"]
    return statement(f"CREATE TABLE {target} AS {_no_rows(values, table.source.ref)}")


def _no_rows(values: list[str], source: TableRef) -> str:
    return f"SELECT {', '.join(values)} FROM {table_sql(source)} AS s LIMIT 0"
