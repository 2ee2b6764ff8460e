"""Attributes and behaviors in SQL: the members that `evaluate` finds, in one range and in ranges of 3, and that the statement selects."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from kohort.adapters.duckdb.warehouse import DuckDBWarehouse
from kohort.evaluation.evaluate import evaluate
from kohort.foundation.calendar import Duration
from kohort.foundation.instants import DAY, HOUR
from kohort.foundation.windows import OPEN, Edge, Window
from kohort.rules.ast import ArrayMatching
from kohort.rules.core import (
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    InWindow,
    IsNullTest,
    Matches,
    Never,
    OneOf,
    Range,
    RowAll,
    RowAny,
    RowNot,
    SequenceLeaf,
    TextAny,
)
from kohort.testing.dataset_tables import load_into
from tests.evaluation.sql_world import A_ROWS, AS_OF, DATASET, EVERYONE, NUMBER, PARENT, SEQUENCES, done, evaluated, found, has, row

PAST_MONTH = Window(Edge("as_of", False, ((-1, Duration.of(1, "month")),)), Edge("as_of"))


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(None) as opened:
        load_into(opened, DATASET, PARENT, NUMBER)
        yield opened


ATTRIBUTES: list[tuple[AttributeLeaf, set[str]]] = [
    (has("tier", Compare("=", "Gold")), {"ann", "eve"}),
    (has("tier", Compare("=", "Gold"), negated=True), {"bob", "cat"}),
    (has("tier", Compare("=", "gold'é")), {"bob"}),
    (has("tier", Compare("<", "a")), {"ann", "cat", "eve"}),
    (has("tier", OneOf(("", "Gold"))), {"ann", "cat", "eve"}),
    (has("tier", OneOf(("", "Gold")), negated=True), {"bob"}),
    (has("tier", TextAny("contain", ("'é", "zz"))), {"bob"}),
    (has("tier", TextAny("contain", ("",))), {"ann", "bob", "cat", "eve"}),
    (has("tier", TextAny("start", ("G", "q")), negated=True), {"bob", "cat"}),
    (has("tier", TextAny("end", ("d", "é"))), {"ann", "bob", "eve"}),
    (has("tier", Matches("^[Gg]old.?.?$")), {"ann", "bob", "eve"}),
    (has("tier", Matches("o"), negated=True), {"cat"}),
    (has("tier", IsNullTest()), {"dan"}),
    (has("tier", IsNullTest(), negated=True), {"ann", "bob", "cat", "eve"}),
    (has("tier", Never()), set()),
    (has("tier", Never(), negated=True), {"ann", "bob", "cat", "eve"}),
    (has("age", Compare(">", 30)), {"bob"}),
    (has("age", Compare(">=", 2**63 - 1)), {"bob"}),
    (has("age", Compare(">", 2**63 - 2)), {"bob"}),
    (has("age", Compare("<", 10**40)), {"ann", "bob", "cat", "eve"}),
    (has("age", Compare("<", 10**40), negated=True), set()),
    (has("age", Compare(">", -(10**400))), {"ann", "bob", "cat", "eve"}),
    (has("age", OneOf((30, 2**63 - 2, 10**40))), {"ann", "eve"}),
    (has("age", Range(-1, 30)), {"ann", "cat", "eve"}),
    (has("age", Range(-1, 30), negated=True), {"bob"}),
    (has("age", Range(None, None)), {"ann", "bob", "cat", "eve"}),
    (has("age", Range(5, 3)), set()),
    (has("age", Range(5, 3), negated=True), {"ann", "bob", "cat", "eve"}),
    (has("ltv", Compare("=", 0.3)), {"ann"}),
    (has("ltv", Compare("<", 0.1 + 0.2)), {"ann", "bob", "eve"}),
    (has("ltv", Compare(">=", 1e300)), {"cat"}),
    (has("ltv", Compare("<", float("inf"))), {"ann", "bob", "cat", "eve"}),
    (has("ltv", OneOf((0.1, float("inf")))), {"eve"}),
    (has("balance", Compare("=", Decimal("10.1"))), {"ann", "eve"}),
    (has("balance", Compare("=", Decimal("10.105"))), set()),
    (has("balance", Compare(">", Decimal("10.105"))), {"bob"}),
    (has("balance", Compare(">=", Decimal("10.105"))), {"bob"}),
    (has("balance", Compare("<", Decimal("-0.009"))), {"cat"}),
    (has("balance", Compare("<", Decimal("1e60"))), {"ann", "bob", "cat", "eve"}),
    (has("balance", Range(Decimal("-0.011"), Decimal("10.1000001"))), {"ann", "cat", "eve"}),
    (has("balance", OneOf((Decimal("10.11"), Decimal("10.111")))), {"bob"}),
    (has("vip", Compare("=", True)), {"ann", "eve"}),
    (has("vip", Compare("=", True), negated=True), {"bob"}),
    (has("seen", InWindow(Window(Edge("as_of"), OPEN))), {"ann"}),
    (has("seen", InWindow(Window(Edge("as_of"), OPEN)), negated=True), {"bob"}),
    (has("seen", InWindow(Window(OPEN, Edge("as_of", False)))), {"bob"}),
    (has("seen", InWindow(Window(OPEN, OPEN))), {"ann", "bob"}),
    # midnights in Berlin: 2024-03-30T23:00Z (before the change) and 2024-03-31T22:00Z
    (has("born", InWindow(Window(Edge("absolute", instant=1711839600000000), OPEN))), {"ann", "bob"}),
    (has("born", InWindow(Window(Edge("absolute", False, instant=1711839600000000), OPEN))), {"bob"}),
    (has("born", InWindow(Window(OPEN, Edge("absolute", True, instant=1711922400000000)))), {"ann", "bob"}),
    (has("born", InWindow(Window(OPEN, Edge("absolute", False, instant=1711922400000000)))), {"ann"}),
    (has("tags", Compare("=", "a")), {"ann", "cat"}),
    (has("tags", Compare("=", "a"), negated=True, matching=ArrayMatching("any")), {"ann", "eve"}),
    (has("tags", Compare(">=", "a"), matching=ArrayMatching("all")), {"ann", "bob", "eve"}),
    (has("tags", IsNullTest()), {"dan"}),
    (has("tags", IsNullTest(), negated=True, matching=ArrayMatching("all")), {"ann", "bob", "cat", "eve"}),
    (has("tags", Compare(">=", "a"), matching=ArrayMatching("at_least", 2)), {"ann"}),
    (has("tags", Compare(">=", "a"), matching=ArrayMatching("at_least", 0)), {"ann", "bob", "cat", "eve"}),
    (has("tags", Compare(">=", "a"), matching=ArrayMatching("at_most", 1)), {"bob", "cat", "eve"}),
    (has("tags", TextAny("end", ("a", "b")), matching=ArrayMatching("exactly", 1)), {"cat", "eve"}),
    (has("scores", Compare(">=", 5), matching=ArrayMatching("all")), {"bob"}),
    (has("scores", Compare("<", 10**40), matching=ArrayMatching("all")), {"ann", "bob"}),
    (has("scores", Never(), negated=True, matching=ArrayMatching("exactly", 2)), {"ann", "bob"}),
]


def shown(value: object) -> str:
    """A parameter as part of a test's name, the same in every process."""
    return "-".join(sorted(map(str, value))) if isinstance(value, set | frozenset) else str(value)[:60]


@pytest.mark.parametrize(("leaf", "expected"), ATTRIBUTES, ids=shown)
def test_attributes(warehouse: DuckDBWarehouse, leaf: AttributeLeaf, expected: set[str]) -> None:
    assert found(warehouse, leaf) == expected


def test_many_attribute_leaves_in_one_evaluation(warehouse: DuckDBWarehouse) -> None:
    asked = []

    def run(query: Any) -> Any:
        asked.append(query)
        return warehouse.query(query)

    exprs: dict[str, Expr] = {str(position): leaf for position, (leaf, _) in enumerate(ATTRIBUTES)}
    exprs |= {f"again {path}": expr for path, expr in exprs.items()}
    steps: list[tuple[int, int]] = []
    result = evaluate(
        exprs,
        run,
        parent_id=PARENT,
        refresh_number=NUMBER,
        catalog=DATASET.catalog,
        as_of=AS_OF,
        ordinals=10,
        range_size=4,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert len(asked) == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert result.leaves == len(ATTRIBUTES)
    assert [result.members[str(position)].count() for position in range(len(ATTRIBUTES))] == [len(expected) for _, expected in ATTRIBUTES]


D = Decimal
BEHAVIORS: list[tuple[BehaviorLeaf, set[str]]] = [
    (done("Count", (), Compare(">=", 1)), {"ann", "bob", "cat"}),
    (done("Count", (), Compare("=", 0)), {"dan", "eve"}),
    (done("Count", (), Compare("<", 3)), {"cat", "dan", "eve"}),
    (done("Count", (), Compare(">=", 1), negated=True), {"dan", "eve"}),
    (done("Count", (), OneOf((0, 1))), {"cat", "dan", "eve"}),
    (done("Count", (), Range(None, 1)), {"cat", "dan", "eve"}),
    (done("Count", (), IsNullTest()), set()),
    (done("Count", (), IsNullTest(), negated=True), EVERYONE),
    (done("Count", (), Never(), negated=True), EVERYONE),
    (done("Count", (), Compare("=", 1), filter=A_ROWS), {"bob", "cat"}),
    (done("Count", (), Compare("=", 1), filter=RowNot(A_ROWS)), {"ann"}),
    (done("Count", (), Compare("=", 2), filter=RowNot(A_ROWS)), {"bob"}),
    (done("Count", (), Compare("=", 3), filter=RowAny((A_ROWS, row("sku", IsNullTest()), row("sku", Compare("=", "b"))))), {"ann"}),
    (done("Count", (), Compare("=", 0), filter=RowAny(())), EVERYONE),
    (done("Count", (), Compare(">", 0), filter=RowAll((A_ROWS, row("amount", Compare(">", 0.2))))), {"ann", "bob"}),
    (done("Count", (), Compare("=", 2), windows=(PAST_MONTH,)), {"ann", "bob"}),
    (done("Count", (), Compare("=", 0), windows=(PAST_MONTH,)), {"dan", "eve"}),
    (done("Count", (), Compare(">", 0), windows=(Window(Edge("as_of", False), OPEN),)), set()),
    (done("Count", (), Compare(">", 0), filter=row("timestamp", InWindow(PAST_MONTH))), {"ann", "bob", "cat"}),
    (done("Count", (), Compare("=", 1), filter=row("v0", Compare("=", "1"))), {"ann"}),
    (done("CountDistinct", ("sku",), Compare("=", 2)), {"ann", "bob"}),
    (done("CountDistinct", ("sku", "amount"), Compare("=", 3)), {"ann"}),
    (done("CountDistinct", ("sku", "amount"), Compare("=", 0)), {"cat", "dan", "eve"}),
    (done("Sum", ("amount",), Compare("=", D("0.6"))), {"ann"}),
    (done("Sum", ("amount",), Compare(">", D("0.6"))), {"bob"}),
    (done("Sum", ("amount",), Compare(">", D("3.0099999"))), {"bob"}),
    (done("Sum", ("amount",), Compare(">", D("3.01"))), set()),
    (done("Sum", ("amount",), Compare("<", D("1e400"))), {"ann", "bob"}),
    (done("Sum", ("amount",), Compare(">=", D("1e400")), negated=True), {"ann", "bob"}),
    (done("Sum", ("amount",), Compare(">", D("1e-400"))), {"ann", "bob"}),
    (done("Sum", ("amount",), OneOf((D("0.6"), D("0.60000001")))), {"ann"}),
    (done("Sum", ("amount",), OneOf((D("0.60000001"),)), negated=True), {"ann", "bob"}),
    (done("Sum", ("amount",), Range(D("0.6"), None)), {"ann", "bob"}),
    (done("Sum", ("amount",), IsNullTest()), {"cat", "dan", "eve"}),
    (done("Sum", ("amount",), IsNullTest(), negated=True), {"ann", "bob"}),
    (done("Sum", ("cents",), Compare("=", D("0.3"))), {"ann"}),
    (done("Sum", ("cents",), Compare("<", D("0"))), {"bob"}),
    (done("Sum", ("qty",), Compare("=", D(3 * 2**62))), {"bob"}),
    (done("Sum", ("qty",), Compare("=", D(2**62 + 3))), {"ann"}),
    (done("Average", ("amount",), Compare("=", D("0.2"))), {"ann"}),
    (done("Average", ("amount",), Compare(">", D("1.0033333"))), {"bob"}),
    (done("Average", ("amount",), Compare(">=", D("1.0033334"))), set()),
    (done("Average", ("amount",), Compare("<", D("1.003333333333333333333333333333333333333334"))), {"ann", "bob"}),
    (done("Average", ("amount",), Compare("<=", D("1.003333333333333333333333333333"))), {"ann"}),
    (done("Average", ("amount",), Range(D("0.2"), D("0.2"))), {"ann"}),
    (done("Average", ("amount",), OneOf((D("0.2"), D("7")))), {"ann"}),
    (done("Average", ("amount",), Compare("=", D("0.2")), negated=True), {"bob"}),
    (done("Average", ("amount",), IsNullTest()), {"cat", "dan", "eve"}),
    (done("Average", ("cents",), Compare("=", D("-0.33"))), {"bob"}),
    (done("Average", ("cents",), Compare("<", D("-0.329"))), {"bob"}),
    (done("Average", ("cents",), Compare("=", D("0.15"))), {"ann"}),
    (done("Average", ("qty",), Compare("=", D(2**62))), {"bob"}),
    (done("Average", ("qty",), Compare(">", D("-1e38"))), {"ann", "bob"}),
    (done("Min", ("amount",), Compare("=", 0.1)), {"ann"}),
    (done("Max", ("amount",), Compare(">", 1.0)), {"bob"}),
    (done("Min", ("cents",), Compare("<", D("-0.995"))), {"bob"}),
    (done("Max", ("sku",), Compare("=", "c")), {"bob"}),
    (done("Max", ("timestamp",), InWindow(Window(Edge("absolute", instant=AS_OF - 12 * DAY + 12 * HOUR), OPEN))), {"bob"}),
    (done("First", ("sku",), Compare("=", "a")), {"ann", "bob", "cat"}),
    (done("Last", ("sku",), Compare("=", "a")), {"ann", "cat"}),
    (done("Last", ("sku",), Compare("=", "c")), {"bob"}),
    (done("Last", ("sku",), Compare("=", "a"), order_column="amount"), {"ann"}),
    (done("Last", ("sku",), IsNullTest(), order_column="amount"), {"cat", "dan", "eve"}),
    (done("Last", ("sku",), Compare("=", "b"), filter=row("cents", IsNullTest(), negated=True)), {"ann"}),
    (done("Count", (), Compare(">=", 2), grouping=("sku",)), {"ann"}),
    (done("Count", (), Compare("=", 0), grouping=("sku",)), set()),
    (done("Count", (), Compare("<", 2), grouping=("sku",), filter=A_ROWS), {"bob", "cat"}),
    (done("Sum", ("amount",), IsNullTest(), grouping=("sku",)), {"cat"}),
    (done("Sum", ("amount",), Compare("=", D("0.4")), grouping=("sku",)), {"ann"}),
    (done("Sum", ("amount",), Compare("=", D("1.01")), grouping=("sku", "t")), {"bob"}),
    (done("Count", (), Compare(">=", 3), sliding_micros=DAY + 1), {"ann"}),
    (done("Count", (), Compare(">=", 3), sliding_micros=DAY), set()),
    (done("Count", (), Compare(">=", 2), sliding_micros=DAY), {"ann", "bob"}),
    (done("Count", (), Compare("=", 0), sliding_micros=DAY), {"dan", "eve"}),
    (done("Count", (), Compare("=", 0), sliding_micros=0), EVERYONE),
    (done("Sum", ("amount",), Compare("=", D("2.01")), sliding_micros=DAY), {"bob"}),
    (done("Sum", ("amount",), IsNullTest(), sliding_micros=DAY), {"cat", "dan", "eve"}),
    (done("Average", ("amount",), Compare("=", D("0.25")), sliding_micros=HOUR), {"ann"}),
    (done("CountDistinct", ("sku", "amount"), Compare("=", 2), sliding_micros=DAY), {"ann"}),
    (done("Last", ("sku",), Compare("=", "a"), sliding_micros=HOUR), {"ann", "bob", "cat"}),
    (done("First", ("sku",), Compare("=", "b"), sliding_micros=HOUR), {"ann"}),
    (done("Count", (), Compare(">=", 2), sliding_micros=2 * DAY, grouping=("sku",)), {"ann"}),
    (done("Count", (), Compare("=", 0), sliding_micros=2 * DAY, grouping=("sku",)), set()),
    (done("Max", ("page",), Compare("=", "home"), behavior="visit"), {"ann", "bob"}),
    (done("Count", (), Compare("=", 0), behavior="visit"), {"cat", "dan", "eve"}),
]


@pytest.mark.parametrize(("leaf", "expected"), BEHAVIORS, ids=shown)
def test_behaviors(warehouse: DuckDBWarehouse, leaf: BehaviorLeaf, expected: set[str]) -> None:
    assert found(warehouse, leaf) == expected


@pytest.mark.parametrize("options", [{}, {"range_size": 3}, {"range_size": 4, "leaves_per_query": 7}], ids=str)
def test_leaves_in_one_query_do_not_change_each_other(warehouse: DuckDBWarehouse, options: dict[str, int]) -> None:
    leaves: list[tuple[Expr, set[str]]] = [*ATTRIBUTES, *BEHAVIORS, *((SequenceLeaf(steps), found) for steps, found in SEQUENCES)]
    members = evaluated(warehouse, {str(position): leaf for position, (leaf, _) in enumerate(leaves)}, **options)
    for position, (leaf, expected) in enumerate(leaves):
        assert members[str(position)] == expected, leaf
