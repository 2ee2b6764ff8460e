"""Runs: every refresh and evaluation, who asked for it, how far it is, how long its steps took, what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.ports.definitions import EvaluationRecord, ParentRecord, PopulationRecord
from kohort.ports.runs import RUN_KINDS, RunRecord
from kohort.web.api.desk import AtDesk, Desk
from kohort.web.api.running import Progress
from kohort.web.api.unseen import Unseen
from kohort.web.studio.formats import seconds_text, sentence_text
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()
SHOWN = 50
STATUSES = {"running": "Running", "success": "Success", "error": "Failed", "canceled": "Stopped"}
_CHUNK = 200
RunId = Annotated[int, Path(ge=1, lt=2**31)]
Kind = Literal["", "refresh", "evaluation"]
Status = Literal["", "running", "success", "error", "canceled"]


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run with its parent segment. progress: how far it is, None when this server does not do it."""

    run: RunRecord
    parent: ParentRecord
    progress: Progress | None

    @property
    def title(self) -> str:
        """What it is called."""
        name = {"refresh": "Refresh", "evaluation": "Evaluation"}[self.run.kind]
        return f"{name} {self.run.number}" if self.run.number else name

    @property
    def is_running(self) -> bool:
        return self.run.status == "running"

    @property
    def took(self) -> str:
        """How long it took; a dash while it runs and where it is not known."""
        run = self.run
        if run.finished_at is None or (run.finished_at == run.started_at and not run.log):
            return "–"
        return seconds_text((run.finished_at - run.started_at).total_seconds())

    @property
    def outcome(self) -> str:
        """What came out, in a few words."""
        if self.run.status == "success":
            return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(self.run.counts.items()) if count)
        said = str(self.run.problem.get("detail") or self.run.message)
        return sentence_text(said) if said else ""


@dataclass(frozen=True, slots=True)
class CountedSegment:
    """One segment of an evaluation. id: None when it is not there any more; change: against the evaluation before."""

    population: PopulationRecord
    id: int | None
    change: int | None


@routes.page("/runs", "runs.list")
def runs_page(
    request: Request,
    desk: AtDesk,
    parent: Annotated[str, Query(max_length=300)] = "",
    kind: Kind = "",
    status: Status = "",
    before: Annotated[int, Query(ge=0, lt=2**31, description="Only runs older than this one.")] = 0,
) -> Response:
    """Runs of all parent segments one may see, newest first."""
    seen = {record.id: record for record in desk.kohort.store.parents() if desk.access.may("parents.read", record.id)}
    wanted = {record.id for record in seen.values() if parent in ("", record.slug, str(record.id))}
    found: list[ShownRun] = []
    unseen = Unseen.of(desk.kohort.store, desk.access)
    for run in _runs(desk, wanted, kind, before):
        if not status or run.status == status:
            found.append(ShownRun(unseen.run(run), seen[run.parent_id], desk.runs.progress_of(run.id)))
        if len(found) > SHOWN:
            break
    shown = found[:SHOWN]
    filters = {"parent": parent, "kind": kind, "status": status}
    older = urlencode({**filters, "before": shown[-1].run.id}) if len(found) > SHOWN else ""
    context: dict[str, Any] = {
        "runs": shown,
        "parents": sorted(seen.values(), key=lambda record: record.name),
        "filters": filters,
        "kinds": RUN_KINDS,
        "statuses": STATUSES,
        "older": older,
        "is_first": not before,
    }
    return render(request, "runs/runs.html", desk, **context)


@routes.page("/runs/{run}", "runs.list")
def run_page(request: Request, desk: AtDesk, run: RunId) -> Response:
    """One run: its steps, counts, and why it failed; while it runs, how far it is."""
    progress = desk.runs.progress_of(run)
    found = desk.kohort.store.run(run)
    parent = next((record for record in desk.kohort.store.parents() if found and record.id == found.parent_id), None)
    if found is None or parent is None or not desk.access.may("parents.read", parent.id):
        raise UserError("RUN_NOT_FOUND", f"there is no run {run}", hint="look at the list of runs")
    shown = ShownRun(Unseen.of(desk.kohort.store, desk.access).run(found), parent, progress)
    stops = "parents.refresh" if found.kind == "refresh" else "parents.evaluate"
    context: dict[str, Any] = {
        "shown": shown,
        "segments": _segments(desk, parent, found),
        "longest": max((step.seconds for step in found.log), default=0.0),
        "statuses": STATUSES,
        "seconds": seconds_text,
        "may_stop": shown.is_running and progress is not None and desk.access.may(stops, parent.id),
    }
    return render(request, "runs/run.html", desk, parent=parent, **context)


def _runs(desk: Desk, parent_ids: set[int], kind: str, before: int) -> Iterator[RunRecord]:
    while parent_ids:
        chunk = desk.kohort.store.runs(parent_ids, kind=kind, before_id=before, limit=_CHUNK)
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        before = chunk[-1].id


def _segments(desk: Desk, parent: ParentRecord, run: RunRecord) -> list[CountedSegment]:
    """The segments that an evaluation counted and one may see, with what changed since the one before."""
    store = desk.kohort.store
    evaluation = store.evaluation(run.number) if run.kind == "evaluation" and run.number else None
    if evaluation is None:
        return []
    ids = {record.id for record in store.segments(parent.id)}
    before = _counts(_evaluation_before(desk, evaluation))
    return [
        CountedSegment(
            population,
            population.segment_id if population.segment_id in ids else None,
            population.count - before[population.path] if population.path in before else None,
        )
        for population in evaluation.populations
        if desk.sees(parent, population.path)
    ]


def _evaluation_before(desk: Desk, evaluation: EvaluationRecord) -> EvaluationRecord | None:
    store = desk.kohort.store
    earlier = next((summary.id for summary in store.evaluations(evaluation.parent_id) if summary.id < evaluation.id), None)
    return store.evaluation(earlier) if earlier is not None else None


def _counts(evaluation: EvaluationRecord | None) -> dict[str, int]:
    return {population.path: population.count for population in evaluation.populations} if evaluation else {}
