"""Does an operator fit what it is applied to, and can its values be read as that type?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

import re2

from kohort.foundation.calendar import Duration
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS
from kohort.foundation.issues import Issues, Path
from kohort.parent.catalog import Storage
from kohort.parent.definition import FieldType
from kohort.rules.ast import (
    Ago,
    Ahead,
    ArrayMatching,
    Between,
    Comparison,
    In,
    IsNull,
    Operand,
    Operator,
    Regexp,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.instant_windows import read_instant
from kohort.rules.operators import operators_for, row_of

Kind = Literal["text", "number", "boolean", "time"]
_KINDS: dict[str, Kind] = {
    "text": "text",
    "int64": "number",
    "float64": "number",
    "decimal": "number",
    "boolean": "boolean",
    "timestamp": "time",
    "date": "time",
}
_LONGEST_MICROS = MAX_MICROS - MIN_MICROS


@dataclass(frozen=True, slots=True)
class Subject:
    """What an operator is applied to: a field, or the result of an aggregation, by the words a person knows it by."""

    words: str
    type: FieldType
    storage: Storage

    @property
    def is_array(self) -> bool:
        return self.storage.endswith("_array")

    @property
    def kind(self) -> Kind:
        """The kind of value (of an array: of its elements) that a test sees."""
        return _KINDS[self.storage.removesuffix("_array")]


def check_operator(
    operator: Operator, matching: ArrayMatching | None, subject: Subject, zone: ZoneInfo, path: Path, issues: Issues
) -> None:
    """Report what is wrong with an operator on its subject. `path` leads to the condition."""
    at = (*path, "operator")
    if matching is not None and not subject.is_array:
        hint = "remove arrayMatching"
        issues.error("INVALID_ARRAY_MATCHING", f"{subject.words} is not an array", (*path, "arrayMatching"), hint)
    if matching is not None and matching.count < 0:
        issues.error("INVALID_ARRAY_MATCHING", f"{matching.count} matches are not possible", (*path, "arrayMatching"), "use 0 or more")
    if subject.type not in row_of(operator).types:
        hint = f"operators for {subject.type}: {', '.join(row.key for row in operators_for(subject.type))}"
        issues.error("OPERATOR_TYPE_MISMATCH", f"{operator.key} does not fit {subject.words}, which is {subject.type}", (*at, "type"), hint)
        return
    _Values(subject, zone, at, issues).check(operator)


@dataclass(frozen=True, slots=True)
class _Values:
    """Checks the values of one operator; `at` leads to the operator."""

    subject: Subject
    zone: ZoneInfo
    at: Path
    issues: Issues

    def check(self, operator: Operator) -> None:
        match operator:
            case Comparison(_, value):
                self._operand(value, (*self.at, "value"))
            case Between(low, high):
                self._between(low, high)
            case In(values):
                self._at_least_one(values)
                for index, value in enumerate(values):
                    self._operand(value, (*self.at, "value", index))
            case TextMatch(_, texts):
                self._at_least_one(texts)
            case Regexp(pattern):
                self._regexp(pattern)
            case TimeWithin(_, amount, _):
                if amount < 1:
                    self.issues.error("INVALID_VALUE", f"{operator.key} needs 1 or more, not {amount}", (*self.at, "value"))
            case TimeRange():
                self._time_range(operator)
            case TimeInBetweenNext(low, high):
                if low.is_fixed and high.is_fixed and low.fixed_micros > high.fixed_micros:
                    self.issues.warning("EMPTY_RANGE", "the range ends before it begins: nothing is in it", self.at, "swap from and to")
            case IsNull() | TimeToday() | TimeCalendar():
                pass
            case _:
                assert_never(operator)

    def _at_least_one(self, values: tuple[object, ...]) -> None:
        if not values:
            self.issues.error("MISSING_OPERATOR_VALUE", "the list of values is empty", (*self.at, "value"), "give at least one value")

    def _between(self, low: Operand | None, high: Operand | None) -> None:
        if low is None and high is None:
            self.issues.error("MISSING_BETWEEN_BOUNDS", "Between needs min, max or both", self.at)
        before = len(self.issues)
        for name, bound in (("min", low), ("max", high)):
            if bound is not None:
                self._operand(bound, (*self.at, name))
        if len(self.issues) == before and _is_reversed(low, high, self.subject.kind, self.zone):
            self.issues.warning("EMPTY_RANGE", "min is above max: nothing is between them", self.at, "swap min and max")

    def _time_range(self, operator: TimeRange) -> None:
        if operator.duration is None and isinstance(operator.start, Ago):
            hint = "add e.g. duration: {day: 7}"
            self.issues.error("MISSING_OPERATOR_VALUE", "TimeRange needs a duration", (*self.at, "duration"), hint)

    def _regexp(self, pattern: str) -> None:
        problem = regexp_problem(pattern)
        if problem:
            hint = "patterns are RE2: no look-around, no back-references"
            self.issues.error("INVALID_REGEXP", f"the pattern cannot be read: {problem}", (*self.at, "value"), hint)

    def _operand(self, operand: Operand, path: Path) -> None:
        found = _problem(operand, self.subject.kind, self.zone)
        if found:
            code, message, hint = found
            self.issues.error(code, f"{message}; {self.subject.words} is a {self.subject.kind} value", path, hint)


def _is_reversed(low: Operand | None, high: Operand | None, kind: Kind, zone: ZoneInfo) -> bool:
    """True when both bounds are absolute and stand in the wrong order."""
    if low is None or high is None or isinstance(low, Ago | Ahead) or isinstance(high, Ago | Ahead):
        return False
    if kind == "time":
        first, last = read_instant(low, zone), read_instant(high, zone)
        return first is not None and last is not None and first > last
    return bool(low > high)  # type: ignore[operator]


def _problem(operand: Operand, kind: Kind, zone: ZoneInfo) -> tuple[str, str, str] | None:
    """Code, message and hint when an operand cannot be read as a value of `kind`."""
    if kind == "time":
        return _time_problem(operand, zone)
    if isinstance(operand, Timestamp | Ago | Ahead):
        shown = f'the time "{operand.text}"' if isinstance(operand, Timestamp) else "a relative time"
        return "INVALID_VALUE", f"{shown} can be compared with times only", "give a plain value"
    if kind == "text":
        ok = isinstance(operand, str)
        shown = str(operand).lower() if isinstance(operand, bool) else str(operand)
        return None if ok else ("INVALID_VALUE", f"{shown} is not text", f'write it in quotes: "{shown}"')
    if kind == "boolean":
        return None if isinstance(operand, bool) else ("INVALID_VALUE", f"{_shown(operand)} is not true or false", _boolean_hint(operand))
    if isinstance(operand, str):
        hint = f"remove the quotes: {operand.strip()}" if _is_number(operand) else "give a number"
        return "INVALID_VALUE", f"{_shown(operand)} is not a number", hint
    if isinstance(operand, bool) or not math.isfinite(operand):
        return "INVALID_VALUE", f"{_shown(operand)} is not a number", "give a number"
    return None


def _time_problem(operand: Operand, zone: ZoneInfo) -> tuple[str, str, str] | None:
    if isinstance(operand, Ago | Ahead) or read_instant(operand, zone) is not None:
        return None
    if isinstance(operand, str | Timestamp):
        text = operand if isinstance(operand, str) else operand.text
        return "INVALID_TIMESTAMP", f'"{text}" is not a time', 'write it like "2024-01-31" or "2024-01-31T10:00:00Z"'
    return (
        "INVALID_VALUE",
        f"{_shown(operand)} is not a time",
        "give text like 2024-01-31 or whole unix seconds between the years 1 and 9999",
    )


def _shown(operand: object) -> str:
    if isinstance(operand, bool):
        return str(operand).lower()
    return f'"{operand}"' if isinstance(operand, str) else str(operand)


def _boolean_hint(operand: object) -> str:
    if isinstance(operand, str) and operand.strip().lower() in ("true", "false"):
        return f"remove the quotes: {operand.strip().lower()}"
    return "write true or false"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def regexp_problem(pattern: str) -> str:
    """Why RE2 refuses a pattern; "" when it accepts it."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        found = error.args[0] if error.args else error
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
    return ""


def check_fixed(duration: Duration | None, what: str, path: Path, issues: Issues) -> None:
    """A duration that is measured between events: fixed units (week and smaller), more than nothing."""
    if duration is None:
        return
    if not duration.is_fixed:
        issues.error(
            "INVALID_DURATION", f"{what} cannot be in months, quarters or years", path, "use weeks, days, hours, minutes or seconds"
        )
    elif not 0 < duration.fixed_micros <= _LONGEST_MICROS:
        issues.error("INVALID_DURATION", f"{what} must be longer than nothing and shorter than 10,000 years", path)
