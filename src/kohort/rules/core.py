"""The core form of a rule: what evaluators see.

`rules.bind` turns a checked rule and the field catalog into this: sugar is gone, names are known, literals have their
field's type, groups are flat, sorted and without repeats, and negation is explicit. Equal meaning (as far as we can tell)
is equal core, and a leaf's fingerprint names it for ever: nothing in here depends on `as_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from kohort.foundation.windows import Window
from kohort.parent.catalog import Storage
from kohort.rules.ast import AggregationKey, ArrayMatching

Literal_ = str | int | float | bool | Decimal
"""A typed literal. By the storage of what it is compared with:
text: str; int64: int (a fractional bound was already turned into the equivalent whole one); float64: float;
decimal: Decimal; boolean: bool; date: int, days since 1970-01-01; timestamp: int, microseconds.
Sums and averages of any number are compared exactly: their literal is a Decimal (see `Aggregate`)."""


@dataclass(frozen=True, slots=True)
class Compare:
    """value <op> literal."""

    op: Literal["=", "<", "<=", ">", ">="]
    literal: Literal_


@dataclass(frozen=True, slots=True)
class Range:
    """low <= value <= high; None is open."""

    low: Literal_ | None
    high: Literal_ | None


@dataclass(frozen=True, slots=True)
class OneOf:
    """value is one of `literals` (sorted, distinct, at least one)."""

    literals: tuple[Literal_, ...]


@dataclass(frozen=True, slots=True)
class TextAny:
    """Text contains / starts with / ends with any of `values` (sorted, distinct)."""

    how: Literal["contain", "start", "end"]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """Text matches an RE2 pattern somewhere."""

    pattern: str


@dataclass(frozen=True, slots=True)
class IsNullTest:
    """The value is null."""


@dataclass(frozen=True, slots=True)
class InWindow:
    """A time lies in a window. On dates: the day's midnight in the zone lies in it. All comparisons of times become this."""

    window: Window


@dataclass(frozen=True, slots=True)
class Never:
    """False for every value, null included: e.g. a whole number equal to 1.5. Negated: true for every value but null."""


Predicate = Compare | Range | OneOf | TextAny | Matches | IsNullTest | InWindow | Never


@dataclass(frozen=True, slots=True)
class Test:
    """A predicate on one value. Null gives false, negated or not; only IsNullTest sees null.

    storage: of the value tested. matching: how many elements must pass (arrays only; the element's predicate and negation
    are judged per element first); None on scalars and for null tests, which look at the array itself.
    """

    __test__: ClassVar[bool] = False  # pytest would take it for a test case

    predicate: Predicate
    storage: Storage
    negated: bool = False
    matching: ArrayMatching | None = None


@dataclass(frozen=True, slots=True)
class RowTest:
    """A test of one column of a behavior's row; column "timestamp" is the event's time."""

    column: str
    test: Test


@dataclass(frozen=True, slots=True)
class RowAll:
    """Every part holds; no parts: every row."""

    parts: tuple[RowFilter, ...]


@dataclass(frozen=True, slots=True)
class RowAny:
    """Some part holds; no parts: no row."""

    parts: tuple[RowFilter, ...]


@dataclass(frozen=True, slots=True)
class RowNot:
    """The complement, nulls included."""

    part: RowFilter


RowFilter = RowTest | RowAll | RowAny | RowNot
ALL_ROWS = RowAll(())


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is computed over a profile's rows of one behavior that pass `windows` (all of them) and `filter`, as of as_of.

    storage: of the result: int64 for counts; decimal for Sum and Average of numbers (exact: float64 values are rounded to
    6 digits after the point first, ties away from zero, so that a sum does not depend on the order of its rows);
    the column's own for Min, Max, First, Last. column_storage/column_scale: of columns[0] ("int64", 0 for Count).
    order_column "": by time. Ties of First and Last go by order of arrival.
    sliding_micros: the aggregate is taken over each window `(t - sliding, t]` that ends at the time t of one of the rows; a
    profile without rows has one empty window. The test holds when it holds for some window (and some group).
    """

    behavior: str
    key: AggregationKey = "Count"
    columns: tuple[str, ...] = ()
    storage: Storage = "int64"
    column_storage: Storage = "int64"
    column_scale: int = 0
    filter: RowFilter = ALL_ROWS
    windows: tuple[Window, ...] = ()
    grouping: tuple[str, ...] = ()
    order_column: str = ""
    sliding_micros: int | None = None


# --- leaves -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttributeLeaf:
    """A test of one attribute."""

    attribute: str
    test: Test


@dataclass(frozen=True, slots=True)
class BehaviorLeaf:
    """A test of an aggregate. With grouping: some group satisfies it (no rows: no group: false)."""

    aggregate: Aggregate
    test: Test


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """One step: rows of `behavior` that pass windows and filter; `within_micros` after the previous step (None: any time later)."""

    behavior: str
    filter: RowFilter = ALL_ROWS
    windows: tuple[Window, ...] = ()
    within_micros: int | None = None


@dataclass(frozen=True, slots=True)
class SequenceLeaf:
    """Some chain of rows t1 < t2 < ... with t(k) - t(k-1) <= within(k) completes all steps."""

    steps: tuple[SequenceStep, ...]


@dataclass(frozen=True, slots=True)
class MemberLeaf:
    """Membership in another segment, by its path."""

    path: str


@dataclass(frozen=True, slots=True)
class VariantLeaf:
    """The hash of (test_id, text of `key_column`) lies in [low, high), both in 1/2**64 of the whole, 0 <= low <= high <= 2**64.

    The hash is the first 16 hex digits of SHA-256 of "<test_id>:<key>" (UTF-8) as a number; null keys are in no variant.
    """

    test_id: str
    key_column: str
    low: int
    high: int


Leaf = AttributeLeaf | BehaviorLeaf | SequenceLeaf | MemberLeaf | VariantLeaf

# --- combinations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts: everybody."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds; no parts: nobody."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The complement."""

    part: Expr


@dataclass(frozen=True, slots=True)
class TopOrder:
    """An ordering key: an attribute, or the value of an aggregate. Nulls last, whichever the direction."""

    by: str | Aggregate
    descending: bool


@dataclass(frozen=True, slots=True)
class Top:
    """The first `number` (or percent, rounded up) of `part` in that order; ties by cdp_customer_id ascending."""

    part: Expr
    kind: Literal["Count", "Percent"]
    number: Decimal
    order: tuple[TopOrder, ...]


Expr = Leaf | All | AnyOf | Not | Top
EVERYBODY = All(())
NOBODY = AnyOf(())
