"""Build the index of a refresh from rows as they stream in, then its tables from the index: nothing is sorted by the warehouse.

Where the index cannot hold something, its table is made by the SQL of the refresh plan.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kohort.index.columns import ProfileIndex
from kohort.index.direct import DirectBuild, Matched, is_whole
from kohort.index.gathered import rows_per_profile
from kohort.index.key_table import KeyTable
from kohort.index.layout import Manifest, index_folder, kept_numbers
from kohort.index.open import open_index
from kohort.index.rows import behavior_batches, column_slice
from kohort.parent import intake_plan, measures
from kohort.parent.definition import TableRef
from kohort.parent.layout import behavior_table, profiles_table
from kohort.parent.refresh_plan import RefreshPlan, WorkingTables
from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport
from kohort.parent.resolution import ResolvedAttribute, ResolvedBehavior, ResolvedColumn, ResolvedParent
from kohort.parent.statements import statement, table_sql
from kohort.ports.warehouse import Warehouse
from kohort.services.refresh.index_files import IndexPlace
from kohort.services.refresh.intake import Intake, Taken, most_frequent
from kohort.services.refresh.measure import misfits_of, rows_of, samples_of

_TABLE_BATCH_ROWS = 122_880
"""Rows that the warehouse keeps together: larger batches keep its threads waiting for one another."""


Reports = tuple[MasterReport, tuple[AttributeReport, ...], tuple[BehaviorReport, ...]]


@dataclass(frozen=True, slots=True)
class _Duplicates:
    """The keys of an attribute table that stand in several rows."""

    keys: int
    extra_rows: int
    samples: tuple[str, ...]


@dataclass
class DirectRefresh:
    """One refresh that is built directly. begin: tells that a step begins; stamp: of the index."""

    warehouse: Warehouse
    resolved: ResolvedParent
    plan: RefreshPlan
    work: WorkingTables
    place: IndexPlace
    stamp: str
    begin: Callable[[str], None]
    _has_customers: bool = False
    _duplicates: dict[int, _Duplicates] = field(default_factory=dict)
    _ids: Any = None
    _waiting: deque[tuple[Future[Matched], int]] = field(default_factory=deque)
    _taken: list[tuple[Taken, Future[Matched]]] = field(default_factory=list)

    def run(self) -> Reports:
        """Build the index, then the tables. Raises what the warehouse raises, and anything else when this way cannot be gone."""
        self.begin("Give new customers their ordinals")
        keys = self._keys()
        index, manifest, reports = self._index(keys)
        try:
            self._write_tables(index, manifest)
        except BaseException:
            shutil.rmtree(index_folder(self.place.root, self.work.parent_id, self.work.number), ignore_errors=True)
            raise
        return reports

    def _keys(self) -> KeyTable:
        """Every key with its ordinal. Raises ValueError when a key is there twice; then no ordinal was given."""
        with self.warehouse.transaction():
            self.warehouse.execute(intake_plan.append_step(self.resolved, self.work).statement)
            found = self.warehouse.query(statement(intake_plan.all_keys(self.work))).combine_chunks()
            keys, ordinals = (found.column(place).combine_chunks() for place in range(2))
            order = np.argsort(np.asarray(ordinals), kind="stable")
            if not np.array_equal(np.asarray(ordinals)[order], np.arange(len(order))):
                raise ValueError("an ordinal is there twice, or missing")
            table = KeyTable(keys if (order[1:] > order[:-1]).all() else keys.take(pa.array(order)))
            if table.copies:
                raise ValueError("a key is there twice")
            return table

    def _index(self, keys: KeyTable) -> tuple[ProfileIndex, Manifest, Reports]:
        catalog, number, size = self.resolved.catalog, self.work.number, len(keys.keys)
        build = DirectBuild(self.place.root, self.work.parent_id, number, catalog, size, self.place.batch_rows * 4)
        intake = Intake(self.warehouse, keys, self.place.batch_rows, self.place.gather_bytes)
        builder = ThreadPoolExecutor(1, thread_name_prefix="kohort-index")
        try:
            self._take_in_profiles(build, intake, builder, keys)
            self._take_in_behaviors(build, intake, builder)
            self.begin("Finish the index")
            reports = self._reports()
            manifest = build.finish(self.stamp)
        except BaseException:
            build.stop()
            builder.shutdown(wait=True, cancel_futures=True)
            intake.close()
            build.abandon()
            raise
        builder.shutdown()
        intake.close()
        self._ids = build.ids
        index = open_index(self.place.root, self.work.parent_id, number, self.stamp)
        if index is None:
            raise ValueError("the index that was written cannot be opened")
        return index, manifest, reports

    def _submit(self, builder: ThreadPoolExecutor, taken: Taken, call: Callable[..., Matched], *arguments: Any) -> None:
        """Have rows put in order while the next tables stream, as long as those that wait take little memory."""
        gathered, taken.gathered = taken.gathered, None
        assert gathered is not None
        size = gathered.bytes
        while self._waiting and sum(waiting for _, waiting in self._waiting) + size > self.place.gather_bytes // 2:
            self._waiting.popleft()[0].result()
        working = builder.submit(call, *arguments, gathered)
        self._waiting.append((working, size))
        self._taken.append((taken, working))

    def _take_in_profiles(self, build: DirectBuild, intake: Intake, builder: ThreadPoolExecutor, keys: KeyTable) -> None:
        resolved = self.resolved
        self.begin("Read the master table")
        taken = intake.take(intake_plan.master_rows(resolved), [False, *_are_codes(resolved.master.columns)])
        assert taken.gathered is not None
        copies = rows_per_profile(taken.gathered, len(keys.keys))
        if (copies > 1).any():
            raise ValueError("a key is there twice")
        keys.keep(copies > 0)
        self._submit(builder, taken, build.customers)
        first = len(resolved.master.columns)
        for position, table in enumerate(resolved.attributes):
            self.begin(f"Read attributes {table.table.name}")
            taken = self._take_in_attributes(position, table, intake, keys)
            self._submit(builder, taken, build.attributes, first)
            first += len(table.columns)

    def _take_in_attributes(self, position: int, table: ResolvedAttribute, intake: Intake, keys: KeyTable) -> Taken:
        if intake_plan.joins_on_key(self.resolved, table):
            taken = intake.take(intake_plan.attribute_rows(table), _are_codes(table.columns))
            if not taken.strangers.too_many:
                self._pick(position, table, intake, keys, taken)
                return taken
        duplicates = self._duplicates_table(position)
        self.warehouse.execute(intake_plan.duplicates_step(table, duplicates).statement)
        self._make_customers()
        taken = intake.take(intake_plan.single_rows(self.resolved, table, self.work, duplicates), _are_codes(table.columns))
        found = rows_of(self.warehouse, measures.duplicate_samples(table_sql(duplicates), "MAX(copies)"))
        self._duplicates[position] = _Duplicates(*self._copies(duplicates), tuple(row["key"] for row in found))
        return intake.take(intake_plan.picked_rows(self.resolved, table, self.work, duplicates), _are_codes(table.columns), taken)

    def _pick(self, position: int, table: ResolvedAttribute, intake: Intake, keys: KeyTable, taken: Taken) -> None:
        """Of the rows of one key take the smallest; says which keys have several."""
        assert taken.gathered is not None
        copies = rows_per_profile(taken.gathered, len(keys.keys))
        places = np.flatnonzero(copies > 1)
        strangers = taken.strangers.by_key
        several = strangers.filter(pc.greater(strangers["copies"], 1))
        mine = pa.table({"key": keys.keys.take(pa.array(places)).cast(pa.string()), "copies": pa.array(copies[places].astype(np.int64))})
        both = pa.concat_tables([mine, several.cast(mine.schema)])
        extra = (pc.sum(both["copies"]).as_py() or 0) - both.num_rows
        self._duplicates[position] = _Duplicates(both.num_rows, extra, tuple(most_frequent(both)))
        taken.strangers.count = strangers.num_rows
        if len(places):
            taken.gathered.rows -= int(copies[places].sum())
            duplicates = self._duplicates_table(position)
            self.warehouse.execute(intake_plan.empty_duplicates(duplicates).statement)
            self.warehouse.append_rows(duplicates, mine.select(["key"]).to_reader())
            intake.take(intake_plan.smallest_rows(table, duplicates), _are_codes(table.columns), taken)

    def _copies(self, duplicates: TableRef) -> tuple[int, int]:
        (copies,) = rows_of(self.warehouse, measures.attribute_keys(table_sql(duplicates)))
        return int(copies["duplicate_keys"]), int(copies["extra_rows"])

    def _duplicates_table(self, position: int) -> TableRef:
        return TableRef(self.work.attribute(position).database, f"_duplicates_{position}")

    def _make_customers(self) -> None:
        """The customers as a table, for what the warehouse joins."""
        if not self._has_customers:
            self.warehouse.execute(intake_plan.customers_step(self.resolved, self.work).statement)
            self._has_customers = True

    def _take_in_behaviors(self, build: DirectBuild, intake: Intake, builder: ThreadPoolExecutor) -> None:
        for place, table in enumerate(self.resolved.behaviors):
            self.begin(f"Read behavior {table.table.name}")
            if not intake_plan.joins_on_key(self.resolved, table):
                self._make_customers()
            numbered = None if table.source.has_rowid else self.warehouse.numbered(table.source.ref)
            source = (numbered.relation, numbered.place) if numbered else ()
            query = intake_plan.behavior_rows(self.resolved, table, self.work, *source)
            self._submit(builder, intake.take(query, _are_codes(table.columns)), build.behavior, place)

    # --- reports ------------------------------------------------------------------------------------------------

    def _reports(self) -> Reports:
        found = [(taken, waiting.result()) for taken, waiting in self._taken]
        middle = 1 + len(self.resolved.attributes)
        customers = found[0][1].rows
        attributes = [
            self._attribute_report(position, table, customers, *one)
            for position, (table, one) in enumerate(zip(self.resolved.attributes, found[1:middle], strict=True))
        ]
        behaviors = [
            self._behavior_report(table, customers, *one) for table, one in zip(self.resolved.behaviors, found[middle:], strict=True)
        ]
        return self._master_report(customers), tuple(attributes), tuple(behaviors)

    def _master_report(self, customers: int) -> MasterReport:
        master = self.resolved.master
        (counts,) = rows_of(self.warehouse, measures.master_counts(master))
        return MasterReport(
            source=str(master.source.ref),
            rows_in=counts["rows_in"],
            filtered_out=counts["filtered_out"],
            null_keys=counts["null_keys"],
            customers=customers,
            misfits=misfits_of(self.warehouse, master.source, master.columns, counts),
        )

    def _attribute_report(self, position: int, table: ResolvedAttribute, customers: int, taken: Taken, matched: Matched) -> AttributeReport:
        (counts,) = rows_of(self.warehouse, measures.attribute_counts(table))
        duplicates = self._duplicates[position]
        return AttributeReport(
            name=table.table.name,
            source=str(table.source.ref),
            rows_in=counts["rows_in"],
            null_keys=counts["null_keys"],
            keys=counts["rows_in"] - counts["null_keys"] - duplicates.extra_rows,
            duplicate_keys=duplicates.keys,
            extra_rows=duplicates.extra_rows,
            unmatched_keys=taken.strangers.count,
            customers=customers,
            customers_matched=matched.profiles,
            duplicate_samples=samples_of(duplicates.samples),
            unmatched_samples=self._strangers(taken, table, measures.attribute_relation(table), "MAX(k.copies)"),
            misfits=misfits_of(self.warehouse, table.source, table.columns, counts),
        )

    def _behavior_report(self, table: ResolvedBehavior, customers: int, taken: Taken, matched: Matched) -> BehaviorReport:
        columns = (*table.columns, table.time)
        if intake_plan.joins_on_key(self.resolved, table):
            counts = {"rows_in": taken.rows, "null_keys": taken.null_keys, "no_time": taken.no_time, **taken.lost}
        else:
            (counts,) = rows_of(self.warehouse, measures.behavior_counts(table))
        return BehaviorReport(
            name=table.table.name,
            source=str(table.source.ref),
            rows_in=counts["rows_in"],
            null_keys=counts["null_keys"],
            no_time=counts["no_time"],
            unmatched_rows=taken.strangers.count,
            rows_out=matched.rows,
            customers=customers,
            customers_matched=matched.profiles,
            unmatched_samples=self._strangers(taken, table, measures.event_keys(table), "COUNT(*)"),
            misfits=misfits_of(self.warehouse, table.source, columns, counts),
        )

    def _strangers(self, taken: Taken, table: ResolvedAttribute | ResolvedBehavior, keys: str, weight: str) -> tuple[str, ...]:
        if not taken.strangers.too_many:
            return samples_of(taken.strangers.samples())
        self._make_customers()
        join = measures.join_column(self.resolved, table)
        found = rows_of(self.warehouse, measures.unmatched_samples(keys, table_sql(self.work.customers), join, weight))
        return samples_of(row["key"] for row in found)

    # --- tables -------------------------------------------------------------------------------------------------

    def _write_tables(self, index: ProfileIndex, manifest: Manifest) -> None:
        self.begin("Build the profiles")
        if any(not one.behavior for one in manifest.left_out):
            self._profiles_by_sql()
        else:
            self.warehouse.execute(intake_plan.empty_profiles(self.resolved, self.work))
            self._append(profiles_table(self.work.parent_id, self.work.number), self._profile_batches(index))
        facts = {one.name: one for one in manifest.behaviors}
        for behavior, table, step in zip(self.resolved.catalog.behaviors, self.resolved.behaviors, self.plan.behaviors, strict=True):
            self.begin(step.name)
            if behavior.name not in facts or not is_whole(facts[behavior.name], behavior):
                self._make_customers()
                self.warehouse.execute(step.statement)
                continue
            self.warehouse.execute(intake_plan.empty_behavior(table, self.work))
            rows, names = index.behaviors[behavior.name], [one.name for one in behavior.fields]
            self._append(
                behavior_table(self.work.parent_id, self.work.number, behavior.name), behavior_batches(rows, names, _TABLE_BATCH_ROWS)
            )
            rows.release()
        for position in range(len(self.resolved.attributes)):
            self.warehouse.execute(statement(f"DROP TABLE IF EXISTS {table_sql(self._duplicates_table(position))}"))

    def _append(self, ref: TableRef, batches: Iterator[Any]) -> None:
        first = next(batches, None)
        if first is not None:
            self.warehouse.append_rows(ref, pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches)))

    def _profile_batches(self, index: ProfileIndex) -> Iterator[Any]:
        names = [one.name for one in self.resolved.catalog.attributes]
        live = np.unpackbits(index.live.view(np.uint8), count=index.size, bitorder="little").view(np.bool_)
        for start in range(0, index.size, _TABLE_BATCH_ROWS):
            stop = min(start + _TABLE_BATCH_ROWS, index.size)
            arrays = [pa.array(np.arange(start, stop, dtype=np.int32)), self._ids.slice(start, stop - start)]
            arrays += [column_slice(index.attributes[name], start, stop) for name in names]
            batch = pa.record_batch(arrays, names=[f"c{place}" for place in range(len(arrays))])
            yield batch if live[start:stop].all() else batch.filter(pa.array(live[start:stop]))

    def _profiles_by_sql(self) -> None:
        self.warehouse.execute(statement(f"DROP TABLE IF EXISTS {table_sql(self.work.customers)}"))
        self._has_customers = True
        for step in (self.plan.customers, *self.plan.attributes, self.plan.profiles):
            self.warehouse.execute(step.statement)

    def undo(self) -> None:
        """Drop what was made, so that the same tables can be made by SQL."""
        tables = [self.work.customers, profiles_table(self.work.parent_id, self.work.number)]
        tables += [behavior_table(self.work.parent_id, self.work.number, table.table.slug) for table in self.resolved.behaviors]
        for position in range(len(self.resolved.attributes)):
            tables += [self._duplicates_table(position), self.work.attribute(position)]
        for ref in tables:
            self.warehouse.execute(statement(f"DROP TABLE IF EXISTS {table_sql(ref)}"))


def drop_strays(root: Path, parent_id: int, good: Sequence[int]) -> None:
    """Remove indexes of refreshes that are not among the good ones: of a refresh that was killed before it was done."""
    for number in kept_numbers(root, parent_id):
        if number > max(good, default=0):
            shutil.rmtree(index_folder(root, parent_id, number), ignore_errors=True)


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _are_codes(columns: tuple[ResolvedColumn, ...]) -> list[bool]:
    return [column.field.storage == "text" for column in columns]
