"""The printed file formats work end to end: parent segments, schema export, segment files, rules and their SQL."""

from __future__ import annotations

import json
import re

import pytest

from tests.docs.commands import Commands

CUSTOMER_360 = """\
name: "Customer 360"
description: "Complete customer view"
master:
  database: cdp_db
  table: customers
  filters:
    - column: status
      values: ["active", "trial"]
schedule:
  type: daily
  time: "03:00:00"
  timezone: "America/Los_Angeles"
engine:
  hive_only: false
  trino_pool: null
  hive_pool: null
attributes:
  - name: "User Profile"
    source: { database: cdp_db, table: user_profiles }
    join:   { parent_key: user_id, child_key: customer_id }
    columns:
      - { column: age, label: "Age", type: number }
behaviors:
  - name: "Purchases"
    source: { database: cdp_db, table: purchase_events }
    join:   { parent_key: user_id, child_key: customer_id }
    default_time_filter: false
    columns:
      - { column: amount, type: number }
  - name: "Page Views"
    source: { database: cdp_db, table: pageview_events }
    join:   { parent_key: visitor_id, child_key: customer_id }
    all_columns: true
"""


@pytest.fixture(scope="module")
def customer_360(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The usual form as printed; times are unix seconds in a column `time`."""
    commands = Commands(tmp_path_factory.mktemp("customer_360"))
    commands.table(
        "cdp_db.customers",
        """user_id,visitor_id,status
        1,v1,active
        2,v2,trial
        3,v3,closed
        4,,active""",
    )
    commands.table("cdp_db.user_profiles", "customer_id,age\n1,34\n3,50\n4,20")
    commands.table(
        "cdp_db.purchase_events",
        """customer_id,time,amount
        1,1703000000,20.5
        1,1703100000,4
        3,1703000000,9""",
    )
    commands.table(
        "cdp_db.pageview_events",
        """customer_id,time,url
        v1,1703000001,/
        v2,1703000002,/cart
        v9,1703000003,/""",
    )
    commands.ok("ps", "push", str(commands.write("parent_segments/customer-360.yml", CUSTOMER_360)))
    commands.ok("ps", "run", "Customer 360", "--as-of", "2024-01-01")
    return commands


def test_the_usual_form_filters_joins_and_reports(customer_360: Commands) -> None:
    view = json.loads(customer_360.ok("ps", "view", "--json"))
    assert view["population"] == 3
    assert customer_360.count("age > 30") == 1
    assert customer_360.count("purchases count >= 2") == 1
    assert customer_360.count("page_views") == 2
    assert customer_360.count("page_views where url = '/cart'") == 1
    text = customer_360.ok("ps", "view")
    assert "daily at 03:00:00 (America/Los_Angeles)" in text
    assert "status in (active, trial)" in text


def test_two_join_columns_are_told(customer_360: Commands) -> None:
    code, _, remarks = customer_360.run("ps", "validate", str(customer_360.root / "parent_segments/customer-360.yml"))
    assert code == 0
    assert "[KEY_COLUMN_GUESSED]" in remarks
    assert "[UNMATCHED_ROWS]" in remarks


def test_the_schema_export(customer_360: Commands) -> None:
    target = customer_360.root / "schema.json"
    customer_360.ok("ps", "desc", "-o", str(target))
    schema = json.loads(target.read_text(encoding="utf-8"))
    assert list(schema) == ["database", "parent_segment", "parent_id", "customers", "behaviors"]
    assert schema["database"] == f"cdp_audience_{schema['parent_id']}"
    assert schema["parent_segment"] == "Customer 360"
    assert schema["customers"]["table"] == "customers"
    assert schema["customers"]["columns"][0] == {"name": "cdp_customer_id", "type": "varchar"}
    purchases = next(table for table in schema["behaviors"] if table["table"] == "behavior_purchases")
    assert {"name": "amount", "type": "double"} in purchases["columns"]


def test_the_output_holds_what_the_export_says(customer_360: Commands) -> None:
    schema = json.loads(customer_360.ok("ps", "desc", "--json"))
    for table in [schema["customers"], *schema["behaviors"]]:
        names = ", ".join(f'"{column["name"]}"' for column in table["columns"])
        customer_360.ok("query", f"select {names} from {schema['database']}.{table['table']}")


SHOP = """\
name: Shop
master: { database: shop, table: customers, key_column: id }
attributes:
  - name: Metrics
    source: { database: shop, table: metrics }
    join: { parent_key: id, child_key: id }
    all_columns: true
behaviors:
  - name: purchase_history
    source: { database: shop, table: purchase_history }
    join: { parent_key: id, child_key: id }
    all_columns: true
  - name: order_digital_transactions
    source: { database: shop, table: orders }
    join: { parent_key: id, child_key: id }
    all_columns: true
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Six customers with the names that the printed rules use."""
    commands = Commands(tmp_path_factory.mktemp("shop"))
    commands.table(
        "shop.customers",
        """id,country,gender,status
        1,US,Male,active
        2,CA,Female,active
        3,JP,Male,active
        4,US,,active
        5,US,male,churned
        6,CA,Male,active""",
    )
    commands.table(
        "shop.metrics",
        """id,ltv,last_seen
        1,2500,2023-12-05 12:00:00
        2,1500,2023-11-30 23:59:59
        3,9000,2023-12-08 00:00:00
        4,1000,2023-12-01 00:00:00
        5,1501,2023-12-07 23:59:59""",
    )
    commands.table(
        "shop.purchase_history",
        """id,time,order_total,category
        1,1702598400,300,Electronics
        1,1702684800,201,Electronics
        2,1702598400,500,Electronics
        3,1688169600,900,Electronics
        6,1702598400,900,Books""",
    )
    commands.table(
        "shop.orders",
        """id,time,channel
        1,1703980800,web
        2,1701388800,web
        4,1701388799,web""",
    )
    commands.ok("ps", "push", str(commands.write("parent_segments/shop.yml", SHOP)))
    commands.ok("ps", "run", "Shop", "--as-of", "2024-01-01")
    return commands


def members(commands: Commands, name: str, text: str) -> list[str]:
    """The members of a segment that a file describes."""
    commands.write(f"segments/shop/{name}.yml", text)
    commands.ok("sg", "push", str(commands.root / f"segments/shop/{name}.yml"))
    return commands.members(re.findall(r"^name: (.+)$", text, re.MULTILINE)[0], "id")


@pytest.fixture
def existing(shop: Commands) -> Commands:
    shop.write("segments/shop/existing.yml", "name: Existing Segment Name\nrule: status = 'active'\n")
    shop.write("segments/shop/churned.yml", "name: Churned Users\nrule: status = 'churned'\n")
    shop.ok("sg", "push")
    return shop


def test_the_segment_file(existing: Commands) -> None:
    text = """\
name: High Value US Customers
description: text
kind: batch
visible: true
rule:
  type: And
  conditions:
    - type: Value
      attribute: country
      operator: { type: In, value: ["US", "CA"] }
    - type: Value
      attribute: ltv
      operator: { type: Greater, value: 1000 }
    - type: include
      segment: "Existing Segment Name"
    - type: exclude
      segment: "Churned Users"
    - type: Or
      conditions:
        - type: Value
          attribute: gender
          operator: { type: Equal, value: Male }
        - type: Value
          attribute: gender
          operator: { type: Equal, value: Female }
activations:
  - name: Send to email
    connection: mail
"""
    assert members(existing, "high-value", text) == ["1", "2"]
    assert "[NESTED_CONDITION_GROUP]" in existing.run("sg", "validate", str(existing.root / "segments/shop/high-value.yml"))[2]
    existing.ok("sg", "pull", "High Value US Customers", "-y")
    assert "connection: mail" in (existing.root / "segments/shop/high-value.yml").read_text(encoding="utf-8")


def test_the_behavior_condition_of_files(shop: Commands) -> None:
    text = """\
name: Electronics
rule:
  type: And
  conditions:
    - type: Value
      attribute: ""
      source: behavior_purchase_history
      aggregation: { type: Sum, column: order_total }
      operator: { type: Greater, not: false, value: 500 }
      timeWindow: { duration: 90, unit: day }
      filter:
        type: And
        conditions:
          - type: Column
            column: category
            operator: { type: Equal, not: false, value: "Electronics" }
"""
    assert members(shop, "electronics", text) == ["1"]


def test_the_behavior_condition_of_programs(shop: Commands) -> None:
    text = """\
name: Digital
rule: {"type":"And","conditions":[{"type":"Value","exclude":false,"arrayMatching":null,
 "leftValue":{"aggregation":{"type":"Count","groupingColumns":[]},
   "source":{"name":"behavior_order_digital_transactions"},
   "filter":{"type":"And","conditions":[{"type":"Column","column":"timestamp","arrayMatching":null,
       "operator":{"type":"TimeWithinPast","unit":"day","value":30,"not":false}}]},
   "window":{"type":"TimeSliding","duration":{"day":7}}},
 "operator":{"type":"GreaterEqual","not":false,"rightValue":1}}]}
"""
    assert members(shop, "digital", text) == ["1"]


def test_rule_sets_and_match_logic(shop: Commands) -> None:
    text = """\
name: Match logic
rule: {"type":"And","conditions":[
  {"type":"And","description":"Big spenders","expr":"","conditions":[
    {"type":"Value","leftValue":{"name":"ltv"},"operator":{"type":"Greater","not":false,"rightValue":1400},
     "arrayMatching":null,"exclude":false}]},
  {"type":"Composite","expr":"(A and B) or C","conditions":[
    {"type":"Value","leftValue":{"name":"country"},"operator":{"type":"Equal","rightValue":"US"}},
    {"type":"Value","leftValue":{"name":"gender"},"operator":{"type":"Equal","rightValue":"Male"}},
    {"type":"Value","leftValue":{"name":"country"},"operator":{"type":"Equal","rightValue":"CA"}}]}
 ],"expr":"","limit":null}
"""
    assert members(shop, "match-logic", text) == ["1", "2"]
    view = shop.ok("sg", "view", "Match logic")
    assert "1. Big spenders  Match logic: all" in view
    assert "Match logic: advanced ((A and B) or C)" in view


def test_the_smallest_rule(shop: Commands) -> None:
    text = """\
name: Smallest
rule: {"type":"And","conditions":[{"type":"And","description":"","conditions":[
  {"type":"Value","leftValue":{"name":"ltv"},"operator":{"type":"Greater","not":false,"rightValue":1500},
   "arrayMatching":null,"exclude":false}]}]}
"""
    assert members(shop, "smallest", text) == ["1", "3", "5"]


def test_a_range_of_time(shop: Commands) -> None:
    text = """\
name: A week that began a month ago
rule:
  type: And
  conditions:
    - type: Value
      attribute: last_seen
      operator: { type: TimeRange, duration: { day: 7 }, from: { last: 1, unit: month } }
"""
    assert members(shop, "range", text) == ["1", "4", "5"]


def test_the_composable_form(shop: Commands) -> None:
    text = """\
type: composable_segment
name: Rich or unknown
folder: Marketing/VIP
rule:
  type: Or
  conditions:
    - leftValue: { name: ltv }
      operator: { type: Greater, not: false, rightValue: 5000 }
      exclude: false
    - leftValue: { name: ltv }
      operator: { type: IsNull, not: true }
      exclude: true
"""
    assert members(shop, "composable", text) == ["3", "6"]
    assert "Marketing/VIP/Rich or unknown" in shop.listed()


@pytest.mark.parametrize("rule", ["", "rule: {}\n", "rule: null\n"])
def test_no_rule_is_everybody(shop: Commands, rule: str) -> None:
    assert members(shop, "everybody", f"name: Everybody\n{rule}") == ["1", "2", "3", "4", "5", "6"]
    assert shop.ok("sg", "sql", "Everybody") == 'select\n  a.*\nfrom "cdp_audience_1"."customers" a\n'


def test_the_sql_of_a_rule(shop: Commands) -> None:
    shop.write("segments/shop/men.yml", "name: Men\nrule: \"gender contains 'Male'\"\n")
    shop.ok("sg", "push", str(shop.root / "segments/shop/men.yml"))
    text = shop.ok("sg", "sql", "Men")
    assert text == ('select\n  a.*\nfrom "cdp_audience_1"."customers" a\nwhere (\n  (position(\'Male\' in a."gender") > 0)\n)\n')
    assert text.split()[1] == "a.*"
    assert shop.members("Men", "id") == ["1", "3", "6"]
    rows = json.loads(shop.ok("query", text, "--format", "json"))
    assert sorted(str(row["id"]) for row in rows) == ["1", "3", "6"]


def test_a_file_is_tried_before_it_is_saved(shop: Commands) -> None:
    path = shop.write("draft.yml", "name: Draft\nrule: ltv > 1500\n")
    statement = shop.ok("sg", "sql", "--path", str(path))
    assert len(json.loads(shop.ok("query", statement, "--format", "json"))) == 3
    assert json.loads(shop.ok("sg", "count", "--path", str(path), "--json")) == {"count": 3, "total": 6, "as_of": "2024-01-01T00:00:00Z"}


COMPOSABLE = """\
name: Composable
timezone: Asia/Tokyo
master: { connection: lake, schema: shop, table: customers, key_column: id }
attributes:
  - { name: value, connection: lake, schema: shop, table: metrics, join: { table_key: id, master_key: id }, column: ltv, type: number }
behaviors:
  - name: orders
    connection: lake
    schema: shop
    table: purchase_history
    join: { table_key: id, master_key: id }
    time_column: time
    columns:
      - { name: total, type: number, column: order_total }
"""


def test_the_composable_parent_segment(shop: Commands) -> None:
    shop.ok("ps", "push", str(shop.write("drafts/composable.yml", COMPOSABLE)))
    shop.ok("ps", "run", "Composable", "--as-of", "2024-01-01")
    counted = json.loads(shop.ok("sg", "count", "-p", "Composable", "-e", "value > 1000 and orders sum(total) > 400", "--json"))
    assert counted["count"] == 3
    shop.ok("ps", "use", "Shop")
