"""What a segment is: who made it when, where it is, its definition, and which segments refer to it."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.services.definitions.dependents import relations_of
from kohort.services.definitions.stored import segment_of
from kohort.web.api.desk import AtDesk, ParentName, SegmentId
from kohort.web.studio.pages.segment_frame import render_tab, segment_view
from kohort.web.studio.routes import PageRoutes
from kohort.workspace.writing import segment_text

routes = PageRoutes()


@routes.page("/audiences/{parent}/segments/{segment}/details", "segments.read")
def details_page(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId) -> Response:
    """The Details tab."""
    view = segment_view(desk, parent, segment, "segments.read")
    store, definition = desk.kohort.store, segment_of(view.record)
    relations = relations_of(store, view.parent, view.record.path)
    ids = {record.path: record.id for record in store.segments(view.parent.id)}
    seen = [dependent for dependent in relations.dependents if desk.sees(view.parent, dependent.path)]
    return render_tab(
        request,
        "segments/details.html",
        desk,
        view,
        "details",
        definition=definition,
        yaml=segment_text(definition, definition.folder),
        dependents=seen,
        hidden=len(relations.dependents) - len(seen),
        further=[path for path in relations.further if desk.sees(view.parent, path)],
        needs=[(path, ids[path]) for path in relations.needs if path in ids and desk.sees(view.parent, path)],
    )
