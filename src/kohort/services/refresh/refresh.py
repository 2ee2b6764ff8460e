"""Refresh a parent segment: build its profiles and behaviors beside the last ones and switch to them all at once.

Whatever stops it (an error, a full disk, Ctrl-C, a killed process), the last good refresh goes on answering; what was left
behind is dropped when the next refresh begins.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from kohort.documents.document import Document
from kohort.foundation.clock import Clock
from kohort.foundation.errors import Interrupted, InvalidInput, KohortError, UserError
from kohort.foundation.issues import Issue, Issues
from kohort.parent.catalog_codec import catalog_from_document, catalog_to_document
from kohort.parent.codec import read_parent
from kohort.parent.definition import ParentSegment
from kohort.parent.layout import behavior_table, keys_table, output_database, refresh_database
from kohort.parent.refresh_plan import RefreshPlan, WorkingTables, plan_refresh, publish_steps
from kohort.parent.report import AttributeReport, BehaviorReport, MasterReport, RefreshReport, report_to_document
from kohort.parent.resolution import ResolvedParent
from kohort.parent.statements import Step, quoted, statement, table_sql
from kohort.ports.definitions import DefinitionStore, Json, ParentRecord, RefreshRecord, RefreshStatus
from kohort.ports.progress import Progress, Silent
from kohort.ports.warehouse import Warehouse
from kohort.services.issue_document import issue_document
from kohort.services.refresh.index_files import IndexPlace, stamp_of
from kohort.services.refresh.measure import measure_attribute, measure_behavior, measure_master, resolve_parent, rows_of

_Reports = tuple[MasterReport, tuple[AttributeReport, ...], tuple[BehaviorReport, ...]]


@dataclass(frozen=True)
class _Run:
    """One refresh under way. place: where its index is to be built on the way."""

    warehouse: Warehouse
    store: DefinitionStore
    record: ParentRecord
    refresh: RefreshRecord
    progress: Progress
    place: IndexPlace | None = None


def refresh(
    warehouse: Warehouse,
    store: DefinitionStore,
    record: ParentRecord,
    *,
    clock: Clock,
    as_of: datetime | None = None,
    progress: Progress | None = None,
    place: IndexPlace | None = None,
) -> RefreshRecord:
    """Build the next refresh and publish it. as_of: the instant it stands for (default: now).

    place: where its index is to be. It is then built first, from the rows as they come, and the tables from it; where that
    cannot be done there is no index yet, and the tables are made by SQL.

    Raises InvalidInput with every problem of the definition, its tables and keys; Interrupted; what the warehouse raises.
    """
    moment = clock.now()
    run = _Run(warehouse, store, record, store.start_refresh(record.id, as_of=as_of or moment, at=moment), progress or Silent(), place)
    try:
        recover(warehouse, store, record)
        resolved, warnings = _resolve(run)
        report = _build(run, resolved, warnings)
        finished = store.finish_refresh(
            run.refresh.id,
            "success",
            at=clock.now(),
            population=report.master.customers,
            catalog=catalog_to_document(resolved.catalog),
            report=report_to_document(report),
        )
    except (KeyboardInterrupt, Interrupted):
        _abandon(run, clock, "canceled", "stopped by the user")
        raise Interrupted(f"the refresh of {record.name} was stopped; the last good one still answers") from None
    except BaseException as error:
        _abandon(run, clock, "error", _message(error), _problems(error))
        raise
    with contextlib.suppress(KohortError):
        _drop_old(warehouse, store, record)
    return finished


def recover_interrupted(warehouse: Warehouse, store: DefinitionStore) -> tuple[str, ...]:
    """`recover` every parent segment whose newest refresh did not succeed; names of what was dropped.

    To be called when the warehouse was just opened: it has one owner, so no refresh can be under way.
    """
    dropped: list[str] = []
    for record in store.parents():
        newest = store.refreshes(record.id, limit=1)
        if newest and newest[0].status != "success":
            dropped += recover(warehouse, store, record)
    return tuple(dropped)


def recover(warehouse: Warehouse, store: DefinitionStore, record: ParentRecord) -> tuple[str, ...]:
    """Undo what a refresh that died left behind: public views answer from the last good refresh, other leftovers are dropped.

    Returns the names of the databases that were dropped.
    """
    kept = _good_numbers(store, record)
    leftovers = [number for number in _refresh_numbers(warehouse, record.id) if number not in kept]
    if not leftovers:
        return ()
    _publish_last(warehouse, store, record)
    return _drop(warehouse, record.id, leftovers)


def planned_refresh(warehouse: Warehouse, parent: ParentSegment, parent_id: int, number: int = 1) -> RefreshPlan:
    """The SQL a refresh would run, for people to read. Raises InvalidInput."""
    resolved, issues = resolve_parent(warehouse, parent)
    if resolved is None or not issues.ok:
        raise InvalidInput(issues)
    return plan_refresh(resolved, parent_id, number)


def _resolve(run: _Run) -> tuple[ResolvedParent, tuple[str, ...]]:
    parent, issues = read_parent(Document(run.record.document))
    if parent is None:
        raise InvalidInput(issues)
    resolved, found = resolve_parent(run.warehouse, parent)
    issues.extend(found)
    if resolved is None or not issues.ok:
        raise InvalidInput(issues)
    return resolved, tuple(issue.message for issue in issues)


def _build(run: _Run, resolved: ResolvedParent, warnings: tuple[str, ...]) -> RefreshReport:
    plan = plan_refresh(resolved, run.record.id, run.refresh.number)
    steps = _Steps(run, 5 + 2 * (len(plan.attributes) + len(plan.behaviors)))
    for step in plan.prepare:
        run.warehouse.execute(step.statement)
    before = _ordinals(run)
    master, attributes, behaviors = _build_directly(run, resolved, plan, steps) or _build_by_sql(run, resolved, plan, steps)
    master = replace(master, new_customers=_ordinals(run) - before)
    steps.begin("Publish")
    for step in plan.tidy:
        run.warehouse.execute(step.statement)
    _publish(run.warehouse, run.record.id, plan.publish)
    steps.end()
    return RefreshReport(master, attributes, behaviors, warnings)


def _build_by_sql(run: _Run, resolved: ResolvedParent, plan: RefreshPlan, steps: _Steps) -> _Reports:
    master = _take_in_customers(run, resolved, plan, steps)
    attributes = tuple(_take_in_attributes(run, resolved, plan, steps, master.customers))
    steps.run(plan.profiles)
    return master, attributes, tuple(_take_in_behaviors(run, resolved, plan, steps, master.customers))


def _build_directly(run: _Run, resolved: ResolvedParent, plan: RefreshPlan, steps: _Steps) -> _Reports | None:
    """Index first, tables from it; None when that cannot be done (the progress says why), with nothing left behind."""
    if run.place is None or not run.place.gather_bytes:
        return None
    from kohort.services.refresh.direct import DirectRefresh

    _drop_stray_indexes(run)
    work, stamp = WorkingTables(run.record.id, run.refresh.number), stamp_of(run.refresh)
    direct = DirectRefresh(run.warehouse, resolved, plan, work, run.place, stamp, steps.begin)
    by_sql, steps.total = steps.total, 5 + len(plan.attributes) + 2 * len(plan.behaviors)
    try:
        return direct.run()
    except (UserError, Interrupted):
        raise
    except Exception as error:
        steps.begin(f"Begin anew by SQL: {error or type(error).__name__}")
        direct.undo()
        steps.done, steps.total = 0, by_sql
        return None


def _drop_stray_indexes(run: _Run) -> None:
    """Remove the index of a refresh that was not finished."""
    from kohort.services.refresh.direct import drop_strays

    if run.place is not None:
        drop_strays(run.place.root, run.record.id, _good_numbers(run.store, run.record))


class _Steps:
    """Runs steps and tells the progress."""

    def __init__(self, run: _Run, total: int) -> None:
        self.warehouse, self.progress, self.total, self.done = run.warehouse, run.progress, total, 0

    def begin(self, name: str) -> None:
        self.progress.step(name, self.done, self.total)
        self.done += 1

    def end(self) -> None:
        self.progress.step("", self.total, self.total)

    def run(self, step: Step) -> None:
        self.begin(step.name)
        self.warehouse.execute(step.statement)


def _take_in_customers(run: _Run, resolved: ResolvedParent, plan: RefreshPlan, steps: _Steps) -> MasterReport:
    keys = table_sql(WorkingTables(run.record.id, run.refresh.number).keys)
    steps.run(plan.keys)
    master = measure_master(run.warehouse, resolved, keys)
    if master.duplicate_keys:
        raise InvalidInput(duplicate_key_issues(resolved, master))
    steps.run(plan.append)
    steps.run(plan.customers)
    return master


def duplicate_key_issues(resolved: ResolvedParent, master: MasterReport) -> Issues:
    """The error that a master table has several rows of one key."""
    issues = Issues()
    key, samples = resolved.parent.key_column, ", ".join(master.duplicate_samples)
    example = "" if _is_personal(resolved, f"{master.source}.{key}") else f", for example {samples}"
    message = f'{master.duplicate_keys} values of the key "{key}" stand in several rows of {master.source}{example}'
    hint = "one row per customer: remove the extra rows, or filter them out"
    issues.add(Issue("DUPLICATE_KEYS", message, ("master", "key_column"), hint=hint))
    return issues


def _is_personal(resolved: ResolvedParent, source: str) -> bool:
    """Whether a column of a table is marked as personal data anywhere: then its values are in no message."""
    catalog = resolved.catalog
    fields = (*catalog.attributes, *(field for behavior in catalog.behaviors for field in behavior.fields))
    return any(field.source == source and field.visibility in ("pii", "blocked") for field in fields)


def _ordinals(run: _Run) -> int:
    return int(rows_of(run.warehouse, statement(f"SELECT COUNT(*) AS count FROM {table_sql(keys_table(run.record.id))}"))[0]["count"])


def _take_in_attributes(run: _Run, resolved: ResolvedParent, plan: RefreshPlan, steps: _Steps, customers: int) -> Iterator[AttributeReport]:
    work = WorkingTables(run.record.id, run.refresh.number)
    for position, (step, table) in enumerate(zip(plan.attributes, resolved.attributes, strict=True)):
        steps.run(step)
        steps.begin(f"Check attributes {table.table.name}")
        yield measure_attribute(run.warehouse, resolved, table, customers, table_sql(work.attribute(position)), table_sql(work.customers))


def _take_in_behaviors(run: _Run, resolved: ResolvedParent, plan: RefreshPlan, steps: _Steps, customers: int) -> Iterator[BehaviorReport]:
    work = WorkingTables(run.record.id, run.refresh.number)
    for step, table in zip(plan.behaviors, resolved.behaviors, strict=True):
        steps.run(step)
        steps.begin(f"Check behavior {table.table.name}")
        built = table_sql(behavior_table(run.record.id, run.refresh.number, table.table.slug))
        yield measure_behavior(run.warehouse, resolved, table, customers, table_sql(work.customers), built)


def _publish(warehouse: Warehouse, parent_id: int, steps: tuple[Step, ...]) -> None:
    """All views at once; views of behaviors that are gone disappear."""
    names = {step.name.removeprefix("Publish ") for step in steps}
    with warehouse.transaction():
        for view in _public_views(warehouse, parent_id):
            if view not in names:
                warehouse.execute(statement(f"DROP VIEW {quoted(output_database(parent_id))}.{quoted(view)}"))
        for step in steps:
            warehouse.execute(step.statement)


def _publish_last(warehouse: Warehouse, store: DefinitionStore, record: ParentRecord) -> None:
    """Public views answer from the last good refresh; without one (or when its tables are gone) there are none."""
    last = store.last_refresh(record.id)
    if last is None or last.number not in _refresh_numbers(warehouse, record.id):
        _publish(warehouse, record.id, ())
    else:
        _publish(warehouse, record.id, publish_steps(record.id, last.number, catalog_from_document(last.catalog)))


def _message(error: BaseException) -> str:
    if isinstance(error, InvalidInput) and len(error.issues.errors) > 1:
        return f"{error.message} (and {len(error.issues.errors) - 1} more)"
    return error.message if isinstance(error, UserError) else str(error) or type(error).__name__


def _problems(error: BaseException) -> Json:
    """What a failed refresh reports: every issue of the input, as documents."""
    if not isinstance(error, InvalidInput):
        return {}
    return {"issues": [issue_document(issue) for issue in error.issues]}


def _abandon(run: _Run, clock: Clock, status: str, message: str, report: Json | None = None) -> None:
    """Leave no trace of a refresh that failed; what cannot be removed now is left to the next one."""
    with contextlib.suppress(Exception):
        _publish_last(run.warehouse, run.store, run.record)
        _drop(run.warehouse, run.record.id, [run.refresh.number])
    with contextlib.suppress(Exception):
        _drop_stray_indexes(run)
    with contextlib.suppress(Exception):
        ended: RefreshStatus = "canceled" if status == "canceled" else "error"
        run.store.finish_refresh(run.refresh.id, ended, at=clock.now(), report=report, message=message)


def _good_numbers(store: DefinitionStore, record: ParentRecord) -> list[int]:
    """The last two good refreshes."""
    return [item.number for item in store.refreshes(record.id, limit=1000) if item.status == "success"][:2]


def _drop_old(warehouse: Warehouse, store: DefinitionStore, record: ParentRecord) -> None:
    kept = _good_numbers(store, record)
    _drop(warehouse, record.id, [number for number in _refresh_numbers(warehouse, record.id) if number not in kept])


def _drop(warehouse: Warehouse, parent_id: int, numbers: list[int]) -> tuple[str, ...]:
    names = tuple(refresh_database(parent_id, number) for number in numbers)
    for name in names:
        warehouse.execute(statement(f"DROP SCHEMA IF EXISTS {quoted(name)} CASCADE"))
    return names


def _refresh_numbers(warehouse: Warehouse, parent_id: int) -> list[int]:
    pattern = re.compile(re.escape(output_database(parent_id)) + r"_r(\d+)")
    rows = rows_of(warehouse, statement("SELECT DISTINCT schema_name AS name FROM information_schema.schemata ORDER BY name"))
    return [int(found[1]) for row in rows if (found := pattern.fullmatch(row["name"]))]


def _public_views(warehouse: Warehouse, parent_id: int) -> list[str]:
    database = quoted(output_database(parent_id), "'")
    query = (
        f"SELECT table_name AS name FROM information_schema.tables WHERE table_schema = {database} AND table_type = 'VIEW' ORDER BY name"
    )
    names = [row["name"] for row in rows_of(warehouse, statement(query))]
    return [name for name in names if name == "customers" or name.startswith("behavior_")]
