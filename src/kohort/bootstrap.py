"""The one place that chooses adapters and wires them: what commands and servers work with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kohort.foundation.clock import Clock, SystemClock
from kohort.foundation.errors import KohortError, UserError
from kohort.settings import Settings, load_settings
from kohort.workspace.workspace import PRIVATE, SETTINGS_FILE, Workspace, open_workspace

_BORROW_SECONDS = 20.0

if TYPE_CHECKING:
    import socket

    from kohort.adapters.duckdb import DuckDBWarehouse
    from kohort.adapters.duckdb.beside import SharedWarehouse
    from kohort.adapters.server_link import ServerLink
    from kohort.events.identity import IdentityRules
    from kohort.events.model import SourceRules
    from kohort.membership.snapshots import SnapshotStore
    from kohort.ports.definitions import DefinitionStore
    from kohort.ports.event_log import EventLog
    from kohort.ports.sources import ServerCounts, SourceRecord
    from kohort.ports.warehouse import TableInfo, Warehouse
    from kohort.services.evaluation.evaluate import IndexUse
    from kohort.services.evaluation.open_engines import OpenEngines
    from kohort.services.loading.load import Loader
    from kohort.services.loading.serve import Serving
    from kohort.services.loading.serve_tables import Say
    from kohort.services.refresh.index_files import IndexPlace
    from kohort.services.sources.status import SourceState
    from kohort.services.users import Passwords


class Kohort:
    """One open workspace. The warehouse and the store are opened when first used."""

    def __init__(self, workspace: Workspace, settings: Settings, clock: Clock) -> None:
        self.workspace = workspace
        self.settings = settings
        self.clock = clock
        self.recovered: tuple[str, ...] = ()
        self._serves = False
        self.link_secret = ""
        self._turn: IO[bytes] | None = None

    @cached_property
    def warehouse(self) -> Warehouse:
        """The embedded DuckDB warehouse; while a server has it, through the server. Raises UserError WAREHOUSE_LOCKED.

        What a refresh that was killed left behind is dropped; `recovered` names it.
        """
        from kohort.services.refresh.refresh import recover_interrupted

        if self.server is not None:
            from kohort.adapters.served_warehouse import ServedWarehouse

            return ServedWarehouse(self.server)
        self.workspace.state.mkdir(mode=PRIVATE, exist_ok=True)
        try:
            warehouse = self._open_warehouse()
        except UserError as error:
            if error.code != "WAREHOUSE_LOCKED" or not self._ask_server():
                raise
            warehouse = self._borrowed_warehouse()
        with suppress(KohortError):
            self.recovered = recover_interrupted(warehouse, self.store)
        return warehouse

    @cached_property
    def server(self) -> ServerLink | None:
        """The way to the server that runs for this workspace; None when none does, when its API does not answer, and in the server."""
        from kohort.adapters.locks import is_held
        from kohort.adapters.server_link import read_link

        if self._serves or not is_held(self._serve_lock):
            return None
        link = read_link(self._link_file, self.settings.user_name)
        return link if link is not None and link.answers() else None

    def create_table(self, name: str, select: str, *, as_view: bool) -> TableInfo:
        """Create or replace a table or view from one SELECT; all or nothing. See `kohort.services.tables.create_table`."""
        from kohort.adapters.served_warehouse import ServedWarehouse
        from kohort.services.tables import create_table

        if isinstance(self.warehouse, ServedWarehouse):
            return self.warehouse.create_table(name, select, as_view=as_view)
        return create_table(self.warehouse, name, select, as_view=as_view)

    def require_droppable(self, name: str, warehouse: Warehouse | None = None) -> TableInfo:
        """The table when nothing stands on it. warehouse: for this thread; None: the one that is open.

        Raises UserError TABLE_NOT_FOUND, NAME_RESERVED, TABLE_IN_USE.
        """
        from kohort.adapters.duckdb.dropping import is_of_source, views_over
        from kohort.services.parents.drop_table import Standing, require_droppable
        from kohort.services.tables import table_info

        used = warehouse or self.warehouse
        info = table_info(used, name)
        standing = Standing(tuple(views_over(used, info.ref)), is_of_source(used, info.ref))
        require_droppable(self.store, info, standing)
        return info

    def drop_table(self, name: str, warehouse: Warehouse | None = None) -> TableInfo:
        """Drop a table or view on which nothing stands. Raises what `require_droppable` raises."""
        from kohort.adapters.served_warehouse import ServedWarehouse
        from kohort.services.parents.drop_table import drop_table

        used = warehouse or self.warehouse
        if isinstance(used, ServedWarehouse):
            return used.drop_table(name)
        info = self.require_droppable(name, used)
        drop_table(used, info)
        return info

    def _open_warehouse(self) -> DuckDBWarehouse:
        from kohort.adapters.duckdb import DuckDBWarehouse

        path = Path(self.settings.warehouse) if self.settings.warehouse else self.workspace.state / "warehouse.duckdb"
        return DuckDBWarehouse(
            self.workspace.root / path,
            memory_limit=self.settings.memory_limit or None,
            threads=self.settings.threads or None,
            temp_directory=self.workspace.state / "tmp",
        )

    def _ask_server(self) -> bool:
        """When the warehouse is that of a running server: ask for it, and keep it until we are closed. Calls are taken meanwhile."""
        from kohort.adapters.locks import is_held, wait_for

        if self._serves or not is_held(self._serve_lock):
            return False
        self._turn = wait_for(self._turn_lock)
        return True

    def _borrowed_warehouse(self) -> DuckDBWarehouse:
        deadline = time.monotonic() + _BORROW_SECONDS
        while True:
            try:
                return self._open_warehouse()
            except UserError as error:
                if error.code != "WAREHOUSE_LOCKED" or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    @property
    def _serve_lock(self) -> Path:
        return self.workspace.state / "serve.lock"

    @property
    def _turn_lock(self) -> Path:
        return self.workspace.state / "warehouse.turn"

    @cached_property
    def store(self) -> DefinitionStore:
        """The definition store: SQLite in the workspace, or the database of `store_url`."""
        from kohort.adapters.sqlalchemy import SQLAlchemyStore

        self.workspace.state.mkdir(mode=PRIVATE, exist_ok=True)
        return SQLAlchemyStore(self.settings.store_url or self.workspace.state / "kohort.db")

    @cached_property
    def passwords(self) -> Passwords:
        """How passwords are kept."""
        from kohort.adapters.passwords import Argon2Passwords

        return Argon2Passwords()

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
        from kohort.services.refresh.index_files import IndexPlace

        settings = self.settings
        root = self.workspace.state / "index"
        return IndexPlace(root, settings.keep_indexes, settings.range_size, self.fields, settings.refresh_table_bytes)

    @property
    def log_folder(self) -> Path:
        """Where the event log is."""
        return self.workspace.root / (self.settings.ingest_log or self.workspace.state / "log")

    def open_event_log(self) -> EventLog:
        """The log of received requests, to read from; the process that answers HTTP writes it. To be closed."""
        from kohort.adapters.eventlog import SQLiteEventLog

        return SQLiteEventLog(self.log_folder)

    def source_states(self, sources: Sequence[SourceRecord], server: ServerCounts | None) -> list[SourceState]:
        """How each source is doing, in their order. server: what `server_counts` said."""
        from kohort.services.sources.status import source_states

        with closing(self.open_event_log()) as log:
            return source_states(self.store, log, self.log_folder, server, sources, self.clock)

    def drop_source_tables(self, schema: str, warehouse: Warehouse | None = None) -> list[str]:
        """Drop what Kohort made for a source; the names. warehouse: for this thread; None: the one that is open."""
        from kohort.adapters.duckdb.event_tables_drop import drop_source_tables
        from kohort.adapters.served_warehouse import ServedWarehouse

        used = warehouse or self.warehouse
        if isinstance(used, ServedWarehouse):
            return used.drop_source_tables(schema)
        return drop_source_tables(used, schema)

    def server_counts(self) -> ServerCounts | None:
        """What the server of this workspace has counted since it began; None when none answers."""
        from kohort.adapters.locks import is_held
        from kohort.adapters.serve_client import ask_counts

        return ask_counts(self._address_file) if is_held(self._serve_lock) else None

    def server_metrics(self) -> str | None:
        """All that the server of this workspace has counted, as Prometheus reads it; None when none answers."""
        from kohort.adapters.locks import is_held
        from kohort.adapters.serve_client import ask_metrics

        return ask_metrics(self._address_file) if is_held(self._serve_lock) else None

    @property
    def _address_file(self) -> Path:
        return self.workspace.state / "serve.json"

    @property
    def _link_file(self) -> Path:
        return self.workspace.state / "server.json"

    @cached_property
    def index_use(self) -> IndexUse:
        """What evaluations need to answer from profile indexes."""
        from kohort.evaluation.indexed.cache import LeafCache
        from kohort.services.evaluation.evaluate import IndexUse

        return IndexUse(self.indexes.root, LeafCache(self.settings.leaf_cache_bytes), self.settings.threads)

    @cached_property
    def engines(self) -> OpenEngines:
        """Engines for the threads of a server, open between requests."""
        from kohort.services.evaluation.open_engines import OpenEngines

        return OpenEngines(self.store, lambda: self.shared_warehouse.use(), self.settings.range_size, self.index_use, self.snapshots)

    @contextmanager
    def serving(self, host: str, port: int | None, say: Say) -> Iterator[tuple[Serving, str]]:
        """A server for the sources of this workspace, not yet started, and its address. host "", port None: of the settings.

        Raises UserError ALREADY_SERVING, PORT_IN_USE, ADDRESS_UNUSABLE.
        """
        from kohort.adapters.http_process import HttpProcess, listening_socket
        from kohort.adapters.locks import held
        from kohort.adapters.malloc import share_arenas
        from kohort.adapters.serve_client import write_address
        from kohort.services.loading.serve import Serving, sender_documents
        from kohort.services.loading.serve_tables import LoadLoop

        settings = self.settings
        self.workspace.state.mkdir(mode=PRIVATE, exist_ok=True)
        hint = "end it first, or give this workspace's copy a folder of its own"
        taken = UserError("ALREADY_SERVING", f"another `kohort serve` runs for {self.workspace.root}", hint=hint)
        with held(self._serve_lock, taken):
            self._serves = True
            share_arenas()
            self._link_file.unlink(missing_ok=True)
            listener = listening_socket(host or settings.serve_host, settings.serve_port if port is None else port)
            url = http_url(*listener.getsockname()[:2])
            process = HttpProcess(listener, self._server_settings())
            write_address(self._address_file, url)
            loop = LoadLoop(self.open_event_log(), _WarehouseTables(self), say, self.log_folder)
            try:
                yield Serving(process, loop, lambda: sender_documents(self.store, self.clock), say), url
            finally:
                self._address_file.unlink(missing_ok=True)
                process.stop(0.0)

    @contextmanager
    def api_socket(self, port: int | None) -> Iterator[tuple[socket.socket, str]]:
        """The socket that the API listens on, and its address. port None: that of the settings. Commands beside it learn of it.

        Raises UserError PORT_IN_USE, ADDRESS_UNUSABLE.
        """
        from kohort.adapters.http_process import listening_socket
        from kohort.adapters.server_link import write_link

        try:
            listener = listening_socket(self.settings.api_host, self.settings.api_port if port is None else port)
        except UserError as error:
            hint = "choose another for the API: kohort serve --api-port N, or the settings api_host and api_port"
            raise UserError(error.code, error.message, hint=hint) from error
        url = http_url(*listener.getsockname()[:2])
        with listener:
            self.link_secret = write_link(self._link_file, url)
            try:
                yield listener, url
            finally:
                self.link_secret = ""
                self._link_file.unlink(missing_ok=True)

    def _server_settings(self) -> dict[str, object]:
        settings = self.settings
        return {
            "log_folder": str(self.log_folder),
            "grace_seconds": settings.serve_grace_seconds,
            "trusted_proxies": settings.ingest_trusted_proxies,
            "limits": {
                "request_bytes": settings.ingest_request_bytes,
                "pending_bytes": settings.ingest_pending_bytes,
                "rate": settings.ingest_rate_limit,
                "unknown_keys": settings.ingest_unknown_keys,
                "metrics": settings.ingest_metrics,
            },
        }

    @cached_property
    def shared_warehouse(self) -> SharedWarehouse:
        """Warehouses for the threads of a server, beside `warehouse`."""
        from kohort.adapters.duckdb.beside import SharedWarehouse
        from kohort.adapters.locks import is_held

        memory = self.settings.serve_tables_memory
        return SharedWarehouse(self._main_warehouse, lambda: is_held(self._turn_lock), resting_memory=memory)

    def _main_warehouse(self) -> DuckDBWarehouse:
        from kohort.adapters.duckdb import DuckDBWarehouse

        warehouse = self.warehouse
        assert isinstance(warehouse, DuckDBWarehouse)
        return warehouse

    def close_warehouse(self, *, interrupt: bool = False) -> None:
        """Let others have the warehouse; it is opened again when next used.

        While requests use it, it stays open after a few seconds' wait, unless they are interrupted.
        """
        shared = self.__dict__.get("shared_warehouse")
        if shared is None:
            self._close_main()
        else:
            shared.close(self._close_main, interrupt=interrupt)

    def _close_main(self) -> None:
        warehouse = self.__dict__.pop("warehouse", None)
        if warehouse is not None:
            warehouse.close()
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def close(self) -> None:
        """Give back whatever was opened."""
        engines = self.__dict__.pop("engines", None)
        if engines is not None:
            engines.close()
        self.close_warehouse(interrupt=True)
        store = self.__dict__.pop("store", None)
        if store is not None:
            store.close()


class _WarehouseTables:
    """The tables of all sources in a workspace's warehouse. See `kohort.services.loading.serve_tables.TablePlace`."""

    def __init__(self, kohort: Kohort) -> None:
        self._kohort = kohort

    def open(self) -> Loader:
        from kohort.adapters.duckdb import DuckDBWarehouse
        from kohort.adapters.duckdb.event_tables import DuckDBEventTables
        from kohort.services.loading.load import Loader

        kohort = self._kohort
        warehouse = kohort.warehouse
        assert isinstance(warehouse, DuckDBWarehouse)
        tables = DuckDBEventTables(warehouse.connection, more_memory=kohort.shared_warehouse.rest_with_more)
        return Loader(
            kohort.open_event_log(),
            tables,
            self._rules_of,
            clock=kohort.clock,
            status_folder=kohort.log_folder,
            identity_of_source=self._identity_of,
        )

    def _rules_of(self, slug: str) -> SourceRules:
        from kohort.events.model import SEGMENT_RULES
        from kohort.services.sources.tail import source_rules

        source = self._kohort.store.source(slug)
        return source_rules(source) if source is not None else SEGMENT_RULES

    def _identity_of(self, slug: str) -> IdentityRules:
        from kohort.services.sources.identity import resolving_rules

        return resolving_rules(self._kohort.store.source(slug))

    def rest(self) -> None:
        self._kohort.shared_warehouse.rest()

    def close(self) -> None:
        self._kohort.close_warehouse()

    def is_wanted(self) -> bool:
        from kohort.adapters.locks import is_held

        return is_held(self._kohort._turn_lock)


def open_kohort(start: Path, clock: Clock | None = None) -> Kohort:
    """Open the workspace that `start` is or lies in. Raises UserError NO_WORKSPACE, InvalidInput for bad settings."""
    workspace = open_workspace(start)
    settings = load_settings(workspace.settings, SETTINGS_FILE)
    return Kohort(workspace, settings, clock or SystemClock())


def http_url(host: str, port: int) -> str:
    """An address as browsers write it.

    >>> http_url("::1", 8040)
    'http://[::1]:8040'
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
