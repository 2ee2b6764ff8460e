"""What clients sent, and the tables it became."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.services.sources.registry import source_slug
from kohort.testing.server import RunningServer, make_sources, running_server
from tests.sdk.clients import CALLS, Send, Told
from tests.sdk.gateway import Trouble, gateway

BAD_KEY = "a-key-of-nobody-at-all"
AGAIN = [{**call, "messageId": f"again-{call['messageId']}"} for call in CALLS]


@dataclass
class World:
    """told: what clients said, by (client, occasion). seen: (status, X-Retry-Count) of requests that met trouble, by client."""

    warehouse: DuckDBWarehouse
    told: Mapping[tuple[str, str], Told]
    seen: Mapping[str, list[tuple[int, str]]]
    said: list[str] = field(default_factory=list)

    def rows(self, client: str, table: str) -> list[dict[str, Any]]:
        """The rows of a client's table without those of calls that were sent again, in the order of their ids."""
        return [row for row in self.all_rows(client, table) if not str(row["id"]).startswith("again-")]

    def all_rows(self, client: str, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.warehouse.query(f'SELECT * FROM {source_slug(client)}."{table}" ORDER BY id').to_pylist()
        return found

    def tables(self, client: str) -> dict[str, int]:
        """Table -> rows."""
        return {info.ref.table: info.rows for info in self.warehouse.tables() if info.ref.database == source_slug(client)}


@contextmanager
def world(folder: Path, clients: Mapping[str, Send], troubles: Mapping[str, list[Trouble]]) -> Iterator[World]:
    """Every client sends every kind of call to a source of its own: well, under a bad key, and through trouble.

    The source of a client called "limited" takes two requests a second.
    """
    keys: dict[str, str] = {}
    for name in clients:
        limit = 2 if "limited" in name else None
        keys |= make_sources(folder, (name,), naming="rudderstack" if "rudder" in name else "segment", rate_limit=limit)
    told: dict[tuple[str, str], Told] = {}
    seen: dict[str, list[tuple[int, str]]] = {}
    with running_server(folder, keys) as server:
        for name, send in clients.items():
            told[name, "well"] = send(server.url, keys[name], CALLS)
            told[name, "bad key"] = send(server.url, BAD_KEY, CALLS[:2])
            with gateway(server.url, troubles[name]) as between:
                told[name, "trouble"] = send(between.url, keys[name], AGAIN)
                seen[name] = between.seen
        _end(server)
    with DuckDBWarehouse(folder / ".kohort" / "warehouse.duckdb") as warehouse:
        yield World(warehouse, told, seen, server.said)


def _end(server: RunningServer) -> None:
    """What is received is in tables when a server has ended in good order."""
    assert server.stop() == 0, "".join(server.said)
