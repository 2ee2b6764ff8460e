"""What was worked out of a condition before: somebody who edits a rule sends all its other conditions unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import Condition, FilterCondition

T = TypeVar("T")


class KnownCondition:
    """Facts about one condition (or group) and one catalog, by name."""

    __slots__ = ("_facts",)

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}

    def fact(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, worked out when it is first asked for."""
        if name not in self._facts:
            self._facts[name] = make()
        return cast(T, self._facts[name])


class KnownConditions:
    """Conditions met before, by what they say in every detail. Safe to share between threads.

    catalog: that all facts are about. most: how many are kept; then it begins anew.
    """

    def __init__(self, catalog: FieldCatalog, most: int = 10_000) -> None:
        self.catalog = catalog
        self._most = most
        self._known: dict[str, KnownCondition] = {}
        self._met: dict[int, tuple[Condition | FilterCondition, KnownCondition]] = {}

    def of(self, condition: Condition | FilterCondition) -> KnownCondition:
        """What is known of a condition."""
        met = self._met.get(id(condition))
        if met is not None and met[0] is condition:
            return met[1]
        if len(self._met) >= self._most:
            self._met, self._known = {}, {}
        found = self._known.setdefault(repr(condition), KnownCondition())
        self._met[id(condition)] = (condition, found)
        return found
