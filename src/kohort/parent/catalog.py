"""The field catalog: which attributes and behaviors rules may use, with their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kohort.parent.definition import FieldType, Visibility

Storage = Literal["text", "int64", "float64", "decimal", "boolean", "timestamp", "date", "text_array", "int64_array", "float64_array"]
"""How a field's values are held after a refresh. timestamp: int64 microseconds UTC; date: calendar day;
decimal: exact, `scale` digits after the point."""


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute, or one column of a behavior. `source` is "database.table.column" it came from, for people."""

    name: str
    type: FieldType
    storage: Storage
    scale: int = 0
    label: str = ""
    group: str = ""
    source: str = ""
    visibility: Visibility = "clear"

    @property
    def is_array(self) -> bool:
        return self.type in ("string_array", "number_array")

    @property
    def is_time(self) -> bool:
        return self.type in ("timestamp", "date")


TIME_FIELD = Field("timestamp", "timestamp", "timestamp", label="time of the event")
"""The time that every behavior has; rules know it as `timestamp` (or `time`)."""


@dataclass(frozen=True)
class Behavior:
    """One behavior: `name` without the `behavior_` prefix, its fields without time and keys."""

    name: str
    fields: tuple[Field, ...]
    label: str = ""
    source: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Every name a rule may use for a column of this behavior, `timestamp` and `time` included."""
        return {"time": TIME_FIELD, **{f.name: f for f in self.fields}, TIME_FIELD.name: TIME_FIELD}


@dataclass(frozen=True)
class FieldCatalog:
    """Everything a rule over one parent segment may name. `timezone` is the zone of its calendar words (IANA)."""

    attributes: tuple[Field, ...]
    behaviors: tuple[Behavior, ...]
    timezone: str = "UTC"

    @cached_property
    def attribute(self) -> Mapping[str, Field]:
        return {f.name: f for f in self.attributes}

    @cached_property
    def behavior(self) -> Mapping[str, Behavior]:
        return {b.name: b for b in self.behaviors}
