"""The tables of sources: what calls become, written together with the place up to which the log has been read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kohort.events.identity import Change, Profile
from kohort.foundation.instants import Micros
from kohort.ports.event_log import Position


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows for one table, by column: each column has `count` values, None where a row has none.

    Values are as JSON has them (str, int, float, bool); those of `events.columns.INSTANTS` are microseconds UTC. numbers: of the call of
    each row within its flush and source; None for tables whose rows belong to no profile. packed: columns as `EventTables.packed` gave
    them.
    """

    table: str
    columns: Mapping[str, Sequence[Any]]
    count: int
    numbers: Sequence[int] | None = None
    packed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceFlush:
    """What one source got. tables: rows to append. users: one row an id, to be laid over what is known of that user.

    profiles: the profile of each call (0: of none), by the call's number. identity: what the calls changed in the graph, in order.
    """

    source: str
    tables: Sequence[TableRows]
    users: TableRows | None = None
    profiles: Sequence[int] = ()
    identity: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class Flush:
    """All that is written at once: the log is read up to `position`. sources: each is taken out when it is handed over, to free memory."""

    sources: list[SourceFlush]
    position: Position
    at: Micros


@dataclass(frozen=True, slots=True)
class WriteReport:
    """rows: that were added, by (source, table). discards: cells and rows that found no place, by source."""

    rows: Mapping[tuple[str, str], int]
    discards: Mapping[str, int]


class EventTables(Protocol):
    """A warehouse's tables of sources. One writer; what it writes is there entirely or not at all."""

    def upgrade(self) -> None:
        """Bring up to date what an older program made, before anything else is asked; costs next to nothing when it is."""
        ...

    def position(self) -> Position:
        """Up to where the log is in the tables; 0 before the first write."""
        ...

    def write(self, flush: Flush, meanwhile: Callable[[], None] = lambda: None) -> WriteReport:
        """Everything of a flush and its position in one transaction. New columns are added, columns too narrow are widened.

        meanwhile: called when everything is handed over and the engine makes it last. It may ask whose ids and which profiles there are:
        what this flush changes of them may be in the answers, or not yet.

        Raises UserError; nothing of the flush is there then, and the same calls may be written after all when they are tried again.
        """
        ...

    def packed(self, rows: TableRows) -> TableRows:
        """The same rows, as far on their way as they can go without a look at the tables. At any time, also while a flush is written."""
        ...

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Rows of every table of every source, by (source, table)."""
        ...

    def next_profile(self, source: str) -> int:
        """The number of the next new profile of a source; 1 for the first."""
        ...

    def profiles_of(self, source: str, hashes: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], int]:
        """Hashes of external ids (`events.identity.hash_of`) -> the number of the profile they are of by now; unknown ones are left out."""
        ...

    def profiles(self, source: str, numbers: Sequence[int]) -> Sequence[Profile]:
        """What resolution needs of profiles that have not been merged away."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...
