"""A refresh as named SQL statements: from the tables of a parent segment to `profiles`, `behavior_<slug>` and their public views.

In between stand working tables of the refresh's own database, dropped at its end; their columns are named c0, c1, ... and j0, j1, ...
so that no name of the user's can meet them:
    _keys          key (text) of every customer
    _customers     ordinal, cdp_customer_id, one j<n> per master column that something joins on, c<n> per master column
    _attribute_<i> key, copies (rows of that key), pick (struct of c<n>: the smallest of these rows)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kohort.parent.catalog import FieldCatalog
from kohort.parent.definition import TableRef
from kohort.parent.layout import (
    ARRIVAL,
    CUSTOMER_ID,
    ORDINAL,
    TIMESTAMP,
    behavior_table,
    keys_table,
    output_database,
    profiles_table,
    refresh_database,
)
from kohort.parent.resolution import Join, ResolvedAttribute, ResolvedBehavior, ResolvedParent
from kohort.parent.statements import Step, quoted, statement, table_sql


@dataclass(frozen=True)
class RefreshPlan:
    """The steps of one refresh in the order they run; `publish` takes effect all at once."""

    prepare: tuple[Step, ...]
    keys: Step
    append: Step
    customers: Step
    attributes: tuple[Step, ...]
    profiles: Step
    behaviors: tuple[Step, ...]
    tidy: tuple[Step, ...]
    publish: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        yield from self.prepare
        yield from (self.keys, self.append, self.customers, *self.attributes, self.profiles, *self.behaviors)
        yield from (*self.tidy, *self.publish)


@dataclass(frozen=True, slots=True)
class WorkingTables:
    """Where the working tables of one refresh are."""

    parent_id: int
    number: int

    def _named(self, name: str) -> TableRef:
        return TableRef(refresh_database(self.parent_id, self.number), name)

    @property
    def keys(self) -> TableRef:
        return self._named("_keys")

    @property
    def customers(self) -> TableRef:
        return self._named("_customers")

    def attribute(self, position: int) -> TableRef:
        return self._named(f"_attribute_{position}")


def plan_refresh(resolved: ResolvedParent, parent_id: int, number: int) -> RefreshPlan:
    """The statements that make refresh `number` of a parent segment."""
    work = WorkingTables(parent_id, number)
    staged = [work.keys, work.customers, *(work.attribute(i) for i, _ in enumerate(resolved.attributes))]
    return RefreshPlan(
        prepare=_prepare(parent_id, number),
        keys=Step("Read the customers' keys", statement(f"CREATE TABLE {table_sql(work.keys)} AS {keys_sql(resolved)}")),
        append=Step("Give new customers their ordinals", statement(_append_sql(work))),
        customers=Step("Read the master table", statement(_customers_sql(resolved, work))),
        attributes=tuple(_attribute_step(table, work.attribute(i)) for i, table in enumerate(resolved.attributes)),
        profiles=Step("Build the profiles", statement(_profiles_sql(resolved, work))),
        behaviors=tuple(_behavior_step(resolved, table, work) for table in resolved.behaviors),
        tidy=tuple(Step("Drop working tables", statement(f"DROP TABLE IF EXISTS {table_sql(ref)}")) for ref in staged),
        publish=publish_steps(parent_id, number, resolved.catalog),
    )


def publish_steps(parent_id: int, number: int, catalog: FieldCatalog) -> tuple[Step, ...]:
    """Point the public views at refresh `number`."""
    database = output_database(parent_id)
    profiles = table_sql(profiles_table(parent_id, number))
    names = ", ".join(f"p.{quoted(name)}" for name in (CUSTOMER_ID, *(f.name for f in catalog.attributes)))
    steps = [
        Step("Publish", statement(f"CREATE SCHEMA IF NOT EXISTS {quoted(database)}")),
        Step("Publish customers", statement(f"CREATE OR REPLACE VIEW {quoted(database)}.customers AS SELECT {names} FROM {profiles} AS p")),
    ]
    for behavior in catalog.behaviors:
        columns = ", ".join(f"b.{quoted(name)}" for name in (*(f.name for f in behavior.fields), TIMESTAMP))
        seconds = f"CAST(EPOCH(DATE_TRUNC('second', b.{quoted(TIMESTAMP)})) AS BIGINT)"
        rows = table_sql(behavior_table(parent_id, number, behavior.name))
        name = f"behavior_{behavior.name}"
        sql = (
            f"CREATE OR REPLACE VIEW {quoted(database)}.{quoted(name)} AS "
            f'SELECT p.{CUSTOMER_ID}, {columns}, {seconds} AS "time", b.{ARRIVAL} '
            f"FROM {rows} AS b JOIN {profiles} AS p ON p.{ORDINAL} = b.{ORDINAL}"
        )
        steps.append(Step(f"Publish {name}", statement(sql)))
    return tuple(steps)


def join_columns(resolved: ResolvedParent) -> dict[str, str]:
    """SQL of every master value that something joins on -> its column in `_customers`."""
    joins: list[Join] = [*(table.join for table in resolved.attributes), *(table.join for table in resolved.behaviors)]
    return {sql: f"j{number}" for number, sql in enumerate(dict.fromkeys(join.parent_sql for join in joins))}


def keys_sql(resolved: ResolvedParent) -> str:
    """SELECT of `key`: the key, as text, of every master row that is a customer."""
    master = resolved.master
    return (
        f"SELECT {master.key_sql} AS key FROM {table_sql(master.source.ref)} AS s "
        f"WHERE ({master.filter_sql}) AND ({master.key_sql}) IS NOT NULL"
    )


def customers_sql(resolved: ResolvedParent) -> str:
    """SELECT of `key` and the join columns of every customer, without any working table."""
    master = resolved.master
    joins = "".join(f", {sql} AS {name}" for sql, name in join_columns(resolved).items())
    return (
        f"SELECT {master.key_sql} AS key{joins} FROM {table_sql(master.source.ref)} AS s "
        f"WHERE ({master.filter_sql}) AND ({master.key_sql}) IS NOT NULL"
    )


def attribute_sql(table: ResolvedAttribute) -> str:
    """SELECT of one row per key: `key`, `copies`, and `pick`, the smallest of its rows (nulls after values)."""
    fields = ", ".join(f"'c{i}': {column.casting.value}" for i, column in enumerate(table.columns))
    pick = f", MIN({{{fields}}}) AS pick" if fields else ""
    return (
        f"SELECT {table.join.child_sql} AS key, COUNT(*) AS copies{pick} FROM {table_sql(table.source.ref)} AS s "
        f"WHERE ({table.join.child_sql}) IS NOT NULL GROUP BY 1"
    )


def events_sql(table: ResolvedBehavior) -> str:
    """SELECT of `key`, `moment` (TIMESTAMP in UTC), `arrival` and c<n> of every row of a behavior's source."""
    arrival = "s.rowid" if table.source.has_rowid else "ROW_NUMBER() OVER ()"
    values = "".join(f", {column.casting.value} AS c{i}" for i, column in enumerate(table.columns))
    return (
        f"SELECT {table.join.child_sql} AS key, {table.time.casting.value} AS moment, "
        f"CAST({arrival} AS BIGINT) AS {ARRIVAL}{values} FROM {table_sql(table.source.ref)} AS s"
    )


def _prepare(parent_id: int, number: int) -> tuple[Step, ...]:
    keys = keys_table(parent_id)
    statements = (
        f"CREATE SCHEMA IF NOT EXISTS {quoted(keys.database)}",
        f"CREATE TABLE IF NOT EXISTS {table_sql(keys)} (key VARCHAR, {ORDINAL} INTEGER)",
        f"CREATE SCHEMA IF NOT EXISTS {quoted(refresh_database(parent_id, number))}",
    )
    return tuple(Step("Make room", statement(sql)) for sql in statements)


def _append_sql(work: WorkingTables) -> str:
    keys = table_sql(keys_table(work.parent_id))
    return (
        f"INSERT INTO {keys} SELECT n.key, "
        f"CAST((SELECT COALESCE(MAX({ORDINAL}) + 1, 0) FROM {keys}) + ROW_NUMBER() OVER (ORDER BY n.key) - 1 AS INTEGER) "
        f"FROM (SELECT k.key FROM {table_sql(work.keys)} AS k ANTI JOIN {keys} AS o ON o.key = k.key) AS n"
    )


def _customers_sql(resolved: ResolvedParent, work: WorkingTables) -> str:
    master = resolved.master
    joins = [f"{sql} AS {name}" for sql, name in join_columns(resolved).items()]
    values = [f"{column.casting.value} AS c{i}" for i, column in enumerate(master.columns)]
    identity = f"SUBSTRING(SHA256({master.key_sql}), 1, 40) AS {CUSTOMER_ID}"
    return (
        f"CREATE TABLE {table_sql(work.customers)} AS SELECT {', '.join([f'o.{ORDINAL}', identity, *joins, *values])} "
        f"FROM {table_sql(master.source.ref)} AS s JOIN {table_sql(keys_table(work.parent_id))} AS o ON o.key = {master.key_sql} "
        f"WHERE {master.filter_sql}"
    )


def _attribute_step(table: ResolvedAttribute, staged: TableRef) -> Step:
    return Step(f"Read attributes {table.table.name}", statement(f"CREATE TABLE {table_sql(staged)} AS {attribute_sql(table)}"))


def _profiles_sql(resolved: ResolvedParent, work: WorkingTables) -> str:
    joins = join_columns(resolved)
    columns = [f"c.{ORDINAL}", f"c.{CUSTOMER_ID}"]
    columns += [f"c.c{i} AS {quoted(column.field.name)}" for i, column in enumerate(resolved.master.columns)]
    tables = f"FROM {table_sql(work.customers)} AS c"
    for position, table in enumerate(resolved.attributes):
        if not table.columns:
            continue
        alias = f"a{position}"
        columns += [f"STRUCT_EXTRACT({alias}.pick, 'c{i}') AS {quoted(column.field.name)}" for i, column in enumerate(table.columns)]
        tables += f" LEFT JOIN {table_sql(work.attribute(position))} AS {alias} ON {alias}.key = c.{joins[table.join.parent_sql]}"
    target = table_sql(profiles_table(work.parent_id, work.number))
    return f"CREATE TABLE {target} AS SELECT {', '.join(columns)} {tables} ORDER BY c.{ORDINAL}"


def _behavior_step(resolved: ResolvedParent, table: ResolvedBehavior, work: WorkingTables) -> Step:
    target = table_sql(behavior_table(work.parent_id, work.number, table.table.slug))
    fields = [f"e.c{i} AS {quoted(column.field.name)}" for i, column in enumerate(table.columns)]
    join = join_columns(resolved)[table.join.parent_sql]
    sql = (
        f"CREATE TABLE {target} AS "
        f"SELECT {', '.join([f'c.{ORDINAL}', *fields])}, e.moment AS {quoted(TIMESTAMP)}, e.{ARRIVAL} "
        f"FROM ({events_sql(table)}) AS e JOIN {table_sql(work.customers)} AS c ON c.{join} = e.key "
        f"WHERE e.moment IS NOT NULL ORDER BY c.{ORDINAL}, e.moment, e.{ARRIVAL}"
    )
    return Step(f"Build behavior {table.table.name}", statement(sql))
