"""The printed examples of a customer data chapter and of a segments overview work as printed, from tables to answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.commands import Commands

PRINTED = """\
name: All Customers
master_table:
  database: marketing
  table: customers
  key_column: customer_id
attributes:
  - name: lifetime_value
    database: analytics
    table: customer_metrics
    key_column: customer_id
    value_column: ltv
behaviors:
  - name: purchase
    database: events
    table: purchases
    key_column: customer_id
    timestamp_column: purchased_at
"""

MORE_ATTRIBUTES = """\
  - { name: loyalty_tier, database: analytics, table: customer_metrics, key_column: customer_id, value_column: tier }
  - { name: last_purchase_date, database: analytics, table: customer_metrics, key_column: customer_id, value_column: last_purchase }
  - { name: email_opt_in, database: analytics, table: customer_metrics, key_column: customer_id, value_column: opt_in }
"""

MORE_BEHAVIORS = """\
  - { name: page_view, database: events, table: page_views, key_column: customer_id, timestamp_column: viewed_at }
  - { name: email_open, database: events, table: email_opens, key_column: customer_id, timestamp_column: opened_at }
"""

FIELDS = """\
- name: lifetime_value
  type: number
- name: loyalty_tier
  type: string
- name: last_purchase_date
  type: timestamp
- name: email_opt_in
  type: boolean

behaviors:
- name: purchase
  fields: [amount, product_id, category]
- name: page_view
  fields: [url, duration]
- name: email_open
  fields: [campaign_id]
"""


def make_tables(commands: Commands) -> None:
    """Four customers as of 2024-01-01: Sarah is the one of the printed profile card."""
    commands.table(
        "marketing.customers",
        """customer_id,email,first_name,signup_date,country
        1,sarah@example.com,Sarah,2022-01-10,US
        2,ken@example.jp,Ken,2023-05-02,JP
        3,li@example.com,Li,2023-11-20,CA
        4,ana@example.com,Ana,2023-02-11,US""",
    )
    commands.table(
        "analytics.customer_metrics",
        """customer_id,ltv,tier,last_purchase,opt_in
        1,2450,Gold,2023-12-15 09:30:00,true
        2,1000,Gold,2023-12-01 00:00:00,false
        3,1000.01,Silver,2023-12-02 00:00:01,true""",
    )
    commands.table(
        "events.purchases",
        """customer_id,purchased_at,amount,product_id,category
        1,2023-12-15 09:30:00,150,p1,Electronics
        1,2023-11-20 10:00:00,400,p2,Electronics
        2,2023-12-01 00:00:00,30,p3,Books
        3,2023-12-02 00:00:01,600,p1,Electronics
        3,2022-06-01 12:00:00,5,p3,Books""",
    )
    commands.table(
        "events.page_views",
        """customer_id,viewed_at,url,duration
        1,2023-12-10 18:00:00,/product/1,42
        4,2023-12-31 23:59:59,/,3""",
    )
    commands.table(
        "events.email_opens",
        """customer_id,opened_at,campaign_id
        1,2023-12-01 08:00:00,c1
        1,2023-12-04 08:00:00,c2
        1,2023-12-11 08:00:00,c3
        1,2023-12-18 08:00:00,c4
        2,2023-11-30 23:59:59,c0
        2,2023-12-04 08:00:00,c2
        2,2023-12-11 08:00:00,c3
        2,2023-12-18 08:00:00,c4""",
    )


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The parent segment exactly as printed, refreshed."""
    commands = Commands(tmp_path_factory.mktemp("printed"))
    make_tables(commands)
    commands.ok("ps", "push", str(commands.write("parent_segments/all-customers.yml", PRINTED)))
    commands.ok("ps", "run", "All Customers", "--as-of", "2024-01-01")
    return commands


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The same with every attribute and behavior that the printed lists name."""
    commands = Commands(tmp_path_factory.mktemp("customers"))
    make_tables(commands)
    text = PRINTED.replace("behaviors:\n", MORE_ATTRIBUTES + "behaviors:\n") + MORE_BEHAVIORS
    commands.ok("ps", "push", str(commands.write("parent_segments/all-customers.yml", text)))
    commands.ok("ps", "run", "All Customers", "--as-of", "2024-01-01")
    return commands


def test_the_printed_parent_segment_answers(printed: Commands) -> None:
    fields = json.loads(printed.ok("ps", "fields", "--json"))
    assert {"name": "lifetime_value", "type": "number"} in fields["attributes"]
    assert fields["behaviors"] == [{"name": "purchase", "fields": ["amount", "product_id", "category"]}]
    assert printed.count("lifetime_value > 1000") == 2
    assert printed.count("purchase count = 0") == 1


def test_it_was_last_updated(printed: Commands) -> None:
    assert re.search(r"^Last updated: +\w+ \d+, \d+, \d\d:\d\d GMT \(as of 2024-01-01", printed.ok("ps", "view"), re.MULTILINE)
    assert json.loads(printed.ok("ps", "view", "--json"))["last_updated"].endswith("Z")


def test_the_printed_form_pulls_as_the_usual_form_and_means_the_same(printed: Commands) -> None:
    before = json.loads(printed.ok("ps", "fields", "--json"))
    printed.ok("ps", "pull", "All Customers", "-y")
    assert "= unchanged" in printed.ok("ps", "push")
    assert json.loads(printed.ok("ps", "fields", "--json")) == before


def test_the_available_fields_print_as_two_lists(customers: Commands) -> None:
    text = customers.ok("ps", "fields")
    assert text.startswith("attributes:\n- name: customer_id\n  type: number\n- name: email\n  type: string\n")
    assert text.endswith(FIELDS)


@pytest.mark.parametrize(
    ("rule", "members"),
    [
        ("lifetime_value > 1000", ["1", "3"]),
        ("loyalty_tier = 'Gold'", ["1", "2"]),
        ("purchase in last 30 days", ["1", "3"]),  # customer 2 bought exactly 31 days ago
        ("email_open count > 3 this month", []),  # a new month has just begun
    ],
)
def test_the_printed_targeting_forms(customers: Commands, rule: str, members: list[str]) -> None:
    customers.write("segments/all-customers/target.yml", f'name: Target\nrule: "{rule}"\n')
    customers.ok("sg", "push")
    assert customers.members("Target", "customer_id") == members


def test_emails_of_this_month_count_while_it_lasts(customers: Commands) -> None:
    assert customers.count("email_open count > 3 this month", "2023-12-31T23:59:59Z") == 1
    assert customers.count("email_open count > 3 in last 32 days", "2024-01-01T00:00:00Z") == 2


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("lifetime_value > 1000 and loyalty_tier = 'Gold'", 1),
        ("purchase in last 30 days", 2),
        ("email_open count > 3 this month", 0),
        ("purchase sum(amount) >= 500 in last 90 days where category = 'Electronics' and amount > 10", 2),
        ("not purchase in last 1 year and (country in ('US', 'CA') or email ends with '.jp')", 1),
        ("in segment 'Marketing/VIP' and last_purchase_date within past 30 days", 1),
    ],
)
def test_the_lines_of_the_text_form(customers: Commands, line: str, count: int) -> None:
    customers.write("segments/all-customers/Marketing/vip.yml", "name: VIP\nrule: loyalty_tier = 'Gold'\n")
    customers.ok("sg", "push")
    assert customers.count(line) == count


def test_a_field_that_is_missing_is_found_in_the_tables(printed: Commands) -> None:
    text = printed.ok("ps", "explain-missing", "tier")
    assert "analytics.customer_metrics has the column tier" in text
    yaml = "".join(f"{line[4:]}\n" for line in text.splitlines() if line.startswith("    ")).removeprefix("attributes:\n")
    assert "table: customer_metrics" in yaml
    printed.write("pasted.yml", PRINTED.replace("behaviors:\n", yaml + "behaviors:\n"))
    assert printed.run("ps", "validate", str(printed.root / "pasted.yml"))[0] == 0


def test_the_profile_card(customers: Commands) -> None:
    card = customers.ok("profile", "show", "1")
    for words in ("sarah@example.com", "lifetime_value           2450", "Gold", "Dec 15, 2023 (1)", "Dec 10, 2023 (1)", "amount 150"):
        assert words in card, words
    days = [day["date"] for day in json.loads(customers.ok("profile", "show", "1", "--json"))["behaviors"]]
    assert days == sorted(days, reverse=True)


BOTA = """\
name: 1-bota_test
rule:
  type: And
  conditions:
    - type: And
      description: Age restrictions 20
      conditions:
        - { type: Value, attribute: age, operator: { type: GreaterEqual, value: 20 } }
    - type: And
      description: Identify OS/Client
      conditions:
        - { type: Value, attribute: client, operator: { type: In, value: ["iOS", "Android"] } }
ab_test:
  name: bota_test
  variants:
    - { name: A, ratio: 85.7 }
    - { name: B, ratio: 7.15 }
  control: { name: Control, ratio: 7.15 }
"""


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Twenty people, of whom fourteen are old enough and use a known client."""
    commands = Commands(tmp_path_factory.mktemp("gold"))
    people = [(f"u{number}", 20 + number if number < 17 else 19, "Web" if number in (3, 8, 12) else "iOS") for number in range(20)]
    commands.table("app.users", "naid,age,client\n" + "\n".join(f"{naid},{age},{client}" for naid, age, client in people))
    parent = "name: GOLD-340\nmaster: { database: app, table: users, key_column: naid }\n"
    commands.ok("ps", "push", str(commands.write("parent_segments/gold-340.yml", parent)))
    commands.ok("ps", "run", "GOLD-340")
    commands.write("segments/gold-340/1/1-bota-test.yml", BOTA)
    commands.ok("sg", "push")
    commands.ok("sg", "eval")
    return commands


def test_the_tree_of_variants(gold: Commands) -> None:
    paths = list(gold.listed())
    variants = [f"1/1-bota_test/{name}-bota_test" for name in ("A", "B", "Control")]
    assert paths == ["1/1-bota_test", *variants]
    tree = gold.ok("sg", "list", "-r").splitlines()
    assert [re.sub(r"^[│├└─ ]+", "", line).split("  ")[0] for line in tree] == [
        "GOLD-340",
        "1/",
        "1-bota_test",
        *(v[14:] for v in variants),
    ]


def test_the_population_reads_as_printed(gold: Commands) -> None:
    listed = gold.listed()
    assert listed["1/1-bota_test"]["population"] == 14
    parts = {path[14:].split("-")[0]: item["population"] for path, item in listed.items() if path != "1/1-bota_test"}
    assert sum(parts.values()) == 14
    assert 10 <= parts["A"] <= 14
    count = parts["A"]
    header = f"{count} profiles ({100 * count / 14:.1f}% of 14 total profiles in 1-bota_test)"
    assert header in gold.ok("sg", "list", "-r")


def test_the_rules_tab_shows_numbered_rule_sets(gold: Commands) -> None:
    text = gold.ok("sg", "view", "1-bota_test")
    assert "1. Age restrictions 20  Match logic: all" in text
    assert "2. Identify OS/Client  Match logic: all" in text


def test_the_details_say_who_and_when(gold: Commands) -> None:
    text = gold.ok("sg", "view", "1-bota_test")
    assert re.search(r"^Description: +--$", text, re.MULTILINE)
    assert re.search(r"^Type: +Batch segment$", text, re.MULTILINE | re.IGNORECASE)
    assert re.search(r"^Last updated \(GMT\): \w+ \d+, \d{4}, ", text, re.MULTILINE)
    assert "Created by:" in text
    assert "Updated by:" in text


def test_workspace_is_a_folder(gold: Commands) -> None:
    assert (Path(gold.root) / ".kohort" / "kohort.db").exists()
