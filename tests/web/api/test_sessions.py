"""Sessions and tokens from outside: what ends them, what refusals tell, what browsers are told about answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from kohort.web.api.guard import COOKIE
from kohort.web.studio.app import build_web
from kohort.web.studio.pages.sign_in import own_path
from tests.web.api.conftest import PASSWORD, Api


def session(api: Api, name: str) -> dict[str, str]:
    """The header of a new session."""
    answer = api.call("POST", "/login", "", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


def user_id(api: Api, name: str) -> int:
    return next(int(user["id"]) for user in api.ok("GET", "/users")["items"] if user["name"] == name)


class TestSessions:
    def test_signing_in_never_takes_over_a_cookie_that_was_there(self, own: Api) -> None:
        planted = {"Cookie": f"{COOKIE}=planted-by-somebody"}
        answer = own.call("POST", "/login", "", json={"name": "viewer", "password": PASSWORD}, headers=planted)
        assert answer.cookies[COOKIE] != "planted-by-somebody"
        own.refused(401, "GET", "/me", "", headers=planted)

    def test_disabling_a_user_ends_sessions_and_stops_tokens_at_once(self, own: Api) -> None:
        first, second = session(own, "viewer"), session(own, "viewer")
        own.ok("PATCH", f"/users/{user_id(own, 'viewer')}", json={"disabled": True}, headers={"If-Match": "*"})
        for header in (first, second, {"Authorization": f"Bearer {own.tokens['viewer']}"}):
            own.refused(401, "GET", "/me", "", headers=header)
        own.ok("PATCH", f"/users/{user_id(own, 'viewer')}", json={"disabled": False}, headers={"If-Match": "*"})
        own.refused(401, "GET", "/me", "", headers=first)
        own.ok("GET", "/me", "viewer")

    def test_a_password_that_an_admin_sets_ends_every_session_of_that_user_alone(self, own: Api) -> None:
        theirs, other = session(own, "viewer"), session(own, "marketer")
        own.ok("PUT", f"/users/{user_id(own, 'viewer')}/password", json={"password": "another long one"})
        own.refused(401, "GET", "/me", "", headers=theirs)
        own.ok("GET", "/me", "", headers=other)

    def test_a_lower_role_and_new_limits_count_in_a_session_that_is_open(self, own: Api) -> None:
        header, number = session(own, "engineer"), user_id(own, "engineer")
        own.ok("PATCH", f"/users/{number}", json={"role": "viewer"}, headers={"If-Match": "*"})
        own.refused(403, "POST", "/sources", "", headers=header, json={"name": "Till"})
        own.ok(
            "PUT",
            f"/users/{number}/grants",
            json={"grants": [{"parent": "all-customers", "folder": "Value", "role": "viewer"}]},
            headers={"If-Match": "*"},
        )
        paths = {item["path"] for item in own.ok("GET", "/parents/all-customers/segments", "", headers=header)["items"]}
        assert paths == {"Value/VIP", "Value/Spenders"}

    def test_cookies_are_for_https_only_where_the_setting_says_so(self, own: Api) -> None:
        own.kohort.__dict__["settings"] = replace(own.kohort.settings, api_secure_cookies="always")
        header = own.call("POST", "/login", "", json={"name": "viewer", "password": PASSWORD}).headers["set-cookie"]
        assert {part.strip().lower() for part in header.split(";")[1:]} >= {"httponly", "secure", "samesite=lax", "path=/"}

    def test_refusals_do_not_tell_which_users_there_are(self, own: Api) -> None:
        own.ok("PATCH", f"/users/{user_id(own, 'engineer')}", json={"disabled": True}, headers={"If-Match": "*"})
        answers = []
        for name, password in (("viewer", "wrong"), ("nobody-of-that-name", "wrong"), ("engineer", PASSWORD)):
            told = [own.call("POST", "/login", "", json={"name": name, "password": password}) for _ in range(6)]
            answers.append([(answer.status_code, answer.json()) for answer in told])
            assert [status for status, _ in answers[-1]] == [401] * 5 + [429]
        assert answers[0][:5] == answers[1][:5] == answers[2][:5]
        assert {answer["code"] for _, answer in (entry[5] for entry in answers)} == {"LOCKED_OUT"}


class TestTokens:
    def test_one_made_with_another_ends_no_later_than_that(self, own: Api) -> None:
        short = own.ok("POST", "/tokens", "", headers=session(own, "marketer"), json={"name": "short", "days": 1})
        own.tokens["short"] = short["token"]
        for days in (3650, None, 90):
            assert own.ok("POST", "/tokens", "short", json={"name": "long", "days": days})["expires_at"] == short["expires_at"]
        assert own.ok("POST", "/tokens", "", headers=session(own, "marketer"), json={"name": "ever", "days": None})["expires_at"] is None

    def test_nobody_sees_or_ends_tokens_of_others(self, own: Api) -> None:
        mine = own.ok("POST", "/tokens", "admin", json={"name": "mine"})
        assert mine["id"] not in {token["id"] for token in own.ok("GET", "/tokens", "marketer")["items"]}
        own.refused(404, "DELETE", f"/tokens/{mine['id']}", "marketer")
        following = own.ok("GET", "/tokens?everybody=true&limit=1", "admin")["next"]
        assert {token["user"] for token in own.ok("GET", f"/tokens?cursor={following}", "marketer")["items"]} <= {"marketer"}

    def test_with_a_token_one_neither_signs_out_nor_changes_the_password_and_is_not_told_so(self, own: Api) -> None:
        before = own.ok("GET", "/audit?limit=1")["items"]
        refused = own.refused(403, "POST", "/logout", "marketer")
        assert (refused["code"], refused["detail"]) == ("FORBIDDEN", "there is no session to end")
        assert own.ok("GET", "/audit?limit=1")["items"] == before
        own.refused(403, "PUT", "/me/password", "marketer", json={"old": PASSWORD, "new": "another long one"})
        assert not {"me.change", "warehouse.use"} & set(own.ok("GET", "/me")["actions"])
        actions = own.ok("GET", "/me", "", headers=session(own, "admin"))["actions"]
        assert ("me.change" in actions, "warehouse.use" in actions) == (True, False)

    def test_a_low_token_does_not_end_the_high_one_of_the_same_user(self, own: Api) -> None:
        high = own.ok("POST", "/tokens", "", headers=session(own, "engineer"), json={"name": "high"})
        own.tokens["low"] = own.ok("POST", "/tokens", "engineer", json={"name": "low", "role": "viewer"})["token"]
        refused = own.refused(403, "DELETE", f"/tokens/{high['id']}", "low")
        assert (refused["detail"], refused["hint"]) == (
            "a token cannot revoke one that may more",
            "use one with the role engineer, or sign in",
        )
        [newest] = own.ok("GET", "/audit?kind=token&limit=1")["items"]
        assert (newest["action"], newest["way"], newest["token_id"]) == (
            "token.add",
            "token",
            own.ok("GET", "/tokens", "low")["items"][0]["made_with"],
        )

    def test_tokens_of_a_disabled_user_are_told_as_that(self, own: Api) -> None:
        own.ok("PATCH", f"/users/{user_id(own, 'viewer')}", json={"disabled": True}, headers={"If-Match": "*"})
        states = {token["user"]: token["state"] for token in own.ok("GET", "/tokens?everybody=true")["items"]}
        assert (states["viewer"], states["marketer"]) == ("disabled", "valid")


class TestAnswers:
    def test_refusals_are_kept_by_nobody_and_stand_in_no_frame(self, own: Api) -> None:
        web = Api(own.kohort, build_web(own.kohort), own.tokens)

        def page(path: str, **headers: str) -> Any:
            return asyncio.run(web._call("GET", path, headers, {}))

        token = f"Bearer {own.tokens['viewer']}"
        for path in ("/audiences", "/audiences/nowhere", "/nowhere", "/settings/users", "/login", "/setup"):
            for headers in ({}, {"Authorization": token}):
                answer = page(path, **headers)
                if answer.status_code not in (303, 307):
                    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
                    assert answer.headers["cache-control"] == "no-store", path
        for path in ("/api/v1/me", "/api/v1/nowhere", "/api/v1/parents/nowhere", "/api/v1/users", "/api/v1/segments?limit=x"):
            for headers in ({}, {"Authorization": token}):
                answer = page(path, **headers)
                assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff"), path

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND"])
    def test_other_methods_tell_nothing(self, own: Api, method: str) -> None:
        for path in ("/users", "/parents/all-customers", "/parents/all-customers/segments", "/audit"):
            answer = own.call(method, path, "")
            assert answer.status_code in (401, 405), path
            assert "access-control-allow-origin" not in answer.headers
            assert "All Customers" not in answer.text

    @pytest.mark.parametrize(
        "path",
        ["/audit/", "//audit", "/AUDIT", "/audit%2f", "/./audit", "/users/../audit", "/parents/..%2fusers", "/%61udit", "/audit;x=1"],
    )
    def test_no_other_spelling_of_an_address_gets_past_the_door(self, own: Api, path: str) -> None:
        assert own.call("GET", path, "").status_code in (401, 404)
        assert own.call("GET", path, "marketer").status_code in (403, 404)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.test", "///evil.test", "https://evil.test", "/\\evil.test", "\\/evil.test", "/\t/evil.test", "javascript:x", "", "evil"],
)
def test_after_signing_in_one_stays_on_this_site(wanted: str) -> None:
    assert own_path(wanted) == "/"
