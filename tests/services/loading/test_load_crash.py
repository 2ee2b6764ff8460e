"""Killed at any moment, the table writer goes on where the last whole flush ended: the tables are those of an undisturbed life."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.event_tables import DuckDBEventTables
from kohort.adapters.eventlog import SQLiteEventLog
from kohort.events.model import Received
from kohort.foundation.errors import UserError
from tests.services.loading.event_desk import BEGIN, SECOND, Desk

ROOT = Path(__file__).parents[3]


def requests_of(count: int, seed: int) -> list[Received]:
    """Requests of ten calls by a few hundred visitors, whose columns come and widen as time goes on."""
    draw = random.Random(seed)
    requests = []
    for number in range(count):
        calls = [_call(draw, f"m{number}_{place}", number / count) for place in range(10)]
        requests.append(Received("web", BEGIN + number * SECOND, json.dumps({"batch": calls}).encode()))
    return requests


def _call(draw: random.Random, message_id: str, age: float) -> dict[str, Any]:
    user = draw.randrange(200)
    ids = {"messageId": message_id, "anonymousId": f"a{user}_{draw.randrange(3)}"}
    if draw.random() < 0.5:
        ids["userId"] = f"u{user}"
    value: Any = draw.choice([1, 2, 0.5 if age > 0.3 else 3, "x" if age > 0.6 else 4])
    data = {f"k{draw.randrange(1 + int(age * 20))}": value, "n": draw.randrange(100)}
    match draw.randrange(4):
        case 0:
            return ids | {"type": "identify", "traits": data | {"email": f"{user}@x.y"}}
        case 1:
            return ids | {"type": "page", "name": "Home", "properties": data}
        case 2:
            return {"messageId": message_id, "type": "track", "event": "Nobody"}
        case _:
            return ids | {"type": "track", "event": f"Event {draw.randrange(1 + int(age * 8))}", "properties": data}


def straight(requests: list[Received]) -> dict[str, Any]:
    desk = Desk()
    desk.log.requests = requests
    desk.loader.drain()
    contents = desk.contents()
    desk.close()
    return contents


def contents_of(warehouse: Path) -> dict[str, Any]:
    desk = Desk()
    desk.warehouse.close()
    desk.warehouse = DuckDBWarehouse(warehouse)
    contents = desk.contents()
    desk.warehouse.close()
    return contents


def killed_again_and_again(folder: Path, requests: list[Received], seed: int, kills: int) -> int:
    """Write the tables with so many kill -9 in between; returns how many of them hit a living writer."""
    log = SQLiteEventLog(folder / "log")
    log.append(requests)
    log.close()
    draw, hits = random.Random(seed), 0
    for life in range(kills + 1):
        command = [sys.executable, "-m", "tests.services.loading.load_until_killed", str(folder / "log"), str(folder / "w.duckdb")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if life < kills:
            time.sleep(draw.random() * 0.8)
            hits += process.poll() is None
            process.send_signal(signal.SIGKILL)
        said = process.stdout.read()
        process.wait()
    assert (said, process.returncode) == ("done\n", 0)
    return hits


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    requests = requests_of(150, 1)
    assert killed_again_and_again(tmp_path, requests, seed=1, kills=2) > 0
    assert contents_of(tmp_path / "w.duckdb") == straight(requests)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 7))])
def test_kill_9_at_many_moments(tmp_path: Path, seed: int) -> None:
    requests = requests_of(600, seed)
    assert killed_again_and_again(tmp_path, requests, seed, kills=12) > 2
    assert contents_of(tmp_path / "w.duckdb") == straight(requests)


class Failing:
    """A connection whose statements fail now and then, before or after the engine has done them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, draw: random.Random) -> None:
        self._connection = connection
        self._draw = draw
        self.fails = 0.0

    def execute(self, query: str, *parameters: Any) -> Any:
        if query == "ROLLBACK":
            return self._connection.execute(query)
        before, after = self._draw.random() < self.fails, self._draw.random() < self.fails and query != "COMMIT"
        if before:
            raise duckdb.Error(f"made to fail before {query[:40]}")
        found = self._connection.execute(query, *parameters)
        if after:
            raise duckdb.Error(f"made to fail after {query[:40]}")
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_statements_that_fail_at_any_place() -> None:
    requests = requests_of(20, 9)
    desk = Desk(flush_calls=20)
    desk.log.requests = requests
    draw = random.Random(9)
    connections: list[Failing] = []

    def connect() -> Any:
        opened = desk.warehouse.connection()
        opened.execute("SET python_scan_all_frames = true")  # variables are read from behind `Failing`
        connections.append(Failing(opened, draw))
        return connections[-1]

    desk.loader._tables = DuckDBEventTables(connect)
    failures, done = 0, False
    connections[0].fails = 0.012
    while not done:
        try:
            done = desk.loader.load_once().entries == 0
        except UserError:
            failures += 1
    assert failures > 2
    assert desk.contents() == straight(requests)


def test_reading_and_other_writing_go_on_beside() -> None:
    """A long transaction of somebody else, on his own tables, sees one state throughout; the writer does not wait for him."""
    desk = Desk()
    desk.send(*({"type": "page", "anonymousId": f"a{number}", "properties": {"n": number}} for number in range(5)))
    desk.loader.drain()
    with desk.warehouse.transaction():
        desk.warehouse.execute("CREATE TABLE main.mine AS SELECT * FROM web.pages")
        desk.send({"type": "page", "properties": {"n": "x", "more": 1}})
        assert desk.loader.drain() == 1
        assert len(desk.rows("SELECT * FROM web.pages")) == 5
        desk.warehouse.execute("INSERT INTO main.mine SELECT * FROM web.pages")
    assert len(desk.rows("SELECT * FROM main.mine")) == 10
    assert desk.column("n", "pages") == ["0", "1", "2", "3", "4", "x"]
