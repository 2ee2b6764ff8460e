"""A small parent segment in memory: written by hand in case files, made up by strategies, loaded into a warehouse for SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, get_args
from zoneinfo import ZoneInfo

from kohort.evaluation.reference import Profile, Row, Value
from kohort.foundation.instants import parse_instant
from kohort.parent.catalog import Behavior, Field, FieldCatalog, Storage
from kohort.parent.definition import FieldType

_STORAGES: tuple[str, ...] = get_args(Storage)
_TYPES: dict[str, FieldType] = {
    "text": "string",
    "int64": "number",
    "float64": "number",
    "decimal": "number",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "date": "date",
    "text_array": "string_array",
    "int64_array": "number_array",
    "float64_array": "number_array",
}
_ELEMENTS = {"text_array": "text", "int64_array": "int64", "float64_array": "float64"}


@dataclass(frozen=True)
class Dataset:
    """A catalog and its profiles; satisfies what the reference evaluator reads. Ordinals are even: odd ones are holes."""

    catalog: FieldCatalog
    profiles: tuple[Profile, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.catalog.timezone)

    @cached_property
    def ordinals(self) -> Mapping[str, int]:
        """The ordinal of every profile, as `load_into` numbers them."""
        return {profile.id: 2 * position for position, profile in enumerate(self.profiles)}

    @staticmethod
    def from_mapping(data: Mapping[str, Any]) -> Dataset:
        """Read the compact form of case files.

        zone: IANA name (UTC). attributes: {name: type}. profiles: {id: {attribute: value}}, what is not written is null.
        behaviors: {name: {columns: {name: type}, rows: [[id, time, {column: value}], ...]}}; rows arrive in the order written.
        Types are storages, decimals with their scale: `decimal(2)`. Times are text.
        """
        zone = ZoneInfo(str(data.get("zone", "UTC")))
        attributes = _fields(data.get("attributes", {}))
        behaviors = {name: Behavior(name, _fields(body.get("columns", {}))) for name, body in data.get("behaviors", {}).items()}
        rows = {name: _rows(body.get("rows", ()), behaviors[name], zone) for name, body in data.get("behaviors", {}).items()}
        catalog = FieldCatalog(attributes, tuple(behaviors.values()), zone.key)
        known = catalog.attribute
        profiles = tuple(
            Profile(
                str(customer),
                {name: read_value(value, known[name], zone) for name, value in (values or {}).items()},
                {name: tuple(row for owner, row in of_behavior if owner == str(customer)) for name, of_behavior in rows.items()},
            )
            for customer, values in data["profiles"].items()
        )
        strangers = {owner for of_behavior in rows.values() for owner, _ in of_behavior} - {profile.id for profile in profiles}
        if strangers:
            raise ValueError(f"rows of customers that are not among the profiles: {sorted(strangers)}")
        return Dataset(catalog, profiles)


def field_of(name: str, type_text: str) -> Field:
    """A field from its compact type.

    >>> field_of("cents", "decimal(2)").scale
    2
    """
    match = re.fullmatch(r"(\w+?)(?:\((\d+)\))?", type_text)
    if match is None or match[1] not in _STORAGES:
        raise ValueError(f"{name}: {type_text!r} is not a type; known: {', '.join(_STORAGES)}")
    storage: Storage = match[1]  # type: ignore[assignment]
    return Field(name, _TYPES[storage], storage, int(match[2] or 0))


def _fields(types: Mapping[str, str]) -> tuple[Field, ...]:
    return tuple(field_of(name, type_text) for name, type_text in types.items())


def _rows(rows: Sequence[Sequence[Any]], behavior: Behavior, zone: ZoneInfo) -> list[tuple[str, Row]]:
    result = []
    for arrival, (customer, time, *rest) in enumerate(rows):
        micros = parse_instant(time, zone)
        if micros is None:
            raise ValueError(f"{behavior.name}: {time!r} is not a time")
        values = rest[0] if rest else {}
        read = {name: read_value(value, behavior.by_name[name], zone) for name, value in values.items()}
        result.append((str(customer), Row(micros, arrival, read)))
    return result


def read_value(value: Any, field: Field, zone: ZoneInfo) -> Value:
    """A value as it is written in a case file, by the type of its field."""
    if value is None:
        return None
    if field.storage in _ELEMENTS:
        return tuple(None if one is None else _scalar(one, _ELEMENTS[field.storage], field, zone) for one in value)  # type: ignore[misc]
    return _scalar(value, field.storage, field, zone)


def _scalar(value: Any, storage: str, field: Field, zone: ZoneInfo) -> Value:
    kinds = {"text": str, "int64": int, "float64": (int, float), "decimal": (str, int), "boolean": bool, "date": str, "timestamp": str}
    if not isinstance(value, kinds[storage]) or (isinstance(value, bool) and storage != "boolean"):  # type: ignore[arg-type]
        raise ValueError(f"{field.name}: {value!r} is not a {storage}")
    match storage:
        case "float64":
            return float(value)
        case "decimal":
            number = Decimal(value)
            if number != round(number, field.scale):
                raise ValueError(f"{field.name}: {value!r} has more than {field.scale} digits")
            return number
        case "date":
            return date.fromisoformat(value)
        case "timestamp":
            micros = parse_instant(value, zone)
            if micros is None:
                raise ValueError(f"{field.name}: {value!r} is not a time")
            return micros
        case _:
            return value  # type: ignore[no-any-return]
