"""A shop that was evaluated every day for weeks, so that charts and versions have something to show."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from kohort.bootstrap import Kohort, open_kohort
from kohort.ports.definitions import SegmentRecord
from kohort.services.definitions.save import read_document, update_segment
from kohort.services.evaluation.evaluate import Engine, evaluate_all, open_engine

DAYS = 40
CHANGED = 10
"""How many days before the last evaluation the rule of Value/VIP got its second version."""
SECOND_RULE = "lifetime_value > 2000 and loyalty_tier = 'Gold'"


def evaluate_every_day(folder: Path) -> None:
    """An evaluation for each of the last 40 days, the last one at the refresh's instant; VIP changes on the way."""
    kohort = open_kohort(folder)
    try:
        engine = _engine(kohort)
        for days in range(DAYS, -1, -1):
            if days == CHANGED:
                change_rule(kohort, "Value/VIP", SECOND_RULE, "Fewer, for spring")
                engine = _engine(kohort)
            moment = engine.refresh.as_of - timedelta(days=days)
            evaluate_all(engine, kohort.store, kohort.snapshots, kohort.clock, as_of=moment, keep=400)
    finally:
        kohort.close()


def change_rule(kohort: Kohort, path: str, rule: str, note: str = "") -> SegmentRecord:
    """A new version of a segment."""
    parent = kohort.store.parents()[0]
    record = next(found for found in kohort.store.segments(parent.id) if found.path == path)
    segment = read_document({"name": record.name, "folder": record.folder, **record.document, "rule": rule})
    _, saved = update_segment(
        kohort.store, parent, record.id, segment, revision=None, catalog=None, by="bob", clock=kohort.clock, note=note
    )
    return saved


def _engine(kohort: Kohort) -> Engine:
    return open_engine(kohort.warehouse, kohort.store, kohort.store.parents()[0], kohort.settings.range_size, kohort.index_use)
