"""What the reference evaluator reads: profiles with their attributes and their rows, as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog

Scalar = str | int | float | bool | Decimal | date
Value = Scalar | tuple[Scalar | None, ...] | None
"""By storage: text str, int64 int, float64 float (finite), decimal Decimal, boolean bool, date datetime.date,
timestamp int (microseconds), arrays tuples of such values. None is null."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a profile. `arrival` orders rows of one behavior by when they came in; no two are equal."""

    time: Micros
    arrival: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Profile:
    """One customer: cdp_customer_id, attributes (a missing name is null) and rows by behavior name."""

    id: str
    attributes: Mapping[str, Value]
    rows: Mapping[str, tuple[Row, ...]]


class ReferenceData(Protocol):
    """A parent segment's snapshot in memory."""

    @property
    def catalog(self) -> FieldCatalog: ...

    @property
    def profiles(self) -> Sequence[Profile]: ...
