"""The shapes of answers about rules and about people: previews, explanations, profiles; sources, users."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from kohort.web.api.shapes import Definition, Issue, Role, Way, Written

# --- rules --------------------------------------------------------------------------------------------------------


class Count(TypedDict):
    """How many a rule holds for."""

    count: int
    total: int
    share: float | None
    as_of: datetime


class PartCount(TypedDict):
    """A part of a rule: null where it cannot be counted."""

    kind: str
    match: str | None
    text: str
    count: int | None
    share: float | None


class WaterfallStep(TypedDict):
    path: str
    text: str
    kept: int | None
    dropped: int | None


class Waterfall(TypedDict):
    """The conditions of a group in order."""

    path: str
    start: int
    steps: list[WaterfallStep]


class Sample(TypedDict):
    columns: list[str]
    rows: list[list[Any]]


class OverlapWith(TypedDict):
    """What a rule shares with a segment."""

    segment: str
    count: int
    shared: int
    share: float | None
    share_of_segment: float | None
    jaccard: float | None


class Changed(TypedDict):
    """What saving would change of a segment."""

    segment: str
    before: int
    after: int
    entered: int
    left: int


class SavedChange(Changed):
    """The same of the segment itself and of all that refer to it."""

    version: int
    same_meaning: bool
    dependents: list[Changed]


class Preview(TypedDict):
    """What a rule gives before it is saved."""

    as_of: datetime
    count: int | None
    share: float | None
    share_of: str
    base_count: int
    total: int
    sentence: str
    text: str
    yaml: str
    conditions: dict[str, PartCount]
    waterfalls: list[Waterfall]
    sample: Sample
    overlaps: list[OverlapWith]
    saved: SavedChange | None
    issues: list[Issue]


class SegmentCount(TypedDict):
    path: str
    count: int


class Pair(TypedDict):
    first: str
    second: str
    shared: int
    share_of_first: float | None
    share_of_second: float | None
    jaccard: float | None


class OverlapMatrix(TypedDict):
    """How many members every two segments share. source: kept members, or evaluated now."""

    as_of: datetime
    total: int
    source: Literal["snapshot", "run"]
    segments: list[SegmentCount]
    shared: list[list[int]]
    pairs: list[Pair]


class Forms(TypedDict):
    """What was written, in every form. definition: null when it could not be read; lines: of the YAML, by path."""

    definition: Definition | None
    yaml: str
    text: str
    lines: dict[str, int]
    issues: list[Issue]


class VariantSize(TypedDict):
    name: str
    count: int
    share: float | None


class SplitSizes(TypedDict):
    """How an A/B test would split."""

    variants: list[VariantSize]


# --- explanations -------------------------------------------------------------------------------------------------


class Missing(TypedDict):
    """How far a number is from the other verdict. amount: an exact number, as text."""

    direction: Literal["more", "less"]
    amount: str
    strict: bool
    until: NotRequired[str | None]


class Window(TypedDict):
    column: str
    low: str | None
    high: str | None
    low_included: bool
    high_included: bool


class EvidenceRow(TypedDict):
    behavior: str
    at: str
    values: dict[str, Any]


class ObservedPart(TypedDict):
    group: dict[str, Any]
    value: Any
    passes: bool
    rows: int


class Observed(TypedDict):
    """What a condition saw. masked: it is personal data and not for you."""

    value: Any
    masked: NotRequired[bool]
    windows: NotRequired[list[Window]]
    rows: NotRequired[int]
    evidence: NotRequired[list[EvidenceRow]]
    parts: NotRequired[list[ObservedPart]]
    steps: NotRequired[list[int]]
    missing: NotRequired[Missing | None]


class LimitOutcome(TypedDict):
    candidates: int
    kept: int
    rank: int | None
    member: bool


class NextChange(TypedDict):
    """When something changes by itself. at: null when never; unchanged_until: set when the search was stopped there."""

    at: str | None
    unchanged_until: str | None
    depends_on_others: NotRequired[bool]
    at_latest: NotRequired[str | None]
    looked_until: NotRequired[str | None]


class Node(TypedDict):
    """A condition or a group, and whether it holds."""

    kind: str
    path: list[str | int]
    text: str
    holds: bool
    exclude: bool
    description: NotRequired[str]
    parts: NotRequired[list[Node]]
    observed: NotRequired[Observed]
    limit: NotRequired[LimitOutcome]
    reference: NotRequired[ExplainedSegment]
    next_change: NotRequired[NextChange]


class VariantPlace(TypedDict):
    """Where a profile stands on the line of an A/B test; numbers are exact, as text."""

    test_id: str
    key_column: str
    key: str | None
    place: str | None
    found: str
    asked: str
    low: str | None
    high: str | None


class ExplainedSegment(TypedDict):
    path: str
    member: bool
    base: ExplainedSegment | None
    variant: VariantPlace | None
    rule: Node | None


class Turn(TypedDict):
    """A condition that would have to turn."""

    text: str
    to_hold: bool
    missing: Missing | None
    until: str | None


class ExplainedProfile(TypedDict):
    key: str | None
    cdp_customer_id: str


class Explanation(TypedDict):
    """Why somebody is, or is not, in a segment."""

    profile: ExplainedProfile
    segment: str | None
    member: bool
    as_of: str
    explanation: ExplainedSegment
    smallest_change: list[Turn] | None
    next_change: NextChange | None


# --- profiles -----------------------------------------------------------------------------------------------------


class BehaviorRow(TypedDict):
    behavior: str
    label: str
    at: datetime
    values: dict[str, Any]


class BehaviorDay(TypedDict):
    date: date
    rows: list[BehaviorRow]


class Profile(TypedDict):
    """One customer. masked: attributes whose values are not for you; segments: of the last evaluation."""

    key: str | None
    key_column: str
    cdp_customer_id: str
    as_of: datetime
    attributes: dict[str, Any]
    masked: list[str]
    behaviors: list[BehaviorDay]
    behavior_counts: dict[str, int]
    segments: list[str]
    segments_as_of: datetime | None


class ProfilePoint(TypedDict):
    """A kept evaluation: in which segments the customer was."""

    evaluation: int
    as_of: datetime
    is_customer: bool
    segments: list[str]
    entered: list[str]
    left: list[str]


class MemberSince(TypedDict):
    path: str
    since: datetime
    or_earlier: bool


class ProfileHistory(TypedDict):
    cdp_customer_id: str
    evaluations: list[ProfilePoint]
    segments: list[MemberSince]


# --- sources ------------------------------------------------------------------------------------------------------


class WriteKey(TypedDict):
    """A write key; of the key itself only the last four characters."""

    last_four: str
    valid: bool
    created_at: datetime
    created_by: str
    expires_at: datetime | None


class Source(Written):
    """Who sends calls."""

    name: str
    schema: str
    status: Literal["enabled", "disabled"]
    naming: Literal["segment", "rudderstack"]
    accept_unknown_keys: bool
    rate_limit: int | None
    revision: str
    keys: list[WriteKey]


class SourceWithKey(Source):
    """A source and its new write key, shown this once."""

    write_key: str
    old_until: NotRequired[datetime | None]


class IdLimit(TypedDict):
    """How many ids of a type a profile gathers."""

    count: int
    period: Literal["ever", "yearly", "monthly", "weekly"]


class SourceIdentity(TypedDict):
    """How ids of calls become profiles. own: whether these are rules of the source. limit: of types that have none of their own."""

    own: bool
    limits: dict[str, IdLimit]
    limit: IdLimit
    priority: list[str]
    blocked: list[str]
    blocked_pattern: str
    custom: dict[str, str]
    left_out: list[str]


class RemovedSource(TypedDict):
    """A source that is no more, and the tables that went with it."""

    removed: str
    dropped: list[str]


class SourcePage(TypedDict):
    items: list[Source]
    next: str | None


class MisfitReason(TypedDict):
    code: str
    meaning: str
    count: int
    last_at: datetime | None


class Misfits(TypedDict):
    """Rejected calls or discarded values: the most frequent reasons first, the newest rows by column."""

    count: int
    reasons: list[MisfitReason]
    rows: list[dict[str, Any]]


class Calls(TypedDict):
    """What became of calls. duplicates: received before, since ever."""

    received: int
    in_tables: int
    waiting: int
    waiting_more: bool
    rejected: int
    values_discarded: int
    duplicates: int


class SourceState(TypedDict):
    """How a source is doing."""

    name: str
    schema: str
    status: Literal["enabled", "disabled"]
    at: datetime
    calls: Calls
    refused_requests: dict[str, int]
    tables: dict[str, int]
    age_seconds: float
    last_call_at: datetime | None
    problem: str


# --- users and access ---------------------------------------------------------------------------------------------


class SignedIn(TypedDict):
    """Who signed in; the session is a cookie."""

    name: str
    role: Role
    expires_at: datetime


class SignedOut(TypedDict):
    signed_out: bool


class Done(TypedDict):
    changed: bool


class GrantTo(TypedDict):
    """What a user may in one parent segment, or in a folder of it."""

    parent: str
    folder: str
    role: Role


class User(Written):
    """A user."""

    id: int
    name: str
    role: Role
    disabled: bool
    has_password: bool
    grants: list[GrantTo]


class Me(User):
    """Who one is. actions: what one may do at all."""

    way: Way
    actions: list[str]


class UserPage(TypedDict):
    items: list[User]
    next: str | None


class Token(TypedDict):
    """An API token; of the token itself only the last four characters."""

    id: int
    user: str
    name: str
    last_four: str
    role: Role
    state: Literal["valid", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewToken(Token):
    """A new token, shown this once."""

    token: str


class TokenPage(TypedDict):
    items: list[Token]
    next: str | None


class AuditEntry(TypedDict):
    """Something that was done. before, after: revisions of the object."""

    id: int
    at: datetime
    who: str
    way: Way
    action: str
    kind: str
    object: str
    before: str
    after: str
    address: str
    detail: str


class AuditPage(TypedDict):
    items: list[AuditEntry]
    next: str | None
