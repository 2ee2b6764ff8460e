"""Refreshes and evaluations that are remembered: who asked for them, how long each step took, what came out, why one failed.

A run can be stopped from another thread: it ends at its next step, or in the middle of a statement of the warehouse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kohort.foundation.clock import Clock
from kohort.foundation.errors import Interrupted, InvalidInput, KohortError, UserError
from kohort.foundation.issues import Issue, Issues
from kohort.membership.snapshots import SnapshotStore
from kohort.ports.definitions import DefinitionStore, EvaluationRecord, ParentRecord
from kohort.ports.progress import Progress, Silent
from kohort.ports.runs import RunKind, RunRecord, RunStep
from kohort.ports.warehouse import Warehouse
from kohort.services.evaluation.evaluate import Engine, evaluate_all
from kohort.services.issue_document import issue_document
from kohort.services.parents.index import Refreshed, refresh_and_index
from kohort.services.refresh.index_files import IndexPlace
from kohort.services.users import Actor

INDEX_NOT_BUILT = "INDEX_NOT_BUILT"


class Stop:
    """A wish that somebody else's work ends; heard once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = self._heard = False

    def wish(self) -> None:
        """The work shall end."""
        self._wanted = True

    @property
    def is_wished(self) -> bool:
        return self._wanted

    @property
    def is_heard(self) -> bool:
        """Whether the work began to end."""
        return self._heard

    def hear(self) -> bool:
        """True once after the wish: then the work must end."""
        if not self._wanted:
            return False
        with self._lock:
            heard, self._heard = self._heard, True
            return not heard


@dataclass
class Watched:
    """A run under way, for those who look at it from another thread. began: set when its record and number are known."""

    progress: Progress = field(default_factory=Silent)
    stop: Stop = field(default_factory=Stop)
    record: RunRecord | None = None
    number: int = 0
    began: threading.Event = field(default_factory=threading.Event)


def refresh_run(
    open_warehouse: Callable[[], AbstractContextManager[Warehouse]],
    store: DefinitionStore,
    parent: ParentRecord,
    place: IndexPlace,
    *,
    actor: Actor,
    clock: Clock,
    as_of: datetime | None = None,
    watched: Watched | None = None,
) -> Refreshed:
    """Refresh a parent segment with its index, as a run that begins before it has the warehouse. Raises what `refresh_and_index` raises."""
    before = {record.number for record in store.refreshes(parent.id, 1)}

    def number() -> int:
        return next((r.number for r in store.refreshes(parent.id, 1) if r.number not in before), 0)

    with _recorded(store, parent, "refresh", as_of, actor, clock, number, watched or Watched()) as log, open_warehouse() as warehouse:
        done = refresh_and_index(warehouse, store, parent, place, clock=clock, as_of=as_of, progress=log)
        report = done.record.report
        rows = {"rows_read": sum(_rows_in(report)), "behaviors": len(report.get("behaviors", ()))}
        log.outcome = _Outcome({"profiles": done.record.population, **rows}, done.record.as_of, done.record.number, done.unmeasured)
        if done.problem:
            log.outcome.problem = _problem(INDEX_NOT_BUILT, done.problem, "evaluations go by SQL, which is slower")
    return done


def _rows_in(report: Mapping[str, Any]) -> Iterator[int]:
    for entry in (report.get("master", {}), *report.get("attributes", ()), *report.get("behaviors", ())):
        yield int(entry.get("rows_in", 0))


def evaluation_run(
    open_engine: Callable[[], AbstractContextManager[Engine]],
    store: DefinitionStore,
    parent: ParentRecord,
    snapshots: SnapshotStore,
    *,
    actor: Actor,
    clock: Clock,
    as_of: datetime | None = None,
    keep: int = 30,
    watched: Watched | None = None,
) -> EvaluationRecord:
    """Evaluate all segments of a parent segment, as a run. Raises what `open_engine` and `evaluate_all` raise."""
    with _recorded(store, parent, "evaluation", as_of, actor, clock, lambda: 0, watched or Watched()) as log, open_engine() as engine:
        done = evaluate_all(engine, store, snapshots, clock, as_of=as_of, keep=keep, progress=log)
        log.outcome = _Outcome({"profiles": done.total, "segments": len(done.populations)}, done.as_of, done.id)
    return done


@dataclass
class _Outcome:
    """What a run that succeeded gives."""

    counts: Mapping[str, int] = field(default_factory=dict)
    as_of: datetime | None = None
    number: int = 0
    message: str = ""
    problem: Mapping[str, Any] = field(default_factory=dict)


class _Log:
    """Hears of every step, keeps how long each took, passes it on, and ends the work when that is wished."""

    def __init__(self, watched: Watched, number: Callable[[], int], keep: Callable[[int, list[RunStep]], None]) -> None:
        self.outcome = _Outcome()
        self.steps: list[RunStep] = []
        self._watched, self._number, self._keep = watched, number, keep
        self._name, self._since = "", time.monotonic()

    def step(self, name: str, done: int, total: int) -> None:
        """See `kohort.ports.progress.Progress`. Raises Interrupted."""
        if self._watched.stop.hear():
            raise Interrupted("somebody stopped it")
        if name != self._name:
            self._begin(name)
        self._watched.progress.step(name, done, total)

    def _begin(self, name: str) -> None:
        """Steps that are over are kept before the next one is shown: who looks in between sees them in their order."""
        self.end()
        self._name = name
        watched = self._watched
        watched.number = watched.number or self._number()
        self._keep(watched.number, self.steps)
        if watched.number:
            watched.began.set()

    def end(self) -> None:
        """The step that is under way is over."""
        now = time.monotonic()
        if self._name:
            self.steps.append(RunStep(self._name, round(now - self._since, 3)))
        self._name, self._since = "", now


@contextmanager
def _recorded(
    store: DefinitionStore,
    parent: ParentRecord,
    kind: RunKind,
    as_of: datetime | None,
    actor: Actor,
    clock: Clock,
    number: Callable[[], int],
    watched: Watched,
) -> Iterator[_Log]:
    """The run's record is there from the beginning to the end, however it ends."""
    record = store.start_run(parent.id, kind, as_of=as_of, by=actor.name, way=actor.way, at=clock.now())
    watched.record = record
    if kind == "evaluation":
        watched.began.set()

    def keep(found: int, steps: list[RunStep]) -> None:
        with suppress(KohortError):
            store.note_run(record.id, found, steps)

    log = _Log(watched, number, keep)
    try:
        yield log
    except BaseException as error:
        log.end()
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        with suppress(Exception):
            store.finish_run(
                record.id,
                "canceled" if stopped else "error",
                at=clock.now(),
                number=watched.number or number(),
                message="stopped" if stopped else _said(error),
                log=log.steps,
                problem={} if stopped else problem_document(error),
            )
        raise
    log.end()
    end = log.outcome
    store.finish_run(
        record.id,
        "success",
        at=clock.now(),
        number=end.number,
        as_of=end.as_of,
        message=end.message,
        counts=end.counts,
        log=log.steps,
        problem=end.problem,
    )


# --- problems -----------------------------------------------------------------------------------------------------


def problem_document(error: BaseException) -> dict[str, Any]:
    """Why work failed, so that it can be told elsewhere: see `error_of`."""
    if isinstance(error, InvalidInput):
        return _problem(error.code, error.message, error.hint, [{**issue_document(i), "place": list(i.path)} for i in error.issues])
    if isinstance(error, UserError):
        return _problem(error.code, error.message, error.hint)
    return _problem("INTERNAL", _said(error), "this is a mistake in Kohort")


def error_of(problem: Mapping[str, Any]) -> UserError:
    """The error that a problem document tells of."""
    issues = Issues()
    for item in problem.get("issues", ()):
        severity = "warning" if item.get("severity") == "warning" else "error"
        place = tuple(item.get("place", ()))
        issues.add(Issue(item["code"], item["message"], place, severity, item.get("hint", "")))  # type: ignore[arg-type]
    if len(issues):
        return InvalidInput(issues)
    return UserError(str(problem.get("code", "INTERNAL")), str(problem.get("detail", "")), hint=str(problem.get("hint", "")))


def _problem(code: str, detail: str, hint: str = "", issues: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"code": code, "detail": detail, "hint": hint, "issues": issues or []}


def _said(error: BaseException) -> str:
    return error.message if isinstance(error, UserError) else str(error) or type(error).__name__
