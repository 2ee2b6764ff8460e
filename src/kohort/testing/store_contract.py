"""What contracts of stores have in common. A subclass provides the fixture `open_store`, which opens one and the same database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kohort.ports.definitions import DefinitionStore, ParentRecord, SegmentRecord

OpenStore = Callable[[], DefinitionStore]

T0 = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
T1 = T0 + timedelta(microseconds=1)
T2 = datetime(2024, 7, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=9)))


class StoreContract:
    """Fixtures of every contract, which is run on every adapter."""

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[DefinitionStore]:
        store = open_store()
        yield store
        store.close()

    @pytest.fixture
    def parent(self, store: DefinitionStore) -> ParentRecord:
        return store.save_parent("Shop", "shop", {"name": "Shop"}, by="ann", at=T0)


def save(store: DefinitionStore, parent: ParentRecord, folder: str, name: str, fingerprint: str) -> SegmentRecord:
    """A segment whose rule is told by its fingerprint."""
    return store.save_segment(parent.id, folder, name, "batch", {"of": fingerprint}, fingerprint, by="ann", at=T0)
