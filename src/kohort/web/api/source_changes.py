"""Rarer changes of a source: another name, how its calls become profiles, its end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from kohort.foundation.errors import UserError
from kohort.ports.sources import SourceRecord
from kohort.services.definitions.revisions import require_revision, revision_of
from kohort.services.sources.identity import change_identity, identity_document, identity_of_document, identity_rules
from kohort.services.sources.registry import remove_source, rename_source, require_source, require_tables_unused
from kohort.web.api.answers import Json
from kohort.web.api.bodies import Body
from kohort.web.api.desk import AtDesk, Desk, etag
from kohort.web.api.documents import source_document
from kohort.web.api.guard import Routes
from kohort.web.api.sources import REVISED, HeldRevision, SourceName

routes = Routes("Sources")
DropTables = Annotated[bool, Query(description="Drop its tables, too; without this they stay.")]
_SOURCE = {"name": "Web Shop", "schema": "web_shop", "status": "enabled"}
_LIMIT = {"count": 5, "period": "ever"}
_IDENTITY = {"own": True, "limits": {"email": _LIMIT}, "limit": _LIMIT, "priority": ["user_id", "email"], "blocked": ["anonymous"]}


class NewName(Body):
    """What people call the source from now on."""

    name: Annotated[str, Field(min_length=1, max_length=300, examples=["Web Shop"])]


class Identity(Body):
    """How external ids become profiles; what is left out is as in every source. Limits: {type: {count, period}}."""

    limits: Annotated[
        dict[str, Any] | None, Field(description="How many ids of a type a profile may have.", examples=[{"email": _LIMIT}])
    ] = None
    limit: Annotated[dict[str, Any] | None, Field(description="The same of types that `limits` does not name.", examples=[_LIMIT])] = None
    priority: Annotated[
        list[str] | None, Field(description="Types, those that are trusted most first.", examples=[["user_id", "email"]])
    ] = None
    blocked: Annotated[list[str] | None, Field(description="Values that are nobody's.", examples=[["anonymous", "null"]])] = None
    blocked_pattern: Annotated[str | None, Field(description="The same as a pattern.")] = None
    custom: Annotated[dict[str, str] | None, Field(description="Further types: the name, and the property that has it.")] = None
    left_out: Annotated[list[str] | None, Field(description="Types that are not used.")] = None


@routes.on(
    "POST",
    "/sources/{source}/rename",
    "sources.write",
    problems=("NAME_TAKEN", 412, 428),
    example=_SOURCE,
    headers=REVISED,
    name="rename_source",
)
def rename(desk: AtDesk, source: SourceName, body: NewName, revision: HeldRevision) -> Json:
    """Another name. The schema and the keys stay."""
    kohort = desk.kohort
    with desk.change() as note:
        before = require_source(kohort.store, source)
        require_revision(before, revision)
        after = rename_source(kohort.store, before.slug, body.name, by=desk.by, clock=kohort.clock)
        if after != before:
            note("source.rename", "source", after.slug, revision_of(before), revision_of(after), after.name)
    document = source_document(after, list(kohort.store.write_keys(after.id)), kohort.clock.now())
    return Json(document, 200, etag(revision_of(after)))


@routes.on("GET", "/sources/{source}/identity", "sources.read", example=_IDENTITY, headers=REVISED)
def get_identity(desk: AtDesk, source: SourceName) -> Json:
    """How ids of calls become profiles: limits, order of trust, values that are nobody's. own: whether they are rules of this source."""
    record = require_source(desk.kohort.store, source)
    return Json(_identity(record), 200, etag(revision_of(record)))


@routes.on("PUT", "/sources/{source}/identity", "sources.write", problems=(412, 428), example=_IDENTITY, headers=REVISED)
def put_identity(desk: AtDesk, source: SourceName, body: Identity, revision: HeldRevision) -> Json:
    """Resolve calls that come from now on by these rules; merges are never undone. An empty object: the rules of every source."""
    kohort = desk.kohort
    rules = identity_of_document(body.model_dump(exclude_none=True))
    with desk.change() as note:
        before = require_source(kohort.store, source)
        require_revision(before, revision)
        after = change_identity(kohort.store, before.slug, rules, by=desk.by, clock=kohort.clock)
        if after != before:
            note("source.identity", "source", after.slug, revision_of(before), revision_of(after))
    return Json(_identity(after), 200, etag(revision_of(after)))


@routes.on(
    "DELETE",
    "/sources/{source}",
    "sources.write",
    problems=("SOURCE_ENABLED", "SOURCE_HAS_CALLS", "SOURCE_IN_USE", 412, 428, 503),
    example={"removed": "web_shop", "dropped": ["tracks"]},
)
def drop_source(desk: AtDesk, source: SourceName, revision: HeldRevision, drop_tables: DropTables = False) -> Json:
    """Remove a source that is disabled and of which nothing waits for tables. Its keys are never taken again."""
    kohort = desk.kohort
    record = require_source(kohort.store, source)
    require_revision(record, revision)
    if record.status == "disabled":
        _require_nothing_waits(desk, record)
    if drop_tables:
        require_tables_unused(kohort.store, record)
    with desk.change() as note:
        remove_source(kohort.store, record.slug)
        note("source.remove", "source", record.slug, before=revision_of(record), detail="with its tables" if drop_tables else "")
        dropped = _dropped(desk, record) if drop_tables else []
    return Json({"removed": record.slug, "dropped": dropped})


def _dropped(desk: Desk, record: SourceRecord) -> list[str]:
    with desk.kohort.shared_warehouse.use() as warehouse:
        return desk.kohort.drop_source_tables(record.slug, warehouse)


def _require_nothing_waits(desk: Desk, record: SourceRecord) -> None:
    (state,) = desk.kohort.source_states([record], None)
    if state.waiting:
        raise UserError("SOURCE_HAS_CALLS", f"{state.waiting} calls of {record.name} are not in tables yet", hint="try again in a moment")


def _identity(record: SourceRecord) -> dict[str, Any]:
    return {"own": bool(record.identity), **identity_document(identity_rules(record))}
