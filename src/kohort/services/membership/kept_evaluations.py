"""The evaluations whose members are kept, in the order of their instants; how a person names one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from kohort.foundation.errors import UserError
from kohort.foundation.instants import format_instant, load_zone, midnight, parse_instant, to_micros
from kohort.foundation.issues import did_you_mean
from kohort.membership.snapshots import SegmentKey, Snapshot, SnapshotDamaged, SnapshotStore, variant_name
from kohort.ports.definitions import DefinitionStore, EvaluationRecord, EvaluationSummary, ParentRecord, PopulationRecord
from kohort.services.definitions.stored import find_segment, load_graph, parent_of


@dataclass(frozen=True, slots=True)
class Target:
    """A saved segment or one of its variants: its path today and what it is called for life."""

    path: str
    key: SegmentKey


def find_target(store: DefinitionStore, parent: ParentRecord, name: str) -> Target:
    """The segment or variant of a path, a name or an id. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT."""
    records = store.segments(parent.id)
    graph = load_graph(store, parent.id)
    path = graph.resolve(name.strip("/"))
    if path is None or path not in graph.owners:
        found = find_segment(records, name)
        return Target(found.path, SegmentKey(found.id))
    owner = graph.owners[path]
    ids = {record.path: record.id for record in records}
    return Target(path, SegmentKey(ids[owner], variant_name(path, owner)))


def population_of(record: EvaluationRecord, key: SegmentKey) -> PopulationRecord | None:
    """The population of a segment or variant in an evaluation, whatever it was called then."""
    own = [population for population in record.populations if population.segment_id == key.segment_id]
    owner = min((population.path for population in own), key=len, default="")
    return next((population for population in own if variant_name(population.path, owner) == key.variant), None)


def zone_of(parent: ParentRecord) -> ZoneInfo:
    """The zone whose days count for a parent segment."""
    return load_zone(parent_of(parent).timezone) or ZoneInfo("UTC")


def in_order(evaluations: Sequence[EvaluationSummary]) -> list[EvaluationSummary]:
    """By the instant they stand for; of one instant, in the order they were run."""
    return sorted(evaluations, key=lambda found: (found.as_of, found.id))


def kept_evaluations(store: DefinitionStore, snapshots: SnapshotStore, parent: ParentRecord) -> list[EvaluationSummary]:
    """Those whose members are kept, in order."""
    kept = set(snapshots.kept(parent.id))
    return in_order([found for found in store.evaluations(parent.id) if found.id in kept])


def open_kept(snapshots: SnapshotStore, evaluation: EvaluationSummary) -> Snapshot:
    """Its members. Raises UserError SNAPSHOT_DAMAGED, EVALUATION_NOT_KEPT."""
    snapshot = snapshots.open(evaluation.parent_id, evaluation.id)
    if snapshot is None:
        raise _not_kept(evaluation.id)
    return snapshot


def open_readable(snapshots: SnapshotStore, evaluations: Sequence[EvaluationSummary]) -> tuple[dict[int, Snapshot], tuple[int, ...]]:
    """(snapshot by evaluation, the evaluations whose snapshot is damaged)."""
    found: dict[int, Snapshot] = {}
    unreadable = []
    for evaluation in evaluations:
        try:
            snapshot = snapshots.open(evaluation.parent_id, evaluation.id)
        except SnapshotDamaged:
            unreadable.append(evaluation.id)
            continue
        if snapshot is not None:
            found[evaluation.id] = snapshot
    return found, tuple(unreadable)


def choose_evaluation(
    store: DefinitionStore, parent: ParentRecord, kept: Sequence[EvaluationSummary], text: str, zone: ZoneInfo
) -> EvaluationSummary:
    """The evaluation a person names: `last`, `previous`, its id, a day or an instant (the last one until its end, or until then).

    Raises UserError NOT_EVALUATED, EVALUATION_NOT_FOUND, EVALUATION_NOT_KEPT, INVALID_INSTANT.
    """
    if not kept:
        raise UserError("NOT_EVALUATED", f'no members of "{parent.name}" are kept', hint="run: kohort sg eval")
    word = text.strip().lower()
    if word in ("last", "previous"):
        place = -1 if word == "last" else -2
        if len(kept) < -place:
            raise UserError("EVALUATION_NOT_FOUND", "there is one evaluation only, none before it", hint="run kohort sg eval again later")
        return kept[place]
    if re.fullmatch(r"\d{1,18}", word):
        return _by_id(store, parent, kept, int(word))
    until = _until(text, zone)
    found = [evaluation for evaluation in kept if to_micros(evaluation.as_of) <= until]
    if not found:
        first, last = (format_instant(to_micros(evaluation.as_of)) for evaluation in (kept[0], kept[-1]))
        hint = f"members are kept from {first} to {last}"
        raise UserError("EVALUATION_NOT_FOUND", f'no evaluation with kept members stands for "{text}" or before', hint=hint)
    return found[-1]


def _until(text: str, zone: ZoneInfo) -> int:
    micros = parse_instant(text, zone)
    if micros is None:
        near = did_you_mean(text, ("last", "previous"))
        hint = near if near.startswith("did you mean") else "write last, previous, an evaluation's id, 2024-01-31 or 2024-01-31T10:00:00Z"
        raise UserError("INVALID_INSTANT", f'"{text}" names no evaluation', hint=hint)
    bare = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip())
    try:
        return midnight(date.fromisoformat(bare[0]) + timedelta(days=1), zone) - 1 if bare else micros
    except OverflowError:
        return micros


def _by_id(store: DefinitionStore, parent: ParentRecord, kept: Sequence[EvaluationSummary], evaluation_id: int) -> EvaluationSummary:
    for evaluation in kept:
        if evaluation.id == evaluation_id:
            return evaluation
    known = store.evaluation(evaluation_id)
    if known is not None and known.parent_id == parent.id:
        raise _not_kept(evaluation_id)
    hint = f"kept are: {', '.join(map(str, sorted((evaluation.id for evaluation in kept), reverse=True)[:10]))}"
    raise UserError("EVALUATION_NOT_FOUND", f'"{parent.name}" has no evaluation {evaluation_id}', hint=hint)


def _not_kept(evaluation_id: int) -> UserError:
    return UserError(
        "EVALUATION_NOT_KEPT",
        f"the members of evaluation {evaluation_id} are not kept any more",
        hint="the setting keep_evaluations says how many are; populations are kept for good",
    )
