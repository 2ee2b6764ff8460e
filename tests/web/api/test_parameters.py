"""Parameters of addresses that a route does not have: refused in the API, passed over by pages."""

from __future__ import annotations

import asyncio
import re

import pytest

from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import action_of
from kohort.web.studio.app import build_web
from tests.web.api.conftest import Api

PARENT = "/parents/all-customers"


@pytest.fixture(scope="module")
def web(api: Api) -> Api:
    return Api(api.kohort, build_web(api.kohort), api.tokens)


def test_a_misspelt_filter_is_refused_with_the_nearest_and_all_there_are(api: Api) -> None:
    found = api.refused(422, "GET", f"{PARENT}/segments?foldr=Value&limit=5")
    assert (found["code"], found["detail"]) == ("UNKNOWN_PARAMETER", 'there is no parameter "foldr"')
    assert found["hint"] == 'did you mean "folder"? this route takes folder, search, cursor, limit'
    assert [(issue["code"], issue["path"]) for issue in found["issues"]] == [("UNKNOWN_PARAMETER", "query.foldr")]


def test_every_unknown_one_is_told_once(api: Api) -> None:
    found = api.refused(422, "GET", f"{PARENT}/segments?foldr=Value&page=2&foldr=Other&search=x")
    assert [issue["path"] for issue in found["issues"]] == ["query.foldr", "query.page"]
    assert api.refused(422, "GET", "/me?verbose=1")["hint"] == "this route takes none"
    many = "&".join(f"p{number}=1" for number in range(200))
    assert len(api.refused(422, "GET", f"/me?{many}")["issues"]) == 20
    assert len(api.refused(422, "GET", f"/me?{'x' * 3000}=1")["detail"]) < 200


def test_capital_letters_count(api: Api) -> None:
    assert 'did you mean "limit"?' in api.refused(422, "GET", "/parents?Limit=1")["hint"]
    assert len(api.ok("GET", "/parents?limit=1")["items"]) == 1


def test_every_route_of_the_api_refuses_them_and_every_page_passes_over_them(web: Api) -> None:
    number = str(web.segment("Value/VIP")["id"])
    places = {"parent": "all-customers", "segment": number, "name": "country", "key": "c024", "source": "web_shop"}
    refused, passed = 0, 0
    for route in guarded_routes(web.app):
        is_api = route.endpoint.__module__.startswith("kohort.web.api.")
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda place: places.get(place[1], "1"), route.path.removeprefix("/api/v1"))
        action = action_of(route)
        for method in route.methods:
            address = f"/api/v1{path}" if is_api else path
            headers = {"Authorization": f"Bearer {web.tokens['admin']}"}
            answer = asyncio.run(web._call(method, f"{address}?utm_source=mail", headers, {}))
            if is_api and action not in ("warehouse.use", "me.change"):
                assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_PARAMETER"), (method, address)
                refused += 1
            elif not is_api:
                assert "UNKNOWN_PARAMETER" not in answer.text, address
                passed += answer.status_code == 200
    assert refused > 70
    assert passed > 20


def test_nobody_learns_of_parameters_before_they_are_known(api: Api) -> None:
    assert api.refused(401, "GET", f"{PARENT}/segments?foldr=x", "")["code"] == "SIGN_IN_FIRST"
    assert api.refused(403, "GET", "/users?nme=x", "viewer")["code"] == "FORBIDDEN"


def test_parameters_of_streams_files_and_revisions_are_known(api: Api) -> None:
    api.ok("POST", "/sources", json={"name": "Web Shop"})
    assert api.call("GET", "/sources/web_shop/events?seconds=1").status_code == 200
    assert "seconds" in api.refused(422, "GET", "/sources/web_shop/events?last_event_id=4")["hint"]
    file = f"{api.at('Value/VIP')}/members.csv"
    assert api.call("GET", f"{file}?columns=country&variant=&as_of=&spreadsheet=true").status_code == 200
    assert 'did you mean "columns"?' in api.refused(422, "GET", f"{file}?column=country")["hint"]
    assert api.refused(422, "DELETE", f"{PARENT}/folder?pth=Value")["code"] == "UNKNOWN_PARAMETER"
    assert api.call("GET", f"{PARENT}/overlap?segments=Value/VIP&segments=Lifecycle/Active").status_code == 200
