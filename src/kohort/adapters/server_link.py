"""The way from a command to the server of its workspace: the API, with a secret that only who may read the workspace's state knows."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kohort.foundation.errors import UserError

USER_HEADER = "Kohort-User"
_CONNECT_SECONDS = 5.0
_BUSY_SECONDS = 60.0
Json = dict[str, Any]


class ServerGone(Exception):
    """Nobody answers."""


def write_link(file: Path, url: str) -> str:
    """Say where the API answers, and the secret that opens it, for commands beside the server. Only the owner can read the file."""
    secret = secrets.token_urlsafe(32)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump({"url": url, "secret": secret}, stream)
    return secret


def read_link(file: Path, user: str) -> ServerLink | None:
    """The way to a server that wrote its link; None when there is none that can be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return ServerLink(str(found["url"]), str(found["secret"]), user)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class ServerLink:
    """A server that can be asked. user: who types the command."""

    url: str
    secret: str
    user: str

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Json:
        """The document of a good answer. Raises the UserError that a problem tells of; ServerGone."""
        response = self.open(method, path, body, headers)
        with response:
            try:
                found: Json = json.loads(response.read() or b"{}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise ServerGone(str(error)) from error
        return found

    def answers(self) -> bool:
        """Whether it is there and takes the secret."""
        try:
            self.call("GET", "/api/v1/me")
        except (ServerGone, UserError):
            return False
        return True

    def open(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """A good answer, to be read and closed; a busy server is asked again for a while."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            response = self._ask(method, path, body, dict(headers or {}))
            if response.status < 300:
                return response
            with response:
                problem = _problem(response)
            if response.status != 503 or time.monotonic() > deadline:
                raise problem
            time.sleep(min(2.0, float(response.headers.get("Retry-After") or 1)))

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> http.client.HTTPResponse:
        place = urlsplit(self.url)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.hostname or "", place.hostname or "")
        connection = http.client.HTTPConnection(host, place.port, timeout=_CONNECT_SECONDS)
        headers |= {"Authorization": f"Bearer {self.secret}", USER_HEADER: quote(self.user[:200]), "Connection": "close"}
        content = None
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            connection.connect()
            connection.sock.settimeout(None)
            connection.request(method, path, content, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            with suppress(Exception):
                connection.close()
            raise ServerGone(str(error)) from error


def _problem(response: http.client.HTTPResponse) -> UserError:
    """The error that a refusal tells of."""
    try:
        found = json.loads(response.read())
        return UserError(str(found["code"]), str(found["detail"]), hint=str(found.get("hint", "")))
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return UserError("SERVER_REFUSED", f"the server answered {response.status}", hint="look at what it said where it was started")
