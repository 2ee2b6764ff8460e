"""Answers about profiles: lists, members, one of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict


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
