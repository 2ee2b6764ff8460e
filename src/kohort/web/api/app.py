"""The API as an ASGI application: routes, problems, limits."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kohort import __version__
from kohort.foundation.errors import UserError
from kohort.foundation.issues import Issue, Issues, path_text
from kohort.services.issue_document import issue_document
from kohort.web.api import (
    beside,
    figures,
    folders,
    insights,
    live_events,
    members,
    parent_checks,
    parents,
    parse,
    profiles,
    rules,
    runs,
    segments,
    source_changes,
    source_details,
    sources,
    users,
)
from kohort.web.api.answers import Json, problem, problem_of
from kohort.web.api.guard import GuardedRoute, Routes, action_of
from kohort.web.api.heads import HeadAsGet, method_of
from kohort.web.api.nowhere import not_this_method, nothing_there
from kohort.web.api.openapi import DESCRIPTION, openapi_document
from kohort.web.api.running import Running

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

PREFIX = "/api/v1"
_ROUTES = (
    users.routes,
    parents.routes,
    parent_checks.routes,
    runs.routes,
    beside.routes,
    segments.routes,
    members.routes,
    folders.routes,
    insights.routes,
    rules.routes,
    parse.routes,
    profiles.routes,
    sources.routes,
    live_events.routes,
    source_details.routes,
    source_changes.routes,
    figures.routes,
)


def build_api(kohort: Kohort) -> FastAPI:
    """The API over an open workspace, which stays the caller's. It asks for the warehouse only while a request needs it."""
    app = FastAPI(
        title="Kohort",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        redirect_slashes=False,
    )
    app.state.kohort, app.state.runs = kohort, Running(kohort)
    for routes in (*_ROUTES, _own_routes(app)):
        app.include_router(routes, prefix=PREFIX)
    app.add_api_route("/healthz", _healthz, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(UserError, _on_user_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(UnicodeEncodeError, _on_broken_text)
    app.add_exception_handler(Exception, _on_mistake)
    app.add_middleware(BodyLimit, most=kohort.settings.api_request_bytes)
    app.add_middleware(HeadAsGet)
    require_guarded(app)
    return app


def _own_routes(app: FastAPI) -> Routes:
    routes = Routes("This document")

    @routes.on("GET", "/openapi.json", "me.read", example={"openapi": "3.1.0"})
    def openapi() -> Json:
        """This document."""
        return Json(openapi_document(app))

    return routes


async def _healthz() -> Json:
    return Json({"status": "ok"})


def guarded_routes(router: Any) -> list[GuardedRoute]:
    """Every route of an application or router that has an action."""
    found: list[GuardedRoute] = []
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if isinstance(route, GuardedRoute):
            found.append(route)
        elif isinstance(inner, APIRouter):
            found += guarded_routes(inner)
    return found


def require_guarded(app: FastAPI, open_to_all: tuple[str, ...] = ("/healthz",)) -> None:
    """Raises ValueError when a route has no action, or is not behind the door and not one of those that may be open."""
    for route in guarded_routes(app):
        action_of(route)
    open_routes = [getattr(route, "path", "?") for route in app.routes if not hasattr(route, "original_router")]
    if open_routes != list(open_to_all):
        raise ValueError(f"these are not behind the door: {open_routes}")


# --- problems -----------------------------------------------------------------------------------------------------


def _on_user_error(_: Request, error: Exception) -> Json:
    assert isinstance(error, UserError)
    return problem_of(error)


_WRONG = {
    "missing": "this is missing",
    "extra_forbidden": "there is no such key",
    "model_attributes_type": "a JSON object is expected here",
    "dict_type": "a JSON object is expected here",
    "int_parsing": "a whole number is expected here",
}
"""Kinds of mistakes in words of ours; the others say it well themselves."""


def _on_invalid_request(_: Request, error: Exception) -> Json:
    assert isinstance(error, RequestValidationError)
    issues = Issues()
    for found in error.errors():
        path = tuple(part for part in found["loc"] if isinstance(part, str | int))
        if found["type"] == "json_invalid":
            return problem(400, "JSON_SYNTAX", f"the body is no JSON: {found.get('ctx', {}).get('error', '')}", "send a JSON object")
        issues.add(Issue("REQUEST_INVALID", f"{path_text(path)}: {_WRONG.get(found['type'], found['msg'])}", path))
    detail = issues.items[0].message if issues.items else "the request is not as it should be"
    return problem(422, "REQUEST_INVALID", detail, "the OpenAPI document says what is expected", [issue_document(i) for i in issues])


def _on_http_error(request: Request, error: Exception) -> Json:
    assert isinstance(error, HTTPException)
    path = request.url.path
    match error.status_code:
        case 400:
            detail = "the body cannot be read: it is nested too deeply, or holds a number that is too long"
            return problem(400, "REQUEST_UNREADABLE", detail, "send plain JSON")
        case 404:
            return nothing_there(PREFIX, api_routes(), request.method, path)
        case 405:
            allowed = (error.headers or {}).get("Allow", "").split(", ")
            return not_this_method(PREFIX, api_routes(), method_of(request), path, allowed)
        case 413:
            return problem(413, "REQUEST_TOO_LARGE", str(error.detail), "send less at once")
        case other:
            return problem(other, "REQUEST_REFUSED", str(error.detail), headers=error.headers)


def api_routes() -> list[GuardedRoute]:
    """Every route of the API; paths without the prefix."""
    return [route for routes in _ROUTES for route in guarded_routes(routes)]


def _on_broken_text(_: Request, error: Exception) -> Json:  # noqa: ARG001
    return problem(422, "TEXT_INVALID", "a text holds half of a character", "send whole Unicode characters")


def _on_mistake(request: Request, error: Exception) -> Json:
    """A mistake of ours: what happened is written down, not shown."""
    kohort: Kohort = request.app.state.kohort
    with suppress(OSError):
        text = "".join(traceback.format_exception(error))
        (kohort.workspace.state / "crash.log").write_text(
            f"{method_of(request)} {request.url.path}\n{text}", encoding="utf-8", errors="replace"
        )
    return problem(
        500, "INTERNAL", "this is a mistake in Kohort", "details are in .kohort/crash.log on the server", headers={"Connection": "close"}
    )


class BodyLimit:
    """Refuses requests that are larger than allowed, however they are sent."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said[:20]) > self._most:
            await self._refusal()(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise HTTPException(413, self._text)
            return message

        await self._app(scope, counted, send)

    @property
    def _text(self) -> str:
        return f"a request may have {self._most} bytes at most"

    def _refusal(self) -> Json:
        return problem(413, "REQUEST_TOO_LARGE", self._text, "send less at once")
