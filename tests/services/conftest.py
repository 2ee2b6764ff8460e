"""A workspace with a store, as the services that work on definitions see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kohort.adapters.sqlalchemy import SQLAlchemyStore
from kohort.foundation.clock import FixedClock
from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord
from kohort.ports.users import UserRecord
from kohort.services.definitions.push import PushResult, push_parents, push_segments
from kohort.services.users import add_user
from kohort.workspace.workspace import Workspace, init_workspace
from tests.services.people import CLI, PASSWORDS, RIGHT
from tests.services.shop import TABLES, Shop, open_shop

PARENT = """\
name: Shop
master: { database: shop, table: customers, key_column: id }
"""
T0 = datetime(2024, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Desk:
    """One workspace, its store, and what tests do with them."""

    workspace: Workspace
    store: SQLAlchemyStore
    clock: FixedClock

    @property
    def parent(self) -> ParentRecord:
        record = self.store.parent("Shop")
        assert record is not None
        return record

    def file(self, path: str) -> Path:
        """A segment's file, by its path below the folder of the parent segment."""
        return self.workspace.segments_folder("shop") / path

    def write(self, path: str, text: str) -> Path:
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def push(self, *paths: Path, **options: object) -> PushResult:
        self.clock.move_to(self.clock.now() + timedelta(minutes=1))
        return push_segments(self.store, self.workspace, self.parent, paths, by="ann", clock=self.clock, **options)  # type: ignore[arg-type]

    def records(self) -> dict[str, SegmentRecord]:
        return {record.path: record for record in self.store.segments(self.parent.id)}

    def files(self) -> list[str]:
        root = self.workspace.segments_folder("shop")
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace whose parent segment "Shop" is pushed."""
    workspace = init_workspace(tmp_path / "work")
    store = SQLAlchemyStore(f"sqlite:///{workspace.state}/kohort.db")
    (workspace.parents_folder / "shop.yml").write_text(PARENT)
    clock = FixedClock(T0)
    push_parents(store, workspace, by="ann", clock=clock)
    yield Desk(workspace, store, clock)
    store.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A warehouse with the tables of a small shop."""
    made = open_shop(tmp_path)
    made.sql(TABLES)
    yield made
    made.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DefinitionStore]:
    """Nothing is in it."""
    store = SQLAlchemyStore(tmp_path / "kohort.db")
    yield store
    store.close()


@pytest.fixture
def ann(store: DefinitionStore, clock: FixedClock) -> UserRecord:
    """An engineer who knows her password."""
    return add_user(store, PASSWORDS, " Ann ", "engineer", RIGHT, actor=CLI, clock=clock)
