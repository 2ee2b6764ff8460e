"""The definition store: parent segments, segments with their versions, sources, refreshes and evaluations.

Documents are JSON-able dicts: `parent.codec.parent_to_document`, `segments.codec.segment_to_document`. All instants are
aware datetimes in UTC. Every method is one transaction, unless `transaction()` joins several.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from kohort.ports.runs import RunStore
from kohort.ports.sources import SourceStore
from kohort.ports.users import UserStore

Json = dict[str, Any]
T = TypeVar("T")
RefreshStatus = Literal["running", "success", "error", "canceled"]


@dataclass(frozen=True, slots=True)
class ParentRecord:
    """A stored parent segment. `id` is for life and names its output database."""

    id: int
    name: str
    slug: str
    document: Json
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A stored segment: the newest version and when it came."""

    id: int
    parent_id: int
    folder: str
    name: str
    kind: str
    document: Json
    fingerprint: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name


@dataclass(frozen=True, slots=True)
class SegmentVersion:
    """One version of a segment; numbers count from 1 per segment."""

    segment_id: int
    number: int
    document: Json
    fingerprint: str
    created_at: datetime
    created_by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefreshRecord:
    """One refresh of a parent segment. `catalog` and `report` are documents ({} until it succeeded).

    The report of one that failed on its input is `{"issues": [...]}`.
    """

    id: int
    parent_id: int
    number: int
    status: RefreshStatus
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime
    population: int
    catalog: Json
    report: Json
    message: str = ""


@dataclass(frozen=True, slots=True)
class PopulationRecord:
    """How many members one segment (or variant) had. segment_id is that of the segment that holds the variant.

    share_of: what `share` is a share of (the parent segment's name or a segment's path); base_count its members.
    """

    path: str
    segment_id: int
    version: int
    count: int
    share_of: str
    base_count: int


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """One evaluation of all segments of a parent at `as_of` over refresh `refresh_number`."""

    id: int
    parent_id: int
    refresh_number: int
    as_of: datetime
    evaluated_at: datetime
    total: int
    populations: tuple[PopulationRecord, ...]


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """That an evaluation took place: an `EvaluationRecord` without its populations."""

    id: int
    parent_id: int
    refresh_number: int
    as_of: datetime
    evaluated_at: datetime
    total: int


class DefinitionStore(RunStore, SourceStore, UserStore, Protocol):
    """Keeps definitions and the record of what was run on them."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing for every call that this thread makes inside the block; nobody else writes meanwhile."""
        ...

    def begin_request(self) -> None:
        """What is read from here on, by whoever works on this request, may be what others were told since the last commit."""
        ...

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """In a request: what was made before when nobody committed since, otherwise what `make` gives. Nobody may change it."""
        ...

    def at_once(self, work: Callable[[], T]) -> T | None:
        """What `work` gives if all it reads is remembered; None when it would have to wait for the database."""
        ...

    def parents(self) -> Sequence[ParentRecord]:
        """All parent segments by name."""
        ...

    def parent(self, name: str) -> ParentRecord | None:
        """By exact name, slug or id as text."""
        ...

    def save_parent(self, name: str, slug: str, document: Json, *, by: str, at: datetime) -> ParentRecord:
        """Create, or update when the slug is known and the document differs (version + 1). Unchanged: returned as it is."""
        ...

    def segments(self, parent_id: int) -> Sequence[SegmentRecord]:
        """All segments of a parent by (folder, name)."""
        ...

    def definitions_mark(self, parent_id: int) -> str:
        """A text that is another one after anything about a parent segment, its segments or its last good refresh changed."""
        ...

    def save_segment(
        self, parent_id: int, folder: str, name: str, kind: str, document: Json, fingerprint: str, *, by: str, at: datetime, note: str = ""
    ) -> SegmentRecord:
        """Create or update by (folder, name). A new fingerprint adds a version; a changed document with the same fingerprint
        (description, order) updates the newest version's document in place; unchanged: returned as it is."""
        ...

    def move_segment(self, segment_id: int, folder: str, name: str, *, by: str, at: datetime) -> SegmentRecord:
        """Change folder and name only. Raises UserError NAME_TAKEN when the place is occupied."""
        ...

    def rewrite_segment(self, segment_id: int, documents: Mapping[int, tuple[Json, str]], *, by: str, at: datetime) -> SegmentRecord:
        """Replace (document, fingerprint) of versions by number, in place: the words change, the meaning does not."""
        ...

    def delete_segment(self, segment_id: int) -> None:
        """Remove a segment with its versions."""
        ...

    def versions(self, segment_id: int) -> Sequence[SegmentVersion]:
        """All versions, oldest first."""
        ...

    def start_refresh(self, parent_id: int, *, as_of: datetime, at: datetime) -> RefreshRecord:
        """A new running refresh with the next number. Refreshes still marked running by a dead process become `error`."""
        ...

    def finish_refresh(
        self,
        refresh_id: int,
        status: RefreshStatus,
        *,
        at: datetime,
        population: int = 0,
        catalog: Json | None = None,
        report: Json | None = None,
        message: str = "",
    ) -> RefreshRecord:
        """Close a refresh."""
        ...

    def refreshes(self, parent_id: int, limit: int = 50) -> Sequence[RefreshRecord]:
        """Newest first."""
        ...

    def last_refresh(self, parent_id: int) -> RefreshRecord | None:
        """The newest successful refresh."""
        ...

    def save_evaluation(
        self, parent_id: int, refresh_number: int, *, as_of: datetime, at: datetime, total: int, populations: Sequence[PopulationRecord]
    ) -> EvaluationRecord:
        """Keep the outcome of one evaluation."""
        ...

    def last_evaluation(self, parent_id: int) -> EvaluationRecord | None:
        """The newest evaluation."""
        ...

    def evaluation(self, evaluation_id: int) -> EvaluationRecord | None:
        """One evaluation; None when there is none of that id."""
        ...

    def evaluations(self, parent_id: int, limit: int | None = None) -> Sequence[EvaluationSummary]:
        """Newest first: at most `limit` of them, or all."""
        ...

    def populations(self, evaluation_ids: Sequence[int]) -> Mapping[int, Sequence[PopulationRecord]]:
        """The populations of several evaluations by their ids, each in the order in which they were counted."""
        ...

    def segment_evaluations(self, segment_id: int) -> Sequence[EvaluationRecord]:
        """Every evaluation that counted one segment, oldest first; each with the populations of that segment and its variants only."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
