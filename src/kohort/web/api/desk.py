"""What the routes of the API work with: the workspace, a warehouse for each request, revisions, the audit log, runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Path, Query, Request

from kohort.foundation.errors import UserError
from kohort.foundation.instants import from_micros, load_zone, parse_instant
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.services.access import Access
from kohort.services.definitions.listing import ListedSegment, list_segments
from kohort.services.definitions.save import stored_segment
from kohort.services.definitions.stored import require_parent
from kohort.services.evaluation.evaluate import Engine
from kohort.services.users import Actor, Caller, note_audit
from kohort.web.api.guard import caller_of
from kohort.web.api.running import Running

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

ParentName = Annotated[str, Path(max_length=300, description="The parent segment: slug or id.")]
SegmentId = Annotated[int, Path(ge=1, lt=2**31, description="The id of a segment.")]
AsOf = Annotated[
    str, Query(max_length=60, description="The instant: 2024-01-31, 2024-01-31T10:00Z or now; empty: that of the last refresh.")
]
IfMatch = Annotated[str, Header(alias="If-Match", max_length=200, description="The ETag you read.", examples=['"3-1a2b3c4d5e6f7081"'])]


@dataclass
class Desk:
    """One request: the workspace and who asks."""

    kohort: Kohort
    caller: Caller
    runs: Running
    _listed: dict[int, list[ListedSegment]] = field(default_factory=dict, repr=False)

    @property
    def access(self) -> Access:
        return self.caller.access

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    @property
    def by(self) -> str:
        return self.caller.user.name

    def parent(self, name: str, action: str, folder: str | None = None) -> ParentRecord:
        """The parent segment, if the action is allowed in it. To those who may see nothing in it, it is not there."""
        record = self._readable_parent(name)
        self.access.require(action, record.id, folder or "")
        return record

    def _readable_parent(self, name: str) -> ParentRecord:
        store = self.kohort.store
        record = store.parent(name) if self.access.is_limited else require_parent(store, name)
        if record is None or not self.access.may("parents.read", record.id):
            raise UserError("PARENT_NOT_FOUND", f'there is no parent segment "{name}"', hint="ask an admin whether you may see it")
        return record

    def segment(self, name: str, segment_id: int, action: str) -> tuple[ParentRecord, SegmentRecord]:
        """The parent segment and its segment, if the action is allowed on it. What one may not see is not there."""
        parent = self._readable_parent(name)
        known = {record.id: record for record in self.kohort.store.segments(parent.id)} if self.access.is_limited else {}
        record = known.get(segment_id) if self.access.is_limited else stored_segment(self.kohort.store, parent, segment_id)
        if record is None or not self.access.may("segments.read", parent.id, record.folder):
            raise UserError("SEGMENT_NOT_FOUND", f'there is no segment "{segment_id}"', hint="ask an admin whether you may see it")
        self.access.require(action, parent.id, record.folder)
        return parent, record

    def listed(self, parent: ParentRecord) -> list[ListedSegment]:
        """All segments of a parent segment as they were at the first look of this request."""
        if parent.id not in self._listed:
            self._listed[parent.id] = list_segments(self.kohort.store, parent)
        return self._listed[parent.id]

    def sees(self, parent: ParentRecord, path: str) -> bool:
        """Whether a segment at this path may be shown."""
        return self.access.may("segments.read", parent.id, path.rpartition("/")[0])

    @contextmanager
    def engine(self, parent: ParentRecord) -> Iterator[Engine]:
        """The engine over the last good refresh. It takes the warehouse only for what the index does not answer.

        Raises UserError NOT_REFRESHED; its queries raise WAREHOUSE_BUSY.
        """
        with self.kohort.engines.use(parent) as engine:
            yield engine

    @contextmanager
    def change(self) -> Iterator[Callable[..., None]]:
        """All or nothing: a change and its entry in the audit log, written by what this gives."""
        with self.kohort.store.transaction():
            yield self.note

    def note(self, action: str, kind: str, name: str, before: str = "", after: str = "", detail: str = "") -> None:
        """An entry in the audit log."""
        note_audit(self.kohort.store, self.actor, self.kohort.clock, action, kind, name, before=before, after=after, detail=detail)

    def instant(self, text: str, zone: str) -> datetime | None:
        """The instant that was asked for; None: none was. Raises UserError INVALID_INSTANT."""
        if not text:
            return None
        if text.lower() == "now":
            return self.kohort.clock.now()
        micros = parse_instant(text, load_zone(zone) or ZoneInfo("UTC"))
        if micros is None:
            raise UserError("INVALID_INSTANT", f'"{text}" is not an instant', hint="write 2024-01-31, 2024-01-31T10:00:00Z or now")
        return from_micros(micros)


async def desk_of(request: Request) -> Desk:
    """What a route works with."""
    state = request.app.state
    return Desk(state.kohort, caller_of(request), state.runs)


AtDesk = Annotated[Desk, Depends(desk_of)]


def revision_in(if_match: str) -> str | None:
    """The revision of an If-Match header; None for `*`. Raises UserError REVISION_MISSING."""
    text = if_match.strip()
    if not text:
        hint = "send the ETag you read as If-Match, or * to overwrite whatever is there"
        raise UserError("REVISION_MISSING", "a change needs the revision it is made on", hint=hint)
    return None if text == "*" else text.removeprefix("W/").strip('"')


def held(if_match: str, check: Callable[[str | None], object]) -> str | None:
    """The revision that a change is made on, checked before anything that was sent is read.

    Raises UserError REVISION_MISSING, and CHANGED_MEANWHILE by way of check.
    """
    revision = revision_in(if_match)
    check(revision)
    return revision


def etag(revision: str) -> dict[str, str]:
    """The header that tells a revision."""
    return {"ETag": f'"{revision}"'}
