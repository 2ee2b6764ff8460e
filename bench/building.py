"""From nothing to an index: the refresh of string-keyed Parquet files and the build, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, time
from typing import Any

from bench.generate import AS_OF, Size, generate
from bench.measured import Measured, timed
from bench.shop import build, make_workspace, opened
from kohort.foundation.clock import SystemClock
from kohort.index.layout import MANIFEST, index_folder
from kohort.services.parents.index import build_index, refresh_and_index
from kohort.services.refresh.index_files import refresh_index

Options = Mapping[str, Any]


class Steps:
    """Hears of steps and adds up how long each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.name, self.since = "", perf_counter()

    def step(self, name: str, _done: int, _total: int) -> None:
        now = perf_counter()
        if self.name:
            self.seconds[self.name] = self.seconds.get(self.name, 0.0) + now - self.since
        self.name, self.since = name, now

    def of(self, seconds: float) -> dict[str, float]:
        """Step -> seconds, out of so many in all."""
        self.step("", 0, 0)
        return {**self.seconds, "between the steps": seconds - sum(self.seconds.values())}


def measure_generate(folder: Path, options: Options) -> Measured:
    """Make the data, unless it is there."""
    seconds, made = timed(lambda: generate(folder, Size(options["profiles"], options["events"]), options["seed"]))
    return Measured(seconds, {"made": made})


def measure_build(folder: Path, _: Options) -> Measured:
    """The workspace anew, its refresh and its index in one process. index: seconds until the index was whole; the tables follow."""
    shop, steps = make_workspace(folder), Steps()
    try:
        parent, begun = shop.store.parents()[0], time()
        seconds, done = timed(
            lambda: refresh_and_index(shop.warehouse, shop.store, parent, shop.indexes, clock=SystemClock(), as_of=AS_OF, progress=steps)
        )
        if done.index is None:
            raise RuntimeError(done.problem)
        size = sum(facts.bytes for facts in done.index.files.values())
        written = (index_folder(shop.indexes.root, parent.id, done.record.number) / MANIFEST).stat().st_mtime
        facts = {"population": done.record.population, "bytes": size, "steps": steps.of(seconds), "index": written - begun}
        return Measured(seconds, facts)
    finally:
        shop.close()


def measure_refresh(folder: Path, _: Options) -> Measured:
    """Views, definitions and the refresh from string keys to ordinals."""
    seconds, record = timed(lambda: build(folder))
    return Measured(seconds, {"population": record.population})


def measure_index(folder: Path, options: Options) -> Measured:
    """The index of the last refresh, from its tables. With the option "missing": only if it cannot be opened."""
    with opened(folder) as (shop, engine):
        if options.get("missing") and refresh_index(shop.indexes.root, engine.refresh) is not None:
            return Measured(None, problem="there")
        steps = Steps()
        seconds, manifest = timed(lambda: build_index(shop.warehouse, engine.refresh, shop.indexes, progress=steps))
        return Measured(seconds, {"bytes": sum(facts.bytes for facts in manifest.files.values()), "steps": steps.of(seconds)})


def measure_compile(_folder: Path, _: Options) -> Measured:
    """Compile everything, once per machine: to be run with NUMBA_CACHE_DIR set to an empty folder."""
    seconds, compiled = timed(_compiled)
    return Measured(seconds, {"functions": compiled})


def _compiled() -> int:
    from kohort.index.warming import warm_up

    told: list[int] = []
    warm_up(lambda _, total: told.append(total))
    return max(told, default=0)
