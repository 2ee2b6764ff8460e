"""Every route that takes If-Match looks at it before it reads what was sent, and after it knows who asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kohort.services.users import Actor, add_user
from tests.web.api.conftest import PASSWORD, Api

BROKEN = [{}, {"unheard_of": 1}, {"definition": {"rule": "x =", "bse": 1}}, {"definition": {"master": 7}}]
"""Bodies that no route takes."""


@pytest.fixture(scope="module")
def taken(api: Api) -> list[tuple[str, str]]:
    """(method, path with everything filled in) of every route that takes If-Match, or gives an ETag for one that could."""
    kohort = api.kohort
    user = add_user(kohort.store, kohort.passwords, "victim", "viewer", PASSWORD, actor=Actor("tests"), clock=kohort.clock)
    api.ok("POST", "/sources", json={"name": "Web Shop"})
    segment = api.segment("Value/VIP")["id"]
    places = {"parent": "all-customers", "segment": segment, "source": "web_shop", "user": user.id}
    found = []
    for method, path, operation in operations(api.ok("GET", "/openapi.json")):
        if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
            query = "?path=Value" if any(p["name"] == "path" and p["in"] == "query" for p in operation["parameters"]) else ""
            found.append((method, f"{path.removeprefix('/api/v1').format(**places)}{query}"))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_there_are_as_many_as_say_that_they_may_answer_412(api: Api, taken: list[tuple[str, str]]) -> None:
    said = [path for _, path, operation in operations(api.ok("GET", "/openapi.json")) if {"412", "428"} <= set(operation["responses"])]
    assert len(taken) == len(said) >= 13


def test_a_stale_revision_is_told_whatever_else_is_wrong(api: Api, taken: list[tuple[str, str]]) -> None:
    for method, path in taken:
        for body in BROKEN:
            found = api.refused(412, method, path, json=body, headers={"If-Match": '"0-stale"'})
            assert found["code"] == "CHANGED_MEANWHILE", (method, path)


def test_a_missing_revision_is_told_whatever_else_is_wrong(api: Api, taken: list[tuple[str, str]]) -> None:
    for method, path in taken:
        for body in BROKEN:
            assert api.refused(428, method, path, json=body)["code"] == "REVISION_MISSING", (method, path)


def test_who_may_not_change_it_learns_nothing_of_revisions(api: Api, taken: list[tuple[str, str]]) -> None:
    for method, path in taken:
        for header in ({}, {"If-Match": '"0-stale"'}):
            assert api.refused(403, method, path, "viewer", json={}, headers=header)["code"] == "FORBIDDEN", (method, path)


def test_with_the_right_revision_what_was_sent_is_read(api: Api) -> None:
    path = api.at("Value/VIP")
    right = {"If-Match": api.call("GET", path).headers["etag"]}
    assert api.refused(422, "PUT", path, json={"unheard_of": 1}, headers=right)["code"] == "REQUEST_INVALID"
    assert api.refused(422, "PUT", path, json={"definition": {"rule": "x ="}}, headers=right)["code"] != "REQUEST_INVALID"
