"""Windows of a rule that are of about one length and counted in different ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from kohort.foundation.calendar import MONTHS
from kohort.foundation.issues import Issue, Path
from kohort.rules.ast import (
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    Rule,
    SequenceCondition,
    TimeCalendar,
    TimeWithin,
)
from kohort.rules.text.write_operators import operator_text

_AT_LEAST_DAYS = {"month": (28, 31), "quarter": (89, 92), "year": (365, 366)}


def mixed_units(rule: Rule, path: Path) -> Iterator[Issue]:
    """LINT_UNITS_MIXED for the first two windows that are nearly, but not exactly, the same days."""
    lengths: dict[TimeWithin | TimeCalendar, tuple[Path, tuple[str, int, int]]] = {}
    for place, operator in _windows(rule, path):
        length = _length(operator)
        if length is not None:
            lengths.setdefault(operator, (place, length))
    if len({way for _, (way, _, _) in lengths.values()}) < 2:
        return
    for (earlier, (_, first)), (later, (place, second)) in combinations(lengths.items(), 2):
        if _alike(first, second):
            message = f'"{operator_text(later)}" and "{operator_text(earlier)}" are nearly, but not exactly, the same days'
            hint = "past 1 month ends now and is 28 to 31 days long; last month is the calendar month before this one"
            yield Issue("LINT_UNITS_MIXED", message, place, "warning", hint)
            return


def _windows(condition: Condition | FilterCondition, path: Path) -> Iterator[tuple[Path, TimeWithin | TimeCalendar]]:
    """Every "within the past" and "last unit" of a rule."""
    match condition:
        case Group() | FilterGroup():
            for index, part in enumerate(condition.conditions):
                yield from _windows(part, (*path, "conditions", index))
        case AttributeCondition(operator=operator) | ColumnCondition(operator=operator):
            if isinstance(operator, TimeWithin | TimeCalendar) and operator.key in ("TimeWithinPast", "TimeLast"):
                yield path, operator
        case BehaviorCondition(filter=FilterGroup() as rows):
            yield from _windows(rows, (*path, "filter"))
        case SequenceCondition():
            for index, step in enumerate(condition.steps):
                if step.filter is not None:
                    yield from _windows(step.filter, (*path, "steps", index, "filter"))
        case _:
            return


def _length(operator: TimeWithin | TimeCalendar) -> tuple[str, int, int] | None:
    """(how it is counted, fewest days, most days) of a window of days or longer."""
    amount = operator.amount if isinstance(operator, TimeWithin) else 1
    way = "calendar" if isinstance(operator, TimeCalendar) else "months" if operator.unit in MONTHS else "days"
    if operator.unit in _AT_LEAST_DAYS:
        fewest, most = _AT_LEAST_DAYS[operator.unit]
        return way, fewest * amount, most * amount
    days = {"day": 1, "week": 7}.get(operator.unit, 0) * amount
    return (way, days, days) if days else None


def _alike(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return one[0] != other[0] and one[1] <= other[2] and other[1] <= one[2]
