"""The published Node clients of Segment and RudderStack, installed once into the project's cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sdk import checks, clients
from tests.sdk.gateway import Trouble
from tests.sdk.world import World, world

pytestmark = pytest.mark.slow
CLIENTS: dict[str, clients.Send] = {"segment": clients.segment_node, "rudderstack": clients.rudderstack_node}
TROUBLES = {
    "segment": [Trouble(503, delivers=True), Trouble(429, delivers=True, retry_after="1")],
    "rudderstack": [Trouble(503), Trouble(429, delivers=True, retry_after="1")],
}
TRAITS = ("email", "plan", "address_city", "address_geo_lat", "age", "tags", "vip")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clients.installed_node_clients()
    with world(tmp_path_factory.mktemp("sdk") / "w", CLIENTS, TROUBLES) as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_every_call_is_in_its_table(sent: World, client: str) -> None:
    told = sent.told[client, "well"]
    assert (told.delivered, told.errors) == (len(clients.CALLS), [])
    checks.check_ids_and_instants(sent, client)


@pytest.mark.parametrize("client", CLIENTS)
def test_values_are_columns(sent: World, client: str) -> None:
    checks.check_values(sent, client, {name: name for name in TRAITS})
    checks.check_user(sent, client, "email")


@pytest.mark.parametrize("client", CLIENTS)
def test_retries_give_no_doubles(sent: World, client: str) -> None:
    told = sent.told[client, "trouble"]
    assert (told.delivered, told.errors) == (len(clients.CALLS), [])
    assert sorted(status for status, _ in sent.seen[client])[-2:] == [429, 503]
    checks.check_nothing_is_doubled(sent, client)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_bad_key_is_an_error_at_once(sent: World, client: str) -> None:
    told = sent.told[client, "bad key"]
    assert told.delivered == 0
    assert told.errors
    assert all("401" in error for error in told.errors)
