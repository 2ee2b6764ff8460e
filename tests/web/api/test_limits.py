"""Somebody limited to one folder: what is elsewhere is named nowhere, whatever they ask for and whatever goes wrong."""

from __future__ import annotations

import asyncio
import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kohort.services.access import ACTIONS
from kohort.services.definitions.stored import require_parent
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import PUBLIC, action_of
from kohort.web.studio.app import build_web
from tests.web.api.conftest import Api, open_api

PARENT = "/parents/all-customers"
SECRETS = ("Vault", "Canary", "777777", "Hidden Parent", "hidden-parent")
ANY = {"If-Match": "*"}


def limit(api: Api, name: str, *grants: dict[str, str]) -> None:
    [user] = [user for user in api.ok("GET", "/users")["items"] if user["name"] == name]
    api.ok("PUT", f"/users/{user['id']}/grants", json={"grants": list(grants)}, headers=ANY)


def prepare(api: Api) -> None:
    """Segments in a folder that is not granted, which refer to one that is and are referred to from there; another parent segment."""

    def add(name: str, folder: str, rule: str) -> int:
        made = api.ok("POST", f"{PARENT}/segments", json={"definition": {"name": name, "folder": folder, "rule": rule}})
        return int(made["id"])

    canary = add("Canary", "Vault", "lifetime_value > 777777 or country = 'JP'")
    add("Canary user", "Vault", "in segment 'Lifecycle/Active'")
    add("Canary twin", "Vault", "purchase in last 30 days")
    add("Uses", "Lifecycle", f"country = 'JP' and in segment '{canary}'")
    other = {"name": "Hidden Parent", "master": {"database": "shop", "table": "customers", "key_column": "customer_id"}}
    api.ok("POST", "/parents", json={"definition": other})
    api.ok("POST", f"{PARENT}/evaluate", json={})
    for name in ("marketer", "viewer"):
        limit(api, name, {"parent": "all-customers", "folder": "Lifecycle", "role": name})


@pytest.fixture(scope="module")
def limited(evaluated_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("limited") / "shop"
    shutil.copytree(evaluated_shop, folder)
    api = open_api(folder)
    prepare(api)
    yield Api(api.kohort, build_web(api.kohort), api.tokens)
    api.kohort.close()


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("segment", ["Lifecycle/Active", "Lifecycle/Uses", "Vault/Canary"])
def test_nothing_that_can_be_read_names_what_is_elsewhere(limited: Api, segment: str) -> None:
    found, answered, number = {}, 0, str(limited.segment(segment)["id"])
    for route in guarded_routes(limited.app):
        action = action_of(route)
        if "GET" not in route.methods or action == PUBLIC or "events" in route.path or ACTIONS[action].role in ("engineer", "admin"):
            continue
        is_api = route.endpoint.__module__.startswith("kohort.web.api.")
        places = {"parent": "all-customers", "segment": number, "name": "country", "key": "c024", "number": "1"}
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda place, places=places: places.get(place[1], "1"), route.path)
        path = f"/api/v1{path.removeprefix('/api/v1')}" if is_api else path
        wanted = {"profile": "c024", "key": "c024", "path": "Lifecycle", "field": "country", "view": "why"}
        taken = set(inspect.signature(route.endpoint).parameters) - set(route.param_convertors)
        wanted = {name: value for name, value in wanted.items() if name in taken or not is_api}
        headers = {"Authorization": f"Bearer {limited.tokens['marketer']}"}
        answer = asyncio.run(limited._call("GET", path, headers, {"params": wanted}))
        answered += answer.status_code == 200
        found[path] = secrets_in(answer.text)
    assert {path: secrets for path, secrets in found.items() if secrets} == {}
    assert answered >= 30


QUESTIONS: list[tuple[str, str, Any]] = [
    ("POST", "/preview", {"text": "in segment 'Canari'"}),
    ("POST", "/preview", {"text": "purchase in last 30 days", "overlaps": 50}),
    ("POST", "/count", {"text": "in segment 'Vaul/Canari'"}),
    ("POST", "/rules/parse", {"text": "in segment 'Canari'"}),
    ("POST", "/segments", {"definition": {"name": "X", "folder": "Lifecycle", "rule": "in segment 'Canari'"}}),
    ("POST", "/segments", {"definition": {"name": "X", "folder": "Lifecycle", "base": "Canari", "rule": "country = 'JP'"}}),
    ("GET", "/overlap?segments=Canari", None),
    ("GET", "/overlap", None),
    ("GET", "/lint", None),
    ("GET", "/segments?search=canar", None),
    ("GET", "/segments?folder=Sec", None),
    ("GET", "/../hidden-paren", None),
]


@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS)
def test_no_answer_names_what_is_elsewhere(limited: Api, method: str, path: str, body: Any) -> None:
    address = path.replace("/..", "/parents") if path.startswith("/..") else f"{PARENT}{path}"
    answer = limited.call(method, address, "marketer", **({"json": body} if body else {}))
    assert answer.status_code < 500
    assert secrets_in(answer.text) == []


def test_hints_help_with_names_that_one_may_see(limited: Api) -> None:
    def hints(text: str) -> list[str]:
        return [issue["hint"] for issue in limited.ok("POST", f"{PARENT}/preview", "marketer", json={"text": text})["issues"]]

    assert 'did you mean "Lapsing"?' in hints("in segment 'Lapsin'")
    assert hints("in segment 'Canari'") == [""]


def test_why_a_profile_is_in_a_segment_elsewhere_is_not_told(limited: Api) -> None:
    address = f"{limited.at('Lifecycle/Uses')}/explain?key=c024"
    found = limited.ok("GET", address, "marketer")
    reference = found["explanation"]["rule"]["parts"][1]["reference"]
    assert reference == {"path": "something that you may not see", "member": False, "base": None, "variant": None, "rule": None}
    assert [turn["text"] for turn in found["smallest_change"]] != []
    assert secrets_in(str(found)) == []
    assert "lifetime_value > 777777" in str(limited.ok("GET", address, "admin"))


def test_what_is_not_there_and_what_may_not_be_seen_are_answered_alike(limited: Api) -> None:
    def asked(there: str, gone: str, *words: str) -> tuple[Any, Any]:
        found, missing = (limited.refused(404, "GET", path, "marketer") for path in (there, gone))
        return [found[name].replace(words[0], "*") for name in ("code", "detail", "hint")], [
            missing[name].replace(words[1], "*") for name in ("code", "detail", "hint")
        ]

    canary = limited.segment("Vault/Canary")["id"]
    for there, gone, word, other in (
        (f"{PARENT}/segments/{canary}", f"{PARENT}/segments/9999", str(canary), "9999"),
        (f"{PARENT}/folder?path=Vault", f"{PARENT}/folder?path=Nowhere", "Vault", "Nowhere"),
        ("/parents/hidden-parent", "/parents/nowhere", "hidden-parent", "nowhere"),
    ):
        assert len(set(map(str, asked(there, gone, word, other)))) == 1


def test_viewers_of_one_folder_see_no_members_of_rules_they_try(limited: Api) -> None:
    """They could read every profile through a rule that holds for it."""
    body = {"text": "country = 'JP'", "sample": 5}
    assert limited.ok("POST", f"{PARENT}/preview", "viewer", json=body)["sample"]["rows"] == []
    assert limited.ok("POST", f"{PARENT}/preview", "marketer", json=body)["sample"]["rows"] == []
    placed = {**body, "folder": "Lifecycle"}
    assert limited.ok("POST", f"{PARENT}/preview", "viewer", json=placed)["sample"]["rows"] == []
    assert len(limited.ok("POST", f"{PARENT}/preview", "marketer", json=placed)["sample"]["rows"]) == 5
    assert len(limited.ok("POST", f"{PARENT}/preview", "engineer", json=body)["sample"]["rows"]) == 5


def test_why_a_run_failed_names_nothing_that_is_elsewhere(limited: Api) -> None:
    store, clock = limited.kohort.store, limited.kohort.clock
    parent = require_parent(store, "all-customers")
    problem = {
        "code": "STORED_DEFINITION",
        "detail": 'the segment "Vault/Canary" cannot be read',
        "hint": 'revert "Vault/Canary"',
        "issues": [{"code": "X", "severity": "error", "path": "rule", "message": "Vault/Canary: Lifecycle/Active is gone", "hint": ""}],
    }
    run = store.start_run(parent.id, "evaluation", as_of=None, by="x", way="cli", at=clock.now())
    store.finish_run(run.id, "error", at=clock.now(), message="Vault/Canary failed", problem=problem)
    for path in (f"/api/v1/runs/{run.id}", "/api/v1/runs?limit=1", f"/runs/{run.id}", "/runs"):
        told = {}
        for role in ("marketer", "admin"):
            headers = {"Authorization": f"Bearer {limited.tokens[role]}"}
            told[role] = asyncio.run(limited._call("GET", path, headers, {})).text
        assert secrets_in(told["marketer"]) == []
        assert "something that you may not see" in told["marketer"].casefold(), path
        assert "Canary" in told["admin"]


class TestChanges:
    @pytest.fixture
    def mine(self, own: Api) -> Api:
        prepare(own)
        return own

    def test_moves_delete_and_cycles_name_nothing_that_is_elsewhere(self, mine: Api) -> None:
        active = mine.at("Lifecycle/Active")
        user = mine.segment("Vault/Canary user")["id"]
        circle = {"definition": {"name": "Active", "folder": "Lifecycle", "rule": f"in segment '{user}'"}}
        for answer in (
            mine.call("DELETE", active, "marketer", headers=ANY),
            mine.call("DELETE", f"{PARENT}/folder?path=Lifecycle", "marketer", headers=ANY),
            mine.call("PUT", active, "marketer", json=circle, headers=ANY),
            mine.call("POST", f"{active}/move", "marketer", json={"name": "Canary", "folder": "Vault"}, headers=ANY),
        ):
            assert answer.status_code in (403, 409, 422)
            assert secrets_in(answer.text) == [], answer.text
        assert "Canary user" in mine.call("DELETE", active, "admin", headers=ANY).text
        moved = mine.call("POST", f"{active}/move", "marketer", json={"name": "Awake"}, headers=ANY)
        assert moved.status_code == 200
        assert {item["path"] for item in moved.json()["rewritten"]} == {"Lifecycle/Deep/Active VIP", "Lifecycle/Lapsing"}
        folder = mine.call("POST", f"{PARENT}/folder/move?path=Lifecycle", "marketer", json={"to": "Lifecycle/New"}, headers=ANY)
        assert folder.status_code == 422
        assert "in segment 'Lifecycle/Awake'" in mine.ok("GET", mine.at("Vault/Canary user"))["text"]

    def test_an_engineer_who_is_limited_to_looking_sees_no_personal_data_and_changes_no_source(self, mine: Api) -> None:
        mine.ok("POST", "/sources", "engineer", json={"name": "Till"})
        limit(mine, "engineer", {"parent": "all-customers", "folder": "", "role": "viewer"})
        assert "pii.read" not in mine.ok("GET", "/me", "engineer")["actions"]
        mine.refused(403, "POST", "/sources", "engineer", json={"name": "Other"})
        mine.refused(403, "POST", "/sources/till/rotate-key", "engineer", json={})
        mine.refused(403, "POST", "/parents", "engineer", json={"definition": {}})
        limit(
            mine, "engineer", {"parent": "all-customers", "folder": "", "role": "viewer"}, {"parent": "hidden-parent", "role": "engineer"}
        )
        mine.ok("POST", "/sources", "engineer", json={"name": "Other"})
        limit(mine, "engineer", {"parent": "hidden-parent", "role": "engineer"})
        taken = mine.refused(409, "POST", "/sources", "engineer", json={"name": "Shop"})
        assert taken["detail"].startswith("the parent segment something that you may not see reads tables")
