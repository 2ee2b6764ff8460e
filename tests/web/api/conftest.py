"""One evaluated shop, the API over it, and somebody of every role with an API token."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from kohort.adapters.passwords import Argon2Passwords
from kohort.bootstrap import Kohort, open_kohort
from kohort.ports.users import ROLES
from kohort.services.tokens import add_token
from kohort.services.users import Actor, add_user
from kohort.web.api.app import build_api
from tests.cli.workspaces import make_workspace

PASSWORD = "correct horse battery"


@dataclass
class Api:
    """The application, called without a network; one token for each role."""

    kohort: Kohort
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, role: str = "admin", **options: Any) -> httpx.Response:
        """A request with the token of a role ("": of nobody)."""
        headers = dict(options.pop("headers", {}))
        if role:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        return asyncio.run(self._call(method, path if path.startswith("/healthz") else f"/api/v1{path}", headers, options))

    async def _call(self, method: str, path: str, headers: dict[str, str], options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("10.1.1.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://kohort.test", timeout=60) as client:
            return await client.request(method, path, headers=headers, **options)

    def ok(self, method: str, path: str, role: str = "admin", **options: Any) -> Any:
        """The document of an answer that must be good."""
        answer = self.call(method, path, role, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def refused(self, status: int, method: str, path: str, role: str = "admin", **options: Any) -> Any:
        """The problem of an answer that must be a refusal."""
        answer = self.call(method, path, role, **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        return problem

    def segment(self, path: str, role: str = "admin") -> dict[str, Any]:
        """The segment at a path, as the list shows it."""
        items = self.ok("GET", "/parents/all-customers/segments", role)["items"]
        return next(item for item in items if item["path"] == path)

    def at(self, path: str) -> str:
        """The address of a segment."""
        return f"/parents/all-customers/segments/{self.segment(path)['id']}"


def open_api(folder: Path) -> Api:
    kohort = open_kohort(folder)
    kohort.__dict__["passwords"] = Argon2Passwords(memory_kib=64, rounds=1)
    api = Api(kohort, build_api(kohort))
    for role in ROLES:
        user = kohort.store.user(role) or add_user(
            kohort.store, kohort.passwords, role, role, PASSWORD, actor=Actor("tests"), clock=kohort.clock
        )
        api.tokens[role] = add_token(kohort.store, user, "tests", actor=Actor("tests"), clock=kohort.clock).token
    return api


@pytest.fixture(scope="session")
def evaluated_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api") / "shop"
    make_workspace(folder)
    return folder


@pytest.fixture(scope="module")
def api(evaluated_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """To look at; nobody may change its definitions."""
    folder = tmp_path_factory.mktemp("api") / "looked-at"
    shutil.copytree(evaluated_shop, folder)
    api = open_api(folder)
    yield api
    api.kohort.close()


@pytest.fixture
def own(evaluated_shop: Path, tmp_path: Path) -> Iterator[Api]:
    """One of one's own."""
    shutil.copytree(evaluated_shop, tmp_path / "shop")
    api = open_api(tmp_path / "shop")
    yield api
    api.kohort.close()
