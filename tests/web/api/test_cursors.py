"""Pages: nothing is left out or told twice when things come and go meanwhile, and no cursor breaks a list."""

from __future__ import annotations

import pytest

from kohort.web.api.pages import write_cursor
from tests.web.api.conftest import Api

PARENT = "/parents/all-customers"
LISTS = (
    "/runs",
    "/audit",
    "/tokens",
    "/tokens?everybody=true",
    "/users",
    "/sources",
    "/parents",
    f"{PARENT}/segments",
    f"{PARENT}/refreshes",
    f"{PARENT}/profiles",
    f"{PARENT}/segments/1/versions",
    f"{PARENT}/segments/1/members",
)
KEYS = (
    None,
    True,
    1,
    -1,
    1.5,
    10**30,
    "a",
    "",
    [],
    [1],
    ["a"],
    ["a", 1],
    ["a", "b"],
    ["a", "b", 1],
    ["a", "b", True],
    [[1]],
    {"a": 1},
    [None, 1],
)


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_of_something_else_is_refused_or_a_page(api: Api, path: str) -> None:
    for key in KEYS:
        answer = api.call("GET", f"{path}{'&' if '?' in path else '?'}cursor={write_cursor(key)}")
        assert answer.status_code in (200, 422), (key, answer.text)
        assert answer.status_code == 200 or answer.json()["code"] == "CURSOR_INVALID"


def test_what_comes_and_goes_between_pages_moves_nothing(own: Api) -> None:
    for number in range(5):
        rule = f"lifetime_value > {number}"
        own.ok("POST", f"{PARENT}/segments", json={"definition": {"name": f"s{number}", "folder": "New", "rule": rule}})
    page = own.ok("GET", f"{PARENT}/segments?folder=New&limit=2")
    seen, last = [item["name"] for item in page["items"]], page["items"][1]["id"]
    own.ok("POST", f"{PARENT}/segments", json={"definition": {"name": "s0a", "folder": "New", "rule": "country = 'JP'"}})
    own.ok("DELETE", f"{PARENT}/segments/{last}", headers={"If-Match": "*"})
    while page["next"]:
        page = own.ok("GET", f"{PARENT}/segments?folder=New&limit=2&cursor={page['next']}")
        seen += [item["name"] for item in page["items"]]
    assert seen == ["s0", "s1", "s2", "s3", "s4"]
