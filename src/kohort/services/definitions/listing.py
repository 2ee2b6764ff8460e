"""All segments of a parent segment with the populations of the last evaluation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from kohort.ports.definitions import DefinitionStore, ParentRecord, PopulationRecord, SegmentRecord
from kohort.segments.definition import Segment
from kohort.services.definitions.stored import segment_of


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """One segment or variant (id: of its segment). population and what goes with it is None until the newest version was evaluated.

    share: population / base_count (None of nothing); share_of: the parent segment's name or a segment's path;
    share_of_name: the same without folders, for people.
    """

    id: int
    path: str
    name: str
    folder: str
    kind: str
    version: int
    is_variant: bool
    population: int | None
    base_count: int | None
    share_of: str
    share_of_name: str
    evaluated_at: datetime | None

    @property
    def share(self) -> float | None:
        return self.population / self.base_count if self.population is not None and self.base_count else None


def list_segments(store: DefinitionStore, parent: ParentRecord) -> list[ListedSegment]:
    """Segments by folder and name, each followed by its variants."""
    return list(store.remembered(("listed", parent.id, parent.name), lambda: _listing(store, parent)))


def _listing(store: DefinitionStore, parent: ParentRecord) -> list[ListedSegment]:
    evaluation = store.last_evaluation(parent.id)
    populations = {p.path: p for p in evaluation.populations} if evaluation else {}
    places = _places(populations.values())
    evaluated_at = evaluation.evaluated_at if evaluation else None
    listed = []
    for record in store.segments(parent.id):
        segment = segment_of(record)
        then = _as_evaluated(segment, places.get(record.id, record.path))
        for path, old in zip((record.path, *segment.variant_paths), (then.path, *then.variant_paths), strict=True):
            known = populations.get(old)
            current = known if known and (known.segment_id, known.version) == (record.id, record.version) else None
            listed.append(_listed(record, path, current, evaluated_at if current else None, parent.name))
    return listed


def _places(populations: Collection[PopulationRecord]) -> dict[int, str]:
    """Where segments were when they were evaluated: {id: path}. A variant's share is of its own segment."""
    known = {(p.segment_id, p.path) for p in populations}
    return {p.segment_id: p.path for p in populations if (p.segment_id, p.share_of) not in known}


def _as_evaluated(segment: Segment, path: str) -> Segment:
    """The segment where it was before it was renamed or moved: what it and its variants were called then."""
    folder, _, name = path.rpartition("/")
    return replace(segment, folder=folder, name=name)


def _listed(
    record: SegmentRecord, path: str, population: PopulationRecord | None, evaluated_at: datetime | None, parent_name: str
) -> ListedSegment:
    folder, _, name = path.rpartition("/")
    share_of = population.share_of if population else parent_name
    return ListedSegment(
        id=record.id,
        path=path,
        name=name,
        folder=folder,
        kind=record.kind,
        version=record.version,
        is_variant=path != record.path,
        population=population.count if population else None,
        base_count=population.base_count if population else None,
        share_of=share_of,
        share_of_name=share_of if share_of == parent_name else share_of.rpartition("/")[2],
        evaluated_at=evaluated_at,
    )
