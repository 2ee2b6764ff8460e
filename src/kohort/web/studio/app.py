"""Adds the studio to the application: its pages, its files, and problems as pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from kohort.web.api.app import build_api, require_guarded
from kohort.web.api.desk import Desk
from kohort.web.api.guard import recognised
from kohort.web.studio import static_files
from kohort.web.studio.pages import (
    analytics,
    audiences,
    destinations,
    parent_fields,
    parent_model,
    parent_new,
    parent_refreshes,
    parent_yaml,
    profiles,
    runs,
    segment_activations,
    segment_dashboard,
    segment_details,
    segment_history,
    segment_profiles,
    segment_rules,
    settings,
    sign_in,
    sources,
)
from kohort.web.studio.render import problem_page

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

_PAGES = (
    sign_in,
    segment_rules,
    parent_new,
    audiences,
    analytics,
    segment_dashboard,
    segment_details,
    segment_history,
    segment_activations,
    segment_profiles,
    profiles,
    sources,
    destinations,
    runs,
    settings,
    parent_model,
    parent_fields,
    parent_refreshes,
    parent_yaml,
)
_OPEN = ("/healthz", f"{static_files.PREFIX}/{{digest}}/{{path:path}}")


def build_web(kohort: Kohort) -> FastAPI:
    """The API and the studio over an open workspace, which stays the caller's."""
    app = build_api(kohort)
    app.add_api_route(_OPEN[1], static_files.answer_static, methods=["GET"], include_in_schema=False, response_model=None)
    for module in _PAGES:
        app.include_router(module.routes)
    for kind, handler in list(app.exception_handlers.items()):
        if kind is not Exception or handler is not None:
            app.add_exception_handler(kind, _shown(handler))
    require_guarded(app, _OPEN)
    static_files.static_files()
    return app


def _shown(answer_of: Callable[..., Any]) -> Callable[[Request, Exception], Any]:
    """A handler of problems that answers pages with pages, and everything else as before."""

    async def answer(request: Request, error: Exception) -> Response:
        found = answer_of(request, error)
        answered: Response = await found if hasattr(found, "__await__") else found
        path = request.url.path
        if path.startswith(("/api/", static_files.PREFIX)) or path in ("/api", "/healthz"):
            return answered
        problem = json.loads(bytes(answered.body))
        if problem["code"] == "SIGN_IN_FIRST":
            return _to_sign_in(request)
        caller = _caller(request)
        state = request.app.state
        return problem_page(request, Desk(state.kohort, caller, state.runs) if caller else None, problem)

    return answer


def _caller(request: Request) -> Any:
    try:
        return recognised(request)
    except Exception:
        return None


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page and back afterwards; from inside a page the whole page goes there."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_part = bool(request.headers.get("hx-request"))
    if is_part and not request.headers.get("hx-boosted"):
        shown = urlsplit(request.headers.get("hx-current-url", ""))
        wanted = shown.path + (f"?{shown.query}" if shown.query else "")
    target = f"/login?next={quote(wanted, safe='/')}" if wanted not in ("", "/") else "/login"
    return Response(status_code=401, headers={"HX-Redirect": target}) if is_part else RedirectResponse(target, 303)
