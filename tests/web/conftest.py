"""One server for all tests that only send, with sources of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kohort.testing.server import RunningServer, make_sources, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("served")
    keys = make_sources(folder, ("Web Shop", "App")) | make_sources(folder, ("Closed",)) | make_sources(folder, ("Slow",), rate_limit=2)
    disable(folder, "Closed")
    with running_server(folder, keys) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def disable(workspace: Path, name: str) -> None:
    from kohort.bootstrap import open_kohort
    from kohort.services.sources.registry import set_status

    kohort = open_kohort(workspace)
    set_status(kohort.store, name, "disabled", by="tests", clock=kohort.clock)
    kohort.close()
