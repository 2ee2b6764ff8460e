"""`kohort source tail`: what arrived, what was not taken and why."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.events.model import Received
from kohort.foundation.instants import SECOND, to_micros
from tests.cli.workspaces import Desk, make_sources, run

KOHORT = [sys.executable, "-c", "from kohort.cli.main import entry; entry()"]
AT = to_micros(datetime(2024, 3, 1, 10, tzinfo=UTC))
TRACK = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1", "properties": {"total": 12.5, "note": "é\x1b[31m"}}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A workspace with the sources Web and App, whose log holds three requests."""
    desk = make_sources(tmp_path / "w")
    page = {"type": "page", "name": "Home", "anonymousId": "a1", "messageId": "m2", "writeKey": "secret-write-key"}
    append(desk, [TRACK, page, {"type": "track", "event": "Bad", "messageId": "m3", "writeKey": "secret-write-key"}], [TRACK], source="web")
    append(desk, [TRACK], source="app")
    return desk


def append(desk: Desk, *batches: list[Any], source: str = "web") -> None:
    log = SQLiteEventLog(desk.folder / ".kohort" / "log")
    requests = [
        Received(source, AT + number * SECOND, json.dumps({"batch": batch, "writeKey": "secret-write-key"}).encode(), dropped=(0,) * number)
        for number, batch in enumerate(batches)
    ]
    log.append(requests)
    log.close()


def test_calls_are_shown_with_what_became_of_them(desk: Desk) -> None:
    lines = desk.ok("source", "tail", "Web", "--no-follow").splitlines()
    assert [line.split("  ")[0] for line in lines] == ["10:00:00.000"] * 3 + ["10:00:01.000"]
    assert lines[0].split(maxsplit=1)[1] == 'track     Order Completed  user u1  {"total": 12.5, "note": "é\\u001b[31m"}'
    assert "page      Home  anonymous a1" in lines[1]
    assert "rejected [" in lines[2]
    assert "Bad" in lines[2]
    assert "duplicate" in lines[3]
    assert "secret-write-key" not in "".join(lines)


def test_lines_of_json(desk: Desk) -> None:
    found = [json.loads(line) for line in desk.ok("source", "tail", "web", "--no-follow", "--json").splitlines()]
    assert [one["outcome"] for one in found] == ["taken", "taken", "rejected", "duplicate"]
    assert found[0]["payload"]["properties"] == TRACK["properties"]
    assert (found[0]["type"], found[0]["name"], found[0]["user_id"], found[0]["message_id"]) == ("track", "Order Completed", "u1", "m1")
    assert (found[0]["received_at"], found[0]["position"]) == ("2024-03-01T10:00:00Z", 1)
    assert found[2]["code"]
    assert found[2]["message"]
    assert "Bad" in found[2]["sample"]
    assert "secret-write-key" not in json.dumps(found)


def test_only_the_last_ones(desk: Desk) -> None:
    append(desk, *([dict(TRACK, messageId=f"n{number}", userId=f"u{number}")] for number in range(30)), source="app")
    lines = desk.ok("source", "tail", "Web", "--last", "2", "--no-follow").splitlines()
    assert ["rejected" in lines[0], "duplicate" in lines[1], len(lines)] == [True, True, 2]
    assert desk.ok("source", "tail", "Web", "--last", "0", "--no-follow") == ""
    assert "u29" in desk.ok("source", "tail", "App", "--last", "1", "--no-follow")


def test_an_empty_log_says_so(tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "w")).code == 0
    desk = Desk(tmp_path / "w")
    desk.ok("source", "add", "Web")
    ran = desk.run("source", "tail", "Web", "--no-follow")
    assert (ran.code, ran.out, "no calls of Web" in ran.err) == (0, "", True)
    assert "[SOURCE_NOT_FOUND]" in desk.refused("source", "tail", "Wep", "--no-follow")


def test_it_follows_until_ctrl_c(desk: Desk) -> None:
    command = [*KOHORT, "-w", str(desk.folder), "source", "tail", "Web", "--follow", "--last", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["outcome"] == "duplicate"
        append(desk, [dict(TRACK, messageId="new", userId="later")])
        assert json.loads(following.stdout.readline())["user_id"] == "later"
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=60)
    assert (out, err, following.returncode) == ("", "", 0)
