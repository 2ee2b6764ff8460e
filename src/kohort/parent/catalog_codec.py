"""The field catalog as a JSON-able document, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohort.parent.catalog import Behavior, Field, FieldCatalog


def catalog_to_document(catalog: FieldCatalog) -> dict[str, Any]:
    """A JSON-able dict; keys that hold their default stay away."""
    return {
        "timezone": catalog.timezone,
        "attributes": [_field_to_document(field) for field in catalog.attributes],
        "behaviors": [
            {"name": b.name, "label": b.label, "source": b.source, "fields": [_field_to_document(field) for field in b.fields]}
            for b in catalog.behaviors
        ],
    }


def catalog_from_document(document: Mapping[str, Any]) -> FieldCatalog:
    """The catalog that `catalog_to_document` wrote."""
    return FieldCatalog(
        tuple(Field(**item) for item in document["attributes"]),
        tuple(
            Behavior(item["name"], tuple(Field(**field) for field in item["fields"]), item["label"], item["source"])
            for item in document["behaviors"]
        ),
        document["timezone"],
    )


def _field_to_document(field: Field) -> dict[str, Any]:
    document: dict[str, Any] = {"name": field.name, "type": field.type, "storage": field.storage}
    optional = {"scale": field.scale, "label": field.label, "group": field.group, "source": field.source}
    document |= {key: value for key, value in optional.items() if value}
    if field.visibility != "clear":
        document["visibility"] = field.visibility
    return document
