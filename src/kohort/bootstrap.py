"""The one place that chooses adapters and wires them: what a command (later the API) works with."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kohort.foundation.clock import Clock, SystemClock
from kohort.foundation.errors import KohortError
from kohort.settings import Settings, load_settings
from kohort.workspace.workspace import SETTINGS_FILE, Workspace, open_workspace

if TYPE_CHECKING:
    from kohort.membership.snapshots import SnapshotStore
    from kohort.ports.definitions import DefinitionStore
    from kohort.ports.warehouse import Warehouse
    from kohort.services.evaluate import IndexUse
    from kohort.services.index import IndexPlace


class Kohort:
    """One open workspace. The warehouse and the store are opened when first used."""

    def __init__(self, workspace: Workspace, settings: Settings, clock: Clock) -> None:
        self.workspace = workspace
        self.settings = settings
        self.clock = clock
        self.recovered: tuple[str, ...] = ()

    @cached_property
    def warehouse(self) -> Warehouse:
        """The embedded DuckDB warehouse. Raises UserError WAREHOUSE_LOCKED when another process has it.

        What a refresh that was killed left behind is dropped; `recovered` names it.
        """
        from kohort.adapters.duckdb import DuckDBWarehouse
        from kohort.services.refresh import recover_interrupted

        path = Path(self.settings.warehouse) if self.settings.warehouse else self.workspace.state / "warehouse.duckdb"
        self.workspace.state.mkdir(exist_ok=True)
        warehouse = DuckDBWarehouse(
            self.workspace.root / path,
            memory_limit=self.settings.memory_limit or None,
            threads=self.settings.threads or None,
            temp_directory=self.workspace.state / "tmp",
        )
        with suppress(KohortError):
            self.recovered = recover_interrupted(warehouse, self.store)
        return warehouse

    @cached_property
    def store(self) -> DefinitionStore:
        """The definition store: SQLite in the workspace, or the database of `store_url`."""
        from kohort.adapters.sqlalchemy import SQLAlchemyStore

        self.workspace.state.mkdir(exist_ok=True)
        return SQLAlchemyStore(self.settings.store_url or self.workspace.state / "kohort.db")

    @cached_property
    def snapshots(self) -> SnapshotStore:
        """Where memberships are kept."""
        from kohort.membership.snapshots import SnapshotStore

        return SnapshotStore(self.workspace.state / "membership")

    @property
    def fields(self) -> Path:
        """Where the values of fields are kept."""
        return self.workspace.state / "fields"

    @cached_property
    def indexes(self) -> IndexPlace:
        """Where profile indexes are kept."""
        from kohort.services.index import IndexPlace

        return IndexPlace(self.workspace.state / "index", self.settings.keep_indexes, self.settings.range_size, self.fields)

    @cached_property
    def index_use(self) -> IndexUse:
        """What evaluations need to answer from profile indexes."""
        from kohort.evaluation.indexed.cache import LeafCache
        from kohort.services.evaluate import IndexUse

        return IndexUse(self.indexes.root, LeafCache(self.settings.leaf_cache_bytes), self.settings.threads)

    def close(self) -> None:
        """Give back whatever was opened."""
        for name in ("warehouse", "store"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()


def open_kohort(start: Path, clock: Clock | None = None) -> Kohort:
    """Open the workspace that `start` is or lies in. Raises UserError NO_WORKSPACE, InvalidInput for bad settings."""
    workspace = open_workspace(start)
    settings = load_settings(workspace.settings, SETTINGS_FILE)
    return Kohort(workspace, settings, clock or SystemClock())
