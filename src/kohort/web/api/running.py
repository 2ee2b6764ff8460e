"""What runs in this server: refreshes and evaluations that were asked for, each on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kohort.foundation.errors import Interrupted, UserError
from kohort.ports.definitions import EvaluationRecord, ParentRecord
from kohort.ports.runs import RunRecord
from kohort.services.runs import Watched, evaluation_run, refresh_run
from kohort.services.users import Actor

if TYPE_CHECKING:
    from kohort.adapters.duckdb.beside import BesideWarehouse
    from kohort.bootstrap import Kohort

_BEGINS_SECONDS = 10.0
_WAREHOUSE_SECONDS = 60.0
_STOPS_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    name: str = ""
    done: int = 0
    total: int = 0

    def step(self, name: str, done: int, total: int) -> None:
        """See `kohort.ports.progress.Progress`."""
        self.name, self.done, self.total = name, done, total


@dataclass
class _Running:
    """A run on its thread. warehouse: the one that it uses at this moment."""

    parent: ParentRecord
    kind: str
    progress: Progress = field(default_factory=Progress)
    watched: Watched = field(default_factory=Watched)
    future: Future[Any] = field(default_factory=Future)
    warehouse: BesideWarehouse | None = None

    def __post_init__(self) -> None:
        self.watched.progress = self.progress


class Running:
    """The refreshes and evaluations of this server. One refresh of each parent segment at a time."""

    def __init__(self, kohort: Kohort) -> None:
        self._kohort = kohort
        self._lock = threading.Lock()
        self._under_way: list[_Running] = []

    def progress(self, parent_id: int) -> Progress | None:
        """How far the running refresh of a parent segment is; None when this server runs none."""
        return next((r.progress for r in self._alive() if r.kind == "refresh" and r.parent.id == parent_id), None)

    def progress_of(self, run_id: int) -> Progress | None:
        """How far a run is; None when it does not run in this server."""
        found = self._find(run_id)
        return found.progress if found is not None else None

    def start_refresh(self, parent: ParentRecord, as_of: datetime | None, actor: Actor) -> RunRecord:
        """Begin; the record of the run. Raises what makes it fail at once, UserError REFRESH_RUNNING."""
        running = _Running(parent, "refresh")
        with self._lock:
            if self.progress(parent.id) is not None:
                raise UserError("REFRESH_RUNNING", f'"{parent.name}" is being refreshed', hint="wait until it is done")
            self._under_way = [*self._alive(), running]

        @contextmanager
        def warehouse() -> Iterator[BesideWarehouse]:
            with self._kohort.shared_warehouse.use(_WAREHOUSE_SECONDS) as found:
                running.warehouse, found.is_to_stop = found, running.watched.stop.hear
                try:
                    yield found
                finally:
                    running.warehouse = None

        def work() -> Any:
            store, places, clock = self._kohort.store, self._kohort.indexes, self._kohort.clock
            return refresh_run(warehouse, store, parent, places, actor=actor, clock=clock, as_of=as_of, watched=running.watched)

        return self._begin(running, work, tells_failure=actor.way != "cli")

    def start_evaluation(self, parent: ParentRecord, as_of: datetime | None, actor: Actor) -> RunRecord:
        """Begin; the record of the run. Raises what makes it fail at once."""
        running = _Running(parent, "evaluation")
        with self._lock:
            self._under_way = [*self._alive(), running]
        return self._begin(running, lambda: self._evaluate(running, as_of, actor), tells_failure=actor.way != "cli")

    def evaluate(self, parent: ParentRecord, as_of: datetime | None, actor: Actor) -> EvaluationRecord:
        """Evaluate all segments; returns when it is done. Raises UserError NOT_REFRESHED, WAREHOUSE_BUSY, RUN_CANCELED."""
        running = _Running(parent, "evaluation")
        with self._lock:
            self._under_way = [*self._alive(), running]
        self._run(running, lambda: self._evaluate(running, as_of, actor))
        try:
            done: EvaluationRecord = running.future.result()
        except Interrupted:
            raise UserError("RUN_CANCELED", "somebody stopped the evaluation", hint="start it again") from None
        return done

    def _evaluate(self, running: _Running, as_of: datetime | None, actor: Actor) -> EvaluationRecord:
        kohort, parent = self._kohort, running.parent
        return evaluation_run(
            lambda: kohort.engines.use(parent),
            kohort.store,
            parent,
            kohort.snapshots,
            actor=actor,
            clock=kohort.clock,
            as_of=as_of,
            keep=kohort.settings.keep_evaluations,
            watched=running.watched,
        )

    def _begin(self, running: _Running, work: Callable[[], Any], *, tells_failure: bool) -> RunRecord:
        """tells_failure: what fails at once is raised; otherwise the record tells of it, with the place of every issue."""
        threading.Thread(target=self._run, args=(running, work), name=f"kohort-{running.kind}", daemon=True).start()
        deadline = time.monotonic() + _BEGINS_SECONDS
        while time.monotonic() < deadline and not running.watched.began.wait(_LOOK_SECONDS):
            if running.future.done():
                if tells_failure or running.watched.record is None:
                    with suppress(Interrupted):
                        running.future.result()
                break
        record = running.watched.record
        known = self._kohort.store.run(record.id) if record is not None else None
        if known is None:
            raise UserError("STORE_LOCKED", f"the {running.kind} could not be noted", hint="try again in a moment")
        return known

    def _run(self, running: _Running, work: Callable[[], Any]) -> None:
        try:
            running.future.set_result(work())
        except BaseException as error:
            running.future.set_exception(error)

    def cancel(self, run_id: int) -> bool:
        """Have a run end as Ctrl-C would end it; whether it runs in this server. What was there before still answers."""
        found = self._find(run_id)
        if found is None:
            return False
        found.watched.stop.wish()
        threading.Thread(target=_interrupt, args=(found,), name="kohort-cancel", daemon=True).start()
        return True

    def _find(self, run_id: int) -> _Running | None:
        return next((r for r in self._alive() if r.watched.record is not None and r.watched.record.id == run_id), None)

    def _alive(self) -> list[_Running]:
        return [running for running in self._under_way if not running.future.done()]


def _interrupt(running: _Running) -> None:
    """Until the wish is heard; repeated, since an interrupt before a statement's first instruction is lost."""
    deadline = time.monotonic() + _STOPS_SECONDS
    while not running.watched.stop.is_heard and not running.future.done() and time.monotonic() < deadline:
        warehouse = running.warehouse
        if warehouse is not None:
            with suppress(Exception):
                warehouse.interrupt()
        time.sleep(_LOOK_SECONDS)
