"""Counting the hundred segments: on the profile index, by Kohort's SQL, one query per segment, and by shared scans of other engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.export import exported
from bench.generate import AS_OF
from bench.measured import Measured, best, timed
from bench.scan import Scanner, own_leaves, scan
from bench.shop import bound_segments, forgetful, opened
from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.statement import rule_sql
from kohort.foundation.instants import to_micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.core import Expr
from kohort.services.evaluation.evaluate import Engine

DUCKDB_RANGE = 500_000
CHDB_RANGE = 1_000_000
POLARS_RANGE = 500_000
"""Profiles scanned at a time: what was fastest for each on two million profiles."""

Options = Mapping[str, Any]


def sizes(members: Mapping[str, Bitmap]) -> dict[str, int]:
    """How many are in each segment."""
    return {path: found.count() for path, found in members.items()}


@dataclass(frozen=True, slots=True)
class Counted:
    """How many are in each segment, and how many distinct conditions that took."""

    counts: Mapping[str, int]
    leaves: int


def counted_by(engine: Engine, exprs: Mapping[str, Expr]) -> Counted:
    """Evaluate, count, and let go of the members."""
    outcome = engine.run(exprs, to_micros(AS_OF))
    return Counted(sizes(outcome.members), outcome.leaves)


def measure_indexed(folder: Path, _: Options) -> Measured:
    """All segments on the index: the first time in this process, then with files and compiled code in memory but nothing remembered,
    then from remembered conditions."""
    with opened(folder) as (shop, engine):
        exprs, as_of = bound_segments(engine.catalog), to_micros(AS_OF)
        first, counted = timed(lambda: counted_by(engine, exprs))
        left = sorted({*getattr(engine.source(as_of), "left_to_sql", {}).values()})
        engine = forgetful(engine, shop.indexes.root)
        found = best(lambda: counted_by(forgetful(engine, shop.indexes.root), exprs), most=5)
        engine.run(exprs, as_of)
        known = best(lambda: counted_by(engine, exprs), most=5).seconds
        facts = {"first": first, "known": known, "leaves": counted.leaves, "left": left, "counts": found.outcome.counts}
        return Measured(found.seconds, {**facts, "cpu": found.cpu_seconds})


def measure_evaluator(folder: Path, _: Options) -> Measured:
    """All segments by SQL as Kohort writes it."""
    with opened(folder) as (shop, engine):
        _read(shop.workspace.state / "warehouse.duckdb")
        exprs = bound_segments(engine.catalog)
        found = best(lambda: counted_by(replace(engine, indexes=None), exprs))
        facts = {"counts": found.outcome.counts, "leaves": found.outcome.leaves, "runs": found.runs, "cpu": found.cpu_seconds}
        return Measured(found.seconds, facts)


def measure_one_by_one(folder: Path, _: Options) -> Measured:
    """One query per segment over the public views and their text keys."""
    with opened(folder) as (shop, engine):
        _read(shop.workspace.state / "warehouse.duckdb")
        exprs, spent = bound_segments(engine.catalog), dict[str, float]()

        def count(path: str) -> int:
            sql = rule_sql(exprs[path], parent_id=engine.parent.id, catalog=engine.catalog, as_of=to_micros(AS_OF), segments=exprs)
            started = perf_counter()
            members: int = shop.warehouse.query(f"SELECT COUNT(*) AS n FROM ({sql}) AS members").column(0)[0].as_py()
            spent[path] = perf_counter() - started
            return members

        found = best(lambda: {path: count(path) for path in exprs})
        slowest = sorted(spent.items(), key=lambda item: -item[1])[:3]
        return Measured(found.seconds, {"counts": found.outcome, "slowest": slowest, "runs": found.runs, "cpu": found.cpu_seconds})


def measure_scan(folder: Path, _: Options) -> Measured:
    """The shared scan on DuckDB, over the tables of the refresh."""
    from bench.scan_duckdb import DuckDBScanner

    with opened(folder) as (shop, engine):
        _read(shop.workspace.state / "warehouse.duckdb")
        scanner = DuckDBScanner(shop.warehouse, engine.refresh, engine.catalog, to_micros(AS_OF))
        return _scanned(scanner, engine.catalog, engine.ordinals(), DUCKDB_RANGE)


def measure_chdb(folder: Path, _: Options) -> Measured:
    """The shared scan on ClickHouse; filling its tables is told apart."""
    if find_spec("chdb") is None:
        return Measured(None, problem="not installed")
    from bench.scan_chdb import ChdbScanner

    catalog, ordinals = _told(folder)
    load, scanner = timed(lambda: ChdbScanner(folder, catalog, to_micros(AS_OF)))
    try:
        return _scanned(scanner, catalog, ordinals, CHDB_RANGE, {"load": load})
    finally:
        scanner.close()


def measure_polars(folder: Path, _: Options) -> Measured:
    """The shared scan on Polars, over the exported files."""
    if find_spec("polars") is None:
        return Measured(None, problem="not installed")
    from bench.scan_polars import PolarsScanner

    catalog, ordinals = _told(folder)
    for file in exported(folder).glob("*.parquet"):
        _read(file)
    return _scanned(PolarsScanner(folder, catalog, to_micros(AS_OF)), catalog, ordinals, POLARS_RANGE)


def _told(folder: Path) -> tuple[FieldCatalog, int]:
    with opened(folder) as (_, engine):
        return engine.catalog, engine.ordinals()


def _scanned(scanner: Scanner, catalog: FieldCatalog, ordinals: int, range_size: int, facts: Options | None = None) -> Measured:
    exprs = bound_segments(catalog)
    found = best(lambda: sizes(scan(exprs, scanner, ordinals, range_size)))
    counted = {"counts": found.outcome, "leaves": len(own_leaves(exprs)), "runs": found.runs, "cpu": found.cpu_seconds}
    return Measured(found.seconds, {**counted, **(facts or {})})


def _read(file: Path) -> None:
    """Bring a file into memory, as far as there is room, so that nobody waits for the disk."""
    with file.open("rb", buffering=0) as source:
        while source.read(1 << 24):
            pass
