"""Explanations without the personal data that is not for the one who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohort.parent.catalog import FieldCatalog
from kohort.services.access import Access, hidden_attributes, hidden_columns


def without_personal_data(document: dict[str, Any], catalog: FieldCatalog, key_column: str, access: Access) -> dict[str, Any]:
    """An explanation's document; what conditions on hidden fields observed is left out, and how far they are from turning."""
    attributes = hidden_attributes(catalog, access)
    columns = {behavior.name: hidden_columns(behavior, access) for behavior in catalog.behaviors}
    names = attributes.union(*columns.values())
    if not names:
        return document
    found: dict[str, Any] = _masked(document, names, columns, attributes)
    if key_column in attributes:
        found["profile"]["key"] = None
    return found


def _masked(value: Any, names: frozenset[str], columns: Mapping[str, frozenset[str]], attributes: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_masked(item, names, columns, attributes) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _masked(item, names, columns, attributes) for key, item in value.items()}
    if "behavior" in found and isinstance(found.get("values"), dict):
        hidden = columns.get(found["behavior"], frozenset())
        found["values"] = {key: None if key in hidden else item for key, item in found["values"].items()}
    if "text" in found and _names_one(str(found["text"]), names):
        if "observed" in found:
            found["observed"] = {"value": None, "masked": True}
        if "missing" in found:
            found["missing"] = None
    if found.get("key_column") in attributes and "key" in found:
        found["key"] = found["place"] = None
    return found


def _names_one(text: str, names: frozenset[str]) -> bool:
    """Whether a condition may be about a hidden field. Names that are written otherwise in text count as being in every one."""
    return any(name in text or not name.isidentifier() for name in names)
