"""What a request reads again and again, kept until anybody commits: the database itself says whether somebody did."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.engine import URL

T = TypeVar("T")
Mark = tuple[int, int]
MOST = 512
LONGEST_SECONDS = 0.25
"""A request that takes longer looks again whether somebody committed."""


@dataclass(slots=True)
class _Moment:
    """What was committed when a request began. looked: by the monotonic clock; waits: whether what is not known may be read."""

    of: Remembered
    version: int
    looked: float
    waits: bool = True


class _NotKnown(Exception):
    """It would have to be read."""


_MOMENT: ContextVar[_Moment | None] = ContextVar("moment", default=None)


class Remembered:
    """Answers of a store. Nothing is kept for those who did not say that a request begins, and nothing of databases on a server.

    A commit of any process makes everything unknown; whoever commits sees that at once, others with their next request.
    """

    def __init__(self, url: URL, most: int = MOST) -> None:
        self._file = url.database if url.get_backend_name() == "sqlite" else None
        self._most = most
        self._lock = threading.Lock()
        self._watching: sqlite3.Connection | None = None
        self._own = 0
        self._mark: Mark = (0, 0)
        self._answers: dict[Hashable, Any] = {}

    def begin(self) -> None:
        """A request begins: until its end it is answered what was committed now, or up to a quarter of a second ago."""
        version = self._version()
        _MOMENT.set(None if version is None else _Moment(self, version, time.monotonic()))

    def mark(self) -> Mark | None:
        """What is another one after anything was committed; None: nobody knows."""
        moment = _MOMENT.get()
        if moment is None or moment.of is not self:
            return None
        now = time.monotonic()
        if now - moment.looked > LONGEST_SECONDS:
            version = self._version()
            if version is None:
                return None
            moment.version, moment.looked = version, now
        return moment.version, self._own

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """The answer for a key, read when it is not known. Whoever gets it must not change it."""
        mark = self.mark()
        if mark is None:
            return read()
        with self._lock:
            if mark == self._mark and key in self._answers:
                known: T = self._answers[key]
                return known
        found = read()
        with self._lock:
            if mark > self._mark:
                self._mark, self._answers = mark, {}
            if mark == self._mark:
                while len(self._answers) >= self._most:
                    self._answers.pop(next(iter(self._answers)))
                self._answers[key] = found
        return found

    def at_once(self, work: Callable[[], T]) -> T | None:
        """What `work` gives, without reading anything; None when it would have to."""
        moment = _MOMENT.get()
        if moment is None or moment.of is not self:
            return None
        moment.waits = False
        try:
            return work()
        except _NotKnown:
            return None
        finally:
            moment.waits = True

    def require_waiting(self) -> None:
        """Called before anything is read: ends what `at_once` began."""
        moment = _MOMENT.get()
        if moment is not None and moment.of is self and not moment.waits:
            raise _NotKnown

    def committed(self) -> None:
        """Somebody wrote through this store."""
        with self._lock:
            self._own += 1

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._watching is not None:
                self._watching.close()
            self._watching, self._file = None, None

    def _version(self) -> int | None:
        """A number that grows when another connection commits; this one never does."""
        with self._lock:
            if self._file is None:
                return None
            with suppress(sqlite3.Error):
                if self._watching is None:
                    self._watching = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
                return int(self._watching.execute("PRAGMA data_version").fetchone()[0])
            return None
