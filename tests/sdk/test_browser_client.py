"""The published browser client of Segment, in a browser without a window that asks before it sends to another origin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.testing.server import make_sources, running_server
from tests.sdk import clients
from tests.sdk.world import BAD_KEY, World

pytestmark = pytest.mark.slow
CLIENT = "browser"


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clients.installed_node_clients()
    folder = tmp_path_factory.mktemp("browser") / "w"
    with running_server(folder, make_sources(folder, (CLIENT,))) as server:
        told = {(CLIENT, "well"): clients.segment_browser(server.url, server.write_key, clients.CALLS)}
        told[CLIENT, "bad key"] = clients.segment_browser(server.url, BAD_KEY, clients.CALLS[:1])
        assert server.stop() == 0, "".join(server.said)
    with DuckDBWarehouse(folder / ".kohort" / "warehouse.duckdb") as warehouse:
        yield World(warehouse, told, {})


def test_every_call_is_in_its_table(sent: World) -> None:
    told = sent.told[CLIENT, "well"]
    assert (told.delivered, told.errors) == (len(clients.CALLS), [])
    counts = sent.tables(CLIENT)
    tables = {"identifies": 1, "tracks": 2, "pages": 1, "screens": 1, "groups": 1, "aliases": 1, "order_completed": 1, "users": 1}
    assert {name: counts.get(name) for name in tables} == tables
    assert counts.get("rejects", 0) == counts.get("discards", 0) == 0


def test_values_are_columns(sent: World) -> None:
    [identify] = sent.all_rows(CLIENT, "identifies")
    assert (identify["user_id"], identify["anonymous_id"], identify["email"]) == ("u1", "a1", "ana@example.com")
    assert (identify["address_city"], identify["tags"], identify["vip"]) == ("Köln", '["a","b"]', True)
    [order] = sent.all_rows(CLIENT, "order_completed")
    assert (order["total"], order["items"], order["product_sku"], order["gift"]) == (12.5, 3, "S-1", False)
    assert (order["context_page_path"], order["context_campaign_source"]) == ("/products", "mail")
    [page] = sent.all_rows(CLIENT, "pages")
    assert (page["name"], page["category"]) == ("Home", "Docs")


def test_what_only_a_server_knows_is_filled_in(sent: World) -> None:
    [order] = sent.all_rows(CLIENT, "order_completed")
    assert order["context_ip"] == "127.0.0.1"
    assert order["id"].startswith("ajs-next-")
    assert abs(order["timestamp"] - order["received_at"]) < timedelta(seconds=20)


def test_a_bad_key_stops_it_at_the_settings(sent: World) -> None:
    told = sent.told[CLIENT, "bad key"]
    assert told.delivered == 0
    assert "invalid_write_key" in told.errors[0]
