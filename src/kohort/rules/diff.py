"""What changed between two rules, condition by condition, in words.

Rules are compared by meaning (`rules.normalize`), and shown as they were written: order, grouping that says nothing and other
ways of writing the same are no changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from kohort.foundation.issues import Path, path_text
from kohort.rules.ast import (
    NO_EXTRAS,
    AttributeCondition,
    BehaviorCondition,
    Condition,
    Group,
    IsNull,
    Leaf,
    Limit,
    ReferenceCondition,
    Rule,
    SequenceCondition,
)
from kohort.rules.canonical import text_of
from kohort.rules.normalize import NOBODY, complement, normal_condition, normalize
from kohort.rules.text import write_rule

ChangeKind = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `path` leads into the new rule (of what was removed: into the old one), in the keys of files.

    before, after: texts ("" when there is none). sentence: "changed: lifetime_value > 1000 -> lifetime_value > 1500".
    """

    kind: ChangeKind
    path: Path
    before: str
    after: str
    sentence: str


def diff_rules(old: Rule, new: Rule) -> tuple[Change, ...]:
    """The changes from `old` to `new` in order of place; without changes of meaning only changed descriptions are left."""
    comparison = _Comparison(_Written.of(old), _Written.of(new))
    first, second = normalize(old), normalize(new)
    if text_of(first) == text_of(second) or (first.conditions and second.conditions):
        comparison.groups(first, second, (), ())
    else:
        comparison.changed((), _whole(old, first), _whole(new, second))
    comparison.described((), old.description, new.description)
    return tuple(sorted(comparison.all_changes(), key=_place))


def _whole(rule: Rule, normal: Rule) -> str:
    if normal == NOBODY:
        return "nobody"
    return write_rule(_bare_rule(rule)) if normal.conditions or normal.limit else "everybody"


def _bare_rule(rule: Rule) -> Rule:
    bare = _bare(rule)
    assert isinstance(bare, Group)
    return bare


def _place(change: Change) -> tuple[tuple[bool, int, str], ...]:
    return tuple((True, part, "") if isinstance(part, int) else (False, 0, part) for part in change.path)


# --- how the parts of a normal form were written ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    condition: Condition


@dataclass(frozen=True, slots=True)
class _Written:
    """Where the parts of a rule's normal form come from, by their canonical text."""

    sources: dict[str, _Source]

    @staticmethod
    def of(rule: Rule) -> _Written:
        sources: dict[str, _Source] = {}
        for source in _walk(rule, ()):
            normal = normal_condition(source.condition)
            sources.setdefault(text_of(normal), source)
        for source in _walk(rule, ()):
            turned = complement(normal_condition(source.condition))
            sources.setdefault(text_of(turned), replace(source, condition=turned))
        return _Written(sources)

    def text(self, condition: Condition) -> str:
        """The condition as it was written, or in its normal form when it stood inside out."""
        source = self.sources.get(text_of(condition))
        shown = _bare(source.condition if source else condition)
        if shown.limit is None and isinstance(shown, Group):
            return write_rule(shown)
        return write_rule(Group("all", (shown,)))

    def path(self, condition: Condition, default: Path) -> Path:
        source = self.sources.get(text_of(condition))
        return source.path if source else default

    def description(self, condition: Condition) -> str:
        source = self.sources.get(text_of(condition))
        return source.condition.description if source else ""


def _walk(condition: Condition, path: Path) -> Iterator[_Source]:
    """The conditions of a rule, inner ones first."""
    if isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from _walk(part, (*path, "conditions", index))
    if path:
        yield _Source(path, condition)


# --- matching ---------------------------------------------------------------------------------------------------


def _subject(condition: Condition) -> Hashable:
    match condition:
        case AttributeCondition():
            return ("attribute", condition.customer_group, condition.attribute)
        case BehaviorCondition():
            return ("behavior", condition.behavior)
        case SequenceCondition():
            return ("sequence", tuple(step.behavior for step in condition.steps))
        case ReferenceCondition():
            return ("reference", condition.target)
        case Group():
            return None


def _subject_and_test(condition: Condition) -> Hashable:
    """The subject with as much beside it as still leaves room for a change."""
    match condition:
        case BehaviorCondition():
            return (_subject(condition), condition.aggregation, condition.filter, condition.sliding)
        case AttributeCondition():
            return (_subject(condition), condition.operator.key, condition.exclude)
        case _:
            return _subject(condition)


def _subject_and_aggregation(condition: Condition) -> Hashable:
    return (_subject(condition), condition.aggregation) if isinstance(condition, BehaviorCondition) else _subject(condition)


def _kind(condition: Condition) -> Hashable:
    """A sequence is matched with any sequence; other conditions only with those of the same subject."""
    return "sequence" if isinstance(condition, SequenceCondition) else _subject(condition)


_KEYS: tuple[Callable[[Condition], Hashable], ...] = (text_of, _subject_and_test, _subject_and_aggregation, _subject, _kind)


def _matched(old: list[Condition], new: list[Condition]) -> list[tuple[Condition, Condition]]:
    """Pairs of conditions that are the same one before and after; what is paired is taken out of the lists."""
    pairs: list[tuple[Condition, Condition]] = []
    for key in _KEYS:
        for condition in list(old):
            partner = next((other for other in new if key(condition) is not None and key(condition) == key(other)), None)
            if partner is not None:
                pairs.append((condition, partner))
                old.remove(condition)
                new.remove(partner)
    return pairs + _matched_groups(old, new)


def _matched_groups(old: list[Condition], new: list[Condition]) -> list[tuple[Condition, Condition]]:
    """Groups that share subjects, those that share most first."""
    candidates = [
        (_shared(first, second), at, first, second)
        for at, first in enumerate(old)
        for second in new
        if isinstance(first, Group) and isinstance(second, Group)
    ]
    pairs: list[tuple[Condition, Condition]] = []
    for shared, _, first, second in sorted(candidates, key=lambda found: (-found[0], found[1])):
        if shared > 0 and first in old and second in new:
            pairs.append((first, second))
            old.remove(first)
            new.remove(second)
    return pairs


def _shared(first: Group, second: Group) -> float:
    """How much two groups have in common: equal leaves count twice as much as equal subjects."""
    one, other = list(_leaves(first)), list(_leaves(second))
    equal = {text_of(leaf) for leaf in one} & {text_of(leaf) for leaf in other}
    same = {_subject(leaf) for leaf in one} & {_subject(leaf) for leaf in other}
    return (2 * len(equal) + len(same)) / max(len(one) + len(other), 1)


def _leaves(condition: Condition) -> Iterator[Leaf]:
    if isinstance(condition, Group):
        for part in condition.conditions:
            yield from _leaves(part)
    else:
        yield condition


# --- comparing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loose:
    """A condition without a partner, the place of its group, and the word that joins it there ("or ", or nothing)."""

    condition: Condition
    path: Path
    word: str


def _word(group: Group) -> str:
    return "or " if group.match == "any" and len(group.conditions) > 1 else ""


@dataclass(slots=True)
class _Comparison:
    """Collects changes; what was removed or added waits in `lost` and `gained`, because it may have moved."""

    old: _Written
    new: _Written
    found: list[Change] = field(default_factory=list)
    lost: list[_Loose] = field(default_factory=list)
    gained: list[_Loose] = field(default_factory=list)

    def groups(self, first: Group, second: Group, old_path: Path, path: Path) -> None:
        """Compare two normal groups that are the same one before and after, at their places in the old and the new rule."""
        where = self._where(second, path)
        if first.match != second.match and min(len(first.conditions), len(second.conditions)) > 1:
            self.changed(path, f"{first.match} of", f"{second.match} of", where)
        elif "expr" in (first.match, second.match) and first.expr != second.expr:
            self.changed((*path, "expr"), first.expr or first.match, second.expr or second.match, where)
        if first.exclude != second.exclude:
            self.changed((*path, "exclude"), _excluded(first), _excluded(second), where)
        if first.limit != second.limit:
            self.changed((*path, "limit"), limit_text(first.limit), limit_text(second.limit), where)
        before, after = list(first.conditions), list(second.conditions)
        for one, other in _matched(before, after):
            self._pair(one, other, old_path, path)
        self.lost.extend(_Loose(condition, old_path, _word(first)) for condition in before)
        self.gained.extend(_Loose(condition, path, _word(second)) for condition in after)

    def _pair(self, one: Condition, other: Condition, old_path: Path, path: Path) -> None:
        at = self.new.path(other, path)
        if isinstance(one, Group) and isinstance(other, Group):
            if text_of(one) != text_of(other):
                self.groups(one, other, self.old.path(one, old_path), at)
        elif text_of(one) != text_of(other):
            self.changed(at, self.old.text(one), self.new.text(other), self._inside(path))
        self.described(at, self.old.description(one), self.new.description(other))

    def changed(self, path: Path, before: str, after: str, where: str = "") -> None:
        self.found.append(Change("changed", path, before, after, f"changed: {before} -> {after}{where}"))

    def described(self, path: Path, before: str, after: str) -> None:
        if before != after:
            sentence = f'changed: description "{before}" -> "{after}"'
            self.found.append(Change("changed", (*path, "description"), before, after, sentence))

    def _where(self, group: Group, path: Path) -> str:
        description = self.new.description(group)
        return f" [{description}]" if description and path else self._inside(path)

    def _inside(self, path: Path) -> str:
        return f" [{path_text(path)}]" if path else ""

    def all_changes(self) -> list[Change]:
        """Everything found, with what was removed in one place and added in another as moved."""
        changes = list(self.found)
        gained = list(self.gained)
        for loose in self.lost:
            partner = next((found for found in gained if text_of(found.condition) == text_of(loose.condition)), None)
            if partner is None:
                changes.append(self._removed(loose))
                continue
            gained.remove(partner)
            changes.append(self._moved(loose, partner))
        return changes + [self._added(loose) for loose in gained]

    def _removed(self, loose: _Loose) -> Change:
        text = self.old.text(loose.condition)
        sentence = f"removed: {loose.word}{text}{self._inside(loose.path)}"
        return Change("removed", self.old.path(loose.condition, loose.path), text, "", sentence)

    def _added(self, loose: _Loose) -> Change:
        text = self.new.text(loose.condition)
        sentence = f"added: {loose.word}{text}{self._inside(loose.path)}"
        return Change("added", self.new.path(loose.condition, loose.path), "", text, sentence)

    def _moved(self, before: _Loose, after: _Loose) -> Change:
        text = self.new.text(after.condition)
        places = " -> ".join(path_text(loose.path) or "the top" for loose in (before, after))
        return Change("moved", self.new.path(after.condition, after.path), text, text, f"moved: {text} ({places})")


def _excluded(group: Group) -> str:
    return "everybody else" if group.exclude else "those who match"


def limit_text(limit: Limit | None) -> str:
    """A limit as the text form of rules writes it.

    >>> from kohort.rules.ast import Order
    >>> limit_text(Limit("Percent", 10, (Order("ltv", True),)))
    'limit 10 percent by ltv desc'
    """
    if limit is None:
        return "no limit"
    bare = write_rule(Group("all", (AttributeCondition("x", IsNull(), limit=limit),)))
    return bare[bare.index("limit ") :]


def _bare(condition: Condition) -> Condition:
    """Without descriptions and what nobody interprets."""
    if isinstance(condition, Group):
        condition = replace(condition, conditions=tuple(_bare(part) for part in condition.conditions))
    return replace(condition, description="", extras=NO_EXTRAS)
