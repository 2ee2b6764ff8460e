"""JSON Schemas of parent segments: every key that a file may have, in each of its forms."""

from __future__ import annotations

from typing import Any

from kohort.parent.codec import MAX_FILTERS
from kohort.parent.definition import ScheduleType
from kohort.parent.schedule import TYPES as SCHEDULES
from kohort.parent.table_entries import FIELD_TYPES, VISIBILITIES
from kohort.web.api.segment_shapes import ANYTHING, FLAG, TEXT, Schema, described, mapping, nullable, one_of, ref

_INLINE: dict[ScheduleType, str] = {
    "daily": "`07:00:00`",
    "hourly": "`30:00`",
    "weekly": "`Mon,07:00:00`",
    "monthly": "`1,07:00:00`",
    "minutes_interval": "`30`",
    "cron": "`0 7 * * *`",
}
_SEEN = described(one_of(VISIBILITIES), "Who sees values; `pii`: those who may see personal data; `blocked`: nobody, and no rule.")
_PLACE: dict[str, Schema] = {
    "source": described(nullable(ref("TableName")), "The table."),
    "database": described(TEXT, "The same without `source`: its database."),
    "schema": described(TEXT, "Another word for `database`."),
    "table": described(TEXT, "The same without `source`: its name."),
    "connection": described(TEXT, "Without effect: all tables are those of the warehouse."),
    "catalog": described(TEXT, "Without effect."),
}
_JOINED: dict[str, Schema] = {
    "join": described(nullable(ref("TableJoin")), "How rows find their customer."),
    "key_column": described(TEXT, "The same without `join`: the column with the customer's key."),
}
_COLUMNS: dict[str, Schema] = {
    "columns": described(
        {"type": ["array", "null"], "items": {"anyOf": [{"type": "string"}, ref("PickedColumn")]}}, "Those to take: names, or more of each."
    ),
    "all_columns": described(FLAG, "Take all of them."),
}
_FIELD: dict[str, Schema] = {
    "label": described(TEXT, "What people read."),
    "type": described(one_of(FIELD_TYPES), "Read values as this; left out: as the table has them."),
    "visibility": _SEEN,
}


def parent_shapes() -> dict[str, Schema]:
    """Name -> schema."""
    column = {"column": described(TEXT, "In the table."), "name": described(TEXT, "In rules; left out: as in the table."), **_FIELD}
    join = {
        "parent_key": described(TEXT, "The column of the master table."),
        "child_key": described(TEXT, "The column of this table."),
        "master_key": described(TEXT, "Another word for `parent_key`."),
        "table_key": described(TEXT, "Another word for `child_key`."),
    }
    table = {key: schema for key, schema in _PLACE.items() if key != "source"}
    return {
        "ParentSegmentDefinition": _parent(),
        "MasterTable": _master(),
        "AttributeTable": _attribute(),
        "BehaviorTable": _behavior(),
        "TableName": mapping(table, "A table of the warehouse."),
        "TableJoin": mapping(join, "The two columns that are equal."),
        "PickedColumn": mapping(column, "A column of a table."),
        "Schedule": _schedule(),
    }


def _parent() -> Schema:
    engine = {"hive_only": FLAG, "trino_pool": TEXT, "hive_pool": TEXT}
    properties = {
        "name": described({"type": "string", "minLength": 1}, "Its slug (`all-customers`) is made of it and stays for life."),
        "description": described(TEXT, "For people."),
        "timezone": described(TEXT, "Of calendar words such as today: `Asia/Tokyo`; left out: that of the schedule, then UTC."),
        "time_zone": described(TEXT, "Another word for `timezone`."),
        "master": described(nullable(ref("MasterTable")), "The table with one row a customer."),
        "master_table": described(nullable(ref("MasterTable")), "Another word for `master`."),
        "attributes": described(_list_of("AttributeTable"), "Tables whose columns become attributes of customers."),
        "behaviors": described(_list_of("BehaviorTable"), "Tables of events."),
        "schedule": described(nullable(ref("Schedule")), "When it refreshes; left out: on demand."),
        "engine": described(nullable(mapping(engine, "Kept as written, without effect.")), "Kept as written, without effect."),
    }
    example: dict[str, Any] = {
        "name": "All Customers",
        "master": {"database": "shop", "table": "customers", "key_column": "customer_id"},
        "attributes": [
            {"name": "Profile", "source": _named("profiles"), "join": _on("customer_id"), "columns": ["country", "lifetime_value"]}
        ],
        "behaviors": [
            {
                "name": "purchase",
                "source": _named("orders"),
                "join": _on("customer_id"),
                "timestamp_column": "ordered_at",
                "all_columns": True,
            }
        ],
        "schedule": {"type": "daily", "time": "03:00:00", "timezone": "UTC"},
    }
    return mapping(properties, "A parent segment as its file has it: a data model over tables.", ("name",), examples=[example])


def _named(table: str) -> dict[str, str]:
    return {"database": "shop", "table": table}


def _on(column: str) -> dict[str, str]:
    return {"parent_key": column, "child_key": column}


def _list_of(name: str) -> Schema:
    return {"type": ["array", "null"], "items": ref(name)}


def _master() -> Schema:
    values = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}
    kept = mapping({"column": {"type": "string"}, "values": values}, "A filter.", ("column", "values"))
    column = {"column": {"type": "string"}, "label": _FIELD["label"], "visibility": _SEEN}
    filters = {"type": ["array", "null"], "items": kept, "maxItems": MAX_FILTERS}
    columns = {"type": ["array", "null"], "items": mapping(column, "A column.", ("column",))}
    properties = {
        **_PLACE,
        "key_column": described(TEXT, "The column that tells customers apart; left out: the one that joins use."),
        "filters": described(filters, "Only rows whose column has one of these values."),
        "columns": described(columns, "Labels and visibility of single columns; all are taken."),
    }
    return mapping(properties, "The master table: one row a customer.")


def _attribute() -> Schema:
    properties = {
        "name": described({"type": "string", "minLength": 1}, "What the table is called; with one column, the attribute."),
        **_PLACE,
        **_JOINED,
        **_COLUMNS,
        "value_column": described(TEXT, "Instead of `columns`: the one column that becomes the attribute `name`."),
        "column": described(TEXT, "Another word for `value_column`."),
        "group": described(TEXT, "The heading that editors show its attributes under."),
        **_FIELD,
    }
    return mapping(properties, "A table with one row a customer; label, type and visibility are of a single column.", ("name",))


def _behavior() -> Schema:
    properties = {
        "name": described({"type": "string", "minLength": 1}, "What rules call it: `purchase`."),
        **_PLACE,
        **_JOINED,
        **_COLUMNS,
        "timestamp_column": described(TEXT, "When an event was; left out: `time`."),
        "time_column": described(TEXT, "Another word for `timestamp_column`."),
        "default_time_filter": described(FLAG, "Editors begin with a window of time."),
    }
    return mapping(properties, "A table of events.", ("name",))


def _schedule() -> Schema:
    properties = {
        "type": described({"enum": list(SCHEDULES)}, "How often."),
        "time": described(TEXT, "When: `03:00:00`; hourly, minutes and seconds: `30:00`."),
        "repeat_sub_frequency": described({"type": ["array", "null"]}, "Weekly: days of the week; monthly: days of the month."),
        "minutes": described(ANYTHING, "Of minutes_interval: how many."),
        "interval": described(ANYTHING, "Another word for `minutes`."),
        "cron": described(TEXT, "Of cron: five fields."),
        "timezone": described(TEXT, "Of `time`; left out: that of the parent segment."),
        "time_zone": described(TEXT, "Another word for `timezone`."),
        "delay": described(ANYTHING, "Seconds to wait."),
        "start": described(TEXT, "The first day: `2024-01-31`."),
        "end": described(TEXT, "The last day."),
        "skip_on_overtime": described(FLAG, "Leave one out while the one before still runs."),
        "skip_delayed_by": described(TEXT, "Leave one out that is late by more than this: `1h 30m`."),
        "at": described(ANYTHING, "The time of a spelling such as `daily>:`."),
        **{f"{kind}>": described(ANYTHING, f"Another spelling of the type {kind}: {example}.") for kind, example in _INLINE.items()},
    }
    return mapping(properties, "When a parent segment refreshes.", examples=[{"type": "daily", "time": "03:00:00"}])
