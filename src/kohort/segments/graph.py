"""How segments of one parent segment depend on each other, in which order they are evaluated, and as what.

A segment depends on those its rule refers to and on its base. Targets are written as paths, as names, as paths of variants of
A/B tests or as ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from kohort.foundation.errors import InvalidInput
from kohort.foundation.issues import Issue, Issues, Path, did_you_mean
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import Condition, Group, ReferenceCondition
from kohort.rules.bind import all_of, any_of, bind, not_
from kohort.rules.core import All, AnyOf, Expr, MemberLeaf, Not, Top, VariantLeaf
from kohort.segments.definition import Segment

_WHOLE = 2**64


@dataclass(frozen=True)
class SegmentGraph:
    """The segments of one parent.

    by_path: the segments; owners: path of a segment or variant -> path of its segment; named: last name -> paths of segments;
    ids: id -> path.
    """

    by_path: Mapping[str, Segment]
    owners: Mapping[str, str]
    named: Mapping[str, tuple[str, ...]]
    ids: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(segments: Iterable[Segment], ids: Mapping[str, str] | None = None) -> SegmentGraph:
        """The graph; of segments with one path the first is kept (`problems` reports the others)."""
        by_path: dict[str, Segment] = {}
        named: dict[str, list[str]] = {}
        for segment in segments:
            if segment.path not in by_path:
                by_path[segment.path] = segment
                named.setdefault(segment.name, []).append(segment.path)
        owners = {path: path for path in by_path}
        for segment in by_path.values():
            for variant in segment.variant_paths:
                owners.setdefault(variant, segment.path)
        return SegmentGraph(by_path, owners, {name: tuple(sorted(paths)) for name, paths in named.items()}, dict(ids or {}))

    def with_segment(self, segment: Segment) -> SegmentGraph | None:
        """The same with another form of the segment at its path; None when other paths or variants come of it."""
        before = self.by_path.get(segment.path)
        if before is None or before.variant_paths != segment.variant_paths:
            return None
        changed = SegmentGraph({**self.by_path, segment.path: segment}, self.owners, self.named, self.ids)
        vars(changed)["needs"] = {**self.needs, segment.path: changed._needs_of(segment)}
        return changed

    # --- targets ------------------------------------------------------------------------------------------------

    def resolve(self, target: str, from_folder: str = "") -> str | None:
        """The path that a target names: a path; a name in the same folder; a name unique among all; a variant; its name; an id."""
        if target in self.by_path:
            return target
        near = f"{from_folder}/{target}" if from_folder else target
        if near in self.by_path:
            return near
        found = self.named.get(target, ())
        if len(found) == 1:
            return found[0]
        if found:
            return None
        variant = next((path for path in (target, near) if path in self.owners), None) or self._variant_named(target)
        identified = self.ids.get(target)
        return variant or (identified if identified in self.owners else None)

    def _variant_named(self, name: str) -> str | None:
        """The variant that alone has that name."""
        found = [path for path, owner in self.owners.items() if path != owner and path.endswith(f"/{name}")]
        return found[0] if len(found) == 1 else None

    def _report(self, target: str, folder: str, path: Path, issues: Issues) -> str | None:
        """The path that a target names, or None and an issue."""
        found = self.resolve(target, folder)
        if found is not None:
            return found
        same = self.named.get(target, ())
        if same:
            message = f'"{target}" is the name of {len(same)} segments: {", ".join(same)}'
            issues.error("AMBIGUOUS_SEGMENT_REFERENCE", message, path, "write the whole path")
        else:
            hint = did_you_mean(target, [*self.owners, *self.named])
            issues.error("MISSING_SEGMENT_REFERENCE", f'there is no segment "{target}"', path, hint)
        return None

    def targets(self, segment: Segment, issues: Issues) -> tuple[str, ...]:
        """Distinct paths of the segments and variants that a segment needs, its base first; what cannot be found is reported."""
        found: list[str | None] = []
        if segment.base:
            found.append(self._report(segment.base, segment.folder, ("base",), issues))
        for path, reference in references(segment.rule, ("rule",)):
            if reference.kind in ("Segment", "AbTestVariant"):
                found.append(self._report(reference.target, segment.folder, path, issues))
        return tuple(dict.fromkeys(path for path in found if path is not None))

    def place_of(self, segment: Segment, needed: str) -> Path:
        """Where a segment first names the segment `needed` or a variant of it; () when it does not."""
        if segment.base and self.owners.get(self.resolve(segment.base, segment.folder) or "") == needed:
            return ("base",)
        named = (
            path
            for path, reference in references(segment.rule, ("rule",))
            if self.owners.get(self.resolve(reference.target, segment.folder) or "") == needed
        )
        return next(named, ())

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """Path -> paths of the segments that it needs (a variant needs its segment), both sorted."""
        return {path: self._needs_of(self.by_path[path]) for path in sorted(self.by_path)}

    def _needs_of(self, segment: Segment) -> tuple[str, ...]:
        return tuple(sorted({self.owners[target] for target in self.targets(segment, Issues())}))

    def dependents(self, path: str) -> tuple[str, ...]:
        """Paths of the segments that need a segment or one of its variants directly, sorted."""
        return tuple(other for other, needed in self.needs.items() if path in needed)

    # --- order --------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Segments in stages: each needs only segments of earlier stages. InvalidInput when there are cycles."""
        sorter = TopologicalSorter(self.needs)
        try:
            sorter.prepare()
        except CycleError:
            issues = Issues()
            for cycle in self.cycles():
                issues.add(_cycle_issue(cycle))
            raise InvalidInput(issues) from None
        stages: list[tuple[str, ...]] = []
        while sorter.is_active():
            stages.append(tuple(sorted(sorter.get_ready())))
            sorter.done(*stages[-1])
        return tuple(stages)

    def order(self) -> tuple[str, ...]:
        """Every segment after those it needs."""
        return tuple(path for stage in self.stages() for path in stage)

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """Shortest ways around, (A, B, A), such that every segment that needs itself is on at least one."""
        found: list[tuple[str, ...]] = []
        seen: set[str] = set()
        for path in self.needs:
            way = None if path in seen else _shortest_cycle(path, self.needs)
            if way:
                found.append(way)
                seen.update(way)
        return tuple(found)


def references(condition: Condition, path: Path) -> Iterator[tuple[Path, ReferenceCondition]]:
    """Every reference of a rule with its place."""
    if isinstance(condition, ReferenceCondition):
        yield (*path, "segment"), condition
    elif isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from references(part, (*path, "conditions", index))


def _shortest_cycle(start: str, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A shortest way from `start` back to itself; () when there is none."""
    came_from: dict[str, str] = {}
    queue = [start]
    for name in queue:
        for other in needs[name]:
            if other == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return (*reversed(way), start)
            if other not in came_from:
                came_from[other] = name
                queue.append(other)
    return ()


def _cycle_issue(cycle: tuple[str, ...]) -> Issue:
    return Issue("SEGMENT_CYCLE", f"segments need each other: {' -> '.join(cycle)}", hint="remove one of these references")


# --- problems ---------------------------------------------------------------------------------------------------


def problems(segments: Iterable[Segment], ids: Mapping[str, str] | None = None) -> dict[str, Issues]:
    """What is wrong between segments, by the path of the segment that has the problem: paths taken twice, targets that are
    unknown or ambiguous, cycles (at each segment on it). Issue paths lead into the segment's document; empty when all is well."""
    listed = list(segments)
    graph = SegmentGraph.of(listed, ids)
    found: dict[str, Issues] = {}
    taken: dict[str, str] = {}
    for segment in listed:
        issues = found.setdefault(segment.path, Issues())
        _check_paths(segment, taken, issues)
        graph.targets(segment, issues)
    _report_cycles(graph, found)
    return {path: issues for path, issues in found.items() if len(issues)}


def _report_cycles(graph: SegmentGraph, found: dict[str, Issues]) -> None:
    for cycle in graph.cycles():
        for path, needed in pairwise(cycle):
            issue = replace(_cycle_issue(cycle), path=graph.place_of(graph.by_path[path], needed))
            found.setdefault(path, Issues()).add(issue)


def problems_with(graph: SegmentGraph, segment: Segment) -> dict[str, Issues] | None:
    """The same for a graph in which nothing is wrong, with another form of the segment at its path; None: find them all."""
    changed = graph.with_segment(segment)
    if changed is None:
        return None
    found: dict[str, Issues] = {segment.path: Issues()}
    changed.targets(segment, found[segment.path])
    if not set(changed.needs[segment.path]) <= set(graph.needs[segment.path]):
        _report_cycles(changed, found)
    return {path: issues for path, issues in found.items() if len(issues)}


def _check_paths(segment: Segment, taken: dict[str, str], issues: Issues) -> None:
    """Names are unique in a folder, those of variants included."""
    if segment.path in taken:
        folder = f'folder "{segment.folder}"' if segment.folder else "the root folder"
        message = f'{folder} has more than one "{segment.name}"'
        issues.error("DUPLICATE_SEGMENT", message, ("name",), "give it another name or folder")
    taken[segment.path] = segment.path
    for variant in segment.variant_paths:
        if variant in taken:
            issues.error("DUPLICATE_SEGMENT", f'the path "{variant}" of a variant is taken', ("ab_test",), "give the variant another name")
        taken[variant] = segment.path


# --- binding ----------------------------------------------------------------------------------------------------


def bind_segments(
    segments: Iterable[Segment], catalog: FieldCatalog, key_column: str, ids: Mapping[str, str] | None = None
) -> dict[str, Expr]:
    """Path -> core form of every segment and variant, each after those it needs.

    A segment with a base is its rule among the members of the base; a variant is membership in its segment and a part of the hash
    line. key_column: the master key, hashed by A/B tests that name no other. InvalidInput when `problems` finds any.
    """
    listed = list(segments)
    every = Issues()
    for path, issues in problems(listed, ids).items():
        every.extend(replace(issue, message=f"{path}: {issue.message}") for issue in issues)
    every.raise_if_errors()
    graph = SegmentGraph.of(listed, ids)
    bound: dict[str, Expr] = {}
    for path in graph.order():
        bound |= bind_with_variants(graph.by_path[path], graph, catalog, key_column)
    return bound


def bind_with_variants(segment: Segment, graph: SegmentGraph, catalog: FieldCatalog, key_column: str) -> dict[str, Expr]:
    """Path -> core form of one segment and of its variants."""
    return {segment.path: bind_segment(segment, graph, catalog), **dict(_variants(segment, key_column))}


def bind_segment(segment: Segment, graph: SegmentGraph, catalog: FieldCatalog) -> Expr:
    """The core form of one segment, inside its base, that need not be in the graph. UserError when its rule does not fit."""
    rule = bind(segment.rule, catalog, lambda target: graph.resolve(target, segment.folder))
    base = graph.resolve(segment.base, segment.folder) if segment.base else None
    return rule if base is None else all_of((inside(rule, MemberLeaf(base)), MemberLeaf(base)))


def inside(expr: Expr, base: MemberLeaf) -> Expr:
    """The same rule where the base is everybody there is: limits choose among its members."""
    match expr:
        case Top(part=part):
            return replace(expr, part=all_of((inside(part, base), base)))
        case All(parts):
            return all_of(inside(part, base) for part in parts)
        case AnyOf(parts):
            return any_of(inside(part, base) for part in parts)
        case Not(part):
            return not_(inside(part, base))
        case _:
            return expr


def _variants(segment: Segment, key_column: str) -> Iterator[tuple[str, Expr]]:
    """Path and core form of each variant: variants from the start of the hash line upwards, control from its end downwards."""
    test = segment.ab_test
    if test is None:
        return
    bounds: list[tuple[int, int]] = []
    end = Fraction(0)
    for variant in test.variants:
        start, end = end, end + _share(variant.ratio)
        bounds.append((_place(start), _place(end)))
    if test.control:
        bounds.append((_place(1 - _share(test.control)), _WHOLE))
    for path, (low, high) in zip(segment.variant_paths, bounds, strict=True):
        part = VariantLeaf(test.test_id or segment.name, test.key_column or key_column, low, high)
        yield path, all_of((MemberLeaf(segment.path), part))


def _share(percent: int | float) -> Fraction:
    """A percentage as it is written, as an exact part of one."""
    return Fraction(Decimal(repr(percent))) / 100


def _place(part: Fraction) -> int:
    """A place on the hash line, in 1/2**64 of it."""
    return max(0, min(_WHOLE, part.numerator * _WHOLE // part.denominator))
