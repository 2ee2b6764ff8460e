"""The studio over a workspace, for tests and pictures: a real server on a thread, and a session for each role."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kohort.adapters.passwords import Argon2Passwords
from kohort.bootstrap import Kohort, open_kohort
from kohort.foundation.clock import Clock
from kohort.ports.users import ROLES
from kohort.services.users import Actor, add_user, sign_in
from kohort.web.api.guard import COOKIE
from kohort.web.server import api_server

PASSWORD = "correct horse battery"


@dataclass
class RunningStudio:
    """A studio that answers. sessions: what the browser keeps, by role; everybody's name is their role."""

    kohort: Kohort
    url: str
    sessions: dict[str, str] = field(default_factory=dict)

    def cookies(self, role: str, theme: str = "light") -> list[dict[str, str]]:
        """The cookies of somebody with a role who is signed in ("": of nobody)."""
        kept = {COOKIE: self.sessions[role]} if role else {}
        return [{"name": name, "value": value, "url": self.url} for name, value in (kept | {"kohort_theme": theme}).items()]


@contextmanager
def running_studio(workspace: Path, clock: Clock | None = None) -> Iterator[RunningStudio]:
    """The studio over a workspace, inside the block; users named after the roles are added with `PASSWORD`."""
    kohort = open_kohort(workspace, clock)
    kohort.__dict__["passwords"] = Argon2Passwords(memory_kib=64, rounds=1)
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        studio = RunningStudio(kohort, f"http://127.0.0.1:{listener.getsockname()[1]}")
        for role in ROLES:
            if kohort.store.user(role) is None:
                add_user(kohort.store, kohort.passwords, role, role, PASSWORD, actor=Actor("tests"), clock=kohort.clock)
            studio.sessions[role] = sign_in(kohort.store, kohort.passwords, role, PASSWORD, address="", clock=kohort.clock).secret
        with api_server(kohort, listener):
            yield studio
    finally:
        listener.close()
        kohort.close()
