"""Commands as processes of their own: pipes, signals, a full disk, a warehouse in use."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kohort.cli.start import run
from tests.cli.workspaces import CUSTOMERS, Desk

KOHORT = [sys.executable, "-c", "from kohort.cli.main import entry; entry()"]
SLOW_PURCHASES = """
select 'c' || lpad((i % 60 + 1)::varchar, 3, '0') as customer_id, (i % 100)::double as amount, 'p' || i as product_id, 'Toys' as category,
  timestamp '2024-01-01' + to_seconds(i % 5000000) as purchased_at
from range(4000000) t(i)
"""


def start(desk: Desk, *arguments: str, prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    command = [*KOHORT, "-w", str(desk.folder), *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=prepare)


@pytest.fixture
def slow(desk: Desk) -> Desk:
    """A workspace whose next refresh takes seconds."""
    desk.ok("tables", "create", "shop.purchases", "--view", "--as", SLOW_PURCHASES)
    return desk


def in_the_middle(desk: Desk) -> subprocess.Popen[str]:
    """A refresh that has begun to build a large behavior."""
    process = start(desk, "ps", "run", "--as-of", "2024-03-01")
    assert process.stderr is not None
    for line in process.stderr:
        if "Purchase" in line:
            return process
    raise AssertionError("the refresh ended before it could be stopped")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_refresh_that_is_stopped_leaves_the_last_one_answering(slow: Desk, sign: signal.Signals) -> None:
    process = in_the_middle(slow)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert "the last good refresh still answers" in errors
        assert slow.json("ps", "view")["refreshes"][0]["status"] == "canceled"
    assert slow.json("sg", "count", "VIP") == {"count": 8, "total": CUSTOMERS, "as_of": "2024-03-01T00:00:00Z"}
    assert slow.json("ps", "view")["population"] == CUSTOMERS
    slow.ok("tables", "import", "shop.purchases", str(slow.folder / "data" / "purchases.parquet"))
    assert slow.json("ps", "run", "--as-of", "2024-03-01")["status"] == "success"
    assert slow.json("sg", "count", "Active")["count"] == 24
    databases = {row["database"] for row in slow.json("tables", "list", "cdp_audience_1_r")}
    assert databases == {"cdp_audience_1_r1", "cdp_audience_1_r3"}


def test_ctrl_c_says_that_it_stopped(shop: Desk) -> None:
    process = start(shop, "sg", "backtest", "Active", "--days", "3650")
    assert process.stderr is not None
    assert any("Evaluate days" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "")
    assert errors.endswith("Stopped. Nothing half-written stays; the last good refresh still answers.\n")


def test_ctrl_c_before_the_command_line_is_loaded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Slow:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt if name == "entry" else AttributeError(name)

    monkeypatch.setitem(sys.modules, "kohort.cli.main", Slow())  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_a_disk_that_is_full_leaves_the_last_refresh_answering(slow: Desk) -> None:
    most = (slow.folder / ".kohort" / "warehouse.duckdb").stat().st_size + 2_000_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    process = start(slow, "ps", "run", "--as-of", "2024-03-01", prepare=limit)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "error [DISK_FULL]" in errors
    assert "free some space" in errors
    assert "Traceback" not in errors
    assert slow.json("sg", "count", "VIP")["count"] == 8
    slow.ok("tables", "import", "shop.purchases", str(slow.folder / "data" / "purchases.parquet"))
    assert slow.json("ps", "run", "--as-of", "2024-03-01")["status"] == "success"


def test_a_warehouse_that_is_in_use(desk: Desk) -> None:
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    path = str(desk.folder / ".kohort" / "warehouse.duckdb")
    other = subprocess.Popen([sys.executable, "-c", script, path], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        message = desk.refused("tables", "list")
        assert "[WAREHOUSE_LOCKED]" in message
        assert str(other.pid) in message
        assert len(desk.json("sg", "list", "-r")) == 12
    finally:
        other.communicate()
    desk.ok("tables", "list")


@pytest.mark.parametrize(
    "arguments",
    [["query", "select * from range(3000000)", "--format", "csv"], ["sg", "export", "Everybody", "--format", "jsonl"], ["ps", "sql"]],
)
def test_a_reader_that_goes_away_is_no_problem(shop: Desk, arguments: list[str]) -> None:
    process = start(shop, *arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in errors
    assert "Exception" not in errors
    assert "error [" not in errors


def test_output_to_a_terminal(shop: Desk, tmp_path: Path) -> None:
    """Colors and cut lines are for terminals; the words are the same."""
    command = " ".join([sys.executable, "-c", "'from kohort.cli.main import entry; entry()'", "-w", str(shop.folder), "sg", "list", "-r"])
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    done = subprocess.run(["script", "-qec", command, str(tmp_path / "log")], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout
    assert "\x1b[1m" in done.stdout
    assert "VIP" in done.stdout


def test_what_libraries_still_hold_at_the_end_is_told_to_nobody(shop: Desk) -> None:
    held = "import ctypes, sys, duckdb; ctypes.pythonapi.Py_IncRef(ctypes.py_object(duckdb.connect()))"
    command = [
        sys.executable,
        "-c",
        f"{held}; from kohort.cli.main import entry; entry()",
        "-w",
        str(shop.folder),
        "query",
        "select 1 as one",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["one", "1"], "")
