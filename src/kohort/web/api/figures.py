"""Figures of the server for Prometheus, with a token: on the port for calls they are told to the same machine only."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.foundation.errors import UserError
from kohort.web.api.desk import AtDesk
from kohort.web.api.guard import Routes

routes = Routes("Server")
_BROKEN = "kohort_api_broken_requests_total"
_EXAMPLE = 'kohort_ingest_events_total{source="web_shop"} 1042\n'


@routes.on("GET", "/metrics", "settings.read", problems=(503,), media="text/plain", example=_EXAMPLE)
def read_metrics(desk: AtDesk, request: Request) -> Response:
    """What the server has done, counted since its start, in the text form of Prometheus: requests, calls, refusals, how far tables are."""
    found = desk.kohort.server_metrics()
    if found is None:
        raise UserError("METRICS_UNAVAILABLE", "the part of the server that takes calls does not answer", hint="try again in a moment")
    broken = getattr(request.app.state, "broken", None)
    own = f"# HELP {_BROKEN} What came to the API and was no HTTP.\n# TYPE {_BROKEN} counter\n{_BROKEN} {broken.total if broken else 0}\n"
    return Response(found + own, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
