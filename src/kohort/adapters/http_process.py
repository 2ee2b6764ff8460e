"""The process that answers HTTP: started on a socket that is ours, told what it must know, watched, stopped."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kohort.foundation.errors import UserError

_MODULE = "kohort.web.ingest"
_BACKLOG = 2048
_BIND_SECONDS = 2.0


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that clients can connect to from now on. Raises UserError PORT_IN_USE, ADDRESS_UNUSABLE."""
    deadline = time.monotonic() + _BIND_SECONDS
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            in_use = error.errno is not None and os.strerror(error.errno) == "Address already in use"
            if in_use and time.monotonic() < deadline:
                time.sleep(0.1)  # the server before this one may be about to end
                continue
            if in_use:
                hint = "stop the program that uses it, or choose another: kohort serve --port N"
                raise UserError("PORT_IN_USE", f"port {port} of {host} is in use", hint=hint) from error
            hint = "choose an address of this machine and a port above 1023: kohort serve --host 127.0.0.1 --port 8040"
            raise UserError("ADDRESS_UNUSABLE", f"cannot listen on {host}, port {port}: {error.strerror or error}", hint=hint) from error
        except OverflowError as error:
            raise UserError("ADDRESS_UNUSABLE", f"{port} is not a port", hint="ports are 0 to 65535") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class HttpProcess:
    """At most one running process. When it is started again, clients that connected meanwhile are still waiting on the socket."""

    def __init__(self, listener: socket.socket, settings: Mapping[str, Any]) -> None:
        """settings: see `kohort.web.ingest.feed.ServerSettings`, without the socket."""
        self._listener = listener
        self._settings = dict(settings)
        self._running: subprocess.Popen[str] | None = None
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    @property
    def process_id(self) -> int:
        return self._running.pid if self._running else 0

    def start(self) -> None:
        """A new process; what it is told first are its settings."""
        number = self._listener.fileno()
        self._said = queue.SimpleQueue()
        self._running = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[number],
            process_group=0,  # Ctrl-C is for us; we stop it in good order
        )
        threading.Thread(target=_listen, args=(self._running, self._said), daemon=True).start()
        self.tell({"settings": {**self._settings, "socket": number}})

    def tell(self, message: Mapping[str, Any]) -> None:
        """A line; one that has died cannot be told anything."""
        if self._running is not None and self._running.stdin is not None:
            with suppress(OSError, ValueError):
                self._running.stdin.write(json.dumps(message) + "\n")
                self._running.stdin.flush()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether it said that it answers now; False when it died or took longer."""
        try:
            return self._said.get(timeout=seconds) is not None
        except queue.Empty:
            return False

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._running is None else self._running.poll()

    def stop(self, seconds: float) -> bool:
        """Let it finish open requests; False when it had to be killed. Nobody can connect any more."""
        self._listener.close()
        running, self._running = self._running, None
        if running is None:
            return True
        with suppress(OSError):
            running.send_signal(signal.SIGTERM)
        if running.stdin is not None:
            with suppress(OSError):
                running.stdin.close()
        try:
            running.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            return False


def _listen(process: subprocess.Popen[str], said: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            said.put(json.loads(line))
    said.put(None)
