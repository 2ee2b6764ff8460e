"""The published Python clients of Segment and RudderStack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sdk import checks, clients
from tests.sdk.gateway import Trouble
from tests.sdk.world import World, world

pytestmark = pytest.mark.slow
CLIENTS: dict[str, clients.Send] = {
    "segment": clients.segment_python,
    "segment gzip": clients.segment_python_gzip,
    "segment sync": clients.segment_python_sync,
    "segment limited": clients.segment_python_limited,
    "rudderstack": clients.rudderstack_python,
}
BUSY = [Trouble(503), Trouble(503, delivers=True), Trouble(429, delivers=True, retry_after="1")]
TROUBLES = {"segment": BUSY, "segment gzip": BUSY[1:2], "segment sync": [], "segment limited": [], "rudderstack": BUSY[1:]}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("sdk") / "w", CLIENTS, TROUBLES) as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_every_call_is_in_its_table(sent: World, client: str) -> None:
    assert sent.told[client, "well"].errors == []
    checks.check_ids_and_instants(sent, client, "timestamp" if client == "rudderstack" else "original_timestamp")


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "rudderstack"])
def test_values_are_columns(sent: World, client: str) -> None:
    traits = ("email", "plan", "address_city", "address_geo_lat", "age", "tags", "vip")
    checks.check_values(sent, client, {name: name for name in traits})
    checks.check_user(sent, client, "email")


def test_values_of_rudderstack_are_columns(sent: World) -> None:
    """Its Python client sends traits inside the context."""
    traits = ("email", "plan", "address_city", "address_geo_lat", "age", "tags", "vip")
    checks.check_values(sent, "rudderstack", {name: f"context_traits_{name}" for name in traits})
    checks.check_user(sent, "rudderstack", "context_traits_email")


@pytest.mark.parametrize("client", CLIENTS)
def test_retries_give_no_doubles(sent: World, client: str) -> None:
    assert sent.told[client, "trouble"].errors == []
    wanted = [trouble.status for trouble in TROUBLES[client]]
    statuses = [status for status, _ in sent.seen[client]]
    assert statuses[: len(wanted)] == wanted
    assert set(statuses[len(wanted) :]) - {429} == {200}
    assert (429 in statuses[len(wanted) :]) is (client == "segment limited"), "the server itself says when it is too much"
    checks.check_nothing_is_doubled(sent, client)


def test_a_client_that_announces_its_retries_is_heard(sent: World) -> None:
    assert [count for status, count in sent.seen["segment"] if status != 200] == ["", "1", "2"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_bad_key_is_an_error_at_once(sent: World, client: str) -> None:
    told = sent.told[client, "bad key"].errors
    assert len(told) == (2 if client in ("segment sync", "segment limited") else 1), "refused once a request and not tried again"
    assert all("invalid_write_key" in error and "401" in error for error in told)


def test_keys_are_in_no_message_of_the_server(sent: World) -> None:
    assert "a-key-of-nobody" not in "".join(sent.said)
