"""The record of runs: every refresh and evaluation, who asked for it, how long its steps took, what came out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

RunKind = Literal["refresh", "evaluation"]
RunStatus = Literal["running", "success", "error", "canceled"]
RUN_KINDS: tuple[RunKind, ...] = ("refresh", "evaluation")
ENDED_EARLY = "the program ended before the run did"


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step of a run and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One refresh or evaluation. number: of the refresh, or the id of the evaluation (0: it has none yet).

    asked_by, way: who asked and how (cli, session, token); "" for runs from before this was kept. counts: what came out, by what is
    counted. problem: a problem document (code, detail, hint, issues), {} when there is none.
    """

    id: int
    parent_id: int
    kind: RunKind
    number: int
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime | None
    asked_by: str
    way: str
    message: str
    counts: Mapping[str, int]
    log: tuple[RunStep, ...]
    problem: Mapping[str, Any]


class RunStore(Protocol):
    """Keeps runs."""

    def start_run(self, parent_id: int, kind: RunKind, *, as_of: datetime | None, by: str, way: str, at: datetime) -> RunRecord:
        """A new run that is under way in this process. Raises UserError PARENT_NOT_FOUND."""
        ...

    def note_run(self, run_id: int, number: int, log: Sequence[RunStep]) -> None:
        """How far a run is: its number, once it is known, and the steps so far."""
        ...

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
        ...

    def runs(
        self, parent_ids: Collection[int] | None = None, *, kind: str = "", before_id: int = 0, limit: int = 50
    ) -> Sequence[RunRecord]:
        """Newest first. parent_ids None: of all parent segments. A run whose process ended without a word is shown as failed."""
        ...

    def run(self, run_id: int) -> RunRecord | None:
        """One run; None when there is none of that id."""
        ...
