"""A log in memory, a warehouse in memory, and what tests of the table writer do with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.adapters.duckdb.event_tables import MAX_COLUMNS, DuckDBEventTables
from kohort.events.identity import DEFAULT_IDENTITY, IdentityRules
from kohort.events.model import Received, SourceRules
from kohort.foundation.clock import FixedClock
from kohort.foundation.instants import Micros, from_micros
from kohort.ports.event_log import Entry, Position
from kohort.services.loading.load import Loader, LoadReport

BEGIN: Micros = 1_706_695_200_000_000  # 2024-01-31T10:00:00Z
SECOND = 1_000_000


class ListLog:
    """The log as a list of requests."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.dropped = Position(0)

    def append(self, requests: Sequence[Received]) -> Position:
        self.requests += requests
        return self.end()

    def read(self, after: Position, limit: int = 1000) -> Iterator[Entry]:
        for number in range(after.number, min(len(self.requests), after.number + limit)):
            yield Entry(Position(number + 1), self.requests[number])

    def end(self) -> Position:
        return Position(len(self.requests))

    def drop(self, upto: Position) -> None:
        self.dropped = upto

    def close(self) -> None:
        """Nothing is open."""


class Desk:
    """One source's way from calls to tables. Calls are one second apart, numbered m1, m2, ..."""

    def __init__(
        self,
        rules: SourceRules | None = None,
        *,
        identity: IdentityRules = DEFAULT_IDENTITY,
        flush_calls: int = 10_000,
        max_columns: int = MAX_COLUMNS,
        folder: Path | None = None,
    ) -> None:
        self.log = ListLog()
        self.warehouse = DuckDBWarehouse(None)
        self.tables = DuckDBEventTables(self.warehouse.connection, max_columns)
        self.rules = rules or SourceRules()
        self.clock = FixedClock(from_micros(BEGIN))
        self.loader = Loader(
            self.log,
            self.tables,
            lambda _: self.rules,
            clock=self.clock,
            flush_calls=flush_calls,
            identity=identity,
            status_folder=folder,
        )

    def send(self, *calls: dict[str, Any], source: str = "web") -> None:
        """Each call in a request of its own; identities and message ids are filled in."""
        for call in calls:
            number = len(self.log.requests) + 1
            known = {"messageId": f"m{number}"} | ({} if "userId" in call or "anonymousId" in call else {"userId": "u1"})
            body = json.dumps(known | call).encode("utf-8", "surrogatepass")
            self.log.append([Received(source, BEGIN + number * SECOND, body, call["type"])])

    def load(self, *calls: dict[str, Any]) -> LoadReport:
        """Send and write in one flush."""
        self.send(*calls)
        return self.loader.load_once()

    def track(self, *properties: dict[str, Any], event: str = "Buy") -> LoadReport:
        return self.load(*({"type": "track", "event": event, "properties": each} for each in properties))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query finds; a bare name is a table of the source `web`, in the order in which it was written."""
        text = query if " " in query else f"SELECT * FROM web.{query} ORDER BY rowid"
        return [{name: value for name, value in row.items() if value is not None} for row in self.warehouse.query(text).to_pylist()]

    def column(self, name: str, table: str = "buy") -> list[Any]:
        return [row.get(name) for row in self.rows(table)]

    def type_of(self, name: str, table: str = "buy") -> str:
        found = self.rows(f"SELECT data_type FROM duckdb_columns() WHERE table_name = '{table}' AND column_name = '{name}'")
        return str(found[0]["data_type"]) if found else ""

    def contents(self) -> dict[str, Any]:
        """Every table: column -> (type, cells in the order of the rows); users by their id, positions without their instant."""
        found: dict[str, Any] = {}
        for info in self.warehouse.tables():
            if info.ref.database == "kohort_events":
                found["position"] = self.rows("SELECT reader, position FROM kohort_events.positions")
                continue
            order = "rowid" if info.kind == "table" and info.ref.table != "users" else "ALL"
            names = sorted(column.name for column in info.columns)
            listed = ", ".join(f'"{name}"' for name in names)
            table = self.warehouse.query(f'SELECT {listed} FROM "{info.ref.database}"."{info.ref.table}" ORDER BY {order}')
            types = {column.name: column.type for column in info.columns}
            found[str(info.ref)] = {name: (types[name], table[name].to_pylist()) for name in names}
        return found

    def close(self) -> None:
        self.tables.close()
        self.warehouse.close()
