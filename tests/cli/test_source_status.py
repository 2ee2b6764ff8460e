"""`kohort source status`: what arrived and what became of it, also while another process has the warehouse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.adapters.serve_client import counts_of
from kohort.events.model import Received
from kohort.foundation.instants import to_micros
from kohort.services.loading.status import SourceStatus, TablesStatus, write_status
from tests.cli.workspaces import Desk, make_sources

CALL = {"type": "track", "event": "A", "userId": "u"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A workspace with the sources Web and App."""
    return make_sources(tmp_path / "w")


def log_of(desk: Desk) -> Path:
    return desk.folder / ".kohort" / "log"


def append(desk: Desk, source: str, at: datetime, batch: list[Any], dropped: tuple[int, ...] = ()) -> None:
    log = SQLiteEventLog(log_of(desk))
    log.append([Received(source, to_micros(at), json.dumps({"batch": batch}).encode(), dropped=dropped)])
    log.close()


def test_nothing_has_arrived_yet(desk: Desk) -> None:
    for state in desk.json("source", "status"):
        assert (state["received"], state["loaded"], state["waiting"], state["last_call_at"]) == (0, 0, 0, None)
        assert (state["duplicates"], state["server"], state["age_seconds"]) == (0, None, 0)
    ran = desk.run("source", "status")
    assert "never" in ran.out
    assert "no server answers: start one with kohort serve" in ran.err


def test_calls_wait_until_they_are_in_tables(desk: Desk) -> None:
    earlier = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    append(desk, "web", earlier, [CALL] * 3, dropped=(1,))
    append(desk, "web", earlier + timedelta(minutes=5), [CALL, {"type": "track"}])
    append(desk, "app", earlier, [CALL])
    state = desk.json("source", "status", "Web")
    assert (state["received"], state["loaded"], state["waiting"], state["waiting_more"]) == (4, 0, 4, False)
    assert 600 <= state["age_seconds"] < 700
    assert state["last_call_at"] == (earlier + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    tables = {"tracks": 2, "a": 2, "rejects": 1, "discards": 4, "users": 1}
    last = to_micros(earlier)
    write_status(log_of(desk), TablesStatus(2, last, None, "", {"web": SourceStatus(tables, last)}))
    web, app = (desk.json("source", "status", name) for name in ("Web", "App"))
    assert (web["received"], web["loaded"], web["rejected"], web["discarded"], web["waiting"]) == (3, 2, 1, 4, 0)
    assert (web["age_seconds"], web["tables"]["a"], web["problem"]) == (0, 2, "")
    assert (app["received"], app["waiting"], app["loaded"]) == (1, 1, 0)
    text = desk.ok("source", "status", "Web")
    assert "In tables:    2 calls" in text
    assert "Rejected:     1 call: see web.rejects" in text
    assert "web.tracks" in text


def test_what_holds_tables_up_is_said(desk: Desk) -> None:
    append(desk, "web", datetime.now(UTC), [CALL])
    write_status(log_of(desk), TablesStatus(0, 1, None, "the disk is full"))
    assert "tables are not written at present: the disk is full" in desk.run("source", "status", "Web").err
    assert "tables are not written" in desk.run("source", "status").err
    assert desk.json("source", "status", "Web")["problem"] == "the disk is full"


def test_an_unknown_source(desk: Desk) -> None:
    assert 'did you mean "Web"?' in desk.refused("source", "status", "Wbe")


def test_counters_of_a_server() -> None:
    text = (
        "# TYPE kohort_ingest_duplicates_total counter\n"
        'kohort_ingest_duplicates_total{source="web"} 3\n'
        'kohort_ingest_refused_total{source="web",reason="rate_limited"} 2\n'
        'kohort_ingest_refused_total{source="",reason="invalid_write_key"} 7\n'
        'kohort_ingest_requests_total{source="web",status="200"} 9\n'
    )
    counts = counts_of("http://127.0.0.1:1", text)
    assert (counts.duplicates, counts.refused) == ({"web": 3}, {("web", "rate_limited"): 2, ("", "invalid_write_key"): 7})
