"""Whose calls these are: the identity graph of one source, of which only what the calls at hand need is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kohort.events.identity import (
    DEFAULT_IDENTITY,
    Change,
    ExternalId,
    IdentityGraph,
    IdentityRules,
    Trigger,
    external_ids,
    hash_of,
)
from kohort.events.model import Call
from kohort.ports.event_tables import EventTables

REMEMBERED_IDS: Final = 200_000
"""External ids that are kept in memory between flushes; beyond, all are forgotten and read again when they come back."""


class IdentityResolver:
    """Resolves the calls of one source in order. What it says becomes true when the caller writes it; if not: `forget`."""

    def __init__(
        self, source: str, tables: EventTables, rules: IdentityRules = DEFAULT_IDENTITY, remembered_ids: int = REMEMBERED_IDS
    ) -> None:
        self._source = source
        self._tables = tables
        self._rules = rules
        self._remembered_ids = remembered_ids
        self._graph: IdentityGraph | None = None

    def resolve(self, calls: Sequence[Call]) -> tuple[list[int], list[Change]]:
        """The profile number of each call (0: it carries no id that counts), and what the calls change."""
        graph = self._ready()
        ids = [external_ids(call, self._rules) for call in calls]
        numbers = self._settled(graph, ids)
        unsettled = [carried for carried, number in zip(ids, numbers, strict=True) if not number]
        self._learn_ids(graph, unsettled)
        self._learn_profiles(graph, unsettled)
        changes: list[Change] = []
        for place, number in enumerate(numbers):
            if number:
                numbers[place] = graph.canonical(number)
            elif carried := ids[place]:
                call = calls[place]
                trigger = Trigger(call.type, call.message_id, call.timestamp, call.received_at)
                numbers[place] = graph.resolve(carried, trigger, changes) or 0
        return numbers, changes

    def forget(self) -> None:
        """What was resolved has not been written: begin again from the tables."""
        self._graph = None

    def _ready(self) -> IdentityGraph:
        if self._graph is None:
            self._graph = IdentityGraph(self._tables.next_profile(self._source), self._rules)
        elif len(self._graph.known) > self._remembered_ids:
            self._graph = IdentityGraph(self._graph.next_number, self._rules)
        return self._graph

    def _settled(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> list[int]:
        """The profile of each call whose ids are all of it already, as far as is in memory; 0: not settled."""
        known = graph.known
        numbers = []
        for carried in ids:
            found = {known.get(each, 0) for each in carried}
            numbers.append(found.pop() if len(found) == 1 else 0)
        return numbers

    def _learn_ids(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read whose ids these are, of those that are not in memory."""
        known = graph.known
        graph.hashes = {each: hash_of(each) for carried in ids for each in carried if each not in known}
        missing = {hashed: each for each, hashed in graph.hashes.items()}
        for hashed, number in self._tables.profiles_of(self._source, list(missing)).items():
            known[missing[hashed]] = number

    def _learn_profiles(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read the profiles that calls may change: those of calls that carry a new id or ids of several."""
        wanted: dict[int, None] = {}
        for carried in ids:
            if len(carried) > 1 and graph.settled(carried) is None:
                wanted.update((graph.canonical(graph.known[each]), None) for each in carried if each in graph.known)
        missing = [number for number in wanted if number not in graph.profiles]
        graph.profiles.update((profile.number, profile) for profile in self._tables.profiles(self._source, missing))
