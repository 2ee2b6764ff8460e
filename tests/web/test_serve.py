"""`kohort serve` as an operator sees it: starts, stops, crashes, full disks; nothing acknowledged is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.bootstrap import open_kohort
from kohort.services.sources.registry import rotate_key, set_status
from kohort.testing.server import NotStarted, make_sources, running_server

BASIC = {"timeout": 20.0}


def track(number: int | str) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "userId": f"u{number}", "messageId": f"m-{number}"}


def ids_in_tables(workspace: Path) -> list[str]:
    with DuckDBWarehouse(workspace / ".kohort" / "warehouse.duckdb", read_only=True) as warehouse:
        return list(warehouse.query("SELECT id FROM web_shop.tracks ORDER BY id")["id"].to_pylist())


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_from_start_to_stop(tmp_path: Path) -> None:
    """Calls are in tables after a graceful stop; a request that is open when it begins is finished."""
    with running_server(tmp_path) as server, httpx.Client(base_url=server.url, **BASIC) as client:  # type: ignore[arg-type]
        assert client.post("/v1/batch", json={"batch": [track(1), track(2)]}, auth=(server.write_key, "")).status_code == 200
        host, port = server.url.removeprefix("http://").split(":")
        body = json.dumps({**track(3), "writeKey": server.write_key}).encode()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(body[20:])
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert server.process.wait(30) == 0
    assert ids_in_tables(tmp_path) == ["m-1", "m-2", "m-3"]
    assert "Stopped. Everything received is in tables" in "".join(server.said)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz")


@pytest.mark.slow
def test_an_idle_connection_stays_open_as_long_as_proxies_keep_theirs(tmp_path: Path) -> None:
    limits = httpx.Limits(keepalive_expiry=60)
    with running_server(tmp_path) as server, httpx.Client(limits=limits) as people, httpx.Client(limits=limits) as senders:
        asked = [(people, f"{server.api_url}/healthz"), (senders, f"{server.url}/healthz")]
        before = [client.get(address).extensions["network_stream"].get_extra_info("client_addr") for client, address in asked]
        time.sleep(6)  # a little more than servers wait that were told nothing else
        after = [client.get(address).extensions["network_stream"].get_extra_info("client_addr") for client, address in asked]
    assert after == before


@pytest.mark.slow
def test_one_server_a_workspace_one_program_a_port(tmp_path: Path) -> None:
    make_sources(tmp_path / "other")
    with running_server(tmp_path / "one") as server:
        with pytest.raises(NotStarted, match="ALREADY_SERVING"), running_server(tmp_path / "one", {}):
            pass
        port = server.url.rpartition(":")[2]
        with pytest.raises(NotStarted, match="PORT_IN_USE"), running_server(tmp_path / "other", {}, options=("--port", port)):
            pass
        with pytest.raises(NotStarted, match="ADDRESS_UNUSABLE"), running_server(tmp_path / "other", {}, options=("--host", "192.0.2.1")):
            pass


@pytest.mark.slow
def test_sources_change_while_it_runs(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, httpx.Client(base_url=server.url, **BASIC) as client:  # type: ignore[arg-type]

        def status(key: str) -> int:
            return client.post("/v1/track", json=track(time.time_ns()), auth=(key, "")).status_code

        old = server.write_key
        assert status(old) == 200
        kohort = open_kohort(tmp_path)
        new = rotate_key(kohort.store, "Web Shop", by="tests", clock=kohort.clock).write_key
        wait_until(lambda: status(old) == 401, 6)
        assert status(new) == 200
        set_status(kohort.store, "Web Shop", "disabled", by="tests", clock=kohort.clock)
        wait_until(lambda: status(new) == 404, 6)
        more = make_sources(tmp_path, ("App",))["App"]
        wait_until(lambda: status(more) == 200, 6)
        kohort.close()
        assert old not in "".join(server.said)


def test_commands_borrow_the_warehouse(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, httpx.Client(base_url=server.url, **BASIC) as client:  # type: ignore[arg-type]
        for number in range(2):
            assert client.post("/v1/track", json=track(number), auth=(server.write_key, "")).status_code == 200
            wait_until(lambda: "kohort_ingest_unloaded_requests 0" in client.get("/metrics").text)
            kohort = open_kohort(tmp_path)
            assert kohort.warehouse.query("SELECT count(*) AS n FROM web_shop.tracks")["n"].to_pylist() == [number + 1]
            kohort.close()
        assert server.stop() == 0
    assert "tables wait" not in "".join(server.said)


@pytest.mark.slow
def test_tables_wait_while_another_program_has_the_warehouse(tmp_path: Path) -> None:
    keys = make_sources(tmp_path)
    with (
        DuckDBWarehouse(tmp_path / ".kohort" / "warehouse.duckdb"),
        running_server(tmp_path, keys) as server,
        httpx.Client(base_url=server.url, **BASIC) as client,  # type: ignore[arg-type]
    ):
        assert client.post("/v1/track", json=track(1), auth=(server.write_key, "")).status_code == 200
        wait_until(lambda: "tables wait, calls are still taken" in "".join(server.said))
        assert server.stop() == 0
        assert "will be loaded into tables at the next start" in "".join(server.said)
    with running_server(tmp_path, keys) as server:
        assert server.stop() == 0
    assert ids_in_tables(tmp_path) == ["m-1"]


@contextmanager
def sending(server_url: str, key: str, sent: list[int]) -> Iterator[Callable[[], None]]:
    """A client that counts: batches of three, each sent again until it is acknowledged, whatever happens to the server.

    Gives a function that lets the last batch be acknowledged and ends it.
    """
    finished, given_up = threading.Event(), threading.Event()

    def run() -> None:
        number = 0
        while not finished.is_set():
            batch = {"batch": [track(f"{number:06d}-{place}") for place in range(3)]}
            while not given_up.is_set():
                try:
                    if httpx.post(f"{server_url}/v1/batch", json=batch, auth=(key, ""), timeout=10).status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.02)
            else:
                return
            sent.append(number)
            number += 1

    thread = threading.Thread(target=run)
    thread.start()

    def finish() -> None:
        finished.set()
        thread.join(60)

    try:
        yield finish
    finally:
        given_up.set()
        finish()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    keys, port, sent = make_sources(tmp_path), free_port(), list[int]()
    with sending(f"http://127.0.0.1:{port}", keys["Web Shop"], sent) as finish:
        for kills_both in (False, True):
            with running_server(tmp_path, keys, options=("--port", port)) as server:
                count = len(sent)
                wait_until(lambda count=count: len(sent) > count + 5)
                time.sleep(random.random())
                if not kills_both:  # only the process that answers: it is started again
                    os.kill(server.http_process_id(), signal.SIGKILL)
                    wait_until(lambda: "was killed by signal 9" in "".join(server.said))
                    count = len(sent)
                    wait_until(lambda count=count: len(sent) > count + 5)
                server.kill()
        with running_server(tmp_path, keys, options=("--port", port)) as server:
            count = len(sent)
            wait_until(lambda count=count: len(sent) > count + 5)
            finish()
            assert server.stop() == 0
    expected = [f"m-{number:06d}-{place}" for number in sent for place in range(3)]
    assert ids_in_tables(tmp_path) == expected


def test_a_full_disk_refuses_loses_nothing_and_recovers(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, httpx.Client(base_url=server.url, **BASIC) as client:  # type: ignore[arg-type]
        process = server.http_process_id()
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (300_000, hard))
        taken, refused = [], []
        for number in range(40):
            batch = {"batch": [{**track(f"{number:02d}-{place}"), "properties": {"x": "y" * 2_000}} for place in range(20)]}
            answer = client.post("/v1/batch", json=batch, auth=(server.write_key, ""))
            (taken if answer.status_code == 200 else refused).append(batch)
            if answer.status_code != 200:
                assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "5", "disk_full")
                assert client.get("/readyz").status_code == 503
        assert taken
        assert refused
        resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
        for batch in refused[:3]:
            assert client.post("/v1/batch", json=batch, auth=(server.write_key, "")).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert server.stop() == 0
    expected = sorted(call["messageId"] for batch in [*taken, *refused[:3]] for call in batch["batch"])
    assert ids_in_tables(tmp_path) == expected
    assert "the disk is full" in "".join(server.said)


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        child = server.http_process_id()
        server.process.kill()
        server.process.wait(10)
        wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_help_names_the_options() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "from kohort.cli.main import entry; entry()", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "--host" in shown
    assert "--port" in shown


def test_settings_of_the_server_are_checked(tmp_path: Path) -> None:
    keys = make_sources(tmp_path)
    with pytest.raises(NotStarted, match="INVALID_SETTING"), running_server(tmp_path, keys, settings={"ingest_unknown_keys": "perhaps"}):
        pass


def test_limits_are_settings(tmp_path: Path) -> None:
    settings = {
        "ingest_request_bytes": 1_000,
        "ingest_rate_limit": 3,
        "ingest_unknown_keys": "accept",
        "ingest_trusted_proxies": "127.0.0.1",
        "serve_grace_seconds": 1,
    }
    with running_server(tmp_path, settings=settings) as server, httpx.Client(base_url=server.url, **BASIC) as client:  # type: ignore[arg-type]
        assert client.post("/v1/batch", content=b" " * 1_001, auth=(server.write_key, "")).status_code == 400
        assert client.post("/v1/track", json=track(1), auth=("unknown", "")).status_code == 200
        assert server.received() == []
        by_proxy = {"X-Forwarded-For": "9.9.9.9"}
        assert client.post("/v1/track", json=track("proxy"), auth=(server.write_key, ""), headers=by_proxy).status_code == 200
        assert server.received()[-1].ip == "9.9.9.9"
        statuses = [client.post("/v1/track", json=track(number), auth=(server.write_key, "")).status_code for number in range(12)]
        assert 429 in statuses
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            client.get("/healthz")
            assert server.stop() == 0
            assert connection.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert "Traceback" not in "".join(server.said)
