"""Refreshes of a parent segment: start one, watch it, and what became of each."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Annotated, Any

from fastapi import Path, Request, Response

from kohort.foundation.errors import UserError
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.report import report_from_document
from kohort.parent.schedule import describe_schedule
from kohort.ports.definitions import ParentRecord
from kohort.ports.runs import RunRecord
from kohort.services.definitions.stored import parent_of
from kohort.web.api.desk import AtDesk, Desk, ParentName
from kohort.web.api.masking import Eyes
from kohort.web.studio.formats import seconds_text
from kohort.web.studio.losses import losses
from kohort.web.studio.pages.parent_frame import newest_refresh, render_parent
from kohort.web.studio.pages.parent_model import parts_of
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()
SHOWN = 100
_ENDS = {"success": ("is done", "good"), "canceled": ("was stopped", "")}
Number = Annotated[int, Path(ge=1, lt=2**31)]


@routes.page("/audiences/{parent}/refreshes", "parents.read")
def refreshes_page(request: Request, desk: AtDesk, parent: ParentName) -> Response:
    """What runs now, and the history, newest first."""
    return _page(request, desk, desk.parent(parent, "parents.read"))


def _page(request: Request, desk: Desk, record: ParentRecord) -> Response:
    found = desk.kohort.store.refreshes(record.id, SHOWN + 1)
    running = next((item for item in found[:1] if item.status == "running"), None)
    good = [item for item in found if item.status == "success"]
    before = {item.number: earlier.population for item, earlier in pairwise(good)}
    definition = parent_of(record)
    context = {
        "schedule": describe_schedule(definition.schedule),
        "is_scheduled": definition.schedule.type != "none",
        "timezone": definition.timezone,
        "running": running,
        "progress": desk.runs.progress(record.id),
        "run": _run_of(desk, record, running.number) if running else None,
        "refreshes": found[:SHOWN],
        "before": before,
        "has_more": len(found) > SHOWN,
        "seconds": seconds_text,
    }
    return render_parent(request, "parents/refreshes.html", desk, record, "refreshes", **context)


@routes.page("/audiences/{parent}/refreshes/running", "parents.read")
def running_part(request: Request, desk: AtDesk, parent: ParentName) -> Response:
    """How far the running refresh is; once it is done, the whole page in its place."""
    record = desk.parent(parent, "parents.read")
    newest, progress = newest_refresh(desk, record), desk.runs.progress(record.id)
    if newest is not None and (newest.status == "running" or progress is not None):
        run = _run_of(desk, record, newest.number)
        return render(request, "parents/running.html", desk, parent=record, record=record, running=newest, progress=progress, run=run)
    answer = _page(request, desk, record)
    became, kind = _ENDS.get(newest.status if newest else "", ("did not succeed", "bad"))
    event = {"run-ended": {"text": f"The refresh of {record.name} {became}.", "kind": kind}}
    answer.headers.update({"HX-Retarget": "#content", "HX-Reselect": "#content", "HX-Reswap": "outerHTML", "HX-Trigger": json.dumps(event)})
    return answer


@routes.page("/audiences/{parent}/refreshes/{number}", "parents.read")
def refresh_page(request: Request, desk: AtDesk, parent: ParentName, number: Number) -> Response:
    """One refresh with its report: what was read, what did not join or fit; of one that failed, why."""
    record = desk.parent(parent, "parents.read")
    found = next((item for item in desk.kohort.store.refreshes(record.id, 2**31 - 1) if item.number == number), None)
    if found is None:
        raise UserError("REFRESH_NOT_FOUND", f'"{record.name}" has no refresh {number}', hint="look at the list of refreshes")
    parts, lost, warnings = [], [], tuple[str, ...]()
    definition = parent_of(record)
    if found.status == "success":
        report = report_from_document(found.report)
        lost = losses(report, Eyes.of(catalog_from_document(found.catalog), definition, desk.access, record.id))
        known = {part.name for part in report.attributes} | {part.name for part in report.behaviors}
        parts = [part for part in parts_of(definition, report, lost) if part.kind == "master" or part.name in known]
        warnings = report.warnings
    issues = found.report.get("issues", []) if found.status == "error" else []
    context: dict[str, Any] = {"refresh": found, "parts": parts, "losses": lost, "warnings": warnings, "issues": issues}
    context |= {"run": _run_of(desk, record, number), "seconds": seconds_text}
    return render_parent(request, "parents/refresh.html", desk, record, "refreshes", **context)


def _run_of(desk: Desk, record: ParentRecord, number: int) -> RunRecord | None:
    """The run that made a refresh; None for one from before runs were kept, and for old ones."""
    found = desk.kohort.store.runs([record.id], kind="refresh", limit=SHOWN)
    return next((run for run in found if run.number == number), None)
