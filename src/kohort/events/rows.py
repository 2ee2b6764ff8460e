"""From a call to the rows it becomes: the obvious way, one call at a time."""

from __future__ import annotations

from kohort.events.columns import CALL_TABLES, USERS
from kohort.events.model import Call, Row, SourceRules
from kohort.events.naming import column_name, event_slug, table_name


def rows_of(call: Call, rules: SourceRules) -> tuple[Row, ...]:
    """All rows of one call, in the order of their tables: of its type, then of its event or its user, then its discards.

    Columns without a value are left out. A row of `users` carries what one identify call says: the newest non-null value of each
    column by `received_at` is the user's. Rows of `discards` have `columns.DISCARD_COLUMNS`.
    """
    naming = rules.naming
    standard: dict[str, object] = {
        "id": call.message_id,
        "anonymous_id": call.anonymous_id,
        "user_id": call.user_id,
        "received_at": call.received_at,
    }
    standard |= {"sent_at": call.sent_at, "timestamp": call.timestamp, "original_timestamp": call.original_timestamp}
    traits = call.payload.get("traits" if call.type in ("identify", "group", "alias") else "properties") or {}
    columns = {column_name(key, naming): value for key, value in traits.items()} | standard
    rows = []
    match call.type:
        case "track":
            event = str(call.payload["event"])
            named = standard | {"event": event_slug(event, naming), "event_text": event}
            rows = [Row("tracks", _kept(named)), Row(table_name(event, naming), _kept(columns | named))]
        case "identify" if call.user_id is not None:
            user = {name: value for name, value in columns.items() if name not in standard}
            rows = [Row("identifies", _kept(columns)), Row(USERS, _kept(user | {"id": call.user_id, "received_at": call.received_at}))]
        case _:
            rows = [Row(CALL_TABLES[call.type], _kept(columns))]
    return tuple(rows)


def _kept(columns: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in columns.items() if value is not None}
