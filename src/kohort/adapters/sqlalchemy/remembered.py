"""What a request reads again and again, kept until anybody commits: the database itself says whether somebody did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from kohort.adapters.sqlalchemy.watching import Watch

T = TypeVar("T")
Mark = tuple[int, int]
MOST = 512
LONGEST_SECONDS = 0.25
"""A request that takes longer looks again whether somebody committed."""


@dataclass(slots=True)
class _Moment:
    """What was committed when a request began. version: None when nobody knows; looked: by the monotonic clock, None: not yet; waits:
    whether what is not known may be read."""

    of: Remembered
    version: int | None = None
    looked: float | None = None
    waits: bool = True


class _NotKnown(Exception):
    """It would have to be read."""


_MOMENT: ContextVar[_Moment | None] = ContextVar("moment", default=None)


class Remembered:
    """Answers of a store. Nothing is kept for those who did not say that a request begins.

    A commit of any process makes everything unknown; whoever commits sees that at once, others with their next request. What is kept for
    a version was read after that version was seen: it may be newer than it says, and is forgotten with it, but it is never older.
    """

    def __init__(self, watch: Watch, most: int = MOST) -> None:
        self._watch = watch
        self._most = most
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._looks = 0
        self._seen: Hashable | None = None
        self._version: int | None = None
        self._versions = 0
        self._own = 0
        self._mark: Mark = (0, 0)
        self._answers: dict[Hashable, Any] = {}
        self._is_open = True

    def begin(self) -> None:
        """A request begins: until its end it is answered what was committed now, or up to a quarter of a second ago.

        Where looking takes a while that is left to the first who asks for something.
        """
        moment = _Moment(self)
        _MOMENT.set(moment)
        if not self._watch.is_far:
            self._look(moment)

    def mark(self) -> Mark | None:
        """What is another one after anything was committed; None: nobody knows."""
        moment = _MOMENT.get()
        if moment is None or moment.of is not self:
            return None
        if moment.looked is None or time.monotonic() - moment.looked > LONGEST_SECONDS:
            if self._watch.is_far:
                self.require_waiting()
            self._look(moment)
        return None if moment.version is None else (moment.version, self._own)

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
        """Let go of the database."""
        with self._looking:
            self._is_open = False
            self._watch.close()

    def _look(self, moment: _Moment) -> None:
        """See what is committed by now. Those who come while somebody looks share the look after that one."""
        looked, looks = time.monotonic(), self._looks
        with self._looking:
            if self._looks == looks and self._is_open:
                self._looks += 1
                seen = self._watch.look()
                if seen is not None and seen != self._seen:
                    self._versions += 1
                self._seen, self._version = seen, None if seen is None else self._versions
            moment.version, moment.looked = (self._version if self._is_open else None), looked
