"""What one profile has where a condition looks: the value, the rows that count, and how much is missing to the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal
from zoneinfo import ZoneInfo

from kohort.evaluation.reference import Profile, Row, Value
from kohort.evaluation.reference.aggregates import Rows
from kohort.evaluation.reference.operators import Operators
from kohort.evaluation.reference.windows import moment
from kohort.foundation.calendar import Interval
from kohort.foundation.instants import MAX_MICROS, MIN_MICROS, Micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import AttributeCondition, BehaviorCondition, Between, Comparison, Operator, SequenceCondition, Step
from kohort.rules.core import AttributeLeaf, BehaviorLeaf, Expr, InWindow, SequenceLeaf

Shown = str | int | float | bool | Decimal | date | None | tuple[Any, ...]
"""A value for people: numbers exact (averages to 6 digits after the point), times as in the profile (int64 microseconds)."""

OWN_LEAVES = AttributeCondition | BehaviorCondition | SequenceCondition


@dataclass(frozen=True, slots=True)
class Missing:
    """How far a number is from the other verdict: `amount` more or less; strict: a little further than that."""

    direction: Literal["more", "less"]
    amount: Decimal
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """A window as it lies at the instant of the explanation; an open end is None. column: whose times it holds."""

    column: str
    low: Micros | None
    high: Micros | None
    low_included: bool
    high_included: bool


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A row that passed filter and window. at: microseconds; values: the columns that are not null."""

    behavior: str
    at: Micros
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Part:
    """What the aggregate came to in one group or sliding window, and whether it passes."""

    group: tuple[tuple[str, Shown], ...]
    value: Shown
    passes: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What a condition saw of the profile.

    storage: of the value ("int64" for counts, "decimal" for sums and averages, that of the field otherwise, "" for sequences).
    parts: groups or sliding windows, those that pass first (capped); without such, one. rows: how many passed; evidence: the
    newest of them. steps: of a sequence, how many rows each step has.
    """

    value: Shown
    storage: str = ""
    windows: tuple[ShownWindow, ...] = ()
    parts: tuple[Part, ...] = ()
    rows: int | None = None
    evidence: tuple[EvidenceRow, ...] = ()
    steps: tuple[int, ...] = ()
    missing: Missing | None = None


def observe(
    condition: OWN_LEAVES, bound: Expr, profile: Profile, catalog: FieldCatalog, as_of: Micros, want: bool, evidence: int
) -> Observed:
    """What a condition sees at `as_of`. want: whether it would have to pass (its exclude left aside) to change the verdict."""
    zone = ZoneInfo(catalog.timezone)
    operators = Operators(moment(as_of), zone)
    windows = tuple(_windows(bound, as_of, zone))
    match condition:
        case AttributeCondition():
            return _attribute(condition, profile, catalog, windows, want)
        case BehaviorCondition():
            return _behavior(condition, profile, Rows(catalog, operators), windows, want, evidence)
        case SequenceCondition():
            return _sequence(condition.steps, profile, Rows(catalog, operators), windows, evidence)


def _attribute(
    condition: AttributeCondition, profile: Profile, catalog: FieldCatalog, windows: tuple[ShownWindow, ...], want: bool
) -> Observed:
    field = catalog.attribute[condition.attribute]
    value = profile.attributes.get(field.name)
    missing = None
    if field.storage in ("int64", "float64", "decimal") and value is not None:
        missing = missing_to(condition.operator, _fraction(value), field.storage == "int64", want)
    return Observed(value, field.storage, windows, missing=missing)


def _behavior(
    condition: BehaviorCondition, profile: Profile, rows: Rows, windows: tuple[ShownWindow, ...], want: bool, evidence: int
) -> Observed:
    behavior = rows.catalog.behavior[condition.behavior]
    results = rows.results(condition, profile)
    passing = rows.of(profile, condition.behavior, condition.filter)
    parts = []
    for part, result in zip(rows.parts(condition, profile), results, strict=True):
        key = tuple((name, shown(rows.cell(part[0], name, behavior)[0])) for name in condition.aggregation.grouping) if part else ()
        passes = rows.operators.passes(condition.operator, result.value, result.storage)
        parts.append(Part(key, shown(result.value), passes, len(part)))
    counts = condition.aggregation.key in ("Count", "CountDistinct")
    single = len(results) == 1 and not condition.aggregation.grouping and condition.sliding is None
    missing = None
    if single and (results[0].storage in ("exact", "int64", "float64", "decimal")):
        zero = 0 if condition.aggregation.key == "Sum" and want else None
        value = results[0].value if results[0].value is not None else zero
        whole = counts or results[0].storage == "int64"
        missing = None if value is None else missing_to(condition.operator, Fraction(value), whole, want)
    parts.sort(key=lambda part: (not part.passes, -part.rows))
    storage = "int64" if counts else "decimal" if results and results[0].storage == "exact" else results[0].storage if results else ""
    newest = tuple(_evidence(condition.behavior, row) for row in _newest(passing, evidence))
    value_shown = parts[0].value if parts else None
    return Observed(value_shown, storage, windows, tuple(parts[:evidence]), len(passing), newest, missing=missing)


def _sequence(steps: tuple[Step, ...], profile: Profile, rows: Rows, windows: tuple[ShownWindow, ...], evidence: int) -> Observed:
    of_step = [rows.of(profile, step.behavior, step.filter) for step in steps]
    distinct = {(step.behavior, row.arrival): row for step, found in zip(steps, of_step, strict=True) for row in found}
    newest = sorted(distinct.items(), key=lambda item: (item[1].time, item[1].arrival), reverse=True)[:evidence]
    listed = tuple(_evidence(behavior, row) for (behavior, _), row in newest)
    return Observed(None, "", windows, (), len(distinct), listed, tuple(len(found) for found in of_step))


def _newest(rows: list[Row], number: int) -> list[Row]:
    return sorted(rows, key=lambda row: (row.time, row.arrival), reverse=True)[:number]


def _evidence(behavior: str, row: Row) -> EvidenceRow:
    return EvidenceRow(behavior, row.time, {name: value for name, value in row.values.items() if value is not None})


def _windows(bound: Expr, as_of: Micros, zone: ZoneInfo) -> list[ShownWindow]:
    match bound:
        case AttributeLeaf(attribute, test) if isinstance(test.predicate, InWindow):
            return [_shown_window(attribute, test.predicate.window.interval(as_of, zone))]
        case BehaviorLeaf(aggregate):
            return [_shown_window("timestamp", window.interval(as_of, zone)) for window in aggregate.windows]
        case SequenceLeaf(steps):
            windows = dict.fromkeys((step.behavior, window) for step in steps for window in step.windows)
            return [_shown_window(f"{behavior}.timestamp", window.interval(as_of, zone)) for behavior, window in windows]
        case _:
            return []


def _shown_window(column: str, interval: Interval) -> ShownWindow:
    low = None if interval.low <= MIN_MICROS else interval.low
    high = None if interval.high >= MAX_MICROS else interval.high
    return ShownWindow(column, low, high, interval.low_included, interval.high_included)


_COMPLEMENTS = {"Greater": "LessEqual", "GreaterEqual": "Less", "Less": "GreaterEqual", "LessEqual": "Greater"}


def missing_to(operator: Operator, value: Fraction, whole: bool, want: bool) -> Missing | None:
    """How much more or less a number must be for the operator to pass (want) or not to pass; None where it already does."""
    passing = want != operator.negated
    match operator:
        case Comparison(key=key, value=operand):
            threshold = _number(operand)
            wanted = key if passing else _COMPLEMENTS.get(key)
            return None if threshold is None or wanted is None else _missing(wanted, threshold, value, whole)
        case Between(low=low, high=high) if passing:
            bottom, top = _number(low), _number(high)
            if bottom is not None and value < bottom:
                return _gap("more", bottom - value, False, whole)
            return _gap("less", value - top, False, whole) if top is not None and value > top else None
        case _:
            return None


def _fraction(value: Any) -> Fraction:
    return Fraction(value)


def _number(operand: object) -> Fraction | None:
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return None
    return Fraction(Decimal(repr(operand)))


def _missing(key: str, threshold: Fraction, value: Fraction, whole: bool) -> Missing | None:
    match key:
        case "Greater" | "GreaterEqual" if value <= threshold:
            return _gap("more", threshold - value, key == "Greater", whole)
        case "Less" | "LessEqual" if value >= threshold:
            return _gap("less", value - threshold, key == "Less", whole)
        case "Equal" if value != threshold:
            return _gap("more" if value < threshold else "less", abs(threshold - value), False, whole)
        case _:
            return None


def _gap(direction: Literal["more", "less"], amount: Fraction, strict: bool, whole: bool) -> Missing | None:
    """Whole numbers need whole steps, so that nothing strict is left."""
    if amount < 0 or (amount == 0 and not strict):
        return None
    if whole:
        steps = amount.numerator // amount.denominator + 1 if strict else -(-amount.numerator // amount.denominator)
        return Missing(direction, Decimal(steps))
    return Missing(direction, exact(amount), strict)


def exact(number: Fraction) -> Decimal:
    """The decimal of a number, without zeros at its end; to 6 digits after the point when it has no end."""
    powers = [0, 0]
    rest = number.denominator
    for position, factor in enumerate((2, 5)):
        while rest % factor == 0:
            rest //= factor
            powers[position] += 1
    digits = max(powers) if rest == 1 else 6
    scaled = round(number * 10**digits)
    while digits and scaled % 10 == 0:
        scaled, digits = scaled // 10, digits - 1
    return Decimal(f"{scaled}e-{digits}") if digits else Decimal(scaled)


def shown(value: Any) -> Shown:
    """A value of the reference evaluator for people."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else exact(value)
    return value  # type: ignore[no-any-return]
