"""The shape of every answer: what documents must hold (mypy checks it) and what the OpenAPI document promises."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Role = Literal["viewer", "marketer", "engineer", "admin"]
Way = Literal["session", "token", "cli", "link", ""]
Definition = dict[str, Any]


class Issue(TypedDict):
    """One problem of what was sent: where it is, what is wrong, the way out."""

    code: str
    severity: Literal["error", "warning"]
    path: str
    message: str
    hint: str
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]


class Problem(TypedDict):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    issues: list[Issue]


class Written(TypedDict):
    """Who made something and who changed it last."""

    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


# --- parent segments and runs -------------------------------------------------------------------------------------


class Parent(Written):
    """A parent segment. population, refreshed_at, as_of: of the last good refresh, null before the first."""

    id: int
    slug: str
    name: str
    version: int
    revision: str
    population: int | None
    refreshed_at: datetime | None
    as_of: datetime | None


class ParentWithDefinition(Parent):
    """A parent segment with its definition."""

    definition: Definition


class ParentPage(TypedDict):
    items: list[Parent]
    next: str | None


class CheckedTable(TypedDict):
    """Rows of a table and how many found a customer. matched: null when there are none."""

    part: Literal["master", "attribute", "behavior"]
    name: str
    source: str
    rows: int
    matched: float | None


class ParentYaml(TypedDict):
    """A parent segment as text."""

    yaml: str


class CheckedParent(TypedDict):
    """A definition that was looked at and not saved. definition: null when it cannot be read."""

    ok: bool
    definition: Definition | None
    issues: list[Issue]
    tables: list[CheckedTable]


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


# --- fields -------------------------------------------------------------------------------------------------------


class FieldName(TypedDict):
    name: str
    type: str


class BehaviorName(TypedDict):
    name: str
    fields: list[str]


class FieldNames(TypedDict):
    """Names and types alone."""

    attributes: list[FieldName]
    behaviors: list[BehaviorName]


class Column(TypedDict):
    """A field as editors show it."""

    name: str
    type: str
    label: str
    visibility: str


class Attribute(Column):
    group: str


class Behavior(TypedDict):
    name: str
    label: str
    columns: list[Column]


class Catalog(TypedDict):
    """Every field with its words for people."""

    attributes: list[Attribute]
    behaviors: list[Behavior]


class Fields(TypedDict):
    """The fields that rules may use. refreshed_at: null when nothing was refreshed yet."""

    refreshed_at: datetime | None
    timezone: str
    fields: FieldNames
    catalog: Catalog


class ValueCount(TypedDict):
    """A value, in how many rows it is, and its share of the rows that have one."""

    value: str | int | float | bool
    count: int
    share: float


class Histogram(TypedDict):
    """Bins: edges are one more than counts."""

    edges: list[str | int | float | bool]
    counts: list[int]


class FieldStatistics(TypedDict):
    """How the values of a field are spread."""

    field: str
    type: str
    kind: Literal["attribute", "behavior"]
    rows: int
    nulls: int
    distinct: int
    distinct_exact: bool
    top: list[ValueCount]
    histogram: Histogram | None


class Values(TypedDict):
    items: list[ValueCount]


# --- segments -----------------------------------------------------------------------------------------------------


class Segment(Written):
    """A segment. population and what follows: of the last evaluation, null before the first."""

    id: int
    path: str
    folder: str
    name: str
    kind: str
    version: int
    revision: str
    population: int | None
    share: float | None
    share_of: str | None
    base_population: int | None
    evaluated_at: datetime | None


class SegmentWithDefinition(Segment):
    """A segment with its definition, and its rule as text."""

    definition: Definition
    text: str


class SegmentPage(TypedDict):
    items: list[Segment]
    next: str | None


class Folder(TypedDict):
    """A folder and how many segments are right in it."""

    path: str
    name: str
    segments: int


class Folders(TypedDict):
    items: list[Folder]


class Deleted(TypedDict):
    """The path of what is gone."""

    deleted: str


class Moved(TypedDict):
    id: int
    old_path: str
    new_path: str


class Rewritten(TypedDict):
    """A reference whose words changed, in the segment `path`."""

    path: str
    old_target: str
    new_target: str


class MoveResult(TypedDict):
    """What moved, and what referred to it."""

    moved: list[Moved]
    rewritten: list[Rewritten]


class Version(TypedDict):
    """One meaning that a segment had."""

    version: int
    created_at: datetime
    created_by: str
    note: str
    text: str
    definition: Definition


class VersionPage(TypedDict):
    items: list[Version]
    next: str | None


class RuleChange(TypedDict):
    kind: str
    before: str
    after: str
    sentence: str


class FieldChange(TypedDict):
    field: str
    before: str
    after: str


Diff = TypedDict(
    "Diff",
    {"path": str, "from": str, "to": str, "same_meaning": bool, "rule": list[RuleChange], "fields": list[FieldChange]},
)
"""What changed between two versions."""


class Day(TypedDict):
    """The population at the end of a day. has_run: something was evaluated on that day."""

    day: date
    population: int | None
    has_run: bool


class Growth(TypedDict):
    days: int
    change: int | None
    ratio: float | None


class HistoryPoint(TypedDict):
    """One evaluation of a segment."""

    evaluation: int
    as_of: datetime
    version: int
    population: int
    share_of: str
    base_population: int
    entered: int | None
    left: int | None


class History(TypedDict):
    """How a segment developed. unreadable: evaluations whose kept members are damaged."""

    path: str
    timezone: str
    days: list[Day]
    growth: list[Growth]
    evaluations: list[HistoryPoint]
    unreadable: list[int]


class Row(TypedDict):
    """A profile in a list."""

    key: str | None
    cdp_customer_id: str
    attributes: dict[str, Any]


class ProfilePage(TypedDict):
    """masked: attributes whose values are not for you."""

    as_of: datetime
    masked: list[str]
    items: list[Row]
    next: str | None


class MemberPage(ProfilePage):
    total: int
