"""Whose calls these are: the identity graph of one source, of which only what the calls at hand need is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from kohort.events.identity import (
    DEFAULT_IDENTITY,
    Change,
    ExternalId,
    GraphUpdate,
    IdentityGraph,
    IdentityRules,
    Trigger,
    hash_of,
)
from kohort.foundation.instants import Micros
from kohort.ports.event_tables import EventTables

REMEMBERED_IDS: Final = 300_000
REMEMBERED_PROFILES: Final = 24_000
"""External ids and profiles of all sources that stay in memory between flushes; beyond, those go that were not met for the longest time."""

Seen = tuple[tuple[ExternalId, ...], str, str, Micros, Micros]
"""What identity needs of a call: its external ids, type, message id, when it happened and when it was received."""


class IdentityResolver:
    """Resolves the calls of one source in order. What it says becomes true when the caller writes it; if not: `forget`.

    What it said last may not be in the tables yet when it is asked again: of that, it keeps everything in memory.
    """

    def __init__(
        self,
        source: str,
        tables: EventTables,
        rules: IdentityRules = DEFAULT_IDENTITY,
        remembered_ids: int = REMEMBERED_IDS,
        remembered_profiles: int = REMEMBERED_PROFILES,
    ) -> None:
        self._source = source
        self._tables = tables
        self._rules = rules
        self._remembered_ids = remembered_ids
        self._remembered_profiles = remembered_profiles
        self._graph: IdentityGraph | None = None
        self._before: dict[ExternalId, int] = {}
        self._touched: set[int] = set()
        self._merged: dict[int, int] = {}

    def share(self, sources: int) -> None:
        """So many sources have to make do with what may be remembered in all."""
        self._remembered_ids, self._remembered_profiles = REMEMBERED_IDS // sources, REMEMBERED_PROFILES // sources

    def resolve(self, calls: Sequence[Seen]) -> tuple[list[int], list[Change]]:
        """The profile number of each call (0: it carries no id that counts), and what the calls change."""
        graph = self._ready()
        numbers = self._settled(graph, calls)
        unsettled = [call[0] for call, number in zip(calls, numbers, strict=True) if not number]
        self._learn_ids(graph, unsettled)
        self._learn_profiles(graph, unsettled)
        changes: list[Change] = []
        onwards = graph.onwards
        for place, number in enumerate(numbers):
            if number:
                if number in onwards:
                    numbers[place] = graph.canonical(number)
            elif carried := calls[place][0]:
                numbers[place] = graph.resolve(carried, Trigger(*calls[place][1:]), changes) or 0
        self._merged = {each.number: each.canonical for each in changes if isinstance(each, GraphUpdate) and each.canonical != each.number}
        self._touched = {each.number for each in changes}.union(self._merged.values())
        return numbers, changes

    def forget(self) -> None:
        """What was resolved has not been written: begin again from the tables."""
        self._graph = None
        self._before = {}
        self._touched, self._merged = set(), {}

    def _ready(self) -> IdentityGraph:
        if self._graph is None:
            self._graph = IdentityGraph(self._tables.next_profile(self._source), self._rules)
        elif len(self._graph.known) > self._remembered_ids // 2:
            self._age(self._graph)
        profiles = self._graph.profiles
        if len(profiles) > self._remembered_profiles:
            touched = {number: profiles[number] for number in self._touched if number in profiles}
            self._graph.profiles = touched | dict(islice(profiles.items(), len(profiles) - self._remembered_profiles // 2, None))
        return self._graph

    def _age(self, graph: IdentityGraph) -> None:
        """Ids stay for as long again as it took to meet these; those that were not met meanwhile go."""
        canonical = graph.canonical
        self._before = {each: canonical(number) for each, number in graph.known.items()} if graph.onwards else graph.known
        self._graph = IdentityGraph(graph.next_number, self._rules)
        self._graph.profiles = graph.profiles
        self._graph.onwards = dict(self._merged)

    def _settled(self, graph: IdentityGraph, calls: Sequence[Seen]) -> list[int]:
        """The profile of each call whose ids are all of it already, as far as is in memory; 0: not settled."""
        known, before = graph.known, self._before.get
        numbers = []
        for call in calls:
            number = -1
            for each in call[0]:
                found = known.get(each, 0)
                if not found and (found := before(each, 0)):
                    known[each] = found
                if found != number:
                    if number >= 0:
                        found = 0
                    number = found
                    if not number:
                        break
            numbers.append(number if number > 0 else 0)
        return numbers

    def _learn_ids(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read whose ids these are, of those that are not in memory."""
        known, before = graph.known, self._before
        missing = {each for carried in ids for each in carried if each not in known}
        known.update((each, before[each]) for each in missing & before.keys())
        graph.hashes = {each: hash_of(each) for each in missing if each not in known}
        by_hash = {hashed: each for each, hashed in graph.hashes.items()}
        for hashed, number in self._tables.profiles_of(self._source, list(by_hash)).items():
            known[by_hash[hashed]] = number

    def _learn_profiles(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read the profiles that calls may change: those of calls that carry a new id or ids of several."""
        wanted: dict[int, None] = {}
        for carried in ids:
            if len(carried) > 1 and graph.settled(carried) is None:
                wanted.update((graph.canonical(graph.known[each]), None) for each in carried if each in graph.known)
        missing = [number for number in wanted if number not in graph.profiles]
        graph.profiles.update((profile.number, profile) for profile in self._tables.profiles(self._source, missing))
