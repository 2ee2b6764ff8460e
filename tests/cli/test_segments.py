"""`kohort sg` and `profile`: what they print, their JSON, and definitions that go to and fro."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.workspaces import CUSTOMERS, SEGMENTS, Desk, active, vips

KEYS = ["path", "name", "folder", "kind", "population", "share", "share_of", "evaluated_at", "version"]


class TestList:
    def test_everything_as_json(self, shop: Desk) -> None:
        rows = shop.json("sg", "list", "-r")
        assert all(list(row) == KEYS for row in rows)
        found = {row["path"]: row for row in rows}
        assert len(found) == len(SEGMENTS) + 3
        vip = found["Value/VIP"]
        assert (vip["name"], vip["folder"], vip["kind"], vip["version"]) == ("VIP", "Value", "batch", 1)
        assert (vip["population"], vip["share"], vip["share_of"]) == (8, 8 / 60, "All Customers")
        assert vip["evaluated_at"].endswith("Z")
        nested = found["Lifecycle/Deep/Active VIP"]
        both = set(vips()) & set(active())
        assert (nested["population"], nested["share"], nested["share_of"]) == (len(both), len(both) / 8, "Value/VIP")

    def test_variants_share_the_test(self, shop: Desk) -> None:
        rows = [row for row in shop.json("sg", "list", "-r") if row["folder"].startswith("Experiments")]
        assert [row["path"] for row in rows] == [
            "Experiments/Offer",
            "Experiments/Offer/A-Offer",
            "Experiments/Offer/B-Offer",
            "Experiments/Offer/Control-Offer",
        ]
        assert sum(row["population"] for row in rows[1:]) == rows[0]["population"] == len(active())
        assert {row["share_of"] for row in rows[1:]} == {"Experiments/Offer"}

    def test_root_and_patterns(self, shop: Desk) -> None:
        assert [row["path"] for row in shop.json("sg", "list")] == ["Everybody"]
        assert [row["path"] for row in shop.json("sg", "list", "*vip")] == ["Lifecycle/Deep/Active VIP", "Value/VIP"]
        assert [row["path"] for row in shop.json("sg", "list", "日本")] == ["Engagement/日本の顧客"]
        assert shop.json("sg", "list", "zzz") == []
        printed = shop.ok("sg", "list")
        assert "Lifecycle/" in printed
        assert "3 segments" in printed

    def test_the_tree_shows_populations(self, shop: Desk) -> None:
        printed = shop.ok("sg", "list", "-r")
        assert printed.startswith("All Customers  60 profiles\n")
        assert "VIP  8 profiles (13.3% of 60 total profiles in All Customers)" in printed
        assert "Active VIP  2 profiles (25.0% of 8 total profiles in " in printed

    def test_a_segment_that_changed_is_not_evaluated_yet(self, desk: Desk) -> None:
        desk.segment("Value/vip.yml", "name: VIP\nrule: lifetime_value > 2000\n")
        desk.ok("sg", "push", "-y")
        (row,) = [row for row in desk.json("sg", "list", "-r") if row["path"] == "Value/VIP"]
        assert (row["population"], row["share"], row["version"]) == (None, None, 2)
        assert "VIP  not evaluated yet" in desk.ok("sg", "list", "-r")
        desk.ok("sg", "eval")
        assert desk.json("sg", "list", "Value/VIP")[0]["population"] == 18


class TestCount:
    def test_saved_typed_and_in_a_file(self, shop: Desk, tmp_path: Path) -> None:
        expected = {"count": 8, "total": CUSTOMERS, "as_of": "2024-03-01T00:00:00Z"}
        assert shop.json("sg", "count", "Value/VIP") == expected
        assert shop.json("sg", "count", "VIP") == expected
        assert shop.json("sg", "count", "-e", "lifetime_value > 1000 and loyalty_tier = 'Gold'") == expected
        (tmp_path / "new.yml").write_text(SEGMENTS["Value/vip.yml"].replace("VIP", "New"))
        assert shop.json("sg", "count", "--path", str(tmp_path / "new.yml")) == expected
        assert shop.ok("sg", "count", "VIP") == "8 profiles (13.3% of 60 total profiles in All Customers) as of 2024-03-01T00:00:00Z\n"

    def test_other_instants(self, shop: Desk) -> None:
        assert shop.json("sg", "count", "Active")["count"] == len(active())
        assert shop.json("sg", "count", "Active", "--as-of", "2020-01-01") == {
            "count": 0,
            "total": CUSTOMERS,
            "as_of": "2020-01-01T00:00:00Z",
        }
        assert shop.json("sg", "count", "Active", "--as-of", "2024-03-01T09:00:00+09:00")["count"] == len(active())
        assert shop.json("sg", "count", "Everybody", "--as-of", "now")["count"] == CUSTOMERS

    @pytest.mark.parametrize(
        "name", ["Everybody", "VIP", "Spenders", "Active", "Lapsing", "Active VIP", "Openers", "日本の顧客", "Experiments/Offer/B-Offer"]
    )
    def test_the_sql_says_the_same(self, shop: Desk, name: str) -> None:
        sql = shop.ok("sg", "sql", name)
        (row,) = json.loads(shop.ok("query", "-", "--format", "json", stdin=f"select count(*) as n from ({sql})"))
        assert row["n"] == shop.json("sg", "count", name)["count"]
        assert len(shop.ok("query", "-", "--format", "csv", stdin=sql).splitlines()) == row["n"] + 1

    def test_sql_of_other_engines(self, shop: Desk) -> None:
        for dialect in ("trino", "spark"):
            assert "cdp_audience_1" in shop.ok("sg", "sql", "-e", "purchase in last 30 days", "--dialect", dialect)


class TestMembers:
    def test_show(self, shop: Desk) -> None:
        rows = shop.json("sg", "show", "VIP", "--limit", "100")
        assert sorted(row["customer_id"] for row in rows) == vips()
        assert len(shop.json("sg", "show", "VIP", "--limit", "3")) == 3
        assert "nobody" in shop.run("sg", "show", "Openers").err
        assert "Zoë" in shop.ok("sg", "show", "VIP")

    @pytest.mark.parametrize("columns", [[], ["--columns", "customer_id, country"]])
    def test_export_in_every_format(self, shop: Desk, tmp_path: Path, columns: list[str]) -> None:
        for suffix in ("csv", "jsonl", "parquet"):
            said = shop.run("sg", "export", "Active", *columns, "-o", str(tmp_path / f"out.{suffix}"))
            assert f"{len(active())} members written" in said.err
        rows = {
            "csv": list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8")))),
            "jsonl": [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()],
            "parquet": pq.read_table(tmp_path / "out.parquet").to_pylist(),
        }
        for found in rows.values():
            assert sorted(row["customer_id"] for row in found) == active()
            assert len(found[0]) == (2 if columns else 8)
        assert [row["customer_id"] for row in rows["csv"]] == [row["customer_id"] for row in rows["parquet"]]

    def test_export_to_standard_output(self, shop: Desk) -> None:
        out = shop.ok("sg", "export", "VIP", "--columns", "customer_id")
        assert sorted(line.strip('"') for line in out.splitlines()[1:]) == vips()
        lines = shop.ok("sg", "export", "VIP", "--format", "jsonl").splitlines()
        assert sorted(json.loads(line)["customer_id"] for line in lines) == vips()

    def test_a_failed_export_leaves_the_file(self, shop: Desk, tmp_path: Path) -> None:
        file = tmp_path / "out.csv"
        file.write_text("before")
        message = shop.refused("sg", "export", "VIP", "--columns", "nam,countri", "-o", str(file))
        assert message.count("[UNKNOWN_ATTRIBUTE]") == 2
        assert message.count("did you mean") == 2
        assert "[OUTPUT_NEEDED]" in shop.refused("sg", "export", "VIP", "--format", "parquet")
        assert "[FILE_NOT_WRITABLE]" in shop.refused("sg", "export", "VIP", "-o", str(tmp_path))
        assert "[FILE_NOT_WRITABLE]" in shop.refused("sg", "export", "VIP", "-o", str(tmp_path / "no" / "x.csv"))
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]

    def test_desc(self, shop: Desk) -> None:
        found = shop.json("sg", "desc", "VIP")
        assert found["segment"] == "Value/VIP"
        assert found["columns"][0] == {"name": "cdp_customer_id", "type": "varchar"}
        assert "lifetime_value" in shop.ok("sg", "desc", "VIP")


class TestView:
    def test_what_it_says(self, shop: Desk) -> None:
        found = shop.json("sg", "view", "VIP")
        assert list(found)[: len(KEYS)] == KEYS
        assert found["text"] == "lifetime_value > 1000 and loyalty_tier = 'Gold'"
        assert found["sentence"] == "Customers whose lifetime value is over 1,000 and whose loyalty tier is Gold."
        assert found["needed_by"] == ["Lifecycle/Deep/Active VIP"]
        assert {"created_by", "created_at", "updated_by", "updated_at", "description"} <= set(found)
        printed = shop.ok("sg", "view", "VIP")
        for words in ("8 profiles (13.3% of 60", "1. Rule set  Match logic: all", "Description:", "The best", "Created by:", "Updated by:"):
            assert words in printed
        assert "A 40%, B 40%, Control 20%" in shop.ok("sg", "view", "Offer")

    def test_profile(self, shop: Desk) -> None:
        card = shop.json("profile", "show", "c012")
        assert (card["key"], card["key_column"]) == ("c012", "customer_id")
        assert card["attributes"]["loyalty_tier"] == "Gold"
        assert card["behavior_counts"] == {"purchase": 2, "page_view": 0, "email_open": 5}
        assert [day["date"] for day in card["behaviors"]] == ["2024-02-29", "2024-02-18", "2024-02-11"]
        assert "Lifecycle/Active" in card["segments"]
        assert shop.json("profile", "show", card["cdp_customer_id"]) == card
        printed = shop.ok("profile", "show", "c012", "--recent", "2")
        for words in ("customer_id c012", "loyalty_tier", "Feb 29, 2024 (2)", "Email Open", "Lifecycle/Active"):
            assert words in printed


class TestDefinitions:
    def test_pulling_after_a_push_leaves_every_byte(self, desk: Desk) -> None:
        before = desk.files()
        pulled = desk.json("sg", "pull", "-y")
        assert {item["action"] for item in pulled["items"]} == {"unchanged"}
        pushed = desk.json("sg", "push", "-y")
        assert {item["action"] for item in pushed["items"]} == {"unchanged"}
        assert desk.files() == before

    def test_an_empty_folder_is_filled_again_and_means_the_same(self, desk: Desk) -> None:
        before = desk.state()
        for path in desk.segments.rglob("*.yml"):
            path.unlink()
        created = desk.json("sg", "pull", "-y")
        assert {item["action"] for item in created["items"]} == {"create"}
        assert len(created["items"]) == len(SEGMENTS)
        assert {item["action"] for item in desk.json("sg", "push", "-y")["items"]} == {"unchanged"}
        assert desk.state() == before

    def test_dry_runs_change_nothing(self, desk: Desk) -> None:
        desk.segment("New/one.yml", "name: One\nrule: country = 'US'\n")
        desk.segment("Value/vip.yml", "name: VIP\nrule: lifetime_value > 2000\n")
        (desk.segments / "Everybody.yml").unlink()
        before, files = desk.state(), desk.files()
        plan = desk.json("sg", "push", "--dry-run", "--delete")
        assert plan["applied"] is False
        assert {item["path"]: item["action"] for item in plan["items"] if item["action"] != "unchanged"} == {
            "New/One": "create",
            "Value/VIP": "update",
            "Everybody": "delete",
        }
        printed = desk.ok("sg", "push", "--dry-run", "--delete")
        assert "+ create  New/One" in printed
        assert "- delete  Everybody" in printed
        desk.ok("sg", "pull", "--dry-run")
        desk.ok("sg", "move", "Openers", "--folder", "New", "--dry-run")
        desk.ok("ps", "push", "--dry-run")
        assert (desk.state(), desk.files()) == (before, files)

    def test_deleting_needs_a_yes_and_nobody_who_needs_it(self, desk: Desk) -> None:
        (desk.segments / "Everybody.yml").unlink()
        assert "[NOT_CONFIRMED]" in desk.refused("sg", "push", "--delete")
        desk.ok("sg", "push")
        assert desk.json("sg", "list", "Everybody")
        desk.ok("sg", "push", "--delete", "-y")
        assert desk.json("sg", "list", "Everybody") == []
        (desk.segments / "Lifecycle" / "active.yml").unlink()
        before = desk.state()
        message = desk.refused("sg", "push", "--delete", "-y")
        assert "[SEGMENT_REFERENCED]" in message
        assert "Lifecycle/Lapsing" in message
        assert desk.state() == before

    def test_versions_diff_and_revert(self, desk: Desk) -> None:
        desk.segment("Value/vip.yml", "name: VIP\ndescription: Better\nrule: lifetime_value > 2000 and loyalty_tier = 'Gold'\n")
        desk.ok("sg", "push", "-y")
        versions = desk.json("sg", "versions", "VIP")
        assert [(v["version"], v["rule"]) for v in versions] == [
            (1, "lifetime_value > 1000 and loyalty_tier = 'Gold'"),
            (2, "lifetime_value > 2000 and loyalty_tier = 'Gold'"),
        ]
        assert set(versions[0]) == {"version", "created_at", "created_by", "note", "rule"}
        found = desk.json("sg", "diff", "VIP")
        assert (found["from"], found["to"], found["same_meaning"], len(found["rule"])) == ("version 1", "version 2", False, 1)
        assert [change["field"] for change in found["fields"]] == ["description"]
        printed = desk.ok("sg", "diff", "VIP")
        assert "lifetime_value > 1000 -> lifetime_value > 2000" in printed
        assert "description: The best -> Better" in printed
        reverted = desk.json("sg", "revert", "VIP", "1", "-y")
        assert (reverted["path"], reverted["version"], reverted["changed"]) == ("Value/VIP", 3, True)
        assert "lifetime_value > 1000" in (desk.segments / "Value" / "vip.yml").read_text()
        assert desk.json("sg", "versions", "VIP")[-1]["note"] == "revert to 1"
        assert {item["action"] for item in desk.json("sg", "push", "-y")["items"]} == {"unchanged"}
        assert desk.json("sg", "count", "VIP")["count"] == 8

    def test_one_version_has_nothing_to_compare_with(self, shop: Desk) -> None:
        assert "version 1 only" in shop.run("sg", "diff", "VIP").err
        assert "version 1 only" in shop.refused("sg", "revert", "VIP", "7")
        assert "nothing changed" in shop.ok("sg", "diff", "VIP", "--file")

    def test_words_make_no_version(self, desk: Desk) -> None:
        desk.segment("Value/vip.yml", SEGMENTS["Value/vip.yml"].replace("The best", "The very best"))
        (item,) = [item for item in desk.json("sg", "push", "-y")["items"] if item["action"] != "unchanged"]
        assert (item["action"], item["version"]) == ("describe", 1)
        assert desk.json("sg", "list", "Value/VIP")[0]["population"] == 8

    def test_moving_takes_references_and_files_along(self, desk: Desk) -> None:
        count = desk.json("sg", "count", "Lapsing")["count"]
        moved = desk.json("sg", "move", "Lifecycle/Active", "--folder", "Basics", "--name", "Recent")
        assert moved["applied"] is True
        assert moved["moved"][0]["new_path"] == "Basics/Recent"
        assert {r["path"] for r in moved["rewritten"]} == {"Lifecycle/Lapsing", "Lifecycle/Deep/Active VIP", "Experiments/Offer"}
        assert desk.json("sg", "count", "Lapsing")["count"] == count
        assert {item["action"] for item in desk.json("sg", "push", "-y")["items"]} == {"unchanged"}
        desk.ok("sg", "move", "Recent", "--folder", "/")
        assert desk.json("sg", "list", "Recent")[0]["folder"] == ""

    def test_a_file_that_only_moves_keeps_its_bytes(self, desk: Desk) -> None:
        before = (desk.segments / "Lifecycle" / "active.yml").read_bytes()
        desk.ok("sg", "move", "Lifecycle/Active", "--folder", "Basics/Deep")
        assert (desk.segments / "Basics" / "Deep" / "active.yml").read_bytes() == before

    def test_validate(self, desk: Desk) -> None:
        assert desk.json("sg", "validate") == []
        assert "9 segments checked, no problems" in desk.run("sg", "validate").err
        desk.segment("Value/bad.yml", "name: Bad\nrule: lifetime_valu > 5\n")
        ran = desk.run("sg", "validate", "--json")
        assert ran.code == 1
        (issue,) = ran.json
        assert (issue["code"], issue["file"], issue["line"]) == ("UNKNOWN_ATTRIBUTE", "segments/all-customers/Value/bad.yml", 2)
        assert issue["hint"] == 'did you mean "lifetime_value"?'

    def test_any_name_goes_to_a_file_and_back(self, desk: Desk) -> None:
        names = [
            "Ünïcödé ✓",
            "a: b # c",
            "[red]x",
            "- dash",
            "2024-01-01",
            "true",
            "...",
            "CON",
            ".hidden",
            "q\"uo'te",
            "שלום",
            "a\\b",
            "x" * 200,
        ]
        for number, name in enumerate(names):
            desk.segment(f"Odd/{number}.yml", json.dumps({"name": name, "rule": "country = 'US'"}))
        desk.ok("sg", "push", "-y")
        for path in (desk.segments / "Odd").iterdir():
            path.unlink()
        assert len(desk.json("sg", "pull", "-y")["items"]) == len(SEGMENTS) + len(names)
        assert {item["action"] for item in desk.json("sg", "push", "-y")["items"]} == {"unchanged"}
        assert {row["name"] for row in desk.json("sg", "list", "Odd/*")} == set(names)
        assert desk.json("sg", "count", "Odd/[red]x")["count"] == CUSTOMERS // 3
        desk.ok("sg", "eval")
        printed = desk.ok("sg", "list", "-r").replace("\n", "")
        assert all(name[:40] in printed for name in names)

    def test_eval_says_what_it_did(self, desk: Desk) -> None:
        done = desk.json("sg", "eval", "--as-of", "2024-02-15")
        assert set(done) == {"as_of", "total", "segments"}
        assert (done["as_of"], done["total"], len(done["segments"])) == ("2024-02-15T00:00:00Z", CUSTOMERS, len(SEGMENTS) + 3)
        assert "Evaluated 12 segments over 60 profiles as of 2024-03-01T00:00:00Z." in desk.ok("sg", "eval")
