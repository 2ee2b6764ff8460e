"""Brings the log into tables beside a server, all the time, and lends the warehouse to commands that ask for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kohort.foundation.errors import KohortError, UserError
from kohort.ports.event_log import EventLog, Position
from kohort.services.loading.load import Loader
from kohort.services.loading.status import TablesStatus, read_status, write_status

FLUSH_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 5.0
LENT_SECONDS = 0.1
_NICE = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How far tables are. position: of the newest request in tables; waiting: requests of the log that are not in tables yet."""

    position: int
    waiting: int


class TablePlace(Protocol):
    """Where the tables are, opened when needed."""

    def open(self) -> Loader:
        """A loader over tables that are ours from now on. Raises UserError, e.g. WAREHOUSE_LOCKED."""
        ...

    def rest(self) -> None:
        """Something was loaded: what nobody but the loader needs may be given back."""
        ...

    def close(self) -> None:
        """Let others have the tables."""
        ...

    def is_wanted(self) -> bool:
        """Whether another command waits for them, or has them."""
        ...


class LoadLoop:
    """Loads on a thread of its own; a failure is said once, and tried again every few seconds.

    status_folder: where the state of tables is told, for those who cannot look into them.
    """

    def __init__(self, log: EventLog, place: TablePlace, say: Say, status_folder: Path) -> None:
        self._log = log
        self._place = place
        self._say = say
        self._folder = status_folder
        self._loader: Loader | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kohort-tables", daemon=True)
        self.failure = ""
        self.loaded = Loaded(0, 0)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # requests go first: this thread, and those it starts, give way
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._stop.is_set():
            if self._place.is_wanted():
                self._lend()
            began = time.monotonic()
            has_more = self._advance()
            pause = AFTER_FAILURE_SECONDS if self.failure else 0.0 if has_more else FLUSH_SECONDS - (time.monotonic() - began)
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        """For so long, or until somebody wants the tables."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._stop.wait(min(left, LENT_SECONDS)):
            if self._place.is_wanted():
                return

    def _lend(self) -> None:
        self._close()
        while self._place.is_wanted() and not self._stop.wait(LENT_SECONDS):
            pass

    def _advance(self) -> bool:
        """Load the next part of the log; whether there is more."""
        try:
            self.loaded = self._load()
        except Exception as error:
            self._failed(error)
            return False
        if self.failure:
            self._say("tables are being written again")
        self.failure = ""
        return self.loaded.waiting > 0

    def _load(self) -> Loaded:
        if self._loader is None:
            self._loader = self._place.open()
        report = self._loader.load_once()
        if report.entries:
            self._log.drop(report.position)
            self._place.rest()
        return Loaded(report.position.number, max(0, self._log.end().number - report.position.number))

    def _failed(self, error: Exception) -> None:
        text = str(error) if isinstance(error, KohortError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, UserError) else ""
        if text != self.failure:
            self._say(f"tables wait, calls are still taken: {text}{f' ({hint})' if hint else ''}")
        self.failure = text
        with suppress(OSError):
            self._tell_status(text)
        self._close()

    def _tell_status(self, problem: str) -> None:
        status = read_status(self._folder) or TablesStatus()
        status.problem = problem
        if status.oldest_waiting_at is None:
            first = next(iter(self._log.read(Position(status.position), 1)), None)
            status.oldest_waiting_at = first.received.received_at if first else None
        write_status(self._folder, status)

    def drain(self, seconds: float) -> Loaded:
        """Stop the thread and load what is left, for so long at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        deadline = time.monotonic() + seconds
        while self._advance() and time.monotonic() < deadline:
            pass
        self._close()
        return self.loaded

    def _close(self) -> None:
        self._loader = None
        self._place.close()
