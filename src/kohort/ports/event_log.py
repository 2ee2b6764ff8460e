"""The log of requests: what is in it is on disk; every reader has a position of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kohort.events.model import Received


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log: positions ascend with what was appended, without end; 0 is before everything."""

    number: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and the place just after it: a reader that has dealt with it goes on from there."""

    position: Position
    received: Received


class LogFull(Exception):
    """There is no room to keep more: nothing of what was to be appended is in the log."""


class EventLog(Protocol):
    """An append-only log with one writer and any number of readers, also of other processes."""

    def append(self, requests: Sequence[Received]) -> Position:
        """Write all of them, in order, and return when they are on disk. All or none. Raises LogFull."""
        ...

    def read(self, after: Position, limit: int = 1000) -> Iterator[Entry]:
        """What was appended after a position, oldest first."""
        ...

    def end(self) -> Position:
        """The position of the last request; 0 when there is none."""
        ...

    def mark(self, reader: str, position: Position) -> None:
        """A named reader has dealt with everything up to here, and this is on disk; what comes after is not dropped by anybody."""
        ...

    def marks(self) -> Mapping[str, Position]:
        """How far each named reader has come."""
        ...

    def drop(self, upto: Position) -> None:
        """What is at or before a position (and every mark) is not needed any more: whole files of it may go."""
        ...

    def close(self) -> None:
        """Give the files back."""
        ...
