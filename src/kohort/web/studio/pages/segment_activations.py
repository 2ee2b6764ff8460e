"""Activations of a segment: where its members are sent."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.web.api.desk import AtDesk, ParentName, SegmentId
from kohort.web.studio.pages.segment_frame import render_tab, segment_view
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/audiences/{parent}/segments/{segment}/activations", "segments.read")
def activations_page(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId) -> Response:
    """The list of activations."""
    view = segment_view(desk, parent, segment, "segments.read")
    return render_tab(request, "segments/activations.html", desk, view, "activations")
