"""Why a profile is in a segment, or is not: every condition with its verdict, what it saw, and what would turn it round.

Verdicts are the reference evaluator's, on a data set of this one profile. A limit chooses among many profiles: its outcome is
given (`Limits`), and the limited condition counts as holding or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from kohort.evaluation.observed import Missing, Observed, observe
from kohort.evaluation.reference import Profile, segment_members, variant_of
from kohort.evaluation.smallest_change import Atom, Combined, Formula, joined, smallest_change
from kohort.evaluation.turning_points import (
    NEAR_DAYS,
    NextChange,
    around_the_flip,
    flips_once,
    has_months,
    moving_edges,
    next_change,
    turning_points,
)
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import (
    NO_EXTRAS,
    AttributeCondition,
    BehaviorCondition,
    Condition,
    Group,
    ReferenceCondition,
    Rule,
    SequenceCondition,
)
from kohort.rules.bind import bind
from kohort.rules.core import Expr
from kohort.rules.logic import LogicNode, parse_logic
from kohort.rules.text import write_rule
from kohort.segments.definition import ABTest, Segment

OwnLeaf = AttributeCondition | BehaviorCondition | SequenceCondition
"""A condition that looks at the profile itself."""
_ROWS_LOOKED_AT = 200_000
NOBODY: Rule = Group("any", ())
_PART = "\0part"
NodePath = tuple[int, ...]
"""Positions from the rule's top group down; () is the top group itself."""


@dataclass(frozen=True, slots=True)
class LimitOutcome:
    """What a limit did. candidates: who matches without it; kept: how many it keeps; rank: the profile's place among the
    candidates from 1, None when it is none of them (or has no place); member: it is among those kept."""

    candidates: int
    kept: int
    rank: int | None
    member: bool


Limits = Mapping[tuple[str, NodePath], LimitOutcome]
"""The outcome of every limit by the path of its segment and its place in the rule."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the rule tree as written. holds: with its exclude and limit; text: the condition in text form.

    next: when the node itself changes (leaves only). value_until: when the number a threshold is compared with changes.
    """

    kind: Literal["all", "any", "expr", "attribute", "behavior", "sequence", "reference"]
    path: NodePath
    text: str
    holds: bool
    exclude: bool = False
    description: str = ""
    parts: tuple[Node, ...] = ()
    observed: Observed | None = None
    limit: LimitOutcome | None = None
    reference: SegmentExplanation | None = None
    next: NextChange | None = None
    value_until: NextChange | None = None


@dataclass(frozen=True, slots=True)
class VariantPlace:
    """Where a profile stands on the hash line of an A/B test, in percent. found: its variant, "" when none; low, high: of it."""

    test_id: str
    key_column: str
    key: str | None
    place: Decimal | None
    found: str
    asked: str
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SegmentExplanation:
    """A segment's (or a variant's) verdict; tree None: not opened up any further."""

    path: str
    holds: bool
    tree: Node | None = None
    base: SegmentExplanation | None = None
    variant: VariantPlace | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One condition that would have to turn round: to hold, or not to. missing: how far it is, until when that is so."""

    text: str
    to_hold: bool
    missing: Missing | None = None
    until: Micros | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say. change None: nothing turns the verdict round. next None: it depends on other profiles."""

    segment: SegmentExplanation
    as_of: Micros
    change: tuple[Turn, ...] | None
    next: NextChange | None

    @property
    def holds(self) -> bool:
        return self.segment.holds


@dataclass(frozen=True)
class OneProfile:
    """A data set of one profile."""

    catalog: FieldCatalog
    profiles: tuple[Profile]


@dataclass(frozen=True)
class Inquiry:
    """What is asked: `asked` among `segments` (targets are paths, key columns are filled in) for one profile at `as_of`.

    evidence: how many rows of a condition are shown. evaluations: how many turning points are tried at most.
    """

    asked: str
    segments: Mapping[str, Segment]
    catalog: FieldCatalog
    profile: Profile
    as_of: Micros
    limits: Limits = field(default_factory=dict)
    evidence: int = 5
    evaluations: int = 1000

    @cached_property
    def data(self) -> OneProfile:
        return OneProfile(self.catalog, (self.profile,))

    @cached_property
    def owners(self) -> Mapping[str, Segment]:
        """Path of a segment or variant -> segment."""
        found = {path: segment for segment in self.segments.values() for path in segment.variant_paths}
        return {**found, **self.segments}

    @cached_property
    def decided(self) -> Mapping[str, Segment]:
        """The segments with every limit replaced by its outcome."""
        return {path: replace(segment, rule=self._decided_rule(path, segment.rule)) for path, segment in self.segments.items()}

    def _decided_rule(self, path: str, rule: Rule) -> Rule:
        found = self.decide(path, rule, ())
        return found if isinstance(found, Group) else Group("all", (found,))

    def decide(self, path: str, condition: Condition, place: NodePath) -> Condition:
        """The condition with everybody or nobody in the place of what is limited."""
        outcome = self.limits.get((path, place))
        if condition.limit is not None and outcome is not None:
            return Group("all", ()) if outcome.member else NOBODY
        if isinstance(condition, Group):
            parts = tuple(self.decide(path, part, (*place, index)) for index, part in enumerate(condition.conditions))
            return replace(condition, conditions=parts, limit=None)
        return replace(condition, limit=None)

    def is_member(self, path: str, as_of: Micros) -> bool:
        """Whether the profile is in a segment or variant."""
        return bool(segment_members(path, self.data, as_of, self.decided))

    def matches(self, condition: Condition, as_of: Micros) -> bool:
        """Whether the profile matches a condition in which every limit was decided."""
        segments = {**self.decided, _PART: Segment(_PART, rule=Group("all", (condition,)))}
        return bool(segment_members(_PART, self.data, as_of, segments))

    def bound(self, condition: Condition) -> Expr:
        """The core form of a condition in which every limit was decided."""
        return bind(Group("all", (condition,)), self.catalog, lambda target: target)

    @cached_property
    def budget(self) -> int:
        """How many turning points of a condition are tried: fewer, the more rows there are to look at each time."""
        rows = sum(len(of_behavior) for of_behavior in self.profile.rows.values())
        return max(20, min(self.evaluations, _ROWS_LOOKED_AT // max(rows, 1)))

    def points(self, leaf: OwnLeaf) -> list[Micros]:
        """The turning points of a condition; of one that turns once, those near that instant."""
        if leaf not in self._points:
            bound = self.bound(leaf)
            every = self._every_point(leaf)
            if flips_once(bound, self.profile, self.as_of):
                days = NEAR_DAYS if has_months(bound) else 0
                every = around_the_flip(lambda at: self.matches(leaf, at), every, self.as_of, days)
            self._points[leaf] = every
        return self._points[leaf]

    def _every_point(self, leaf: OwnLeaf) -> list[Micros]:
        if leaf not in self._every:
            edges = moving_edges(self.bound(leaf), {})
            self._every[leaf] = turning_points(edges, self.profile, self.as_of, ZoneInfo(self.catalog.timezone))
        return self._every[leaf]

    @cached_property
    def _points(self) -> dict[OwnLeaf, list[Micros]]:
        return {}

    @cached_property
    def _every(self) -> dict[OwnLeaf, list[Micros]]:
        return {}

    def next_of_leaf(self, leaf: OwnLeaf) -> NextChange:
        """When a condition turns round."""
        return next_change(lambda at: self.matches(leaf, at), self.points(leaf), self.as_of, self.budget)

    def next_of_value(self, leaf: OwnLeaf, value: Callable[[Micros], object]) -> NextChange:
        """When what a condition looks at changes."""
        return next_change(value, self._every_point(leaf), self.as_of, self.budget)

    def next_of_member(self, path: str) -> NextChange:
        """When the profile's membership in a segment or variant turns round."""
        points = sorted({point for leaf in self._own_leaves(path) for point in self.points(leaf)})
        return next_change(lambda at: self.is_member(path, at), points, self.as_of, self.budget)

    def _own_leaves(self, path: str) -> Iterator[OwnLeaf]:
        """The conditions of a segment, of its base and of those it refers to, without exclude, each once."""
        seen, queue = {path}, [path]
        while queue:
            segment = self.decided[self.owners[queue.pop()].path]
            needed = [segment.base] if segment.base else []
            for _, condition in walk(segment.rule):
                if isinstance(condition, ReferenceCondition):
                    needed.append(condition.target)
                elif not isinstance(condition, Group):
                    yield replace(condition, exclude=False, limit=None)
            queue.extend(other for other in dict.fromkeys(needed) if other not in seen)
            seen.update(needed)


def explain(inquiry: Inquiry) -> Explanation:
    """Why the profile is (not) a member of `inquiry.asked`."""
    segment = _segment(inquiry, inquiry.asked, depth=1)
    moving = None
    if not _depends_on_others(inquiry, inquiry.asked):
        moving = inquiry.next_of_member(inquiry.asked)
    return Explanation(segment, inquiry.as_of, _change(segment), moving)


def _depends_on_others(inquiry: Inquiry, path: str) -> bool:
    """Whether a limit takes part: in the segment, its base or one it refers to."""
    seen, queue = {path}, [path]
    while queue:
        segment = inquiry.owners[queue.pop()]
        if any(condition.limit is not None for _, condition in walk(segment.rule)):
            return True
        needed = [condition.target for _, condition in walk(segment.rule) if isinstance(condition, ReferenceCondition)]
        queue.extend(other for other in (*needed, *([segment.base] if segment.base else [])) if other not in seen)
        seen.update(queue)
    return False


def walk(condition: Condition, place: NodePath = ()) -> Iterator[tuple[NodePath, Condition]]:
    """Every condition of a rule with its place, from the top down."""
    yield place, condition
    if isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from walk(part, (*place, index))


# --- the tree -----------------------------------------------------------------------------------------------------


def _segment(inquiry: Inquiry, path: str, depth: int) -> SegmentExplanation:
    """A segment's verdict, opened up `depth` references deep."""
    owner = inquiry.owners[path]
    holds = inquiry.is_member(path, inquiry.as_of)
    variant = _variant(owner.ab_test, path, owner, inquiry.profile) if owner.ab_test is not None else None
    tree = _node(inquiry, owner.path, owner.rule, (), depth)
    base = _referred(inquiry, owner.base, depth) if owner.base else None
    return SegmentExplanation(path, holds, tree, base, variant)


def _referred(inquiry: Inquiry, path: str, depth: int) -> SegmentExplanation:
    if depth > 0:
        return _segment(inquiry, path, depth - 1)
    return SegmentExplanation(path, inquiry.is_member(path, inquiry.as_of))


def _node(inquiry: Inquiry, segment: str, condition: Condition, place: NodePath, depth: int) -> Node:
    decided = inquiry.decide(segment, condition, place)
    holds = inquiry.matches(decided, inquiry.as_of)
    limit = inquiry.limits.get((segment, place)) if condition.limit is not None else None
    match condition:
        case Group():
            parts = tuple(_node(inquiry, segment, part, (*place, index), depth) for index, part in enumerate(condition.conditions))
            text = condition.expr if condition.match == "expr" else ""
            return Node(condition.match, place, text, holds, condition.exclude, condition.description, parts, limit=limit)
        case ReferenceCondition():
            reference = _referred(inquiry, condition.target, depth)
            kind: Literal["reference"] = "reference"
            return Node(kind, place, text_of(condition), holds, condition.exclude, condition.description, limit=limit, reference=reference)
        case AttributeCondition() | BehaviorCondition() | SequenceCondition():
            return _own_leaf(inquiry, condition, place, holds, limit)
        case _:
            assert_never(condition)


def _own_leaf(
    inquiry: Inquiry,
    condition: OwnLeaf,
    place: NodePath,
    holds: bool,
    limit: LimitOutcome | None,
) -> Node:
    plain = replace(condition, exclude=False, limit=None)
    bound = inquiry.bound(plain)
    matched = inquiry.matches(plain, inquiry.as_of)
    observed = observe(plain, bound, inquiry.profile, inquiry.catalog, inquiry.as_of, not matched, inquiry.evidence)
    if limit is not None and limit.rank is not None:
        observed = replace(observed, missing=None)
    changes = inquiry.next_of_leaf(plain)
    value_until = None
    if observed.missing is not None:
        value_until = inquiry.next_of_value(
            plain, lambda at: observe(plain, bound, inquiry.profile, inquiry.catalog, at, not matched, 1).value
        )
    kinds: dict[type, Literal["attribute", "behavior", "sequence"]] = {AttributeCondition: "attribute", BehaviorCondition: "behavior"}
    kind = kinds.get(type(condition), "sequence")
    text = text_of(condition)
    return Node(kind, place, text, holds, condition.exclude, condition.description, (), observed, limit, None, changes, value_until)


def text_of(condition: Condition) -> str:
    """A condition in text form, without its description and what is not interpreted."""
    return write_rule(Group("all", (replace(condition, description="", extras=NO_EXTRAS),)))


# --- A/B tests ----------------------------------------------------------------------------------------------------


def _variant(test: ABTest, path: str, owner: Segment, profile: Profile) -> VariantPlace:
    test_id = test.test_id or owner.name
    key = profile.attributes.get(test.key_column)
    asked = "" if path == owner.path else path.rsplit("/", 1)[-1].removesuffix(f"-{owner.name}")
    if key is None:
        return VariantPlace(test_id, test.key_column, None, None, "", asked)
    found = variant_of(test, test_id, key) or ""
    place = Fraction(int(sha256(f"{test_id}:{key}".encode()).hexdigest()[:16], 16), 2**64) * 100
    low, high = _range(test, found)
    return VariantPlace(test_id, test.key_column, str(key), round(Decimal(place.numerator) / place.denominator, 6), found, asked, low, high)


def _range(test: ABTest, name: str) -> tuple[Decimal | None, Decimal | None]:
    """The part of the hash line of a variant, in percent."""
    end = Decimal(0)
    for variant in test.variants:
        start, end = end, end + Decimal(repr(variant.ratio))
        if variant.name == name:
            return start, end
    return (100 - Decimal(repr(test.control)), Decimal(100)) if name and name == test.control_name else (None, None)


# --- the smallest change ------------------------------------------------------------------------------------------


def _change(segment: SegmentExplanation) -> tuple[Turn, ...] | None:
    """The fewest conditions whose turning round turns the verdict round."""
    turns: dict[str, Turn] = {}
    truths: dict[str, bool] = {}
    assert segment.tree is not None
    parts = [_formula(segment.tree, truths, turns)]
    fixed: set[str] = set()
    if segment.base is not None:
        text = text_of(ReferenceCondition(segment.base.path))
        parts.append(_atom(text, segment.base.holds, Turn(text, not segment.base.holds), truths, turns))
    if segment.variant is not None and segment.variant.asked:
        inside = segment.variant.asked == segment.variant.found
        parts.append(_atom("\0variant", inside, Turn(f"variant {segment.variant.asked}", not inside), truths, turns))
        fixed.add("\0variant")
    found = smallest_change(Combined(tuple(parts), joined("all", parts)), truths, frozenset(fixed))
    return None if found is None else tuple(turns[key] for key in found)


def _atom(key: str, truth: bool, turn: Turn, truths: dict[str, bool], turns: dict[str, Turn]) -> Formula:
    truths[key] = truth
    turns[key] = turn
    return Atom(key)


def _formula(node: Node, truths: dict[str, bool], turns: dict[str, Turn]) -> Formula:
    """A node as logic over its leaves. What is limited is one atom: its limit is turned, not what is below it."""
    if node.limit is not None:
        text = node.text or "the limited group"
        return _atom(f"limit {node.path}", node.holds, Turn(_limit_text(text, node.limit), not node.holds), truths, turns)
    if node.kind in ("all", "any", "expr"):
        parts = tuple(_formula(part, truths, turns) for part in node.parts)
        return Combined(parts, _logic(node), node.exclude)
    matched = node.holds != node.exclude
    text = node.text.removeprefix("not ") if node.exclude else node.text
    missing = node.observed.missing if node.observed else None
    until = node.value_until.at if missing is not None and node.value_until else None
    atom = _atom(text, matched, Turn(text, not matched, missing, until), truths, turns)
    return Combined((atom,), joined("all", (atom,)), True) if node.exclude else atom


def _limit_text(text: str, limit: LimitOutcome) -> str:
    return f"{text} (rank {limit.rank:,} of {limit.candidates:,}, the first {limit.kept:,} are kept)" if limit.rank else text


def _logic(node: Node) -> LogicNode:
    if node.kind != "expr":
        return joined(node.kind, [Atom("")] * len(node.parts))
    logic, _ = parse_logic(node.text, len(node.parts))
    assert logic is not None
    return logic
