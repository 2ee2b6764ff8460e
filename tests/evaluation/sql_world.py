"""Five customers in a warehouse, and who SQL says is in: evaluated and selected alike."""

from __future__ import annotations

from typing import Any

from kohort.adapters.duckdb.warehouse import DuckDBWarehouse
from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.evaluate import evaluate
from kohort.evaluation.statement import rule_statement
from kohort.foundation.instants import DAY, HOUR, parse_instant
from kohort.parent.catalog import Storage
from kohort.rules.ast import AggregationKey, ArrayMatching
from kohort.rules.core import (
    ALL_ROWS,
    Aggregate,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    Expr,
    Not,
    Predicate,
    RowFilter,
    RowTest,
    SequenceStep,
    Test,
)
from kohort.testing.dataset import Dataset

PARENT, NUMBER = 7, 3

DATASET = Dataset.from_mapping(
    {
        "zone": "Europe/Berlin",
        "attributes": {
            "tier": "text",
            "age": "int64",
            "ltv": "float64",
            "balance": "decimal(2)",
            "vip": "boolean",
            "seen": "timestamp",
            "born": "date",
            "tags": "text_array",
            "scores": "int64_array",
            "v0": "text",
        },
        "profiles": {
            "ann": {
                "tier": "Gold",
                "age": 30,
                "ltv": 0.3,
                "balance": "10.10",
                "vip": True,
                "seen": "2024-06-01T00:00:00Z",
                "born": "2024-03-31",
                "tags": ["a", "b"],
                "scores": [1, 5],
                "v0": "x",
            },
            "bob": {
                "tier": "gold'é",
                "age": 2**63 - 1,
                "ltv": -0.5,
                "balance": "10.11",
                "vip": False,
                "seen": "2024-05-31T23:59:59.999999Z",
                "born": "2024-04-01",
                "tags": [],
                "scores": [5, 6],
            },
            "cat": {"tier": "", "age": -1, "ltv": 1e300, "balance": "-0.01", "tags": [None, "a"], "scores": [None]},
            "dan": {},
            "eve": {"tier": "Gold", "age": 30, "ltv": 0.1, "balance": "10.10", "vip": True, "tags": ["b"], "v0": "y"},
        },
        "behaviors": {
            "buy": {
                "columns": {"sku": "text", "amount": "float64", "cents": "decimal(2)", "qty": "int64", "t": "text", "v0": "text"},
                "rows": [
                    ["ann", "2024-05-01T00:00:00Z", {"sku": "a", "amount": 0.1, "cents": "0.10", "qty": 1, "t": "x", "v0": "1"}],
                    ["ann", "2024-05-02T00:00:00Z", {"sku": "b", "amount": 0.2, "cents": "0.20", "qty": 2}],
                    ["ann", "2024-05-02T00:00:00Z", {"sku": "a", "amount": 0.3, "qty": 2**62}],
                    ["bob", "2024-05-01T00:00:00Z", {"sku": "a", "amount": 1.0, "cents": "-1.00", "qty": 2**62}],
                    ["bob", "2024-05-20T00:00:00Z", {"sku": "c", "amount": 1.0, "cents": "0.01", "qty": 2**62}],
                    ["bob", "2024-05-20T12:00:00Z", {"amount": 1.01, "cents": "0.00", "qty": 2**62}],
                    ["cat", "2024-05-10T00:00:00Z", {"sku": "a"}],
                    ["eve", "2024-07-01T00:00:00Z", {"sku": "a", "amount": 9.0, "cents": "9.00", "qty": 9}],
                ],
            },
            "visit": {
                "columns": {"page": "text"},
                "rows": [
                    ["ann", "2024-05-01T00:00:00Z", {"page": "home"}],
                    ["ann", "2024-05-03T00:00:00Z", {"page": "cart"}],
                    ["bob", "2024-05-01T01:00:00Z", {"page": "cart"}],
                    ["bob", "2024-05-21T00:00:00Z", {"page": "home"}],
                ],
            },
        },
    }
)
AS_OF = parse_instant("2024-06-01T00:00:00Z", DATASET.zone) or 0
EVERYONE = {"ann", "bob", "cat", "dan", "eve"}


def evaluated(warehouse: DuckDBWarehouse, exprs: dict[str, Expr], **options: Any) -> dict[str, set[str]]:
    """The members by path, by name."""
    run = warehouse.query if options else warehouse.stream
    result = evaluate(exprs, run, parent_id=PARENT, refresh_number=NUMBER, catalog=DATASET.catalog, as_of=AS_OF, ordinals=10, **options)
    assert named(result.live) == EVERYONE
    return {path: named(members) for path, members in result.members.items()}


def named(members: Bitmap) -> set[str]:
    names = {ordinal: name for name, ordinal in DATASET.ordinals.items()}
    return {names[int(ordinal)] for ordinal in members.ordinals()}


def selected(warehouse: DuckDBWarehouse, expr: Expr, segments: dict[str, Expr] | None = None) -> set[str]:
    """The members that the statement selects, each once."""
    statement = rule_statement(expr, parent_id=PARENT, catalog=DATASET.catalog, as_of=AS_OF, segments=segments)
    ids = warehouse.query(statement).column("cdp_customer_id").to_pylist()
    assert len(ids) == len(set(ids))
    return set(ids)


def found(warehouse: DuckDBWarehouse, expr: Expr, segments: dict[str, Expr] | None = None) -> set[str]:
    """The members, evaluated and selected alike; with everybody else for the complement."""
    members = evaluated(warehouse, {**(segments or {}), "it": expr, "others": Not(expr)})
    assert selected(warehouse, expr, segments) == members["it"]
    assert selected(warehouse, Not(expr), segments) == members["others"] == EVERYONE - members["it"]
    return members["it"]


def has(attribute: str, predicate: Predicate, negated: bool = False, matching: ArrayMatching | None = None) -> AttributeLeaf:
    return AttributeLeaf(attribute, Test(predicate, DATASET.catalog.attribute[attribute].storage, negated, matching))


_RESULTS: dict[str, Storage] = {"Count": "int64", "CountDistinct": "int64", "Sum": "decimal", "Average": "decimal"}


def done(
    key: AggregationKey, columns: tuple[str, ...], predicate: Predicate, negated: bool = False, behavior: str = "buy", **options: Any
) -> BehaviorLeaf:
    field = DATASET.catalog.behavior[behavior].by_name[columns[0]] if columns else None
    storage = _RESULTS.get(key) or (field.storage if field else "int64")
    aggregate = Aggregate(behavior, key, columns, storage, field.storage if field else "int64", field.scale if field else 0, **options)
    return BehaviorLeaf(aggregate, Test(predicate, storage, negated))


def row(column: str, predicate: Predicate, negated: bool = False) -> RowFilter:
    return RowTest(column, Test(predicate, DATASET.catalog.behavior["buy"].by_name[column].storage, negated))


A_ROWS = row("sku", Compare("=", "a"))


def step(behavior: str, within: int | None = None, row_filter: RowFilter = ALL_ROWS) -> SequenceStep:
    return SequenceStep(behavior, row_filter, (), within)


SEQUENCES: list[tuple[tuple[SequenceStep, ...], set[str]]] = [
    ((step("visit"), step("buy")), {"ann", "bob"}),
    ((step("buy"), step("visit")), {"ann", "bob"}),
    ((step("buy"), step("visit", HOUR)), {"bob"}),
    ((step("buy"), step("visit", HOUR - 1)), set()),
    ((step("buy", None, A_ROWS), step("buy", DAY, row("sku", Compare("=", "b")))), {"ann"}),
    ((step("buy", None, row("sku", Compare("=", "b"))), step("buy", None, A_ROWS)), set()),
    ((step("buy"), step("buy"), step("buy")), {"bob"}),
    ((step("buy"), step("buy", 12 * HOUR), step("visit", 12 * HOUR)), {"bob"}),
    ((step("visit"), step("buy", DAY), step("visit", DAY)), {"ann"}),
]
