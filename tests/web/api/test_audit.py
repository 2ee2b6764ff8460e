"""The audit log over HTTP: every route that changes something writes an entry, with who did it; those that only look write none."""

from __future__ import annotations

import json
from typing import Any

import httpx

from kohort.services.users import new_setup_link
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import COMMANDS, COOKIE, action_of
from kohort.web.studio.app import _PAGES as PAGES
from tests.web.api.conftest import PASSWORD, Api

PARENT = "/parents/all-customers"
ANY = {"If-Match": "*"}
RULE = {"text": "country = 'JP'"}
OTHER = {"name": "Other", "master": {"database": "shop", "table": "customers", "key_column": "customer_id"}}
SPLIT = {"name": "Try", "rule": "country = 'JP'", "ab_test": {"id": "try-1", "variants": [{"name": "A", "ratio": 100}]}}
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "check_new_parent": ("/parents/check", {"text": json.dumps(OTHER)}),
    "check_parent": (f"{PARENT}/check", {"text": json.dumps({**OTHER, "name": "All Customers"})}),
    "forecast_of_rule": (f"{PARENT}/forecast", RULE),
    "backtest_of_rule": (f"{PARENT}/backtest", RULE),
    "preview_rule": (f"{PARENT}/preview", RULE),
    "count_rule": (f"{PARENT}/count", RULE),
    "explain_unsaved": (f"{PARENT}/explain", {**RULE, "key": "c001"}),
    "parse_written": (f"{PARENT}/rules/parse", {"text": "country = 'JP'"}),
    "split_written": (f"{PARENT}/rules/split", {"definition": SPLIT}),
}
"""Routes that only look, though they are no GET since what is asked can be long."""


class Scribe:
    """Makes requests and looks what each left in the audit log."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.seen: dict[str, str] = {}

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.ok("GET", "/audit?limit=500")["items"]
        return found

    def does(self, route: str, action: str, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """A request that must succeed and leave an entry with that action."""
        before = len(self.entries())
        answer = self.api.call(method, path, options.pop("role", "admin"), json=body, **options)
        assert answer.status_code < 300, (route, answer.text)
        new = self.entries()[: len(self.entries()) - before]
        assert action in [entry["action"] for entry in new], (route, new)
        assert all(entry["who"] and entry["way"] and entry["object"] for entry in new), (route, new)
        assert {entry["address"] for entry in new} == {"10.1.1.1"}, route
        self.seen[route] = action
        return answer


def test_every_route_that_is_no_get_writes_an_entry_or_only_looks(own: Api) -> None:
    """The table of routes says which there are: a new one must be added here, as what it is."""
    scribe = Scribe(own)
    changes_of_sources(scribe)
    changes_of_segments(scribe)
    changes_of_parents(scribe)
    changes_of_users(scribe)
    for route, (path, body) in LOOKS.items():
        before = scribe.entries()
        answer = own.call("POST", path, json=body)
        assert answer.status_code < 300, (route, answer.text)
        assert scribe.entries() == before, route
    routes = {
        route.operation_id for route in guarded_routes(own.app) if "GET" not in (route.methods or ()) and action_of(route) != COMMANDS
    }
    assert len(routes) > 30
    assert routes == {*scribe.seen, *LOOKS, "set_up"}
    pages = [route for module in PAGES for route in guarded_routes(module.routes)]
    assert pages
    assert {method for route in pages for method in route.methods or ()} == {"GET"}


def changes_of_sources(scribe: Scribe) -> None:
    key = scribe.does("add_source", "source.add", "POST", "/sources", {"name": "Till"}).json()["write_key"]
    scribe.does("change_source", "source.change", "PATCH", "/sources/till", {"rate_limit": 5}, headers=ANY)
    scribe.does("rotate_source_key", "source.rotate", "POST", "/sources/till/rotate-key", {"grace": "1h"})
    scribe.does("revoke_source_key", "source.revoke", "POST", "/sources/till/revoke-key", {"last_four": key[-4:]})
    scribe.does("rename_source", "source.rename", "POST", "/sources/till/rename", {"name": "Tills"}, headers=ANY)
    scribe.does("put_identity", "source.identity", "PUT", "/sources/till/identity", {"blocked": ["x"]}, headers=ANY)
    scribe.api.ok("PATCH", "/sources/till", json={"status": "disabled"}, headers=ANY)
    scribe.does("drop_source", "source.remove", "DELETE", "/sources/till", headers=ANY)
    assert key not in str(scribe.entries())


def changes_of_segments(scribe: Scribe) -> None:
    definition = {"name": "Mine", "folder": "New", "rule": "country = 'JP'"}
    scribe.does("add_segment", "segment.add", "POST", f"{PARENT}/segments", {"definition": definition})
    at, changed = scribe.api.at("New/Mine"), {**definition, "rule": "country = 'US'"}
    scribe.does("put_segment", "segment.save", "PUT", at, {"definition": changed}, headers=ANY)
    scribe.does("revert_segment", "segment.revert", "POST", f"{at}/revert", {"version": 1}, headers=ANY)
    scribe.does("move_segment", "segment.move", "POST", f"{at}/move", {"name": "Ours"}, headers=ANY)
    scribe.does("move_whole_folder", "segment.move", "POST", f"{PARENT}/folder/move?path=New", {"to": "Newer"}, headers=ANY)
    scribe.does("remove_segment", "segment.delete", "DELETE", at, headers=ANY)
    scribe.api.ok("POST", f"{PARENT}/segments", json={"definition": definition})
    scribe.does("remove_folder", "segment.delete", "DELETE", f"{PARENT}/folder?path=New", headers=ANY)
    vip = scribe.api.at("Value/VIP")
    before = len(scribe.entries())
    scribe.api.call("GET", f"{vip}/members.csv", "marketer")
    assert [entry["action"] for entry in scribe.entries()[: len(scribe.entries()) - before]] == ["members.export"]


def changes_of_parents(scribe: Scribe) -> None:
    scribe.does("add_parent", "parent.add", "POST", "/parents", {"definition": OTHER})
    scribe.does("put_parent", "parent.save", "PUT", "/parents/other", {"definition": {**OTHER, "description": "all"}}, headers=ANY)
    scribe.does("evaluate_parent", "parent.evaluate", "POST", f"{PARENT}/evaluate", {})
    run = scribe.does("refresh_parent", "parent.refresh", "POST", f"{PARENT}/refresh", {}).json()["id"]
    scribe.api.app.state.runs.cancel = lambda _: True
    scribe.does("cancel_run", "run.cancel", "POST", f"/runs/{run}/cancel", {})
    del scribe.api.app.state.runs.cancel
    while scribe.api.ok("GET", f"/runs/{run}")["status"] == "running":
        pass


def changes_of_users(scribe: Scribe) -> None:
    user = scribe.does("add_user", "user.add", "POST", "/users", {"name": "ann", "role": "viewer", "password": PASSWORD}).json()
    at = f"/users/{user['id']}"
    scribe.does("change_user", "user.change", "PATCH", at, {"role": "marketer"}, headers=ANY)
    scribe.does("put_grants", "user.grants", "PUT", f"{at}/grants", {"grants": [{"parent": "other", "role": "viewer"}]}, headers=ANY)
    scribe.does("set_password", "user.password", "PUT", f"{at}/password", {"password": PASSWORD + "!"})
    token = scribe.does("add_token", "token.add", "POST", "/tokens", {"name": "job"}).json()
    scribe.does("revoke_token", "token.revoke", "DELETE", f"/tokens/{token['id']}")
    own, signed_in = {"name": "ann", "password": PASSWORD + "!"}, scribe.api
    session = scribe.does("sign_in", "session.start", "POST", "/login", own, role="").cookies[COOKIE]
    cookie = {"Cookie": f"{COOKIE}={session}"}
    new = {"old": PASSWORD + "!", "new": PASSWORD}
    scribe.does("change_my_password", "user.password", "PUT", "/me/password", new, role="", headers=cookie)
    session = signed_in.call("POST", "/login", "", json={"name": "ann", "password": PASSWORD}).cookies[COOKIE]
    scribe.does("sign_out", "session.end", "POST", "/logout", {}, role="", headers={"Cookie": f"{COOKIE}={session}"})
    before = len(scribe.entries())
    signed_in.refused(401, "POST", "/login", "", json={"name": "ann", "password": "guessed"})
    assert [entry["action"] for entry in scribe.entries()[: len(scribe.entries()) - before]] == ["session.refused"]
    assert PASSWORD not in str(scribe.entries())
    assert token["token"] not in str(scribe.entries())


def test_the_first_admin_is_in_the_log(own: Api, monkeypatch: Any) -> None:
    """Made with the link of the first start, while there are no users."""
    store = own.kohort.store
    users = store.users()
    monkeypatch.setattr(store, "users", lambda: [])
    secret = new_setup_link(store, clock=own.kohort.clock)
    answer = own.call("POST", "/setup", "", json={"secret": secret, "name": "first", "password": PASSWORD})
    monkeypatch.undo()
    assert (answer.status_code, len(store.users())) == (201, len(users) + 1)
    actions = [(entry["action"], entry["who"], entry["way"]) for entry in own.ok("GET", "/audit?limit=2")["items"]]
    assert actions == [("session.start", "first", "link"), ("user.add", "first", "link")]
