"""What is known of the values of one field, as people and files have it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from kohort.foundation.instants import from_micros
from kohort.parent.catalog import Field

KEPT_VALUES = 200
_BINS = 20
_DAY = 86_400_000_000
_TIME_STEPS = tuple(_DAY * days // 24 for days in (1, 3, 6, 12, 24, 2 * 24, 7 * 24, 14 * 24, 30 * 24, 91 * 24, 182 * 24, 365 * 24))

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value and in how many rows it is. share: of the rows that have a value. Times are ISO 8601 (UTC), dates YYYY-MM-DD."""

    value: Value
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers and times in bins: edges are one more than counts; a bin ends before its upper edge, the last one with it.

    Inner edges are round; the first and the last edge are the lowest and highest value, however far out they are.
    """

    edges: tuple[Value, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """One attribute (rows are profiles) or one column of a behavior (rows are events up to the refresh's instant).

    field: `loyalty_tier` or `purchase.amount`. distinct: different values, of arrays different elements; estimated when not
    distinct_exact. top: the most frequent values (of arrays: elements), complete when there are as many as distinct; empty for personal
    data. histogram: of numbers and times, else None.
    """

    field: str
    type: str
    kind: Literal["attribute", "behavior"]
    rows: int
    nulls: int
    distinct: int
    distinct_exact: bool
    top: tuple[ValueCount, ...]
    histogram: Histogram | None

    @property
    def null_share(self) -> float | None:
        return self.nulls / self.rows if self.rows else None

    @property
    def is_complete(self) -> bool:
        return len(self.top) == self.distinct


def statistics_from_document(document: dict[str, Any]) -> FieldStatistics:
    """Those that `dataclasses.asdict` made a document of. Raises KeyError and TypeError for anything else."""
    histogram = document["histogram"]
    top = tuple(ValueCount(**value) for value in document["top"])
    bins = Histogram(tuple(histogram["edges"]), tuple(histogram["counts"])) if histogram else None
    return FieldStatistics(**{**document, "top": top, "histogram": bins})


def plain_value(value: Any) -> Value:
    """A value of the warehouse as JSON holds it."""
    match value:
        case datetime():
            return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case timedelta():
            return str(value)
        case _:
            return value  # type: ignore[no-any-return]


# --- bins -------------------------------------------------------------------------------------------------------


def has_histogram(field: Field) -> bool:
    """Whether the values of a field can be spread over bins."""
    return not field.is_array and field.type in ("number", "timestamp", "date")


def bins_of(field: Field, low: float, high: float, first: float, last: float) -> list[float]:
    """The edges of a field's bins; times in microseconds. first, last: the 1st and 99th percentile."""
    return bin_edges(low, high, first, last, _shortest(field))


def bin_edges(low: float, high: float, first: float, last: float, shortest: float = 0.0) -> list[float]:
    """Round edges a step apart between `first` and `last`, with `low` before and `high` after them.

    shortest: the least step; of an hour in microseconds or more, steps are of hours, days, weeks...

    >>> bin_edges(-5, 900, 0, 100)[:4], bin_edges(-5, 900, 0, 100)[-3:]
    ([-5, 5.0, 10.0, 15.0], [95.0, 100.0, 900])
    """
    width = max((last - first) / _BINS, shortest)
    step = _time_step(width) if shortest >= _TIME_STEPS[0] else _round_step(width)
    start = math.floor(first / step) * step
    inner = [start + step * place for place in range(1, _BINS + 2)]
    return [low, *(edge for edge in inner if low < edge < high and edge <= last), high]


def shown_edge(value: float, field: Field) -> Value:
    """An edge as people read it."""
    if field.is_time:
        moment = from_micros(int(value))
        return moment.date().isoformat() if field.type == "date" else plain_value(moment)
    return int(value) if value == int(value) else float(f"{value:.12g}")


def _shortest(field: Field) -> float:
    """The least step of bins: an hour of times, a day of dates, 1 of whole numbers."""
    if field.is_time:
        return float(_DAY if field.type == "date" else _TIME_STEPS[0])
    return 1.0 if field.storage == "int64" else 0.0


def _round_step(width: float) -> float:
    if width <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(width))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= width * 0.999999)


def _time_step(width: float) -> float:
    found = next((step for step in _TIME_STEPS if step >= width), None)
    return float(found) if found else math.ceil(width / _TIME_STEPS[-1]) * float(_TIME_STEPS[-1])
