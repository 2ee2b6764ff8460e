"""Sequences, combinations, references, limits and variants in SQL: evaluated and selected alike."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from kohort.adapters.duckdb.warehouse import DuckDBWarehouse
from kohort.evaluation.evaluate import evaluate
from kohort.rules.core import (
    EVERYBODY,
    NOBODY,
    All,
    AnyOf,
    Compare,
    Expr,
    MemberLeaf,
    Never,
    Not,
    SequenceLeaf,
    SequenceStep,
    Top,
    TopOrder,
    VariantLeaf,
)
from kohort.testing.dataset_tables import load_into
from tests.evaluation.sql_world import AS_OF, DATASET, EVERYONE, NUMBER, PARENT, SEQUENCES, done, found, has


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(None) as opened:
        load_into(opened, DATASET, PARENT, NUMBER)
        yield opened


@pytest.mark.parametrize(("steps", "expected"), SEQUENCES, ids=range(len(SEQUENCES)))
def test_sequences(warehouse: DuckDBWarehouse, steps: tuple[SequenceStep, ...], expected: set[str]) -> None:
    assert found(warehouse, SequenceLeaf(steps)) == expected


GOLD, BUYER, OLD = has("tier", Compare("=", "Gold")), done("Count", (), Compare(">=", 1)), has("age", Compare(">", 30))


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (EVERYBODY, EVERYONE),
        (NOBODY, set()),
        (Not(EVERYBODY), set()),
        (All((GOLD, BUYER)), {"ann"}),
        (AnyOf((GOLD, BUYER)), {"ann", "bob", "cat", "eve"}),
        (Not(AnyOf((GOLD, Not(BUYER)))), {"bob", "cat"}),
        (All((AnyOf((OLD, GOLD)), Not(All((GOLD, BUYER))))), {"bob", "eve"}),
        (AnyOf((All(()), GOLD)), EVERYONE),
    ],
    ids=range(8),
)
def test_combinations(warehouse: DuckDBWarehouse, expr: Expr, expected: set[str]) -> None:
    assert found(warehouse, expr) == expected


def test_references_are_members_of_other_segments(warehouse: DuckDBWarehouse) -> None:
    segments: dict[str, Expr] = {"Gold": GOLD, "Other": All((Not(MemberLeaf("Gold")), BUYER))}
    assert found(warehouse, All((MemberLeaf("Other"), Not(OLD))), segments) == {"cat"}


def test_a_reference_must_stand_after_its_target(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ValueError, match="Gold"):
        found(warehouse, MemberLeaf("Gold"))


def top(part: Expr, number: str, *order: TopOrder, kind: Any = "Count") -> Top:
    return Top(part, kind, Decimal(number), order)


SUM = done("Sum", ("amount",), Never()).aggregate
AVERAGE = done("Average", ("cents",), Never()).aggregate
COUNT = done("Count", (), Never()).aggregate


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (top(EVERYBODY, "2"), {"ann", "bob"}),
        (top(EVERYBODY, "0"), set()),
        (top(EVERYBODY, "9"), EVERYONE),
        (top(EVERYBODY, "2", TopOrder("age", True)), {"ann", "bob"}),
        (top(EVERYBODY, "3", TopOrder("age", True)), {"ann", "bob", "eve"}),
        (top(EVERYBODY, "1", TopOrder("age", False)), {"cat"}),
        (top(EVERYBODY, "4", TopOrder("age", False)), EVERYONE - {"dan"}),
        (top(EVERYBODY, "4", TopOrder("age", True)), EVERYONE - {"dan"}),
        (top(EVERYBODY, "1", TopOrder("tier", True)), {"bob"}),
        (top(EVERYBODY, "2", TopOrder("tier", False), TopOrder("ltv", False)), {"cat", "eve"}),
        (top(BUYER, "1", TopOrder(SUM, True)), {"bob"}),
        (top(BUYER, "1", TopOrder(SUM, False)), {"ann"}),
        (top(EVERYBODY, "1", TopOrder(AVERAGE, False)), {"bob"}),
        (top(EVERYBODY, "1", TopOrder(AVERAGE, True)), {"ann"}),
        (top(EVERYBODY, "3", TopOrder(COUNT, False)), {"cat", "dan", "eve"}),
        (top(EVERYBODY, "1", TopOrder(COUNT, False)), {"dan"}),
        (top(EVERYBODY, "20.0001", TopOrder("age", False), kind="Percent"), {"ann", "cat"}),
        (top(EVERYBODY, "20", TopOrder("age", False), kind="Percent"), {"cat"}),
        (top(EVERYBODY, "0.001", kind="Percent"), {"ann"}),
        (top(EVERYBODY, "100", kind="Percent"), EVERYONE),
        (top(NOBODY, "50", kind="Percent"), set()),
        (Not(top(top(GOLD, "2"), "1", TopOrder("ltv", True))), EVERYONE - {"ann"}),
        (All((top(Not(GOLD), "2", TopOrder("age", True)), BUYER)), {"bob", "cat"}),
    ],
    ids=range(23),
)
def test_limits(warehouse: DuckDBWarehouse, expr: Expr, expected: set[str]) -> None:
    assert found(warehouse, expr) == expected


def test_limits_over_more_members_than_a_query_can_name(warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohort.evaluation.source._LISTED", 1)
    assert found(warehouse, top(AnyOf((GOLD, OLD)), "2", TopOrder("age", True))) == {"ann", "bob"}


def test_variants_share_out_everybody_with_a_key(warehouse: DuckDBWarehouse) -> None:
    half = 2**63
    low = found(warehouse, VariantLeaf("test é", "v0", 0, half))
    high = found(warehouse, VariantLeaf("test é", "v0", half, 2**64))
    assert low | high == {"ann", "eve"}
    assert not low & high
    assert found(warehouse, VariantLeaf("test é", "v0", 0, 2**64)) == {"ann", "eve"}
    assert found(warehouse, VariantLeaf("test é", "v0", half, half)) == set()


def test_variants_are_the_documented_hash(warehouse: DuckDBWarehouse) -> None:
    from hashlib import sha256

    place = int(sha256(b"t:30").hexdigest()[:16], 16)
    assert found(warehouse, VariantLeaf("t", "age", place, place + 1)) == {"ann", "eve"}
    assert found(warehouse, VariantLeaf("t", "age", place + 1, 2**64)) & {"ann", "eve"} == set()


def test_nobody_lives_here(warehouse: DuckDBWarehouse) -> None:
    result = evaluate(
        {"it": GOLD}, warehouse.query, parent_id=PARENT, refresh_number=NUMBER, catalog=DATASET.catalog, as_of=AS_OF, ordinals=0
    )
    assert result.members["it"].count() == result.live.count() == 0
