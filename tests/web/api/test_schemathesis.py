"""Requests made from the OpenAPI document, near to what it allows and far from it: every answer is one that it tells of."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kohort.services.tokens import add_token
from kohort.services.users import Actor, add_user
from tests.web.api.conftest import PASSWORD, Api, open_api

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
TOO_LARGE = 413
"""Is a refusal of what the document does not allow, too; the last check does not know it."""
EXAMPLES = {GenerationMode.POSITIVE: 8, GenerationMode.NEGATIVE: 5}
CPU_SECONDS = 90.0
ENDLESS = {"live_events"}
"""Answers without end: tested by themselves."""
RULES = [
    "lifetime_value > 1000",
    "purchase in last 30 days",
    "purchase.amount sum > 100",
    "in segment 'Value/VIP'",
    "country = 'JP'",
    "x =",
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watched(evaluated_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A shop that anything may happen to, with somebody in it whom it may happen to."""
    folder = tmp_path_factory.mktemp("schemathesis") / "shop"
    shutil.copytree(evaluated_shop, folder)
    found = open_api(folder)
    found.ok("POST", "/sources", json={"name": "Web Shop"})
    yield found
    found.kohort.close()


def places_of(api: Api) -> dict[str, list[str]]:
    """What there is, by the names of path parameters."""
    kohort = api.kohort
    victim = kohort.store.user("victim") or add_user(
        kohort.store, kohort.passwords, "victim", "marketer", PASSWORD, actor=Actor("tests"), clock=kohort.clock
    )
    token = add_token(kohort.store, victim, "to revoke", actor=Actor("tests"), clock=kohort.clock).record.id
    segments = [str(item["id"]) for item in api.ok("GET", "/parents/all-customers/segments")["items"]]
    return {
        "parent": ["all-customers", "1"],
        "segment": segments or ["1"],
        "name": ["lifetime_value", "purchase.amount", "country", "last_purchase_date"],
        "key": ["c021", "c001", "nobody"],
        "number": ["1", "2", "99"],
        "run": ["1", "2", "99"],
        "source": ["web_shop"],
        "user": [str(victim.id)],
        "token": [str(token)],
    }


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with shapes that hold nothing else than what they say."""
    for shape in document["components"]["schemas"].values():
        if "properties" in shape:
            shape.setdefault("additionalProperties", False)
    return document


def likely(operation_id: str, case: Any, places: dict[str, list[str]], data: st.DataObject) -> None:
    """Makes a request reach something: names in its path that are there, rules that hold for somebody."""
    for name in list(case.path_parameters or {}):
        if name in ("user", "token") or data.draw(st.integers(0, 5)):
            case.path_parameters[name] = data.draw(st.sampled_from(places.get(name, ["1"])))
    for name in ("text", "rule"):
        if isinstance(case.body, dict) and isinstance(case.body.get(name), str):
            case.body[name] = data.draw(st.sampled_from(RULES))
            case.body["definition"] = None
    if operation_id == "explain_saved" and case.query and "key" in case.query:
        case.query["key"] = data.draw(st.sampled_from(places["key"]))
    if isinstance(case.body, dict) and "as_of" in case.body:
        case.body["as_of"] = data.draw(st.sampled_from(["", "now", "2024-02-01", "2024-02-01T10:00Z", "when?"]))
    if case.headers is not None and "If-Match" in case.headers:
        case.headers["If-Match"] = data.draw(st.sampled_from(["*", '"1-abc"']))


def test_every_answer_is_documented(watched: Api) -> None:
    document = watched.ok("GET", "/openapi.json")
    schema = schemathesis.openapi.from_dict(closed(document))
    began, asked = time.process_time(), Counter[int]()
    left_out: list[str] = []
    failures: list[str] = []
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in sorted(operations, key=lambda o: (o.method != "get", o.path)):
        operation_id = operation.definition.raw["operationId"]
        if operation_id in ENDLESS:
            continue
        for mode, examples in EXAMPLES.items():
            if time.process_time() - began > CPU_SECONDS:
                left_out.append(operation_id)
                continue
            try:
                asked += ask(watched, operation, operation_id, mode, examples)
            except FailureGroup as group:
                failures += [f"{operation_id}, {mode.value}: {failure}" for failure in group.exceptions]
    assert failures == []
    assert not left_out, "it took too long"
    assert asked.total() > 500
    assert sum(count for status, count in asked.items() if status < 300) > asked.total() / 5


def ask(api: Api, operation: Any, operation_id: str, mode: GenerationMode, examples: int) -> Counter[int]:
    """Requests of one kind to one operation; how many were answered with which status."""
    places, statuses = places_of(api), Counter[int]()
    try:
        strategy = operation.as_strategy(generation_mode=mode)
    except Unsatisfiable:
        return statuses

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(data=st.data())
    def requests(data: st.DataObject) -> None:
        case = data.draw(strategy)
        if mode is GenerationMode.POSITIVE:
            likely(operation_id, case, places, data)
        answer = send(api, case)
        assert answer.status_code != 401 or operation_id in ("sign_in", "set_up", "change_my_password"), "the token was lost"
        if answer.status_code >= 400 and answer.status_code != 422:
            require_listed(operation, answer)
        case.validate_response(answer, checks=CHECKS if answer.status_code != TOO_LARGE else CHECKS[:-1])
        statuses[answer.status_code] += 1

    requests()
    return statuses


def require_listed(operation: Any, answer: httpx.Response) -> None:
    """Fails when the code of a refusal is not among those that the document lists for the route."""
    said = operation.definition.raw["responses"].get(str(answer.status_code), {})
    if "$ref" in said:
        said = operation.schema.raw_schema["components"]["responses"][said["$ref"].rpartition("/")[2]]
    found = answer.json()["code"]
    assert f"`{found}`" in said.get("description", ""), f"{operation.label} answers {answer.status_code} {found}, which it does not tell of"


def send(api: Api, case: Any) -> Any:
    prepared = case.as_transport_kwargs(base_url="http://kohort.test")
    path = prepared["url"].removeprefix("http://kohort.test/api/v1")
    headers = {
        name: value for name, value in dict(prepared.get("headers") or {}).items() if name.lower() not in ("user-agent", "authorization")
    }
    options: dict[str, Any] = {"params": prepared.get("params"), "headers": headers}
    if "json" in prepared:
        options["content"] = json.dumps(prepared["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    elif prepared.get("data") is not None:
        options["content"] = prepared["data"]
    try:
        return api.call(prepared["method"], path, **options)
    except httpx.InvalidURL:  # longer than the client sends
        reject()
