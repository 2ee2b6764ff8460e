"""What is measured, each part in a process of its own so that its peak memory is its own.

python -m bench.engines PART FOLDER [OPTIONS as JSON]      prints one line of JSON
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.generate import AS_OF, Size, generate
from bench.shop import bound_segments, build, open_shop, refreshed
from kohort.bootstrap import Kohort
from kohort.evaluation.evaluate import evaluate
from kohort.evaluation.index_source import IndexLeafSource
from kohort.evaluation.indexed.cache import LeafCache
from kohort.evaluation.statement import rule_sql
from kohort.foundation.instants import to_micros
from kohort.parent.catalog import FieldCatalog
from kohort.parent.layout import profiles_table
from kohort.rules.bind import bind
from kohort.rules.core import Expr
from kohort.rules.text import parse_rule
from kohort.services.evaluate import IndexUse, open_engine
from kohort.services.index import build_index


@dataclass(frozen=True, slots=True)
class Measured:
    """seconds: wall time of the work itself; peak_bytes: of the whole process; facts: what else is worth showing."""

    seconds: float
    peak_bytes: int
    facts: Mapping[str, Any]


def measure_generate(folder: Path, options: Mapping[str, Any]) -> Measured:
    """Make the data, unless it is there."""
    started = perf_counter()
    made = generate(folder, Size(options["profiles"], options["events"]), options["seed"])
    return _measured(perf_counter() - started, {"made": made})


def measure_refresh(folder: Path, _: Mapping[str, Any]) -> Measured:
    """Views, definitions and the refresh from string keys to ordinals."""
    started = perf_counter()
    record = build(folder)
    return _measured(perf_counter() - started, {"population": record.population})


Counts = tuple[dict[str, int], dict[str, Any]]
Counter = Callable[[Kohort, Mapping[str, Expr], int, int, FieldCatalog], Counts]


def count_by_evaluator(shop: Kohort, exprs: Mapping[str, Expr], parent_id: int, number: int, catalog: FieldCatalog) -> Counts:
    """All segments at once: distinct leaves over ranges of profiles, then bitmaps."""
    table = profiles_table(parent_id, number)
    top = shop.warehouse.query(f'SELECT COALESCE(MAX(ordinal), -1) + 1 AS n FROM "{table.database}"."{table.table}"').column(0)[0].as_py()
    outcome = evaluate(
        exprs,
        shop.warehouse.query,
        parent_id=parent_id,
        refresh_number=number,
        catalog=catalog,
        as_of=to_micros(AS_OF),
        ordinals=top,
        range_size=shop.settings.range_size,
    )
    return {path: members.count() for path, members in outcome.members.items()}, {"leaves": outcome.leaves}


def count_one_by_one(shop: Kohort, exprs: Mapping[str, Expr], parent_id: int, _: int, catalog: FieldCatalog) -> Counts:
    """One query per segment over the public views and their text keys."""
    counts, seconds = {}, {}
    for path, expr in exprs.items():
        started = perf_counter()
        sql = rule_sql(expr, parent_id=parent_id, catalog=catalog, as_of=to_micros(AS_OF), segments=exprs)
        counts[path] = shop.warehouse.query(f"SELECT COUNT(*) AS n FROM ({sql}) AS members").column(0)[0].as_py()
        seconds[path] = perf_counter() - started
    return counts, {"slowest": sorted(seconds.items(), key=lambda item: -item[1])[:3]}


def measure_counting(folder: Path, options: Mapping[str, Any], count: Counter) -> Measured:
    """Count every segment, as often as asked; the best time counts."""
    shop = open_shop(folder)
    try:
        record, last, catalog = refreshed(shop)
        exprs = bound_segments(catalog)
        best, counts, facts = float("inf"), dict[str, int](), dict[str, Any]()
        for _ in range(options["repeat"]):
            started = perf_counter()
            counts, facts = count(shop, exprs, record.id, last.number, catalog)
            best = min(best, perf_counter() - started)
        return _measured(best, {"counts": counts, **facts})
    finally:
        shop.close()


def measure_index(folder: Path, _: Mapping[str, Any]) -> Measured:
    """The index of the last refresh, from its tables."""
    shop = open_shop(folder)
    try:
        last = refreshed(shop)[1]
        started = perf_counter()
        manifest = build_index(shop.warehouse, last, shop.indexes)
        return _measured(perf_counter() - started, {"bytes": sum(facts.bytes for facts in manifest.files.values())})
    finally:
        shop.close()


def measure_indexed(folder: Path, options: Mapping[str, Any]) -> Measured:
    """Count every segment on the index. The best time counts, nothing remembered but compiled code and files in memory."""
    shop = open_shop(folder)
    try:
        engine = open_engine(shop.warehouse, shop.store, shop.store.parents()[0], shop.settings.range_size, shop.index_use)
        exprs, as_of = bound_segments(engine.catalog), to_micros(AS_OF)
        started = perf_counter()
        outcome = engine.run(exprs, as_of)
        facts: dict[str, Any] = {"cold": perf_counter() - started, "leaves": outcome.leaves}
        warm, counts = [], dict[str, int]()
        for _ in range(max(2, options["repeat"])):
            again = replace(engine, indexes=IndexUse(shop.indexes.root, LeafCache()))
            again.__dict__["index"] = engine.index
            started = perf_counter()
            outcome = again.run(exprs, as_of)
            warm.append(perf_counter() - started)
            counts = {path: members.count() for path, members in outcome.members.items()}
        facts["new"] = [_timed(lambda one=one: again.run({"new": one}, as_of)) for one in _new_conditions(engine.catalog)]  # type: ignore[misc]
        facts["known"] = min(_timed(lambda: again.run(exprs, as_of)) for _ in range(5))
        source = again.source(as_of)
        assert isinstance(source, IndexLeafSource)
        facts["left"] = sorted({*source.left_to_sql.values()})
        return _measured(min(warm), {"counts": counts, **facts})
    finally:
        shop.close()


def _timed(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _new_conditions(catalog: FieldCatalog) -> list[Expr]:
    """Conditions that no segment has."""
    found = []
    for text in NEW_CONDITIONS:
        rule, issues = parse_rule(text, catalog)
        issues.raise_if_errors()
        found.append(bind(rule, catalog, lambda _: None))
    return found


NEW_CONDITIONS = (
    "page_view count >= 17 in last 40 days where path starts with '/category/'",
    "purchase sum(amount) >= 222 in last 200 days",
    "page_view count >= 31",
    "purchase max(amount) >= 111 where channel = 'app'",
    "lifetime_value > 321",
)

PARTS: dict[str, Callable[[Path, Mapping[str, Any]], Measured]] = {
    "generate": measure_generate,
    "refresh": measure_refresh,
    "evaluator": lambda folder, options: measure_counting(folder, options, count_by_evaluator),
    "index": measure_index,
    "indexed": measure_indexed,
    "one-by-one": lambda folder, options: measure_counting(folder, options, count_one_by_one),
}


def _measured(seconds: float, facts: Mapping[str, Any]) -> Measured:
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, facts)


def main() -> None:
    """Measure one part."""
    part, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    measured = PARTS[part](folder, options)
    print(json.dumps({"seconds": measured.seconds, "peak_bytes": measured.peak_bytes, "facts": dict(measured.facts)}))


if __name__ == "__main__":
    main()
