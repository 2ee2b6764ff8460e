"""Which rows a call becomes: golden rows of every type of call, and every rule about columns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kohort.events.columns import DISCARD_COLUMNS, REASONS
from kohort.events.model import RUDDERSTACK_RULES, SEGMENT_RULES, Received, Row, SourceRules
from kohort.events.rows import rows_of
from tests.events.messages import RECEIVED_AT, decode_request, micros, one_call, received

SENT = micros("2024-01-31T10:00:00Z")
HAPPENED = micros("2024-01-31T09:59:59Z")
CONTEXT = {"ip": "1.2.3.4", "library": {"name": "analytics-python", "version": "2.3.4"}, "page": {"url": "https://x.y/"}}
COMMON = {
    "id": "m1",
    "anonymous_id": "a1",
    "user_id": "u1",
    "received_at": RECEIVED_AT,
    "sent_at": SENT,
    "timestamp": HAPPENED + 1_000_000,
    "original_timestamp": HAPPENED,
}
CONTEXT_COLUMNS = {
    "context_ip": "1.2.3.4",
    "context_library_name": "analytics-python",
    "context_library_version": "2.3.4",
    "context_page_url": "https://x.y/",
}
USER = {"id": "u1", "received_at": RECEIVED_AT}


def _message(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "messageId": "m1",
        "userId": "u1",
        "anonymousId": "a1",
        "timestamp": "2024-01-31T09:59:59Z",
        "sentAt": "2024-01-31T10:00:00Z",
        "context": CONTEXT,
        "integrations": {"All": True},
        "channel": "server",
        **fields,
    }


def _rows(kind: str, rules: SourceRules = SEGMENT_RULES, **fields: Any) -> list[Row]:
    return list(rows_of(one_call(_message(kind, **fields), rules=rules), rules))


def _tables(rows: list[Row]) -> dict[str, dict[str, Any]]:
    assert len({row.table for row in rows}) == len(rows)
    return {row.table: dict(row.columns) for row in rows}


def _properties(properties: dict[str, Any], rules: SourceRules = SEGMENT_RULES) -> dict[str, Any]:
    """The columns that properties of a track call become."""
    table = _tables(_rows("track", rules, event="E", properties=properties, context={}))["e"]
    return {column: value for column, value in table.items() if column not in COMMON and column not in ("event", "event_text", "channel")}


def test_track() -> None:
    rows = _rows("track", event="Order Completed", properties={"total": 12.5, "orderId": "o1", "products": [{"sku": "a"}], "new": False})
    named = {"event": "order_completed", "event_text": "Order Completed"}
    assert rows == [
        Row("tracks", COMMON | CONTEXT_COLUMNS | named),
        Row(
            "order_completed",
            COMMON | CONTEXT_COLUMNS | named | {"total": 12.5, "order_id": "o1", "products": '[{"sku":"a"}]', "new": False},
        ),
    ]


def test_identify() -> None:
    rows = _rows("identify", traits={"email": "a@b.c", "address": {"street": "Main", "geo": {"lat": 1}}, "age": 7})
    traits = {"email": "a@b.c", "address_street": "Main", "address_geo_lat": 1, "age": 7}
    assert rows == [Row("identifies", COMMON | CONTEXT_COLUMNS | traits), Row("users", USER | CONTEXT_COLUMNS | traits)]


def test_identify_of_nobody_known_makes_no_user() -> None:
    assert [row.table for row in _rows("identify", userId=None, traits={"email": "a@b.c"})] == ["identifies"]


def test_page_and_screen() -> None:
    for kind, table in (("page", "pages"), ("screen", "screens")):
        rows = _rows(kind, name="Home", category="Shop", properties={"title": "Hi", "url": "https://x.y/"})
        own = {"name": "Home", "category": "Shop", "title": "Hi", "url": "https://x.y/"}
        assert rows == [Row(table, COMMON | CONTEXT_COLUMNS | own)]


def test_group() -> None:
    rows = _rows("group", groupId="g1", traits={"name": "Acme", "employeeCount": 7})
    assert rows == [Row("groups", COMMON | CONTEXT_COLUMNS | {"group_id": "g1", "name": "Acme", "employee_count": 7})]


def test_alias() -> None:
    rows = _rows("alias", previousId="a0", traits={"email": "a@b.c"})
    assert rows == [Row("aliases", COMMON | CONTEXT_COLUMNS | {"previous_id": "a0", "email": "a@b.c"})]


def test_the_smallest_call() -> None:
    call = decode_request(received({"batch": [{"type": "page", "anonymousId": "a1"}]}, message_ids={0: "g"}), SEGMENT_RULES).calls[0]
    assert rows_of(call, SEGMENT_RULES) == (
        Row("pages", {"id": "g", "anonymous_id": "a1", "received_at": RECEIVED_AT, "timestamp": RECEIVED_AT}),
    )


def test_what_is_blank_makes_no_column() -> None:
    assert _properties({"a": None, "b": "", "c": [], "d": {}, "e": {"f": None}, "g": 0, "h": False, "i": 0.0, "j": " "}) == {
        "g": 0,
        "h": False,
        "i": 0.0,
        "j": " ",
    }


def test_unicode_stays_in_values_and_leaves_names() -> None:
    assert _properties({"Größe": "groß", "日本語": "はい", "名": {"前": "x", "b": {"名": 1}}, "list": ["é😀"]}) == {
        "gr_e": "groß",
        "column_hhhbakonmh": "はい",
        "column_fbkfngibkj_column_gaeeojpajf": "x",
        "column_fbkfngibkj_b_column_fbkfngibkj": 1,
        "list": '["é😀"]',
    }


def test_reserved_words_get_an_underscore() -> None:
    assert _properties({"order": 1, "From": "x", "overflow": 2}) == {"_order": 1, "_from": "x", "_overflow": 2}


def test_arrays_are_json_text() -> None:
    assert _properties({"a": [1, None, "x", [2.5]], "b": {"c": [{"d": {}}]}, "n": [10**30]}) == {
        "a": '[1,null,"x",[2.5]]',
        "b_c": '[{"d":{}}]',
        "n": "[1000000000000000000000000000000]",
    }


def _discarded(rows: list[Row]) -> list[tuple[str, str, str, str]]:
    discards = [row.columns for row in rows if row.table == "discards"]
    for columns in discards:
        assert tuple(columns) == DISCARD_COLUMNS
        assert columns["reason"] in REASONS
        assert (columns["row_id"], columns["received_at"]) == ("m1", RECEIVED_AT)
    return [(columns["table_name"], columns["column_name"], columns["column_value"], columns["reason"]) for columns in discards]


def test_properties_do_not_take_standard_columns() -> None:
    rows = _rows("track", event="E", properties={"id": 7, "timestamp": "now", "Event": {"text": "x"}, "userId": "u1", "receivedAt": None})
    assert dict(rows[1].columns) == COMMON | CONTEXT_COLUMNS | {"event": "e", "event_text": "E"}
    assert _discarded(rows) == [
        ("e", "id", "7", "reserved_column"),
        ("e", "timestamp", "now", "reserved_column"),
        ("e", "event_text", "x", "reserved_column"),
    ]


def test_a_standard_column_without_a_value_stays_empty() -> None:
    rows = _rows("track", event="E", userId=None, properties={"user_id": "other"})
    assert "user_id" not in rows[1].columns
    assert _discarded(rows) == [("e", "user_id", "other", "reserved_column")]


def test_of_keys_with_one_column_the_last_with_a_value_stands() -> None:
    rows = _rows("track", event="E", properties={"orderId": "1", "order_id": "2", "Order ID": None, "order": {"id": "2"}})
    assert rows[1].columns["order_id"] == "2"
    assert _discarded(rows) == [("e", "order_id", "1", "same_column")]
    assert _discarded(_rows("track", event="E", properties={"a": 1, "A": True})) == [("e", "a", "1", "same_column")]
    assert _discarded(_rows("track", event="E", properties={"a": 1, "A": 1})) == []


def test_context_stands_above_properties() -> None:
    rows = _rows("track", event="E", properties={"context_ip": "9.9.9.9"})
    assert rows[0].columns["context_ip"] == rows[1].columns["context_ip"] == "1.2.3.4"
    assert _discarded(rows) == [("e", "context_ip", "9.9.9.9", "same_column")]


def test_name_and_category_of_a_page_may_stand_in_its_properties() -> None:
    rows = _rows("page", properties={"name": "Home", "category": "Shop"})
    assert (rows[0].columns["name"], rows[0].columns["category"]) == ("Home", "Shop")
    rows = _rows("page", name="Home", category="", properties={"name": "Home", "category": "Shop"})
    assert (rows[0].columns["name"], rows[0].columns["category"], len(rows)) == ("Home", "Shop", 1)
    rows = _rows("page", name="Home", properties={"name": "Other"})
    assert rows[0].columns["name"] == "Home"
    assert _discarded(rows) == [("pages", "name", "Other", "same_column")]


def test_what_names_no_instant_is_kept_beside() -> None:
    rows = _rows("track", event="E", timestamp="yesterday", sentAt={"at": 1}, context="odd")
    assert _discarded(rows) == [
        ("e", "context", "odd", "not_an_object"),
        ("e", "timestamp", "yesterday", "not_an_instant"),
        ("e", "sent_at", '{"at":1}', "not_an_instant"),
    ]


def test_a_wide_event_keeps_the_rest_as_json() -> None:
    rules = SourceRules(max_columns=3)
    properties = {"a": 1, "none": None, "b": {"c": 2, "d": [3]}, "e": "x", "F": False}
    rows = _rows("track", rules, event="E", properties=properties, context={})
    assert _properties(properties, rules) == {"a": 1, "b_c": 2, "b_d": "[3]", "overflow": '{"e":"x","f":false}'}
    assert "overflow" not in rows[0].columns
    rows = _rows("identify", rules, traits=properties)
    overflow = {"e": "x", "f": False} | CONTEXT_COLUMNS
    assert json.loads(rows[0].columns["overflow"]) == json.loads(rows[1].columns["overflow"]) == overflow


@pytest.mark.parametrize("event", ["日本語", "users", "Tracks", "select", "Order   Completed!!"])
def test_every_event_has_a_table(event: str) -> None:
    tables = {"日本語": "event_77710aedc7", "users": "_users", "Tracks": "_tracks", "select": "_select"}
    table = tables.get(event, "order_completed")
    for row in _rows("track", event=event):
        assert (row.columns["event"], row.columns["event_text"]) == (table, event)
    assert [row.table for row in _rows("track", event=event)] == ["tracks", table]


def test_integrations_and_unknown_fields_make_no_columns() -> None:
    assert _rows("page", version=2, projectId="p", metadata={"a": 1}) == [Row("pages", COMMON | CONTEXT_COLUMNS)]


RUDDER_COMMON = COMMON | {"timestamp": HAPPENED, "original_timestamp": RECEIVED_AT, "channel": "server"}
RUDDER_IP = {"context_ip": "1.2.3.4", "context_passed_ip": "1.2.3.4", "context_request_ip": "5.6.7.8"}


def _rudder_rows(kind: str, **fields: Any) -> dict[str, dict[str, Any]]:
    request = Received("shop", RECEIVED_AT, json.dumps({"batch": [_message(kind, **fields)]}).encode(), ip="5.6.7.8")
    return _tables(list(rows_of(decode_request(request, RUDDERSTACK_RULES).calls[0], RUDDERSTACK_RULES)))


def test_rudderstack_track() -> None:
    tables = _rudder_rows("track", event="2FA Enabled", properties={"productIDs": "x", "_private": 1})
    named = {"event": "_2fa_enabled", "event_text": "2FA Enabled"}
    assert tables["tracks"] == RUDDER_COMMON | CONTEXT_COLUMNS | RUDDER_IP | named
    assert tables["_2fa_enabled"] == tables["tracks"] | {"product_i_ds": "x", "_private": 1}
    assert _rudder_rows("track", event="Users")["_users"]["event"] == "users"


def test_rudderstack_identify() -> None:
    tables = _rudder_rows("identify", traits={"userId": "other", "email": "a@b.c"})
    traits = {"_user_id": "other", "email": "a@b.c"}
    assert tables["identifies"] == RUDDER_COMMON | CONTEXT_COLUMNS | RUDDER_IP | traits
    instants = {"sent_at": SENT, "timestamp": HAPPENED, "original_timestamp": RECEIVED_AT}
    assert tables["users"] == USER | instants | CONTEXT_COLUMNS | RUDDER_IP | traits


def test_rudderstack_takes_the_address_of_the_request_where_the_context_has_none() -> None:
    table = _rudder_rows("page", context={}, request_ip="7.7.7.7")["pages"]
    assert (table["context_ip"], table["context_request_ip"], "context_passed_ip" in table) == ("7.7.7.7", "7.7.7.7", False)
