"""The benchmark's data is the same for the same seed, its rules fit it, and all ways of counting agree."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench import engines, evaluate, generate, report, shop
from bench.figures import FIGURES, Value, better_duckdb
from bench.measured import Measured, best, percentile
from bench.scan import own_leaves
from bench.thousand import thousand_rules
from kohort.rules.bind import leaves

SIZE = generate.Size(profiles=500, events=5_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, generated, refreshed and indexed."""
    folder = tmp_path_factory.mktemp("shop")
    generate.generate(folder, SIZE)
    built = engines.measure("build", folder, {})
    assert built.facts["population"] == SIZE.profiles
    assert built.facts["bytes"] > 0
    assert sum(built.facts["steps"].values()) == pytest.approx(built.seconds)
    assert built.peak_bytes > (built.anonymous_bytes or 0) > 0
    return folder


def tables(folder: Path) -> dict[str, pa.Table]:
    return {file.stem: pq.read_table(file) for file in sorted(folder.glob("*.parquet"))}


# --- data and rules -------------------------------------------------------------------------------------------------------


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


def test_the_rules_fit_the_fields(made: Path) -> None:
    with shop.opened(made) as (_, engine):
        hundred = shop.bound_segments(engine.catalog)
        thousand = shop.bound_segments(engine.catalog, thousand_rules())
    assert len(hundred) == 100
    assert len({leaf for expr in hundred.values() for leaf in leaves(expr)}) == 141
    assert len(thousand) == 1000
    assert {path: thousand[path] for path in hundred} == hundred
    assert len(set(thousand.values())) > 900
    assert 400 < len(own_leaves(thousand)) < 800
    assert thousand_rules() == thousand_rules()


# --- counting -------------------------------------------------------------------------------------------------------------


def test_all_ways_of_counting_agree(made: Path) -> None:
    pytest.importorskip("polars")
    engines.measure("export", made, {})
    parts = {part: engines.measure(part, made, {}) for part in ("evaluator", "scan", "one-by-one", "indexed", "polars", "membership")}
    agreed, wrong = evaluate.compared(parts)
    assert wrong == []
    assert agreed.count(";") == len(parts) - 1
    assert parts["membership"].facts["source"] == "snapshot"
    counts = parts["evaluator"].facts["counts"]
    assert sum(count > 0 for count in counts.values()) > 75
    off = {**counts, "Value/VIP": counts["Value/VIP"] + 1}
    _, wrong = evaluate.compared({**parts, "scan": Measured(1.0, {"counts": off})})
    assert len(wrong) == 1
    assert "Value/VIP" in wrong[0]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_run_measures_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "HERE", tmp_path)
    size = ["--profiles", "2000", "--events", "20000", "--into", str(tmp_path / "data")]
    only = "build,indexed,evaluator,chdb,thousand,thousand-check,preview"
    assert evaluate.main([*size, "--only", only, "--record"]) == 0
    shown = capsys.readouterr().out
    assert "All counts of the 100 segments equal" in shown
    assert "1,000 of the counts compared" in shown
    found = report.read(tmp_path / "results.json")
    (run,) = found.values()
    missing = {name for name, figure in FIGURES.items() if figure.value(run.parts) is None}
    assert missing == {"compile", "overlap", "overlap-first", "changes", "changes-first"}
    assert evaluate.main([*size, "--only", "scan", "--limit", "0.01", "--keep"]) == 0
    assert "> 0.01" in capsys.readouterr().out
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8").startswith("# Measured")


# --- the plan and the report ------------------------------------------------------------------------------------------------


def test_a_plan_has_what_its_parts_need(tmp_path: Path) -> None:
    assert evaluate.planned(tmp_path, (), False) == [part for part in evaluate.PARTS if part != "index"]
    assert evaluate.planned(tmp_path, ("indexed",), True) == ["generate", "build", "indexed"]
    (tmp_path / "workspace" / ".kohort").mkdir(parents=True)
    (tmp_path / "workspace" / ".kohort" / "kohort.db").touch()
    assert "build" in evaluate.planned(tmp_path, (), False)
    assert evaluate.planned(tmp_path, (), True) == [part for part in evaluate.PARTS if part not in ("generate", "build")]
    assert evaluate.planned(tmp_path, ("polars", "thousand-check"), False) == ["index", "export", "polars", "thousand", "thousand-check"]


def test_bars_are_met_or_missed() -> None:
    assert FIGURES["hundred"].verdict(Value(7.9)) == "bar 10.00 s: ok"
    assert FIGURES["hundred"].verdict(Value(12.5)) == "bar 10.00 s: missed by 2.50 s"
    assert FIGURES["hundred"].verdict(Value(10.0, ">")).startswith("bar 10.00 s: missed by >")
    assert FIGURES["ratio"].verdict(Value(11.0, ">")) == "bar 10.0 x: ok"
    assert FIGURES["ratio"].verdict(Value(8.0)) == "bar 10.0 x: missed by 2.0 x"
    assert FIGURES["peak"].verdict(Value(3 * 2.0**30)) == "bar 3.50 GiB: ok"


def test_a_stopped_part_bounds_the_ratio() -> None:
    stopped = Measured(None, {"limit": 100.0}, problem="> 100 s")
    parts = {"indexed": Measured(5.0), "scan": stopped, "one-by-one": Measured(150.0)}
    assert better_duckdb(parts) == ("scan", Value(100.0, ">"))
    assert FIGURES["ratio"].value(parts) == Value(20.0, ">")
    missing = Measured(None, problem="not installed")
    lines = report.section("L", report.Run(1, 2, "a machine.", {**parts, "chdb": missing}))
    assert any("not installed" in line for line in lines)
    assert any("> 100.00" in line for line in lines)


def test_the_record_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    first = report.Run(
        10, 20, "a machine.", {"indexed": Measured(1.0, {"counts": {"a": 1}}), "scan": Measured(9.0)}, {"indexed": "1", "scan": "1"}
    )
    report.record("M", first, tmp_path)
    report.record("M", report.Run(10, 20, "a machine.", {"indexed": Measured(0.5)}, {"indexed": "2"}), tmp_path)
    report.record("S", report.Run(1, 2, "a machine.", {"indexed": Measured(0.1)}, {"indexed": "2"}), tmp_path)
    kept = report.read(tmp_path / "results.json")["M"]
    assert (kept.parts["indexed"].seconds, kept.parts["scan"].seconds) == (0.5, 9.0)
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert page.index("## Growth") < page.index("## S: 1 profiles") < page.index("## M: 10 profiles")
    assert "The engines were not all measured in one run." in page
    assert "counts" not in (tmp_path / "results.json").read_text(encoding="utf-8")


def test_times_are_summed_up() -> None:
    assert percentile([float(n) for n in range(1, 31)], 0.95) == 29.0
    assert percentile([3.0, 1.0], 0.5) == 1.0
    ran: list[int] = []
    found = best(lambda: ran.append(1), most=3)
    assert (found.runs, len(ran)) == (3, 3)


def test_differences_name_the_segment() -> None:
    assert evaluate.differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 0}) == ["b: 2 and 3", "c: None and 0"]
