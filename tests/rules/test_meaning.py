"""The normal form has the members of the rule, on data with nulls, for rules as odd as they come."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.evaluation.reference import members
from kohort.foundation.calendar import Duration, Unit
from kohort.foundation.instants import parse_instant
from kohort.rules.ast import (
    Aggregation,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operator,
    Order,
    Rule,
    SequenceCondition,
    Step,
    TextMatch,
    TimeCalendar,
    TimeInBetweenNext,
    TimeRange,
    Timestamp,
    TimeToday,
    TimeWithin,
)
from kohort.rules.check import check_rule
from kohort.rules.diff import diff_rules
from kohort.rules.normalize import normalize
from kohort.testing.dataset import Dataset

DATA = Dataset.from_mapping(
    {
        "zone": "America/New_York",
        "attributes": {"n": "int64", "x": "float64", "t": "text", "seen": "timestamp", "born": "date", "tags": "text_array"},
        "profiles": {
            "a": {"n": 1, "x": 0.5, "t": "a", "seen": "2024-03-09T12:00:00Z", "born": "2024-03-10", "tags": ["a", "b"]},
            "b": {"n": 2, "x": 2.0, "t": "ab", "seen": "2024-03-11T04:00:00Z", "born": "2024-02-29", "tags": []},
            "c": {"n": 3, "t": "", "seen": "2024-03-11T16:00:00Z", "tags": ["b", None]},
            "d": {},
            "e": {"n": 2, "x": 1.5, "t": "b", "born": "2024-03-12"},
        },
        "behaviors": {
            "e": {
                "columns": {"k": "text", "v": "int64"},
                "rows": [
                    ["a", "2024-03-11T15:00:00Z", {"k": "a", "v": 1}],
                    ["a", "2024-03-10T15:00:00Z", {"k": "b", "v": 2}],
                    ["b", "2024-03-01T00:00:00Z", {"k": "a"}],
                    ["b", "2024-02-01T00:00:00Z", {"v": 3}],
                    ["c", "2024-03-12T00:00:00Z", {"k": "a", "v": 1}],
                    ["e", "2024-03-11T04:00:00Z", {}],
                ],
            }
        },
    }
)
AS_OF = parse_instant("2024-03-11T16:00:00Z", DATA.zone) or 0
FLAG = st.booleans()
NUMBERS = st.sampled_from([0, 1, 2, 2.0, 1.5, 3, -1])
TEXTS = st.sampled_from(["a", "b", "ab", ""])
UNITS: st.SearchStrategy[Unit] = st.sampled_from(["month", "week", "day", "hour"])
DURATIONS = st.builds(Duration.of, st.sampled_from([0, 1, 2, 7, 24]), UNITS)
FIXED = st.builds(Duration.of, st.sampled_from([1, 24]), st.sampled_from(["hour", "day"]))
TIMES = st.one_of(
    st.sampled_from(["2024-03-10", "2024-03-11T16:00:00Z", 1_710_172_800]),
    st.just(Timestamp("2024-03-11")),
    DURATIONS.map(Ago),
    DURATIONS.map(Ahead),
)


def compared(values: st.SearchStrategy[Any], listed: st.SearchStrategy[Any]) -> st.SearchStrategy[Operator]:
    bounds = st.tuples(st.none() | values, st.none() | values).filter(lambda pair: pair != (None, None))
    keys = st.sampled_from(["Equal", "Greater", "GreaterEqual", "Less", "LessEqual"])
    return st.one_of(
        st.builds(Comparison, keys, values, FLAG),
        bounds.flatmap(lambda pair: st.builds(Between, st.just(pair[0]), st.just(pair[1]), FLAG)),
        st.builds(In, st.lists(listed, min_size=1, max_size=3).map(tuple), FLAG),
        st.builds(IsNull, FLAG),
    )


NUMERIC = compared(NUMBERS, NUMBERS)
TEXTUAL = st.one_of(compared(TEXTS, TEXTS), st.builds(TextMatch, st.just("Contain"), st.lists(TEXTS, min_size=1).map(tuple), FLAG))
TEMPORAL = st.one_of(
    compared(TIMES, st.sampled_from(["2024-03-10", "2024-03-11", 1_710_172_800])),
    st.builds(TimeWithin, st.sampled_from(["TimeWithinPast", "TimeWithinNext"]), st.sampled_from([1, 7, 12]), UNITS, FLAG),
    st.builds(TimeRange, DURATIONS, DURATIONS.map(Ago), FLAG, FLAG),
    st.builds(TimeRange, st.none() | DURATIONS, UNITS, FLAG, FLAG),
    st.builds(TimeCalendar, st.sampled_from(["TimeThis", "TimeLast", "TimeNext"]), UNITS, FLAG),
    st.builds(TimeToday, st.sampled_from(["TimeToday", "TimeTodayAndBeyond"]), FLAG),
    st.builds(TimeInBetweenNext, DURATIONS, DURATIONS, FLAG),
)
LISTED = st.one_of(
    st.builds(Comparison, st.just("Equal"), TEXTS, FLAG),
    st.builds(In, st.lists(TEXTS, min_size=1, max_size=3).map(tuple), FLAG),
    st.builds(IsNull, FLAG),
)
MATCHINGS = st.one_of(
    st.sampled_from([None, ArrayMatching("any"), ArrayMatching("all")]),
    st.builds(ArrayMatching, st.sampled_from(["at_least", "at_most", "exactly"]), st.integers(0, 2)),
)


def limits(*order: str) -> st.SearchStrategy[Limit | None]:
    keys = st.lists(st.builds(Order, st.sampled_from(order), FLAG), max_size=1).map(tuple)
    some = st.one_of(
        st.builds(Limit, st.just("Count"), st.sampled_from([1, 2.0]), keys), st.builds(Limit, st.just("Percent"), st.just(50), keys)
    )
    return st.one_of(st.none(), st.none(), some)


def of_columns(kind: Any, **names: st.SearchStrategy[Operator]) -> st.SearchStrategy[Any]:
    matching = {"tags": MATCHINGS}
    return st.one_of(*(st.builds(kind, st.just(name), operator, matching.get(name, st.none()), FLAG) for name, operator in names.items()))


ATTRIBUTES = of_columns(AttributeCondition, n=NUMERIC, x=NUMERIC, t=TEXTUAL, seen=TEMPORAL, born=TEMPORAL, tags=LISTED)
COLUMNS = of_columns(ColumnCondition, k=TEXTUAL, v=NUMERIC, timestamp=TEMPORAL, time=TEMPORAL)
FILTERS = st.recursive(
    COLUMNS,
    lambda inner: st.builds(FilterGroup, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3).map(tuple), FLAG),
    max_leaves=4,
).map(lambda found: found if isinstance(found, FilterGroup) else FilterGroup("all", (found,)))
GROUPING = st.sampled_from([(), (), ("k",)])
AGGREGATES = st.one_of(
    st.tuples(st.builds(Aggregation, st.just("Count"), st.just(()), GROUPING), NUMERIC),
    st.tuples(st.builds(Aggregation, st.just("CountDistinct"), st.sampled_from([("k",), ("v", "k", "v")]), GROUPING), NUMERIC),
    st.tuples(st.builds(Aggregation, st.sampled_from(["Sum", "Average", "Max"]), st.just(("v",)), GROUPING), NUMERIC),
    st.tuples(st.builds(Aggregation, st.just("Last"), st.just(("k",)), GROUPING, st.sampled_from(["", "v", "timestamp"])), TEXTUAL),
    st.tuples(st.builds(Aggregation, st.just("Min"), st.just(("timestamp",)), GROUPING), TEMPORAL),
)
BEHAVIORS = AGGREGATES.flatmap(
    lambda pair: st.builds(
        BehaviorCondition,
        st.just("e"),
        st.just(pair[0]),
        st.just(pair[1]),
        st.none() | FILTERS,
        st.none() | FIXED,
        FLAG,
        limits("n"),
    )
)
SEQUENCES = st.builds(
    SequenceCondition,
    st.tuples(st.builds(Step, st.just("e"), st.none() | FILTERS), st.builds(Step, st.just("e"), st.none() | FILTERS, st.none() | FIXED)),
    FLAG,
)


def groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Group]:
    plain = st.builds(
        Group,
        st.sampled_from(["all", "any"]),
        st.lists(inner, max_size=3).map(tuple),
        exclude=FLAG,
        limit=limits("n", "t"),
    )
    advanced = st.builds(
        Group, st.just("expr"), st.tuples(inner, inner), st.sampled_from(["A and B", "1 or 2", "(A or B) and A"]), FLAG, limits("x")
    )
    return st.one_of(plain, plain, advanced)


RULES = groups(st.recursive(st.one_of(ATTRIBUTES, BEHAVIORS, SEQUENCES), groups, max_leaves=4))


@settings(max_examples=120, deadline=None)
@given(RULES)
def test_the_normal_form_has_the_same_members(rule: Rule) -> None:
    assert check_rule(rule, DATA.catalog).ok
    assert members(normalize(rule), DATA, AS_OF) == members(rule, DATA, AS_OF)


@settings(max_examples=30, deadline=None)
@given(RULES, RULES)
def test_without_changes_the_members_are_the_same(old: Rule, new: Rule) -> None:
    if not diff_rules(old, new):
        assert members(old, DATA, AS_OF) == members(new, DATA, AS_OF)
