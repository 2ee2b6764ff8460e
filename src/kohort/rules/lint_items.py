"""Conditions of one group as they are compared with each other: what each tests, which values pass, which rows it counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kohort.foundation.issues import Path
from kohort.foundation.windows import Window
from kohort.rules.canonical import name_of
from kohort.rules.core import BehaviorLeaf, Expr
from kohort.rules.value_sets import ANYTHING, Cut, ValueSet

_HELD_AGAINST, _IN_A_CROWD = 50, 5


@dataclass(frozen=True, slots=True)
class Item:
    """One condition as it is compared with its neighbours.

    subject: what it tests, "" when that cannot be told; passing: the values that pass, out of universe. key, opposite: equal keys
    mean the same, a key that is another's opposite means its complement.
    """

    path: Path
    text: str
    key: str
    opposite: str
    subject: str = ""
    passing: ValueSet = ANYTHING
    universe: ValueSet = ANYTHING
    rows: str = ""
    window: tuple[str, int] | None = None

    @property
    def grows(self) -> bool:
        """True of "at least so many": what holds in a short window holds in a longer one."""
        return len(self.passing.values) == 1 and self.passing.values[0][1] == self.universe.values[0][1] and not self.passing.null

    def is_same_set(self, other: Item) -> bool:
        """Whether both let the same values of one thing through."""
        return self.subject != "" and (self.subject, self.passing) == (other.subject, other.passing)


def related(items: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    """The pairs (the earlier first) that test the same thing or count the same rows: no others can say anything about each other.

    Of many that share a mark, each is held against the first 50 only; of many that test the same thing, against the first five and
    the nearest that reaches around it.
    """
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    pairs: set[tuple[int, int]] = set()
    crowded = {subject for subject, amount in Counter(item.subject for item in items).items() if subject and amount > _HELD_AGAINST}
    for subject in crowded:
        pairs.update(_nested(items, [place for place, item in enumerate(items) if item.subject == subject]))
    for later, item in enumerate(items):
        own = [("key", item.key), ("subject", item.subject), ("rows", item.rows)]
        own = [mark for mark in own if mark[1]]
        for mark in (*own, ("key", item.opposite)):
            pairs.update((earlier, later) for earlier in places.get(mark, ()))
        for mark in own:
            if len(places[mark]) < (_IN_A_CROWD if mark[0] == "subject" and item.subject in crowded else _HELD_AGAINST):
                places[mark].append(later)
    return ((items[earlier], items[later]) for earlier, later in sorted(pairs))


def _nested(items: Sequence[Item], places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Each of the places with the nearest whose values reach around its own, the earlier first. As much work as sorting."""
    by_high = sorted((place for place in places if items[place].passing.values), key=lambda place: _high(items[place]), reverse=True)
    around: list[int] = []
    for place in sorted(by_high, key=lambda place: items[place].passing.values[0][0]):
        while around and _high(items[around[-1]]) < _high(items[place]):
            around.pop()
        if around:
            yield min(place, around[-1]), max(place, around[-1])
        around.append(place)


def _high(item: Item) -> Cut:
    return item.passing.values[-1][1]


def by_mark(items: Iterable[Item], mark: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Items by a mark, in order; those without one left out."""
    found: dict[str, list[Item]] = {}
    for item in items:
        if mark(item):
            found.setdefault(mark(item), []).append(item)
    return found


def implies(narrow: Item, wide: Item) -> bool:
    """Whether a condition holds wherever another one does."""
    if narrow.subject and narrow.subject == wide.subject:
        return narrow.passing.is_within(wide.passing)
    if not narrow.rows or narrow.rows != wide.rows or narrow.window is None or wide.window is None:
        return False
    unit, amount = narrow.window
    wide_unit, wide_amount = wide.window
    nested = wide_unit == "" or (unit == wide_unit and amount <= wide_amount)
    return nested and wide.grows and narrow.grows and narrow.passing.is_within(wide.passing)


def counted(bound: Expr) -> tuple[str, tuple[str, int] | None]:
    """(the rows that are counted whatever the window, the window as unit and amount, ("", 0) for none) of a count."""
    if not isinstance(bound, BehaviorLeaf) or bound.aggregate.key not in ("Count", "CountDistinct"):
        return "", None
    windows = bound.aggregate.windows
    window = ("", 0) if not windows else _past(windows[0]) if len(windows) == 1 else None
    return name_of(replace(bound.aggregate, windows=())), window


def _past(window: Window) -> tuple[str, int] | None:
    """(unit, amount) of "within the past N units"."""
    low, high = window.low, window.high
    if (high.anchor, high.shifts, low.anchor, len(low.shifts)) != ("as_of", (), "as_of", 1) or low.included or not high.included:
        return None
    sign, duration = low.shifts[0]
    return duration.parts[0] if sign < 0 and len(duration.parts) == 1 else None
