"""Who may do what over HTTP: every route, every role; signing in, cookies, tokens, grants, personal data, the audit log."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from kohort.ports.users import ROLES
from kohort.services.access import ACTIONS
from kohort.services.definitions.stored import require_parent
from kohort.services.parents.index import refresh_and_index
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import COOKIE, PUBLIC, GuardedRoute, action_of
from kohort.web.studio.app import _PAGES as PAGES
from kohort.web.studio.app import build_web
from tests.web.api.conftest import PASSWORD, Api

PARENT = "/parents/all-customers"


def every_route(api: Api) -> list[tuple[str, str, str]]:
    """(method, path with places filled in, action)."""
    found = []
    for route in guarded_routes(api.app):
        path = re.sub(r"\{(\w+)\}", lambda place: "all-customers" if place[1] == "parent" else "1", route.path).removeprefix("/api/v1")
        found += [(method, path, action_of(route)) for method in sorted(route.methods)]
    return found


class TestRoleMatrix:
    def test_every_route_is_guarded(self, api: Api) -> None:
        routes = every_route(api)
        assert len(routes) >= 50
        assert {action for _, _, action in routes} - {PUBLIC} <= set(ACTIONS)
        assert sorted((method, path) for method, path, action in routes if action == PUBLIC) == [("POST", "/login"), ("POST", "/setup")]

    def test_the_anonymous_get_nothing_but_health(self, api: Api) -> None:
        for method, path, action in every_route(api):
            if action != PUBLIC:
                for body in ({}, {"content": b"{broken"}, {"content": b"x" * 2000, "headers": {"content-type": "text/plain"}}):
                    assert api.refused(401, method, path, "", **body)["code"] == "SIGN_IN_FIRST", (method, path)
        assert api.call("GET", "/healthz", "").json() == {"status": "ok"}

    def test_a_token_that_is_none_is_as_nobody(self, api: Api) -> None:
        for header in ("Bearer kht_wrong", "Bearer", "Basic YTpi", f"Bearer {api.tokens['admin']}x", b"Bearer \xff\xfe"):
            api.refused(401, "GET", "/me", "", headers={"Authorization": header})

    @pytest.mark.parametrize("role", ROLES[:-1])
    def test_every_route_refuses_roles_that_are_too_low(self, api: Api, role: str) -> None:
        too_high = [route for route in every_route(api) if route[2] != PUBLIC and ROLES.index(ACTIONS[route[2]].role) > ROLES.index(role)]
        assert too_high
        for method, path, _ in too_high:
            assert api.refused(403, method, path, role, content=b"{broken")["code"] == "FORBIDDEN", (method, path)

    def test_who_may_gets_past_the_door(self, api: Api) -> None:
        for method, path, action in every_route(api):
            if method == "GET":
                answer = api.call(method, path, ACTIONS[action].role)
                assert answer.status_code not in (401, 403), (method, path)
                assert "no-store" in answer.headers["cache-control"], path
                assert answer.headers["x-content-type-options"] == "nosniff", path


@pytest.fixture(scope="module")
def web(api: Api) -> Api:
    """The same workspace with the studio: every page there is."""
    return Api(api.kohort, build_web(api.kohort), api.tokens)


def page_routes() -> list[GuardedRoute]:
    """Every route of every page module."""
    return [route for module in PAGES for route in guarded_routes(module.routes)]


def every_page() -> list[tuple[str, str, str]]:
    """(method, path with places filled in, action) of every page that is not public."""
    places = {"parent": "all-customers", "source": "web_shop"}
    found = []
    for route in page_routes():
        if action_of(route) != PUBLIC:
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda place: places.get(place[1], "1"), route.path)
            found += [(method, path, action_of(route)) for method in sorted(route.methods)]
    return found


class TestPagesRoleMatrix:
    """The same for pages: whatever is added to the studio is in it."""

    def page(self, web: Api, path: str, role: str = "", method: str = "GET", **headers: str) -> Any:
        headers |= {"Authorization": f"Bearer {web.tokens[role]}"} if role else {}
        return asyncio.run(web._call(method, path, headers, {}))

    def test_every_route_is_of_the_api_or_a_page_and_only_signing_in_is_public(self, api: Api, web: Api) -> None:
        assert len(every_page()) >= 20
        assert len(guarded_routes(web.app)) == len(guarded_routes(api.app)) + len(page_routes())
        assert sorted(route.path for route in page_routes() if action_of(route) == PUBLIC) == ["/login", "/setup"]

    def test_the_anonymous_are_sent_to_sign_in_and_back(self, web: Api) -> None:
        for method, path, _ in every_page():
            answer = self.page(web, f"{path}?a=b", method=method)
            assert answer.status_code == 303, path
            where = urlsplit(answer.headers["location"])
            assert (where.path, where.netloc) == ("/login", ""), path
            assert parse_qs(where.query) == {"next": [f"{path}?a=b"]}, path
            assert answer.content == b"", path
            followed = self.page(web, path, method=method, **{"HX-Request": "true", "HX-Boosted": "true"})
            to = f"/login?next={quote(path)}" if path != "/" else "/login"
            assert (followed.status_code, followed.headers["hx-redirect"], followed.content) == (401, to, b""), path
            part = self.page(web, path, method=method, **{"HX-Request": "true"})
            assert (part.status_code, part.headers["hx-redirect"], part.content) == (401, "/login", b""), path

    def test_a_session_that_ended_is_as_nobody(self, web: Api) -> None:
        for method, path, _ in every_page():
            assert self.page(web, path, method=method, Cookie=f"{COOKIE}=guessed").status_code == 303, path

    @pytest.mark.parametrize("role", ROLES[:-1])
    def test_a_role_that_is_too_low_gets_a_page_that_says_so(self, web: Api, role: str) -> None:
        too_high = [page for page in every_page() if ROLES.index(ACTIONS[page[2]].role) > ROLES.index(role)]
        assert too_high
        for method, path, action in too_high:
            answer = self.page(web, path, role, method)
            assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8"), path
            assert f"t takes the role {ACTIONS[action].role}" in answer.text, path

    def test_who_may_gets_past_the_door(self, web: Api) -> None:
        for method, path, action in every_page():
            if method != "GET":
                continue
            answer = self.page(web, path, ACTIONS[action].role)
            assert answer.status_code not in (401, 403), path
            assert answer.status_code < 500, f"{path}: {(web.kohort.workspace.state / 'crash.log').read_text()}"
            assert not answer.headers.get("location", "").startswith("/login"), path
            assert answer.status_code != 200 or answer.headers["cache-control"] == "no-store", path
            assert "unsafe" not in answer.headers.get("content-security-policy", "default-src 'self'"), path


class TestSigningIn:
    def cookie(self, api: Api, role: str = "marketer") -> dict[str, str]:
        answer = api.call("POST", "/login", "", json={"name": role, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        header = answer.headers["set-cookie"]
        assert "HttpOnly" in header
        assert "SameSite=lax" in header
        assert "Secure" not in header
        return {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}

    def test_a_session_acts_for_its_user_until_it_ends(self, own: Api) -> None:
        cookie = self.cookie(own)
        me = own.ok("GET", "/me", "", headers=cookie)
        assert (me["name"], me["role"], me["way"]) == ("marketer", "marketer", "session")
        assert "segments.write" in me["actions"]
        assert "users.write" not in me["actions"]
        own.ok("POST", "/logout", "", headers=cookie)
        own.refused(401, "GET", "/me", "", headers=cookie)

    def test_pages_of_other_sites_cannot_act_with_a_session(self, own: Api) -> None:
        cookie, body = self.cookie(own), {"json": {"name": "x"}}
        for foreign in (
            {"Origin": "http://evil.test"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "null"},
        ):
            assert own.refused(403, "POST", "/tokens", "", headers=cookie | foreign, **body)["code"] == "CROSS_SITE"
        assert own.refused(403, "POST", "/login", "", headers={"Origin": "http://evil.test"}, json={})["code"] == "CROSS_SITE"
        own.ok("POST", "/tokens", "", headers=cookie | {"Origin": "http://kohort.test"}, **body)
        own.ok("POST", "/tokens", "", headers=cookie | {"Sec-Fetch-Site": "same-origin"}, **body)

    def test_too_many_failures_are_told_to_wait(self, own: Api) -> None:
        for _ in range(5):
            assert own.refused(401, "POST", "/login", "", json={"name": "viewer", "password": "wrong"})["code"] == "WRONG_PASSWORD"
        answer = own.call("POST", "/login", "", json={"name": "viewer", "password": PASSWORD})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 16
        self.cookie(own, "marketer")

    def test_setup_works_with_the_link_and_only_without_users(self, own: Api) -> None:
        body = {"secret": "guessed", "name": "eve", "password": PASSWORD}
        assert own.refused(401, "POST", "/setup", "", json=body)["code"] == "LINK_INVALID"

    def test_a_new_password_takes_the_old_one_and_ends_sessions(self, own: Api) -> None:
        cookie = self.cookie(own)
        wrong = own.refused(422, "PUT", "/me/password", "", headers=cookie, json={"old": "wrong", "new": "another long one"})
        assert (wrong["code"], wrong["detail"]) == ("OLD_PASSWORD_WRONG", "the old password is wrong")
        own.refused(403, "PUT", "/me/password", "marketer", json={"old": PASSWORD, "new": "another long one"})
        own.ok("PUT", "/me/password", "", headers=cookie, json={"old": PASSWORD, "new": "another long one"})
        own.refused(401, "GET", "/me", "", headers=cookie)


class TestTokens:
    def test_a_token_that_was_made_with_another_ends_with_it(self, own: Api) -> None:
        first = own.ok("POST", "/tokens", "", headers={"Authorization": f"Bearer {own.tokens['viewer']}"}, json={"name": "first"})
        own.tokens["first"] = first["token"]
        second = own.ok("POST", "/tokens", "first", json={"name": "second"})
        own.tokens["second"] = second["token"]
        assert second["made_with"] == first["id"]
        own.ok("GET", "/me", "second")
        assert own.ok("DELETE", f"/tokens/{first['id']}", "admin")["revoked_with_it"] == [second["id"]]
        assert own.refused(401, "GET", "/me", "second")["code"] == "SIGN_IN_FIRST"
        assert [entry["object"] for entry in own.ok("GET", "/audit?kind=token&limit=2", "admin")["items"]] == [
            str(second["id"]),
            str(first["id"]),
        ]

    def test_a_token_is_shown_once_and_may_no_more_than_asked(self, own: Api) -> None:
        made = own.ok("POST", "/tokens", "engineer", json={"name": "job", "role": "viewer", "days": 1})
        own.tokens["job"] = made["token"]
        assert own.ok("GET", "/me", "job")["role"] == "viewer"
        assert made["token"] not in own.call("GET", "/tokens", "engineer").text
        assert own.refused(422, "POST", "/tokens", "job", json={"name": "more", "role": "engineer"})["code"] == "ROLE_TOO_HIGH"
        own.refused(403, "GET", "/tokens?everybody=true", "engineer")
        assert own.refused(404, "DELETE", f"/tokens/{made['id']}", "viewer")["code"] == "TOKEN_NOT_FOUND"
        assert own.ok("DELETE", f"/tokens/{made['id']}", "admin")["state"] == "revoked"
        own.refused(401, "GET", "/me", "job")

    def test_a_lower_role_and_a_disabled_user_count_at_once(self, own: Api) -> None:
        [user] = [user for user in own.ok("GET", "/users")["items"] if user["name"] == "engineer"]
        own.ok("PATCH", f"/users/{user['id']}", json={"role": "viewer"}, headers={"If-Match": "*"})
        own.refused(403, "POST", "/sources", "engineer", json={"name": "x"})
        own.ok("PATCH", f"/users/{user['id']}", json={"disabled": True}, headers={"If-Match": "*"})
        own.refused(401, "GET", "/me", "engineer")
        [admin] = [user for user in own.ok("GET", "/users")["items"] if user["name"] == "admin"]
        assert (
            own.refused(409, "PATCH", f"/users/{admin['id']}", json={"role": "viewer"}, headers={"If-Match": "*"})["code"] == "LAST_ADMIN"
        )


class TestGrants:
    def test_nobody_overwrites_what_another_admin_granted(self, own: Api) -> None:
        [user] = [user for user in own.ok("GET", "/users")["items"] if user["name"] == "marketer"]
        path, grants = f"/users/{user['id']}", {"grants": [{"parent": "all-customers", "folder": "Lifecycle", "role": "viewer"}]}
        read = own.call("GET", path)
        assert read.headers["etag"] == f'"{user["revision"]}"'
        for change in (("PUT", f"{path}/grants", grants), ("PATCH", path, {"role": "viewer"})):
            assert own.refused(428, *change[:2], json=change[2])["code"] == "REVISION_MISSING"
        first = own.call("PUT", f"{path}/grants", json=grants, headers={"If-Match": read.headers["etag"]})
        assert (first.status_code, first.headers["etag"] != read.headers["etag"]) == (200, True)
        for change in (("PUT", f"{path}/grants", {"grants": []}), ("PATCH", path, {"role": "viewer"})):
            refused = own.refused(412, *change[:2], json=change[2], headers={"If-Match": read.headers["etag"]})
            assert refused["code"] == "CHANGED_MEANWHILE"
            assert "admin changed it at 20" in refused["detail"]
        own.ok("PATCH", path, json={"role": "viewer"}, headers={"If-Match": first.headers["etag"]})
        unchanged = own.call("GET", path, headers={"If-None-Match": own.call("GET", path).headers["etag"]})
        assert unchanged.status_code == 304

    def test_what_is_not_granted_is_not_there(self, own: Api) -> None:
        [user] = [user for user in own.ok("GET", "/users")["items"] if user["name"] == "marketer"]
        vip, active = own.at("Value/VIP"), own.at("Lifecycle/Active")
        given = own.ok(
            "PUT",
            f"/users/{user['id']}/grants",
            json={"grants": [{"parent": "all-customers", "folder": "Lifecycle", "role": "marketer"}]},
            headers={"If-Match": "*"},
        )
        assert given["grants"] == [{"parent": "all-customers", "folder": "Lifecycle", "role": "marketer"}]
        seen = {item["path"] for item in own.ok("GET", f"{PARENT}/segments", "marketer")["items"]}
        assert seen == {"Lifecycle/Active", "Lifecycle/Lapsing", "Lifecycle/Deep/Active VIP"}
        assert {item["path"] for item in own.ok("GET", f"{PARENT}/folders", "marketer")["items"]} == {"Lifecycle", "Lifecycle/Deep"}
        assert own.refused(404, "GET", vip, "marketer")["code"] == "SEGMENT_NOT_FOUND"
        assert own.refused(404, "DELETE", vip, "marketer", headers={"If-Match": "*"})["code"] == "SEGMENT_NOT_FOUND"
        own.ok("GET", active, "marketer")
        elsewhere = {"definition": {"name": "Mine", "folder": "Value", "rule": "country = 'JP'"}}
        own.refused(403, "POST", f"{PARENT}/segments", "marketer", json=elsewhere)
        own.ok("POST", f"{PARENT}/segments", "marketer", json={"definition": {**elsewhere["definition"], "folder": "Lifecycle/New"}})
        own.refused(403, "POST", f"{active}/move", "marketer", json={"folder": "Value"}, headers={"If-Match": "*"})
        own.refused(403, "GET", f"{PARENT}/profiles", "marketer")
        own.refused(403, "POST", f"{PARENT}/evaluate", "marketer")
        previewed = own.ok("POST", f"{PARENT}/preview", "marketer", json={"text": "country = 'JP'"})
        assert {pair["segment"] for pair in previewed["overlaps"]} <= seen | {"Lifecycle/New/Mine"}
        assert {s["path"] for s in own.ok("GET", f"{PARENT}/overlap", "marketer")["segments"]} == seen | {"Lifecycle/New/Mine"}

    def test_other_parent_segments_are_not_there(self, own: Api) -> None:
        [user] = [user for user in own.ok("GET", "/users")["items"] if user["name"] == "viewer"]
        other = {"name": "Other", "master": {"database": "shop", "table": "customers", "key_column": "customer_id"}}
        own.ok("POST", "/parents", json={"definition": other})
        own.ok("PUT", f"/users/{user['id']}/grants", json={"grants": [{"parent": "other", "role": "viewer"}]}, headers={"If-Match": "*"})
        assert [parent["slug"] for parent in own.ok("GET", "/parents", "viewer")["items"]] == ["other"]
        for path in ("", "/segments", "/fields", "/profiles", "/refreshes"):
            assert own.refused(404, "GET", f"{PARENT}{path}", "viewer")["code"] == "PARENT_NOT_FOUND"
        assert own.ok("GET", "/runs", "viewer")["items"] == []


class TestPersonalData:
    def test_pii_is_masked_for_those_who_may_not_see_it(self, own: Api) -> None:
        whole = own.call("GET", PARENT)
        definition = whole.json()["definition"]
        metrics = definition["attributes"][0]["columns"]
        metrics[0] = {**metrics[0], "visibility": "pii"}
        assert metrics[0]["column"] == "lifetime_value"
        own.ok("PUT", PARENT, json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
        own.kohort.close_warehouse()
        record = require_parent(own.kohort.store, "all-customers")
        refresh_and_index(own.kohort.warehouse, own.kohort.store, record, own.kohort.indexes, clock=own.kohort.clock)
        vip = own.at("Value/VIP")
        for role, may in (("viewer", False), ("marketer", False), ("engineer", True)):
            shown = own.ok("GET", f"{PARENT}/profiles/c024", role)
            assert (shown["attributes"]["lifetime_value"] == 24 * 50.5) is may
            assert shown["masked"] == ([] if may else ["lifetime_value"])
            listed = own.ok("GET", f"{PARENT}/profiles", role)["items"] + own.ok("GET", f"{vip}/members", role)["items"]
            assert any(row["attributes"]["lifetime_value"] for row in listed) is may
            sample = own.ok("POST", f"{PARENT}/preview", role, json={"text": "lifetime_value > 1000"})["sample"]
            place = sample["columns"].index("lifetime_value")
            assert all((row[place] is not None) is may for row in sample["rows"])
            why = own.call("GET", f"{vip}/explain?key=c024", role)
            assert ("1212" in why.text) is may
            assert why.json()["member"] is True
        assert "lifetime_value" not in own.call("GET", f"{vip}/members.csv", "marketer").text
        asked = own.call("GET", f"{vip}/members.csv?columns=customer_id,lifetime_value", "marketer")
        assert asked.text.splitlines()[0] == '"customer_id"'
        assert "lifetime_value" in own.call("GET", f"{vip}/members.csv", "engineer").text

    def test_samples_in_the_report_of_a_refresh_are_not_for_everybody(self, own: Api) -> None:
        whole = own.call("GET", PARENT)
        definition = whole.json()["definition"]
        tier, key = definition["attributes"][0]["columns"][1], {"column": "customer_id", "name": "card", "visibility": "pii"}
        assert tier["column"] == "loyalty_tier"
        definition["attributes"][0]["columns"] = [{**tier, "type": "number", "visibility": "pii"}, key]
        own.ok("PUT", PARENT, json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
        own.kohort.warehouse.execute("INSERT INTO shop.metrics (customer_id) VALUES ('jane-of-nowhere'), ('c001')")
        own.kohort.close_warehouse()
        record = require_parent(own.kohort.store, "all-customers")
        done = refresh_and_index(own.kohort.warehouse, own.kohort.store, record, own.kohort.indexes, clock=own.kohort.clock)
        path = f"{PARENT}/refreshes/{done.record.number}"
        for role, may in (("viewer", False), ("marketer", False), ("engineer", True)):
            [part] = own.ok("GET", path, role)["report"]["attributes"]
            assert (part["unmatched_keys"], part["extra_rows"], part["misfits"][0]["count"] > 0) == (1, 1, True)
            assert bool(part["unmatched_samples"] and part["duplicate_samples"] and part["misfits"][0]["samples"]) is may
            said = "".join(own.call("GET", address, role).text for address in (path, PARENT, f"{PARENT}/refreshes", "/runs"))
            assert ("jane-of-nowhere" in said, '"Gold"' in said) == (may, may)


class TestAudit:
    def test_changes_and_exports_are_kept_with_who_and_what(self, own: Api) -> None:
        vip = own.at("Value/VIP")
        before = own.call("GET", vip)
        saved = own.call(
            "PUT",
            vip,
            "marketer",
            json={"definition": {**before.json()["definition"], "rule": "lifetime_value > 2000"}},
            headers={"If-Match": before.headers["etag"]},
        )
        own.call("GET", f"{vip}/members.csv?columns=country", "marketer")
        export, save = own.ok("GET", "/audit?object=all-customers:Value/VIP&limit=2")["items"]
        assert (save["who"], save["way"], save["action"], save["address"]) == ("marketer", "token", "segment.save", "10.1.1.1")
        assert (save["before"], save["after"]) == (before.headers["etag"].strip('"'), saved.headers["etag"].strip('"'))
        assert (export["action"], export["after"]) == ("members.export", save["after"])
        assert export["detail"].endswith("rows: country")

    def test_what_was_refused_leaves_no_entry(self, own: Api) -> None:
        newest = own.ok("GET", "/audit?limit=1")["items"][0]["id"]
        own.refused(428, "DELETE", own.at("Everybody"))
        own.refused(422, "POST", f"{PARENT}/segments", json={"definition": {"name": "X", "rule": "nonsense > 1"}})
        own.refused(403, "POST", "/users", "engineer", json={"name": "x"})
        assert own.ok("GET", "/audit?limit=1")["items"][0]["id"] == newest
