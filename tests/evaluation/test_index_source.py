"""The profile index as a source of conditions: what it remembers, what it leaves to SQL, what importing costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.evaluate import combine, sql_source
from kohort.evaluation.index_source import IndexLeafSource
from kohort.evaluation.indexed.cache import ByteCache, LeafCache, depends_on_instant
from kohort.evaluation.leaves import RefreshTables
from kohort.evaluation.reference import segment_members
from kohort.foundation.calendar import Duration
from kohort.foundation.instants import DAY, parse_instant
from kohort.foundation.windows import OPEN, Edge, Window
from kohort.index.build import build_index
from kohort.index.columns import ProfileIndex
from kohort.index.coverage import KINDS, kind_of
from kohort.index.open import open_index
from kohort.rules.core import (
    Aggregate,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    InWindow,
    RowAll,
    RowTest,
    SequenceLeaf,
    SequenceStep,
    Test,
    TopOrder,
    VariantLeaf,
)
from kohort.segments.graph import SegmentGraph, bind_segments
from kohort.testing.dataset import Dataset
from kohort.testing.dataset_tables import load_into
from kohort.testing.strategies import world_of

DATA = Dataset.from_mapping(
    {
        "attributes": {"name": "text", "born": "date", "score": "float64"},
        "behaviors": {
            "buy": {
                "columns": {"amount": "decimal(2)", "shop": "text", "weight": "float64"},
                "rows": [
                    ["a", "2024-05-01T00:00:00Z", {"amount": "10.10", "shop": "x", "weight": 0.5}],
                    ["a", "2024-05-03T00:00:00Z", {"amount": "0.05", "shop": "y"}],
                    ["b", "2024-05-02T00:00:00Z", {"amount": "10.15", "weight": 0.0000005}],
                ],
            }
        },
        "profiles": {"a": {"name": "Ann", "score": 1.5}, "b": {"name": "Bob", "born": "1990-01-01"}, "c": {"score": -2}},
    }
)
AS_OF = parse_instant("2024-06-01T00:00:00Z", DATA.zone) or 0
SUM = Aggregate("buy", "Sum", ("amount",), "decimal", "decimal", 2)
RECENT = InWindow(Window(Edge("as_of", False, ((-1, Duration.of(30, "day")),)), Edge("as_of")))


def money(op: str, text: str) -> BehaviorLeaf:
    return BehaviorLeaf(SUM, Test(Compare(op, Decimal(text)), "decimal"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DuckDBWarehouse]:
    opened = DuckDBWarehouse(None, threads=1)
    load_into(opened, DATA, 1, 1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def index(warehouse: DuckDBWarehouse, tmp_path_factory: pytest.TempPathFactory) -> ProfileIndex:
    root = tmp_path_factory.mktemp("index")
    build_index(warehouse.stream, DATA.catalog, root, 1, 1)
    opened = open_index(root, 1, 1)
    assert opened is not None
    return opened


def source(index: ProfileIndex, warehouse: DuckDBWarehouse, cache: LeafCache | None = None, as_of: int = AS_OF) -> IndexLeafSource:
    fallback = sql_source(RefreshTables(1, 1), DATA.catalog, warehouse.query, as_of, index.size)
    return IndexLeafSource(index, DATA.catalog, as_of, fallback, cache, threads=1)


def names(members: Bitmap) -> list[str]:
    return [customer for customer, ordinal in DATA.ordinals.items() if ordinal in members]


def test_money_is_exact(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    asked = source(index, warehouse)
    live, found = asked.members([money("=", "10.15"), money(">", "10.149999"), money("<", "10.15")])
    assert names(live) == ["a", "b", "c"]
    assert [names(members) for members in found.values()] == [["a", "b"], ["a", "b"], []]
    assert (asked.by_kernel, asked.by_fallback) == (3, 0)


def test_what_was_asked_is_remembered_for_its_instant(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    cache, leaf = LeafCache(), money(">=", "0.05")
    fixed = AttributeLeaf("name", Test(Compare("=", "Ann"), "text"))
    first, again, later = (source(index, warehouse, cache, as_of) for as_of in (AS_OF, AS_OF, AS_OF + DAY))
    for asked in (first, again, later):
        assert names(asked.members([leaf, fixed])[1][leaf]) == ["a", "b"]
    assert [(one.by_kernel, one.by_cache) for one in (first, again, later)] == [(2, 0), (0, 2), (1, 1)]


def test_the_past_is_another_answer(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    cache, leaf = LeafCache(), money(">=", "10.15")
    assert names(source(index, warehouse, cache).members([leaf])[1][leaf]) == ["a", "b"]
    early = parse_instant("2024-05-02T12:00:00Z", DATA.zone) or 0
    assert names(source(index, warehouse, cache, early).members([leaf])[1][leaf]) == ["b"]


def test_sql_answers_what_has_no_kernel(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    half = VariantLeaf("test", "score", 0, 2**63)
    other = VariantLeaf("test", "score", 2**63, 2**64)
    asked = source(index, warehouse)
    _, found = asked.members([half, other, money(">", "0")])
    assert sorted(names(found[half]) + names(found[other])) == ["a", "c"]
    assert (asked.by_kernel, asked.by_fallback) == (1, 2)
    assert set(asked.left_to_sql) == {half, other}


def test_variants_by_text_need_no_sql(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    halves = [VariantLeaf("test", "name", 0, 2**63), VariantLeaf("test", "name", 2**63, 2**64)]
    asked = source(index, warehouse)
    _, found = asked.members(halves)
    assert sorted(name for half in halves for name in names(found[half])) == ["a", "b"]
    assert (asked.by_kernel, asked.by_fallback) == (2, 0)
    assert found == asked.fallback.members(halves)[1]


def test_numbers_too_large_for_the_kernels_go_to_sql(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    rows = [["a", "2024-05-01T00:00:00Z", {"n": 2**62}], ["a", "2024-05-02T00:00:00Z", {"n": 2**62}]]
    data = Dataset.from_mapping({"profiles": {"a": {}}, "behaviors": {"buy": {"columns": {"n": "int64"}, "rows": rows}}})
    load_into(warehouse, data, 7, 1)
    build_index(warehouse.stream, data.catalog, tmp_path, 7, 1)
    opened = open_index(tmp_path, 7, 1)
    assert opened is not None
    leaf = BehaviorLeaf(Aggregate("buy", "Sum", ("n",), "decimal"), Test(Compare("=", Decimal(2**63)), "decimal"))
    fallback = sql_source(RefreshTables(7, 1), data.catalog, warehouse.query, AS_OF, opened.size)
    asked = IndexLeafSource(opened, data.catalog, AS_OF, fallback)
    assert asked.members([leaf])[1][leaf].count() == 1
    assert asked.by_fallback == 1


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((TopOrder("score", True),), ["a", "c", "b"]),
        ((TopOrder("score", False),), ["c", "a", "b"]),
        ((TopOrder("name", True),), ["b", "a", "c"]),
        ((TopOrder(SUM, False),), ["a", "b", "c"]),
        ((TopOrder(Aggregate("buy", "Count"), False), TopOrder("score", True)), ["c", "b", "a"]),
        ((TopOrder(Aggregate("buy", "Average", ("amount",), "decimal", "decimal", 2), True),), ["b", "a", "c"]),
        ((), ["a", "b", "c"]),
    ],
)
def test_rankings(order: tuple[TopOrder, ...], expected: list[str], index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    asked = source(index, warehouse)
    everybody = Bitmap(index.live, index.size)
    by_ordinal = {ordinal: customer for customer, ordinal in DATA.ordinals.items()}
    for one in (asked, asked.fallback):
        chunks = [ordinals for ordinals in one.ranked(everybody, order) if len(ordinals)]
        assert [by_ordinal[int(ordinal)] for ordinal in np.concatenate(chunks)] == expected


def test_the_least_recently_used_goes_first() -> None:
    cache: ByteCache[str] = ByteCache(10)
    for key in ("a", "b"):
        cache.put(key, key, 4)
    assert cache.get("a") == "a"
    cache.put("c", "c", 4)
    assert [cache.get(key) for key in ("a", "b", "c")] == ["a", None, "c"]
    cache.put("large", "large", 11)
    assert cache.get("large") is None
    assert (cache.bytes, len(cache)) == (8, 2)


def test_what_moves_with_the_instant() -> None:
    fixed = InWindow(Window(Edge("absolute", instant=5), OPEN))
    assert depends_on_instant(AttributeLeaf("born", Test(RECENT, "date")))
    assert not depends_on_instant(AttributeLeaf("born", Test(fixed, "date")))
    assert not depends_on_instant(VariantLeaf("t", "name", 0, 1))
    assert depends_on_instant(BehaviorLeaf(Aggregate("buy"), Test(Compare(">", 0), "int64")))


def test_every_kind_is_in_the_table() -> None:
    leaves = [
        money(">", "0"),
        AttributeLeaf("name", Test(Compare("=", "a"), "text")),
        SequenceLeaf((SequenceStep("buy"), SequenceStep("buy"))),
        VariantLeaf("t", "name", 0, 1),
        BehaviorLeaf(Aggregate("buy", "Last", ("shop",), "text", "text", order_column="amount"), Test(Compare("=", "a"), "text")),
    ]
    assert [kind_of(leaf).answer for leaf in leaves] == ["kernel", "kernel", "kernel", "kernel", "kernel"]
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_nothing_is_compiled_until_something_is_evaluated() -> None:
    code = "import sys, kohort, kohort.cli.main, kohort.bootstrap, kohort.services.evaluation.evaluate; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_does_not_hang_on_the_instant_is_worked_out_once_for_all_days(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    shop = RowTest("shop", Test(Compare("=", "x"), "text"))
    always = BehaviorLeaf(Aggregate("buy", "Count", filter=shop), Test(Compare(">=", 1), "int64"))
    lately = RowAll((shop, RowTest("timestamp", Test(RECENT, "timestamp"))))
    moving = BehaviorLeaf(Aggregate("buy", "Count", filter=lately), Test(Compare(">=", 1), "int64"))
    work: ByteCache[object] = ByteCache(2**20)
    days = [replace(source(index, warehouse, None, AS_OF + DAY * day), work=work) for day in (-25, -5, 0, 5)]
    assert [names(day.members([always])[1][always]) for day in days] == [["a"]] * 4
    assert len(work) == 1
    assert [names(day.members([moving])[1][moving]) for day in days] == [["a"], ["a"], [], []]
    assert len(work) == 9


def test_the_best_by_an_attribute_are_the_same_on_all_days(index: ProfileIndex, warehouse: DuckDBWarehouse) -> None:
    cache = LeafCache()
    live = source(index, warehouse).members([])[0]
    by_score, by_sum = (TopOrder("score", True),), (TopOrder(SUM, True),)
    days = [source(index, warehouse, cache, AS_OF + DAY * day) for day in (-31, -30, 0)]
    assert [names(day.best(live, by_score, 1)) for day in days] == [["a"]] * 3
    held = cache.bytes
    assert [names(day.best(live, by_sum, 1)) for day in days] == [["a"], ["b"], ["a"]]
    assert cache.bytes == 4 * held


@pytest.mark.parametrize("seed", range(900, 906))
def test_days_that_share_their_work_each_say_what_the_reference_says(seed: int, tmp_path: Path) -> None:
    world = world_of(seed)
    cache, work = LeafCache(), ByteCache[object](2**24)
    with DuckDBWarehouse(None, threads=1) as opened:
        load_into(opened, world.dataset, 1, 1)
        build_index(opened.stream, world.dataset.catalog, tmp_path, 1, 1)
        index = open_index(tmp_path, 1, 1)
        assert index is not None
        exprs = bind_segments(world.segments.values(), world.dataset.catalog, "")
        for days in (0, -40, -1, 3, 0):
            as_of = world.as_of + days * DAY
            fallback = sql_source(RefreshTables(1, 1), world.dataset.catalog, opened.query, as_of, index.size)
            asked = IndexLeafSource(index, world.dataset.catalog, as_of, fallback, cache, threads=1, work=work)
            found = combine(exprs, asked).members
            for path in SegmentGraph.of(world.segments.values()).owners:
                expected = segment_members(path, world.dataset, as_of, world.segments)
                ordinals = {world.dataset.ordinals[customer] for customer in expected}
                assert set(found[path].ordinals().tolist()) == ordinals, f"{path} {days}\n{world!r}"
