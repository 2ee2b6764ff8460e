"""Values marked as personal data, looked for in everything that those who may not see them can ask for."""

from __future__ import annotations

import asyncio
import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from kohort.services.access import ACTIONS
from kohort.services.definitions.stored import require_parent
from kohort.services.parents.index import refresh_and_index
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import PUBLIC, action_of
from kohort.web.studio.app import build_web
from tests.cli.workspaces import AS_OF
from tests.web.api.conftest import Api, open_api

PARENT = "/parents/all-customers"
SECRETS = ("canary", "987654", "987,654", "2024-02-25T10:00")
"""Of the master table, of a behavior; a number and an instant of an attribute table."""
FIELDS = ("name", "lifetime_value", "last_purchase_date", "purchase.category")
QUESTIONS: dict[str, Any] = {
    "preview": {"text": "lifetime_value > 1000 and name starts with 'canar'", "columns": ["name", "country", "lifetime_value"]},
    "explain": {"text": "last_purchase_date within past 30 days and lifetime_value > 1", "key": "c024", "evidence": 9},
    "count": {"text": "name = 'x'"},
    "forecast": {"text": "last_purchase_date within past 30 days"},
    "backtest": {"text": "last_purchase_date within past 30 days"},
}

SPLIT = {"variants": [{"name": "A", "ratio": 50}], "control": 50}


def mark_personal(api: Api) -> None:
    """Mark a column of the master, two of an attribute table and one of a behavior, give them values that are nowhere else, refresh."""
    whole = api.call("GET", PARENT)
    definition = whole.json()["definition"]
    definition["master"]["columns"] = [{"column": "name", "label": "Full name", "visibility": "pii"}]
    for table in (*definition["attributes"], *definition["behaviors"]):
        table["columns"] = [
            {**c, "visibility": "pii"} if c["column"] in ("lifetime_value", "last_purchase_date", "category") else c
            for c in table["columns"]
        ]
    api.ok("PUT", PARENT, json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
    warehouse = api.kohort.warehouse
    warehouse.execute("UPDATE shop.customers SET name = 'canary ' || customer_id")
    warehouse.execute("UPDATE shop.purchases SET category = 'canary shop'")
    warehouse.execute("UPDATE shop.metrics SET lifetime_value = 987654.25 WHERE customer_id = 'c024'")
    api.kohort.close_warehouse()
    record = require_parent(api.kohort.store, "all-customers")
    refresh_and_index(api.kohort.warehouse, api.kohort.store, record, api.kohort.indexes, clock=api.kohort.clock, as_of=AS_OF)
    body = {"definition": {"name": "Recent", "folder": "Value", "rule": "last_purchase_date within past 30 days and lifetime_value > 1"}}
    api.ok("POST", f"{PARENT}/segments", json=body)
    api.ok("POST", f"{PARENT}/evaluate", json={})


@pytest.fixture(scope="module")
def private(evaluated_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("private") / "shop"
    shutil.copytree(evaluated_shop, folder)
    api = open_api(folder)
    mark_personal(api)
    yield Api(api.kohort, build_web(api.kohort), api.tokens)
    api.kohort.close()


def everything(api: Api, role: str, profile: str = "c024") -> Iterator[tuple[str, str]]:
    """(what was asked, the answer) of everything that can be read, and of every question about a rule."""
    segment = str(api.segment("Value/Recent")["id"])
    number = str(api.ok("GET", f"{PARENT}/refreshes?limit=1")["items"][0]["number"])
    for route in guarded_routes(api.app):
        action = action_of(route)
        if "GET" not in route.methods or action == PUBLIC or "events" in route.path or ACTIONS[action].role == "admin":
            continue
        for field in FIELDS if "{name}" in route.path or "/fields" in route.path else FIELDS[:1]:
            places = {"parent": "all-customers", "segment": segment, "name": field, "key": profile, "number": number}
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda place, places=places: places.get(place[1], "1"), route.path)
            path = f"/api/v1{path.removeprefix('/api/v1')}" if is_api(route) else path
            wanted = {"field": field, "path": "Value", "profile": profile, "key": profile, "explain": "Value/Recent", "prefix": "canary"}
            for view in ("", "why", "segments") if path.endswith("/profiles") else ("",):
                yield f"{path} {field} {view}", read(api, role, path, known(route, {**wanted, "view": view}))
    for question, body in QUESTIONS.items():
        named = {**body, "key": profile} if "key" in body else body
        yield question, api.call("POST", f"{PARENT}/{question}", role, json=named).text


def known(route: APIRoute, wanted: dict[str, str]) -> dict[str, str]:
    """Those of the parameters that the route takes: the API refuses others."""
    taken = set(inspect.signature(route.endpoint).parameters) - set(route.param_convertors)
    return {name: value for name, value in wanted.items() if name in taken} if is_api(route) else wanted


def is_api(route: APIRoute) -> bool:
    return route.endpoint.__module__.startswith("kohort.web.api.")


def read(api: Api, role: str, path: str, wanted: dict[str, str]) -> str:
    if path.startswith("/api/v1"):
        return api.call("GET", path.removeprefix("/api/v1"), role, params=wanted).text
    headers = {"Authorization": f"Bearer {api.tokens[role]}"}
    return asyncio.run(api._call("GET", path, headers, {"params": wanted})).text


@pytest.mark.parametrize("role", ["viewer", "marketer"])
def test_nobody_below_engineer_reads_personal_data_anywhere(private: Api, role: str) -> None:
    asked = list(everything(private, role))
    assert len(asked) > 70
    told = {what: [secret for secret in SECRETS if secret in answer.replace("name starts with 'canar'", "")] for what, answer in asked}
    assert {what: secrets for what, secrets in told.items() if secrets} == {}


def test_engineers_read_it_in_the_same_places(private: Api) -> None:
    told = {what for what, answer in everything(private, "engineer") if any(secret in answer for secret in SECRETS)}
    for what in (
        f"/api/v1{PARENT}/profiles name ",
        f"/api/v1{PARENT}/profiles/c024 name ",
        "/audiences/all-customers/profiles name ",
        "preview",
    ):
        assert what in told
    assert {"explain"} <= told
    assert any(what.startswith("/audiences/all-customers/segments/") and "why" in what for what in told)


def test_values_of_the_master_are_not_suggested_and_not_counted_one_by_one(private: Api) -> None:
    for role in ("viewer", "engineer"):
        assert private.ok("GET", f"{PARENT}/fields/name/values?prefix=canary", role)["items"] == []
        found = private.ok("GET", f"{PARENT}/fields/name", role)
        assert (found["distinct"], found["top"], found["histogram"]) == (60, [], None)
    assert {f["name"]: f["label"] for f in private.ok("GET", f"{PARENT}/fields", "viewer")["catalog"]["attributes"]}["name"] == "Full name"


def test_when_a_hidden_date_turns_a_rule_is_not_told(private: Api) -> None:
    found = private.ok("POST", f"{PARENT}/explain", "viewer", json=QUESTIONS["explain"])
    assert found["next_change"] == {"at": None, "unchanged_until": None, "masked": True}
    assert found["member"] is True
    assert private.ok("POST", f"{PARENT}/explain", "engineer", json=QUESTIONS["explain"])["next_change"]["at"] == "2024-03-26T10:00:00Z"


def test_counts_of_rules_on_personal_data_are_told(private: Api) -> None:
    """Segments may stand on personal data: what is hidden is values, not how many have one that somebody knows already."""
    for role in ("viewer", "engineer"):
        assert private.ok("POST", f"{PARENT}/count", role, json={"text": "name = 'canary c024'"})["count"] == 1


def test_a_download_has_no_column_of_personal_data_however_it_is_asked_for(private: Api) -> None:
    address = f"{PARENT}/segments/{private.segment('Value/Recent')['id']}/members.csv"
    assert private.call("GET", f"{address}?columns=customer_id,name", "marketer").text.splitlines()[0] == '"customer_id"'
    for columns in ("NAME", "Name,customer_id", '"name"', "name as customer_id"):
        assert private.refused(422, "GET", f"{address}?columns={columns}", "marketer")["code"] == "UNKNOWN_ATTRIBUTE"


def test_keys_that_are_personal_data_are_nowhere(own: Api) -> None:
    """The key of the master, marked there: profiles go by their cdp_customer_id, and an A/B test tells no place."""
    whole = own.call("GET", PARENT)
    definition = whole.json()["definition"]
    definition["master"]["columns"] = [{"column": "customer_id", "visibility": "pii"}]
    own.ok("PUT", PARENT, json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
    own.kohort.warehouse.execute("INSERT INTO shop.metrics (customer_id) VALUES ('c998'), ('c999'), ('c999')")
    own.kohort.close_warehouse()
    record = require_parent(own.kohort.store, "all-customers")
    refresh_and_index(own.kohort.warehouse, own.kohort.store, record, own.kohort.indexes, clock=own.kohort.clock, as_of=AS_OF)
    body = {"definition": {"name": "Recent", "folder": "Value", "rule": "lifetime_value > 1", "ab_test": SPLIT}}
    own.ok("POST", f"{PARENT}/segments", json=body)
    own.ok("POST", f"{PARENT}/evaluate", json={})
    web = Api(own.kohort, build_web(own.kohort), own.tokens)
    profile = web.ok("GET", f"{PARENT}/profiles/c024")["cdp_customer_id"]
    told = {what: re.findall(r"\bc[09]\d\d\b", answer) for what, answer in everything(web, "marketer", profile) if "openapi" not in what}
    assert {what: keys for what, keys in told.items() if keys} == {}
    assert any(re.search(r"\bc0\d\d\b", answer) for _, answer in everything(web, "engineer", profile))
    assert web.ok("GET", f"{PARENT}/profiles?search=c02", "marketer")["items"] == []
    assert [row["key"] for row in web.ok("GET", f"{PARENT}/profiles?search=c024", "marketer")["items"]] == [None]
    assert web.call("GET", f"{web.at('Value/Recent')}/members.csv", "marketer").text.splitlines()[0].count("customer_id") == 1
