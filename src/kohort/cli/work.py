"""Long work of commands: done by the server of the workspace while one runs, by this process otherwise. What it gives is the same."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kohort.adapters.server_link import ServerGone, ServerLink
from kohort.cli.audit import command_actor, record_done
from kohort.cli.output import instant_text
from kohort.foundation.errors import Interrupted, UserError

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort
    from kohort.ports.definitions import EvaluationRecord, ParentRecord, RefreshRecord
    from kohort.ports.progress import Progress
    from kohort.services.runs import Watched

_SHORTEST_LOOK_SECONDS = 0.02
_LONGEST_LOOK_SECONDS = 0.5
_ENDS_SECONDS = 60.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RefreshDone:
    """A refresh. problem: why it has no index, "" when it has one; unmeasured: why values were not measured."""

    record: RefreshRecord
    is_indexed: bool
    problem: str
    unmeasured: str


def refresh(session: Kohort, parent: ParentRecord, as_of: datetime | None, steps: Progress | None) -> RefreshDone:
    """Refresh a parent segment. Raises what `kohort.services.runs.refresh_run` raises."""
    if session.server is not None:
        return _served_refresh(session, session.server, parent, as_of, steps)
    from kohort.services.runs import refresh_run

    done = refresh_run(
        lambda: nullcontext(session.warehouse),
        session.store,
        parent,
        session.indexes,
        actor=command_actor(),
        clock=session.clock,
        as_of=as_of,
        watched=_watched(steps),
    )
    record_done("parent.refresh", "parent", parent.slug, after=str(done.record.number))
    return RefreshDone(done.record, done.index is not None, done.problem, done.unmeasured)


def evaluate_segments(session: Kohort, parent: ParentRecord, as_of: str, steps: Progress | None) -> EvaluationRecord:
    """Evaluate all segments of a parent segment. Raises what `kohort.services.runs.evaluation_run` raises."""
    from kohort.cli.context import read_as_of
    from kohort.parent.catalog_codec import catalog_from_document
    from kohort.services.definitions.stored import last_refresh
    from kohort.services.evaluation.evaluate import open_engine
    from kohort.services.runs import evaluation_run

    moment = read_as_of(as_of, catalog_from_document(last_refresh(session.store, parent).catalog).timezone)
    if session.server is not None:
        return _served_evaluation(session, session.server, parent, moment, steps)
    engine = open_engine(session.warehouse, session.store, parent, session.settings.range_size, session.index_use)
    done = evaluation_run(
        lambda: nullcontext(engine),
        session.store,
        parent,
        session.snapshots,
        actor=command_actor(),
        clock=session.clock,
        as_of=moment,
        keep=session.settings.keep_evaluations,
        watched=_watched(steps),
    )
    record_done("parent.evaluate", "parent", parent.slug, after=str(done.id))
    return done


def _watched(steps: Progress | None) -> Watched:
    from kohort.ports.progress import Silent
    from kohort.services.runs import Watched

    return Watched(steps or Silent())


# --- by the server ------------------------------------------------------------------------------------------------


def _served_refresh(session: Kohort, link: ServerLink, parent: ParentRecord, as_of: datetime | None, steps: Progress | None) -> RefreshDone:
    from kohort.services.runs import INDEX_NOT_BUILT

    run = _ran(link, f"/api/v1/parents/{parent.id}/refresh", as_of, steps)
    record = next((r for r in session.store.refreshes(parent.id) if r.number == run["number"]), None)
    if record is None:
        raise UserError("REFRESH_NOT_FOUND", f'"{parent.name}" has no refresh {run["number"]}', hint="list the refreshes")
    problem = run["problem"] or {}
    why = problem["detail"] if problem.get("code") == INDEX_NOT_BUILT else ""
    return RefreshDone(record, not why, why, run["message"])


def _served_evaluation(
    session: Kohort, link: ServerLink, parent: ParentRecord, as_of: datetime | None, steps: Progress | None
) -> EvaluationRecord:
    run = _ran(link, f"/api/v1/parents/{parent.id}/evaluate", as_of, steps)
    record = session.store.evaluation(run["number"])
    if record is None:
        raise UserError("EVALUATION_NOT_FOUND", f'"{parent.name}" has no evaluation {run["number"]}', hint="run it again")
    return record


def _ran(link: ServerLink, path: str, as_of: datetime | None, steps: Progress | None) -> Json:
    """Have the server run something, show its steps, and give the run when it is done. Ctrl-C stops it there, too."""
    from kohort.services.runs import error_of

    body = {"as_of": instant_text(as_of) if as_of else ""}
    try:
        run = link.call("POST", path, body, {"Prefer": "respond-async"})
        try:
            run = _followed(link, run, steps)
        except KeyboardInterrupt:
            _cancel(link, run["id"])
            raise
    except ServerGone as error:
        hint = "what was there before still answers; run the command again"
        raise UserError("SERVER_GONE", "the server that did this ended, or was ended", hint=hint) from error
    if run["status"] == "canceled":
        raise Interrupted("somebody stopped it")
    if run["status"] != "success":
        raise error_of(run["problem"] or {"code": "RUN_FAILED", "detail": run["message"]})
    return run


def _followed(link: ServerLink, run: Json, steps: Progress | None) -> Json:
    """The run when it has ended."""
    shown, pause = 0, _SHORTEST_LOOK_SECONDS
    while True:
        shown = _show(run, shown, steps)
        if run["status"] != "running":
            return run
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_LOOK_SECONDS)
        run = link.call("GET", f"/api/v1/runs/{run['id']}")


def _show(run: Json, shown: int, steps: Progress | None) -> int:
    """Every step once, also those that began and ended between two looks; how many of those that are over were shown."""
    if steps is None:
        return shown
    progress = run["progress"] or {"done": len(run["log"]), "total": len(run["log"]), "step": ""}
    for step in run["log"][shown:]:
        steps.step(step["name"], progress["done"], progress["total"])
    if progress["step"] and progress["step"] not in {step["name"] for step in run["log"]}:
        steps.step(progress["step"], progress["done"], progress["total"])
    return len(run["log"])


def _cancel(link: ServerLink, run_id: int) -> None:
    """Stop it and wait until it has ended."""
    with suppress(UserError, ServerGone):
        link.call("POST", f"/api/v1/runs/{run_id}/cancel")
        deadline = time.monotonic() + _ENDS_SECONDS
        while time.monotonic() < deadline and link.call("GET", f"/api/v1/runs/{run_id}")["status"] == "running":
            time.sleep(_LONGEST_LOOK_SECONDS / 5)
