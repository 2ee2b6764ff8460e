"""What an evaluation keeps is what it evaluated, whatever is saved meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from kohort.bootstrap import open_kohort
from kohort.foundation.clock import FixedClock
from kohort.services.definitions.push import push_segments
from kohort.services.evaluation.evaluate import evaluate_all
from tests.services.preview.test_preview import AS_OF, Shop, make


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


KILLED = """
import os, signal, sys
from pathlib import Path
import kohort.membership.snapshots as snapshots
from kohort.bootstrap import open_kohort
from kohort.foundation.clock import FixedClock
from kohort.services.evaluation.evaluate import evaluate_all
from tests.services.preview.test_preview import AS_OF, Shop

def kill(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

match sys.argv[2]:
    case "write":
        snapshots._write_manifest = kill
    case "rename":
        Path.rename = kill
    case "commit":
        snapshots.SnapshotStore._drop_old = kill
shop = Shop(open_kohort(Path(sys.argv[1]), FixedClock(AS_OF)))
evaluate_all(shop.engine, shop.kohort.store, shop.kohort.snapshots, shop.kohort.clock)
"""


@pytest.mark.parametrize("point", ["write", "rename", "commit"])
def test_a_killed_evaluation_leaves_the_last_one(tmp_path: Path, point: str) -> None:
    folder = tmp_path / "work"
    before = make(folder)
    [first] = before.kohort.store.evaluations(before.parent.id)
    before.kohort.close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), point], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -signal.SIGKILL
    kohort = open_kohort(folder, FixedClock(AS_OF + timedelta(days=1)))
    after = Shop(kohort)
    assert [found.id for found in kohort.store.evaluations(after.parent.id)] == [first.id]
    opened = kohort.snapshots.open(after.parent.id, first.id)
    assert opened is not None
    assert opened.manifest.total == 6
    again = evaluate_all(after.engine, kohort.store, kohort.snapshots, kohort.clock)
    kept = kohort.snapshots.open(after.parent.id, again.id)
    assert kept is not None
    assert {segment.path: segment.count for segment in kept.manifest.segments} == {one.path: one.count for one in again.populations}
    left = (kohort.workspace.state / "membership" / str(after.parent.id)).iterdir()
    assert sorted(entry.name for entry in left) == sorted({str(first.id), str(again.id)})
    kohort.close()
