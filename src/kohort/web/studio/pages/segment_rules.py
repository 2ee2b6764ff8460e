"""The rules of a segment, and a new one: the page around the editor, and what the editor starts from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.schema_export import editor_document
from kohort.ports.definitions import ParentRecord, SegmentRecord
from kohort.rules.describe import describe
from kohort.segments.definition import Segment
from kohort.services.definitions.stored import segment_of
from kohort.web.api.desk import AtDesk, Desk, ParentName, SegmentId
from kohort.web.api.documents import definition_of
from kohort.web.studio.pages.segment_frame import render_tab, segment_view
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()
_KEPT_OF_A_COPY = ("description", "kind", "base", "rule", "lint")


@routes.page("/audiences/{parent}/segments/new", "segments.write")
def new_segment_page(
    request: Request,
    desk: AtDesk,
    parent: ParentName,
    folder: Annotated[str, Query(max_length=1000)] = "",
    copy: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    inside: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Response:
    """A new segment in a folder; copy: the id of one to begin from; inside: of one whose members alone it chooses from."""
    record = desk.parent(parent, "parents.read")
    if copy:
        definition = _copied(desk, record, copy)
    else:
        around = desk.segment(parent, inside, "segments.read")[1] if inside else None
        place = around.folder if around else folder.strip("/")
        definition = {"name": ""} | ({"folder": place} if place else {}) | ({"base": around.path} if around else {})
    desk.access.require("segments.write", record.id, definition.get("folder", ""))
    setup = _setup(desk, record) | {"definition": definition, "readonly": False}
    return render(request, "segments/new.html", desk, parent=record, setup=setup, folder=definition.get("folder", ""))


@routes.page("/audiences/{parent}/segments/{segment}/rules", "segments.read")
def rules_page(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId) -> Response:
    """The rules of a segment: to change for those who may, else to look at."""
    view = segment_view(desk, parent, segment, "segments.read")
    readonly = not desk.access.may("segments.write", view.parent.id, view.record.folder)
    setup = _setup(desk, view.parent) | {
        "id": view.record.id,
        "etag": view.etag,
        "version": view.record.version,
        "definition": definition_of(view.record)["definition"],
        "readonly": readonly,
    }
    return render_tab(
        request, "segments/rules.html", desk, view, "rules", setup=setup, readonly=readonly, sentence=_sentence(segment_of(view.record))
    )


def _setup(desk: Desk, parent: ParentRecord) -> dict[str, Any]:
    """What the editor needs to know beside the definition: where it is, and what there is to refer to.

    fields: as the API has them, so that the rule can be shown before anybody waits for the warehouse; None before the first refresh.
    """
    listed = [item for item in desk.listed(parent) if desk.sees(parent, item.folder if item.is_variant else item.path)]
    segments = [{"path": item.path, "id": item.id} for item in listed if not item.is_variant]
    last = desk.kohort.store.last_refresh(parent.id)
    return {
        "parent": parent.slug,
        "parent_name": parent.name,
        "segments": segments,
        "variants": [item.path for item in listed if item.is_variant],
        "folders": _folders([item["path"] for item in segments]),
        "fields": {"catalog": editor_document(catalog_from_document(last.catalog))} if last else None,
    }


def _folders(paths: list[Any]) -> list[str]:
    parts = [path.split("/")[:-1] for path in paths]
    return sorted({"/".join(part[: end + 1]) for part in parts for end in range(len(part))})


def _copied(desk: Desk, parent: ParentRecord, segment_id: int) -> dict[str, Any]:
    """The definition of a segment under a name that is free, without its A/B test and what else belongs to it alone."""
    _, stored = desk.segment(str(parent.id), segment_id, "segments.read")
    taken = {record.name for record in desk.kohort.store.segments(parent.id) if record.folder == stored.folder}
    kept = {key: value for key, value in definition_of(stored)["definition"].items() if key in _KEPT_OF_A_COPY}
    place = {"folder": stored.folder} if stored.folder else {}
    return {"name": _free_name(stored, taken), **place, **kept}


def _free_name(stored: SegmentRecord, taken: set[str]) -> str:
    first = f"{stored.name} copy"
    return next(name for name in (first, *(f"{first} {number}" for number in range(2, len(taken) + 3))) if name not in taken)


def _sentence(segment: Segment) -> str:
    """The rule in words, to read until the editor is there; "" when it has none."""
    try:
        return describe(segment.rule)
    except UserError:
        return ""
