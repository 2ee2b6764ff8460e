"""The profile index of a parent segment: built after its refresh, opened by evaluations, shown and verified.

An index only makes answers faster: where there is none, or it is damaged, everything is evaluated by SQL on the same refresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kohort.foundation.clock import Clock
from kohort.foundation.errors import Interrupted, UserError
from kohort.foundation.issues import Issues
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.definitions import DefinitionStore, ParentRecord, RefreshRecord
from kohort.ports.progress import Progress, Silent
from kohort.ports.warehouse import Warehouse
from kohort.services.definitions.stored import last_refresh
from kohort.services.parents.suggestions import measure_fields
from kohort.services.refresh.index_files import IndexPlace, refresh_index, stamp_of
from kohort.services.refresh.refresh import refresh

if TYPE_CHECKING:
    from kohort.index.layout import Manifest


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh and its index. problem: why there is no index, "" when there is one; unmeasured: why values were not measured."""

    record: RefreshRecord
    index: Manifest | None
    problem: str = ""
    unmeasured: str = ""


@dataclass(frozen=True, slots=True)
class IndexState:
    """The index of one parent segment's last refresh. manifest None: there is none that can be used; `kept`: refreshes with an index."""

    refresh: RefreshRecord
    manifest: Manifest | None
    built_at: datetime | None
    kept: tuple[int, ...]


def refresh_and_index(
    warehouse: Warehouse,
    store: DefinitionStore,
    record: ParentRecord,
    place: IndexPlace,
    *,
    clock: Clock,
    as_of: datetime | None = None,
    progress: Progress | None = None,
) -> Refreshed:
    """Refresh a parent segment, build its index, measure the values of its fields. What fails after the refresh never fails it.

    Raises what `refresh` raises, and Interrupted when the build is stopped (the refresh then stands without an index).
    """
    done = refresh(warehouse, store, record, clock=clock, as_of=as_of, progress=progress, place=place)
    try:
        manifest = _built(done, place) or build_index(warehouse, done, place, progress=progress)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"{record.name} is refreshed; its index was stopped and can be built with: kohort index build") from None
    except Exception as error:
        return Refreshed(done, None, _said(error))
    return Refreshed(done, manifest, unmeasured=_measure_values(done, place, clock, progress))


def _built(done: RefreshRecord, place: IndexPlace) -> Manifest | None:
    """The index that came with the refresh, and no more than are to be kept."""
    from kohort.index.build import drop_old
    from kohort.index.layout import index_folder, read_manifest

    if refresh_index(place.root, done) is None:
        return None
    drop_old(place.root, done.parent_id, place.keep, done.number)
    return read_manifest(index_folder(place.root, done.parent_id, done.number))


def _measure_values(done: RefreshRecord, place: IndexPlace, clock: Clock, progress: Progress | None) -> str:
    """Keep what values the fields have; why that failed, "" when it did not. What is missing is measured when it is asked for."""
    try:
        index = refresh_index(place.root, done) if place.fields is not None else None
        if place.fields is not None and index is not None:
            measure_fields(done, index, place.fields, clock=clock, progress=progress)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted("the refresh and its index are done; values of fields are measured when they are asked for") from None
    except Exception as error:
        return _said(error)
    return ""


def _said(error: Exception) -> str:
    match error:
        case UserError():
            return error.message
        case OSError():
            return f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        case _:
            return f"{type(error).__name__}: {error}"


def build_index(warehouse: Warehouse, done: RefreshRecord, place: IndexPlace, *, progress: Progress | None = None) -> Manifest:
    """Build (or build again) the index of a refresh whose tables are in the warehouse. Raises what the warehouse and the disk raise."""
    from kohort.index.build import build_index as build

    return build(
        lambda query: warehouse.stream(query, place.batch_rows),
        catalog_from_document(done.catalog),
        place.root,
        done.parent_id,
        done.number,
        stamp=stamp_of(done),
        keep=place.keep,
        progress=(progress or Silent()).step,
    )


def index_state(store: DefinitionStore, record: ParentRecord, root: Path) -> IndexState:
    """What there is for the last good refresh. Raises UserError NOT_REFRESHED."""
    from kohort.index.layout import MANIFEST, index_folder, kept_numbers, read_manifest

    done = last_refresh(store, record)
    kept = kept_numbers(root, record.id)
    if refresh_index(root, done) is None:
        return IndexState(done, None, None, kept)
    folder = index_folder(root, record.id, done.number)
    built_at = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC)
    return IndexState(done, read_manifest(folder), built_at, kept)


def verify(store: DefinitionStore, record: ParentRecord, root: Path, progress: Progress | None = None) -> tuple[RefreshRecord, Issues]:
    """The refresh and every damage of its index. Raises UserError NOT_REFRESHED."""
    from kohort.index.verify import verify_index

    done = last_refresh(store, record)
    return done, verify_index(root, record.id, done.number, (progress or Silent()).step, stamp_of(done))
