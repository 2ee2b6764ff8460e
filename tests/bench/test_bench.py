"""The benchmark's data is the same for the same seed, its hundred rules fit it, and both ways of counting agree."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench import engines, evaluate, generate, shop
from kohort.rules.bind import leaves

SIZE = generate.Size(profiles=500, events=5_000)
OPTIONS = {"profiles": SIZE.profiles, "events": SIZE.events, "seed": 1, "repeat": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, generated and refreshed."""
    folder = tmp_path_factory.mktemp("shop")
    generate.generate(folder, SIZE)
    assert engines.measure_refresh(folder, {}).facts["population"] == SIZE.profiles
    return folder


def tables(folder: Path) -> dict[str, pa.Table]:
    return {file.stem: pq.read_table(file) for file in sorted(folder.glob("*.parquet"))}


def test_the_same_seed_makes_the_same_data(made: Path, tmp_path: Path) -> None:
    assert generate.generate(tmp_path / "again", SIZE)
    assert generate.generate(tmp_path / "other", SIZE, seed=2)
    first, again, other = tables(made), tables(tmp_path / "again"), tables(tmp_path / "other")
    assert list(first) == list(again) == sorted(["customers", "loyalty", "preferences", *(table.name for table in generate.EVENTS)])
    for name in first:
        files = [(folder / f"{name}.parquet").read_bytes() for folder in (made, tmp_path / "again", tmp_path / "other")]
        assert files[0] == files[1] != files[2]
    assert first["purchase"]["amount"] != other["purchase"]["amount"]


def test_what_is_there_is_not_made_again(made: Path, tmp_path: Path) -> None:
    assert not generate.generate(made, SIZE)
    assert generate.generate(tmp_path, generate.Size(10, 20))
    assert generate.generate(tmp_path, generate.Size(10, 30))
    assert not generate.generate(tmp_path, generate.Size(10, 30))


def test_large_tables_are_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "CHUNK_ROWS", 100)
    generate.generate(tmp_path, generate.Size(250, 2_500))
    for name, rows in (("customers", 250), ("purchase", 375)):
        file = pq.ParquetFile(tmp_path / f"{name}.parquet")
        assert (file.metadata.num_rows, file.metadata.num_row_groups) == (rows, -(-rows // 100))


def test_the_data_is_as_untidy_as_life(made: Path) -> None:
    data = tables(made)
    customers, purchases, loyalty = data["customers"], data["purchase"], data["loyalty"]
    known = customers["customer_id"].combine_chunks()
    assert len(known.unique()) == SIZE.profiles
    assert purchases["customer_id"].null_count > 0
    unknown = purchases.filter(pc.invert(pc.is_in(purchases["customer_id"], known)))
    assert unknown.num_rows > purchases["customer_id"].null_count
    moments = purchases["purchased_at"].cast(pa.int64()).to_numpy()
    assert (moments[1:] < moments[:-1]).any()
    views = data["page_view"]
    assert views.num_rows > len(set(map(str, views.to_pylist())))
    keys = loyalty["customer_id"].drop_null()
    assert len(keys.unique()) < len(keys)
    assert not all(city.isascii() for city in customers["city"].drop_null().unique().to_pylist())
    busiest = purchases["customer_id"].value_counts().field("counts").to_numpy().max()
    assert busiest > 5 * purchases.num_rows / SIZE.profiles


def test_a_hundred_rules_fit_the_fields(made: Path) -> None:
    opened = shop.open_shop(made)
    try:
        catalog = shop.refreshed(opened)[2]
    finally:
        opened.close()
    exprs = shop.bound_segments(catalog)
    assert len(shop.segments(catalog)) == len(exprs) == 100
    assert len({leaf for expr in exprs.values() for leaf in leaves(expr)}) == 141


def test_all_ways_of_counting_agree(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = engines.measure_counting(made, OPTIONS, engines.count_by_evaluator)
    single = engines.measure_counting(made, OPTIONS, engines.count_one_by_one)
    built = engines.measure_index(made, OPTIONS)
    indexed = engines.measure_indexed(made, OPTIONS)
    assert evaluate.differences(evaluator.facts["counts"], single.facts["counts"]) == []
    assert evaluate.differences(indexed.facts["counts"], single.facts["counts"]) == []
    assert built.facts["bytes"] > 0
    assert sum(count > 0 for count in evaluator.facts["counts"].values()) > 75
    lines = evaluate.report("S", SIZE, {"index": built, "evaluator": evaluator, "indexed": indexed, "one-by-one": single})
    assert any("all counts equal" in line for line in lines)
    monkeypatch.setattr("bench.evaluate.RESULTS", tmp_path / "RESULTS.md")
    evaluate.record("M", ["## M: more", "", "old"])
    evaluate.record("S", lines)
    evaluate.record("M", ["## M: more", "", "new"])
    written = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert written.index("# Measured") < written.index("## S: 500 profiles") < written.index("## M: more")
    assert "old" not in written


def test_differences_name_the_segment() -> None:
    assert evaluate.differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 0}) == ["b: 2 and 3", "c: None and 0"]
