"""What a preview asks for: the parts of a draft that can be counted, each by a name of its own, and what is saved beside it.

A group is asked for as a combination of its conditions' names, so that every condition is bound, and looked up, once.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kohort.foundation.errors import InvalidInput
from kohort.foundation.issues import Issue, Issues, Path, path_text
from kohort.rules.ast import Condition, Group, ReferenceCondition, Rule
from kohort.rules.bind import bind, joined, leaves, limited
from kohort.rules.core import EVERYBODY, All, AnyOf, Expr, MemberLeaf, Not, Top
from kohort.rules.lint import lint_rule
from kohort.rules.text import write_rule
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, bind_segment, bind_with_variants, inside, problems, problems_with
from kohort.services.definitions.push import check_segment
from kohort.services.evaluation.evaluate import Engine
from kohort.services.preview.drafts import RULE, UNREADABLE, Draft

UNIVERSE, NEW = "\0universe", "\0new:"
_DRAFT = "\0draft:"


def parts_of(condition: Condition, path: Path = RULE) -> Iterator[tuple[Path, Condition]]:
    """A condition and every part of it with its path, a group before its parts."""
    yield path, condition
    if isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from parts_of(part, (*path, "conditions", index))


def part_name(path: Path) -> str:
    """What a part of the draft is asked for as."""
    return _DRAFT + path_text(path)


@dataclass(frozen=True)
class Work:
    """The parts of a draft that can be counted, and what is saved beside it.

    saved: path -> core form of what is saved, {} when that no longer fits. parts: path -> core form, a group after its parts.
    after: what the draft and all that needs it would become, under names of their own. base: path of the segment it is inside of.
    """

    engine: Engine
    draft: Draft
    issues: Issues
    saved: Mapping[str, Expr]
    parts: Mapping[Path, Expr]
    after: Mapping[str, Expr]
    base: str

    @staticmethod
    def of(engine: Engine, draft: Draft) -> Work:
        segment = replace(draft.segment, ab_test=None)
        graph, among = _neighbours(engine, draft)
        issues = Issues([*draft.issues, *check_segment(draft.segment, engine.catalog)])
        issues.extend(among.get(segment.path, Issues()))
        odd = lint_rule(segment.rule, engine.catalog, RULE, lambda _: False, engine.conditions) if issues.ok else ()
        issues.extend(issue for issue in odd if issue.code not in segment.lint_ignore)
        saved = _saved(engine, issues)
        base = (graph.resolve(segment.base, segment.folder) or "") if segment.base else ""
        parts = _Parts(engine, segment, graph, saved, base, _wrong(issues)).all()
        comparable = issues.ok and segment.path in engine.graph.by_path and segment.path in saved
        issues.extend(replace(issue, path=()) for path, found in among.items() if path != segment.path and comparable for issue in found)
        after = _after(engine, draft.segment, saved) if comparable and not among else {}
        return Work(engine, draft, draft.located(issues), saved, parts, after, base if base in saved else "")

    @property
    def is_readable(self) -> bool:
        """False when some condition could not be read, so that the rule is not what was written."""
        return not any(issue.path[:1] == RULE for issue in self.draft.issues.errors)

    def text(self, path: Path, part: Condition) -> str:
        """A part in text form; "" when it could not be read."""
        unread = part == UNREADABLE and any(path == issue.path[: len(path)] for issue in self.draft.issues.errors)
        return "" if unread else self.engine.conditions.of(part).fact("text", lambda: write_rule(_whole(part)))

    @property
    def changes(self) -> list[str]:
        """What saving the draft would change: itself, its variants and all that needs them, as far as they are saved already."""
        return [path for path in (name.removeprefix(NEW) for name in self.after) if path in self.saved]

    def exprs(self, wanted: Sequence[str], known: Container[str]) -> dict[str, Expr]:
        """Everything to evaluate, each after what it refers to: the parts, and those of the `wanted` segments that are not known."""
        asked: dict[str, Expr] = {UNIVERSE: MemberLeaf(self.base) if self.base else EVERYBODY}
        asked |= {part_name(path): expr for path, expr in self.parts.items()}
        asked |= self.after
        needed = {path for path in wanted if path not in known}.union(*(_targets(expr) for expr in asked.values()))
        for path in reversed(list(self.saved)):
            needed |= _targets(self.saved[path]) if path in needed else set()
        return {**{path: expr for path, expr in self.saved.items() if path in needed}, **asked}


def _neighbours(engine: Engine, draft: Draft) -> tuple[SegmentGraph, Mapping[str, Issues]]:
    """(the segments with the draft among them, its A/B test left aside; what is wrong between them by path).

    Of a rule alone, which nobody can refer to, only what is wrong with itself.
    """
    segment = draft.segment
    if not draft.is_named:
        issues = Issues()
        engine.graph.targets(segment, issues)
        return engine.graph, {segment.path: issues} if issues else {}
    among = problems_with(engine.graph, segment) if not engine.problems else None
    graph = engine.graph.with_segment(segment) if segment.ab_test is None else None
    others = [other for other in engine.segments if other.path != segment.path] if among is None or graph is None else []
    if among is None:
        among = problems([*others, segment], engine.ids)
    return graph or SegmentGraph.of([*others, replace(segment, ab_test=None)], engine.ids), among


def _targets(expr: Expr) -> set[str]:
    """The saved segments that an expression refers to."""
    return {leaf.path for leaf in leaves(expr) if isinstance(leaf, MemberLeaf) and not leaf.path.startswith(_DRAFT)}


def _saved(engine: Engine, issues: Issues) -> Mapping[str, Expr]:
    try:
        return engine.bound()
    except InvalidInput as error:
        hint = "check them with: kohort sg validate"
        first = error.issues.errors[0].message
        issues.add(Issue("SAVED_SEGMENTS_UNSOUND", f"saved segments cannot be evaluated: {first}", (), "warning", hint))
        return {}


def _wrong(issues: Issues) -> list[Path]:
    """Where mistakes are; those of a cycle are of the whole: its parts are counted."""
    return [() if issue.code == "SEGMENT_CYCLE" else issue.path for issue in issues.errors]


@dataclass(frozen=True)
class _Parts:
    """Binds every part in which no mistake is; none when the base is wrong."""

    engine: Engine
    segment: Segment
    graph: SegmentGraph
    saved: Mapping[str, Expr]
    base: str
    wrong: Sequence[Path]

    def all(self) -> dict[Path, Expr]:
        """Path -> core form inside the base, a group after its parts."""
        found: dict[Path, Expr] = {}
        if not any(path[:1] == ("base",) for path in self.wrong) and (not self.base or self.base in self.saved):
            self._add(self.segment.rule, RULE, found)
        return found

    def _add(self, part: Condition, path: Path, found: dict[Path, Expr]) -> None:
        places = [(*path, "conditions", index) for index in range(len(part.conditions))] if isinstance(part, Group) else []
        if isinstance(part, Group):
            for place, inner in zip(places, part.conditions, strict=True):
                self._add(inner, place, found)
        if any(other[: len(path)] == path for other in self.wrong) or (path == RULE and () in self.wrong):
            return
        expr = self._group(part, places, found) if isinstance(part, Group) else self._leaf(part)
        if expr is not None:
            found[path] = expr

    def _group(self, group: Group, places: Sequence[Path], found: Mapping[Path, Expr]) -> Expr | None:
        """A combination of its conditions; None when one that counts is missing."""
        expr = joined(group, [MemberLeaf(part_name(place)) for place in places])
        missing = {part_name(place) for place in places if place not in found}
        if missing and any(isinstance(leaf, MemberLeaf) and leaf.path in missing for leaf in leaves(expr)):
            return None
        return limited(self._within(expr), group.limit)

    def _leaf(self, part: Condition) -> Expr | None:
        """References depend on the other segments (None: on one that cannot be evaluated); everything else is bound once."""
        if isinstance(part, ReferenceCondition):
            reference = bind_segment(replace(self.segment, rule=_whole(part)), self.graph, self.engine.catalog)
            return reference if _targets(reference) <= set(self.saved) else None
        known = self.engine.conditions.of(part)
        expr = known.fact("core", lambda: bind(_whole(part), self.engine.catalog, lambda _: None))
        return self._within(inside(expr, MemberLeaf(self.base))) if self.base else expr

    def _within(self, expr: Expr) -> Expr:
        return All((expr, MemberLeaf(self.base))) if self.base else expr


def _whole(part: Condition) -> Rule:
    return part if isinstance(part, Group) else Group("all", (part,))


def _after(engine: Engine, segment: Segment, saved: Mapping[str, Expr]) -> dict[str, Expr]:
    """The segment, its variants and all that needs them as they would be, renamed so that the saved ones stand beside them."""
    same_places = engine.graph.with_segment(segment)
    graph = same_places or SegmentGraph.of([*(other for other in engine.segments if other.path != segment.path), segment], engine.ids)
    changed, bound = {segment.path}, dict[str, Expr]()
    for path in graph.order():
        if path == segment.path:
            bound |= bind_with_variants(replace(segment, rule=Group("all", ())), graph, engine.catalog, engine.key_column)
            bound[path] = MemberLeaf(part_name(RULE))
        elif changed & set(graph.needs[path]):
            changed.add(path)
            other = graph.by_path[path]
            names = [path, *other.variant_paths]
            known = {name: saved[name] for name in names} if same_places else {}
            bound |= known or bind_with_variants(other, graph, engine.catalog, engine.key_column)
    return {NEW + path: _renamed(expr, set(bound)) for path, expr in bound.items()}


def _renamed(expr: Expr, changed: set[str]) -> Expr:
    """References to what changes become references to what it becomes."""
    match expr:
        case MemberLeaf(path):
            return MemberLeaf(NEW + path) if path in changed else expr
        case All(parts) | AnyOf(parts):
            return replace(expr, parts=tuple(_renamed(part, changed) for part in parts))
        case Not(part) | Top(part=part):
            return replace(expr, part=_renamed(part, changed))
        case _:
            return expr
