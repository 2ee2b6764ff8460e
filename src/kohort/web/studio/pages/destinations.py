"""Destinations: where activations send members. None can be added yet; the page says what works instead."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.web.api.desk import AtDesk
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

routes = PageRoutes()


@routes.page("/destinations", "me.read")
def destinations_page(request: Request, desk: AtDesk) -> Response:
    """What there is instead of destinations."""
    return render(request, "destinations/destinations.html", desk)
