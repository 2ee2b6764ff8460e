"""Group commit: what arrived while the disk was busy is written together, with one fsync, and acknowledged together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Protocol

from kohort.events.model import Received
from kohort.ports.event_log import EventLog, LogFull, Position

Report = Callable[[str], None]


class KnownIds(Protocol):
    """Remembers which messages were received. See `kohort.adapters.eventlog.MessageIndex`."""

    def take(self, requests: Sequence[tuple[str, Sequence[str]]]) -> list[list[int]]:
        """Remember the messages of some requests, each its source and ids; by request, the places of those known before, ascending.

        Calls without an id have "".
        """
        ...

    def settle(self, position: Position) -> None:
        """What was taken is in the log, up to here."""
        ...

    def forget(self) -> None:
        """What was taken since the last `settle` did not get into the log."""
        ...


@dataclass(slots=True, eq=False)
class _Waiting:
    received: Received
    ids: Sequence[str]
    done: asyncio.Future[int]


_Result = tuple[_Waiting, int | BaseException]


class Committer:
    """Hands requests of an event loop to the one thread that writes the log."""

    def __init__(self, log: EventLog, known: KnownIds | None, report: Report = lambda text: None) -> None:  # noqa: ARG005
        self._log = log
        self._known = known
        self._report = report
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._gathered: list[_Waiting] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="kohort-log", daemon=True)
        self._thread.start()
        self._told_at = 0.0
        self.position = log.end()
        self.commits = 0

    async def commit(self, received: Received, ids: Sequence[str]) -> int:
        """Returns once the request is on disk; how many of its calls were received before. Raises LogFull.

        ids: of its calls, by place, "" for calls that came without one.
        """
        done: asyncio.Future[int] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(received, ids, done))
        return await done

    def _hand_over(self) -> None:
        self._queue.put(self._gathered)
        self._gathered = []

    def close(self) -> None:
        """Write what is waiting and end the thread."""
        if self._gathered:
            self._hand_over()
        self._queue.put(None)
        self._thread.join()

    # --- on the writer's thread ---------------------------------------------------------------------------------

    def _write(self) -> None:
        while (group := self._queue.get()) is not None:
            waiting = list(group)
            ended = False
            while not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    ended = True
                    break
                waiting += more
            results = self._results(waiting)
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_tell, results)
            if ended:
                return

    def _results(self, waiting: list[_Waiting]) -> list[_Result]:
        try:
            dropped = self._drop_known(waiting)
            requests = [request for entry, places in zip(waiting, dropped, strict=True) if (request := _without(entry, places)) is not None]
            if requests:
                self.position = self._log.append(requests)
                self.commits += 1
            if self._known is not None:
                self._known.settle(self.position)
            return [(entry, len(places)) for entry, places in zip(waiting, dropped, strict=True)]
        except Exception as error:
            if self._known is not None:
                self._known.forget()
            self._tell_failure(error)
            return [(entry, error) for entry in waiting]

    def _drop_known(self, waiting: list[_Waiting]) -> list[list[int]]:
        """By request, the places of calls that were received before, in earlier requests or in these."""
        if self._known is None:
            return [[] for _ in waiting]
        return self._known.take([(entry.received.source, entry.ids) for entry in waiting])

    def _tell_failure(self, error: Exception) -> None:
        if time.monotonic() - self._told_at > 10:
            self._told_at = time.monotonic()
            what = "the disk is full" if isinstance(error, LogFull) else f"{type(error).__name__}: {error}"
            self._report(f"requests are refused, for the event log cannot be written: {what}")


def _without(entry: _Waiting, places: list[int]) -> Received | None:
    """The request as it goes into the log; None when all its calls are there already."""
    if not places:
        return entry.received
    return None if len(places) == len(entry.ids) else replace(entry.received, dropped=tuple(places))


def _tell(results: list[_Result]) -> None:
    for entry, outcome in results:
        if entry.done.cancelled():
            continue
        if isinstance(outcome, BaseException):
            entry.done.set_exception(outcome)
        else:
            entry.done.set_result(outcome)
