"""Requests that no route takes: what there is instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kohort.foundation.issues import did_you_mean
from kohort.web.api.answers import Json, problem
from kohort.web.api.guard import GuardedRoute

_LIST = "GET /api/v1/openapi.json lists every path"


def nothing_there(prefix: str, routes: Sequence[GuardedRoute], method: str, path: str) -> Json:
    """404: no route has this path."""
    hint, rest = _LIST, path.removeprefix(prefix).rstrip("/")
    if path.endswith("/") and methods_at(routes, rest):
        hint = f"leave the slash at the end out: {prefix}{rest}"
    elif path.startswith(f"{prefix}/"):
        fixed = [route.path for route in routes if "{" not in route.path and route.include_in_schema]
        near = did_you_mean(rest, fixed)
        hint = f"{near.replace(chr(34) + '/', chr(34) + prefix + '/')} {_LIST}" if near.startswith("did you mean") else _LIST
    return problem(404, "ROUTE_NOT_FOUND", f"there is no {method} {path}", hint)


def not_this_method(prefix: str, routes: Sequence[GuardedRoute], method: str, path: str, allowed: Iterable[str]) -> Json:
    """405: routes have this path, for other methods."""
    methods = methods_at(routes, path.removeprefix(prefix)) or _with_head(set(allowed))
    detail = f"{path} does not take {method}"
    return problem(405, "METHOD_NOT_ALLOWED", detail, f"it takes {', '.join(methods)}", headers={"Allow": ", ".join(methods)})


def methods_at(routes: Iterable[GuardedRoute], path: str) -> list[str]:
    """What a path takes; where there is GET, there is HEAD."""
    found = {method for route in routes if re.match(route.path_regex, path) for method in route.methods or ()}
    return _with_head(found)


def _with_head(methods: set[str]) -> list[str]:
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
