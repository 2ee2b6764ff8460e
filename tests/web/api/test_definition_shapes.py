"""Schemas of definitions in the OpenAPI document say what the readers of definitions take: every key, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from kohort.documents.document import Document
from kohort.parent.codec import read_parent
from kohort.parent.reading import Reader
from kohort.rules.decode import conditions as readers
from kohort.segments import codec
from kohort.segments.codec import read_segment
from kohort.web.api.parent_shapes import parent_shapes
from kohort.web.api.segment_shapes import rule_keys, segment_shapes
from tests.web.api.conftest import Api

SHAPES = {**segment_shapes(), **parent_shapes()}
TABLE = {"database": "shop", "table": "t"}
ON = {"parent_key": "id", "child_key": "id"}
PARENTS: list[dict[str, Any]] = [
    {
        "name": "A",
        "description": "d",
        "timezone": "UTC",
        "master": {
            "source": TABLE,
            "key_column": "id",
            "filters": [{"column": "status", "values": ["active", 1]}],
            "columns": [{"column": "email", "label": "Mail", "visibility": "pii"}],
        },
        "attributes": [
            {"name": "P", "source": TABLE, "join": ON, "columns": ["a", {"column": "b", "name": "c", "label": "C", "type": "number"}]},
            {"name": "Q", "source": TABLE, "join": {"master_key": "id", "table_key": "id"}, "all_columns": True, "group": "G"},
        ],
        "behaviors": [
            {"name": "b", "source": TABLE, "join": ON, "timestamp_column": "t", "all_columns": True, "default_time_filter": True}
        ],
        "schedule": {"type": "weekly", "time": "03:00:00", "repeat_sub_frequency": ["Monday"], "timezone": "UTC"},
        "engine": {"hive_only": True, "trino_pool": "x", "hive_pool": "y"},
    },
    {
        "name": "B",
        "time_zone": "Asia/Tokyo",
        "master_table": {**TABLE, "connection": "c", "catalog": "d", "key_column": "id"},
        "attributes": [
            {"name": "x", **TABLE, "key_column": "id", "value_column": "v", "label": "X", "type": "string", "visibility": "clear"},
            {"name": "y", "schema": "shop", "table": "t", "join": ON, "column": "v"},
        ],
        "behaviors": [{"name": "b", **TABLE, "key_column": "id", "time_column": "t"}],
        "schedule": {"daily>": "07:00:00", "delay": 5, "start": "2024-01-31", "end": "2024-02-28", "skip_on_overtime": True},
    },
    {
        "name": "C",
        "master": {"schema": "shop", "table": "t", "key_column": "id"},
        "behaviors": [
            {"name": "b", "schema": "shop", "table": "t", "key_column": "id"},
            {"name": "c", "source": {"schema": "shop", "table": "t"}, "join": ON, "all_columns": True},
        ],
        "schedule": {"minutes_interval>": None, "at": 30, "skip_delayed_by": "3m"},
    },
    {"name": "D", "master": {**TABLE, "key_column": "id"}, "schedule": {"type": "minutes_interval", "interval": 30}},
]
AB_TEST = {"variants": [{"name": "A", "ratio": 45}], "control": {"name": "C", "ratio": 10}, "name": "T", "key_column": "k", "id": "1"}
SEGMENT: dict[str, Any] = {
    "name": "VIP",
    "description": "d",
    "kind": "batch",
    "type": "segment",
    "visible": True,
    "folder": "Value",
    "base": "Other",
    "rule": {"type": "And", "conditions": ["a > 1", {"type": "Value", "attribute": "a", "operator": {"type": "Greater", "value": 1}}]},
    "ab_test": AB_TEST,
    "activations": [{"name": "mail"}],
    "lint": {"ignore": ["LINT_EMPTY"]},
    "extras": {"x": 1},
    "id": "77",
}


def checker(name: str) -> Any:
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": {"schemas": SHAPES}})


def issues_of(name: str, document: Any) -> bool:
    """Whether the reader takes it."""
    found = read_segment(Document(document), "") if name.startswith("Segment") else read_parent(Document(document))
    return found[1].ok and found[0] is not None


@pytest.mark.parametrize("document", [*PARENTS, SEGMENT])
def test_what_the_reader_takes_the_schema_takes(document: dict[str, Any]) -> None:
    name = "SegmentDefinition" if document is SEGMENT else "ParentSegmentDefinition"
    assert issues_of(name, document)
    assert [error.message for error in checker(name).iter_errors(document)] == []


def test_definitions_that_are_saved_fit_their_schema(api: Api) -> None:
    parent = api.ok("GET", "/parents/all-customers")["definition"]
    assert list(checker("ParentSegmentDefinition").iter_errors(parent)) == []
    for item in api.ok("GET", "/parents/all-customers/segments")["items"]:
        found = api.ok("GET", f"/parents/all-customers/segments/{item['id']}")["definition"]
        assert [error.message for error in checker("NewSegmentDefinition").iter_errors(found)] == [], item["path"]


def places(value: Any, shape: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """(path, schema) of every mapping of a document that is not open."""
    for part in shape.get("anyOf", [shape]):
        found = SHAPES[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if isinstance(value, dict) and "properties" in found:
            if found.get("additionalProperties") is False:
                yield path, found
            for key, inner in value.items():
                yield from places(inner, found["properties"].get(key, {}), (*path, key))
        elif isinstance(value, list) and "items" in found:
            for number, inner in enumerate(value):
                yield from places(inner, found["items"], (*path, number))


def changed(document: Any, path: tuple[str | int, ...], key: str, value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    inner = copy
    for part in path:
        inner = inner[part]
    inner[key] = value
    return copy


@pytest.mark.parametrize("document", [*PARENTS, SEGMENT])
def test_what_the_schema_refuses_the_reader_refuses(document: dict[str, Any]) -> None:
    name = "SegmentDefinition" if document is SEGMENT else "ParentSegmentDefinition"
    check, refused = checker(name), 0
    for path, shape in places(document, SHAPES[name]):
        for key in ["unheard_of", *shape["properties"]]:
            for value in ("x", "", 7, 7.5, -1, True, None, [], [7], {}, {"x": 1}):
                wrong = changed(document, path, key, value)
                if not check.is_valid(wrong):
                    refused += 1
                    assert not issues_of(name, wrong), (path, key, value)
    assert refused > 20


def test_every_key_that_readers_of_parents_know_is_in_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[tuple[str | int, ...], set[str]] = {}
    finish = Reader.finish

    def noted(reader: Reader) -> None:
        asked.setdefault(reader.path, set()).update(reader.known)
        finish(reader)

    monkeypatch.setattr(Reader, "finish", noted)
    known: dict[str, set[str]] = {}
    said: dict[str, set[str]] = {}
    for document in PARENTS:
        asked.clear()
        read_parent(Document(document))
        for path, shape in places(document, SHAPES["ParentSegmentDefinition"]):
            known.setdefault(shape["description"], set()).update(asked[path])
            said[shape["description"]] = set(shape["properties"])
    inline = {f"{kind}>" for kind in ("hourly", "weekly", "monthly", "cron")}
    assert {what: keys - said[what] for what, keys in known.items() if keys - said[what]} == {}
    assert {what: keys - known[what] - inline - {"cron", "minutes"} for what, keys in said.items()} == {what: set() for what in said}


def test_every_key_that_readers_of_segments_know_is_in_the_schema() -> None:
    assert set(SHAPES["SegmentDefinition"]["properties"]) == {*codec._KEYS, *codec.KEPT_KEYS}
    of_references = {key for keys in readers.REFERENCE_KEYS.values() for key in keys}
    for key in {*readers._COMMON, *readers._BEHAVIOR_KEYS} | of_references & {"operator", "leftValue"}:
        assert key in rule_keys(), key
    kinds = SHAPES["RuleNode"]["properties"]["type"]["enum"]
    assert set(kinds) == {*readers._READERS, *readers.GROUPS, None}


def test_the_document_names_them_once(api: Api) -> None:
    document = api.ok("GET", "/openapi.json")
    text = json.dumps(document)
    assert "x-shape" not in text
    assert document["components"]["schemas"]["Definition"]["properties"]["definition"]["$ref"].endswith("/SegmentDefinition")
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= set(document["components"]["schemas"])
    for name in SHAPES:
        for example in SHAPES[name].get("examples", ()):
            assert checker(name).is_valid(example), name
    assert len(text) < 350_000
