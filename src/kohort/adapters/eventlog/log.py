"""The event log on SQLite files in WAL mode: one blob a request, one fsync a batch, whole files dropped once nobody needs them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import IO
from urllib.parse import quote

from kohort.adapters.eventlog.entry import Damaged, entry_bytes, read_entry
from kohort.adapters.eventlog.files import LogFile, lock_for_writing, log_file, log_files, read_marks, write_mark
from kohort.events.model import Received
from kohort.foundation.folders import flush_folder
from kohort.ports.event_log import Entry, LogFull, Position

FILE_BYTES = 128 * 1024 * 1024
FILE_SECONDS = 600.0
_MOST_REQUESTS = 10_000_000
_ROWS_AT_A_TIME = 64
_MISSES_AT_MOST = 100_000
_NO_ROOM = {13, 778, 1034, 1546, 4106, 4618, 4874, 5386}
"""SQLITE_FULL and the failures of write, fsync, truncate, shared memory: what a full disk or a limit on file sizes looks like."""

Row = tuple[int, bytes]


class SQLiteEventLog:
    """See `kohort.ports.event_log.EventLog`. Any process may read; the first `append` makes this one the writer.

    folder: made when first written to. A file is finished after file_bytes or file_seconds, whichever comes first. What cannot be
    read any more is told to on_damage, in words, and left out; the file that holds it is set aside instead of being dropped.
    Raises UserError LOG_LOCKED when another process is the writer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        file_bytes: int = FILE_BYTES,
        file_seconds: float = FILE_SECONDS,
        on_damage: Callable[[str], None] = lambda text: None,  # noqa: ARG005
        durable: bool = True,
    ) -> None:
        """durable False: do not wait for the disk; only to measure what that costs."""
        self._folder = folder
        self._file_bytes = file_bytes
        self._file_seconds = file_seconds
        self._tell = on_damage
        self._durable = durable
        self._damaged: set[int] = set()
        self._lock: IO[bytes] | None = None
        self._writer: _Writer | None = None
        self._closing: list[threading.Thread] = []

    # --- writing ------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Become the writer now, not at the first append. Raises UserError LOG_LOCKED."""
        if self._lock is None:
            self._lock = lock_for_writing(self._folder)

    def append(self, requests: Sequence[Received]) -> Position:
        """Write all of them, in order, and return when they are on disk. All or none. Raises LogFull."""
        self.claim()
        blobs = [entry_bytes(request) for request in requests]
        try:
            return Position(self._ready_writer().append(blobs))
        except sqlite3.Error as error:
            self._after_failure(error)
            if getattr(error, "sqlite_errorcode", 0) in _NO_ROOM:
                raise LogFull(str(error)) from error
            raise
        except OSError as error:
            raise LogFull(str(error)) from error

    def _ready_writer(self) -> _Writer:
        writer = self._writer
        if writer is not None and not writer.is_finished(self._file_bytes, self._file_seconds):
            return writer
        if writer is None:
            self._writer = self._resumed()
        else:
            self._writer = _Writer(log_file(self._folder, writer.last), self._durable)
            self._close_behind(writer)
        return self._writer

    def _resumed(self) -> _Writer:
        """Go on in the newest file; one that cannot be used is left to the readers, and a new one begins well after it."""
        files = log_files(self._folder)
        base = files[-1].base if files else 0
        try:
            return _Writer(log_file(self._folder, base), self._durable)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._tell(f"{log_file(self._folder, base).path.name} cannot be written to ({error}); a new file is begun")
            return _Writer(log_file(self._folder, base + _MOST_REQUESTS), self._durable)

    def _close_behind(self, writer: _Writer) -> None:
        """SQLite moves what is in the WAL into the file when it is closed: not while requests wait."""
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=writer.close, name="kohort-log-close", daemon=True)
        thread.start()
        self._closing.append(thread)

    def _after_failure(self, error: sqlite3.Error) -> None:
        if self._writer is not None and getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_FULL:
            self._writer.close()
            self._writer = None

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self, after: Position, limit: int = 1000) -> Iterator[Entry]:
        """What was appended after a position, oldest first, at most `limit` requests."""
        files = log_files(self._folder)
        left = limit
        ends = [*(following.base for following in files[1:]), None]
        for file, end in zip(files, ends, strict=False):
            if end is not None and end <= after.number:
                continue
            for entry in self._read_file(file, max(after.number, file.base), end, left):
                left -= 1
                yield entry
            if left <= 0:
                return

    def _read_file(self, file: LogFile, after: int, end: int | None, left: int) -> Iterator[Entry]:
        connection = _open_to_read(file)
        if connection is None:
            return
        try:
            while left > 0:
                rows = self._some_rows(connection, file, after, end, min(left, _ROWS_AT_A_TIME))
                for number, data in rows:
                    after = number
                    try:
                        entry = Entry(Position(number), read_entry(data))
                    except Damaged as problem:
                        self._damage(file, f"the request at position {number} is left out: {problem}")
                        continue
                    left -= 1
                    yield entry
                if not rows:
                    return
        finally:
            connection.close()

    def _some_rows(self, connection: sqlite3.Connection, file: LogFile, after: int, end: int | None, count: int) -> list[Row]:
        statement = "SELECT position, data FROM requests WHERE position > ? ORDER BY position LIMIT ?"
        try:
            return connection.execute(statement, (after, count)).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # the writer is just making it
            raise
        except sqlite3.DatabaseError as error:
            self._damage(file, str(error))
            return [] if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB else self._rows_one_by_one(connection, after, end, count)

    def _rows_one_by_one(self, connection: sqlite3.Connection, after: int, end: int | None, count: int) -> list[Row]:
        """What can still be read of a damaged file."""
        rows: list[Row] = []
        if end is None:
            with suppress(sqlite3.DatabaseError):
                end = connection.execute("SELECT max(position) FROM requests").fetchone()[0]
        last = after
        for number in range(after + 1, (end or 0) + 1):
            with suppress(sqlite3.DatabaseError):
                found = connection.execute("SELECT position, data FROM requests WHERE position = ?", (number,)).fetchall()
                rows += found
                last = number if found else last
            if len(rows) == count or number - last > _MISSES_AT_MOST:
                break
        return rows

    def _damage(self, file: LogFile, what: str) -> None:
        if file.base not in self._damaged:
            self._tell(f"{file.path.name} is damaged ({what}); what can be read of it is used, and the file is kept")
        self._damaged.add(file.base)

    def end(self) -> Position:
        """The position of the last request; 0 when there is none."""
        if self._writer is not None:
            return Position(self._writer.last)
        for file in reversed(log_files(self._folder)):
            connection = _open_to_read(file)
            if connection is None:
                continue
            try:
                return Position(connection.execute("SELECT max(position) FROM requests").fetchone()[0] or file.base)
            except sqlite3.DatabaseError:
                return Position(file.base)
            finally:
                connection.close()
        return Position(0)

    # --- dropping -----------------------------------------------------------------------------------------------

    def mark(self, reader: str, position: Position) -> None:
        """A named reader has dealt with everything up to here; what is after it stays, whoever drops."""
        write_mark(self._folder, reader, position.number)

    def marks(self) -> dict[str, Position]:
        """How far each named reader has come."""
        return {reader: Position(number) for reader, number in read_marks(self._folder).items()}

    def drop(self, upto: Position) -> None:
        """What is at or before a position, and before every mark, is not needed any more: whole files of it may go."""
        needed_after = min([upto.number, *read_marks(self._folder).values()])
        files = log_files(self._folder)
        for file, following in pairwise(files):
            if following.base > needed_after:
                return
            if file.base in self._damaged:
                self._tell(f"{file.path.name} is kept as {file.set_aside().name}")
            else:
                file.remove()

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(file.bytes for file in log_files(self._folder))

    def close(self) -> None:
        """Give the files back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for thread in self._closing:
            thread.join()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class _Writer:
    """The connection that appends to one file. `last`: the position of its last request."""

    def __init__(self, file: LogFile, durable: bool = True) -> None:
        self._began = time.monotonic()
        self._bytes = file.bytes
        self._base = file.base
        is_new = not file.path.exists()
        self._connection = sqlite3.connect(file.path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            self._connection.execute("PRAGMA page_size = 4096")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            self._connection.execute("CREATE TABLE IF NOT EXISTS requests (position INTEGER PRIMARY KEY, data BLOB NOT NULL)")
            self.last: int = self._connection.execute("SELECT max(position) FROM requests").fetchone()[0] or file.base
        except BaseException:
            self._connection.close()
            raise
        if is_new:
            flush_folder(file.path.parent)

    def append(self, blobs: Sequence[bytes]) -> int:
        """The position of the last one, once all are on disk; on failure none of them is in the file."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("INSERT INTO requests VALUES (?, ?)", enumerate(blobs, self.last + 1))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        self.last += len(blobs)
        self._bytes += sum(map(len, blobs))
        return self.last

    def is_finished(self, file_bytes: int, file_seconds: float) -> bool:
        """Whether the next request belongs into a new file."""
        if self.last == self._base:
            return False
        is_old = time.monotonic() - self._began > file_seconds
        return self._bytes >= file_bytes or is_old or self.last - self._base >= _MOST_REQUESTS - 100_000

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()


def _open_to_read(file: LogFile) -> sqlite3.Connection | None:
    """A connection that only reads; None when the file has just been dropped."""
    uri = f"file:{quote(str(file.path.absolute()))}?mode=ro"
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
    except sqlite3.OperationalError:
        if file.path.exists():
            raise
        return None
