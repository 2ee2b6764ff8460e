"""The record of runs in the store's tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from kohort.adapters.sqlalchemy.processes import is_dead, this_process
from kohort.adapters.sqlalchemy.tables import parent_segments, runs
from kohort.adapters.sqlalchemy.transactions import Transactions
from kohort.foundation.errors import UserError
from kohort.ports.runs import ENDED_EARLY, RunKind, RunRecord, RunStatus, RunStep


class RunLog(Transactions):
    """The part of the store that remembers what was run, by whom and how long."""

    def start_run(self, parent_id: int, kind: RunKind, *, as_of: datetime | None, by: str, way: str, at: datetime) -> RunRecord:
        """A new run that is under way in this process. Raises UserError PARENT_NOT_FOUND."""
        with self._writing() as connection:
            if connection.execute(select(parent_segments.c.id).where(parent_segments.c.id == parent_id)).one_or_none() is None:
                raise UserError("PARENT_NOT_FOUND", f"there is no parent segment with id {parent_id}", hint="push the parent segment first")
            values: dict[str, Any] = {
                "parent_id": parent_id,
                "kind": kind,
                "number": 0,
                "status": "running",
                "started_at": at,
                "as_of": as_of,
            }
            values |= {"asked_by": by, "way": way, "message": "", "counts": {}, "log": [], "problem": {}, "process": this_process()}
            run_id = connection.execute(insert(runs).values(**values).returning(runs.c.id)).scalar_one()
            return _known(connection, run_id)

    def note_run(self, run_id: int, number: int, log: Sequence[RunStep]) -> None:
        """How far a run is: its number, once it is known, and the steps so far."""
        with self._writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(number=number, log=_steps(log)))

    def finish_run(
        self,
        run_id: int,
        status: RunStatus,
        *,
        at: datetime,
        number: int = 0,
        as_of: datetime | None = None,
        message: str = "",
        counts: Mapping[str, int] | None = None,
        log: Sequence[RunStep] = (),
        problem: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Close a run. as_of None, number 0: as they were. Raises UserError RUN_NOT_FOUND."""
        values: dict[str, Any] = {"status": status, "finished_at": at, "message": message, "log": _steps(log)}
        values |= {"counts": dict(counts or {}), "problem": dict(problem or {})}
        values |= {"number": number} if number else {}
        values |= {"as_of": as_of} if as_of is not None else {}
        with self._writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(**values))
            return _known(connection, run_id)

    def runs(
        self, parent_ids: Collection[int] | None = None, *, kind: str = "", before_id: int = 0, limit: int = 50
    ) -> Sequence[RunRecord]:
        """Newest first. parent_ids None: of all parent segments. A run whose process ended without a word is shown as failed."""
        query = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if parent_ids is not None:
            query = query.where(runs.c.parent_id.in_(list(parent_ids)))
        if kind:
            query = query.where(runs.c.kind == kind)
        if before_id:
            query = query.where(runs.c.id < before_id)
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(query)]

    def run(self, run_id: int) -> RunRecord | None:
        """One run; None when there is none of that id."""
        with self._reading() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
        return _record(row) if row is not None else None


def _known(connection: Connection, run_id: int) -> RunRecord:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise UserError("RUN_NOT_FOUND", f"there is no run with id {run_id}", hint="list the runs first")
    return _record(row)


def _steps(log: Sequence[RunStep]) -> list[dict[str, Any]]:
    return [{"name": step.name, "seconds": step.seconds} for step in log]


def _record(row: Row[Any]) -> RunRecord:
    died = row.status == "running" and is_dead(row.process) is True
    return RunRecord(
        row.id,
        row.parent_id,
        row.kind,
        row.number,
        "error" if died else row.status,
        row.started_at,
        row.finished_at,
        row.as_of,
        row.asked_by,
        row.way,
        ENDED_EARLY if died else row.message,
        row.counts,
        tuple(RunStep(step["name"], step["seconds"]) for step in row.log),
        row.problem,
    )
