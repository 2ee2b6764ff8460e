"""Figures of the server for Prometheus, with a token: on the port for calls they are told to the same machine only."""

from __future__ import annotations

from fastapi import Request, Response

from kohort.web.api.desk import AtDesk
from kohort.web.api.guard import Routes

routes = Routes("Server")
_EXAMPLE = 'kohort_ingest_events_total{source="web_shop"} 1042\nkohort_ingest_up 1\nkohort_api_broken_requests_total 0\n'


@routes.on("GET", "/metrics", "settings.read", media="text/plain", example=_EXAMPLE)
def read_metrics(desk: AtDesk, request: Request) -> Response:
    """What the server has done since its start, in the text form of Prometheus: requests, calls, refusals, how far tables are behind.

    `kohort_ingest_up` is 0, and nothing else of calls is told, while the part that takes calls does not answer.
    """
    found = desk.kohort.server_metrics()
    broken = getattr(request.app.state, "broken", None)
    text = (found or "") + _figure("kohort_ingest_up", "gauge", "Whether the part that takes calls answers.", int(found is not None))
    text += _figure("kohort_api_broken_requests_total", "counter", "What came to the API and was no HTTP.", broken.total if broken else 0)
    return Response(text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _figure(name: str, kind: str, help_text: str, value: int) -> str:
    return f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n{name} {value}\n"
