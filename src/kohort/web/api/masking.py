"""Explanations and reports without the personal data that is not for the one who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kohort.parent.catalog import FieldCatalog
from kohort.parent.definition import AttributeTable, BehaviorTable, ParentSegment
from kohort.ports.definitions import ParentRecord
from kohort.services.access import Access, hidden_attributes, hidden_columns, is_hidden
from kohort.services.evaluation.evaluate import Engine
from kohort.services.insight.explain import CustomerExplanation
from kohort.services.insight.explanation_document import explanation_document
from kohort.web.api.desk import Desk
from kohort.web.api.unseen import Unseen, without_hidden_segments


def explanation_for(desk: Desk, parent: ParentRecord, engine: Engine, found: CustomerExplanation) -> dict[str, Any]:
    """An explanation's document without what is not for the one who asks: personal data, and rules of segments they may not see."""
    document = without_personal_data(explanation_document(found), engine.catalog, engine.key_column, desk.access, parent.id)
    if not desk.access.is_limited:
        return document
    pruned = without_hidden_segments(document, lambda path: desk.sees(parent, engine.graph.owners.get(path, path)))
    told: dict[str, Any] = Unseen.of(desk.kohort.store, desk.access).document(pruned)
    return told


def without_personal_data(
    document: dict[str, Any], catalog: FieldCatalog, key_column: str, access: Access, parent_id: int
) -> dict[str, Any]:
    """An explanation's document; what conditions on hidden fields observed is left out, and when and how they would turn."""
    attributes = hidden_attributes(catalog, access, parent_id)
    columns = {behavior.name: hidden_columns(behavior, access, parent_id) for behavior in catalog.behaviors}
    names = attributes.union(*columns.values())
    if not names:
        return document
    found: dict[str, Any] = _without_instants(_masked(document, names, columns, attributes), set(_telling_instants(document, names)))
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
            found["missing"] = found["until"] = None
    if found.get("key_column") in attributes and "key" in found:
        found["key"] = found["place"] = None
    return found


def _telling_instants(value: Any, names: frozenset[str]) -> Iterator[str]:
    """The instants at which conditions on hidden fields turn by themselves: they would tell dates."""
    if isinstance(value, list):
        for item in value:
            yield from _telling_instants(item, names)
    elif isinstance(value, dict):
        if isinstance(value.get("next_change"), dict) and "observed" in value and _names_one(str(value.get("text", "")), names):
            yield from (instant for instant in value["next_change"].values() if isinstance(instant, str))
        for item in value.values():
            yield from _telling_instants(item, names)


def _without_instants(value: Any, instants: set[str]) -> Any:
    if not instants or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_without_instants(item, instants) for item in value]
    found = {key: _without_instants(item, instants) for key, item in value.items()}
    change = found.get("next_change")
    if isinstance(change, dict) and instants & {item for item in change.values() if isinstance(item, str)}:
        found["next_change"] = {"at": None, "unchanged_until": None, "masked": True}
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
    def of(catalog: FieldCatalog, parent: ParentSegment, access: Access, parent_id: int) -> Eyes:
        every = (*catalog.attributes, *(field for behavior in catalog.behaviors for field in behavior.fields))
        hidden = frozenset(field.source for field in every if is_hidden(field, access, parent_id))
        tables: list[AttributeTable | BehaviorTable] = [*parent.attributes, *parent.behaviors]
        keys = {f"{table.source}.{table.child_key}" for table in tables}
        keys |= {f"{parent.master.source}.{column}" for column in (parent.key_column, *(table.parent_key for table in tables))}
        return Eyes(hidden, hidden.isdisjoint(keys))

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
