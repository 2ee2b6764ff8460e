"""Whatever is sent: no 5xx, and only answers that the OpenAPI document tells of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohort.rules.text import parse_rule
from kohort.web.api.contract import ANSWERS
from tests.web.api.conftest import Api

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ODD = st.sampled_from(
    ["", "0", "-1", "1", "2147483647", "99999999999999999999", "null", "%00", "../..", "NaN", "1e999", "\x00", "'", '"', "ü💡"]
)
LIKELY = st.sampled_from(
    ["all-customers", "web_shop", "c021", "lifetime_value", "purchase.amount", "Value/VIP", "now", "2024-01-01", "admin"]
)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | ODD
ANY_JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=8)
LEFT_OUT = {"refresh_parent", "evaluate_parent", "live_events"}  # they take a while; what they take is tested beside


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.ok("GET", "/openapi.json")
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in LEFT_OUT:
                yield method.upper(), path, operation


def value_of(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that a schema allows, mixed with ones it does not."""
    if depth > 3:
        return ANY_JSON
    if "$ref" in schema:
        return value_of(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, depth)
    if "anyOf" in schema:
        return st.one_of([value_of(part, document, depth) for part in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        needed = set(schema.get("required", ()))
        parts = {name: value_of(part, document, depth + 1) for name, part in schema["properties"].items()}
        fixed = {name: part for name, part in parts.items() if name in needed}
        return st.fixed_dictionaries(fixed, optional={name: part for name, part in parts.items() if name not in needed})
    if kind == "array":
        return st.lists(value_of(schema["items"], document, depth + 1), max_size=2)
    if kind == "integer":
        return st.integers(schema.get("minimum", 0), 60)
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        return LIKELY | ANY_TEXT | st.sampled_from(["lifetime_value > 1000", "purchase in last 30 days", "country = 'JP' and ("])
    return st.just({"name": "X", "rule": "country = 'JP'"}) | ANY_JSON


def request_for(operation: dict[str, Any], path: str, document: dict[str, Any], draw: Any) -> tuple[str, dict[str, Any]]:
    """(path, options) of a request, near to what is allowed or far from it."""
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            found = (
                str(draw(LIKELY | st.integers(1, 12) | ODD | ANY_TEXT))
                if parameter["name"] != "parent" or draw(st.integers(0, 4)) == 0
                else "1"
            )
            path = path.replace(f"{{{parameter['name']}}}", quote(found, safe="") or "x")
        elif parameter["in"] == "query" and draw(st.booleans()):
            query.append((parameter["name"], str(draw(value_of(parameter["schema"], document) | ODD | LIKELY))))
        elif parameter["in"] == "header" and draw(st.booleans()):
            headers["If-Match"] = draw(st.sampled_from(["*", '"1-abc"', "W/", '""']))
    options: dict[str, Any] = {"params": query}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        how = draw(st.integers(0, 9))
        if how == 0:
            options["content"] = draw(st.binary(max_size=30) | st.sampled_from([b"[" * 5000, b'{"name": "\\ud800"}', b"\xff", b"NaN"]))
        else:
            body = draw(value_of(schema, document) if how > 2 else ANY_JSON)
            options["content"] = json.dumps(body).encode("utf-8", "surrogatepass")
        headers["Content-Type"] = "application/json"
    return path.removeprefix("/api/v1"), {**options, "headers": headers}


def test_the_document_tells_of_every_route_with_examples(document: dict[str, Any]) -> None:
    found = list(operations(document))
    assert len(found) > 50
    for method, path, operation in found:
        assert operation["summary"], path
        assert {"422"} <= set(operation["responses"]), path
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        assert "example" in next(iter(good["content"].values())), (method, path)


def test_the_document_names_what_everything_is_for(document: dict[str, Any]) -> None:
    told = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert set(operation["tags"]) <= told, path
        assert "_" in operation["operationId"] or operation["operationId"] == "openapi", (method, path)
        assert operation["description"], path
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{method} {path}: {parameter['name']}"


RULE = re.compile(r"`([^`]*)`")


def test_the_rules_in_the_document_can_be_read(document: dict[str, Any]) -> None:
    lines = [line for line in document["info"]["description"].splitlines() if line.startswith("- ")]
    rules = [rule for line in lines for rule in RULE.findall(line)]
    assert len(rules) > 5
    for rule in rules:
        _, issues = parse_rule(rule)
        assert issues.ok, (rule, [issue.message for issue in issues])


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_input_breaks_it(api: Api, document: dict[str, Any], data: st.DataObject) -> None:
    method, path, operation = data.draw(st.sampled_from(list(operations(document))))
    address, options = request_for(operation, path, document, data.draw)
    answer = api.call(method, address, **options)
    known = set(operation["responses"])
    matched = answer.headers.get("content-type", "")
    routed = not (answer.status_code in (404, 405) and answer.json().get("code") in ("ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"))
    crash = api.kohort.workspace.state / "crash.log"
    assert answer.status_code < 500, f"{method} {address} {options}: {answer.text} {crash.read_text() if crash.exists() else ''}"
    assert not routed or str(answer.status_code) in known, f"{method} {address} {options}: {answer.status_code} {answer.text}"
    assert answer.status_code < 300 or matched == "application/problem+json"


def test_large_requests_are_refused_however_they_are_sent(api: Api) -> None:
    most = api.kohort.settings.api_request_bytes
    whole = api.refused(413, "POST", "/parents/all-customers/count", content=b"x" * (most + 1))
    assert whole["code"] == "REQUEST_TOO_LARGE"

    json_body = {"Content-Type": "application/json"}

    async def parts() -> Any:
        for _ in range(most // 100_000 + 2):
            yield b" " * 100_000

    assert api.refused(413, "POST", "/parents/all-customers/count", content=parts(), headers=json_body)["code"] == "REQUEST_TOO_LARGE"


def test_every_good_answer_has_a_shape(document: dict[str, Any]) -> None:
    assert set(ANSWERS) <= {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                assert content.get("schema"), f"{method} {path} {status} {media}: name the shape of its answer in web/api/contract.py"
