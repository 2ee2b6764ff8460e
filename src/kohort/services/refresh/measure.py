"""Count what of a parent segment's tables does not join or fit: the figures of `refresh` and of `validate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlglot import exp

from kohort.foundation.issues import Issues
from kohort.parent import measures
from kohort.parent.definition import ParentSegment
from kohort.parent.layout import is_built
from kohort.parent.refresh_plan import attribute_sql, customers_sql
from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, Misfit
from kohort.parent.resolution import (
    ResolvedAttribute,
    ResolvedBehavior,
    ResolvedColumn,
    ResolvedParent,
    SourceTable,
    resolve,
    sources_of,
)
from kohort.ports.warehouse import Queries, TableInfo, Warehouse

_SAMPLE_LENGTH = 80


def rows_of(warehouse: Queries, query: exp.Expression) -> list[dict[str, Any]]:
    """The rows of a small query."""
    rows: list[dict[str, Any]] = warehouse.query(query).to_pylist()
    return rows


def source_table(warehouse: Warehouse, info: TableInfo) -> SourceTable:
    """A table as the parent segment sees it. Tables of DuckDB know their rows' order of arrival, views do not."""
    columns = {column.name: column.type for column in info.columns}
    plain = info.kind == "table" and warehouse.dialect == "duckdb"
    return SourceTable(info.ref, columns, has_rowid=plain and "rowid" not in {name.lower() for name in columns})


def resolve_parent(warehouse: Warehouse, parent: ParentSegment) -> tuple[ResolvedParent | None, Issues]:
    """Meet a parent segment with the tables of the warehouse."""
    found = {ref: source_table(warehouse, info) for ref in sources_of(parent) if (info := warehouse.table(ref))}
    known = (
        [] if len(found) == len(sources_of(parent)) else [str(info.ref) for info in warehouse.tables() if not is_built(info.ref.database)]
    )
    return resolve(parent, found, known)


def measure_master(warehouse: Warehouse, resolved: ResolvedParent, keys: str = "") -> MasterReport:
    """Figures of the master table. `keys`: a relation of the customers' keys ("": read from the master)."""
    master = resolved.master
    (counts,) = rows_of(warehouse, measures.master_counts(master))
    relation = keys or f"({customers_sql(resolved)})"
    (copies,) = rows_of(warehouse, measures.key_counts(relation))
    samples = rows_of(warehouse, measures.duplicate_samples(relation)) if copies["duplicate_keys"] else []
    return MasterReport(
        source=str(master.source.ref),
        rows_in=counts["rows_in"],
        filtered_out=counts["filtered_out"],
        null_keys=counts["null_keys"],
        customers=int(copies["rows"]) - int(copies["extra_rows"]),
        duplicate_keys=int(copies["duplicate_keys"]),
        extra_rows=int(copies["extra_rows"]),
        duplicate_samples=samples_of(row["key"] for row in samples),
        misfits=misfits_of(warehouse, master.source, master.columns, counts),
    )


def measure_attribute(
    warehouse: Warehouse, resolved: ResolvedParent, table: ResolvedAttribute, customers_count: int, staged: str = "", customers: str = ""
) -> AttributeReport:
    """Figures of one attribute table. `staged`, `customers`: working tables of a refresh ("": read from the sources)."""
    keys = staged or f"({attribute_sql(table)})"
    people, join = customers or f"({customers_sql(resolved)})", measures.join_column(resolved, table)
    (counts,) = rows_of(warehouse, measures.attribute_counts(table))
    (copies,) = rows_of(warehouse, measures.attribute_keys(keys))
    unmatched = _count(warehouse, measures.unmatched_keys(keys, people, join))
    duplicates = rows_of(warehouse, measures.duplicate_samples(keys, "MAX(copies)")) if copies["duplicate_keys"] else []
    strangers = rows_of(warehouse, measures.unmatched_samples(keys, people, join, "MAX(k.copies)")) if unmatched else []
    return AttributeReport(
        name=table.table.name,
        source=str(table.source.ref),
        rows_in=counts["rows_in"],
        null_keys=counts["null_keys"],
        keys=int(copies["keys"]),
        duplicate_keys=int(copies["duplicate_keys"]),
        extra_rows=int(copies["extra_rows"]),
        unmatched_keys=unmatched,
        customers=customers_count,
        customers_matched=_count(warehouse, measures.matched_customers(keys, people, join)),
        duplicate_samples=samples_of(row["key"] for row in duplicates),
        unmatched_samples=samples_of(row["key"] for row in strangers),
        misfits=misfits_of(warehouse, table.source, table.columns, counts),
    )


def measure_behavior(
    warehouse: Warehouse, resolved: ResolvedParent, table: ResolvedBehavior, customers_count: int, customers: str = "", built: str = ""
) -> BehaviorReport:
    """Figures of one behavior. `customers`, `built`: the working table and the behavior of a refresh ("": read from the sources)."""
    people, join = customers or f"({customers_sql(resolved)})", measures.join_column(resolved, table)
    keys = measures.event_keys(table)
    (counts,) = rows_of(warehouse, measures.behavior_counts(table))
    keyed = counts["rows_in"] - counts["null_keys"] - counts["no_time"]
    if built:
        (made,) = rows_of(warehouse, measures.built_counts(built))
        rows_out, matched = made["rows"], made["customers"]
    else:
        rows_out, matched = -1, _count(warehouse, measures.matched_customers(keys, people, join))
    if built and table.join.parent_key == resolved.parent.key_column:
        unmatched = keyed - rows_out
    else:
        unmatched = _count(warehouse, measures.unmatched_keys(keys, people, join))
    strangers = rows_of(warehouse, measures.unmatched_samples(keys, people, join)) if unmatched else []
    return BehaviorReport(
        name=table.table.name,
        source=str(table.source.ref),
        rows_in=counts["rows_in"],
        null_keys=counts["null_keys"],
        no_time=counts["no_time"],
        unmatched_rows=unmatched,
        rows_out=keyed - unmatched if rows_out < 0 else rows_out,
        customers=customers_count,
        customers_matched=matched,
        unmatched_samples=samples_of(row["key"] for row in strangers),
        misfits=misfits_of(warehouse, table.source, (*table.columns, table.time), counts),
    )


def _count(warehouse: Warehouse, query: exp.Expression) -> int:
    return int(rows_of(warehouse, query)[0]["count"])


def samples_of(values: Iterable[Any]) -> tuple[str, ...]:
    """Values as a report shows them."""
    return tuple(str(value)[:_SAMPLE_LENGTH] for value in values)


def misfits_of(warehouse: Warehouse, source: SourceTable, columns: Sequence[ResolvedColumn], counts: dict[str, Any]) -> tuple[Misfit, ...]:
    """The misfits whose counts are m<n>, with samples."""
    found: list[Misfit] = []
    for position, column in enumerate(columns):
        count = counts.get(f"m{position}", 0)
        if count:
            rows = rows_of(warehouse, measures.misfit_samples(source, column))
            found.append(Misfit(column.column, column.field.type, count, samples_of(row["value"] for row in rows)))
    return tuple(found)
