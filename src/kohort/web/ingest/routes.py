"""The paths that are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kohort.events.model import CALL_TYPES, CallType

Kind = Literal["calls", "pixel", "ignored", "unsupported", "settings", "health", "ready", "metrics", "version", "robots", "nothing"]
_READ = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Route:
    """What a path is for. call_type: of an endpoint for one call, "" for a batch. key: the write key in a path."""

    kind: Kind
    methods: tuple[str, ...] = ("POST",)
    call_type: CallType | Literal[""] = ""
    key: str = ""


_NOTHING = Route("nothing")
_SETTINGS = ("/v1/projects/", "/settings")


def _routes() -> dict[str, Route]:
    routes = {f"/v1/{name}": Route("calls") for name in ("batch", "import", "b")}
    routes["/beacon/v1/batch"] = Route("calls")
    for call_type in CALL_TYPES:
        routes[f"/v1/{call_type}"] = routes[f"/v1/{call_type[0]}"] = Route("calls", call_type=call_type)
        routes[f"/v1/pixel/{call_type}"] = Route("pixel", _READ, call_type)
    for pixel_type in ("track", "page"):
        routes[f"/pixel/v1/{pixel_type}"] = routes[f"/v1/pixel/{pixel_type}"]
    routes["/v1/m"] = Route("ignored")
    routes |= {f"/v1/{name}": Route("unsupported", ("POST", "GET")) for name in ("merge", "audiencelist", "webhook")}
    routes |= {"/health": Route("health", _READ), "/healthz": Route("health", _READ), "/readyz": Route("ready", _READ)}
    routes |= {"/metrics": Route("metrics", _READ), "/version": Route("version", _READ), "/robots.txt": Route("robots", _READ)}
    return routes


ROUTES = _routes()


def find_route(path: str) -> Route:
    """What a path is for; a slash at its end does not matter.

    >>> find_route("/v1/t").call_type, find_route("/v1/projects/abc/settings").key, find_route("/v2").kind
    ('track', 'abc', 'nothing')
    """
    route = ROUTES.get(path) or ROUTES.get(path.rstrip("/"))
    if route is not None:
        return route
    start, end = _SETTINGS
    if path.startswith(start) and path.endswith(end) and len(path) > len(start) + len(end):
        return Route("settings", _READ, key=path[len(start) : -len(end)])
    return _NOTHING
