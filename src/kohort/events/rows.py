"""From a call to the rows it becomes: the obvious way, one call at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kohort.events.columns import CALL_TABLES, DATA_KEYS, DISCARDS, OVERFLOW, SHARED_COLUMNS, USERS
from kohort.events.model import Call, CallType, Naming, Row, SourceRules
from kohort.events.naming import column_name, event_slug, key_name, table_name
from kohort.events.validation import id_of, json_text


def rows_of(call: Call, rules: SourceRules) -> tuple[Row, ...]:
    """All rows of one call: the row of its type, then that of its event or its user, then what found no column.

    Columns without a value are left out. A row of `users` carries what one identify call says: the newest value of each column by
    `received_at` is the user's. Rows of `discards` have `columns.DISCARD_COLUMNS`.
    """
    standard = standard_columns(call, rules)
    data, context = list(data_leaves(call)), list(context_leaves(call))
    found, discards = _resolved([*data, *context], standard, call, rules)
    main = Row(main_table(call, rules), _kept(_own(standard, found, call.type) | found))
    rows = [main]
    match call.type:
        case "track":
            common, _ = _resolved(context, standard, call, rules)
            rows.insert(0, Row(CALL_TABLES["track"], _kept(standard | common)))
        case "identify" if call.user_id is not None:
            rows.append(Row(USERS, _kept(user_columns(call, standard, rules) | found)))
        case _:
            pass
    return (*rows, *(discard_row(call, main.table, *discard) for discard in (*discards, *unread_discards(call))))


def main_table(call: Call, rules: SourceRules) -> str:
    """The table that takes all columns of a call."""
    return table_name(call.payload["event"], rules.naming) if call.type == "track" else CALL_TABLES[call.type]


def standard_columns(call: Call, rules: SourceRules) -> dict[str, Any]:
    """The columns a call of this type always has, in a fixed order; None where it has no value. No key of the call may take them."""
    payload = call.payload
    columns: dict[str, Any] = {
        "id": call.message_id,
        "anonymous_id": call.anonymous_id,
        "user_id": call.user_id,
        "received_at": call.received_at,
        "sent_at": call.sent_at,
        "timestamp": call.timestamp,
        "original_timestamp": call.original_timestamp,
    }
    match call.type:
        case "track":
            event = payload["event"]
            columns["event"] = table_name(event) if rules.naming == "segment" else event_slug(event, rules.naming)
            columns["event_text"] = event
        case "page" | "screen":
            columns["name"], columns["category"] = payload.get("name"), payload.get("category") or None
        case "group":
            columns["group_id"] = id_of(payload, "groupId", rules)
        case "alias":
            columns["previous_id"] = id_of(payload, "previousId", rules)
        case "identify":
            pass
    if rules.naming == "rudderstack":
        passed, requested = scalar((payload.get("context") or {}).get("ip")), scalar(payload.get("request_ip"))
        columns["channel"] = scalar(payload.get("channel"))
        columns["context_ip"] = requested if passed is None else passed
        columns["context_request_ip"], columns["context_passed_ip"] = requested, passed
    return columns


def user_columns(call: Call, standard: Mapping[str, Any], rules: SourceRules) -> dict[str, Any]:
    """The columns of a row of `users` beside traits and context."""
    columns = {"id": call.user_id, "received_at": call.received_at}
    if rules.naming == "rudderstack":
        names = ("sent_at", "timestamp", "original_timestamp", "context_ip", "context_request_ip", "context_passed_ip")
        columns |= {name: standard[name] for name in names}
    return columns


def data_leaves(call: Call) -> Iterator[tuple[str, Any]]:
    """Paths of keys joined with `_`, and values, of traits or properties. Arrays are JSON text; what is blank is None."""
    return leaves(call.payload.get(DATA_KEYS[call.type]) or {}, "")


def context_leaves(call: Call) -> Iterator[tuple[str, Any]]:
    """The same of a call's context."""
    return leaves(call.payload.get("context") or {}, "context_")


def leaves(members: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Everything in an object that is no object itself, depth first, in the order of keys.

    >>> list(leaves({"app": {"version": "1.0", "tags": ["a"]}, "ip": ""}, "context_"))
    [('context_app_version', '1.0'), ('context_app_tags', '["a"]'), ('context_ip', None)]
    """
    for key, value in members.items():
        path = prefix + key_name(key)
        if type(value) is dict:
            yield from leaves(value, path + "_")
        elif type(value) is list:
            yield path, json_text(value) if value else None
        else:
            yield path, None if value == "" else value


def column_of(path: str, call_type: CallType, naming: Naming) -> str:
    """The column of a path. RudderStack keeps a trait `userId` of an identify call as `_user_id`."""
    column = column_name(path, naming)
    return "_user_id" if column == "user_id" and naming == "rudderstack" and call_type == "identify" else column


def same(one: Any, other: Any) -> bool:
    """Whether two values are one, `1` and `True` are not."""
    return type(one) is type(other) and bool(one == other)


def scalar(value: Any) -> Any:
    """A value that can stand in a column by itself, or None."""
    return None if isinstance(value, dict | list) or value == "" else value


def discard_row(call: Call, table: str, column: str, value: Any, reason: str) -> Row:
    """The row of `discards` for one value. reason: of `columns.REASONS`."""
    text = value if type(value) is str else json_text(value)
    columns = {"table_name": table, "row_id": call.message_id, "column_name": column, "column_value": text, "reason": reason}
    return Row(DISCARDS, columns | {"received_at": call.received_at})


def unread_discards(call: Call) -> Iterator[tuple[str, Any, str]]:
    """Column, value and reason of what could not be read as an instant or a context."""
    for column, value in call.unread.items():
        yield column, value, "not_an_object" if column == "context" else "not_an_instant"


_Discards = list[tuple[str, Any, str]]


def _resolved(
    found: Iterable[tuple[str, Any]], standard: Mapping[str, Any], call: Call, rules: SourceRules
) -> tuple[dict[str, Any], _Discards]:
    """The columns of leaves: of several with one name the last stands; what is over the limit is JSON in one column."""
    columns: dict[str, Any] = {}
    discards: _Discards = []
    shared = SHARED_COLUMNS.get(call.type, ())
    for path, value in found:
        column = column_of(path, call.type, rules.naming)
        if value is None:
            continue
        if column in standard and column not in shared:
            if not same(value, standard[column]):
                discards.append((column, value, "reserved_column"))
            continue
        if column in columns and not same(value, columns[column]):
            discards.append((column, columns[column], "same_column"))
        columns[column] = value
    for column in shared:
        if column in columns and standard[column] is not None and not same(columns[column], standard[column]):
            discards.append((column, columns[column], "same_column"))
    return _narrowed(columns, rules.max_columns), discards


def _narrowed(columns: dict[str, Any], limit: int) -> dict[str, Any]:
    if len(columns) <= limit:
        return columns
    items = list(columns.items())
    return dict(items[:limit]) | {OVERFLOW: json_text(dict(items[limit:]))}


def _own(standard: Mapping[str, Any], found: dict[str, Any], call_type: CallType) -> dict[str, Any]:
    """The standard columns. Of a column that is shared with a property, the call's own value replaces the one that was found."""
    for column in SHARED_COLUMNS.get(call_type, ()):
        if standard[column] is not None:
            found.pop(column, None)
    return dict(standard)


def _kept(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in columns.items() if value is not None}
