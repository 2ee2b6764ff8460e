"""The calls of a source while they arrive: in parts, resumed, bounded, without values for those who may not see them; the stream ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import Request

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.events.model import Received
from kohort.ports.event_log import Position
from kohort.ports.sources import NewSource, SourceRecord
from kohort.services.sources.live_calls import MOST_CALLS, MOST_REQUESTS, calls_after, latest_calls
from kohort.services.sources.registry import add_source
from kohort.services.tokens import caller_of_token
from kohort.services.users import Caller
from kohort.testing.server import RunningServer, make_sources, running_server
from kohort.web.api.desk import Desk
from kohort.web.api.live_events import Streams, _Watch
from tests.web.api.conftest import Api

TRACK = {"type": "track", "userId": "u1", "event": "Order Completed", "properties": {"total": 39.9}, "messageId": "m1"}


def received(body: Any, source: str = "web_shop", at: int = 1_700_000_000_000_000) -> Received:
    return Received(source, at, json.dumps(body).encode(), "" if "batch" in body else "track")


@pytest.fixture
def source(own: Api) -> SourceRecord:
    return add_source(own.kohort.store, NewSource("Web Shop", ""), (), by="tests", clock=own.kohort.clock).source


class TestParts:
    def test_the_last_calls_come_first_then_what_is_new(self, tmp_path: Path, source: SourceRecord) -> None:
        log = SQLiteEventLog(tmp_path / "log")
        log.append([received({**TRACK, "messageId": f"m{number}"}) for number in range(80)])
        first = latest_calls(log, source)
        assert [call.message_id for call in first.calls] == [f"m{number}" for number in range(30, 80)]
        assert calls_after(log, source, first.position).calls == ()
        log.append([received({**TRACK, "messageId": "new"}), received(TRACK, "other")])
        after = calls_after(log, source, first.position)
        assert [call.message_id for call in after.calls] == ["new"]
        assert (after.position, after.passed_over) == (log.end(), 0)
        log.close()

    def test_more_than_one_can_follow_is_passed_over(self, tmp_path: Path, source: SourceRecord) -> None:
        log = SQLiteEventLog(tmp_path / "log")
        log.append([received({**TRACK, "messageId": f"m{number}"}) for number in range(3 * MOST_REQUESTS)])
        found = calls_after(log, source, Position(0))
        assert len(found.calls) <= MOST_CALLS
        assert found.position == log.end()
        assert found.passed_over >= 2 * MOST_REQUESTS
        log.close()

    def test_a_position_beyond_the_log_goes_on_at_its_end(self, tmp_path: Path, source: SourceRecord) -> None:
        log = SQLiteEventLog(tmp_path / "log")
        log.append([received(TRACK)])
        assert calls_after(log, source, Position(10**9)).position == log.end()
        log.close()


def messages(text: str) -> list[tuple[str, str, Any]]:
    """(id, event, data) of every server-sent event in a text."""
    found = []
    for part in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines.get("id", ""), lines["event"], json.loads(lines["data"])))
    return found


class TestTheStream:
    @pytest.fixture
    def watched(self, own: Api, source: SourceRecord) -> Iterator[SQLiteEventLog]:
        log = SQLiteEventLog(own.kohort.log_folder)
        body = {"batch": [TRACK, {"type": "track", "messageId": "m2", "userId": "u2"}], "writeKey": "0123456789abcdef"}
        log.append([received(body, source.slug)])
        yield log
        log.close()

    def test_it_tells_what_was_taken_and_what_was_not(self, own: Api, watched: SQLiteEventLog) -> None:
        answer = own.call("GET", "/sources/web_shop/events?seconds=1")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        (_, first, hello), (position, event, data) = messages(answer.text)
        assert (first, hello["values"], event, position) == ("hello", True, "calls", str(watched.end().number))
        taken, rejected = data["calls"]
        assert (taken["outcome"], taken["name"], taken["user_id"]) == ("taken", "Order Completed", "u1")
        assert taken["payload"]["properties"] == {"total": 39.9}
        assert rejected["outcome"] == "rejected"
        assert rejected["code"]
        assert rejected["message"]
        assert "0123456789abcdef" not in answer.text

    def test_it_goes_on_after_the_last_event(self, own: Api, watched: SQLiteEventLog) -> None:
        seen = str(watched.end().number)
        watched.append([received({**TRACK, "messageId": "m3"})])
        answer = own.call("GET", "/sources/web_shop/events?seconds=1", headers={"Last-Event-ID": seen})
        [(_, _, data)] = [message for message in messages(answer.text) if message[1] == "calls"]
        assert [call["message_id"] for call in data["calls"]] == ["m3"]

    @pytest.mark.usefixtures("watched")
    def test_values_are_for_those_who_may_see_personal_data(self, own: Api) -> None:
        answer = own.call("GET", "/sources/web_shop/events?seconds=1", "viewer")
        _, (_, _, data) = messages(answer.text)
        taken, rejected = data["calls"]
        assert taken["name"] == "Order Completed"
        assert set(taken["payload"]["properties"]) == {"total"}
        assert "39.9" not in answer.text
        assert '"u1"' not in answer.text
        assert "sample" not in rejected

    def test_who_may_see_less_than_before_watches_no_longer(self, own: Api, source: SourceRecord) -> None:
        def caller(role: str) -> Caller | None:
            return caller_of_token(own.kohort.store, own.tokens[role], address="", clock=own.kohort.clock)

        def may_go_on(began_as: str, is_now: str) -> bool:
            headers = [(b"authorization", f"Bearer {own.tokens[is_now]}".encode())]
            request = Request({"type": "http", "headers": headers, "app": own.app, "client": ("10.1.1.1", 1)})
            desk = Desk(own.kohort, cast(Caller, caller(began_as)), own.app.state.runs)
            return _Watch(request, desk, source, Streams(), None, 0.0)._may_still_watch()

        assert (may_go_on("engineer", "engineer"), may_go_on("viewer", "viewer"), may_go_on("viewer", "engineer")) == (True, True, True)
        assert not may_go_on("engineer", "viewer")

    def test_a_source_that_is_not_there_is_said(self, own: Api) -> None:
        assert own.refused(404, "GET", "/sources/nothing/events")["code"] == "SOURCE_NOT_FOUND"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("live") / "workspace"
    with running_server(folder, make_sources(folder), settings={"serve_grace_seconds": 600}) as running:
        yield running


def test_one_key_ends_and_the_others_go_on(own: Api, source: SourceRecord) -> None:
    old = own.kohort.store.write_keys(source.id)[0].last_four
    new = own.ok("POST", "/sources/web_shop/rotate-key", json={"grace": "7d"})["write_key"][-4:]
    assert [key["valid"] for key in own.ok("GET", "/sources/web_shop")["keys"]] == [True, True]
    ended = own.ok("POST", "/sources/web_shop/revoke-key", json={"last_four": old})
    assert [(key["last_four"], key["valid"]) for key in ended["keys"]] == [(new, True), (old, False)]
    assert own.refused(404, "POST", "/sources/web_shop/revoke-key", json={"last_four": old})["code"] == "KEY_NOT_FOUND"
    assert own.ok("GET", "/audit?kind=source")["items"][0]["action"] == "source.revoke"


def test_a_real_server_tells_calls_as_they_come_and_stops_at_once(server: RunningServer) -> None:
    with httpx.Client(base_url=server.api_url, timeout=30) as client:
        client.post("/api/v1/setup", json={"secret": server.setup_secret, "name": "ann", "password": "correct horse battery"})
        assert client.get("/api/v1/sources/web_shop/rejects").json() == {"count": 0, "reasons": [], "rows": []}
        nobody = {"type": "track", "event": "Bought", "messageId": "m9"}
        httpx.post(f"{server.url}/v1/batch", json={"batch": [nobody]}, auth=(server.write_key, ""), timeout=30)
        rejects = _until(lambda: client.get("/api/v1/sources/web_shop/rejects").json(), lambda found: found["count"] == 1)
        assert [(reason["code"], reason["count"]) for reason in rejects["reasons"]] == [("no_user_anon_id", 1)]
        assert '"Bought"' in rejects["rows"][0]["sample"]
        with client.stream("GET", "/api/v1/sources/web_shop/events") as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: hello"
            httpx.post(f"{server.url}/v1/track", json=TRACK, auth=(server.write_key, ""), timeout=30)
            assert any("Order Completed" in line for line in lines)
        with client.stream("GET", "/api/v1/sources/web_shop/events") as answer:
            next(answer.iter_lines())
            assert server.stop() == 0


def _until(ask: Callable[[], Any], is_good: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 30
    while not is_good(found := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
