"""`kohort source ...` as a person types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.workspaces import Desk, run

KEY = "a-key-that-apps-in-the-field-have"


@pytest.fixture
def empty(tmp_path: Path) -> Desk:
    """A workspace without tables."""
    assert run("init", str(tmp_path / "w")).code == 0
    return Desk(tmp_path / "w")


def test_a_source_is_added_and_its_key_shown_once(empty: Desk) -> None:
    ran = empty.run("source", "add", "Web Shop")
    assert ran.code == 0
    assert ran.out.startswith("Added Web Shop. Its tables come into the schema web_shop.\n")
    [key] = re.findall(r"^    ([A-Za-z0-9]{32})$", ran.out, re.MULTILINE)
    assert "not shown again" in ran.err
    for command in (["list"], ["show", "Web Shop"], ["list", "--json"], ["show", "web_shop", "--json"]):
        shown = empty.ok("source", *command)
        assert key not in shown
        assert f"****{key[-4:]}" in shown
    [listed] = empty.json("source", "list")
    assert listed == empty.json("source", "show", "Web Shop")
    assert (listed["name"], listed["schema"], listed["status"], listed["naming"]) == ("Web Shop", "web_shop", "enabled", "segment")
    assert [(k["key"], k["state"], k["expires_at"]) for k in listed["keys"]] == [(f"****{key[-4:]}", "valid", None)]


def test_a_source_with_everything_said(empty: Desk) -> None:
    options = ["--schema", "japan", "--naming", "rudderstack", "--accept-unknown-keys", "--rate-limit", "50", "--write-key", KEY]
    made = empty.json("source", "add", "日本", *options)
    assert (made["schema"], made["naming"], made["accept_unknown_keys"], made["rate_limit"]) == ("japan", "rudderstack", True, 50)
    assert made["write_key"] == KEY
    row = empty.ok("source", "list").splitlines()[1].split()
    assert row == ["日本", "japan", "enabled", "****have", "rudderstack", "50", "taken"]


def test_a_key_can_come_by_standard_input(empty: Desk) -> None:
    empty.ok("source", "add", "Web", "--write-key", "-", stdin=f"{KEY}\n")
    assert empty.json("source", "list")[0]["keys"][0]["key"] == "****have"
    ran = empty.run("source", "add", "App", "--write-key", "-")
    assert (ran.code, "[KEY_INVALID]" in ran.err) == (1, True)


def test_rotating_disabling_and_switches(empty: Desk) -> None:
    first = empty.json("source", "add", "Web")["write_key"]
    second = empty.json("source", "rotate-key", "Web", "--grace", "24h")
    assert second["write_key"] != first
    assert second["old_until"] == second["keys"][1]["expires_at"] > second["keys"][0]["created_at"]
    assert [k["state"] for k in second["keys"]] == ["valid", "valid for now"]
    assert "Older keys are refused within 5 seconds" in empty.ok("source", "rotate-key", "web")
    assert [k["state"] for k in empty.json("source", "show", "Web")["keys"]] == ["valid", "expired", "expired"]
    assert "takes no calls" in empty.ok("source", "disable", "Web")
    assert empty.json("source", "list")[0]["status"] == "disabled"
    assert empty.json("source", "enable", "Web")["status"] == "enabled"
    assert empty.ok("source", "set", "Web", "--rate-limit", "5", "--accept-unknown-keys") == (
        "Web: 5 requests a second, unknown keys taken.\n"
    )
    assert empty.json("source", "set", "Web", "--rate-limit", "0", "--refuse-unknown-keys")["rate_limit"] is None


def test_refusals_say_the_way_out(desk: Desk) -> None:
    desk.ok("source", "add", "Mobile App")
    assert 'did you mean "Mobile App"?' in desk.refused("source", "show", "Mobil App")
    assert "[SOURCE_NOT_FOUND]" in desk.refused("source", "rotate-key", "Nothing")
    assert "[NAME_TAKEN]" in desk.refused("source", "add", "mobile app")
    assert "[SCHEMA_TAKEN]" in desk.refused("source", "add", "Shop")
    assert '"All Customers" reads tables of the database web' in desk.refused("source", "add", "Web")
    assert "[NAME_RESERVED]" in desk.refused("source", "add", "CDP audience 1")
    assert "[DURATION_INVALID]" in desk.refused("source", "rotate-key", "Mobile App", "--grace", "a while")
    assert "[KEY_INVALID]" in desk.refused("source", "add", "Other", "--write-key", "short")
    desk.refused("source", "add", "Other", "--naming", "camel", code=2)
    assert [source["name"] for source in desk.json("source", "list")] == ["Mobile App"]


def test_no_sources_yet(empty: Desk) -> None:
    ran = empty.run("source", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "kohort source add" in ran.err
    assert empty.json("source", "list") == []


def test_the_published_names(empty: Desk) -> None:
    assert empty.json("source", "name", "Order Completed") == {
        "text": "Order Completed",
        "segment": {"table": "order_completed", "column": "order_completed"},
        "rudderstack": {"table": "order_completed", "column": "order_completed"},
    }
    rows = [line.split() for line in empty.ok("source", "name", "productIDs").splitlines()]
    assert rows[1:] == [["segment", "product_ids", "product_ids"], ["rudderstack", "product_i_ds", "product_i_ds"]]
    assert empty.json("source", "name", "Users")["segment"]["table"] == "_users"


def test_one_key_is_revoked_and_the_others_stay(empty: Desk) -> None:
    old = empty.json("source", "add", "Web Shop")["write_key"]
    new = empty.json("source", "rotate-key", "Web Shop", "--grace", "7d")["write_key"]
    assert "[KEY_NOT_FOUND]" in empty.refused("source", "revoke-key", "Web Shop", "none")
    assert f"The key ****{old[-4:]} of Web Shop is refused" in empty.ok("source", "revoke-key", "Web Shop", f"****{old[-4:]}", "-y")
    states = {key["key"]: key["state"] for key in empty.json("source", "show", "Web Shop")["keys"]}
    assert states == {f"****{old[-4:]}": "expired", f"****{new[-4:]}": "valid"}
    assert "[KEY_NOT_FOUND]" in empty.refused("source", "revoke-key", "Web Shop", old[-4:])
    empty.json("source", "revoke-key", "Web Shop", new[-4:])
    assert empty.json("source", "list")[0]["keys"][1]["state"] == "expired"
