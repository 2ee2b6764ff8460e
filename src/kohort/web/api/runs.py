"""Runs: refreshes and evaluations, started, looked at while they run and afterwards, and stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Header, Path, Query, Response

from kohort.foundation.errors import UserError
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.ports.runs import RunRecord
from kohort.services.definitions.stored import parent_of
from kohort.services.membership.kept_evaluations import zone_of
from kohort.web.api.answers import Json
from kohort.web.api.bodies import EvaluationWish, RefreshWish
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.api.documents import evaluation_document, refresh_document, run_document
from kohort.web.api.guard import Routes
from kohort.web.api.masking import Eyes, report_for
from kohort.web.api.pages import Cursor, Limit, read_number, write_cursor
from kohort.web.api.unseen import Unseen

routes = Routes("Runs")
RefreshNumber = Annotated[int, Path(ge=1, lt=2**31, description="Refreshes of a parent segment count from 1.")]
RunId = Annotated[int, Path(ge=1, lt=2**31, description="The id of a run.")]
Kind = Annotated[Literal["refresh", "evaluation"] | None, Query(description="Only runs of this kind.")]
Prefer = Annotated[
    str,
    Header(
        alias="Prefer", max_length=200, description="`respond-async`: the answer is the run, at once (202).", examples=["respond-async"]
    ),
]
ParentFilter = Annotated[str, Query(max_length=300, description="Only those of this parent segment: slug or id.")]
_STEP = {"name": "Read the master table", "seconds": 1.25}
_REFRESH = {"id": 7, "kind": "refresh", "parent": "all-customers", "number": 4, "status": "running", "started_at": "2024-03-01T03:00:00Z"}
_RUN = {**_REFRESH, "asked_by": "ann@example.com", "way": "session", "counts": {"profiles": 14}, "log": [_STEP]}
_LAST = 2**31 - 1


@routes.on(
    "POST",
    "/parents/{parent}/refresh",
    "parents.refresh",
    status=202,
    problems=("REFRESH_RUNNING",),
    example=_RUN,
    headers={"Location": "The run."},
)
def refresh_parent(desk: AtDesk, parent: ParentName, body: RefreshWish) -> Json:
    """Refresh now. The answer is the run; look at it until it is done."""
    record = desk.parent(parent, "parents.refresh")
    started = desk.runs.start_refresh(record, desk.instant(body.as_of, zone_of(record).key), desk.actor)
    desk.note("parent.refresh", "parent", record.slug, after=str(started.number))
    return _started(desk, record, started)


@routes.on(
    "POST",
    "/parents/{parent}/evaluate",
    "parents.evaluate",
    problems=("NOT_REFRESHED", "RUN_CANCELED"),
    example={"evaluation": 12, "as_of": "2024-03-01T00:00:00Z", "total": 14, "segments": 9},
)
def evaluate_parent(desk: AtDesk, parent: ParentName, body: EvaluationWish | None = None, prefer: Prefer = "") -> Response:
    """Evaluate all segments on the last refresh, and keep populations and members."""
    record = desk.parent(parent, "parents.evaluate")
    as_of = desk.instant(body.as_of if body else "", zone_of(record).key)
    if "respond-async" in prefer.lower():
        started = desk.runs.start_evaluation(record, as_of, desk.actor)
        desk.note("parent.evaluate", "parent", record.slug, detail=f"run {started.id}")
        return _started(desk, record, started)
    done = desk.runs.evaluate(record, as_of, desk.actor)
    desk.note("parent.evaluate", "parent", record.slug, after=str(done.id))
    return Json(evaluation_document(done))


def _started(desk: Desk, parent: ParentRecord, run: RunRecord) -> Json:
    document = run_document(run, parent, desk.runs.progress_of(run.id))
    return Json(document, 202, {"Location": f"/api/v1/runs/{run.id}"})


# --- refreshes of one parent segment ------------------------------------------------------------------------------


@routes.on("GET", "/parents/{parent}/refreshes", "parents.read", example={"items": [_REFRESH], "next": "WyJWSVAiLCA1XQ"})
def list_refreshes(desk: AtDesk, parent: ParentName, cursor: Cursor = "", limit: Limit = 50) -> Json:
    """Refreshes, newest first."""
    record = desk.parent(parent, "parents.read")
    before = read_number(cursor, _LAST)
    found = [r for r in desk.kohort.store.refreshes(record.id, _LAST) if r.number < before]
    shown = [refresh_document(r, record, desk.runs.progress(record.id)) for r in found[:limit]]
    return Json({"items": shown, "next": write_cursor(found[limit - 1].number) if len(found) > limit else None})


@routes.on(
    "GET",
    "/parents/{parent}/refreshes/{number}",
    "parents.read",
    example={**_REFRESH, "report": {}},
)
def get_refresh(desk: AtDesk, parent: ParentName, number: RefreshNumber) -> Json:
    """A refresh with its report: what was read, what did not fit. Samples of personal data are for those who may see it."""
    record = desk.parent(parent, "parents.read")
    found = _refresh(desk, record, number)
    report = dict(found.report)
    if found.status == "success":
        report = report_for(report, Eyes.of(catalog_from_document(found.catalog), parent_of(record), desk.access, record.id))
    return Json({**refresh_document(found, record, desk.runs.progress(record.id)), "report": report})


def _refresh(desk: Desk, parent: ParentRecord, number: int) -> RefreshRecord:
    found = next((r for r in desk.kohort.store.refreshes(parent.id, _LAST) if r.number == number), None)
    if found is None:
        raise UserError("REFRESH_NOT_FOUND", f'"{parent.name}" has no refresh {number}', hint="list the refreshes")
    return found


# --- runs of all parent segments ----------------------------------------------------------------------------------


@routes.on("GET", "/runs", "runs.list", problems=("PARENT_NOT_FOUND",), example={"items": [_RUN], "next": "WyJWSVAiLCA1XQ"})
def list_runs(desk: AtDesk, kind: Kind = None, parent: ParentFilter = "", cursor: Cursor = "", limit: Limit = 50) -> Json:
    """Refreshes and evaluations of all parent segments, newest first: who asked, how long each step took, what came out."""
    before, store = read_number(cursor, 0), desk.kohort.store
    seen = {record.id: record for record in store.parents() if desk.access.may("parents.read", record.id)}
    if parent:
        record = desk.parent(parent, "parents.read")
        seen = {record.id: record}
    unseen = Unseen.of(store, desk.access)
    found = [unseen.run(run) for run in store.runs(seen, kind=kind or "", before_id=before, limit=limit + 1)]
    shown = [run_document(run, seen[run.parent_id], desk.runs.progress_of(run.id)) for run in found[:limit]]
    return Json({"items": shown, "next": write_cursor(found[limit - 1].id) if len(found) > limit else None})


@routes.on("GET", "/runs/{run}", "runs.list", example=_RUN)
def get_run(desk: AtDesk, run: RunId) -> Json:
    """A run with its log and counts; while it runs, with how far it is."""
    progress = desk.runs.progress_of(run)
    parent, found = _run(desk, run)
    return Json(run_document(found, parent, progress))


@routes.on("POST", "/runs/{run}/cancel", "parents.evaluate", status=202, problems=("RUN_NOT_RUNNING",), example=_RUN)
def cancel_run(desk: AtDesk, run: RunId) -> Json:
    """Stop a run that this server does. It ends within moments, as canceled; what was there before still answers."""
    parent, found = _run(desk, run)
    desk.access.require("parents.refresh" if found.kind == "refresh" else "parents.evaluate", parent.id)
    if not desk.runs.cancel(found.id):
        raise UserError("RUN_NOT_RUNNING", f"run {found.id} does not run in this server", hint="look at its status: it may be done")
    desk.note("run.cancel", "parent", parent.slug, after=str(found.id), detail=found.kind)
    return _started(desk, parent, found)


def _run(desk: Desk, run_id: int) -> tuple[ParentRecord, RunRecord]:
    found = desk.kohort.store.run(run_id)
    if found is not None and desk.access.may("parents.read", found.parent_id):
        parent = next((record for record in desk.kohort.store.parents() if record.id == found.parent_id), None)
        if parent is not None:
            return parent, Unseen.of(desk.kohort.store, desk.access).run(found)
    raise UserError("RUN_NOT_FOUND", f"there is no run {run_id}", hint="list the runs first")
