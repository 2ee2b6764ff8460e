"""What a rule gives before it is saved: how many, why, who, and what it would change. One call, one result.

A rule with mistakes is previewed as far as it goes: what can be counted is counted, everything else is told as issues.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from kohort.documents.yaml import write_yaml
from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.overlap import counts_with
from kohort.foundation.errors import InvalidInput, KohortError
from kohort.foundation.instants import to_micros
from kohort.foundation.issues import Issue, Issues, Path, path_text
from kohort.membership.snapshots import SnapshotStore
from kohort.ports.definitions import DefinitionStore
from kohort.ports.progress import Progress
from kohort.rules.ast import AttributeCondition, BehaviorCondition, Condition, Group, Rule, SequenceCondition
from kohort.rules.bind import leaves
from kohort.rules.core import EVERYBODY, All, AnyOf, Expr, MemberLeaf, Not, Top
from kohort.rules.describe import describe
from kohort.rules.encode import rule_to_yaml
from kohort.rules.lint import lint_rule
from kohort.rules.text import write_rule
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, bind_segment, bind_with_variants, problems
from kohort.segments.versions import segment_fingerprint
from kohort.services.drafts import RULE, UNREADABLE, Draft
from kohort.services.evaluate import Engine
from kohort.services.overlap import Overlap, kept_members, kept_snapshot
from kohort.services.preview_rows import SampleRows, sample_rows
from kohort.services.push import check_segment

NodeKind = Literal["group", "attribute", "behavior", "sequence", "reference"]
_DRAFT, _UNIVERSE, _NEW = "\0draft:", "\0universe", "\0new:"


@dataclass(frozen=True, slots=True)
class NodeCount:
    """How many profiles (inside the base) one condition or group of the rule holds for, its exclude and limit included.

    path: as in the YAML and JSON forms, e.g. rule.conditions[0]. match: of groups, else "". count and share are None where the part
    cannot be counted; `issues` of the preview say why. share: of the base (None of nobody).
    """

    path: str
    kind: NodeKind
    match: Literal["", "all", "any", "expr"]
    text: str
    count: int | None
    share: float | None


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """One condition in the order written: how many of those before it stay. A condition that cannot be counted is left out (None)."""

    path: str
    text: str
    kept: int | None
    dropped: int | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """How an `all` group narrows everybody in the base down, before its own exclude and limit."""

    path: str
    start: int
    steps: tuple[WaterfallStep, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """What saving the rule would change of one saved segment (or variant): before = after - entered + left."""

    path: str
    before: int
    after: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class SavedChange:
    """The rule against the saved segment it stands for. dependents: all that need it, directly or not, with what becomes of them.

    same_meaning: saving it would not make a new version.
    """

    segment: Changed
    version: int
    same_meaning: bool
    dependents: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything an editor shows beside a rule.

    count: None when the rule as a whole cannot be counted. total: all profiles; base_count: those inside the base `share_of`
    (everybody without one); share: of these. nodes: every group and condition, a group before its parts. overlaps: saved segments
    that share members, the most alike first. saved: only for a rule that stands for a saved segment.
    """

    as_of: datetime
    count: int | None
    total: int
    share_of: str
    base_count: int
    share: float | None
    nodes: tuple[NodeCount, ...]
    waterfalls: tuple[Waterfall, ...]
    sample: SampleRows
    overlaps: tuple[Overlap, ...]
    saved: SavedChange | None
    sentence: str
    text: str
    rule: Rule | None
    issues: Issues

    @property
    def yaml(self) -> str:
        """The rule as YAML; "" when it could not be read. Written when asked for: most who preview look at something else."""
        return "" if self.rule is None else write_yaml(rule_to_yaml(self.rule))


def preview(
    engine: Engine,
    store: DefinitionStore,
    draft: Draft,
    *,
    snapshots: SnapshotStore | None = None,
    as_of: datetime | None = None,
    columns: Sequence[str] = (),
    sample: int = 10,
    overlaps: int = 20,
    progress: Progress | None = None,
) -> Preview:
    """Count every part of a rule in one run and compare it with what is saved.

    snapshots: where the members of other segments are kept, which saves evaluating them while they hold. columns: attributes of the
    sample (default: those of the rule first); overlaps: how many segments at most, 0 asks for none.
    Raises InvalidInput UNKNOWN_ATTRIBUTE for columns that are not there; never for the rule.
    """
    moment = as_of or engine.refresh.as_of
    work = _Work.of(engine, draft)
    others = [path for path in work.saved if path in engine.graph.by_path and path != draft.segment.path] if overlaps else []
    wanted = [*others, *(path for path in work.changes if path not in others)]
    snapshot = kept_snapshot(engine, store, snapshots, moment) if snapshots is not None and wanted else None
    kept = (kept_members(engine, snapshot, wanted) or {}) if snapshot is not None else {}
    outcome = engine.run(work.exprs(wanted, kept), to_micros(moment), progress)
    if snapshot is not None and snapshot.word_count != len(outcome.live.words):
        kept, outcome = {}, engine.run(work.exprs(wanted, ()), to_micros(moment), progress)
    found = {**outcome.members, **{path: Bitmap(members.words, outcome.live.size) for path, members in kept.items()}}
    result = _Result(work, found, outcome.members[_UNIVERSE])
    members = result.node(RULE)
    return Preview(
        as_of=moment,
        count=None if members is None else members.count(),
        total=outcome.live.count(),
        share_of=work.base or engine.parent.name,
        base_count=result.base_count,
        share=None if members is None else result.share(members.count()),
        nodes=tuple(result.counts()),
        waterfalls=tuple(result.waterfalls()),
        sample=sample_rows(engine, members, draft.segment.rule, columns, sample),
        overlaps=tuple(_overlaps(draft, members, {path: found[path] for path in others})[:overlaps]),
        saved=result.saved(store),
        sentence=_worded(lambda: describe(draft.segment.rule, engine.catalog)) if work.is_readable else "",
        text=write_rule(draft.segment.rule) if work.is_readable else "",
        rule=draft.segment.rule if work.is_readable else None,
        issues=work.issues,
    )


def parts_of(condition: Condition, path: Path = RULE) -> Iterator[tuple[Path, Condition]]:
    """A condition and every part of it with its path, a group before its parts."""
    yield path, condition
    if isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from parts_of(part, (*path, "conditions", index))


def _worded(make: Any) -> str:
    try:
        return str(make())
    except KohortError:
        return ""


# --- what is asked ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    """The parts of a draft that can be counted, and what is saved beside it.

    saved: path -> core form of what is saved, {} when that no longer fits. parts: path -> core form. after: what the draft and all
    that needs it would become, under names of their own. base: path of the segment it is inside of.
    """

    engine: Engine
    draft: Draft
    issues: Issues
    saved: Mapping[str, Expr]
    parts: Mapping[Path, Expr]
    after: Mapping[str, Expr]
    base: str

    @staticmethod
    def of(engine: Engine, draft: Draft) -> _Work:
        segment = replace(draft.segment, ab_test=None)
        others = [other for other in engine.segments if other.path != segment.path]
        graph = SegmentGraph.of([*others, segment], engine.ids)
        issues = Issues([*draft.issues, *check_segment(draft.segment, engine.catalog)])
        among = problems([*others, draft.segment], engine.ids)
        issues.extend(among.get(segment.path, Issues()))
        odd = lint_rule(segment.rule, engine.catalog, RULE, lambda _: False) if issues.ok else ()
        issues.extend(issue for issue in odd if issue.code not in segment.lint_ignore)
        saved = _saved(engine, issues)
        parts = _parts(engine, segment, graph, issues, saved)
        comparable = issues.ok and segment.path in engine.graph.by_path and segment.path in saved
        issues.extend(replace(issue, path=()) for path, found in among.items() if path != segment.path and comparable for issue in found)
        after = _after(engine, draft.segment, others) if comparable and not among else {}
        base = (graph.resolve(segment.base, segment.folder) or "") if segment.base else ""
        base = base if base in saved else ""
        return _Work(engine, draft, draft.located(issues), saved, parts, after, base)

    @property
    def is_readable(self) -> bool:
        """False when some condition could not be read, so that the rule is not what was written."""
        return not any(issue.path[:1] == RULE for issue in self.draft.issues.errors)

    def text(self, path: Path, part: Condition) -> str:
        """A part in text form; "" when it could not be read."""
        unread = part == UNREADABLE and any(path == issue.path[: len(path)] for issue in self.draft.issues.errors)
        return "" if unread else write_rule(_whole(part))

    @property
    def changes(self) -> list[str]:
        """What saving the draft would change: itself, its variants and all that needs them, as far as they are saved already."""
        return [path for path in (name.removeprefix(_NEW) for name in self.after) if path in self.saved]

    def exprs(self, wanted: Sequence[str], known: Container[str]) -> dict[str, Expr]:
        """Everything to evaluate, each after what it refers to: the parts, and those of the `wanted` segments that are not known."""
        asked: dict[str, Expr] = {_UNIVERSE: MemberLeaf(self.base) if self.base else EVERYBODY}
        asked |= {_DRAFT + path_text(path): expr for path, expr in self.parts.items()}
        asked |= self.after
        needed = {path for path in wanted if path not in known}.union(*(_targets(expr) for expr in asked.values()))
        for path in reversed(list(self.saved)):
            needed |= _targets(self.saved[path]) if path in needed else set()
        return {**{path: expr for path, expr in self.saved.items() if path in needed}, **asked}


def _targets(expr: Expr) -> set[str]:
    return {leaf.path for leaf in leaves(expr) if isinstance(leaf, MemberLeaf)}


def _saved(engine: Engine, issues: Issues) -> Mapping[str, Expr]:
    try:
        return engine.bound()
    except InvalidInput as error:
        hint = "check them with: kohort sg validate"
        first = error.issues.errors[0].message
        issues.add(Issue("SAVED_SEGMENTS_UNSOUND", f"saved segments cannot be evaluated: {first}", (), "warning", hint))
        return {}


def _parts(engine: Engine, segment: Segment, graph: SegmentGraph, issues: Issues, saved: Mapping[str, Expr]) -> dict[Path, Expr]:
    """Every part in which no mistake is; none when the base is wrong. Of a cycle the parts are counted, the whole is not."""
    wrong = [() if issue.code == "SEGMENT_CYCLE" else issue.path for issue in issues.errors]
    if any(path[:1] == ("base",) for path in wrong):
        return {}
    found: dict[Path, Expr] = {}
    for path, part in parts_of(segment.rule):
        if any(other[: len(path)] == path for other in wrong) or (path == RULE and () in wrong):
            continue
        expr = bind_segment(replace(segment, rule=_whole(part)), graph, engine.catalog)
        if _targets(expr) <= set(saved):
            found[path] = expr
    return found


def _whole(part: Condition) -> Rule:
    return part if isinstance(part, Group) else Group("all", (part,))


def _after(engine: Engine, segment: Segment, others: Sequence[Segment]) -> dict[str, Expr]:
    """The segment, its variants and all that needs them as they would be, renamed so that the saved ones stand beside them."""
    graph = SegmentGraph.of([*others, segment], engine.ids)
    changed, bound = {segment.path}, dict[str, Expr]()
    for path in graph.order():
        if path == segment.path or changed & set(graph.needs[path]):
            changed.add(path)
            bound |= bind_with_variants(graph.by_path[path], graph, engine.catalog, engine.key_column)
    return {_NEW + path: _renamed(expr, set(bound)) for path, expr in bound.items()}


def _renamed(expr: Expr, changed: set[str]) -> Expr:
    """References to what changes become references to what it becomes."""
    match expr:
        case MemberLeaf(path):
            return MemberLeaf(_NEW + path) if path in changed else expr
        case All(parts) | AnyOf(parts):
            return replace(expr, parts=tuple(_renamed(part, changed) for part in parts))
        case Not(part) | Top(part=part):
            return replace(expr, part=_renamed(part, changed))
        case _:
            return expr


# --- what comes of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Result:
    work: _Work
    members: Mapping[str, Bitmap]
    universe: Bitmap

    @property
    def base_count(self) -> int:
        return self.universe.count()

    def node(self, path: Path) -> Bitmap | None:
        return self.members.get(_DRAFT + path_text(path))

    def share(self, count: int) -> float | None:
        return count / self.base_count if self.base_count else None

    def counts(self) -> Iterator[NodeCount]:
        for path, part in parts_of(self.work.draft.segment.rule):
            members = self.node(path)
            count = None if members is None else members.count()
            match = part.match if isinstance(part, Group) else ""
            share = None if count is None else self.share(count)
            yield NodeCount(path_text(path), _kind(part), match, self.work.text(path, part), count, share)

    def waterfalls(self) -> Iterator[Waterfall]:
        for path, part in parts_of(self.work.draft.segment.rule):
            if isinstance(part, Group) and part.match == "all" and part.conditions:
                yield Waterfall(path_text(path), self.base_count, tuple(self._steps(path, part)))

    def _steps(self, path: Path, group: Group) -> Iterator[WaterfallStep]:
        left, before = self.universe, self.base_count
        for index, part in enumerate(group.conditions):
            place = (*path, "conditions", index)
            members = self.node(place)
            text = self.work.text(place, part)
            if members is None:
                yield WaterfallStep(path_text(place), text, None, None)
                continue
            left = left & members
            kept = left.count()
            yield WaterfallStep(path_text(place), text, kept, before - kept)
            before = kept

    def saved(self, store: DefinitionStore) -> SavedChange | None:
        path = self.work.draft.segment.path
        if _NEW + path not in self.work.after:
            return None
        known = self.work.engine.graph.by_path[path]
        record = next(record for record in store.segments(self.work.engine.parent.id) if record.path == path)
        others = [name for name in self.work.changes if name != path]
        same = segment_fingerprint(known) == segment_fingerprint(self.work.draft.segment)
        return SavedChange(self._changed(path), record.version, same, tuple(self._changed(name) for name in others))

    def _changed(self, path: str) -> Changed:
        before, after = self.members[path], self.members[_NEW + path]
        return Changed(path, before.count(), after.count(), (after - before).count(), (before - after).count())


def _kind(part: Condition) -> NodeKind:
    match part:
        case Group():
            return "group"
        case AttributeCondition():
            return "attribute"
        case BehaviorCondition():
            return "behavior"
        case SequenceCondition():
            return "sequence"
        case _:
            return "reference"


def _overlaps(draft: Draft, members: Bitmap | None, others: Mapping[str, Bitmap]) -> list[Overlap]:
    """The segments that share members with the rule, the most alike first."""
    if members is None:
        return []
    count, name = members.count(), draft.segment.path if draft.is_named else ""
    shared = zip(others, counts_with(members, list(others.values())), strict=True)
    found = [Overlap(name, path, count, size, both) for path, (size, both) in shared if both]
    return sorted(found, key=lambda pair: (-(pair.jaccard or 0), -pair.shared, pair.second))
