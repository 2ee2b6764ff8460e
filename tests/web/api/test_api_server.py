"""The API of a real server: the first start, a session, a command that borrows the warehouse, stopping."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import httpx

from kohort.testing.server import make_sources, running_server
from tests.cli.workspaces import Desk

PARENT = "/api/v1/parents/all-customers"


def test_a_server_from_the_first_start_to_the_last_answer(evaluated_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(evaluated_shop, folder)
    desk, keys = Desk(folder), make_sources(folder)
    with running_server(folder, keys) as server, httpx.Client(base_url=server.api_url, timeout=60) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/api/v1/me").status_code == 401
        assert "first here" in client.get("/setup").text
        first = {"secret": server.setup_secret, "name": "ann", "password": "correct horse battery"}
        assert client.post("/api/v1/setup", json=first).status_code == 201
        assert client.post("/api/v1/setup", json=first).status_code == 401
        assert client.get("/setup").status_code == 404
        assert client.get("/api/v1/me").json()["role"] == "admin"
        for path in ("/healthz", "/api/v1/me", "/api/v1/sources/web_shop/events", f"{PARENT}/nothing"):
            assert client.head(path).status_code == (404 if path.endswith("nothing") else 200)
        vip = client.get(f"{PARENT}/segments?search=VIP").json()["items"][-1]
        counts: list[int] = []
        failures: list[str] = []
        done = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=server.api_url, cookies=client.cookies, timeout=60) as mine:
                while not done.is_set():
                    answer = mine.post(f"{PARENT}/count", json={"text": "lifetime_value > 1000 and loyalty_tier = 'Gold'"})
                    if answer.status_code == 200:
                        counts.append(answer.json()["count"])
                    else:
                        failures.append(answer.text)

        asking = threading.Thread(target=ask)
        asking.start()
        borrowed = desk.json("sg", "count", "-e", "lifetime_value > 1000 and loyalty_tier = 'Gold'")
        sent = httpx.post(f"{server.url}/v1/track", json={"userId": "u", "event": "Bought"}, auth=(server.write_key, ""), timeout=30)
        done.set()
        asking.join()
        assert sent.status_code == 200
        assert failures == []
        assert set(counts) == {vip["population"]} == {borrowed["count"]}
        assert server.stop() == 0
    assert "Everything received is in tables" in "".join(server.said)
    with running_server(folder, keys) as again:
        assert again.setup_secret == ""


def test_an_api_port_in_use_says_how_to_choose_another(tmp_path: Path) -> None:
    keys = make_sources(tmp_path / "one")
    with running_server(tmp_path / "one", keys) as server:
        port = server.api_url.rpartition(":")[2]
        ran = Desk(tmp_path / "two")
        make_sources(tmp_path / "two")
        assert "--api-port" in ran.refused("serve", "--port", "0", "--api-port", port)
