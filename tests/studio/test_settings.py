"""Settings: users, roles and limits, passwords, API tokens, the audit log, what runs here."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import Page, expect

from kohort.testing.browser import Watch
from kohort.testing.studio import PASSWORD, RunningStudio
from kohort.web.api.guard import COOKIE
from tests.studio.conftest import OpenPage, axe_violations

PAGES = ("/settings/users", "/settings/users/1", "/settings/tokens", "/settings/account", "/settings/audit", "/settings/about")


def test_a_new_user_with_a_role_a_limit_and_a_password_signs_in(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, "/settings")
    page.get_by_role("button", name="New user").click()
    page.get_by_label("E-mail address or name").fill("maria@example.com")
    page.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Add user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("maria@example.com")
    expect(page.get_by_text("No password")).to_be_visible()
    page.get_by_role("radio", name="marketer").check()
    page.get_by_role("button", name="Change the role").click()
    expect(page.get_by_text("Marketer", exact=True)).to_be_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("The password is set")).to_be_visible()
    expect(page.get_by_text("No password")).to_have_count(0)
    page.get_by_label("Folder").fill("Lifecycle")
    page.get_by_label("Role there").select_option("marketer")
    page.get_by_role("button", name="Limit to this").click()
    expect(page.get_by_role("row", name="All Customers Lifecycle marketer")).to_be_visible()

    other = open_page(own_studio, "/login", role="")
    other.get_by_label("E-mail address or name").fill("maria@example.com")
    other.get_by_label("Password").fill(PASSWORD)
    other.keyboard.press("Enter")
    tree = other.get_by_role("complementary", name="Segments")
    expect(tree.get_by_role("link", name="Active", exact=False).first).to_be_visible()
    expect(tree.get_by_text("VIP", exact=True)).to_have_count(0)

    page.get_by_role("button", name="Remove the limit").click()
    expect(page.get_by_text("none: the role holds everywhere")).to_be_visible()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable").last.click()
    expect(page.get_by_text("Disabled", exact=True).first).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in to Kohort")


def test_one_changes_ones_password(own_studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("422")
    page = open_page(own_studio, "/settings", role="marketer")
    expect(page).to_have_url(f"{own_studio.url}/settings/account")
    page.get_by_label("Old password").fill("not the old password")
    page.get_by_label("New password").fill("another horse battery")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("The old password is wrong.")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Kohort")
    page.get_by_label("E-mail address or name").fill("marketer")
    page.get_by_label("Password").fill("another horse battery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("All Customers")


def test_a_token_is_shown_once_works_and_is_revoked(own_studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(own_studio, "/settings/account", role="marketer")
    page.get_by_role("button", name="New token").click()
    page.get_by_label("What it is for").fill("nightly job")
    page.get_by_label("It may do at most").select_option("viewer")
    page.get_by_label("It is valid for").select_option("null")
    page.get_by_role("button", name="Make the token").click()
    token = shown_token(page)
    with httpx.Client(base_url=own_studio.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as program:
        assert program.get("/api/v1/me").json()["role"] == "viewer"
        page.get_by_role("button", name="Done").click()
        expect(page.get_by_role("row", name="nightly job")).to_contain_text("it is revoked")
        assert token not in page.content()
        everybody = open_page(own_studio, "/settings/tokens")
        expect(everybody.get_by_role("row", name="nightly job marketer")).to_be_visible()
        everybody.get_by_role("button", name="Revoke nightly job").click()
        everybody.get_by_role("button", name="Revoke", exact=True).click()
        expect(everybody.get_by_role("row", name="nightly job")).to_contain_text("Revoked")
        assert program.get("/api/v1/me").status_code == 401


def shown_token(page: Page) -> str:
    place = page.get_by_label("Token", exact=True)
    expect(place).to_have_text(re.compile("^kht_"))
    return place.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(studio: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(studio, PAGES[0], theme=theme)
    for path in PAGES:
        page.goto(path)
        assert axe_violations(page) == [], path
    page.goto("/settings/users")
    page.get_by_role("button", name="New user").click()
    assert axe_violations(page) == []


class TestWithoutABrowser:
    @pytest.fixture(scope="class")
    @staticmethod
    def filled(studio: RunningStudio) -> RunningStudio:
        with httpx.Client(base_url=studio.url, cookies={COOKIE: studio.sessions["engineer"]}, timeout=30) as client:
            for number in range(60):
                assert client.post("/api/v1/tokens", json={"name": f"job {number}"}).status_code == 201
        return studio

    def test_everybody_sees_what_they_may(self, studio: RunningStudio) -> None:
        for path in ("/settings/users", "/settings/users/1", "/settings/tokens", "/settings/audit"):
            assert [read(studio, path, role).status_code for role in ("viewer", "marketer", "engineer", "admin")] == [403, 403, 403, 200], (
                path
            )
        for role in ("viewer", "marketer", "engineer", "admin"):
            about = read(studio, "/settings/about", role).text
            assert ("range_size" in about) == (role in ("engineer", "admin"))
            assert 'href="/settings/users"' not in read(studio, "/settings/account", role).text or role == "admin"

    def test_the_audit_log_is_filtered_and_comes_in_pages(self, filled: RunningStudio) -> None:
        first = read(filled, "/settings/audit?who=engineer&kind=token").text
        assert first.count("token.add") == 50
        older = re.search(r'href="(/settings/audit\?[^"]*before=\d+)"', first)
        assert older is not None
        second = read(filled, older[1].replace("&amp;", "&")).text
        assert second.count("token.add") == 10
        assert "Older entries" not in second
        assert "No entry fits" in read(filled, "/settings/audit?who=nobody").text

    def test_the_audit_log_says_with_which_token_and_accuses_nobody_of_failing_to_sign_in(self, own_studio: RunningStudio) -> None:
        with httpx.Client(base_url=own_studio.url, timeout=30) as client:
            client.cookies.set(COOKIE, own_studio.sessions["engineer"])
            made = client.post("/api/v1/tokens", json={"name": "nightly"}).json()
            client.cookies.clear()
            assert (
                client.post("/api/v1/tokens", json={"name": "x"}, headers={"Authorization": f"Bearer {made['token']}"}).status_code == 201
            )
            assert client.post("/api/v1/login", json={"name": "engineer", "password": "guessed"}).status_code == 401
        page = read(own_studio, "/settings/audit").text
        assert f"API token {made['id']}" in page
        refused = next(row for row in page.split("<tr>") if "session.refused" in row)
        assert "not known" in refused
        assert "<td>engineer" not in refused
        assert f'<td class="number">{made["id"]}</td><td>nightly' in read(own_studio, "/settings/tokens").text

    def test_tokens_of_a_disabled_user_are_not_called_valid_and_can_be_revoked(self, own_studio: RunningStudio) -> None:
        with httpx.Client(base_url=own_studio.url, timeout=30) as client:
            client.cookies.set(COOKIE, own_studio.sessions["viewer"])
            assert client.post("/api/v1/tokens", json={"name": "of the viewer"}).status_code == 201
        store = own_studio.kohort.store
        user = store.user("viewer")
        assert user is not None
        store.update_user(replace(user, disabled=True), by="tests", at=user.updated_at)
        page = read(own_studio, "/settings/tokens").text
        assert "Its user is disabled" in page
        assert "Revoke the token of the viewer?" in page

    def test_who_is_not_there_is_said(self, studio: RunningStudio) -> None:
        answer = read(studio, "/settings/users/4711")
        assert (answer.status_code, "USER_NOT_FOUND" in answer.text) == (404, True)


def read(studio: RunningStudio, path: str, role: str = "admin") -> httpx.Response:
    return httpx.get(f"{studio.url}{path}", cookies={COOKIE: studio.sessions[role]}, timeout=60)
