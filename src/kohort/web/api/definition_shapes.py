"""Schemas of definitions in the OpenAPI document: bodies and answers name one, the document holds it once."""

from __future__ import annotations

from typing import Any

from kohort.web.api.parent_shapes import parent_shapes
from kohort.web.api.segment_shapes import Schema, ref, segment_shapes

SHAPE = "x-shape"
"""Stands in a schema until the document is whole: the name of the schema that is meant."""


def of_shape(name: str) -> Schema:
    """What stands for a schema of this name; see `with_definitions`."""
    return {"type": "object", SHAPE: name}


def with_definitions(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every schema of definitions that it names, and of rules."""
    linked: dict[str, Any] = _linked(document)
    linked["components"]["schemas"] |= {**segment_shapes(), **parent_shapes()}
    return linked


def _linked(value: Any) -> Any:
    if isinstance(value, list):
        return [_linked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if SHAPE in value:
        kept = {key: value[key] for key in ("description", "examples", "title") if key in value}
        return {**kept, **ref(value[SHAPE])}
    return {key: _linked(item) for key, item in value.items()}
