"""Sources: who sends calls, their keys, how they are doing."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path

from kohort.ports.sources import NewSource
from kohort.services.definitions.revisions import require_revision, revision_of
from kohort.services.sources.registry import add_source, change_source, parse_grace, require_source, rotate_key, set_status
from kohort.web.api.answers import Json
from kohort.web.api.bodies import AddedSource, ChangedSource, NewKey
from kohort.web.api.desk import AtDesk, Desk, IfMatch, etag, held
from kohort.web.api.documents import source_document, state_document
from kohort.web.api.guard import Routes
from kohort.web.api.pages import Cursor, Limit, page_of

routes = Routes("Sources")
SourceName = Annotated[str, Path(max_length=300, description="The source: its schema or name.")]
_SOURCE = {
    "name": "Web Shop",
    "schema": "web_shop",
    "status": "enabled",
    "naming": "segment",
    "keys": [{"last_four": "9xQz", "valid": True}],
}
_ISSUED = {**_SOURCE, "write_key": "shown this once"}
REVISED = {"ETag": "The revision: send it as If-Match when you change this."}


def _held(desk: AtDesk, source: SourceName, if_match: IfMatch = "") -> str | None:
    return held(if_match, partial(require_revision, require_source(desk.kohort.store, source)))


HeldRevision = Annotated[str | None, Depends(_held)]


@routes.on("GET", "/sources", "sources.read", example={"items": [_SOURCE], "next": "WyJWSVAiLCA1XQ"})
def list_sources(desk: AtDesk, cursor: Cursor = "", limit: Limit = 100) -> Json:
    """Sources by name, disabled ones too."""
    return Json(page_of(desk.kohort.store.sources(), lambda s: [s.name, s.id], lambda s: _document(desk, s.name), cursor, limit))


@routes.on(
    "POST",
    "/sources",
    "sources.write",
    status=201,
    problems=("NAME_TAKEN", "SCHEMA_TAKEN", "UNKNOWN_KEYS_TAKEN"),
    example=_ISSUED,
    headers=REVISED,
    name="add_source",
)
def add(desk: AtDesk, body: AddedSource) -> Json:
    """Add a source. Its write key is in the answer, this once."""
    kohort = desk.kohort
    with kohort.shared_warehouse.use() as warehouse:
        databases = {info.ref.database for info in warehouse.tables()}
    wanted = NewSource(body.name, body.schema_name, body.naming, body.accept_unknown_keys, body.rate_limit)
    with desk.change() as note:
        issued = add_source(kohort.store, wanted, databases, by=desk.by, clock=kohort.clock)
        note("source.add", "source", issued.source.slug, after=revision_of(issued.source))
    return Json({**_document(desk, issued.source.slug), "write_key": issued.write_key}, 201, etag(revision_of(issued.source)))


@routes.on("GET", "/sources/{source}", "sources.read", example=_SOURCE, headers=REVISED)
def get_source(desk: AtDesk, source: SourceName) -> Json:
    """A source with its keys, old ones too; of each only the last four characters."""
    record = require_source(desk.kohort.store, source)
    return Json(_document(desk, record.slug), 200, etag(revision_of(record)))


@routes.on(
    "PATCH",
    "/sources/{source}",
    "sources.write",
    problems=("UNKNOWN_KEYS_TAKEN", 412, 428),
    example=_SOURCE,
    headers=REVISED,
    name="change_source",
)
def change(desk: AtDesk, source: SourceName, body: ChangedSource, revision: HeldRevision) -> Json:
    """Enable, disable, or change the switches. It takes effect within seconds."""
    kohort = desk.kohort
    with desk.change() as note:
        before = require_source(kohort.store, source)
        require_revision(before, revision)
        after = change_source(
            kohort.store,
            before.slug,
            rate_limit=body.rate_limit,
            accept_unknown_keys=body.accept_unknown_keys,
            by=desk.by,
            clock=kohort.clock,
        )
        if body.status is not None:
            after = set_status(kohort.store, before.slug, body.status, by=desk.by, clock=kohort.clock)
        if after != before:
            note("source.change", "source", after.slug, revision_of(before), revision_of(after), after.status)
    return Json(_document(desk, after.slug), 200, etag(revision_of(after)))


@routes.on("POST", "/sources/{source}/rotate-key", "sources.write", problems=("KEY_TAKEN",), example=_ISSUED, name="rotate_source_key")
def rotate(desk: AtDesk, source: SourceName, body: NewKey) -> Json:
    """A new write key, in the answer this once. Older ones stop at once, or when the grace is over."""
    kohort, grace = desk.kohort, parse_grace(body.grace)
    with desk.change() as note:
        issued = rotate_key(kohort.store, source, grace=grace, by=desk.by, clock=kohort.clock)
        note("source.rotate", "source", issued.source.slug, after=issued.write_key[-4:], detail=f"grace {body.grace}")
    return Json({**_document(desk, issued.source.slug), "write_key": issued.write_key, "old_until": issued.old_until})


@routes.on(
    "GET", "/sources/{source}/status", "sources.read", example={"schema": "web_shop", "calls": {"received": 120}, "age_seconds": 0.4}
)
def status_of_source(desk: AtDesk, source: SourceName) -> Json:
    """What arrived, what became of it, how far tables are behind."""
    kohort = desk.kohort
    record = require_source(kohort.store, source)
    [state] = kohort.source_states([record], kohort.server_counts())
    return Json(state_document(state))


def _document(desk: Desk, slug: str) -> dict[str, object]:
    store = desk.kohort.store
    record = require_source(store, slug)
    return source_document(record, list(store.write_keys(record.id)), desk.kohort.clock.now())
