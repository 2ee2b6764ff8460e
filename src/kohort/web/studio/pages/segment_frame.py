"""What every tab of a segment shows: path, kind, population, share, freshness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from kohort.foundation.errors import UserError
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.services.definitions.listing import ListedSegment
from kohort.services.definitions.revisions import revision_of
from kohort.web.api.desk import Desk
from kohort.web.studio.render import render


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One segment as its pages need it. variants: as the list has them, each right below its segment."""

    parent: ParentRecord
    record: SegmentRecord
    listed: ListedSegment
    variants: tuple[ListedSegment, ...]

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"/audiences/{self.parent.slug}/segments/{self.record.id}"

    @property
    def api(self) -> str:
        """Where the API has it."""
        return f"/api/v1/parents/{self.parent.slug}/segments/{self.record.id}"

    @property
    def etag(self) -> str:
        """What a change must send as If-Match."""
        return f'"{revision_of(self.record)}"'

    @property
    def folders(self) -> list[tuple[str, str]]:
        """(name, path) of the folders around it, outermost first."""
        parts = self.record.folder.split("/") if self.record.folder else []
        return [(name, "/".join(parts[: end + 1])) for end, name in enumerate(parts)]


def segment_view(desk: Desk, parent: str, segment_id: int, action: str) -> SegmentView:
    """A segment that one may see, and do this with. Raises UserError SEGMENT_NOT_FOUND, FORBIDDEN."""
    record, stored = desk.segment(parent, segment_id, action)
    listed = desk.listed(record)
    own = next(item for item in listed if item.path == stored.path)
    variants = tuple(item for item in listed if item.is_variant and item.folder == stored.path)
    return SegmentView(record, stored, own, variants)


def shown_segment(view: SegmentView, variant: str) -> ListedSegment:
    """The segment, or the variant of that name. Raises UserError SEGMENT_NOT_FOUND."""
    if not variant:
        return view.listed
    found = next((item for item in view.variants if item.name == variant), None)
    if found is None:
        raise UserError("SEGMENT_NOT_FOUND", f'"{view.record.name}" has no variant "{variant}"', hint="it may have been renamed")
    return found


def render_tab(request: Request, template: str, desk: Desk, view: SegmentView, tab: str, **context: Any) -> Response:
    """A tab of a segment's page. shown: what its head is about, the segment (default) or one of its variants."""
    last = desk.kohort.store.last_refresh(view.parent.id)
    context.setdefault("shown", view.listed)
    return render(request, template, desk, parent=view.parent, view=view, tab=tab, last=last, **context)
