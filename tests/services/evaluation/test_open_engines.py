"""Engines that stay open between requests, always of what there is now, and without the warehouse where the index suffices."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pytest

from kohort.foundation.errors import UserError
from kohort.index import warming
from kohort.index.compiled import COMPILING, KERNELS
from kohort.ports.warehouse import Queries
from kohort.segments.definition import Segment
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.stored import stored_document
from kohort.services.evaluation.evaluate import Engine
from kohort.services.evaluation.open_engines import BorrowedWarehouse, OpenEngines
from kohort.services.parents.index import build_index, refresh_and_index
from kohort.services.preview.drafts import draft_of_text
from kohort.services.preview.preview import Preview, preview
from tests.services.preview.test_preview import Shop, make


@dataclass
class Lender:
    """Lends the warehouse, and counts how often; lent: it is somewhere else."""

    warehouse: Queries
    borrowed: int = 0
    lent: bool = False
    out: int = field(default=0)

    def __call__(self) -> AbstractContextManager[Queries]:
        return self._borrow()

    @contextmanager
    def _borrow(self) -> Iterator[Queries]:
        if self.lent:
            raise UserError("WAREHOUSE_BUSY", "the warehouse is busy")
        self.borrowed += 1
        self.out += 1
        try:
            yield self.warehouse
        finally:
            self.out -= 1


@dataclass
class Open:
    shop: Shop
    engines: OpenEngines
    lender: Lender

    def engine(self) -> Engine:
        parent = self.shop.kohort.store.parent(str(self.shop.parent.id))
        assert parent is not None
        with self.engines.use(parent) as engine:
            return engine

    def preview(self, text: str) -> Preview:
        engine = self.engine()
        return preview(engine, self.shop.kohort.store, draft_of_text(text, engine.catalog), snapshots=self.shop.kohort.snapshots)

    def save(self, segment: Segment) -> None:
        store, at = self.shop.kohort.store, self.shop.kohort.clock.now()
        store.save_segment(
            self.shop.parent.id,
            segment.folder,
            segment.name,
            segment.kind,
            stored_document(segment),
            segment_fingerprint(segment),
            by="ann",
            at=at,
        )


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    shop = make(tmp_path / "work")
    kohort = shop.kohort
    refresh_and_index(kohort.warehouse, kohort.store, shop.parent, kohort.indexes, clock=kohort.clock)
    lender = Lender(kohort.warehouse)
    engines = OpenEngines(kohort.store, lender, 1_000, kohort.index_use, kohort.snapshots)
    yield Open(shop, engines, lender)
    engines.close()
    kohort.close()


def test_one_engine_serves_until_something_changes(opened: Open) -> None:
    first = opened.engine()
    assert opened.engine() is first
    assert first.index is not None
    text = draft_of_text("points >= 20", first.catalog)
    opened.save(replace(text.segment, name="Fresh"))
    second = opened.engine()
    assert second is not first
    assert second.index is first.index
    assert "Fresh" in second.graph.by_path
    assert {one.path: one for one in first.segments}["Gold"] is {one.path: one for one in second.segments}["Gold"]
    assert opened.preview("in segment 'Fresh'").count == 4
    opened.save(replace(text.segment, name="Fresh", rule=draft_of_text("points >= 50", first.catalog).segment.rule))
    assert opened.preview("in segment 'Fresh'").count == 1
    opened.shop.kohort.store.move_segment(second.records["Fresh"].id, "New", "Fresh", by="ann", at=opened.shop.kohort.clock.now())
    assert "New/Fresh" in opened.engine().graph.by_path


def test_a_refresh_and_a_new_index_are_seen(opened: Open) -> None:
    shop, kohort = opened.shop, opened.shop.kohort
    assert opened.preview("tier = 'Gold'").count == 3
    kohort.warehouse.execute("INSERT INTO shop.customers VALUES (7, 'Gold', 70)")
    assert opened.preview("tier = 'Gold'").count == 3
    done = refresh_and_index(kohort.warehouse, kohort.store, shop.parent, kohort.indexes, clock=kohort.clock)
    before = opened.engine()
    assert opened.preview("tier = 'Gold'").count == 4
    build_index(kohort.warehouse, done.record, kohort.indexes)
    assert opened.engine() is not before
    assert opened.engine().index is not before.index


def test_what_the_index_answers_needs_no_warehouse(opened: Open) -> None:
    opened.lender.lent = True
    found = opened.preview("tier = 'Gold' and (buy count >= 2 or points > 50)")
    assert (found.count, len(found.sample.rows), found.issues.ok) == (2, 2, True)
    assert {pair.second for pair in found.overlaps} >= {"Gold", "Gold Buyers"}
    assert opened.lender.borrowed == 0


def test_threads_share_an_engine(opened: Open) -> None:
    texts = [f"points >= {n} and (buy or tier = 'Gold')" for n in range(0, 70, 5)]
    alone = {text: opened.shop.preview(text).count for text in texts}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: opened.preview(text).count, texts * 4))
    assert found == [alone[text] for text in texts * 4]
    assert len(opened.engines._open) == 1


def test_a_stream_keeps_the_warehouse_until_its_end(opened: Open) -> None:
    borrowed = BorrowedWarehouse(opened.lender)
    reader = borrowed.stream("SELECT * FROM range(10) AS t(n)", 4)
    assert opened.lender.out == 1
    assert pa.Table.from_batches(list(reader), reader.schema).num_rows == 10
    assert opened.lender.out == 0
    assert borrowed.query("SELECT 1 AS one").column(0).to_pylist() == [1]


def test_engines_nobody_asks_for_are_closed(opened: Open) -> None:
    opened.preview("points > 0")
    engine = opened.engine()
    assert engine._sources
    opened.engines.busy_seconds = -1.0
    opened.engines._sweep()
    assert opened.engine() is engine
    assert not engine._sources
    opened.engines.idle_seconds = -1.0
    opened.engines._sweep()
    assert not opened.engines._open
    opened.engine()
    opened.engines.close()
    assert not opened.engines._open
    assert opened.engines._sweeper is None


def test_warming_up_opens_what_was_refreshed(opened: Open) -> None:
    opened.engines.warm_up()
    assert list(opened.engines._open) == [opened.shop.parent.id]
    opened.lender.lent = True
    assert opened.preview("tier = 'Gold'").count == 3


def test_what_is_told_to_be_loaded_comes_before_anything_of_a_parent_segment(opened: Open) -> None:
    seen: list[int] = []
    opened.engines.warm_up(lambda: seen.append(len(opened.engines._open)))
    assert seen == [0]
    assert list(opened.engines._open) == [opened.shop.parent.id]


def test_warming_up_lets_others_go_on_between_two_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    def rest(seconds: float) -> None:
        assert not COMPILING.locked(), "others may load a function meanwhile"
        rests.append(seconds)

    monkeypatch.setattr("kohort.index.warming.time.sleep", rest)
    warming.load_all(rest_seconds=0.25)
    assert rests == [0.25] * sum(len(one.signatures) for one in KERNELS)
