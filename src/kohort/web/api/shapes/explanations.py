"""Why a profile is in a segment, or is not."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


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
    """When something changes by itself. at: null when never; unchanged_until: set when the search was stopped there.

    masked: it would tell personal data that is not for you.
    """

    at: str | None
    unchanged_until: str | None
    depends_on_others: NotRequired[bool]
    at_latest: NotRequired[str | None]
    looked_until: NotRequired[str | None]
    masked: NotRequired[bool]


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
