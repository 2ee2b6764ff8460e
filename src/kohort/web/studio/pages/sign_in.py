"""Signing in, and the one-time page that makes the first admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from kohort.foundation.errors import UserError
from kohort.web.api.guard import PUBLIC, recognised
from kohort.web.studio.render import render
from kohort.web.studio.routes import PageRoutes

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

routes = PageRoutes()


@routes.page("/login", PUBLIC)
def login_page(request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = "") -> Response:
    """Name and password; afterwards the page that was wanted."""
    target = own_path(wanted)
    if recognised(request) is not None:
        return RedirectResponse(target, 303)
    kohort: Kohort = request.app.state.kohort
    return render(request, "login.html", None, target=target, has_users=bool(kohort.store.users()))


@routes.page("/setup", PUBLIC)
def setup_page(request: Request) -> Response:
    """Behind the one-time link of the first start; its secret stays in the browser until it is used."""
    kohort: Kohort = request.app.state.kohort
    if kohort.store.users():
        raise UserError("PAGE_NOT_FOUND", "Kohort is set up", hint="sign in")
    return render(request, "setup.html", None)


def own_path(wanted: str) -> str:
    """The path to go to after signing in; never another site.

    >>> own_path("/audiences"), own_path("//evil.example"), own_path("https://evil.example"), own_path("/\\\\evil.example")
    ('/audiences', '/', '/', '/')
    """
    safe = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not any(ord(char) < 32 for char in wanted)
    return wanted if safe else "/"
