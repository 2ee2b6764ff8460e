"""Figures for Prometheus through the API."""

from __future__ import annotations

import pytest

from tests.web.api.conftest import Api


def test_engineers_read_what_the_server_counts(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own.kohort, "server_metrics", lambda: 'kohort_ingest_events_total{source="web_shop"} 3\n')
    answer = own.call("GET", "/metrics", "engineer")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.startswith('kohort_ingest_events_total{source="web_shop"} 3\n')
    assert "\nkohort_ingest_up 1\n" in answer.text
    assert "\nkohort_api_broken_requests_total 0\n" in answer.text
    assert own.refused(403, "GET", "/metrics", "marketer")["code"] == "FORBIDDEN"
    assert own.refused(401, "GET", "/metrics", "")["code"] == "SIGN_IN_FIRST"


def test_without_a_server_for_calls_it_is_down(api: Api) -> None:
    text = api.call("GET", "/metrics", "admin").text
    assert "\nkohort_ingest_up 0\n" in text
    assert "kohort_ingest_events_total" not in text
