"""Answers about refreshes, evaluations and other runs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import Issue, Way


class RunProgress(TypedDict):
    """How far a run is: the step that is under way, and how many of how many are done."""

    step: str
    done: int
    total: int


class Refresh(TypedDict):
    """A refresh of a parent segment. progress: null when it does not run in this server."""

    id: int
    kind: Literal["refresh"]
    parent: str
    number: int
    status: Literal["running", "success", "error", "canceled"]
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime
    population: int | None
    message: str
    progress: RunProgress | None


class RefreshPage(TypedDict):
    items: list[Refresh]
    next: str | None


class Misfit(TypedDict):
    """Values that could not be read as a type and became null."""

    column: str
    type: str
    count: int
    samples: list[str]


class MasterReport(TypedDict):
    """What came of the master table."""

    source: str
    rows_in: int
    filtered_out: int
    null_keys: int
    customers: int
    duplicate_keys: int
    extra_rows: int
    duplicate_samples: list[str]
    new_customers: int
    misfits: list[Misfit]


class AttributeReport(TypedDict):
    """What came of a table of attributes."""

    name: str
    source: str
    rows_in: int
    null_keys: int
    keys: int
    duplicate_keys: int
    extra_rows: int
    unmatched_keys: int
    customers: int
    customers_matched: int
    duplicate_samples: list[str]
    unmatched_samples: list[str]
    misfits: list[Misfit]


class BehaviorReport(TypedDict):
    """What came of a behavior."""

    name: str
    source: str
    rows_in: int
    null_keys: int
    no_time: int
    unmatched_rows: int
    rows_out: int
    customers: int
    customers_matched: int
    unmatched_samples: list[str]
    misfits: list[Misfit]


class RefreshReport(TypedDict):
    """What a refresh read and what did not fit; empty until it succeeded."""

    master: NotRequired[MasterReport]
    attributes: NotRequired[list[AttributeReport]]
    behaviors: NotRequired[list[BehaviorReport]]
    warnings: NotRequired[list[str]]


class RefreshWithReport(Refresh):
    """A refresh with its report."""

    report: RefreshReport


class RunStep(TypedDict):
    """A step of a run and how long it took."""

    name: str
    seconds: float


class RunIssue(Issue):
    """An issue of a run. place: its path, part by part."""

    place: NotRequired[list[str | int]]


class RunProblem(TypedDict):
    """Why a run failed; of one that succeeded: what could not be done beside."""

    code: str
    detail: str
    hint: str
    issues: list[RunIssue]


class Run(TypedDict):
    """A refresh or an evaluation. number: of the refresh, or the evaluation; 0: none yet. counts: what came out, by what is counted."""

    id: int
    kind: Literal["refresh", "evaluation"]
    parent: str
    number: int
    status: Literal["running", "success", "error", "canceled"]
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    as_of: datetime | None
    population: int | None
    asked_by: str
    way: Way
    message: str
    counts: dict[str, int]
    log: list[RunStep]
    progress: RunProgress | None
    problem: RunProblem | None


class RunPage(TypedDict):
    items: list[Run]
    next: str | None


class Evaluation(TypedDict):
    """An evaluation that is done. total: all profiles; segments: how many were evaluated."""

    evaluation: int
    as_of: datetime
    total: int
    segments: int
