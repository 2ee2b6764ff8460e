"""What is not there, not allowed, or over since one signed out: said where one is, with the ways to go on."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from kohort.testing.browser import Watch
from kohort.testing.studio import RunningStudio
from kohort.web.api.guard import COOKIE
from tests.studio.conftest import OpenPage
from tests.studio.pages import get

BASE = "/audiences/all-customers"


@pytest.mark.parametrize(
    ("address", "role", "status"),
    [("/settings/users/99", "admin", 404), ("/nowhere", "viewer", 404), ("/sources/new", "viewer", 403), ("/runs/x", "viewer", 422)],
)
def test_who_is_signed_in_keeps_the_frame(studio: RunningStudio, address: str, role: str, status: int) -> None:
    page = get(studio, address, role, status=status)
    assert 'id="content"' in page
    assert 'aria-label="Parts of Kohort"' in page


def test_who_is_not_signed_in_gets_a_page_of_its_own(studio: RunningStudio) -> None:
    answer = httpx.get(f"{studio.url}/setup")
    assert answer.status_code == 404
    assert 'class="lonely"' in answer.text
    assert "Kohort is set up" in answer.text
    assert 'href="/login"' in answer.text


def test_a_link_to_what_is_gone_leads_to_the_words(studio: RunningStudio, open_page: OpenPage, watch: Watch) -> None:
    watch.allow("404")
    page = open_page(studio, "/runs", role="viewer")
    page.evaluate("document.querySelector('#runs a').href = '/runs/999999'")
    page.evaluate("htmx.ajax('GET', '/runs/999999', {target: '#content', select: '#content', swap: 'outerHTML'})")
    expect(page.get_by_role("main")).to_contain_text("There is no run 999999.")


@pytest.mark.parametrize("way", ["link", "reload"])
def test_a_session_that_is_over_leads_to_signing_in_and_back(studio: RunningStudio, open_page: OpenPage, watch: Watch, way: str) -> None:
    watch.allow("401")
    page = open_page(studio, f"{BASE}/model", role="engineer")
    page.context.clear_cookies(name=COOKIE)
    if way == "link":
        page.get_by_role("link", name="Refreshes").click()
    else:
        page.evaluate("htmx.ajax('GET', location.pathname, {target: '#content', select: '#content', swap: 'outerHTML'})")
    expect(page.get_by_role("heading", name="Sign in to Kohort")).to_be_visible()
    wanted = f"{BASE}/{'refreshes' if way == 'link' else 'model'}"
    assert page.locator("api-form").get_attribute("then") == wanted
