"""Figures as charts: the documents that `<e-chart>` draws, the sentences that say the same, and small lines in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from kohort.web.studio.formats import count_text

Values = Sequence[int | None]
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_EDGE, _SPARK_MOST = 96, 24, 2, 32


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one row of bars. colour: 1 to 4, of the chart colours; values: one for each label, None where nothing is known.
    below: bars hang down from the line."""

    name: str
    values: Values
    colour: int = 1
    below: bool = False


def chart(
    kind: Literal["line", "bars"], days: Sequence[date], series: Sequence[Series], sentence: str, *, ahead: bool = False
) -> dict[str, Any]:
    """What `<e-chart>` draws. sentence: what it shows, in words; ahead: of days to come, so that a table begins with the first."""
    return {
        "kind": kind,
        "sentence": sentence,
        "ahead": ahead,
        "labels": [day.isoformat() for day in days],
        "series": [{"name": one.name, "values": list(one.values), "colour": one.colour, "below": one.below} for one in series],
    }


def line_sentence(what: str, days: Sequence[date], values: Values) -> str:
    """A line in words.

    >>> line_sentence("Profiles in VIP", [date(2024, 1, 1), date(2024, 1, 2)], [1200, 1250])
    'Profiles in VIP from 2024-01-01 to 2024-01-02: 1,200 at first, 1,250 at last, at least 1,200, at most 1,250.'
    """
    known = [value for value in values if value is not None]
    if not known or not days:
        return f"{what}: nothing is known."
    span = f"from {days[0]} to {days[-1]}"
    ends = f"{count_text(known[0])} at first, {count_text(known[-1])} at last"
    return f"{what} {span}: {ends}, at least {count_text(min(known))}, at most {count_text(max(known))}."


def moves_sentence(what: str, days: Sequence[date], entered: Values, left: Values) -> str:
    """Entries and exits in words.

    >>> moves_sentence("VIP", [date(2024, 1, 1), date(2024, 1, 2)], [0, 12], [3, None])
    'VIP from 2024-01-01 to 2024-01-02: 12 entered and 3 left.'
    """
    if not days:
        return f"{what}: nothing is known."
    came, went = (count_text(sum(value or 0 for value in values)) for values in (entered, left))
    return f"{what} from {days[0]} to {days[-1]}: {came} entered and {went} left."


def spark_points(values: Sequence[int]) -> str:
    """The points of a small line, 96 by 24, for an SVG polyline: at most 32 of the values, the last one always; "" for less than two.

    >>> spark_points([1, 2]), spark_points([5, 5]), spark_points([1])
    ('0,22 96,2', '0,12 96,12', '')
    """
    if len(values) < 2:
        return ""
    every = -(-len(values) // _SPARK_MOST)
    values = values[::-1][::every][::-1]
    low, high = min(values), max(values)
    room = _SPARK_HEIGHT - 2 * _SPARK_EDGE
    step = _SPARK_WIDTH / (len(values) - 1)

    def height(value: int) -> float:
        return _SPARK_EDGE + room * (1 - (value - low) / (high - low) if high > low else 0.5)

    return " ".join(f"{place * step:.3g},{height(value):.3g}" for place, value in enumerate(values))
