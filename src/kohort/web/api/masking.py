"""Explanations and reports without the personal data that is not for the one who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kohort.parent.catalog import FieldCatalog
from kohort.parent.definition import AttributeTable, BehaviorTable, ParentSegment
from kohort.services.access import Access, hidden_attributes, hidden_columns, is_hidden


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


# --- reports of refreshes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Eyes:
    """Whose samples are shown: keys and values of hidden columns are not. sources: of hidden columns, database.table.column."""

    sources: frozenset[str]
    sees_keys: bool

    @staticmethod
    def of(catalog: FieldCatalog, parent: ParentSegment, access: Access) -> Eyes:
        every = (*catalog.attributes, *(field for behavior in catalog.behaviors for field in behavior.fields))
        hidden = frozenset(field.source for field in every if is_hidden(field, access))
        tables: list[AttributeTable | BehaviorTable] = [*parent.attributes, *parent.behaviors]
        keys = {f"{table.source}.{table.child_key}" for table in tables}
        return Eyes(hidden, hidden.isdisjoint({*keys, f"{parent.master.source}.{parent.key_column}"}))

    def keys(self, samples: tuple[str, ...]) -> tuple[str, ...]:
        """Samples of keys, none where they are not for these eyes."""
        return samples if self.sees_keys else ()

    def values(self, source: str, column: str, samples: tuple[str, ...]) -> tuple[str, ...]:
        """Samples of values of a column, none where they are not for these eyes."""
        return () if f"{source}.{column}" in self.sources else samples


def report_for(document: Mapping[str, Any], eyes: Eyes) -> dict[str, Any]:
    """The report of a refresh without samples that are not for these eyes; counts stay."""
    parts = {name: [_part_for(part, eyes) for part in document.get(name, ())] for name in ("attributes", "behaviors") if name in document}
    master = {"master": _part_for(document["master"], eyes)} if "master" in document else {}
    return {**document, **master, **parts}


def _part_for(part: Mapping[str, Any], eyes: Eyes) -> dict[str, Any]:
    keys = {name: list(eyes.keys(tuple(part[name]))) for name in ("duplicate_samples", "unmatched_samples") if name in part}
    misfits = [{**m, "samples": list(eyes.values(part["source"], m["column"], tuple(m["samples"])))} for m in part.get("misfits", ())]
    return {**part, **keys, "misfits": misfits}
