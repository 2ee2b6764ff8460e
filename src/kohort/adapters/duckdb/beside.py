"""Warehouses beside the open one: for threads of a server that read (or refresh) while another thread writes."""

from __future__ import annotations

import string
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar
from weakref import WeakSet

import duckdb

from kohort.adapters.duckdb.kept import Kept
from kohort.adapters.duckdb.running import InterruptibleRunner
from kohort.adapters.duckdb.warehouse import DuckDBWarehouse
from kohort.foundation.errors import Interrupted, UserError
from kohort.parent.definition import TableRef
from kohort.ports.warehouse import TableInfo

Result = TypeVar("Result")
_LOOK_SECONDS = 0.1
_COMMANDS_AT_ONCE = 16
_QUIET_SECONDS = 30.0
_RAISED_AT_MOST = 3


class BesideWarehouse(DuckDBWarehouse):
    """The same file through a connection and a background thread of its own: neither waits for the other. For one thread at a time."""

    def __init__(self, other: DuckDBWarehouse, kept: Kept | None = None) -> None:
        """It ends with the other one. kept: what those beside the same one have read."""
        self._kept = kept or Kept()
        self._path = other._path
        self._read_only = other._read_only
        self._config = other._config
        self._runner = InterruptibleRunner()
        self._streams = WeakSet()
        self._depth = 0
        self._main = other.connection()
        self._main.execute("SET TimeZone = 'UTC'")
        self.is_to_stop: Callable[[], bool] = _never

    def structure(self) -> Sequence[TableInfo]:
        """Every table and view with its columns, by database and name; `rows` is -1, they are not counted."""
        return self._kept.structure(self)

    def remembered(self, key: Hashable, tables: Sequence[TableRef], make: Callable[[], Result]) -> Result:
        """What `make` gives, made before when none of the tables has changed since. Nobody may change it; see `Kept.get`."""
        return make() if self._depth else self._kept.get(self, key, tables, make)

    def interrupt(self) -> None:
        """What runs at this moment fails."""
        for connection in (self._main, *list(self._streams)):
            with suppress(duckdb.Error):
                connection.interrupt()

    def _guarded(self, call: Callable[[], Result], connection: duckdb.DuckDBPyConnection | None = None, *, raw: bool = False) -> Result:
        """The same; raises Interrupted when `is_to_stop` says so (it says so once), before the call or because it was interrupted."""
        if self.is_to_stop():
            raise Interrupted(_STOPPED)
        try:
            return super()._guarded(call, connection, raw=raw)
        except (duckdb.Error, UserError) as error:
            if self.is_to_stop():
                raise Interrupted(_STOPPED) from error
            raise


_STOPPED = "somebody stopped it"


def _never() -> bool:
    return False


def _twice(size: str) -> str:
    """A size as settings have it, doubled.

    >>> _twice("128MB"), _twice("1.5 GB"), _twice("10%")
    ('256MB', '3GB', '20%')
    """
    number = size.rstrip("%" + string.ascii_letters)
    return f"{2 * float(number):g}{size[len(number) :]}"


class SharedWarehouse:
    """Gives every user a warehouse beside the open one, so many at once, and lets go of all of them when the file is wanted elsewhere."""

    def __init__(
        self, open_main: Callable[[], DuckDBWarehouse], is_wanted: Callable[[], bool], at_once: int = 4, resting_memory: str = ""
    ) -> None:
        """open_main: opens the file, or returns what is open. is_wanted: whether another process waits for the file, or has it.

        resting_memory: what the engine may keep after `rest`, until somebody uses a warehouse again; "": as much as ever.
        """
        self._open_main = open_main
        self._is_wanted = is_wanted
        self._at_once = at_once
        self._resting_memory = resting_memory
        self._raised = 0
        self._resting: DuckDBWarehouse | None = None
        self._used_at = -_QUIET_SECONDS
        self._kept = Kept()
        self._changed = threading.Condition()
        self._in_use: set[BesideWarehouse] = set()
        self._idle: list[BesideWarehouse] = []
        self._taken = 0
        self._taken_by_commands = 0
        self._closing = False

    @contextmanager
    def use(self, wait_seconds: float = 5.0, *, by_command: bool = False) -> Iterator[BesideWarehouse]:
        """A warehouse for this thread. by_command: for a command beside the server, which may take its time: it costs requests no place.

        Raises UserError WAREHOUSE_BUSY when none is free in time, and what opening raises.
        """
        self._enter(wait_seconds, by_command)
        warehouse: BesideWarehouse | None = None
        try:
            with self._changed:
                self._wake()
                warehouse = self._idle.pop() if self._idle else BesideWarehouse(self._open_main(), self._kept)
                self._in_use.add(warehouse)
            yield warehouse
        except BaseException:
            if warehouse is not None:  # its connection may be in the middle of something
                warehouse.close()
            self._leave(warehouse, by_command, keep=False)
            raise
        warehouse.is_to_stop = _never
        self._leave(warehouse, by_command, keep=True)

    def rest(self) -> None:
        """Nobody has used a warehouse for a while: let the engine have no more memory than writing takes."""
        with self._changed:
            main = self._open_main()
            if self._resting_memory and self._resting is not main and not self._taken and time.monotonic() - self._used_at > _QUIET_SECONDS:
                main.limit_memory(self._resting_memory)
                self._resting = main

    def rest_with_more(self) -> None:
        """Writing takes more memory than was thought: the engine has all it needs now, and keeps twice as much from the next rest on."""
        with self._changed:
            self._wake()
            self._resting_memory = _twice(self._resting_memory) if self._raised < _RAISED_AT_MOST else ""
            self._raised += 1

    def _wake(self) -> None:
        if self._resting is not None and self._resting is self._open_main():
            self._resting.limit_memory(None)
        self._resting = None

    def _is_full(self, by_command: bool) -> bool:
        if by_command:
            return self._taken_by_commands >= _COMMANDS_AT_ONCE
        return self._taken - self._taken_by_commands >= self._at_once

    def _enter(self, wait_seconds: float, by_command: bool) -> None:
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            while self._closing or self._is_full(by_command) or (not self._taken and not self._idle and self._is_wanted()):
                if time.monotonic() > deadline:
                    hint = "try again in a moment"
                    raise UserError("WAREHOUSE_BUSY", "the warehouse is busy, or lent to a command", hint=hint)
                self._changed.wait(_LOOK_SECONDS)
            self._taken += 1
            self._taken_by_commands += by_command

    def _leave(self, warehouse: BesideWarehouse | None, by_command: bool, *, keep: bool) -> None:
        with self._changed:
            self._taken -= 1
            self._taken_by_commands -= by_command
            self._used_at = time.monotonic()
            if warehouse is not None:
                self._in_use.discard(warehouse)
                if keep:
                    self._idle.append(warehouse)
            self._changed.notify_all()

    def close(self, then: Callable[[], None], wait_seconds: float = 5.0, *, interrupt: bool = False) -> bool:
        """Wait until nobody uses a warehouse, close all, and do `then` before the next one is given out.

        interrupt: what still runs after the wait is stopped. False when it runs on: nothing was closed then.
        """
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            self._closing = True
            try:
                while self._taken:
                    if time.monotonic() > deadline:
                        if not interrupt:
                            return False
                        for warehouse in self._in_use:
                            warehouse.interrupt()
                    self._changed.wait(_LOOK_SECONDS)
                for warehouse in self._idle:
                    warehouse.close()
                self._idle.clear()
                self._kept.forget()
                then()
                return True
            finally:
                self._closing = False
                self._changed.notify_all()
