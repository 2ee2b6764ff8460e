"""Transactions of the definition store: one a method, or one for everything inside `transaction()`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from kohort.adapters.sqlalchemy.engine import WRITES, create_store_engine, parse_url, take_turn
from kohort.adapters.sqlalchemy.failures import explained
from kohort.adapters.sqlalchemy.remembered import Remembered
from kohort.adapters.sqlalchemy.schema import open_schema
from kohort.adapters.sqlalchemy.watching import watch_of

T = TypeVar("T")
WAIT_SECONDS = 20.0


class Transactions:
    """An open database. Writers take turns; readers see what is committed, or what their own transaction wrote."""

    def __init__(self, url: str | Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Open the store and bring its schema up to date. wait_seconds: how long to wait for another writer."""
        self._url: URL = parse_url(url)
        self._local = threading.local()
        self._engine: Engine = create_store_engine(self._url, wait_seconds)
        self._remembered = Remembered(watch_of(self._url))
        try:
            with explained(self._url):
                open_schema(self._engine, wait_seconds)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for every call that this thread makes inside the block; nobody else writes meanwhile."""
        if self._current() is not None:
            yield
            return
        with self._begin(writes=True) as connection:
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None
        self._remembered.committed()

    def begin_request(self) -> None:
        """What is read from here on, by whoever works on this request, may be what others were told since the last commit."""
        self._remembered.begin()

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """In a request: what was made before when nobody committed since, otherwise what `make` gives. Nobody may change it."""
        return make() if self._current() is not None else self._remembered.get(key, make)

    def at_once(self, work: Callable[[], T]) -> T | None:
        """What `work` gives if all it reads is remembered; None when it would have to wait for the database."""
        return self._remembered.at_once(work)

    def close(self) -> None:
        """Give connections back."""
        self._remembered.close()
        self._engine.dispose()

    def _known(self, *key: Hashable, read: Callable[[Connection], T]) -> T:
        """What `read` finds, or found before when nobody committed since; nobody may change it."""

        def found() -> T:
            with self._reading() as connection:
                return read(connection)

        return self.remembered(key, found)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        current = self._current()
        if current is not None:
            with explained(self._url):
                yield current
            return
        with self._begin(writes=False) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.transaction(), explained(self._url):
            current = self._current()
            assert current is not None
            yield current

    def _current(self) -> Connection | None:
        return getattr(self._local, "connection", None)

    @contextmanager
    def _begin(self, *, writes: bool) -> Iterator[Connection]:
        self._remembered.require_waiting()
        with explained(self._url), self._engine.connect() as fresh:
            connection = fresh.execution_options(**{WRITES: writes})
            with connection.begin():
                if writes:
                    take_turn(connection)
                yield connection
