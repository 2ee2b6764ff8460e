"""The members of a segment or of one of its variants, and the drawer of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.web.api.desk import AtDesk, ParentName, SegmentId
from kohort.web.studio.drawer import drawer_of
from kohort.web.studio.pages.segment_frame import render_tab, segment_view, shown_segment
from kohort.web.studio.profile_list import Asked, list_profiles
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/audiences/{parent}/segments/{segment}/profiles", "members.read")
def members_page(request: Request, desk: AtDesk, parent: ParentName, segment: SegmentId, asked: Annotated[Asked, Query()]) -> Response:
    """A page of members; with `profile`, one of them in the drawer; with `part=drawer`, the drawer alone."""
    view = segment_view(desk, parent, segment, "members.read")
    if desk.kohort.store.last_refresh(view.parent.id) is None:
        return render_tab(request, "segments/profiles.html", desk, view, "profiles", listed=None, drawer=None, problem=None)
    shown, address = shown_segment(view, asked.variant), f"{view.address}/profiles"
    with desk.engine(view.parent) as engine:
        drawer = drawer_of(desk, view.parent, engine, address, asked, shown.path)
        if asked.part == "drawer" and drawer is not None:
            return render(request, "profiles/drawer_part.html", desk, parent=view.parent, drawer=drawer)
        try:
            listed = list_profiles(engine, desk.access, address, asked, shown.path)
        except UserError as error:
            if error.code == "CURSOR_INVALID":
                raise
            return render_tab(
                request, "segments/profiles.html", desk, view, "profiles", shown=shown, listed=None, drawer=drawer, problem=error
            )
    return render_tab(request, "segments/profiles.html", desk, view, "profiles", shown=shown, listed=listed, drawer=drawer, problem=None)
