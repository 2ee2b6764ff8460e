"""Tables and columns that every source has by itself, whatever its calls carry."""

from __future__ import annotations

from typing import Final

from kohort.events.model import CallType

INSTANTS: Final = frozenset({"received_at", "sent_at", "timestamp", "original_timestamp"})
"""Columns whose values are instants (microseconds UTC) in every table of a source."""

CALL_TABLES: Final[dict[CallType, str]] = {
    "identify": "identifies",
    "track": "tracks",
    "page": "pages",
    "screen": "screens",
    "group": "groups",
    "alias": "aliases",
}
DATA_KEYS: Final[dict[CallType, str]] = {
    "identify": "traits",
    "track": "properties",
    "page": "properties",
    "screen": "properties",
    "group": "traits",
    "alias": "traits",
}
"""Where a call carries what becomes columns without a prefix."""
USERS: Final = "users"
DISCARDS: Final = "discards"
REJECTS: Final = "rejects"
OVERFLOW: Final = "overflow"

GRAPH_TABLES: Final = (
    "id_graph_updates",
    "external_id_mapping_updates",
    "identity_demotions",
    "id_graph",
    "external_id_mapping",
    "profile_merges",
    "profiles",
    "profile_traits_updates",
    "user_identifiers",
    "user_traits",
)
"""Tables and views of the identity graph of a source."""

SOURCE_TABLES: Final = frozenset({*CALL_TABLES.values(), USERS, "accounts", DISCARDS, REJECTS, *GRAPH_TABLES})
"""Tables no event may take: an event named so gets a `_` before its table."""

COMMON_COLUMNS: Final = ("id", "anonymous_id", "user_id", "received_at", "sent_at", "timestamp", "original_timestamp")
"""Of every call, whatever its type."""

OWN_COLUMNS: Final[dict[CallType, tuple[str, ...]]] = {
    "identify": (),
    "track": ("event", "event_text"),
    "page": ("name", "category"),
    "screen": ("name", "category"),
    "group": ("group_id",),
    "alias": ("previous_id",),
}
SHARED_COLUMNS: Final[dict[CallType, tuple[str, ...]]] = {"page": ("name", "category"), "screen": ("name", "category")}
"""Own columns that take the property of the same name where the call itself has no value."""
RUDDERSTACK_COLUMNS: Final = ("channel", "context_ip", "context_request_ip", "context_passed_ip")
"""What RudderStack adds to every table of calls."""

DISCARD_COLUMNS: Final = ("table_name", "row_id", "column_name", "column_value", "reason", "received_at")
"""Of the table `discards`: a value that found no column. column_value: text, or JSON of what is no text."""
REASONS: Final = {
    "reserved_column": "the column has a meaning of its own in this table",
    "same_column": "another key of the same call has the same column; the last one is kept",
    "not_an_instant": "the text names no instant",
    "not_an_object": "an object is expected there",
}
"""Why a value of a call found no column."""
