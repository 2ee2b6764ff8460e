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
        self._learn_ids(graph, ids)
        settled = [graph.settled(carried) for carried in ids]
        self._learn_profiles(graph, [carried for carried, number in zip(ids, settled, strict=True) if number is None])
        changes: list[Change] = []
        numbers: list[int] = []
        for call, carried, number in zip(calls, ids, settled, strict=True):
            if number is not None:
                number = graph.canonical(number)
            elif carried:
                number = graph.resolve(carried, Trigger(call.type, call.message_id, call.timestamp, call.received_at), changes)
            numbers.append(number or 0)
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

    def _learn_ids(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read whose ids these are, of those that are not in memory."""
        known = graph.known
        graph.hashes = {each: hash_of(each) for carried in ids for each in carried if each not in known}
        missing = {hashed: each for each, hashed in graph.hashes.items()}
        for hashed, number in self._tables.profiles_of(self._source, list(missing)).items():
            known[missing[hashed]] = number

    def _learn_profiles(self, graph: IdentityGraph, ids: Sequence[tuple[ExternalId, ...]]) -> None:
        """Read the profiles that calls may change: those of calls that are not settled."""
        wanted: dict[int, None] = {}
        for carried in ids:
            if len(carried) > 1:
                wanted.update((graph.canonical(graph.known[each]), None) for each in carried if each in graph.known)
        missing = [number for number in wanted if number not in graph.profiles]
        graph.profiles.update((profile.number, profile) for profile in self._tables.profiles(self._source, missing))
