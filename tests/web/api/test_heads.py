"""HEAD answers as GET does, without content: every route of the API, every page, files, health."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from kohort.services.access import ACTIONS
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import PUBLIC, action_of
from kohort.web.api.live_events import streams_of
from kohort.web.studio.app import build_web
from kohort.web.studio.static_files import static_files
from tests.web.api.conftest import Api

PLACES = {"parent": "all-customers", "name": "country", "key": "c024", "number": "1", "source": "web_shop", "field": "country"}
QUERIES = {"/folder": "?path=Value", "/explain": "?key=c024", "/events": "?seconds=1"}
UNSAID = {"content-length", "etag", "last-modified"}
"""Of a file that is made on demand: known only once it is made."""


@pytest.fixture(scope="module")
def web(api: Api) -> Api:
    """The API and the studio, with a source."""
    api.ok("POST", "/sources", json={"name": "Web Shop"})
    return Api(api.kohort, build_web(api.kohort), api.tokens)


def ask(web: Api, method: str, path: str, role: str = "admin", **headers: str) -> httpx.Response:
    token = {"Authorization": f"Bearer {web.tokens[role]}"} if role else {}
    return asyncio.run(web._call(method, path, {**token, **headers}, {}))


def every_address(web: Api) -> list[tuple[str, str]]:
    """(address, least role) of every route that takes GET."""
    places = {**PLACES, "segment": str(web.segment("Value/VIP")["id"])}
    found = []
    for route in guarded_routes(web.app):
        if "GET" in route.methods:
            prefix = "/api/v1" if route.endpoint.__module__.startswith("kohort.web.api.") else ""
            path = prefix + re.sub(r"\{(\w+)(:\w+)?\}", lambda place: places.get(place[1], "1"), route.path.removeprefix(prefix))
            query = next((query for end, query in QUERIES.items() if path.endswith(end) and prefix), "")
            action = action_of(route)
            found.append((f"{path}{query}", "" if action == PUBLIC else ACTIONS[action].role))
    return found


def told(answer: httpx.Response) -> dict[str, Any]:
    """What may not differ between two answers that are moments apart."""
    return {name: value for name, value in answer.headers.items() if name not in ("set-cookie", "date")}


def test_every_route_that_takes_get_takes_head(web: Api) -> None:
    addresses, good = every_address(web), 0
    assert len(addresses) > 60
    for address, _ in addresses:
        head, get = ask(web, "HEAD", address), ask(web, "GET", address)
        assert (head.status_code, head.content) == (get.status_code, b""), address
        without = UNSAID if ".csv" in address else set()
        wanted = {name: value for name, value in told(get).items() if name not in without}
        changing = {"content-length"} if not address.startswith("/api/") or address.endswith(("/metrics", "/status")) else set()
        assert {n: v for n, v in told(head).items() if n not in changing} == {n: v for n, v in wanted.items() if n not in changing}, address
        good += get.status_code == 200
    assert good > 50


def test_head_is_refused_to_those_who_may_not_get(web: Api) -> None:
    for address, role in every_address(web):
        if role:
            assert ask(web, "HEAD", address, "").status_code in (401, 303), address
        if role in ("engineer", "admin"):
            answer = ask(web, "HEAD", address, "viewer")
            assert (answer.status_code, answer.content) == (403, b""), address


def test_health_and_files_are_asked_without_content(web: Api) -> None:
    for address in ("/healthz", static_files().url("studio.css"), "/static/x/nothing.css", "/login", "/nowhere", "/api/v1/nowhere"):
        head, get = ask(web, "HEAD", address, ""), ask(web, "GET", address, "")
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert told(head) == told(get)
        assert get.content


def test_what_is_known_already_is_not_sent_again(web: Api) -> None:
    address = f"/api/v1{web.at('Value/VIP')}"
    known = ask(web, "GET", address).headers["etag"]
    assert ask(web, "HEAD", address, **{"If-None-Match": known}).status_code == 304
    assert ask(web, "HEAD", address, **{"If-None-Match": '"other"'}).status_code == 200


def test_a_route_without_get_takes_no_head(web: Api) -> None:
    answer = ask(web, "HEAD", "/api/v1/parents/all-customers/preview")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")
    assert web.call("DELETE", "/parents").headers["allow"] == "GET, HEAD, POST"
    assert ask(web, "POST", "/segments").headers.get("allow", "GET, HEAD") == "GET, HEAD"


def test_no_file_is_made_for_a_head_and_nothing_is_noted(web: Api) -> None:
    def exports() -> list[Any]:
        return [item for item in web.ok("GET", "/audit?limit=500")["items"] if item["action"] == "members.export"]

    address, before = f"{web.at('Value/VIP')}/members.csv", len(exports())
    assert "content-length" not in web.call("HEAD", address).headers
    assert len(exports()) == before
    assert web.call("HEAD", f"{address}?columns=nothing").status_code == 422
    web.call("GET", address)
    assert len(exports()) == before + 1


def test_a_stream_is_not_opened_for_a_head(web: Api) -> None:
    answer = web.call("HEAD", "/sources/web_shop/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert streams_of(type("Request", (), {"app": web.app})()).count == 0
    assert web.call("HEAD", "/sources/nobody/events").status_code == 404
