"""Refreshes and evaluations in the store's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from kohort.adapters.sqlalchemy.processes import is_dead, this_process
from kohort.adapters.sqlalchemy.tables import evaluations, parent_segments, populations, refreshes
from kohort.adapters.sqlalchemy.transactions import Transactions
from kohort.foundation.errors import UserError
from kohort.ports.definitions import EvaluationRecord, EvaluationSummary, Json, PopulationRecord, RefreshRecord, RefreshStatus

LONGEST_REFRESH = timedelta(days=1)
"""A running refresh of another machine, where we cannot look for the process, counts as dead after this."""

_REFRESH_COLUMNS = [c for c in refreshes.c if c.name in RefreshRecord.__dataclass_fields__]
_SUMMARY_COLUMNS = [c for c in evaluations.c if c.name in EvaluationSummary.__dataclass_fields__]
_POPULATION_COLUMNS = [c for c in populations.c if c.name in PopulationRecord.__dataclass_fields__]
_POPULATION_FIELDS = [populations.c[name] for name in PopulationRecord.__dataclass_fields__]
_IDS_AT_ONCE = 500


class Runs(Transactions):
    """The half of the store that keeps what was run and what came out."""

    def start_refresh(self, parent_id: int, *, as_of: datetime, at: datetime) -> RefreshRecord:
        """A new running refresh with the next number. Refreshes still marked running by a dead process become `error`."""
        with self._writing() as connection:
            _require_parent(connection, parent_id)
            _close_abandoned(connection, parent_id, at)
            last = select(func.max(refreshes.c.number)).where(refreshes.c.parent_id == parent_id)
            number = (connection.execute(last).scalar_one() or 0) + 1
            values: dict[str, Any] = {"parent_id": parent_id, "number": number, "status": "running", "started_at": at, "as_of": as_of}
            values |= {"population": 0, "catalog": {}, "report": {}, "message": "", "process": this_process(), "abandoned": False}
            connection.execute(insert(refreshes).values(**values))
            place = (refreshes.c.parent_id == parent_id) & (refreshes.c.number == number)
            return RefreshRecord(**connection.execute(select(*_REFRESH_COLUMNS).where(place)).one()._mapping)

    def finish_refresh(
        self,
        refresh_id: int,
        status: RefreshStatus,
        *,
        at: datetime,
        population: int = 0,
        catalog: Json | None = None,
        report: Json | None = None,
        message: str = "",
    ) -> RefreshRecord:
        """Close a refresh; the first close stands. Raises UserError REFRESH_NOT_FOUND."""
        with self._writing() as connection:
            found = connection.execute(select(refreshes.c.status, refreshes.c.abandoned).where(refreshes.c.id == refresh_id)).one_or_none()
            if found is None:
                raise UserError("REFRESH_NOT_FOUND", f"there is no refresh with id {refresh_id}", hint="list the refreshes and try again")
            if found.status == "running" or found.abandoned:
                values: dict[str, Any] = {"status": status, "finished_at": at, "population": population, "abandoned": False}
                values |= {"catalog": catalog or {}, "report": report or {}, "message": message}
                connection.execute(update(refreshes).where(refreshes.c.id == refresh_id).values(**values))
            return RefreshRecord(**connection.execute(select(*_REFRESH_COLUMNS).where(refreshes.c.id == refresh_id)).one()._mapping)

    def refreshes(self, parent_id: int, limit: int = 50) -> Sequence[RefreshRecord]:
        """Newest first."""
        query = select(*_REFRESH_COLUMNS).where(refreshes.c.parent_id == parent_id).order_by(refreshes.c.number.desc())
        with self._reading() as connection:
            return [RefreshRecord(**row._mapping) for row in connection.execute(query.limit(limit))]

    def last_refresh(self, parent_id: int) -> RefreshRecord | None:
        """The newest successful refresh."""
        done = (refreshes.c.parent_id == parent_id) & (refreshes.c.status == "success")
        query = select(*_REFRESH_COLUMNS).where(done).order_by(refreshes.c.number.desc()).limit(1)

        def read(connection: Connection) -> RefreshRecord | None:
            row = connection.execute(query).one_or_none()
            return RefreshRecord(**row._mapping) if row else None

        return self._known("last refresh", parent_id, read=read)

    def save_evaluation(
        self, parent_id: int, refresh_number: int, *, as_of: datetime, at: datetime, total: int, populations: Sequence[PopulationRecord]
    ) -> EvaluationRecord:
        """Keep the outcome of one evaluation."""
        with self._writing() as connection:
            _require_parent(connection, parent_id)
            values = {"parent_id": parent_id, "refresh_number": refresh_number, "as_of": as_of, "evaluated_at": at, "total": total}
            evaluation_id = connection.execute(insert(evaluations).values(**values).returning(evaluations.c.id)).scalar_one()
            _add_populations(connection, evaluation_id, populations)
            return _evaluation(connection, connection.execute(select(evaluations).where(evaluations.c.id == evaluation_id)).one())

    def last_evaluation(self, parent_id: int) -> EvaluationRecord | None:
        """The newest evaluation."""
        query = select(evaluations).where(evaluations.c.parent_id == parent_id).order_by(evaluations.c.id.desc()).limit(1)

        def read(connection: Connection) -> EvaluationRecord | None:
            row = connection.execute(query).one_or_none()
            return _evaluation(connection, row) if row else None

        return self._known("last evaluation", parent_id, read=read)

    def evaluation(self, evaluation_id: int) -> EvaluationRecord | None:
        """One evaluation; None when there is none of that id."""
        with self._reading() as connection:
            row = connection.execute(select(evaluations).where(evaluations.c.id == evaluation_id)).one_or_none()
            return _evaluation(connection, row) if row else None

    def evaluations(self, parent_id: int, limit: int | None = None) -> Sequence[EvaluationSummary]:
        """Newest first: at most `limit` of them, or all."""
        query = select(*_SUMMARY_COLUMNS).where(evaluations.c.parent_id == parent_id).order_by(evaluations.c.id.desc())
        with self._reading() as connection:
            return [EvaluationSummary(**row._mapping) for row in connection.execute(query.limit(limit))]

    def populations(self, evaluation_ids: Sequence[int]) -> Mapping[int, Sequence[PopulationRecord]]:
        """The populations of several evaluations by their ids, each in the order in which they were counted."""
        found: dict[int, list[PopulationRecord]] = {}
        with self._reading() as connection:
            for start in range(0, len(evaluation_ids), _IDS_AT_ONCE):
                wanted = evaluation_ids[start : start + _IDS_AT_ONCE]
                query = select(populations.c.evaluation_id, *_POPULATION_FIELDS).where(populations.c.evaluation_id.in_(wanted))
                for evaluation_id, *values in connection.execute(query.order_by(populations.c.evaluation_id, populations.c.position)):
                    found.setdefault(evaluation_id, []).append(PopulationRecord(*values))
        return found

    def segment_evaluations(self, segment_id: int) -> Sequence[EvaluationRecord]:
        """Every evaluation that counted one segment, oldest first; each with the populations of that segment and its variants only."""
        joined = populations.join(evaluations, populations.c.evaluation_id == evaluations.c.id)
        query = select(*_SUMMARY_COLUMNS, *_POPULATION_COLUMNS).select_from(joined).where(populations.c.segment_id == segment_id)
        found: dict[EvaluationSummary, list[PopulationRecord]] = {}
        with self._reading() as connection:
            for row in connection.execute(query.order_by(evaluations.c.id, populations.c.position)):
                summary = EvaluationSummary(**{c.name: row._mapping[c] for c in _SUMMARY_COLUMNS})
                found.setdefault(summary, []).append(PopulationRecord(**{c.name: row._mapping[c] for c in _POPULATION_COLUMNS}))
        return [
            EvaluationRecord(e.id, e.parent_id, e.refresh_number, e.as_of, e.evaluated_at, e.total, tuple(records))
            for e, records in found.items()
        ]


def _require_parent(connection: Connection, parent_id: int) -> None:
    if connection.execute(select(parent_segments.c.id).where(parent_segments.c.id == parent_id)).one_or_none() is None:
        raise UserError("PARENT_NOT_FOUND", f"there is no parent segment with id {parent_id}", hint="push the parent segment first")


def _close_abandoned(connection: Connection, parent_id: int, at: datetime) -> None:
    running = (refreshes.c.parent_id == parent_id) & (refreshes.c.status == "running")
    for row in connection.execute(select(refreshes.c.id, refreshes.c.process, refreshes.c.started_at).where(running)).all():
        dead = is_dead(row.process)
        if dead or (dead is None and at - row.started_at > LONGEST_REFRESH):
            values: dict[str, Any] = {"status": "error", "finished_at": at, "abandoned": True}
            values["message"] = "the program ended before the refresh did"
            connection.execute(update(refreshes).where(refreshes.c.id == row.id).values(**values))


def _add_populations(connection: Connection, evaluation_id: int, records: Sequence[PopulationRecord]) -> None:
    rows = [
        {"evaluation_id": evaluation_id, "position": position, **{c.name: getattr(record, c.name) for c in _POPULATION_COLUMNS}}
        for position, record in enumerate(records)
    ]
    if rows:
        connection.execute(insert(populations), rows)


def _evaluation(connection: Connection, row: Row[Any]) -> EvaluationRecord:
    query = select(*_POPULATION_COLUMNS).where(populations.c.evaluation_id == row.id).order_by(populations.c.position)
    found = tuple(PopulationRecord(**entry._mapping) for entry in connection.execute(query))
    return EvaluationRecord(row.id, row.parent_id, row.refresh_number, row.as_of, row.evaluated_at, row.total, found)
