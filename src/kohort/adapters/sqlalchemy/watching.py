"""Whether anybody committed since somebody last looked: SQLite says so itself, on a server one row is renewed with every change."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from kohort.adapters.sqlalchemy.engine import create_store_engine

CONNECT_SECONDS = 10.0
_LAST_CHANGE = "SELECT number, xmin FROM changes"


class Watch(Protocol):
    """Looks over a connection of its own, outside of any transaction. is_far: a look may take as long as a network does."""

    is_far: bool

    def look(self) -> Hashable | None:
        """Another value after anybody committed, never a newer one than what is read after it; None: it cannot be told."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class FileWatch:
    """SQLite counts the commits of all connections but the one that asks; this one never commits."""

    is_far = False

    def __init__(self, file: str) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._opened = 0

    def look(self) -> Hashable | None:
        """See `Watch`."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
                self._opened += 1
            return self._opened, self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            self.close()
            return None

    def close(self) -> None:
        """See `Watch`."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class ServerWatch:
    """The one row of `changes`: triggers count it up in the transaction of a change, before anything else of it.

    Whoever changes something holds that row until the end, so changes are numbered in the order in which they are committed, and a number
    is seen together with what it stands for. A number that was rolled back is given again, to the next change. `xmin`, the transaction
    that wrote the row, tells two changes apart that have one number because a dump was brought in between.
    """

    is_far = True

    def __init__(self, url: URL) -> None:
        self._engine: Engine = create_store_engine(url, CONNECT_SECONDS)
        self._connection: Any = None
        self._opened = 0

    def look(self) -> Hashable | None:
        """See `Watch`."""
        try:
            if self._connection is None:
                self._open()
            with self._connection.cursor() as cursor:
                row = cursor.execute(_LAST_CHANGE).fetchone()
            return (self._opened, *row) if row else None
        except (SQLAlchemyError, self._driver_error):
            self._forget()
            return None

    def close(self) -> None:
        """See `Watch`."""
        self._forget()
        self._engine.dispose()

    def _open(self) -> None:
        fresh = self._engine.raw_connection()
        self._connection = fresh.driver_connection
        fresh.detach()
        self._connection.autocommit = True
        self._opened += 1

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(self._driver_error):
                self._connection.close()
        self._connection = None

    @property
    def _driver_error(self) -> type[Exception]:
        error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        return error


def watch_of(url: URL) -> Watch:
    """What watches the database of a URL."""
    return FileWatch(str(url.database)) if url.get_backend_name() == "sqlite" else ServerWatch(url)
