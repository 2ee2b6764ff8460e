"""The fewest conditions that would have to turn round for a verdict to turn round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, LogicOr

_COMBINATIONS = 20_000


@dataclass(frozen=True, slots=True)
class Atom:
    """One condition that holds or not; equal conditions share a key and turn together."""

    key: str


@dataclass(frozen=True, slots=True)
class Combined:
    """Parts joined by a logic over their positions; negated: the complement."""

    parts: tuple[Formula, ...]
    logic: LogicNode
    negated: bool = False


Formula = Atom | Combined


def joined(match: str, parts: Sequence[Formula]) -> LogicNode:
    """The logic of an all or any group."""
    items = tuple(LogicItem(index) for index in range(len(parts)))
    return LogicAnd(items) if match == "all" else LogicOr(items)


def holds(formula: Formula, truths: Mapping[str, bool]) -> bool:
    """Whether a formula holds when its conditions hold as given."""
    if isinstance(formula, Atom):
        return truths[formula.key]
    return _true(formula.logic, [holds(part, truths) for part in formula.parts]) != formula.negated


def _true(logic: LogicNode, truths: Sequence[bool]) -> bool:
    match logic:
        case LogicItem(index):
            return truths[index]
        case LogicAnd(parts):
            return all(_true(part, truths) for part in parts)
        case LogicOr(parts):
            return any(_true(part, truths) for part in parts)


def smallest_change(formula: Formula, truths: Mapping[str, bool], fixed: frozenset[str] = frozenset()) -> tuple[str, ...] | None:
    """Keys of the fewest conditions that turn the verdict round, first ones first; None when nothing does.

    fixed: conditions that cannot turn. Of many conditions (more than 20,000 ways to try) a set is given from which none can be
    left out, though another one may be smaller.
    """
    now = holds(formula, truths)
    keys = [key for key in truths if key not in fixed]
    for size in range(1, len(keys) + 1):
        if comb(len(keys), size) > _COMBINATIONS:
            return _irreducible(formula, truths, keys)
        for chosen in combinations(keys, size):
            if holds(formula, _turned(truths, chosen)) != now:
                return chosen
    return None


def _irreducible(formula: Formula, truths: Mapping[str, bool], keys: Sequence[str]) -> tuple[str, ...] | None:
    now = holds(formula, truths)
    needed = _needed(formula, truths, not now, frozenset(keys))
    if needed is None or holds(formula, _turned(truths, tuple(needed))) == now:
        return None
    chosen = tuple(key for key in keys if key in needed)
    for key in tuple(chosen):
        fewer = tuple(other for other in chosen if other != key)
        if holds(formula, _turned(truths, fewer)) != now:
            chosen = fewer
    return chosen


def _needed(formula: Formula, truths: Mapping[str, bool], want: bool, free: frozenset[str]) -> frozenset[str] | None:
    """Conditions that together bring a formula to `want`, chosen part by part; None when its parts cannot."""
    if isinstance(formula, Atom):
        if truths[formula.key] == want:
            return frozenset()
        return frozenset((formula.key,)) if formula.key in free else None
    return _needed_of(formula.logic, formula.parts, truths, want != formula.negated, free)


def _needed_of(
    logic: LogicNode, parts: Sequence[Formula], truths: Mapping[str, bool], want: bool, free: frozenset[str]
) -> frozenset[str] | None:
    if isinstance(logic, LogicItem):
        return _needed(parts[logic.index], truths, want, free)
    found = [_needed_of(part, parts, truths, want, free) for part in logic.parts]
    if isinstance(logic, LogicAnd) == want:
        return None if None in found else frozenset().union(*(one for one in found if one is not None))
    return min((one for one in found if one is not None), key=len, default=None)


def _turned(truths: Mapping[str, bool], keys: Sequence[str]) -> dict[str, bool]:
    return {**truths, **{key: not truths[key] for key in keys}}
