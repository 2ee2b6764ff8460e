"""`kohort index ...` as a person types it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.workspaces import CUSTOMERS, Desk


def the_index(desk: Desk) -> Path:
    (folder,) = (desk.folder / ".kohort" / "index").glob("*/*")
    return folder


def test_a_refresh_leaves_an_index(shop: Desk) -> None:
    shown = shop.json("index", "show")
    assert (shown["refresh"], shown["usable"], shown["profiles"], shown["kept"]) == (1, True, CUSTOMERS, [1])
    assert (
        shown["bytes"]
        == sum(path.stat().st_size for path in the_index(shop).iterdir()) - (the_index(shop) / "manifest.json").stat().st_size
    )
    assert shown["bytes"] > sum(column["bytes"] for column in shown["columns"]) > 0
    assert shown["age_seconds"] >= 0
    columns = {(column["table"], column["column"]): column for column in shown["columns"]}
    assert columns["profiles", "loyalty_tier"]["distinct"] == 3
    assert columns["behavior_purchase", "category"]["storage"] == "text"
    assert columns["behavior_purchase", "timestamp"]["bytes"] == 8 * columns["behavior_purchase", "timestamp"]["rows"]
    text = shop.ok("index", "show", "All Customers")
    assert "refresh 1" in text
    assert "loyalty_tier" in text


def test_verify_is_quiet_about_a_sound_index(shop: Desk) -> None:
    assert shop.ok("index", "verify") == "The index of All Customers, refresh 1, is as it was built.\n"
    assert shop.json("index", "verify") == {"refresh": 1, "ok": True, "problems": []}


def test_damage_is_found_and_mended(desk: Desk) -> None:
    before = desk.json("sg", "count", "-e", "lifetime_value > 1000")
    path = the_index(desk) / "b0.time"
    path.write_bytes(path.read_bytes()[:-8])
    told = desk.refused("index", "verify")
    assert "[INDEX_DAMAGED] b0.time has" in told
    assert "kohort index build" in told
    assert desk.json("index", "show")["usable"] is False
    assert desk.json("sg", "count", "-e", "lifetime_value > 1000") == before
    assert "60 profiles" in desk.ok("index", "build")
    desk.ok("index", "verify")
    assert desk.json("sg", "count", "-e", "lifetime_value > 1000") == before


def test_without_an_index_commands_say_so(desk: Desk) -> None:
    the_index(desk).rename(desk.folder / "away")
    ran = desk.run("index", "show")
    assert ran.code == 0
    assert "evaluations go by SQL" in ran.err
    assert "[INDEX_MISSING]" in desk.refused("index", "verify")


def test_a_refresh_whose_index_cannot_be_built_warns(desk: Desk) -> None:
    the_index(desk).parent.rename(desk.folder / "away")
    (desk.folder / ".kohort" / "index" / "1").write_text("in the way")
    ran = desk.run("ps", "run")
    assert ran.code == 0
    assert "[INDEX_NOT_BUILT] evaluations go by SQL" in ran.err.replace("\n", " ")
    assert desk.json("ps", "view")["refreshes"][0]["status"] == "success"


def test_only_so_many_are_kept(desk: Desk) -> None:
    desk.write("kohort.toml", (desk.folder / "kohort.toml").read_text().replace("[settings]", "[settings]\nkeep_indexes = 1"))
    desk.ok("ps", "run")
    assert desk.json("index", "show")["kept"] == [2]
