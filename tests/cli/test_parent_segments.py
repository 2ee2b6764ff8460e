"""`kohort init`, `tables`, `query` and `ps`: what they print, their JSON and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.workspaces import CUSTOMERS, PARENT, Desk, run

SEED_ATTRIBUTES = """\
- name: lifetime_value
  type: number
- name: loyalty_tier
  type: string
- name: last_purchase_date
  type: timestamp
- name: email_opt_in
  type: boolean
"""
SEED_BEHAVIORS = """\
behaviors:
- name: purchase
  fields: [amount, product_id, category]
- name: page_view
  fields: [url, duration]
- name: email_open
  fields: [campaign_id]
"""
MASTER = "attributes:\n" + "".join(f"- name: {name}\n  type: string\n" for name in ("customer_id", "name", "country"))


class TestWorkspace:
    def test_init_and_where_it_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = run("init", str(tmp_path / "new"))
        assert made.code == 0
        assert "kohort tables import" in made.out
        inside = tmp_path / "new" / "segments"
        monkeypatch.chdir(inside)
        assert run("ps", "list", "--json").out == "[]\n"
        monkeypatch.chdir(tmp_path)
        refused = run("ps", "list")
        assert refused.code == 1
        assert "[NO_WORKSPACE]" in refused.err
        assert "kohort init" in refused.err
        assert run("-w", "new", "ps", "list").code == 0

    def test_help_and_version(self) -> None:
        assert "Commands:" in run("--help").out
        assert run("--version").out.startswith("kohort ")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nope"],
            ["sg", "nope"],
            ["sg", "count"],
            ["sg", "count", "VIP", "-e", "everybody"],
            ["sg", "move", "VIP"],
            ["sg", "show"],
            ["sg", "show", "VIP", "--limit", "0"],
            ["sg", "list", "--nope"],
            ["sg", "export", "VIP", "--format", "xml"],
            ["sg", "diff", "VIP", "--to", "1", "--file"],
            ["sg", "revert", "VIP", "one"],
            ["ps", "validate", "--master", "--behavior", "all"],
            ["ps", "run", "a", "b"],
            ["tables", "create", "a.b"],
            ["tables", "import", "a.b"],
            ["tables", "import", "a.b", "x.csv", "--type", "zip"],
            ["query"],
            ["profile", "show"],
        ],
    )
    def test_wrong_usage_ends_with_two(self, shop: Desk, arguments: list[str]) -> None:
        message = shop.refused(*arguments, code=2)
        assert message.startswith("Usage: kohort")
        assert "Error: " in message


class TestTables:
    def test_list(self, shop: Desk) -> None:
        rows = shop.json("tables", "list", "shop.")
        assert rows[0] == {"database": "shop", "table": "customers", "kind": "table", "rows": CUSTOMERS, "columns": 3}
        assert [f"{row['database']}.{row['table']}" for row in rows] == ["shop.customers", "shop.metrics", "shop.purchases"]
        assert "shop.metrics" in shop.ok("tables", "list", "METRICS")
        nothing = shop.run("tables", "list", "zzz")
        assert (nothing.code, nothing.out) == (0, "")
        assert '"zzz"' in nothing.err

    def test_show(self, shop: Desk) -> None:
        shown = shop.json("tables", "show", "web.page_views", "--limit", "2")
        assert (shown["table"], shown["kind"], len(shown["sample"])) == ("web.page_views", "table", 2)
        assert shown["columns"][1] == {"name": "time", "type": "BIGINT"}
        assert "url" in shop.ok("tables", "show", "web.page_views")

    def test_import_of_every_format_with_a_type_given_a_view_and_more_rows(self, desk: Desk) -> None:
        data = desk.folder / "data"
        done = desk.json("tables", "import", "new.customers", str(data / "customers.csv"), "--type", "country=VARCHAR")
        assert set(done) == {"table", "rows", "columns", "files", "copied"}
        assert (done["table"], done["rows"], done["copied"]) == ("new.customers", CUSTOMERS, True)
        view = desk.json("tables", "import", "new.purchases", str(data / "*.parquet"), "--view")
        assert view["copied"] is False
        assert view["columns"]["purchased_at"].startswith("TIMESTAMP")
        more = desk.json("tables", "import", "new.customers", str(data / "customers.csv"), "--append")
        assert more["rows"] == CUSTOMERS
        assert desk.json("tables", "show", "new.customers")["rows"] == 2 * CUSTOMERS

    def test_create_from_a_select(self, desk: Desk) -> None:
        said = desk.ok("tables", "create", "new.spend", "--as", "select customer_id, sum(amount) as total from shop.purchases group by all")
        assert "new.spend" in said
        file = desk.write("spend.sql", "select * from new.spend where total > 100")
        desk.ok("tables", "create", "new.big", "--file", str(file), "--view")
        assert desk.json("tables", "show", "new.big")["kind"] == "view"

    def test_what_refreshes_build_is_not_written_by_others(self, desk: Desk) -> None:
        before = desk.state()
        customers = str(desk.folder / "data" / "customers.csv")
        assert "[NAME_RESERVED]" in desk.refused("tables", "import", "cdp_audience_1.customers", customers)
        assert "[NAME_RESERVED]" in desk.refused("tables", "create", "CDP_audience_1_keys.ordinals", "--as", "select 1")
        assert desk.state() == before


class TestQuery:
    def test_formats(self, shop: Desk) -> None:
        sql = "select 1 as n, 'Zoë' as name, null as nothing, [1, 2] as list, date '2024-01-02' as day, 1.50::decimal(5,2) as price"
        assert json.loads(shop.ok("query", sql, "--format", "json")) == [
            {"n": 1, "name": "Zoë", "nothing": None, "list": [1, 2], "day": "2024-01-02", "price": 1.5}
        ]
        assert shop.ok("query", sql, "--format", "csv").splitlines()[0] == "n,name,nothing,list,day,price"
        assert shop.ok("query", sql, "--format", "csv").splitlines()[1].startswith("1,Zoë,,")
        assert shop.ok("query", "-", stdin=sql).splitlines()[1].split() == ["1", "Zoë", "1,", "2", "2024-01-02", "1.50"]

    def test_two_columns_of_one_name_keep_their_values(self, shop: Desk) -> None:
        assert shop.ok("query", "select 1 as a, 2 as a", "--format", "csv") == "a,a\n1,2\n"
        assert json.loads(shop.ok("query", "select 1 as a, 2 as a", "--format", "json")) == [{"a": 1, "a_2": 2}]
        assert shop.ok("query", "select 1 as a, 2 as a").splitlines()[1].split() == ["1", "2"]

    def test_a_table_is_cut_and_says_so(self, shop: Desk) -> None:
        out = shop.ok("query", "select * from shop.customers", "--limit", "3")
        assert len(out.splitlines()) == 5
        assert "only the first 3 rows" in out
        assert len(shop.ok("query", "select * from shop.customers", "--limit", "0").splitlines()) == CUSTOMERS + 1

    def test_data_cannot_steer_the_terminal(self, shop: Desk) -> None:
        out = shop.ok("query", "select 'a' || chr(27) || '[31mb' as x, 'one' || chr(10) || 'two' as y, '[red]z' as z")
        assert out.splitlines()[1].split() == [r"a\x1b[31mb", r"one\ntwo", "[red]z"]

    @pytest.mark.parametrize(
        ("sql", "code"),
        [
            ("", "NOT_A_QUERY"),
            ("/* nothing */", "NOT_A_QUERY"),
            ("select 1; select 2", "NOT_A_QUERY"),
            ("drop table shop.customers", "NOT_A_QUERY"),
            ("delete from shop.customers", "NOT_A_QUERY"),
            ("insert into shop.customers values ('x', 'y', 'z') returning *", "NOT_A_QUERY"),
            ("explain analyze delete from shop.customers", "NOT_A_QUERY"),
            ("selec 1", "SQL_ERROR"),
            ("select nam from shop.customers", "COLUMN_NOT_FOUND"),
            ("select * from shop.customer", "TABLE_NOT_FOUND"),
        ],
    )
    def test_only_one_statement_that_reads(self, shop: Desk, sql: str, code: str) -> None:
        assert f"[{code}]" in shop.refused("query", sql)
        assert shop.json("tables", "show", "shop.customers")["rows"] == CUSTOMERS


class TestParentSegments:
    def test_fields_are_printed_as_the_two_lists(self, shop: Desk) -> None:
        printed = shop.ok("ps", "fields")
        assert printed == f"{MASTER}{SEED_ATTRIBUTES}\n{SEED_BEHAVIORS}"
        assert shop.ok("sg", "fields") == printed
        attributes, behaviors = printed.split("\n\n")
        expected = shop.json("ps", "fields")
        assert yaml.safe_load(attributes)["attributes"] == expected["attributes"]
        assert yaml.safe_load(behaviors)["behaviors"] == expected["behaviors"]
        assert set(expected) == {"attributes", "behaviors"}

    def test_list_and_use(self, desk: Desk) -> None:
        (row,) = desk.json("ps", "list")
        assert set(row) == {"id", "name", "slug", "in_use", "population", "last_updated", "segments"}
        assert (row["name"], row["slug"], row["in_use"], row["population"], row["segments"]) == (
            "All Customers",
            "all-customers",
            True,
            CUSTOMERS,
            9,
        )
        assert desk.ok("ps", "use") == "All Customers\n"
        assert desk.ok("sg", "use") == "All Customers\n"
        desk.ok("ps", "use", "all-customers")
        assert "did you mean" in desk.refused("ps", "use", "All Custmers")
        assert desk.ok("ps", "use") == "All Customers\n"

    def test_view_says_when_it_was_last_updated(self, shop: Desk) -> None:
        shown = shop.json("ps", "view")
        assert set(shown) == {"id", "name", "description", "last_updated", "population", "version", "definition", "refreshes"}
        (done,) = shown["refreshes"]
        assert (done["status"], done["as_of"], done["population"]) == ("success", "2024-03-01T00:00:00Z", CUSTOMERS)
        assert shown["last_updated"] == done["finished_at"]
        printed = shop.ok("ps", "view")
        assert "Last updated: " in printed
        assert "as of 2024-03-01T00:00:00Z, 60 profiles" in printed
        assert "daily at 03:00:00 (Asia/Tokyo)" in printed

    def test_before_the_first_refresh(self, tmp_path: Path) -> None:
        run("init", str(tmp_path))
        desk = Desk(tmp_path)
        assert "[NO_PARENT]" in desk.refused("ps", "view")
        desk.write("parent_segments/all-customers.yml", PARENT)
        assert "create" in desk.ok("ps", "push", "--dry-run")
        assert desk.json("ps", "list") == []
        desk.ok("ps", "push")
        assert desk.json("ps", "view")["last_updated"] is None
        assert "never" in desk.ok("ps", "view")
        assert "[NOT_REFRESHED]" in desk.refused("sg", "count", "-e", "everybody")
        assert "kohort ps run" in desk.refused("sg", "eval")
        assert "parent_segments/all-customers.yml:6:3: error [TABLE_NOT_FOUND]" in desk.refused("ps", "run")

    def test_validate_measures(self, shop: Desk) -> None:
        found = shop.json("ps", "validate")
        assert set(found) == {"issues", "master", "attributes", "behaviors"}
        assert found["issues"] == []
        assert (found["master"]["rows_in"], found["attributes"][0]["match_rate"]) == (CUSTOMERS, 1.0)
        assert [b["name"] for b in found["behaviors"]] == ["Purchase", "Page View", "Email Open"]
        only = shop.json("ps", "validate", "--behavior", "Purchase")
        assert [b["name"] for b in only["behaviors"]] == ["Purchase"]
        assert shop.ok("ps", "validate", str(shop.parent_file), "--master").splitlines()[1].split()[:3] == [
            "master",
            "shop.customers",
            "60",
        ]

    def test_preview(self, shop: Desk) -> None:
        (rows,) = shop.json("ps", "preview", "--limit", "2").values()
        assert [row["customer_id"] for row in rows] == ["c001", "c002"]
        (rows,) = shop.json("ps", "preview", "--behavior", "page_view").values()
        assert {"url", "duration"} <= set(rows[0])
        assert len(shop.json("ps", "preview", "--behavior", "all")) == 3
        assert "lifetime_value" in shop.ok("ps", "preview", "--attribute", "Metrics")

    def test_run_with_an_instant(self, desk: Desk) -> None:
        done = desk.json("ps", "run", "All Customers", "--as-of", "2024-02-01")
        assert (done["number"], done["status"], done["as_of"], done["population"]) == (2, "success", "2024-02-01T00:00:00Z", CUSTOMERS)
        assert desk.json("sg", "count", "Everybody")["as_of"] == "2024-02-01T00:00:00Z"
        assert "Refreshed All Customers: 60 profiles" in desk.ok("ps", "run", "all-customers", "--as-of", "2024-03-01T09:00:00+09:00")
        assert desk.json("sg", "count", "Everybody")["as_of"] == "2024-03-01T00:00:00Z"

    def test_desc_sql_and_show(self, shop: Desk, tmp_path: Path) -> None:
        document = shop.json("ps", "desc")
        shop.ok("ps", "desc", "-o", str(tmp_path / "schema.json"))
        assert json.loads((tmp_path / "schema.json").read_text()) == document
        assert document["database"] == "cdp_audience_1"
        assert "cdp_audience_1.behavior_page_view" in shop.ok("ps", "desc")
        assert 'CREATE OR REPLACE VIEW "cdp_audience_1".customers' in shop.ok("ps", "sql")
        assert len(shop.json("ps", "show", "--limit", "4")) == 4

    def test_pull_leaves_what_is_equal_and_asks_before_overwriting(self, desk: Desk) -> None:
        before = desk.files()
        assert [item["action"] for item in desk.json("ps", "pull")["items"]] == ["unchanged"]
        assert desk.files() == before
        desk.parent_file.write_text(PARENT.replace("Everybody who", "All who"))
        assert "[NOT_CONFIRMED]" in desk.refused("ps", "pull")
        assert "All who" in desk.parent_file.read_text()
        assert "update" in desk.ok("ps", "pull", "--dry-run")
        assert "All who" in desk.parent_file.read_text()
        desk.ok("ps", "pull", "-y")
        assert "Everybody who" in desk.parent_file.read_text()
        assert [item["action"] for item in desk.json("ps", "push")["items"]] == ["unchanged"]

    def test_a_push_waits_for_the_next_refresh(self, desk: Desk) -> None:
        desk.parent_file.write_text(PARENT.replace("      - { column: loyalty_tier, type: string }\n", ""))
        assert "changes that are not pushed" in desk.run("ps", "run", "--as-of", "2024-03-01").err
        assert desk.json("ps", "push", "--dry-run") == {
            "applied": False,
            "items": [{"action": "update", "path": "All Customers", "version": 2}],
        }
        assert desk.json("ps", "view")["version"] == 1
        desk.ok("ps", "push")
        assert desk.json("sg", "count", "VIP")["count"] == 8
        desk.ok("ps", "run", "--as-of", "2024-03-01")
        refused = desk.refused("sg", "count", "VIP")
        assert "[UNKNOWN_ATTRIBUTE]" in refused
        assert "Value/VIP" in refused


class TestMissingFields:
    @pytest.mark.parametrize("column", ["country", "duration", "amount"])
    def test_what_is_there_says_so(self, shop: Desk, column: str) -> None:
        assert "already" in shop.ok("ps", "explain-missing", column)

    def test_what_is_nowhere(self, shop: Desk) -> None:
        assert "kohort tables create" in shop.run("ps", "explain-missing", "shoe_size").err

    def test_the_yaml_works_when_pasted(self, desk: Desk) -> None:
        file = desk.write("scores.csv", "customer_id,churn_risk\n" + "".join(f"c{n:03d},{n / 100}\n" for n in range(1, 61)))
        desk.ok("tables", "import", "models.scores", str(file))
        (place,) = desk.json("ps", "explain-missing", "churn_risk")["places"]
        assert (place["table"], place["column"], place["exact"]) == ("models.scores", "churn_risk", True)
        printed = desk.ok("ps", "explain-missing", "churn_risk")
        assert all(f"    {line}" in printed for line in place["yaml"].rstrip().splitlines())
        entries = yaml.safe_load(place["yaml"])
        entries = entries["attributes"] if isinstance(entries, dict) else entries
        document = yaml.safe_load(PARENT)
        document["attributes"] += entries
        desk.parent_file.write_text(yaml.safe_dump(document, sort_keys=False))
        desk.ok("ps", "validate", str(desk.parent_file))
        desk.ok("ps", "push")
        desk.ok("ps", "run", "--as-of", "2024-03-01")
        assert {"name": "churn_risk", "type": "number"} in desk.json("ps", "fields")["attributes"]
        assert desk.json("sg", "count", "-e", "churn_risk > 0.5")["count"] == 10
