"""Master keys of profiles by ordinal, and the ids made of them, read from the profile index alone."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from kohort.parent.catalog import FieldCatalog
from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.services.definitions.stored import parent_of

if TYPE_CHECKING:
    from kohort.index.columns import ProfileIndex

KeyText = Callable[[int], str]
"""The master key of the profile with an ordinal, as text."""

_ALL = 10_000
_SPREAD = 64


def customer_id(key: str) -> str:
    """The cdp_customer_id of a master key: the first 40 hex digits of its SHA-256."""
    return sha256(key.encode()).hexdigest()[:40]


def key_reader(index: ProfileIndex, catalog: FieldCatalog, name: str, parent: ParentRecord, refresh: RefreshRecord) -> KeyText | None:
    """How to tell master keys from the index; None when the key is of a kind whose text it does not have.

    name: of the key column. A definition that changed since the refresh cannot mislead: ids are compared with the order that the index
    knows.
    """
    from kohort.index.columns import NumberColumn, TextColumn
    from kohort.index.rows import value_at

    field, column = catalog.attribute.get(name), index.attributes.get(name)
    source = f"{parent_of(parent).master.source}.{name}"
    if index.size <= _ALL and parent.updated_at > refresh.started_at:
        return None
    if field is None or field.source != source or not isinstance(column, TextColumn | NumberColumn):
        return None
    if isinstance(column, NumberColumn) and column.storage != "int64":
        return None

    def key_text(ordinal: int) -> str:
        return str(value_at(column, ordinal))

    return key_text if _agrees(index, key_text) else None


def _agrees(index: ProfileIndex, key_text: KeyText) -> bool:
    """Whether ids made of these keys stand in the order that the index has: of few profiles exactly, of many a spread within chance."""
    live = np.flatnonzero(np.unpackbits(index.live.view(np.uint8), bitorder="little")[: index.size]) if index.size <= _ALL else None
    if live is not None:
        by_rank = sorted((int(index.id_rank[ordinal]), customer_id(key_text(int(ordinal)))) for ordinal in live)
        return all(one[1] < other[1] for one, other in pairwise(by_rank))
    total = int(np.bitwise_count(index.live).sum(dtype=np.int64))
    ordinals = [ordinal for ordinal in range(0, index.size, max(1, index.size // _SPREAD)) if index.id_rank[ordinal] >= 0]
    allowed = 8 * sqrt(total) + 2
    return bool(ordinals) and all(abs(_part(key_text(one)) * total - int(index.id_rank[one])) <= allowed for one in ordinals)


def _part(key: str) -> float:
    """How much of all possible ids come before that of a key."""
    return int(customer_id(key)[:16], 16) / 2.0**64
