"""The event log on SQLite files: the contract, and what only files can do wrong."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.adapters.eventlog.files import log_files
from kohort.foundation.errors import UserError
from kohort.ports.event_log import LogFull, Position
from kohort.testing.event_log_contract import START, EventLogContract, OpenLog, bodies, request


class TestSQLite(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return lambda: SQLiteEventLog(tmp_path / "log")


class TestManyFiles(EventLogContract):
    """Every append begins a file."""

    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return lambda: SQLiteEventLog(tmp_path / "log", file_bytes=1)

    def test_whole_files_are_dropped(self, open_log: OpenLog, tmp_path: Path) -> None:
        log = open_log()
        positions = [log.append([request(number)]) for number in range(5)]
        log.drop(positions[2])
        assert [file.base for file in log_files(tmp_path / "log")] == [3, 4]
        assert bodies(log) == [request(3).body, request(4).body]
        log.drop(positions[4])
        assert [file.base for file in log_files(tmp_path / "log")] == [4]
        log.close()
        assert not [path for path in (tmp_path / "log").iterdir() if path.name.endswith(("-wal", "-shm"))]


@contextmanager
def largest_file(count: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what a full disk looks like to a program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def big(number: int) -> object:
    return request(number, ip="x" * 50_000)


def test_a_full_disk_refuses_whole_batches_and_recovers(tmp_path: Path) -> None:
    log = SQLiteEventLog(tmp_path / "log")
    before = log.append([request(0)])
    kept = 0
    with largest_file(400_000):
        for number in range(1, 30):
            try:
                log.append([big(number), big(number)])  # type: ignore[list-item]
                kept += 1
            except LogFull:
                break
        assert 0 < kept < 29
        with pytest.raises(LogFull):
            log.append([big(number) for number in range(100, 120)])  # type: ignore[misc]
        assert len(bodies(log, before)) == 2 * kept
    end = log.append([request(200)])
    assert bodies(log, before)[-1] == request(200).body
    log.close()
    again = SQLiteEventLog(tmp_path / "log")
    assert again.end() == end
    assert len(bodies(again, before)) == 2 * kept + 1


def test_there_is_one_writer(tmp_path: Path) -> None:
    log = SQLiteEventLog(tmp_path / "log")
    log.append([request(1)])
    other = SQLiteEventLog(tmp_path / "log")
    with pytest.raises(UserError) as refused:
        other.append([request(2)])
    assert refused.value.code == "LOG_LOCKED"
    log.close()
    other.append([request(2)])
    other.close()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.62, 0.97])
def test_a_torn_end_leaves_what_was_whole(tmp_path: Path, share: float) -> None:
    folder = tmp_path / "log"
    log = SQLiteEventLog(folder)
    sent = [request(number, ip="x" * 3_000) for number in range(20)]
    for each in sent:
        log.append([each])
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    log.close()
    (tail,) = copy.glob("*-wal")
    os.truncate(tail, int(tail.stat().st_size * share))
    torn = SQLiteEventLog(copy)
    found = [entry.received for entry in torn.read(START)]
    assert found == sent[: len(found)]
    assert len(found) < 20
    end = torn.append([request(99)])
    assert [entry.received for entry in torn.read(START)] == [*found, request(99)]
    assert end > Position(len(found) - 1)
    torn.close()


def test_a_file_that_is_no_database_is_stepped_over_and_kept(tmp_path: Path) -> None:
    folder, told = tmp_path / "log", list[str]()
    log = SQLiteEventLog(folder, file_bytes=1)
    positions = [log.append([request(number)]) for number in range(3)]
    log.close()
    files = log_files(folder)
    files[1].path.write_bytes(b"not a database at all" * 1000)
    damaged = SQLiteEventLog(folder, on_damage=told.append)
    assert bodies(damaged) == [request(0).body, request(2).body]
    assert len(told) == 1
    assert "is damaged" in told[0]
    damaged.drop(positions[2])
    assert "is kept as damaged-" in told[1]
    assert [path.name for path in folder.glob("damaged-*")] == [f"damaged-{files[1].path.name}"]


def test_the_newest_file_may_be_beyond_use(tmp_path: Path) -> None:
    folder, told = tmp_path / "log", list[str]()
    log = SQLiteEventLog(folder)
    end = log.append([request(0)])
    log.close()
    log_files(folder)[0].path.write_bytes(b"x" * 10_000)
    again = SQLiteEventLog(folder, on_damage=told.append)
    assert again.append([request(1)]) > end
    assert "a new file is begun" in told[0]
    assert bodies(again) == [request(1).body]
    again.close()


def test_one_damaged_request_costs_no_other(tmp_path: Path) -> None:
    folder, told = tmp_path / "log", list[str]()
    log = SQLiteEventLog(folder)
    log.append([request(number) for number in range(3)])
    log.close()
    path = log_files(folder)[0].path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE requests SET data = zeroblob(length(data)) WHERE position = 2")
    connection.close()
    damaged = SQLiteEventLog(folder, on_damage=told.append)
    assert bodies(damaged) == [request(0).body, request(2).body]
    assert "position 2 is left out" in told[0]


def test_damaged_pages_cost_only_what_was_on_them(tmp_path: Path) -> None:
    folder, told = tmp_path / "log", list[str]()
    log = SQLiteEventLog(folder)
    sent = [request(number, ip="x" * 1_500) for number in range(200)]
    log.append(sent)
    log.close()
    path = log_files(folder)[0].path
    data = bytearray(path.read_bytes())
    page = len(data) // 4096 // 2
    data[page * 4096 : page * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    found = [entry.received for entry in SQLiteEventLog(folder, on_damage=told.append).read(START)]
    assert told
    assert 190 < len(found) < 200
    assert [each for each in sent if each in found] == found


_WRITER = """
import sys
from pathlib import Path
from kohort.adapters.eventlog import SQLiteEventLog
from kohort.events.model import Received
request = lambda number: Received("shop", 1_700_000_000_000_000 + number, b'{"batch":[{"n":%d}]}' % number)
log = SQLiteEventLog(Path(sys.argv[1]), file_bytes=5_000)
number = log.end().number
while True:
    log.append([request(number + 1), request(number + 2)])
    number += 2
    print(number, flush=True)
"""


@pytest.mark.slow
def test_what_was_written_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(random.randint(1, 120)):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        writer.stdout.close()
        found = bodies(SQLiteEventLog(tmp_path / "log"), START, 1_000_000)
        assert found == [request(number).body for number in range(1, len(found) + 1)]
        assert len(found) in (acknowledged, acknowledged + 2)
