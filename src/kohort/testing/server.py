"""A real server for tests: `kohort serve` in a process of its own, on a free port, with a workspace."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kohort.adapters.eventlog import SQLiteEventLog
from kohort.bootstrap import open_kohort
from kohort.events.model import Received
from kohort.ports.event_log import Position
from kohort.ports.sources import NewSource
from kohort.services.sources.registry import add_source
from kohort.workspace.workspace import find_workspace, init_workspace

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class NotStarted(Exception):
    """The server ended before it answered; the text holds what it said."""


@dataclass(slots=True)
class RunningServer:
    """A server that answers. said: its lines on standard error so far. write_keys: by the name of the source."""

    workspace: Path
    process: subprocess.Popen[str]
    url: str
    write_keys: dict[str, str]
    api_url: str = ""
    setup_secret: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def write_key(self) -> str:
        """Of the first source."""
        return next(iter(self.write_keys.values()))

    @property
    def log_folder(self) -> Path:
        return self.workspace / ".kohort" / "log"

    def received(self) -> list[Received]:
        """Everything that is in the log, oldest first."""
        log = SQLiteEventLog(self.log_folder)
        return [entry.received for entry in log.read(Position(0), 1_000_000_000)]

    def http_process_id(self) -> int:
        """The process that answers HTTP."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return int(children[0])

    def stop(self) -> int:
        """Ask it to end in good order and wait; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End both processes at once, without a chance to clean up."""
        children = [self.http_process_id()]
        for process_id in (*children, self.process.pid):
            os.kill(process_id, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        while any(_is_alive(process_id) for process_id in children):
            time.sleep(0.01)


def make_sources(workspace: Path, names: tuple[str, ...] = ("Web Shop",), **switches: object) -> dict[str, str]:
    """A workspace (made when it is none) with sources; their write keys by name. switches: of `NewSource`."""
    if find_workspace(workspace) is None:
        init_workspace(workspace)
    kohort = open_kohort(workspace)
    try:
        return {
            name: add_source(kohort.store, NewSource(name, "", **switches), (), by="tests", clock=kohort.clock).write_key  # type: ignore[arg-type]
            for name in names
        }
    finally:
        kohort.close()


@contextmanager
def running_server(
    workspace: Path,
    write_keys: Mapping[str, str] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    options: tuple[str, ...] = ("--port", "0"),
) -> Iterator[RunningServer]:
    """Start a server and stop it at the end, if it still runs. write_keys: what `make_sources` gave (None: it is called here).

    settings: name -> value, as if they stood in kohort.toml.
    """
    keys = dict(write_keys) if write_keys is not None else make_sources(workspace)
    environment = {
        **os.environ,
        "KOHORT_API_PORT": "0",
        **{f"KOHORT_{name.upper()}": str(value) for name, value in (settings or {}).items()},
    }
    command = [sys.executable, "-c", "from kohort.cli.main import entry; entry()", "-w", str(workspace), "serve", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    said: list[str] = []
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_errors, args=(process, said), daemon=True).start()
    threading.Thread(target=_read_output, args=(process, lines), daemon=True).start()
    try:
        url, api_url, secret = _addresses(process, lines, said)
        yield RunningServer(workspace, process, url, keys, api_url, secret, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _addresses(process: subprocess.Popen[str], lines: queue.SimpleQueue[str], said: list[str]) -> tuple[str, str, str]:
    """(address, address of the API, secret of the set-up link or ""), from the welcome."""
    deadline = time.monotonic() + START_SECONDS
    welcome: dict[str, str] = {}
    while time.monotonic() < deadline and "sources" not in welcome:
        try:
            words = lines.get(timeout=0.1).split()
        except queue.Empty:
            if process.poll() is not None:
                break
            continue
        welcome[" ".join(words[:2]) if words[:2] in (["Kohort", "answers"], ["set", "up"]) else words[0]] = " ".join(words[1:])
    if "sources" in welcome:
        api_url = welcome["API"].removesuffix("/api/v1")
        secret = welcome.get("set up", "#").partition("#")[2].partition(" ")[0]
        return welcome["Kohort answers"].split()[-1], api_url, secret
    time.sleep(0.1)
    raise NotStarted("".join(said))


def _read_errors(process: subprocess.Popen[str], said: list[str]) -> None:
    if process.stderr is not None:
        said.extend(iter(process.stderr.readline, ""))


def _read_output(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)


def _is_alive(process_id: int) -> bool:
    try:
        status = Path(f"/proc/{process_id}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
