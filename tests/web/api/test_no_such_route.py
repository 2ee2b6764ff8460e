"""Requests that no route takes, and bodies that are no JSON, are told what would be right."""

from __future__ import annotations

import asyncio

import pytest

from kohort.web.studio.app import build_web
from tests.web.api.conftest import Api

JSON = "application/json"


@pytest.fixture
def web(api: Api) -> Api:
    return Api(api.kohort, build_web(api.kohort), api.tokens)


def test_a_path_that_is_not_there_is_named_with_the_nearest(web: Api) -> None:
    found = web.refused(404, "GET", "/parent")
    assert (found["code"], found["detail"]) == ("ROUTE_NOT_FOUND", "there is no GET /api/v1/parent")
    assert found["hint"].startswith('did you mean "/api/v1/parents"?')
    assert web.refused(404, "GET", "/parents/all-customers/")["hint"] == "leave the slash at the end out: /api/v1/parents/all-customers"
    assert "/api/v1/openapi.json" in web.refused(404, "GET", "/x/y/z")["hint"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/parents", "/api/v1"])
def test_everything_below_api_answers_problems_as_json(web: Api, path: str) -> None:
    answer = asyncio.run(web._call("GET", path, {}, {}))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "ROUTE_NOT_FOUND"


def test_a_method_that_is_not_taken_is_told_all_that_are(web: Api) -> None:
    answer = web.call("DELETE", "/parents")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["hint"] == "it takes GET, HEAD, POST"
    assert web.call("POST", "/parents/all-customers/segments/5").headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert web.call("POST", "/openapi.json").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("media", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_no_json_is_refused_as_such(web: Api, media: str) -> None:
    headers = {"Content-Type": media} if media else {}
    found = web.refused(415, "POST", "/parents", "engineer", content=b'{"definition": {}}', headers=headers)
    assert (found["code"], JSON in found["hint"]) == ("MEDIA_TYPE_UNSUPPORTED", True)
    web.refused(401, "POST", "/parents", "", content=b"x", headers=headers)


@pytest.mark.parametrize("media", [JSON, f"{JSON}; charset=utf-8", "application/merge-patch+json", "Application/JSON"])
def test_json_is_json_however_it_says_so(web: Api, media: str) -> None:
    found = web.refused(422, "POST", "/parents", "engineer", content=b'{"definition": {}, "more": 1}', headers={"Content-Type": media})
    assert found["detail"] == "body.more: there is no such key"


def test_mistakes_in_a_body_are_told_in_plain_words(web: Api) -> None:
    assert web.refused(422, "POST", "/parents", "engineer", json=[])["detail"] == "body: a JSON object is expected here"
    assert web.refused(422, "POST", "/parents", "engineer", json={})["detail"] == "body.definition: this is missing"
    assert web.refused(422, "POST", "/parents", "engineer")["detail"] == "body: this is missing"
    deep = b'{"definition":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    found = web.refused(400, "POST", "/parents", "engineer", content=deep, headers={"Content-Type": JSON})
    assert (found["code"], "nested too deeply" in found["detail"]) == ("REQUEST_UNREADABLE", True)
