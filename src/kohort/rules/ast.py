"""The rule tree: one frozen form for YAML, JSON and text.

Names follow the rule language of the platform in docs/reference (operators, aggregations, windows), so that
each node has one obvious counterpart in a file. The tree keeps what was written, order and grouping included;
what it *means* is `rules.normalize`'s business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from kohort.foundation.calendar import Duration, Unit
from kohort.foundation.fingerprints import canonical_json

# --- values -----------------------------------------------------------------------------------------------------

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An absolute instant as it was written: `{timestamp: "2024-01-31"}`. A bare date is its midnight in the zone."""

    text: str


@dataclass(frozen=True, slots=True)
class Ago:
    """`as_of - duration`: `{last: 30, unit: day}` or `{last: {day: 1, hour: 2}}`."""

    duration: Duration


@dataclass(frozen=True, slots=True)
class Ahead:
    """`as_of + duration`: `{next: 7, unit: day}`."""

    duration: Duration


Operand = Scalar | Timestamp | Ago | Ahead
"""What stands on the right of a comparison. A bool is never a number here: compare types, not values (True == 1)."""


def operand_key(value: object) -> tuple[str, object]:
    """A key under which operands are equal only with the same type (1, 1.0 and True are three operands)."""
    return (type(value).__name__, value)


# --- operators --------------------------------------------------------------------------------------------------
# `negated` is the file's `not: true`: it negates a comparison that could be made, null stays false.


class _TypedEquality:
    """Equality that tells 1 from 1.0 and True, so that a round trip that changes a type is seen."""

    __slots__ = ()

    def _typed(self) -> tuple[object, ...]:
        return tuple(_typed_value(getattr(self, name)) for name in self.__dataclass_fields__)  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._typed() == other._typed()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._typed()))


def _typed_value(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_typed_value(part) for part in value)
    return operand_key(value)


ComparisonKey = Literal["Equal", "Greater", "GreaterEqual", "Less", "LessEqual"]
TextMatchKey = Literal["Contain", "StartWith", "EndWith"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(_TypedEquality):
    """Equal, Greater, GreaterEqual, Less, LessEqual. (YAML's NotEqual is Equal negated.)"""

    key: ComparisonKey
    value: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Between(_TypedEquality):
    """From `low` to `high`, both ends included; either may be open (None), not both."""

    low: Operand | None
    high: Operand | None
    negated: bool = False
    key: Literal["Between"] = "Between"


@dataclass(frozen=True, slots=True, eq=False)
class In(_TypedEquality):
    """Equal to any of `values` (at least one). (YAML's NotIn is In negated.)"""

    values: tuple[Scalar, ...]
    negated: bool = False
    key: Literal["In"] = "In"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Contain, StartWith, EndWith: any of `values` (at least one), case-sensitive."""

    key: TextMatchKey
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Regexp:
    """RE2 pattern, unanchored."""

    pattern: str
    negated: bool = False
    key: Literal["Regexp"] = "Regexp"


@dataclass(frozen=True, slots=True)
class IsNull:
    """The test for null. `negated` means: has a value."""

    negated: bool = False
    key: Literal["IsNull"] = "IsNull"


TimeWithinKey = Literal["TimeWithinPast", "TimeWithinNext"]


@dataclass(frozen=True, slots=True)
class TimeWithin:
    """TimeWithinPast `(as_of - N units, as_of]`, TimeWithinNext `(as_of, as_of + N units]`. `amount` >= 1."""

    key: TimeWithinKey
    amount: int
    unit: Unit
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`duration` long from a start point. `start` is Ago (as_of - it) or a Unit (start of the current unit).

    With an Ago start `duration` is required: `[start, start + duration)`, or with `reverse`
    `[start - duration, start)`. With a Unit start and no duration: `[start of the unit, as_of]`.
    """

    duration: Duration | None
    start: Ago | Unit
    reverse: bool = False
    negated: bool = False
    key: Literal["TimeRange"] = "TimeRange"


@dataclass(frozen=True, slots=True)
class TimeToday:
    """`[00:00, next 00:00)` in the zone; TimeTodayAndBeyond has no end."""

    key: Literal["TimeToday", "TimeTodayAndBeyond"] = "TimeToday"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TimeCalendar:
    """TimeThis `[start of the unit, as_of]`; TimeLast, TimeNext: the complete previous / next calendar unit `[start, end)`."""

    key: Literal["TimeThis", "TimeLast", "TimeNext"]
    unit: Unit
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TimeInBetweenNext:
    """`[as_of + low, as_of + high]`: between the next A and B units."""

    low: Duration
    high: Duration
    negated: bool = False
    key: Literal["TimeInBetweenNext"] = "TimeInBetweenNext"


TimeOperator = TimeWithin | TimeRange | TimeToday | TimeCalendar | TimeInBetweenNext
Operator = Comparison | Between | In | TextMatch | Regexp | IsNull | TimeOperator


@dataclass(frozen=True, slots=True)
class ArrayMatching:
    """How many elements of an array must pass the operator's test.

    any: at least one. all ("only"): every element, the empty array included. at_least / at_most / exactly: `count` of them.
    A null array is null: false. None in place of an ArrayMatching means `any` on an array column.
    """

    key: Literal["any", "all", "at_least", "at_most", "exactly"]
    count: int = 0


# --- parts of conditions ----------------------------------------------------------------------------------------

AggregationKey = Literal["Count", "CountDistinct", "Sum", "Average", "Min", "Max", "First", "Last"]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What is computed over the rows of a behavior that pass filter and window.

    columns: () for Count, >= 1 for CountDistinct, exactly 1 for all others.
    order_column: First and Last only; "" means by time.
    grouping: evaluate per group of these columns; the condition is true when any group satisfies it.
    """

    key: AggregationKey = "Count"
    columns: tuple[str, ...] = ()
    grouping: tuple[str, ...] = ()
    order_column: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One ordering key of a limit: an attribute, or (attribute == "") the condition's own aggregate. Nulls come last."""

    attribute: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Keep the top `number` (Count) or top `number` percent (Percent, rounded up) of the matches.

    Applied after `exclude`. Ties are broken by cdp_customer_id ascending. `order` may be empty.
    """

    kind: Literal["Count", "Percent"]
    number: int | float
    order: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Extras:
    """Keys we do not interpret but keep, as canonical JSON text of an object (flat keys such as `leftValue.visibility`)."""

    text: str = ""

    @staticmethod
    def of(values: dict[str, Any]) -> Extras:
        return Extras(canonical_json(values)) if values else Extras()

    @property
    def values(self) -> dict[str, Any]:
        return dict(json.loads(self.text)) if self.text else {}


NO_EXTRAS = Extras()

# --- filters over the rows of a behavior ------------------------------------------------------------------------

TIME_COLUMN = "timestamp"
"""The name under which filters see an event's time; accepts every time operator."""


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """A test of one column of a behavior's row. Column "timestamp" is the event's time."""

    column: str
    operator: Operator
    array_matching: ArrayMatching | None = None
    exclude: bool = False
    extras: Extras = NO_EXTRAS


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """all / any of row conditions. A root filter without conditions is written as None instead."""

    match: Literal["all", "any"]
    conditions: tuple[FilterCondition, ...]
    exclude: bool = False
    extras: Extras = NO_EXTRAS


FilterCondition = ColumnCondition | FilterGroup

# --- conditions over profiles -----------------------------------------------------------------------------------
# `exclude` is the complement: everybody who does not match, nulls included.


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """A test of one attribute of the profile. customer_group names an account-level attribute ("" = the profile's own)."""

    attribute: str
    operator: Operator
    array_matching: ArrayMatching | None = None
    exclude: bool = False
    limit: Limit | None = None
    description: str = ""
    customer_group: str = ""
    extras: Extras = NO_EXTRAS


@dataclass(frozen=True, slots=True)
class BehaviorCondition:
    """A test of an aggregate over the profile's rows of one behavior.

    behavior: its name without the `behavior_` prefix. sliding: the condition must hold inside some window of that
    (fixed) length that ends at one of the rows; a profile without rows has one empty window.
    """

    behavior: str
    aggregation: Aggregation
    operator: Operator
    filter: FilterGroup | None = None
    sliding: Duration | None = None
    exclude: bool = False
    limit: Limit | None = None
    description: str = ""
    extras: Extras = NO_EXTRAS


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence: a row of `behavior` that passes `filter`, later than the previous step's row and at most
    `within` (fixed units) after it. The first step has no `within`; None elsewhere means any time later."""

    behavior: str
    filter: FilterGroup | None = None
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class SequenceCondition:
    """A then B (then C ...): at least two steps. True when some chain of rows completes every step."""

    steps: tuple[Step, ...]
    exclude: bool = False
    limit: Limit | None = None
    description: str = ""
    extras: Extras = NO_EXTRAS


ReferenceKind = Literal["Segment", "FunnelStage", "AbTestVariant", "PredictiveScore", "MlAttribute"]


@dataclass(frozen=True, slots=True)
class ReferenceCondition:
    """Is a member of another segment (`exclude`: is not). `target` is a path, a name unique in the parent, or an id."""

    target: str
    kind: ReferenceKind = "Segment"
    exclude: bool = False
    limit: Limit | None = None
    description: str = ""
    extras: Extras = NO_EXTRAS


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions combined: all (And), any (Or) or expr (Composite).

    `expr` of a Composite names its conditions by position, letters A-Z or digits 1-9 (never mixed), with lowercase
    `and`, `or` and parentheses. An empty `all` group is everybody, an empty `any` group is nobody.
    """

    match: Literal["all", "any", "expr"]
    conditions: tuple[Condition, ...]
    expr: str = ""
    exclude: bool = False
    limit: Limit | None = None
    description: str = ""
    extras: Extras = NO_EXTRAS


Leaf = AttributeCondition | BehaviorCondition | SequenceCondition | ReferenceCondition
Condition = Leaf | Group

Rule = Group
"""A rule is its top group."""

EVERYBODY: Rule = Group("all", ())
"""No rule, `{}` and null: everybody in the parent segment."""
