"""All profiles of a parent segment: search, a page at a time, and the drawer of each."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from kohort.web.api.desk import AtDesk, ParentName
from kohort.web.studio.drawer import drawer_of
from kohort.web.studio.pages.parent_frame import render_parent
from kohort.web.studio.profile_list import Asked, list_profiles
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/audiences/{parent}/profiles", "profiles.read")
def profiles_page(request: Request, desk: AtDesk, parent: ParentName, asked: Annotated[Asked, Query()]) -> Response:
    """A page of profiles; with `profile`, one of them in the drawer; with `part=drawer`, the drawer alone."""
    record = desk.parent(parent, "profiles.read")
    if desk.kohort.store.last_refresh(record.id) is None:
        return render_parent(request, "profiles/profiles.html", desk, record, "profiles", listed=None, drawer=None)
    address = f"/audiences/{record.slug}/profiles"
    with desk.engine(record) as engine:
        drawer = drawer_of(desk, record, engine, address, asked, "")
        if asked.part == "drawer" and drawer is not None:
            return render(request, "profiles/drawer_part.html", desk, parent=record, drawer=drawer)
        listed = list_profiles(engine, desk.access, address, asked, None)
    return render_parent(request, "profiles/profiles.html", desk, record, "profiles", listed=listed, drawer=drawer)
