"""What is measured, each part in a process of its own so that its peak memory is its own.

python -m bench.engines PART FOLDER [OPTIONS as JSON]      prints one line of JSON
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.generate import AS_OF, Size, generate
from bench.shop import bound_segments, build, open_shop, refreshed
from kohort.bootstrap import Kohort
from kohort.evaluation.evaluate import evaluate
from kohort.evaluation.statement import rule_sql
from kohort.foundation.instants import to_micros
from kohort.parent.catalog import FieldCatalog
from kohort.parent.layout import profiles_table
from kohort.rules.core import Expr


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


PARTS: dict[str, Callable[[Path, Mapping[str, Any]], Measured]] = {
    "generate": measure_generate,
    "refresh": measure_refresh,
    "evaluator": lambda folder, options: measure_counting(folder, options, count_by_evaluator),
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
