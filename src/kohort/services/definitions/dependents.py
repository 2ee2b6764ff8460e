"""Which segments need which: what a change, a move or a deletion touches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.segments.graph import SegmentGraph
from kohort.services.definitions.stored import read_stored, segment_ids


@dataclass(frozen=True, slots=True)
class Dependent:
    """A segment that refers to another one. as_base: it is evaluated inside it; in_rule: its rule asks for its members."""

    id: int
    path: str
    kind: str
    as_base: bool
    in_rule: bool

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Relations:
    """dependents: segments that refer to it, or to a variant of it; further: paths of those that need these in turn; needs: paths
    of the segments it refers to itself."""

    dependents: tuple[Dependent, ...]
    further: tuple[str, ...]
    needs: tuple[str, ...]


def relations_of(store: DefinitionStore, parent: ParentRecord, path: str) -> Relations:
    """What refers to a segment and what it refers to. What this program cannot read refers to nothing."""
    records = store.segments(parent.id)
    graph = _graph(records)
    direct = _dependents(records, graph, [path])
    seen = {path, *(dependent.path for dependent in direct)}
    queue = [dependent.path for dependent in direct]
    further = []
    while queue:
        for other in graph.dependents(queue.pop()):
            if other not in seen:
                seen.add(other)
                queue.append(other)
                further.append(other)
    return Relations(direct, tuple(sorted(further)), graph.needs.get(path, ()))


def dependents_among(records: Sequence[SegmentRecord], paths: Collection[str]) -> tuple[Dependent, ...]:
    """The segments that refer directly to one of these (those of the paths themselves included), by path."""
    return _dependents(records, _graph(records), paths)


def _graph(records: Sequence[SegmentRecord]) -> SegmentGraph:
    segments = [read_stored(record.document, record.folder, record.name)[0] for record in records]
    return SegmentGraph.of([segment for segment in segments if segment is not None], segment_ids(records))


def _dependents(records: Sequence[SegmentRecord], graph: SegmentGraph, paths: Collection[str]) -> tuple[Dependent, ...]:
    wanted, found = set(paths), []
    for record in sorted(records, key=lambda record: record.path):
        needed = wanted & set(graph.needs.get(record.path, ()))
        if not needed:
            continue
        segment = graph.by_path[record.path]
        base = graph.owners.get(graph.resolve(segment.base, segment.folder) or "") if segment.base else None
        in_rule = bool(needed - {base}) or any(_named_in_rule(graph, record.path, path) for path in needed)
        found.append(Dependent(record.id, record.path, record.kind, base in needed, in_rule))
    return tuple(found)


def _named_in_rule(graph: SegmentGraph, path: str, needed: str) -> bool:
    return bool(graph.place_of(replace(graph.by_path[path], base=""), needed))
