"""Sources while `kohort serve` runs: what a person changes takes effect, and commands work beside it."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kohort.testing.server import RunningServer, running_server
from tests.cli.workspaces import Desk, run

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Desk, RunningServer]]:
    """A workspace without sources, and its server."""
    assert run("init", str(tmp_path / "w")).code == 0
    with running_server(tmp_path / "w", {}) as server:
        yield Desk(tmp_path / "w"), server


def send(server: RunningServer, key: str, *calls: dict[str, Any]) -> int:
    """The status of one batch."""
    headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
    request = urllib.request.Request(f"{server.url}/v1/batch", json.dumps({"batch": calls}).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def soon(check: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_what_is_changed_takes_effect_within_seconds(served: tuple[Desk, RunningServer]) -> None:
    desk, server = served
    call = {"type": "track", "event": "Tried", "userId": "u", "messageId": "m1"}
    first = desk.json("source", "add", "Web")["write_key"]
    assert soon(lambda: send(server, first, call) == 200), "a new source"
    second = desk.json("source", "rotate-key", "Web", "--grace", "24h")["write_key"]
    assert soon(lambda: send(server, second, call) == 200), "a second key"
    assert send(server, first, call) == 200, "the first one during its grace"
    third = desk.json("source", "rotate-key", "Web")["write_key"]
    assert soon(lambda: send(server, first, call) == send(server, second, call) == 401), "old keys"
    assert send(server, third, call) == 200
    desk.ok("source", "disable", "Web")
    assert soon(lambda: send(server, third, call) == 404), "a disabled source"
    desk.ok("source", "enable", "Web")
    assert soon(lambda: send(server, third, call) == 200), "and enabled again"
    assert send(server, "a-key-of-nobody-at-all", call) == 401
    desk.ok("source", "set", "Web", "--accept-unknown-keys")
    assert soon(lambda: send(server, "a-key-of-nobody-at-all", call) == 200), "a source that takes unknown keys"


def test_commands_work_beside_the_server(served: tuple[Desk, RunningServer]) -> None:
    desk, server = served
    key = desk.json("source", "add", "Web")["write_key"]
    calls = [
        {"type": "identify", "userId": "u", "traits": {"plan": "club"}, "messageId": "m1"},
        {"type": "track", "event": "Tried", "userId": "u", "messageId": "m2"},
        {"type": "track", "event": "Nobody did it", "messageId": "m3"},
    ]
    assert soon(lambda: send(server, key, *calls) == 200)
    assert send(server, key, *calls) == 200
    assert soon(lambda: desk.json("source", "status", "Web")["loaded"] == 2), "".join(server.said)
    state = desk.json("source", "status", "web")
    assert (state["received"], state["rejected"], state["waiting"], state["age_seconds"]) == (3, 1, 0, 0)
    assert (state["duplicates"], state["server"]) == (3, server.url)
    assert state["tables"]["tried"] == 1
    assert "Duplicates:   3 calls" in desk.ok("source", "status", "Web")
    outcomes = [json.loads(line)["outcome"] for line in desk.ok("source", "tail", "Web", "--no-follow", "--json").splitlines()]
    assert outcomes == ["taken", "taken", "rejected"]
    assert "[SCHEMA_TAKEN]" not in desk.ok("source", "add", "App")
    desk.ok("ps", "scaffold", "--source", "Web", "-o", str(desk.folder / "web.yml"))
    desk.ok("ps", "push", str(desk.folder / "web.yml"))
    desk.ok("ps", "run", "Web")
    assert desk.json("sg", "count", "-e", "plan = 'club' and tried", "--parent", "Web")["count"] == 1
    assert send(server, key, {"type": "track", "event": "Tried", "userId": "u", "messageId": "m4"}) == 200
    assert soon(lambda: desk.json("source", "status", "Web")["tables"]["tried"] == 2), "tables go on afterwards"
    assert server.stop() == 0
    state = desk.json("source", "status", "Web")
    assert (state["server"], state["duplicates"]) == (None, 3)
