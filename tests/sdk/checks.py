"""What must be in the tables of a client that sent every kind of call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sdk.clients import AT, CALLS
from tests.sdk.world import AGAIN, World

TABLE_OF = {"identify": "identifies", "track": "tracks", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases"}
MOST_OFF = timedelta(seconds=20)
"""How far the corrected time of a call may be from when it happened: the time of its travel."""


def check_ids_and_instants(world: World, client: str, exact: str = "original_timestamp") -> None:
    """Every call is one row of its table, with the right ids, happened when it happened and arrived just now.

    exact: the column that holds what the client sent, uncorrected.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    for kind, table in TABLE_OF.items():
        sent = sorted((call for call in CALLS if call["type"] == kind), key=lambda call: str(call["messageId"]))
        rows = world.rows(client, table)
        assert [row["id"] for row in rows] == [call["messageId"] for call in sent], table
        for row, call in zip(rows, sent, strict=True):
            happened = datetime.fromisoformat(call["timestamp"]).replace(tzinfo=None)
            assert (row.get("user_id"), row.get("anonymous_id")) == (call.get("userId"), call.get("anonymousId"))
            assert row[exact] == happened
            assert abs(row["timestamp"] - happened) < MOST_OFF
            assert timedelta(0) <= now - row["received_at"] < timedelta(minutes=10)
            assert abs(row["sent_at"] - row["received_at"]) < MOST_OFF


def check_values(world: World, client: str, traits: dict[str, str]) -> None:
    """Properties and traits are columns. traits: column of `identifies` by trait."""
    [identify] = world.rows(client, "identifies")
    assert {name: identify[column] for name, column in traits.items()} == {
        "email": "ana@example.com",
        "plan": "Pro ✓",
        "address_city": "Köln",
        "address_geo_lat": 50.94,
        "age": 34,
        "tags": '["a","b"]',
        "vip": True,
    }
    assert not [column for column in identify if "nothing" in column]
    [order] = world.rows(client, "order_completed")
    assert _some(order, "total", "items", "product_sku", "currency", "gift", "_select") == (12.5, 3, "S-1", "EUR", False, "a reserved word")
    assert _some(order, "event", "event_text") == ("order_completed", "Order Completed")
    [unnamed] = world.rows(client, "event_77710aedc7")
    assert _some(unnamed, "n", "event_text", "anonymous_id") == (1, "日本語", "a1")
    [page] = world.rows(client, "pages")
    assert _some(page, "name", "category", "url") == ("Home", "Docs", "https://shop.example/?q=ä")
    [screen] = world.rows(client, "screens")
    assert _some(screen, "name", "category", "items") == ("Cart", "App", 2)
    [group] = world.rows(client, "groups")
    assert _some(group, "group_id", "name", "employees") == ("g1", "Example GmbH", 250)
    [alias] = world.rows(client, "aliases")
    assert _some(alias, "previous_id", "user_id") == ("a1", "u1")
    assert order["context_library_name"]
    assert order["context_library_version"]


def check_user(world: World, client: str, column: str) -> None:
    """One user, with the traits of both identify calls."""
    [user] = world.all_rows(client, "users")
    assert (user["id"], user[column]) == ("u1", "ana@example.com")


def check_nothing_is_doubled(world: World, client: str) -> None:
    """What was sent through trouble is there once, though some of it was delivered two or three times."""
    for kind, table in TABLE_OF.items():
        sent = [call["messageId"] for call in [*CALLS, *AGAIN] if call["type"] == kind]
        assert [row["id"] for row in world.all_rows(client, table)] == sorted(sent), table
    counts = world.tables(client)
    assert counts.get("rejects", 0) == counts.get("discards", 0) == 0
    assert (counts["order_completed"], counts["event_77710aedc7"]) == (2, 2)


def _some(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


__all__ = ["AT", "check_ids_and_instants", "check_nothing_is_doubled", "check_user", "check_values"]
