"""Who entered and left the hundred segments between two evaluations, and how much they overlap: from kept members."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from bench.counting import sizes
from bench.generate import AS_OF
from bench.measured import Measured, best, timed
from bench.shop import opened, save_segments
from kohort.evaluation.bitmap import Bitmap
from kohort.foundation.instants import to_micros
from kohort.services.evaluation.evaluate import evaluate_all, open_engine
from kohort.services.evaluation.overlap import OverlapMatrix, overlap_matrix
from kohort.services.membership.changes import AllChanges, all_changes

EARLIER = AS_OF - timedelta(days=1)
PAIRS = 50
"""So many pairs of the overlap are counted again one by one."""


def measure_membership(folder: Path, _: Mapping[str, Any]) -> Measured:
    """Evaluate and keep as of a day before and as of the refresh, then compare; every count of a change is checked."""
    with opened(folder) as (shop, engine):
        save_segments(shop, engine.catalog)
        engine = open_engine(shop.warehouse, shop.store, engine.parent, shop.settings.range_size, shop.index_use)
        members = {}
        keeping = []
        for as_of in (EARLIER, AS_OF):
            members[as_of] = engine.run(engine.bound(), to_micros(as_of)).members
            keeping.append(timed(lambda as_of=as_of: evaluate_all(engine, shop.store, shop.snapshots, shop.clock, as_of=as_of, keep=2))[0])
        first_changes, found = timed(lambda: all_changes(shop.store, shop.snapshots, engine.parent))
        changes = best(lambda: all_changes(shop.store, shop.snapshots, engine.parent), most=5).seconds
        first_overlap, matrix = timed(lambda: overlap_matrix(engine, shop.store, shop.snapshots, as_of=AS_OF))
        overlap = best(lambda: overlap_matrix(engine, shop.store, shop.snapshots, as_of=AS_OF), most=5).seconds
        wrong = [*_wrong_changes(found, members[EARLIER], members[AS_OF]), *_wrong_pairs(matrix, members[AS_OF])]
        facts = {
            "keep": min(keeping),
            "changes": changes,
            "first_changes": first_changes,
            "overlap": overlap,
            "first_overlap": first_overlap,
            "source": matrix.source,
            "segments": len(matrix.paths),
            "wrong": wrong,
            "counts": sizes(members[AS_OF]),
        }
        return Measured(changes + overlap, facts)


def _wrong_changes(found: AllChanges, before: Mapping[str, Bitmap], after: Mapping[str, Bitmap]) -> list[str]:
    """The segments whose counts differ from plain bitmaps."""
    told = {one.path: (one.change.before, one.change.after, one.change.entered, one.change.left) for one in found.segments}
    plain = {
        path: (old.count(), after[path].count(), (after[path] - old).count(), (old - after[path]).count()) for path, old in before.items()
    }
    return [f"{path}: {told.get(path)} and {plain[path]}" for path in plain if told.get(path) != plain[path]]


def _wrong_pairs(matrix: OverlapMatrix, members: Mapping[str, Bitmap]) -> list[str]:
    """Those of some pairs (and of all sizes) that differ from plain bitmaps."""
    random, places = Random("pairs"), range(len(matrix.paths))
    pairs = [*((place, place) for place in places), *((random.choice(places), random.choice(places)) for _ in range(PAIRS))]
    plain = {pair: (members[matrix.paths[pair[0]]] & members[matrix.paths[pair[1]]]).count() for pair in pairs}
    return [
        f"{matrix.paths[a]} and {matrix.paths[b]}: {matrix.shared[a, b]}" for (a, b), count in plain.items() if matrix.shared[a, b] != count
    ]
