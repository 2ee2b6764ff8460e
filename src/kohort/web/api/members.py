"""The members of a saved segment: in pages, or all of them as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from kohort.foundation.errors import UserError
from kohort.foundation.instants import load_zone
from kohort.parent.layout import CUSTOMER_ID
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.services.access import hidden_attributes
from kohort.services.definitions.revisions import revision_of
from kohort.services.evaluation.evaluate import Engine
from kohort.services.membership.members import export_members, require_attributes
from kohort.services.profiles.pages import member_page
from kohort.web.api.answers import Json
from kohort.web.api.desk import AsOf, AtDesk, Desk, ParentName, SegmentId
from kohort.web.api.documents import profiles_document
from kohort.web.api.file_names import as_attachment, file_name
from kohort.web.api.guard import Routes
from kohort.web.api.heads import headers_alone, is_head
from kohort.web.api.pages import Cursor, Limit, read_number

routes = Routes("Segments")
Variant = Annotated[str, Query(max_length=600, description="Only those in this variant of its A/B test: `A-Offer`; empty: all.")]
Columns = Annotated[str, Query(max_length=5000, description="Attributes, comma separated; empty: all one may see.")]
Spreadsheet = Annotated[
    bool, Query(description="For people: UTF-8 is marked, and texts that a spreadsheet would take for a formula get an apostrophe.")
]
_CSV = "text/csv; charset=utf-8"
_NAMED = {"Content-Disposition": "A file name of parent segment, segment, variant and day: `all-customers-vip-2024-03-01.csv`."}
_ONE = "/parents/{parent}/segments/{segment}"


@routes.on(
    "GET", f"{_ONE}/members", "members.read", problems=("NOT_REFRESHED", 503), example={"total": 12, "items": [], "next": "WyJWSVAiLCA1XQ"}
)
def list_members(
    desk: AtDesk, parent: ParentName, segment: SegmentId, variant: Variant = "", as_of: AsOf = "", cursor: Cursor = "", limit: Limit = 50
) -> Json:
    """Members with their attributes. Personal data is null for those who may not see it."""
    record, stored = desk.segment(parent, segment, "members.read")
    with desk.engine(record) as engine:
        moment = desk.instant(as_of, engine.catalog.timezone)
        page = member_page(engine, _members_at(engine, stored, variant), after=read_number(cursor, -1), limit=limit, as_of=moment)
        hidden = hidden_attributes(engine.catalog, desk.access, record.id)
    return Json({"total": page.total, "as_of": page.as_of, **profiles_document(page, engine.key_column, hidden)})


@routes.on(
    "GET",
    f"{_ONE}/members.csv",
    "members.export",
    problems=("NOT_REFRESHED", 503, 507),
    media="text/csv",
    example='"customer_id","country"\n"c021","JP"\n',
    headers=_NAMED,
)
def download_members(
    request: Request,
    desk: AtDesk,
    parent: ParentName,
    segment: SegmentId,
    columns: Columns = "",
    variant: Variant = "",
    as_of: AsOf = "",
    spreadsheet: Spreadsheet = False,
) -> Response:
    """All members as a CSV file, whole or not at all. Columns of personal data are left out for those who may not see them.

    HEAD says how the file would be called and makes none.
    """
    record, stored = desk.segment(parent, segment, "members.export")
    with desk.engine(record) as engine:
        wanted = _Wanted.of(desk, engine, record, stored, columns, variant, as_of)
        headers = {"Content-Disposition": as_attachment(wanted.file_name(record, stored)), "Accept-Ranges": "bytes"}
        if is_head(request):
            return headers_alone(Response(media_type=_CSV, headers=headers))
        with _temporary(desk) as path:
            shown = wanted.columns or (CUSTOMER_ID,)
            count = export_members(
                engine, wanted.target, columns=shown, format="csv", output=path, as_of=wanted.moment, spreadsheet=spreadsheet
            )
            detail = f"{count} rows: {', '.join(wanted.columns)}"
            desk.note("members.export", "segment", f"{record.slug}:{wanted.target}", after=revision_of(stored), detail=detail)
    return FileResponse(path, media_type=_CSV, headers=headers, background=BackgroundTask(path.unlink, missing_ok=True))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be in a file. moment: None for that of the last refresh; columns: those that may be seen; day: of the moment."""

    target: str
    variant: str
    columns: tuple[str, ...]
    moment: datetime | None
    day: datetime

    @staticmethod
    def of(desk: Desk, engine: Engine, parent: ParentRecord, stored: SegmentRecord, columns: str, variant: str, as_of: str) -> _Wanted:
        """Raises InvalidInput UNKNOWN_ATTRIBUTE, UserError SEGMENT_NOT_FOUND, INVALID_INSTANT."""
        hidden = hidden_attributes(engine.catalog, desk.access, parent.id)
        asked = [name.strip() for name in columns.split(",") if name.strip()]
        seen = tuple(name for name in asked or [CUSTOMER_ID, *engine.catalog.attribute] if name not in hidden)
        moment = desk.instant(as_of, engine.catalog.timezone)
        target = _members_at(engine, stored, variant)
        require_attributes(engine, seen)
        day = (moment or engine.refresh.as_of).astimezone(load_zone(engine.catalog.timezone) or ZoneInfo("UTC"))
        return _Wanted(target, variant, seen, moment, day)

    def file_name(self, parent: ParentRecord, stored: SegmentRecord) -> str:
        return file_name(parent.slug, stored.name, self.variant, day=self.day.date(), ending="csv")


@contextmanager
def _temporary(desk: Desk) -> Iterator[Path]:
    """The path of a file that is gone when something fails meanwhile."""
    folder = desk.kohort.workspace.state / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".csv", delete=False) as made:
        path = Path(made.name)
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _members_at(engine: Engine, stored: SegmentRecord, variant: str) -> str:
    """The path of a segment, or of one of its variants. Raises UserError SEGMENT_NOT_FOUND."""
    path = f"{stored.path}/{variant}" if variant else stored.path
    if engine.graph.owners.get(path) != stored.path:
        raise UserError("SEGMENT_NOT_FOUND", f'"{stored.path}" has no variant "{variant}"', hint="variants are called like A-Offer")
    return path
