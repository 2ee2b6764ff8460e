"""Where profile indexes are kept, and how the one that belongs to a refresh is opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from kohort.ports.definitions import RefreshRecord

if TYPE_CHECKING:
    from kohort.index.columns import ProfileIndex


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """Where indexes are kept (`root`), how many of each parent segment, and how many rows a build reads at a time.

    fields: where the values of fields are kept that are measured after a build (None: they are not). gather_bytes: memory that the
    rows of one table may take in a refresh; larger ones are sorted by the warehouse.
    """

    root: Path
    keep: int = 2
    batch_rows: int = 250_000
    fields: Path | None = None
    gather_bytes: int = 4 << 30


def refresh_index(root: Path, done: RefreshRecord) -> ProfileIndex | None:
    """The index of a refresh; None (evaluate by SQL) when there is none or a file of it is not as long as it should be.

    One that an earlier life of the workspace left under the same number is not taken for it.
    """
    from kohort.index.open import open_index

    return open_index(root, done.parent_id, done.number, stamp_of(done))


def stamp_of(refresh: RefreshRecord) -> str:
    """What tells a refresh from one of the same number in an earlier life of the workspace: when it began."""
    return refresh.started_at.astimezone(UTC).isoformat()
