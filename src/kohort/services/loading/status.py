"""How far the tables of sources are, as a small file: readable while another process has the warehouse."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from kohort.events.columns import CALL_TABLES, DISCARDS, REJECTS
from kohort.foundation.instants import Micros

STATUS_FILE: Final = "tables.json"
"""In the folder of the log."""


@dataclass(slots=True)
class SourceStatus:
    """How many rows each table of a source has. last_received_at: when its newest request in the tables was received; 0: not known."""

    tables: dict[str, int] = field(default_factory=dict)
    last_received_at: Micros = 0

    @property
    def calls(self) -> int:
        """Calls that are in the tables."""
        return sum(self.tables.get(table, 0) for table in CALL_TABLES.values())

    @property
    def rejects(self) -> int:
        """Calls that could not be taken."""
        return self.tables.get(REJECTS, 0)

    @property
    def discards(self) -> int:
        """Values that found no column, and rows that found no table."""
        return self.tables.get(DISCARDS, 0)


@dataclass(slots=True)
class TablesStatus:
    """position: of the log, up to where it is in the tables. oldest_waiting_at: when the oldest call that is not there yet was
    received, None when there is none. problem: why writing does not go on at present, or ""."""

    position: int = 0
    written_at: Micros = 0
    oldest_waiting_at: Micros | None = None
    problem: str = ""
    sources: dict[str, SourceStatus] = field(default_factory=dict)

    def age_seconds(self, now: Micros) -> float:
        """How long the oldest call has been waiting; 0 when none is."""
        return 0.0 if self.oldest_waiting_at is None else max(0, now - self.oldest_waiting_at) / 1_000_000

    def count(self, rows: Mapping[tuple[str, str], int]) -> None:
        """Begin with the rows that are there."""
        for each in self.sources.values():
            each.tables = {}
        self.add(rows)

    def add(self, rows: Mapping[tuple[str, str], int]) -> None:
        """Rows came to tables, by (source, table)."""
        for (source, table), count in rows.items():
            tables = self.sources.setdefault(source, SourceStatus()).tables
            tables[table] = tables.get(table, 0) + count

    def learn(self, before: TablesStatus | None) -> None:
        """What an earlier life knew of the sources that have tables."""
        for source in self.sources.keys() & (before.sources.keys() if before else ()):
            self.received(source, before.sources[source].last_received_at if before else 0)

    def received(self, source: str, at: Micros) -> None:
        """The newest request of a source that is in the tables."""
        each = self.sources.setdefault(source, SourceStatus())
        each.last_received_at = max(each.last_received_at, at)


def read_status(folder: Path) -> TablesStatus | None:
    """The status in a log's folder; None when no table has been written yet, or the file cannot be read."""
    try:
        found = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
        sources: Mapping[str, dict[str, object]] = found.pop("sources")
        return TablesStatus(**found, sources={name: SourceStatus(**each) for name, each in sources.items()})  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_status(folder: Path, status: TablesStatus) -> None:
    """Replace the file in one step. It is news, not a record: nothing depends on it, so it need not be on the disk at once."""
    beside = folder / f"{STATUS_FILE}.new"
    beside.write_text(json.dumps(asdict(status), ensure_ascii=False), encoding="utf-8")
    os.replace(beside, folder / STATUS_FILE)
