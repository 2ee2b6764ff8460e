"""Answers about sources, their keys and what did not fit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from kohort.web.api.shapes.common import Written


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
