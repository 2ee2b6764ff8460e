"""Parent segments, their refreshes and runs, fields and values."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query

from kohort.parent.schema_export import editor_document, fields_document
from kohort.services.definitions.revisions import require_revision, revision_of
from kohort.services.definitions.save import save_parent
from kohort.services.parents.fields import parent_fields
from kohort.services.parents.suggestions import field_statistics, suggest_values
from kohort.web.api.answers import Json
from kohort.web.api.bodies import ParentDefinition
from kohort.web.api.desk import AtDesk, IfMatch, ParentName, etag, held
from kohort.web.api.documents import parent_document
from kohort.web.api.guard import Routes
from kohort.web.api.pages import Cursor, Limit, page_of

routes = Routes("Parent segments")
FieldName = Annotated[str, Path(max_length=600, description="`loyalty_tier`, or `purchase.amount` for a column of a behavior.")]
RefreshNumber = Annotated[int, Path(ge=1, lt=2**31, description="Refreshes of a parent segment count from 1.")]
_PARENT = {"id": 1, "slug": "all-customers", "name": "All Customers", "version": 3, "revision": "3-1a2b3c4d5e6f7081", "population": 14}
_RUN = {"id": 7, "kind": "refresh", "parent": "all-customers", "number": 4, "status": "running", "started_at": "2024-03-01T03:00:00Z"}
_WITH = {
    **_PARENT,
    "definition": {"name": "All Customers", "master": {"database": "shop", "table": "customers", "key_column": "customer_id"}},
}
_ETAG = {"ETag": "The revision: send it as If-Match when you change this."}


def _held(desk: AtDesk, parent: ParentName, if_match: IfMatch = "") -> str | None:
    return held(if_match, partial(require_revision, desk.parent(parent, "parents.write")))


HeldRevision = Annotated[str | None, Depends(_held)]


@routes.on("GET", "/parents", "parents.list", example={"items": [_PARENT], "next": "WyJWSVAiLCA1XQ"})
def list_parents(desk: AtDesk, cursor: Cursor = "", limit: Limit = 100) -> Json:
    """Parent segments by name."""
    store = desk.kohort.store
    seen = [record for record in store.parents() if desk.access.may("parents.read", record.id)]
    return Json(page_of(seen, lambda r: [r.name, r.id], lambda r: parent_document(r, store.last_refresh(r.id)), cursor, limit))


@routes.on("POST", "/parents", "parents.add", status=201, problems=("NAME_TAKEN",), example=_WITH, headers=_ETAG)
def add_parent(desk: AtDesk, body: ParentDefinition) -> Json:
    """Add a parent segment."""
    kohort = desk.kohort
    with desk.change() as note:
        _, saved = save_parent(kohort.store, body.definition, parent=None, revision=None, by=desk.by, clock=kohort.clock)
        note("parent.add", "parent", saved.slug, after=revision_of(saved))
    return Json({**parent_document(saved, None), "definition": saved.document}, 201, etag(revision_of(saved)))


@routes.on("GET", "/parents/{parent}", "parents.read", example=_WITH, headers=_ETAG)
def get_parent(desk: AtDesk, parent: ParentName) -> Json:
    """A parent segment with its definition."""
    record = desk.parent(parent, "parents.read")
    last = desk.kohort.store.last_refresh(record.id)
    return Json({**parent_document(record, last), "definition": record.document}, 200, etag(revision_of(record)))


@routes.on("PUT", "/parents/{parent}", "parents.write", problems=("SLUG_CHANGES", 412, 428), example=_WITH, headers=_ETAG)
def put_parent(desk: AtDesk, parent: ParentName, body: ParentDefinition, revision: HeldRevision) -> Json:
    """Change the definition. It takes effect with the next refresh."""
    kohort, record = desk.kohort, desk.parent(parent, "parents.write")
    with desk.change() as note:
        before, saved = save_parent(kohort.store, body.definition, parent=record, revision=revision, by=desk.by, clock=kohort.clock)
        if before != saved:
            note("parent.save", "parent", saved.slug, revision_of(before) if before else "", revision_of(saved))
    last = kohort.store.last_refresh(record.id)
    return Json({**parent_document(saved, last), "definition": saved.document}, 200, etag(revision_of(saved)))


# --- fields -------------------------------------------------------------------------------------------------------


@routes.on("GET", "/parents/{parent}/fields", "parents.read", problems=(503,), example={"refreshed_at": None, "fields": {}})
def list_fields(desk: AtDesk, parent: ParentName) -> Json:
    """The attributes and behaviors that rules may use."""
    kohort, record = desk.kohort, desk.parent(parent, "parents.read")
    with kohort.shared_warehouse.use() as warehouse:
        found = parent_fields(warehouse, kohort.store, record)
    names, catalog = fields_document(found.catalog), editor_document(found.catalog)
    return Json({"refreshed_at": found.refreshed_at, "timezone": found.catalog.timezone, "fields": names, "catalog": catalog})


@routes.on(
    "GET", "/parents/{parent}/fields/{name}", "values.read", problems=("NOT_REFRESHED", 503), example={"field": "loyalty_tier", "rows": 14}
)
def get_field(desk: AtDesk, parent: ParentName, name: FieldName) -> Json:
    """How the values of a field are spread. Values of personal data are not shown to anybody here."""
    record = desk.parent(parent, "values.read")
    with desk.engine(record) as engine:
        return Json(asdict(field_statistics(engine, desk.kohort.fields, name)))


@routes.on(
    "GET",
    "/parents/{parent}/fields/{name}/values",
    "values.read",
    problems=("NOT_REFRESHED", 503),
    example={"items": [{"value": "Gold", "count": 4, "share": 0.29}]},
    name="suggest_values",
)
def suggest(
    desk: AtDesk,
    parent: ParentName,
    name: FieldName,
    prefix: Annotated[str, Query(max_length=200, description="What was typed so far.")] = "",
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 20,
) -> Json:
    """The most frequent values that begin with what was typed."""
    record = desk.parent(parent, "values.read")
    with desk.engine(record) as engine:
        return Json({"items": [asdict(value) for value in suggest_values(engine, desk.kohort.fields, name, prefix, limit)]})
