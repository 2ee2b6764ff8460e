"""Engines that stay open between requests: the index, the segments and what was worked out serve everybody who asks next.

An engine is replaced when a refresh, an index or a definition is another one, and closed when nobody asked for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kohort.foundation.errors import KohortError
from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.ports.warehouse import Queries, Statement
from kohort.services.evaluation.evaluate import Engine, IndexUse, open_engine
from kohort.services.evaluation.overlap import kept_members, kept_snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from kohort.membership.snapshots import SnapshotStore

Borrow = Callable[[], AbstractContextManager[Queries]]
"""The warehouse for as long as the block lasts. Raises UserError WAREHOUSE_BUSY."""

_KEPT_OF_REFRESH = ("index", "_sources", "_work", "rows_seen")
_KEPT_OF_CATALOG = ("conditions",)
_REST_SECONDS = 0.005


class BorrowedWarehouse:
    """Takes the warehouse for each query and gives it back: who only reads the index never waits for it."""

    def __init__(self, borrow: Borrow) -> None:
        self._borrow = borrow

    def query(self, statement: Statement) -> pa.Table:
        """All rows of a query, in memory."""
        with self._borrow() as warehouse:
            return warehouse.query(statement)

    def stream(self, statement: Statement, batch_rows: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query in batches; the warehouse is kept until the last one was read."""
        import pyarrow as pa

        with ExitStack() as stack:
            reader = stack.enter_context(self._borrow()).stream(statement, batch_rows)
            held = stack.pop_all()

        def batches() -> Iterator[Any]:
            with held:
                yield from reader

        return pa.RecordBatchReader.from_batches(reader.schema, batches())


@dataclass
class _Open:
    """mark: of what it was opened on; used: by the monotonic clock."""

    engine: Engine
    mark: tuple[Any, ...]
    used: float


@dataclass
class OpenEngines:
    """The open engines of one workspace, one a parent segment. For many threads.

    most: parent segments that are kept open at once. busy_seconds, idle_seconds: how long one keeps what only makes the next answer
    faster, and how long it stays open, when nobody asks. snapshots: where the members of segments are kept, to warm up with.
    """

    store: DefinitionStore
    borrow: Borrow
    range_size: int
    indexes: IndexUse
    snapshots: SnapshotStore | None = None
    most: int = 3
    busy_seconds: float = 120.0
    idle_seconds: float = 900.0
    _open: dict[int, _Open] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, init=False)
    _sweeper: threading.Timer | None = field(default=None, init=False)

    @contextmanager
    def use(self, parent: ParentRecord) -> Iterator[Engine]:
        """The engine over the last good refresh as everything is now. Raises UserError NOT_REFRESHED."""
        known = self._current(parent)
        if known is None:
            with self._opening:
                known = self._current(parent) or self._reopened(parent)
        known.used = time.monotonic()
        try:
            yield known.engine
        finally:
            known.used = time.monotonic()

    def close(self) -> None:
        """Let go of all; those in use end with their use."""
        with self._lock:
            self._open.clear()
            self._end_watch()

    def warm_up(self, loaded: Callable[[], None] = lambda: None) -> None:
        """Have compiled functions, and what questions about parent segments begin with, in memory.

        What is not compiled on this machine yet is left to the first question, which says so. loaded: called when all code that questions
        need is there, before anything about a parent segment is.
        """
        with suppress(KohortError, OSError):
            parents = [parent for parent in self.store.parents() if self.store.last_refresh(parent.id) is not None][: self.most]
            if parents:
                _load_compiled()
            loaded()
            for parent in parents:
                with self.use(parent) as engine:
                    _prepare(engine)
                    self._remember_members(engine)

    def _remember_members(self, engine: Engine) -> None:
        """Have the members of all segments in memory where they take no more than half of what is kept of conditions."""
        if (
            self.snapshots is None
            or engine.index is None
            or engine.index.size // 8 * len(engine.graph.owners) > self.indexes.cache.limit // 2
        ):
            return
        kept = kept_snapshot(engine, self.store, self.snapshots, engine.refresh.as_of)
        for members in (kept_members(engine, kept, engine.graph.owners) or {}).values() if kept is not None else ():
            members.count()

    def _current(self, parent: ParentRecord) -> _Open | None:
        """The open engine; None when there is none, or it is not of what there is now."""
        known = self._open.get(parent.id)
        now = (self.store.definitions_mark(parent.id), _built(self.indexes, known.engine)) if known is not None else None
        return known if known is not None and known.mark == now else None

    def _reopened(self, parent: ParentRecord) -> _Open:
        before, mark = self._open.get(parent.id), self.store.definitions_mark(parent.id)
        old = before.engine if before is not None else None
        engine = open_engine(BorrowedWarehouse(self.borrow), self.store, parent, self.range_size, self.indexes, old)
        built = _built(self.indexes, engine)
        if old is not None and before is not None and old.refresh == engine.refresh and before.mark[1] == built:
            _carry(_KEPT_OF_REFRESH, old, engine)
        if old is not None and old.catalog == engine.catalog:
            _carry(_KEPT_OF_CATALOG, old, engine)
        opened = _Open(engine, (mark, built), time.monotonic())
        with self._lock:
            self._open[parent.id] = opened
            while len(self._open) > self.most:
                del self._open[min(self._open, key=lambda number: self._open[number].used)]
            self._watch()
        return opened

    def _watch(self) -> None:
        """Look again later whether somebody still asks."""
        if self._sweeper is None and self._open:
            self._sweeper = threading.Timer(self.busy_seconds / 2, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _end_watch(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _sweep(self) -> None:
        with self._lock:
            self._end_watch()
            now = time.monotonic()
            for number, opened in list(self._open.items()):
                if opened.used < now - self.busy_seconds:
                    opened.engine.forget_work()
                if opened.used < now - self.idle_seconds:
                    del self._open[number]
            self._watch()


def _built(indexes: IndexUse, engine: Engine) -> tuple[int, int] | None:
    """Which build of the index of a refresh is there; None: none."""
    from kohort.index.layout import MANIFEST, index_folder

    try:
        found = (index_folder(indexes.root, engine.parent.id, engine.refresh.number) / MANIFEST).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _carry(names: tuple[str, ...], old: Engine, new: Engine) -> None:
    for name in names:
        if name in vars(old):
            vars(new)[name] = vars(old)[name]


def _load_compiled() -> None:
    """Compiled functions, and the compiler with them (some 100 MiB), are only for those who have something to ask about."""
    from kohort.index.warming import is_compiled, load_all

    if is_compiled():
        load_all(rest_seconds=_REST_SECONDS)


def _prepare(engine: Engine) -> None:
    """What every question needs, worked out; the files of the index on their way into memory."""
    engine.bound()
    assert engine.problems is not None
    assert engine.graph.needs is not None
    if engine.index is not None and engine.indexes is not None:
        from kohort.index.open import read_ahead

        read_ahead(engine.indexes.root, engine.parent.id, engine.refresh.number)
        assert engine.key_text is None or callable(engine.key_text)
