"""Members over several refreshes, through the commands: history, diff of two evaluations, members, Parquet list."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from kohort.index.columns import TextColumn
from kohort.index.open import open_index
from tests.cli.workspaces import CUSTOMERS, Desk, active, key

JAPAN = "Engagement/日本の顧客"
FIRST_JAPANESE = [key(n) for n in range(1, CUSTOMERS + 1) if n % 3 == 1]


def with_customers(desk: Desk, customers: list[tuple[str, str]]) -> None:
    """Replace the master table: (key, country)."""
    with (desk.folder / "data" / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "name", "country"])
        writer.writerows([customer, "", country] for customer, country in customers)
    desk.ok("tables", "import", "shop.customers", str(desk.folder / "data" / "customers.csv"))


def evaluate(desk: Desk, as_of: str) -> None:
    desk.ok("ps", "run", "--as-of", as_of)
    desk.ok("sg", "eval")


@pytest.fixture(scope="module")
def told(shop: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Three evaluations: of all; without c001, but with "a0", who sorts before everybody; with c001 again. Only to look at."""
    desk = Desk(tmp_path_factory.mktemp("told") / "shop")
    shutil.copytree(shop.folder, desk.folder)
    countries = ("US", "JP", "DE")
    everybody = [(key(n), countries[n % 3]) for n in range(1, CUSTOMERS + 1)]
    with_customers(desk, [("a0", "JP"), *everybody[1:]])
    evaluate(desk, "2024-03-02T12:00:00Z")
    with_customers(desk, [("a0", "JP"), *everybody])
    evaluate(desk, "2024-03-05T12:00:00Z")
    return desk


def keys_of(people: list[dict[str, str]]) -> list[str]:
    return [person["key"] for person in people]


def test_ordinals_stay_so_members_of_different_refreshes_compare(told: Desk) -> None:
    found = told.json("sg", "diff", JAPAN, "--between", "1", "2")
    assert [found[name] for name in ("before", "after", "entered", "left")] == [20, 20, 1, 1]
    assert (found["new_customers"], found["gone_customers"]) == (1, 1)
    assert (keys_of(found["sample_entered"]), keys_of(found["sample_left"])) == (["a0"], ["c001"])
    back = told.json("sg", "diff", JAPAN, "--between", "previous", "last")
    assert [back[name] for name in ("before", "after", "entered", "left")] == [20, 21, 1, 0]
    assert keys_of(back["sample_entered"]) == ["c001"]
    whole = told.json("sg", "diff", JAPAN, "--between", "1", "3")
    assert (whole["entered"], whole["left"], keys_of(whole["sample_entered"])) == (1, 0, ["a0"])
    backwards = told.json("sg", "diff", JAPAN, "--between", "3", "1")
    assert (backwards["entered"], backwards["left"], backwards["gone_customers"]) == (0, 1, 1)


def test_evaluations_are_named_in_many_ways(told: Desk) -> None:
    def chosen(*between: str) -> tuple[int, int]:
        found = told.json("sg", "diff", "--between", *between)["between"]
        return found["before"]["evaluation"], found["after"]["evaluation"]

    assert chosen("previous", "last") == (2, 3)
    assert chosen("1", "2024-03-02") == (1, 2)
    assert chosen("2024-03-01", "2024-03-04") == (1, 2)
    assert chosen("2024-03-02T11:59:59Z", "2024-03-02T12:00:00Z") == (1, 2)
    for words, code in (
        (("2024-02-29", "last"), "EVALUATION_NOT_FOUND"),
        (("4", "last"), "EVALUATION_NOT_FOUND"),
        (("yesterday", "last"), "INVALID_INSTANT"),
    ):
        assert code in told.refused("sg", "diff", JAPAN, "--between", *words)
    told.refused("sg", "diff", JAPAN, "--from", "1", "--between", "1", "2", code=2)
    told.refused("sg", "diff", code=2)
    assert "did you mean" in told.refused("sg", "diff", "--between", "lst", "last")


def test_all_segments_at_once_agree_with_each_alone(told: Desk) -> None:
    found = told.json("sg", "diff", "--between", "1", "3")
    assert (found["added"], found["removed"]) == ([], [])
    assert len(found["segments"]) == 12
    for segment in found["segments"]:
        alone = told.json("sg", "diff", segment["path"], "--between", "1", "3")
        assert {name: alone[name] for name in segment} == segment
        assert segment["after"] == segment["before"] + segment["entered"] - segment["left"]
    assert "Lifecycle/Active" in told.ok("sg", "diff", "--between", "1", "3")


def test_the_history_of_a_segment(told: Desk) -> None:
    found = told.json("sg", "history", JAPAN)
    assert [(p["evaluation"], p["population"], p["entered"], p["left"]) for p in found["evaluations"]] == [
        (1, 20, None, None),
        (2, 20, 1, 1),
        (3, 21, 1, 0),
    ]
    day = 1_709_251_200
    assert found["statistics"] == [
        [day, 20, True],
        [day + 86_400, 20, True],
        [day + 2 * 86_400, 20, False],
        [day + 3 * 86_400, 20, False],
        [day + 4 * 86_400, 21, True],
    ]
    growth = [(g["days"], g["before"], g["change"], g["ratio"]) for g in found["growth"]]
    assert growth == [(1, 20, 1, 0.05), (7, None, None, None), (30, None, None, None)]
    short = told.json("sg", "history", JAPAN, "--days", "2")
    assert short["statistics"] == found["statistics"][-2:]
    assert [p["evaluation"] for p in short["evaluations"]] == [3]
    assert short["evaluations"][0]["entered"] == 1
    text = told.ok("sg", "history", JAPAN)
    assert "▁▁▁▁█" in text
    assert "1 day +1 (+5.0%), 7 days -" in text
    assert "carried over" in text


def test_the_history_of_a_variant_is_its_own(told: Desk) -> None:
    whole, parts = (
        told.json("sg", "history", "Offer"),
        [told.json("sg", "history", f"Experiments/Offer/{name}-Offer") for name in ("A", "B", "Control")],
    )
    for place, point in enumerate(whole["evaluations"]):
        assert sum(part["evaluations"][place]["population"] for part in parts) == point["population"]
    assert parts[0]["path"] == "Experiments/Offer/A-Offer"
    assert parts[0]["evaluations"][0]["share_of"] == "Experiments/Offer"


def test_the_history_of_a_customer(told: Desk) -> None:
    gone = told.json("profile", "history", "c001")
    assert [(p["customer"], JAPAN in p["segments"], JAPAN in p["entered"], JAPAN in p["left"]) for p in gone["evaluations"]] == [
        (True, True, False, False),
        (False, False, False, True),
        (True, True, True, False),
    ]
    assert {s["since"] for s in gone["segments"]} == {"2024-03-05T12:00:00Z"}
    assert gone == told.json("profile", "history", gone["cdp_customer_id"])
    stayed = told.json("profile", "history", "c004")
    assert {s["path"]: (s["since"], s["or_earlier"]) for s in stayed["segments"]}[JAPAN] == ("2024-03-01T00:00:00Z", False)
    assert [s["path"] for s in stayed["segments"]] == told.json("profile", "show", "c004")["segments"]
    assert "no customer" in told.ok("profile", "history", "c001")
    assert "PROFILE_NOT_FOUND" in told.refused("profile", "history", "nobody")


def test_members_say_since_when(told: Desk) -> None:
    found = told.json("sg", "members", JAPAN, "--limit", "100")
    assert [(g["since"], g["profiles"], g["or_earlier"]) for g in found["since"]] == [
        ("2024-03-05T12:00:00Z", 1, False),
        ("2024-03-02T12:00:00Z", 1, False),
        ("2024-03-01T00:00:00Z", 19, False),
    ]
    assert keys_of(found["members"]) == ["c001", "a0", *FIRST_JAPANESE[1:]]
    assert [member["since"][:10] for member in found["members"][:3]] == ["2024-03-05", "2024-03-02", "2024-03-01"]
    before = told.json("sg", "members", JAPAN, "--limit", "100", "--evaluation", "1")
    assert keys_of(before["members"]) == FIRST_JAPANESE
    assert len(told.json("sg", "members", JAPAN, "--limit", "2")["members"]) == 2
    assert "c001" in told.ok("sg", "members", JAPAN)
    told.refused("sg", "members", code=2)


def read_list(file: Path) -> dict[str, set[str]]:
    rows = duckdb.sql(f"SELECT segment_path, list(cdp_customer_id) FROM read_parquet('{file}') GROUP BY ALL").fetchall()
    found = {path: set(ids) for path, ids in rows}
    assert sum(map(len, found.values())) == sum(len(ids) for _, ids in rows)
    return found


def test_the_parquet_list_is_what_the_evaluation_counted(told: Desk, tmp_path: Path) -> None:
    file = tmp_path / "members.parquet"
    written = told.json("sg", "members", "--parquet", str(file))
    listed = {item["path"]: item["population"] for item in told.json("sg", "list", "-r")}
    found = read_list(file)
    assert {path: len(ids) for path, ids in found.items()} == {path: count for path, count in listed.items() if count}
    assert written == {"file": str(file), "rows": sum(listed.values())}
    for path, ids in found.items():
        assert ids == {m["cdp_customer_id"] for m in told.json("sg", "members", path, "--limit", "100")["members"]}
    types = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{file}')").fetchall()
    assert [row[:2] for row in types] == [("segment_id", "BIGINT"), ("segment_path", "VARCHAR"), ("cdp_customer_id", "VARCHAR")]
    (ids,) = duckdb.sql(f"SELECT list(DISTINCT segment_id) FROM '{file}' WHERE segment_path LIKE 'Experiments/%'").fetchall()[0]
    assert len(ids) == 1


def test_the_parquet_list_of_some_segments_of_an_older_evaluation(told: Desk, tmp_path: Path) -> None:
    file = tmp_path / "one.parquet"
    told.ok("sg", "members", "Active", JAPAN, "--parquet", str(file), "--evaluation", "1")
    found = read_list(file)
    assert {path: len(ids) for path, ids in found.items()} == {"Lifecycle/Active": len(active()), JAPAN: 20}
    assert "FILE_NOT_WRITABLE" in told.refused("sg", "members", "--parquet", str(tmp_path / "none" / "x.parquet"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.parquet"]


def test_old_members_go_and_populations_stay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHORT_KEEP_EVALUATIONS", "2")
    for day in ("02", "03", "04"):
        desk.ok("sg", "eval", "--as-of", f"2024-03-{day}")
    points = desk.json("sg", "history", "Active")["evaluations"]
    assert [(p["evaluation"], p["entered"] is None) for p in points] == [(1, True), (2, True), (3, True), (4, False)]
    assert [row[2] for row in desk.json("sg", "history", "Active")["statistics"]] == [True] * 4
    assert "EVALUATION_NOT_KEPT" in desk.refused("sg", "diff", "Active", "--between", "1", "last")
    assert all(s["or_earlier"] for s in desk.json("profile", "history", "c004")["segments"])
    assert {g["or_earlier"] for g in desk.json("sg", "members", "Everybody")["since"]} == {True}
    assert len(desk.json("profile", "history", "c004")["evaluations"]) == 2


def test_segments_that_move_come_or_change_keep_their_history(desk: Desk) -> None:
    desk.ok("sg", "move", "Experiments/Offer", "--folder", "Elsewhere", "--name", "Deal")
    desk.segment("new.yml", "name: New\nrule: country = 'US'\n")
    (desk.segments / "Engagement" / "japan.yml").write_text("name: 日本の顧客\nrule: country = 'DE'\n", encoding="utf-8")
    desk.ok("sg", "push", "-y")
    desk.ok("sg", "eval")
    moved = desk.json("sg", "history", "Elsewhere/Deal/A-Deal")["evaluations"]
    assert [(p["path"], p["entered"]) for p in moved] == [("Experiments/Offer/A-Offer", None), ("Elsewhere/Deal/A-Deal", 0)]
    changed = desk.json("sg", "diff", JAPAN, "--between", "previous", "last")
    assert (changed["old_version"], changed["new_version"], changed["entered"], changed["left"]) == (1, 2, 20, 20)
    assert "version 1 -> 2" in desk.ok("sg", "diff", JAPAN, "--between", "previous", "last")
    assert desk.json("sg", "diff", "--between", "1", "2")["added"] == ["New"]
    assert desk.json("sg", "diff", "--between", "2", "1")["removed"] == ["New"]
    assert "SEGMENT_NOT_COUNTED" in desk.refused("sg", "diff", "New", "--between", "1", "2")
    assert desk.json("sg", "members", "New")["since"] == [{"since": "2024-03-01T00:00:00Z", "or_earlier": False, "profiles": 20}]
    later = desk.segment("later.yml", "name: Later\nrule: country = 'US'\n")
    desk.ok("sg", "push", "-y", str(later))
    assert "NOT_EVALUATED" in desk.refused("sg", "history", "Later")
    assert "SEGMENT_NOT_COUNTED" in desk.refused("sg", "members", "Later")
    assert "SEGMENT_NOT_FOUND" in desk.refused("sg", "history", "Nothing")


def test_a_damaged_snapshot_is_told_and_the_rest_answers(desk: Desk) -> None:
    desk.ok("sg", "eval", "--as-of", "2024-03-02")
    desk.ok("sg", "eval", "--as-of", "2024-03-03")
    (folder,) = (desk.folder / ".kohort" / "membership").iterdir()
    data = bytearray((folder / "2" / "members.bin").read_bytes())
    data[:] = bytes(len(data))
    (folder / "2" / "members.bin").write_bytes(data)
    assert "SNAPSHOT_DAMAGED" in desk.refused("sg", "diff", "Active", "--between", "previous", "last")
    assert "SNAPSHOT_DAMAGED" in desk.refused("sg", "diff", "--between", "1", "2")
    assert desk.json("sg", "overlap", "--as-of", "2024-03-02")["source"] == "run"
    ran = desk.run("sg", "history", "Active", "--json")
    assert [(p["evaluation"], p["entered"]) for p in json.loads(ran.out)["evaluations"]] == [(1, None), (2, None), (3, None)]
    assert "evaluation 2 are damaged" in ran.err
    ran = desk.run("profile", "history", "c004", "--json")
    assert [p["evaluation"] for p in json.loads(ran.out)["evaluations"]] == [1, 3]
    assert "evaluation 2 are damaged" in ran.err
    ran = desk.run("sg", "members", "Everybody", "--json")
    found: dict[str, Any] = json.loads(ran.out)
    assert found["population"] == CUSTOMERS
    assert desk.json("sg", "diff", "Active", "--between", "1", "3")["entered"] == 0
    for name in ("members.bin", "manifest.json"):
        file = folder / "3" / name
        file.write_bytes(bytes(len(file.read_bytes())))
        assert desk.json("sg", "overlap", "--as-of", "2024-03-03")["source"] == "run"
        assert desk.json("sg", "preview", "Active", "--as-of", "2024-03-03")["overlaps"] != []


def test_evaluations_of_the_past_stand_where_they_belong(desk: Desk) -> None:
    desk.ok("sg", "eval", "--as-of", "2024-02-20")
    points = desk.json("sg", "history", "Active")["evaluations"]
    assert [p["evaluation"] for p in points] == [2, 1]
    assert points[0]["population"] + points[1]["entered"] - points[1]["left"] == points[1]["population"] == len(active())
    found = desk.json("sg", "diff", "--between", "previous", "last")["between"]
    assert (found["before"]["evaluation"], found["after"]["evaluation"]) == (2, 1)


def test_who_is_deleted_leaves_a_hole_and_gets_it_back(told: Desk) -> None:
    """Refresh 2 is without c001 and with a0, refresh 3 with both: c001 stands where it stood, a0 behind everybody."""
    ran = told.ok("query", "SELECT key FROM cdp_audience_1_keys.ordinals ORDER BY ordinal", "--format", "json")
    keys = [row["key"] for row in json.loads(ran)]
    assert keys == [*(key(n) for n in range(1, CUSTOMERS + 1)), "a0"]
    indexes = {number: open_index(told.folder / ".kohort" / "index", 1, number) for number in (2, 3)}
    live = {}
    for number, index in indexes.items():
        assert index is not None
        assert index.size == CUSTOMERS + 1
        live[number] = [keys[place] for place in np.flatnonzero(np.unpackbits(index.live.view(np.uint8), bitorder="little"))]
        names = index.attributes["customer_id"]
        assert isinstance(names, TextColumn)
        held = {keys[place]: names.dictionary[code].as_py() for place, code in enumerate(names.codes.tolist()) if code >= 0}
        assert held == {name: name for name in live[number]}
    assert live == {2: keys[1:], 3: keys}
    before, after = indexes[2], indexes[3]
    assert before is not None
    assert after is not None
    assert before.id_rank[0] == -1
    assert sorted(after.id_rank.tolist()) == list(range(CUSTOMERS + 1))
    for rows_of in after.behaviors.values():
        assert rows_of.offsets[-1] - rows_of.offsets[-2] == 0  # a0 did nothing
    purchases = before.behaviors["purchase"].offsets
    assert purchases[1] == purchases[0]  # nobody's rows in the hole
    with_index = told.json("sg", "count", JAPAN)["count"]
    assert with_index == told.json("sg", "diff", JAPAN, "--between", "1", "3")["after"] == 21
