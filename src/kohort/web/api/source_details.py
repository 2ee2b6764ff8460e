"""More of a source: ending one of its keys, and what of its calls found no place."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from kohort.services.sources.misfits import MisfitKind, Misfits, source_misfits
from kohort.services.sources.registry import require_source, revoke_key
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body
from kohort.web.api.desk import AtDesk, Desk
from kohort.web.api.documents import source_document
from kohort.web.api.guard import Routes
from kohort.web.api.sources import SourceName

routes = Routes("Sources")
Most = Annotated[int, Query(ge=1, le=500, description="How many rows at most, newest first.")]
_SOURCE = {"name": "Web Shop", "schema": "web_shop", "keys": [{"last_four": "9xQz", "valid": False}]}
_REASON = {"code": "no_user_anon_id", "meaning": "the call has neither `userId` nor `anonymousId`", "count": 2}
_REJECTS = {"count": 2, "reasons": [_REASON], "rows": [{"code": "no_user_anon_id", "type": "track", "sample": '{"event": "Bought"}'}]}
_DISCARD = {"table_name": "order_completed", "column_name": "total", "reason": "wrong_type"}
_DISCARDS = {"count": 1, "reasons": [{**_REASON, "code": "wrong_type", "count": 1}], "rows": [_DISCARD]}


class EndedKey(Body):
    """The key that is to end, by its last four characters."""

    last_four: Annotated[str, Field(min_length=4, max_length=4, examples=["9xQz"])]


@routes.on("POST", "/sources/{source}/revoke-key", "sources.write", problems=("KEY_NOT_FOUND",), example=_SOURCE, name="revoke_source_key")
def end_key(desk: AtDesk, source: SourceName, body: EndedKey) -> Json:
    """Refuse one write key from now on; it takes effect within seconds."""
    kohort = desk.kohort
    with desk.change() as note:
        record, key = revoke_key(kohort.store, source, body.last_four, clock=kohort.clock)
        note("source.revoke", "source", record.slug, before=key.last_four)
    return Json(source_document(record, list(kohort.store.write_keys(record.id)), kohort.clock.now()))


@routes.on("GET", "/sources/{source}/rejects", "sources.read", problems=(503,), example=_REJECTS)
def list_rejects(desk: AtDesk, source: SourceName, limit: Most = 50) -> Json:
    """The calls that could not be taken, with the reason of each. Samples are shown to those who may see personal data."""
    return Json(misfits_document(_misfits(desk, source, "rejects", limit)))


@routes.on("GET", "/sources/{source}/discards", "sources.read", problems=(503,), example=_DISCARDS)
def list_discards(desk: AtDesk, source: SourceName, limit: Most = 50) -> Json:
    """The values that found no column, with the reason of each. Values are shown to those who may see personal data."""
    return Json(misfits_document(_misfits(desk, source, "discards", limit)))


def _misfits(desk: Desk, source: str, kind: MisfitKind, limit: int) -> Misfits:
    record = require_source(desk.kohort.store, source)
    with desk.kohort.shared_warehouse.use() as warehouse:
        return source_misfits(warehouse, record, kind, limit, shows_values=desk.access.may("pii.read"))


def misfits_document(found: Misfits) -> dict[str, object]:
    """Rejected calls or discarded values."""
    reasons = [{"code": r.code, "meaning": r.meaning, "count": r.count, "last_at": r.last_at} for r in found.reasons]
    return {"count": found.count, "reasons": reasons, "rows": list(found.rows)}
