"""Runs: who asked, what they did, why they failed; one that runs is stopped, whether it computes here or in the warehouse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kohort.foundation.errors import UserError
from kohort.services import runs
from kohort.services.runs import error_of, problem_document
from tests.web.api.conftest import Api

PARENT = "/parents/all-customers"


def ended(api: Api, run_id: int) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (found := api.ok("GET", f"/runs/{run_id}"))["status"] == "running":
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.05)
    return found


def in_steps(*_: Any, progress: Any, **__: Any) -> None:
    for step in range(10_000):
        progress.step(f"step {step}", step, 10_000)
        time.sleep(0.01)


def in_the_warehouse(warehouse: Any, *_: Any, progress: Any, **__: Any) -> None:
    progress.step("compute", 0, 1)
    warehouse.query("SELECT max(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b")


class TestStopping:
    @pytest.mark.parametrize("work", [in_steps, in_the_warehouse])
    def test_a_refresh_ends_within_moments(self, own: Api, monkeypatch: pytest.MonkeyPatch, work: Callable[..., None]) -> None:
        monkeypatch.setattr(runs, "refresh_and_index", work)
        started: list[int] = []

        def start() -> None:
            started.append(own.ok("POST", f"{PARENT}/refresh", "engineer", json={})["id"])

        starting = threading.Thread(target=start)
        starting.start()
        deadline = time.monotonic() + 30
        while (newest := own.ok("GET", "/runs")["items"][0])["status"] != "running" or not newest["progress"]["step"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        own.refused(403, "POST", f"/runs/{newest['id']}/cancel", "marketer")
        own.refused(409, "POST", f"{PARENT}/refresh", "engineer", json={})
        began = time.monotonic()
        assert own.ok("POST", f"/runs/{newest['id']}/cancel", "engineer")["id"] == newest["id"]
        found = ended(own, newest["id"])
        assert (found["status"], found["message"], found["problem"]) == ("canceled", "stopped", None)
        assert time.monotonic() - began < 20
        starting.join()
        assert own.refused(409, "POST", f"/runs/{newest['id']}/cancel")["code"] == "RUN_NOT_RUNNING"
        monkeypatch.undo()
        again = own.ok("POST", f"{PARENT}/refresh", "engineer", json={"as_of": "2024-03-01"})
        assert ended(own, again["id"])["counts"]["profiles"] == 60

    def test_a_run_that_is_over_or_nobody_s_cannot_be_stopped(self, api: Api) -> None:
        assert api.refused(409, "POST", "/runs/1/cancel")["code"] == "RUN_NOT_RUNNING"
        assert api.refused(404, "POST", "/runs/99/cancel")["code"] == "RUN_NOT_FOUND"


class TestTheRecord:
    def test_an_evaluation_may_be_looked_at_while_it_runs(self, own: Api) -> None:
        answer = own.call("POST", f"{PARENT}/evaluate", "marketer", headers={"Prefer": "respond-async"}, json={"as_of": "2024-02-01"})
        assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/runs/{answer.json()['id']}")
        found = ended(own, answer.json()["id"])
        assert (found["kind"], found["asked_by"], found["way"]) == ("evaluation", "marketer", "token")
        assert found["as_of"] == "2024-02-01T00:00:00Z"
        assert found["counts"] == {"profiles": 60, "segments": 12}
        assert [step["name"] for step in found["log"]][:1] == ["Evaluate segments"]

    def test_what_failed_says_why_with_places(self, own: Api) -> None:
        other = {"name": "Other", "master": {"database": "shop", "table": "nothing", "key_column": "customer_id"}}
        own.ok("POST", "/parents", json={"definition": other})
        own.call("POST", "/parents/other/refresh", json={})
        found = own.ok("GET", "/runs?parent=other")["items"][0]
        assert (found["status"], found["population"]) == ("error", None)
        assert found["problem"]["code"] == found["problem"]["issues"][0]["code"]
        assert found["problem"]["issues"][0]["place"][0] == "master"
        told = error_of(found["problem"])
        assert [issue.path for issue in told.issues] == [("master", "table")]  # type: ignore[attr-defined]

    def test_the_runs_of_before_are_there(self, api: Api) -> None:
        items = api.ok("GET", "/runs", "viewer")["items"]
        assert [(run["kind"], run["number"], run["way"]) for run in items] == [("evaluation", 1, "cli"), ("refresh", 1, "cli")]
        assert api.ok("GET", "/runs?kind=evaluation&limit=1")["next"] is None
        page = api.ok("GET", "/runs?limit=1")
        assert [run["number"] for run in api.ok("GET", f"/runs?limit=1&cursor={page['next']}")["items"]] == [1]
        assert api.refused(404, "GET", "/runs/99")["code"] == "RUN_NOT_FOUND"
        assert api.refused(422, "GET", "/runs?kind=nap")["code"] == "REQUEST_INVALID"

    def test_problems_come_back_as_they_went(self) -> None:
        error = error_of(problem_document(UserError("DISK_FULL", "no room", hint="make some")))
        assert (error.code, error.message, error.hint) == ("DISK_FULL", "no room", "make some")
        assert problem_document(ValueError("x")) == {
            "code": "INTERNAL",
            "detail": "x",
            "hint": "this is a mistake in Kohort",
            "issues": [],
        }
