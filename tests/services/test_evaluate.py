"""What an evaluation keeps is what it evaluated, whatever is saved meanwhile."""

from __future__ import annotations

from pathlib import Path

from kohort.services.evaluate import evaluate_all
from kohort.services.push import push_segments
from tests.services.test_preview import make


def test_versions_are_those_that_were_evaluated(tmp_path: Path) -> None:
    shop = make(tmp_path / "work")
    kohort, engine = shop.kohort, shop.engine
    folder = kohort.workspace.segments_folder("shop")
    (folder / "Gold.yml").write_text("name: Gold\nrule: tier = 'Silver'\n")
    (folder / "Late.yml").write_text("name: Late\n")
    push_segments(kohort.store, kohort.workspace, shop.parent, by="bob", clock=kohort.clock)
    record = evaluate_all(engine, kohort.store, kohort.snapshots, kohort.clock)
    found = {population.path: (population.version, population.count) for population in record.populations}
    assert found["Gold"] == (1, 3)
    assert "Late" not in found
    later = evaluate_all(shop.engine, kohort.store, kohort.snapshots, kohort.clock)
    found = {population.path: (population.version, population.count) for population in later.populations}
    assert found["Gold"] == (2, 2)
    assert found["Late"] == (1, 6)
    kohort.close()
