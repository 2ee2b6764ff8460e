"""The members of a segment or of one of its variants, and the drawer of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from kohort.foundation.errors import UserError
from kohort.web.api.desk import AtDesk, ParentName, SegmentId
from kohort.web.studio.drawer import drawer_of
from kohort.web.studio.pages.segment_frame import SegmentView, render_tab, segment_view
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
    target, address = _target(view, asked.variant), f"{view.address}/profiles"
    with desk.engine(view.parent) as engine:
        drawer = drawer_of(desk, view.parent, engine, address, asked, target)
        if asked.part == "drawer" and drawer is not None:
            return render(request, "profiles/drawer_part.html", desk, parent=view.parent, drawer=drawer)
        try:
            listed = list_profiles(engine, desk.access, address, asked, target)
        except UserError as error:
            if error.code == "CURSOR_INVALID":
                raise
            return render_tab(request, "segments/profiles.html", desk, view, "profiles", listed=None, drawer=drawer, problem=error)
    return render_tab(request, "segments/profiles.html", desk, view, "profiles", listed=listed, drawer=drawer, problem=None)


def _target(view: SegmentView, variant: str) -> str:
    """The path whose members are meant. Raises UserError SEGMENT_NOT_FOUND."""
    if not variant:
        return view.record.path
    found = next((item.path for item in view.variants if item.name == variant), None)
    if found is None:
        raise UserError("SEGMENT_NOT_FOUND", f'"{view.record.name}" has no variant "{variant}"', hint="choose one in the tree")
    return found
