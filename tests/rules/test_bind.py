from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.evaluation.reference.operators import Operators
from kohort.evaluation.reference.windows import moment
from kohort.foundation.calendar import Duration
from kohort.foundation.errors import UserError
from kohort.foundation.instants import DAY, SECOND, parse_instant
from kohort.foundation.windows import OPEN, Edge, Window
from kohort.parent.catalog import Behavior, Field, FieldCatalog, Storage
from kohort.rules.ast import (
    EVERYBODY,
    Aggregation,
    Ago,
    Ahead,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Between,
    ColumnCondition,
    Comparison,
    Condition,
    FilterGroup,
    Group,
    In,
    IsNull,
    Limit,
    Operator,
    Order,
    ReferenceCondition,
    Regexp,
    SequenceCondition,
    Step,
    TextMatch,
    TimeCalendar,
    TimeRange,
    TimeToday,
    TimeWithin,
)
from kohort.rules.bind import bind, expr_fingerprint, leaf_fingerprint, leaves
from kohort.rules.core import (
    ALL_ROWS,
    NOBODY,
    Aggregate,
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    InWindow,
    IsNullTest,
    Matches,
    MemberLeaf,
    Never,
    Not,
    OneOf,
    Range,
    RowAny,
    RowNot,
    RowTest,
    SequenceLeaf,
    SequenceStep,
    TextAny,
    Top,
    TopOrder,
)
from kohort.rules.core import Test as CoreTest
from kohort.rules.instant_windows import window_of
from kohort.rules.predicates import bind_test

CATALOG = FieldCatalog(
    attributes=(
        Field("n", "number", "int64"),
        Field("x", "number", "float64"),
        Field("money", "number", "decimal", scale=2),
        Field("t", "string", "text"),
        Field("flag", "boolean", "boolean"),
        Field("seen", "timestamp", "timestamp"),
        Field("born", "date", "date"),
        Field("tags", "string_array", "text_array"),
        Field("whole", "number_array", "int64_array"),
    ),
    behaviors=(
        Behavior("e", (Field("amount", "number", "decimal", scale=2), Field("k", "string", "text"), Field("at", "timestamp", "timestamp"))),
    ),
    timezone="Asia/Tokyo",
)
TOKYO = ZoneInfo("Asia/Tokyo")
UTC = ZoneInfo("UTC")
PAST_30_DAYS = Window(Edge("as_of", False, ((-1, Duration.of(30, "day")),)), Edge("as_of"))
LAST_30_DAYS = ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 30, "day"))
MORE = Comparison("Greater", 1)


def core(*conditions: Condition, **options: Any) -> Expr:
    return bind(Group("all", conditions, **options), CATALOG, {"VIP": "Marketing/VIP"}.get)


def of_attribute(name: str, operator: Operator, matching: ArrayMatching | None = None) -> CoreTest:
    found = core(AttributeCondition(name, operator, matching))
    assert isinstance(found, AttributeLeaf)
    assert found.attribute == name
    return found.test


def never(storage: Storage, *, always: bool = False) -> CoreTest:
    return CoreTest(Never(), storage, negated=always)


def point(text: str) -> Window:
    instant = parse_instant(text, TOKYO)
    assert instant is not None
    edge = Edge("absolute", instant=instant)
    return Window(edge, edge)


@pytest.mark.parametrize(
    ("name", "operator", "test"),
    [
        ("n", Comparison("Greater", 3), CoreTest(Compare(">", 3), "int64")),
        ("n", Comparison("Greater", 1.5), CoreTest(Compare(">=", 2), "int64")),
        ("n", Comparison("Less", -1.5), CoreTest(Compare("<=", -2), "int64")),
        ("n", Comparison("Equal", 1.5), never("int64")),
        ("n", Comparison("Equal", 1.5, negated=True), never("int64", always=True)),
        ("n", Comparison("Less", 10**30), never("int64", always=True)),
        ("n", Comparison("Greater", 1e30), never("int64")),
        ("n", Comparison("LessEqual", -(2**63) - 1), never("int64")),
        ("n", In((1, 2.5, 3.0, 3)), CoreTest(OneOf((1, 3)), "int64")),
        ("n", In((1.5, 2.5), negated=True), never("int64", always=True)),
        ("n", Between(0.5, 2.5), CoreTest(Range(1, 2), "int64")),
        ("n", Between(1.2, 1.8), never("int64")),
        ("n", Between(-(10**30), 5), CoreTest(Compare("<=", 5), "int64")),
        ("n", Between(-(10**30), 10**30), never("int64", always=True)),
        ("x", Comparison("Greater", 3), CoreTest(Compare(">", 3.0), "float64")),
        ("x", Comparison("Greater", 10**400), never("float64")),
        ("x", Comparison("Less", 10**400), never("float64", always=True)),
        ("x", In((2**53, 2**53 + 1)), CoreTest(Compare("=", float(2**53)), "float64")),
        ("money", Comparison("GreaterEqual", 0.1), CoreTest(Compare(">=", Decimal("0.1")), "decimal")),
        ("money", Between(1, 2.50), CoreTest(Range(Decimal(1), Decimal("2.5")), "decimal")),
        ("t", In(("b", "a", "b")), CoreTest(OneOf(("a", "b")), "text")),
        ("t", Between("b", "a"), never("text")),
        ("t", Comparison("LessEqual", "m", negated=True), CoreTest(Compare(">", "m"), "text")),
        ("t", TextMatch("EndWith", ("y", "x"), negated=True), CoreTest(TextAny("end", ("x", "y")), "text", True)),
        ("t", Regexp("^a"), CoreTest(Matches("^a"), "text")),
        ("t", IsNull(negated=True), CoreTest(IsNullTest(), "text", True)),
        ("flag", Comparison("Equal", True, negated=True), CoreTest(Compare("=", False), "boolean")),
        ("born", Comparison("Equal", "2000-01-01"), CoreTest(InWindow(point("2000-01-01")), "date")),
        ("seen", Comparison("Equal", 86_400), CoreTest(InWindow(point("1970-01-02T00:00:00Z")), "timestamp")),
    ],
)
def test_literals_have_the_type_of_their_field(name: str, operator: Operator, test: CoreTest) -> None:
    found = of_attribute(name, operator)
    assert found == test
    assert type(getattr(found.predicate, "literal", 0)) is type(getattr(test.predicate, "literal", 0))


def test_arrays_test_their_elements() -> None:
    any_of = ArrayMatching("any")
    assert of_attribute("tags", Comparison("Equal", "a")) == CoreTest(Compare("=", "a"), "text_array", False, any_of)
    assert of_attribute("whole", Comparison("Equal", 0.5), ArrayMatching("all")) == CoreTest(
        Never(), "int64_array", False, ArrayMatching("all")
    )
    assert of_attribute("tags", IsNull(), ArrayMatching("all")) == CoreTest(IsNullTest(), "text_array")


DAY_1 = Duration.of(1, "day")
BEFORE_1, AFTER_1 = Edge("as_of", True, ((-1, DAY_1),)), Edge("as_of", True, ((1, DAY_1),))
TODAY, TOMORROW = Edge("unit_start", unit="day"), Edge("unit_start", False, unit="day", offset=1)


@pytest.mark.parametrize(
    ("operator", "window"),
    [
        (TimeWithin("TimeWithinPast", 30, "day"), PAST_30_DAYS),
        (TimeWithin("TimeWithinNext", 1, "day"), Window(Edge("as_of", False), AFTER_1)),
        (Comparison("Greater", Ago(DAY_1)), Window(Edge("as_of", False, ((-1, DAY_1),)), OPEN)),
        (Comparison("LessEqual", Ahead(DAY_1)), Window(OPEN, AFTER_1)),
        (Between(Ago(DAY_1), None), Window(BEFORE_1, OPEN)),
        (Between(Ago(DAY_1), Ago(DAY_1)), Window(BEFORE_1, BEFORE_1, True)),
        (Between(Ago(DAY_1), Ahead(DAY_1)), Window(BEFORE_1, AFTER_1)),
        (TimeToday(), Window(TODAY, TOMORROW)),
        (TimeToday("TimeTodayAndBeyond"), Window(TODAY, OPEN)),
        (TimeCalendar("TimeThis", "day"), Window(TODAY, Edge("as_of"))),
        (TimeCalendar("TimeLast", "day"), Window(Edge("unit_start", unit="day", offset=-1), Edge("unit_start", False, unit="day"))),
        (
            TimeCalendar("TimeNext", "month"),
            Window(Edge("unit_start", unit="month", offset=1), Edge("unit_start", False, unit="month", offset=2)),
        ),
        (TimeRange(DAY_1, Ago(DAY_1)), Window(BEFORE_1, Edge("as_of", False, ((-1, DAY_1), (1, DAY_1))))),
        (
            TimeRange(DAY_1, Ago(DAY_1), reverse=True),
            Window(Edge("as_of", True, ((-1, DAY_1), (-1, DAY_1))), Edge("as_of", False, ((-1, DAY_1),))),
        ),
        (TimeRange(DAY_1, "day"), Window(TODAY, Edge("unit_start", False, ((1, DAY_1),)))),
        (TimeRange(None, "day"), Window(TODAY, Edge("as_of"))),
    ],
)
def test_windows(operator: Any, window: Window) -> None:
    assert window_of(operator, UTC) == window


def test_in_on_times_is_one_window_for_each_instant() -> None:
    days = ("2024-01-01", "2024-01-02", "2024-01-01T00:00:00+09:00")
    tests = [CoreTest(InWindow(point(day)), "date") for day in days[:2]]
    assert core(AttributeCondition("born", In(days))) == AnyOf(tuple(AttributeLeaf("born", test) for test in tests))
    negated = core(AttributeCondition("born", In(days, negated=True)))
    assert isinstance(negated, All)
    assert all(isinstance(part, AttributeLeaf) and part.test.negated for part in negated.parts)


def test_none_of_several_instants_in_some_group_is_one_gap_between_them() -> None:
    """Some group's latest time is in none of the windows: the group must be the same for all of them."""
    values = In(("2024-01-01", "2024-01-02"), negated=True)
    expr = core(BehaviorCondition("e", Aggregation("Max", ("at",), ("k",)), values))
    assert isinstance(expr, AnyOf)
    assert len(expr.parts) == 3
    assert not any(leaf.test.negated for leaf in leaves(expr) if isinstance(leaf, BehaviorLeaf))


def test_windows_of_a_filter_move_out_of_it() -> None:
    rows = FilterGroup("all", (LAST_30_DAYS, ColumnCondition("k", Comparison("Equal", "a"))))
    k = RowTest("k", CoreTest(Compare("=", "a"), "text"))
    expr = core(BehaviorCondition("e", Aggregation(), MORE, rows))
    assert expr == BehaviorLeaf(Aggregate("e", filter=k, windows=(PAST_30_DAYS,)), CoreTest(Compare(">", 1), "int64"))
    alone = core(BehaviorCondition("e", Aggregation(), MORE, FilterGroup("any", (LAST_30_DAYS,))))
    assert alone == BehaviorLeaf(Aggregate("e", windows=(PAST_30_DAYS,)), CoreTest(Compare(">", 1), "int64"))


def filter_of(*conditions: Any, **options: Any) -> Aggregate:
    rows = FilterGroup(options.pop("match", "all"), conditions, **options)
    [leaf] = leaves(core(BehaviorCondition("e", Aggregation(), MORE, rows)))
    assert isinstance(leaf, BehaviorLeaf)
    return leaf.aggregate


def test_windows_that_must_stay_in_the_filter() -> None:
    k = ColumnCondition("k", Comparison("Equal", "a"))
    negated = ColumnCondition("timestamp", TimeWithin("TimeWithinPast", 30, "day", negated=True))
    either = filter_of(LAST_30_DAYS, k, match="any")
    assert isinstance(either.filter, RowAny)
    assert either.windows == ()
    assert filter_of(negated).filter == RowTest("timestamp", CoreTest(InWindow(PAST_30_DAYS), "timestamp", True))
    excluded = filter_of(ColumnCondition("at", TimeWithin("TimeWithinPast", 30, "day")), exclude=True)
    assert excluded.filter == RowNot(RowTest("at", CoreTest(InWindow(PAST_30_DAYS), "timestamp")))
    assert excluded.windows == ()


def test_time_is_timestamp() -> None:
    before = Comparison("Less", "2024-01-01")
    assert filter_of(ColumnCondition("time", before)) == filter_of(ColumnCondition("timestamp", before))
    excluded = filter_of(ColumnCondition("time", before, exclude=True))
    assert excluded.filter == ALL_ROWS
    assert excluded.windows == (Window(point("2024-01-01").low, OPEN),)


@pytest.mark.parametrize(
    ("aggregation", "operator", "storage", "predicate"),
    [
        (Aggregation("Sum", ("amount",)), Comparison("GreaterEqual", 500.0), "decimal", Compare(">=", Decimal(500))),
        (Aggregation("Average", ("amount",)), Comparison("Less", 0.1), "decimal", Compare("<", Decimal("0.1"))),
        (Aggregation("CountDistinct", ("k", "amount")), Comparison("Greater", 2.5), "int64", Compare(">=", 3)),
        (Aggregation("Min", ("k",)), Comparison("Equal", "a"), "text", Compare("=", "a")),
        (Aggregation("Last", ("at",), (), "time"), TimeWithin("TimeWithinPast", 30, "day"), "timestamp", InWindow(PAST_30_DAYS)),
    ],
)
def test_results_of_aggregates(aggregation: Aggregation, operator: Operator, storage: str, predicate: object) -> None:
    [leaf] = leaves(core(BehaviorCondition("e", aggregation, operator, sliding=Duration.of(2, "hour"))))
    assert isinstance(leaf, BehaviorLeaf)
    assert (leaf.test.storage, leaf.test.predicate, leaf.aggregate.storage) == (storage, predicate, storage)
    assert leaf.aggregate.sliding_micros == 7200 * SECOND
    assert leaf.aggregate.order_column == ""


def test_columns_keep_their_storage_and_scale() -> None:
    [leaf] = leaves(core(BehaviorCondition("e", Aggregation("Sum", ("amount",), ("k", "k")), MORE)))
    assert isinstance(leaf, BehaviorLeaf)
    assert leaf.aggregate == Aggregate("e", "Sum", ("amount",), "decimal", "decimal", 2, grouping=("k",))


def test_exclude_then_limit() -> None:
    condition = AttributeCondition("t", Comparison("Equal", "a"), exclude=True, limit=Limit("Percent", 2.50, (Order("x", True),)))
    leaf = AttributeLeaf("t", CoreTest(Compare("=", "a"), "text"))
    assert core(condition) == Top(Not(leaf), "Percent", Decimal("2.5"), (TopOrder("x", True),))
    by_aggregate = core(BehaviorCondition("e", Aggregation(), MORE, limit=Limit("Count", 10, (Order(),))))
    assert isinstance(by_aggregate, Top)
    assert by_aggregate.order == (TopOrder(Aggregate("e"), False),)


def test_combinations() -> None:
    a, b, c = (AttributeCondition("n", Comparison("Equal", value)) for value in (1, 2, 3))
    expr = core(Group("expr", (a, b, c), "(A or B) and C"))
    [one, two, three] = [AttributeLeaf("n", CoreTest(Compare("=", value), "int64")) for value in (1, 2, 3)]
    assert expr == All((three, AnyOf((one, two)))) or expr == All((AnyOf((one, two)), three))
    assert bind(EVERYBODY, CATALOG, {}.get) == All(())
    assert core(Group("any", ())) == NOBODY


def test_references_and_sequences() -> None:
    assert core(ReferenceCondition("VIP", exclude=True)) == Not(MemberLeaf("Marketing/VIP"))
    steps = (Step("e"), Step("e", FilterGroup("all", (LAST_30_DAYS,)), Duration.of(1, "day")))
    assert core(SequenceCondition(steps)) == SequenceLeaf((SequenceStep("e"), SequenceStep("e", ALL_ROWS, (PAST_30_DAYS,), DAY)))


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (AttributeCondition("nope", MORE), "UNKNOWN_ATTRIBUTE"),
        (AttributeCondition("n", Comparison("Equal", "x")), "INVALID_VALUE"),
        (AttributeCondition("seen", Comparison("Equal", "x")), "INVALID_TIMESTAMP"),
        (BehaviorCondition("nope", Aggregation(), MORE), "UNKNOWN_BEHAVIOR"),
        (BehaviorCondition("e", Aggregation("Sum", ("nope",)), MORE), "UNKNOWN_COLUMN"),
        (ReferenceCondition("nope"), "MISSING_SEGMENT_REFERENCE"),
        (Group("expr", (), "A"), "INVALID_EXPR"),
    ],
)
def test_a_rule_that_was_not_checked_is_refused(condition: Condition, code: str) -> None:
    with pytest.raises(UserError) as caught:
        core(condition)
    assert caught.value.code == code


def test_fingerprints_are_for_ever() -> None:
    """These names are stored with results: a change of them throws every stored result away."""
    leaf = core(BehaviorCondition("e", Aggregation(), MORE, FilterGroup("all", (LAST_30_DAYS,))))
    assert isinstance(leaf, BehaviorLeaf)
    other = core(BehaviorCondition("e", Aggregation(), Comparison("LessEqual", 1.0, negated=True), FilterGroup("any", (LAST_30_DAYS,))))
    assert leaf_fingerprint(leaf) == expr_fingerprint(other) == "17ab3dc4605f461da84d18f17f4f9dd1"
    assert expr_fingerprint(core(ReferenceCondition("VIP", exclude=True))) == "507289db6555d1bc408e94610fb1e7fc"


# --- against the reference evaluator ----------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30, -(10**30)]),
    st.sampled_from([0.5, -1.5, 0.1, 1e300, -1e300, 9.3e18]),
)
TEXTS = st.sampled_from(["", "a", "ab", "B", "é", "🎉"])


def operators(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Operator]:
    flag = st.booleans()
    bounds = st.tuples(st.none() | values, st.none() | values).filter(lambda pair: pair != (None, None))
    return st.one_of(
        st.builds(Comparison, st.sampled_from(["Equal", "Greater", "GreaterEqual", "Less", "LessEqual"]), values, flag),
        bounds.flatmap(lambda pair: st.builds(Between, st.just(pair[0]), st.just(pair[1]), flag)),
        st.builds(In, st.lists(values, min_size=1, max_size=3).map(tuple), flag),
        st.builds(IsNull, flag),
    )


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)])),
    "float64": st.one_of(st.none(), st.sampled_from([0.0, 0.5, -1.5, 0.1, 3.0, 1e300, -1e300, float(2**53)])),
    "decimal": st.none() | st.sampled_from(["0.1", "0.5", "3.00", "-1.50"]).map(Decimal),
    "text": st.none() | TEXTS,
}


@pytest.mark.parametrize("storage", list(CELLS))
@given(st.data())
def test_bound_tests_judge_values_as_the_reference_does(storage: Storage, data: st.DataObject) -> None:
    operator = data.draw(operators(TEXTS if storage == "text" else NUMBERS))
    value = data.draw(CELLS[storage])
    expected = Operators(moment(0), UTC).passes(operator, value, storage)
    assert judged(bind_test(operator, storage, None, UTC), value) == expected


def judged(test: CoreTest, value: Any) -> bool:
    """A core test of one value, as core.py describes it."""
    if isinstance(test.predicate, IsNullTest):
        return (value is None) != test.negated
    if value is None:
        return False
    match test.predicate:
        case Compare(op, literal):
            passed = {"=": value == literal, "<": value < literal, "<=": value <= literal, ">": value > literal, ">=": value >= literal}[op]
        case Range(low, high):
            passed = low <= value <= high
        case OneOf(literals):
            passed = value in literals
        case Never():
            passed = False
        case other:
            raise AssertionError(other)
    return bool(passed) != test.negated
