"""Runs: the list with its filters, one run with its steps and counts, one that fails, one that is followed while it runs."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from kohort.services.definitions.stored import require_parent
from kohort.testing.studio import RunningStudio
from kohort.web.api.guard import COOKIE
from tests.studio.conftest import OpenPage, axe_violations

PARENT = "/api/v1/parents/all-customers"


def read(studio: RunningStudio, path: str, role: str = "admin") -> httpx.Response:
    return httpx.get(f"{studio.url}{path}", cookies={COOKIE: studio.sessions[role]}, timeout=60)


def ask(studio: RunningStudio, path: str, role: str = "admin") -> httpx.Response:
    return httpx.post(f"{studio.url}{path}", json={}, cookies={COOKIE: studio.sessions[role]}, timeout=60)


def newest(studio: RunningStudio, kind: str) -> int:
    return next(run.id for run in studio.kohort.store.runs(kind=kind))


def rows(text: str) -> int:
    return len(re.findall(r'<a id="run-\d+" href="/runs/\d+">', text))


def test_the_list_is_filtered(studio: RunningStudio) -> None:
    everything = read(studio, "/runs").text
    assert "Refresh 1" in everything
    assert "Evaluation 1" in everything
    assert "Refresh 1" not in read(studio, "/runs?kind=evaluation").text
    assert rows(read(studio, "/runs?parent=all-customers&kind=refresh").text) == everything.count(">Refresh ")
    assert "No run fits" in read(studio, "/runs?status=error").text
    assert "No run fits" in read(studio, "/runs?parent=nothing").text
    assert read(studio, "/runs?kind=party").status_code == 422


def test_a_run_shows_its_steps_counts_and_segments(own_studio: RunningStudio) -> None:
    assert ask(own_studio, f"{PARENT}/evaluate", "marketer").status_code == 200
    page = read(own_studio, f"/runs/{newest(own_studio, 'evaluation')}", "viewer").text
    assert "marketer" in page
    assert "Evaluate segments" in page
    assert "Value/VIP" in page
    refresh = read(own_studio, f"/runs/{newest(own_studio, 'refresh')}").text
    assert "/audiences/all-customers/refreshes/" in refresh
    missing = read(own_studio, "/runs/4711")
    assert (missing.status_code, "RUN_NOT_FOUND" in missing.text) == (404, True)


def test_who_may_not_see_a_parent_segment_sees_none_of_its_runs(own_studio: RunningStudio) -> None:
    kohort, run = own_studio.kohort, newest(own_studio, "evaluation")
    user = kohort.store.user("viewer")
    assert user is not None
    parent = require_parent(kohort.store, "all-customers")
    other = kohort.store.save_parent("Other", "other", dict(parent.document), by="tests", at=kohort.clock.now())
    cookies = {COOKIE: own_studio.sessions["admin"]}
    grants = {"grants": [{"parent": other.slug, "folder": "", "role": "viewer"}]}
    httpx.put(
        f"{own_studio.url}/api/v1/users/{user.id}/grants", json=grants, cookies=cookies, headers={"If-Match": "*"}, timeout=60
    ).raise_for_status()
    assert rows(read(own_studio, "/runs", "viewer").text) == 0
    assert read(own_studio, f"/runs/{run}", "viewer").status_code == 404


def test_a_refresh_is_followed_until_it_ends(own_studio: RunningStudio, open_page: OpenPage) -> None:
    before = newest(own_studio, "refresh")
    assert ask(own_studio, f"{PARENT}/refresh").status_code == 202
    run = newest(own_studio, "refresh")
    assert run > before
    page = open_page(own_studio, "/runs")
    page.locator(f"#run-{run}").click()
    expect(page.locator("#run-state")).to_have_text("Success", timeout=60_000)
    expect(page.get_by_role("link", name="What was read")).to_be_visible()
    expect(page.get_by_role("cell", name=re.compile("master", re.IGNORECASE)).first).to_be_visible()
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_label("Kind").select_option("refresh")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("kind=refresh"))
    expect(page.get_by_role("link", name=re.compile("^Evaluation"))).to_have_count(0)


def test_why_a_refresh_failed_is_said(own_studio: RunningStudio, open_page: OpenPage) -> None:
    kohort = own_studio.kohort
    parent = require_parent(kohort.store, "all-customers")
    document = {**parent.document, "master": {**parent.document["master"], "table": "nothing"}}
    kohort.store.save_parent(parent.name, parent.slug, document, by="tests", at=kohort.clock.now())
    ask(own_studio, f"{PARENT}/refresh")
    page = open_page(own_studio, f"/runs/{newest(own_studio, 'refresh')}")
    expect(page.locator("#run-state")).to_have_text("Failed", timeout=30_000)
    expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    expect(page.get_by_text(re.compile("shop.nothing")).first).to_be_visible()
    assert axe_violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(studio: RunningStudio, open_page: OpenPage, theme: str) -> None:
    page = open_page(studio, "/runs", theme=theme)
    for path in ("/runs", "/runs?status=error", f"/runs/{newest(studio, 'evaluation')}", f"/runs/{newest(studio, 'refresh')}"):
        page.goto(path)
        assert axe_violations(page) == [], path
