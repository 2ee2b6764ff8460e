"""What a rule gives before it is saved: how many, why, who, and what it would change. One call, one result.

A rule with mistakes is previewed as far as it goes: what can be counted is counted, everything else is told as issues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.overlap import counts_with
from kohort.foundation.errors import KohortError
from kohort.foundation.instants import to_micros
from kohort.foundation.issues import Issues, Path, path_text
from kohort.membership.snapshots import SnapshotStore
from kohort.ports.definitions import DefinitionStore
from kohort.ports.progress import Progress
from kohort.rules.ast import AttributeCondition, BehaviorCondition, Condition, Group, Rule, SequenceCondition
from kohort.rules.describe import describe
from kohort.rules.text import write_rule
from kohort.segments.versions import segment_fingerprint
from kohort.services.evaluation.evaluate import Engine
from kohort.services.evaluation.overlap import Overlap, held_paths, kept_members, last_snapshot
from kohort.services.preview.drafts import RULE, Draft
from kohort.services.preview.parts import NEW, UNIVERSE, Work, part_name, parts_of
from kohort.services.preview.rows import SampleRows, sample_rows
from kohort.services.preview.rule_yaml import rule_yaml

NodeKind = Literal["group", "attribute", "behavior", "sequence", "reference"]


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
    that share members, the most alike first. saved: only for a rule that stands for a saved segment. sentence, text, yaml: the rule in
    words, as text and as a file holds it, "" when it could not be read.
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
    yaml: str
    rule: Rule | None
    issues: Issues


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
    work = Work.of(engine, draft)
    others = [path for path in work.saved if path in engine.graph.by_path and path != draft.segment.path] if overlaps else []
    wanted = [*others, *(path for path in work.changes if path not in others)]
    snapshot = last_snapshot(engine, store, snapshots, moment) if snapshots is not None and wanted else None
    held = held_paths(engine, snapshot) if snapshot is not None else set()
    kept = (kept_members(engine, snapshot, [path for path in wanted if path in held]) or {}) if snapshot is not None else {}
    outcome = engine.run(work.exprs(wanted, kept), to_micros(moment), progress)
    if snapshot is not None and snapshot.word_count != len(outcome.live.words):
        kept, outcome = {}, engine.run(work.exprs(wanted, ()), to_micros(moment), progress)
    found = {**outcome.members, **{path: members.resized(outcome.live.size) for path, members in kept.items()}}
    result = _Result(work, found, outcome.members[UNIVERSE])
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
        saved=result.saved(),
        sentence=_worded(lambda: describe(draft.segment.rule, engine.catalog)) if work.is_readable else "",
        text=write_rule(draft.segment.rule) if work.is_readable else "",
        yaml=rule_yaml(draft.segment.rule, engine.conditions) if work.is_readable else "",
        rule=draft.segment.rule if work.is_readable else None,
        issues=work.issues,
    )


def _worded(make: Any) -> str:
    try:
        return str(make())
    except KohortError:
        return ""


# --- what comes of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Result:
    work: Work
    members: Mapping[str, Bitmap]
    universe: Bitmap

    @property
    def base_count(self) -> int:
        return self.universe.count()

    def node(self, path: Path) -> Bitmap | None:
        return self.members.get(part_name(path))

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

    def saved(self) -> SavedChange | None:
        path = self.work.draft.segment.path
        if NEW + path not in self.work.after:
            return None
        record = self.work.engine.records[path]
        others = [name for name in self.work.changes if name != path]
        same = record.fingerprint == segment_fingerprint(self.work.draft.segment)
        return SavedChange(self._changed(path), record.version, same, tuple(self._changed(name) for name in others))

    def _changed(self, path: str) -> Changed:
        before, after = self.members[path], self.members[NEW + path]
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
