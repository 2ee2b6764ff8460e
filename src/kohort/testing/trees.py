"""Random rule trees for Hypothesis: every node, every operator, every option; valid as trees, not bound to a catalog."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from kohort.foundation.calendar import FIXED_MICROS, UNITS, Duration, Unit
from kohort.rules.ast import (
    NO_EXTRAS,
    TIME_COLUMN,
    Aggregation,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    ComparisonKey,
    Condition,
    Extras,
    FilterCondition,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operand,
    Operator,
    Order,
    ReferenceCondition,
    ReferenceKind,
    Regexp,
    Rule,
    Scalar,
    SequenceCondition,
    Step,
    TextMatch,
    TextMatchKey,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "123456789"
P = ParamSpec("P")
T = TypeVar("T")


def _named(make: Callable[P, SearchStrategy[T]]) -> Callable[P, SearchStrategy[T]]:
    """A strategy that is built once and printed by its name, however large it is inside."""
    once = cache(make)

    def strategy(draw: st.DrawFn, /, *args: P.args, **options: P.kwargs) -> T:
        return draw(once(*args, **options))  # type: ignore[arg-type]

    strategy.__name__, strategy.__doc__ = make.__name__, make.__doc__
    return st.composite(strategy)


FIXED_UNITS: tuple[Unit, ...] = tuple(unit for unit in UNITS if unit in FIXED_MICROS)

# --- words ------------------------------------------------------------------------------------------------------

_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff")


@_named
def texts(min_size: int = 0) -> SearchStrategy[str]:
    """Text literals: blanks, quotes, signs and any script; no control characters."""
    awkward = st.sampled_from(
        ["Gold", "", " ", "it's", 'a "b"', "null", "true", "1", "a, b", "(x)", "2024-01-31", "é日本🎉", "\\n", "%_", "{}"]
    )
    return st.one_of(awkward, st.text(_CHARACTERS, max_size=6)).filter(lambda text: len(text) >= min_size)


@_named
def names() -> SearchStrategy[str]:
    """Names of attributes, behaviors, columns and segments: mostly plain, some that need quotes."""
    plain = st.sampled_from(["ltv", "tier", "country", "amount", "email_open", "purchase", "a1", "_x"])
    awkward = st.sampled_from(
        ["Lifetime Value", "in", "and", "count", "last", "1st", "a.b", "it's", 'say "x"', "größe", "not", "VIP/Gold", "null"]
    )
    return st.one_of(plain, plain, awkward, st.text(_CHARACTERS, min_size=1, max_size=5).filter(lambda name: name == name.strip()))


def descriptions() -> SearchStrategy[str]:
    return st.one_of(st.just(""), st.just(""), texts())


def numbers() -> SearchStrategy[int | float]:
    whole = st.one_of(st.integers(-1000, 1000), st.integers(-(2**70), 2**70))
    return st.one_of(whole, st.floats(allow_nan=False, allow_infinity=False))


@_named
def scalars() -> SearchStrategy[Scalar]:
    return st.one_of(numbers(), texts(), st.booleans())


@_named
def durations(units: tuple[Unit, ...] = UNITS, min_total: int = 0) -> SearchStrategy[Duration]:
    """Durations of one to three parts; `min_total` 1 rules out those of no length."""
    parts = st.dictionaries(st.sampled_from(units), st.integers(0, 400), min_size=1, max_size=3)
    single = st.builds(Duration.of, st.integers(min_total, 400), st.sampled_from(units))
    return st.one_of(single, parts.filter(lambda found: sum(found.values()) >= min_total).map(Duration.from_mapping))


@_named
def operands() -> SearchStrategy[Operand]:
    times = st.one_of(
        st.sampled_from(["2024-01-31", "2024-01-31T10:00:00Z", "2024-02-29 23:59:59.5 +09:00"]).map(Timestamp),
        durations().map(Ago),
        durations().map(Ahead),
    )
    return st.one_of(scalars(), scalars(), times)


# --- operators --------------------------------------------------------------------------------------------------


def _time_operators() -> SearchStrategy[Operator]:
    flag, unit = st.booleans(), st.sampled_from(UNITS)
    ago = st.builds(TimeRange, durations(), durations().map(Ago), flag, flag)
    of_unit = st.builds(TimeRange, durations(), unit, flag, flag)
    return st.one_of(
        st.builds(TimeWithin, st.sampled_from(["TimeWithinPast", "TimeWithinNext"]), st.integers(1, 1000), unit, flag),
        st.builds(TimeWithin, st.just("TimeWithinPast"), st.integers(1, 400), st.just("day")),
        ago,
        of_unit,
        st.builds(TimeRange, st.none(), unit, st.just(False), flag),
        st.builds(TimeToday, st.sampled_from(["TimeToday", "TimeTodayAndBeyond"]), flag),
        st.builds(TimeCalendar, st.sampled_from(["TimeThis", "TimeLast", "TimeNext"]), unit, flag),
        st.builds(TimeInBetweenNext, durations(), durations(), flag),
    )


@_named
def operators() -> SearchStrategy[Operator]:
    """Every operator with every kind of operand the tree allows."""
    flag = st.booleans()
    bounds = st.tuples(st.none() | operands(), st.none() | operands()).filter(lambda pair: pair != (None, None))
    return st.one_of(
        st.builds(Comparison, st.sampled_from(get_args(ComparisonKey)), operands(), flag),
        bounds.flatmap(lambda pair: st.builds(Between, st.just(pair[0]), st.just(pair[1]), flag)),
        st.builds(In, st.lists(scalars(), min_size=1, max_size=4).map(tuple), flag),
        st.builds(TextMatch, st.sampled_from(get_args(TextMatchKey)), st.lists(texts(), min_size=1, max_size=3).map(tuple), flag),
        st.builds(Regexp, st.sampled_from(["^a.*b$", "", "[0-9]+", "it's", 'q"', "\\d{3}", " "]), flag),
        st.builds(IsNull, flag),
        _time_operators(),
    )


def array_matchings() -> SearchStrategy[ArrayMatching | None]:
    counted = st.builds(ArrayMatching, st.sampled_from(["at_least", "at_most", "exactly"]), st.integers(0, 9))
    return st.one_of(st.none(), st.none(), st.just(ArrayMatching("any")), st.just(ArrayMatching("all")), counted)


# --- parts of conditions ----------------------------------------------------------------------------------------


@_named
def aggregations() -> SearchStrategy[Aggregation]:
    column = names().map(lambda name: (name,))
    grouping = st.one_of(st.just(()), st.lists(names(), max_size=2).map(tuple))
    return st.one_of(
        st.builds(Aggregation, st.just("Count"), st.just(()), grouping),
        st.builds(Aggregation, st.just("CountDistinct"), st.lists(names(), min_size=1, max_size=3).map(tuple), grouping),
        st.builds(Aggregation, st.sampled_from(["Sum", "Average", "Min", "Max"]), column, grouping),
        st.builds(Aggregation, st.sampled_from(["First", "Last"]), column, grouping, st.just("") | names()),
    )


@_named
def limits(aggregate: bool = False) -> SearchStrategy[Limit | None]:
    """No limit, or one ordered by attributes; with `aggregate` also by the condition's own aggregate."""
    columns = st.builds(Order, names(), st.booleans())
    order = st.lists(columns | st.builds(Order, st.just(""), st.booleans()) if aggregate else columns, max_size=2).map(tuple)
    percent = st.one_of(st.integers(1, 100), st.floats(0.001, 100).map(lambda number: float(round(Decimal(number), 3))))
    some = st.one_of(st.builds(Limit, st.just("Count"), st.integers(1, 10**6), order), st.builds(Limit, st.just("Percent"), percent, order))
    return st.one_of(st.none(), st.none(), st.none(), some)


@_named
def json_values() -> SearchStrategy[Any]:
    """Any JSON value, small; numbers finite."""
    flat = st.one_of(st.none(), st.booleans(), st.integers(-10, 10), st.floats(allow_nan=False, allow_infinity=False), texts())
    return st.recursive(
        flat, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts(), inner, max_size=2)), max_leaves=4
    )


@_named
def extras(*keys: str) -> SearchStrategy[Extras]:
    """Mostly none; otherwise keys nobody interprets, those of `keys` (flat, as files have them) among them."""
    key = st.sampled_from(["x_note", "x_id", "größe", "a.b", *keys])
    some = st.dictionaries(key, json_values(), min_size=1, max_size=2).map(Extras.of)
    return st.one_of(st.just(NO_EXTRAS), st.just(NO_EXTRAS), st.just(NO_EXTRAS), some)


@_named
def column_conditions() -> SearchStrategy[ColumnCondition]:
    columns = st.one_of(names(), st.just(TIME_COLUMN))
    return st.builds(ColumnCondition, columns, operators(), array_matchings(), st.booleans(), extras("operator.x"))


@_named
def filters() -> SearchStrategy[FilterGroup | None]:
    """No filter, or a tree of column conditions; a root `all` that says nothing is None, as in the tree."""

    def group(inner: SearchStrategy[FilterCondition]) -> SearchStrategy[FilterGroup]:
        return st.builds(FilterGroup, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3).map(tuple), st.booleans(), extras())

    def nest(inner: SearchStrategy[FilterCondition]) -> SearchStrategy[FilterCondition]:
        return st.one_of(column_conditions(), group(inner))

    root = group(st.recursive(column_conditions(), nest, max_leaves=3))
    recent = st.builds(
        lambda days, rest: FilterGroup("all", (ColumnCondition(TIME_COLUMN, TimeWithin("TimeWithinPast", days, "day")), *rest)),
        st.integers(1, 400),
        st.lists(column_conditions(), max_size=1),
    )
    return st.one_of(st.none(), recent, root.map(lambda found: None if found == FilterGroup("all", ()) else found))


# --- conditions -------------------------------------------------------------------------------------------------


@_named
def attribute_conditions() -> SearchStrategy[AttributeCondition]:
    known = extras("leftValue.visibility", "leftValue.x", "operator.x")
    customer_group = st.one_of(st.just(""), st.just(""), st.sampled_from(["accounts", "My group"]))
    return st.builds(
        AttributeCondition, names(), operators(), array_matchings(), st.booleans(), limits(), descriptions(), customer_group, known
    )


@_named
def behavior_conditions() -> SearchStrategy[BehaviorCondition]:
    sliding = st.one_of(st.none(), st.none(), durations(FIXED_UNITS, min_total=1))
    known = extras("leftValue.source.x", "leftValue.aggregation.x", "leftValue.x", "operator.x")
    return st.builds(
        BehaviorCondition, names(), aggregations(), operators(), filters(), sliding, st.booleans(), limits(True), descriptions(), known
    )


@_named
def sequence_conditions() -> SearchStrategy[SequenceCondition]:
    first = st.builds(Step, names(), filters())
    later = st.builds(Step, names(), filters(), st.none() | durations(FIXED_UNITS, min_total=1))
    steps = st.builds(lambda start, rest: (start, *rest), first, st.lists(later, min_size=1, max_size=2))
    return st.builds(SequenceCondition, steps, st.booleans(), limits(), descriptions(), extras())


@_named
def reference_conditions() -> SearchStrategy[ReferenceCondition]:
    target = st.one_of(names(), st.sampled_from(["Marketing/VIP", "123", "High value"]))
    kind = st.one_of(st.just("Segment"), st.sampled_from(get_args(ReferenceKind)))
    return st.builds(ReferenceCondition, target, kind, st.booleans(), limits(), descriptions(), extras())


def _logic(draw: st.DrawFn, ids: list[str]) -> str:
    """A random expression that names every id at least once."""
    if len(ids) == 1:
        return ids[0]
    cut = draw(st.integers(1, len(ids) - 1))
    word = draw(st.sampled_from(["and", "or"]))
    return f"({_logic(draw, ids[:cut])} {word} {_logic(draw, ids[cut:])})"


@st.composite
def _groups(draw: st.DrawFn, inner: SearchStrategy[Condition], min_size: int = 0) -> Group:
    conditions = tuple(draw(st.lists(inner, min_size=min_size, max_size=3)))
    kinds: list[Literal["all", "any", "expr"]] = ["all", "all", "any", "expr"] if conditions else ["all", "any"]
    match = draw(st.sampled_from(kinds))
    expr = ""
    if match == "expr":
        names_ = draw(st.sampled_from([_LETTERS, _DIGITS]))[: len(conditions)]
        ids = list(draw(st.permutations(list(names_))))
        if draw(st.booleans()):
            ids.append(ids[0])
        expr = _logic(draw, ids)
        if expr.startswith("(") and draw(st.booleans()):
            expr = expr[1:-1]
    return Group(match, conditions, expr, draw(st.booleans()), draw(limits()), draw(descriptions()), draw(extras()))


@_named
def conditions() -> SearchStrategy[Condition]:
    """Any one condition that is not a group."""
    return st.one_of(attribute_conditions(), behavior_conditions(), sequence_conditions(), reference_conditions())


@_named
def rules(max_leaves: int = 6) -> SearchStrategy[Rule]:
    """Any valid rule tree."""

    def nest(inner: SearchStrategy[Condition]) -> SearchStrategy[Condition]:
        return st.one_of(conditions(), _groups(inner))

    return _groups(st.recursive(conditions(), nest, max_leaves=max_leaves))
