"""Commands while `kohort serve` runs: they go through it, say the same as without it, and never hang it, each other or themselves."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from kohort.adapters.locks import wait_for
from kohort.adapters.server_link import read_link
from kohort.bootstrap import open_kohort
from kohort.testing.server import NotStarted, RunningServer, make_sources, running_server
from tests.cli.workspaces import AS_OF, Desk, Ran, make_workspace

COMMANDS: list[tuple[str, ...]] = [
    ("tables", "list"),
    ("tables", "list", "purch", "--json"),
    ("tables", "show", "shop.purchases"),
    ("tables", "show", "shop.purchase"),
    ("query", "SELECT country, count(*) AS n FROM shop.customers GROUP BY 1 ORDER BY 1"),
    ("query", "SELECT * FROM shop.purchases ORDER BY ALL", "--format", "csv"),
    ("query", "SELECT 1 AS n, [1, 2] AS list, DATE '2024-01-01' AS day, 1.50::DECIMAL(9,2) AS money, NULL AS nothing", "--format", "json"),
    ("query", "SELECT * FROM shop.customers WHERE false"),
    ("query", "SELECT customer_idd FROM shop.customers"),
    ("query", "DROP TABLE shop.customers"),
    ("query", "SELECT 1; SELECT 2"),
    ("tables", "create", "made.gold", "--as", "SELECT * FROM shop.metrics WHERE loyalty_tier = 'Gold'"),
    ("tables", "create", "made.gold", "--as", "SELECT nonsense FROM shop.metrics"),
    ("tables", "create", "made.seen", "--as", "SELECT 1 AS one", "--view"),
    ("tables", "create", "cdp_audience_1.x", "--as", "SELECT 1 AS one"),
    ("tables", "import", "made.customers", "FOLDER/data/customers.csv", "--type", "customer_id=VARCHAR"),
    ("tables", "import", "made.customers", "FOLDER/data/customers.csv", "--append", "--json"),
    ("tables", "import", "made.customers", "FOLDER/data/nothing.csv"),
    ("tables", "import", "made.bought", "FOLDER/data/purchases.parquet", "--view"),
    ("tables", "drop", "made.seen", "-y"),
    ("tables", "drop", "shop.metrics", "-y"),
    ("ps", "validate"),
    ("ps", "validate", "--json"),
    ("ps", "preview", "--limit", "2"),
    ("ps", "fields"),
    ("ps", "sql"),
    ("ps", "run", "--as-of", AS_OF.isoformat()),
    ("ps", "run", "--as-of", AS_OF.isoformat(), "--json"),
    ("ps", "run", "--as-of", "when?"),
    ("ps", "run", "nobody"),
    ("index", "build"),
    ("index", "verify"),
    ("sg", "eval"),
    ("sg", "eval", "--json"),
    ("sg", "eval", "--as-of", "2024-02-01"),
    ("sg", "list", "-r"),
    ("sg", "count", "Value/VIP"),
    ("sg", "count", "-e", "purchase in last 30 days", "--json"),
    ("sg", "count", "-e", "nonsense > 3"),
    ("sg", "show", "Value/VIP", "--limit", "3"),
    ("sg", "preview", "-e", "purchase in last 30 days"),
    ("sg", "explain", "Value/VIP", "c024"),
    ("sg", "export", "Value/VIP"),
    ("profile", "show", "c024"),
    ("ps", "list"),
]
TIMES = (
    re.compile(r"\d+\.\d s\b"),
    re.compile(r"20[23]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"),
    re.compile(r'"age_seconds": \d+|\d+ s ago'),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside") / "shop"
    make_workspace(folder)
    return folder


@pytest.fixture
def copy(shop: Path, tmp_path: Path) -> Path:
    shutil.copytree(shop, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def served(copy: Path) -> Iterator[RunningServer]:
    with running_server(copy, make_sources(copy)) as server:
        yield server


def kohort(folder: Path, *arguments: str, timeout: float = 400.0) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    program = [sys.executable, "-c", "from kohort.cli.main import entry; entry()", "-w", str(folder), *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=timeout, check=False)


def said(ran: Ran, folder: Path) -> tuple[int, str, str]:
    """What a command said, without what differs from run to run anyway."""
    texts = [ran.out.replace(str(folder), "FOLDER"), ran.err.replace(str(folder), "FOLDER")]
    for times in TIMES:
        texts = [times.sub("TIME", text) for text in texts]
    return ran.code, texts[0], "".join(in_any_order(texts[1].splitlines(keepends=True)))


def in_any_order(lines: list[str]) -> list[str]:
    """The steps of a refresh together: tables are read two at a time, and either may be first."""
    steps = sorted(line for line in lines if line.startswith("  ") and line.endswith(" ...\n"))
    return [line for line in lines if line not in steps] + steps


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_says_the_same_with_a_server_and_without(shop: Path, tmp_path: Path) -> None:
    alone, beside = tmp_path / "alone" / "shop", tmp_path / "beside" / "shop"
    for folder in (alone, beside):
        shutil.copytree(shop, folder)
        make_sources(folder)
    with running_server(beside, {"Web Shop": ""}):
        for command in COMMANDS:
            found = []
            for folder in (alone, beside):
                arguments = [argument.replace("FOLDER", str(folder)) for argument in command]
                found.append(said(Desk(folder).run(*arguments), folder))
            assert found[1] == found[0], command
        session = open_kohort(beside)
        assert session.server is not None
        runs = session.store.runs()
        session.close()
    kept = open_kohort(alone)
    assert [(run.kind, run.number, run.status, run.asked_by, run.way) for run in runs] == [
        (run.kind, run.number, run.status, run.asked_by, run.way) for run in kept.store.runs()
    ]
    kept.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_commands_at_once_beside_a_server_that_keeps_answering(served: RunningServer) -> None:
    folder = served.workspace
    first = {"secret": served.setup_secret, "name": "ann", "password": "correct horse battery"}
    commands = [
        ("query", "SELECT count(*) AS n FROM shop.customers", "--format", "csv"),
        ("sg", "count", "Value/VIP", "--json"),
        ("ps", "run", "--json", "--as-of", AS_OF.isoformat()),
        ("sg", "eval", "--json"),
        ("tables", "create", "made.one", "--as", "SELECT 1 AS one"),
        ("tables", "list", "--json"),
        ("sg", "show", "Value/VIP", "--json"),
        ("tables", "import", "made.two", str(folder / "data" / "customers.csv"), "--json"),
    ]
    statuses, done = Counter[int](), threading.Event()

    def look() -> None:
        with httpx.Client(base_url=served.api_url, timeout=60) as client:
            assert client.post("/api/v1/setup", json=first).status_code == 201
            while not done.is_set():
                for path in ("/parents/all-customers/fields", "/parents/all-customers/segments", "/runs"):
                    statuses[client.get(f"/api/v1{path}").status_code] += 1

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(6) as pool:
        ran = list(pool.map(lambda command: (command, kohort(folder, *command)), commands * 2))
    done.set()
    looking.join()
    for command, result in ran:
        refused = [code for code in ("REFRESH_RUNNING", "SQL_ERROR") if code in result.stderr]
        assert result.returncode == 0 or (result.returncode == 1 and refused), (command, result.stderr)
        assert "Traceback" not in result.stderr + result.stdout
    assert any(result.returncode == 0 for command, result in ran if command[1] == "run")
    assert {json.loads(r.stdout)["count"] for command, r in ran if command[:2] == ("sg", "count")} == {8}
    assert set(statuses) == {200}
    assert statuses[200] > 10
    assert served.stop() == 0
    assert Desk(folder).ok("index", "verify")
    assert Desk(folder).json("sg", "eval")["total"] == 60
    assert {row["rows"] for row in Desk(folder).json("tables", "list", "made")} == {1, 60}


def test_rows_that_fail_after_some_were_sent_are_a_failure(served: RunningServer) -> None:
    fails = "SELECT CASE WHEN i = 450000 THEN error('too far') ELSE 'x' END AS a FROM range(500000) t(i)"
    ran = Desk(served.workspace).run("query", fails, "--format", "csv")
    assert ran.code == 1
    assert "SQL_ERROR" in ran.err
    assert "too far" in ran.err


class TestTheSecret:
    def test_it_is_there_for_its_owner_while_the_server_runs(self, served: RunningServer) -> None:
        file = served.workspace / ".kohort" / "server.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        link = read_link(file, "ünknown\nuser")
        assert link is not None
        assert link.url == served.api_url
        me = link.call("GET", "/api/v1/me")
        assert (me["name"], me["role"], me["way"]) == ("ünknown\nuser", "admin", "cli")
        assert link.secret not in "".join(served.said)

        def ask(secret: str, method: str, path: str, body: Any = None) -> int:
            headers = {"Authorization": f"Bearer {secret}"}
            return httpx.request(method, f"{served.api_url}/api/v1{path}", headers=headers, json=body, timeout=30).status_code

        wanted = {"sql": "SELECT 1", "how": "query", "is_text": True, "batch_rows": 10}
        assert ask(link.secret, "POST", "/warehouse/rows", wanted) == 200
        assert ask(link.secret + "x", "POST", "/warehouse/rows", wanted) == 401
        assert ask(link.secret, "POST", "/tokens", {"name": "mine"}) == 403
        assert ask(link.secret, "PUT", "/me/password", {"old": "a", "new": "b"}) == 403
        setup = {"secret": served.setup_secret, "name": "ann", "password": "correct horse battery"}
        with httpx.Client(base_url=served.api_url, timeout=30) as client:
            assert client.post("/api/v1/setup", json=setup).status_code == 201
            assert client.get("/api/v1/me").json()["role"] == "admin"
            refused = client.post("/api/v1/warehouse/rows", json=wanted)
            assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
        assert served.stop() == 0
        assert not file.exists()

    def test_what_a_killed_server_left_is_not_believed(self, served: RunningServer) -> None:
        before = Desk(served.workspace).ok("sg", "list", "-r")
        served.kill()
        assert (served.workspace / ".kohort" / "server.json").exists()
        assert Desk(served.workspace).ok("sg", "list", "-r") == before
        assert Desk(served.workspace).ok("query", "SELECT 1 AS one", "--format", "csv") == "one\n1\n"

    def test_a_second_server_is_told_plainly(self, served: RunningServer) -> None:
        with pytest.raises(NotStarted, match="ALREADY_SERVING"), running_server(served.workspace, {}):
            pass
        assert Desk(served.workspace).ok("query", "SELECT 1 AS one", "--format", "csv") == "one\n1\n"


@pytest.mark.slow
class TestStopping:
    def test_a_command_that_is_stopped_stops_its_query_in_the_server(self, served: RunningServer) -> None:
        endless = "SELECT max(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b"
        with pytest.raises(subprocess.TimeoutExpired):
            kohort(served.workspace, "query", endless, timeout=8)
        session = open_kohort(served.workspace)
        assert session.server is not None
        deadline = time.monotonic() + 20
        while _cpu_seconds_in(served.process.pid, 0.5) > 0.4 and time.monotonic() < deadline:
            pass
        assert time.monotonic() < deadline, "it computes for nobody"
        session.close()


def _cpu_seconds_in(process_id: int, seconds: float) -> float:
    def used() -> float:
        fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = used()
    time.sleep(seconds)
    return used() - before


@pytest.mark.slow
def test_while_somebody_has_the_warehouse_requests_are_told_to_come_again(served: RunningServer) -> None:
    folder = served.workspace
    link = read_link(folder / ".kohort" / "server.json", "ann")
    assert link is not None
    headers = {"Authorization": f"Bearer {link.secret}"}
    with httpx.Client(base_url=served.api_url, headers=headers, timeout=60) as client:
        asked = {"text": "lifetime_value > 1000"}
        assert client.get("/api/v1/sources/web_shop/rejects").status_code == 200
        with wait_for(folder / ".kohort" / "warehouse.turn"):
            session = open_kohort(folder)
            lent = _opened(session)
            began = time.monotonic()
            answer = client.get("/api/v1/sources/web_shop/rejects")
            assert (answer.status_code, answer.json()["code"]) == (503, "WAREHOUSE_BUSY")
            assert int(answer.headers["retry-after"]) > 0
            assert time.monotonic() - began < 10
            assert client.get("/api/v1/parents/all-customers/segments").status_code == 200
            lent.close()
            session.close()
        deadline = time.monotonic() + 20
        while (answer := client.post("/api/v1/parents/all-customers/count", json=asked)).status_code != 200:
            assert time.monotonic() < deadline, answer.text
        assert client.get("/api/v1/sources/web_shop/rejects").status_code == 200


def _opened(session: Any) -> Any:
    """The file itself, as another program would open it."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return session._open_warehouse()
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)
