"""Checks and previews of a parent segment against real tables, and advice for fields that are not there."""

from __future__ import annotations

import pytest

from kohort.documents.yaml import read_yaml
from kohort.foundation.errors import UserError
from kohort.parent.codec import located, read_parent
from kohort.services.parents.fields import explain_missing, parent_fields
from kohort.services.parents.preview import preview_parent
from kohort.services.parents.validate import ParentCheck, validate_parent
from tests.services.shop import BOOK, Shop, parent_of


def check(shop: Shop, text: str) -> tuple[ParentCheck, list[str]]:
    """The check and its issues as `line code`."""
    document, _ = read_yaml(text, "ps.yml")
    parent, issues = read_parent(document)
    assert parent is not None, list(map(str, issues))
    result = validate_parent(shop.warehouse, parent)
    return result, [f"{issue.line} {issue.code}" for issue in located(document, result.issues)]


def test_figures_without_a_refresh_are_those_of_the_refresh(shop: Shop) -> None:
    result, issues = check(shop, BOOK)
    assert result.issues.ok
    assert issues == [
        "6 NULL_KEYS",
        "11 NULL_KEYS",
        "11 DUPLICATE_ATTRIBUTE_KEYS",
        "11 UNMATCHED_KEYS",
        "12 VALUES_DO_NOT_FIT",
        "17 NULL_KEYS",
        "17 UNMATCHED_ROWS",
        "18 NO_TIME",
        "18 VALUES_DO_NOT_FIT",
    ]
    assert result.issues.items[-1].hint.startswith("these look like milliseconds")
    (behavior,) = result.behaviors
    assert (behavior.rows_in, behavior.rows_matched, behavior.unmatched_rows, behavior.customers_matched) == (8, 4, 1, 2)
    assert shop.databases() == set()


def test_missing_tables_and_columns_have_their_line_and_a_near_name(shop: Shop) -> None:
    text = """
name: Wrong
master:
  database: marketing
  table: customers
  key_column: custmer_id
  filters:
    - { column: contry, values: [US] }
attributes:
  - name: A
    source:
      database: analytics
      table: customer_metric
    join: { parent_key: customer_id, child_key: customer_id }
    columns: [ltv]
  - name: B
    source: { database: analytics, table: customer_metrics }
    join:
      parent_key: customer_id
      child_key: customer
    columns:
      - { column: ltv, name: value, type: timestamp }
      - lvt
behaviors:
  - name: P
    source: { database: events, table: purchases }
    join: { parent_key: customer_id, child_key: customer_id }
    timestamp_column: purchased
    all_columns: true
"""
    document, _ = read_yaml(text, "ps.yml")
    parent, _ = read_parent(document)
    assert parent is not None
    issues = list(located(document, validate_parent(shop.warehouse, parent).issues))
    assert [(i.line, i.code, i.hint) for i in issues] == [
        (6, "COLUMN_NOT_FOUND", 'did you mean "customer_id"?'),
        (8, "COLUMN_NOT_FOUND", 'did you mean "country"?'),
        (13, "TABLE_NOT_FOUND", 'did you mean "analytics.customer_metrics"?'),
        (20, "COLUMN_NOT_FOUND", 'did you mean "customer_id"?'),
        (23, "COLUMN_NOT_FOUND", 'did you mean "ltv"?'),
        (28, "TIME_COLUMN_NOT_FOUND", 'did you mean "purchased_at"?'),
    ]
    assert str(issues[0]).startswith("ps.yml:6:")


def test_issues_of_the_other_forms_have_their_line(shop: Shop) -> None:
    text = (
        BOOK.replace("value_column: ltv", "value_column: ltw")
        .replace("table: purchases", "table: purchase")
        .replace("table: customers", "table: customer")
    )
    _, issues = check(shop, text)
    assert issues == ["5 TABLE_NOT_FOUND", "12 COLUMN_NOT_FOUND", "16 TABLE_NOT_FOUND"]


def test_what_refreshes_build_is_not_named_as_a_table_to_read(shop: Shop) -> None:
    for database in ("cdp_audience_1", "cdp_audience_1_r1", "kohort_events"):
        shop.warehouse.execute(f"CREATE SCHEMA {database}")
        shop.warehouse.execute(f"CREATE TABLE {database}.customers (customer_id INTEGER)")
    document, _ = read_yaml(BOOK.replace("table: customers", "table: zzzzzzzz"), "ps.yml")
    parent, _ = read_parent(document)
    assert parent is not None
    (hint,) = [issue.hint for issue in validate_parent(shop.warehouse, parent).issues if issue.code == "TABLE_NOT_FOUND"]
    assert hint.startswith("known: ")
    assert "marketing.customers" in hint
    assert "cdp_audience" not in hint
    assert "kohort" not in hint


def test_columns_that_meet_are_refused(shop: Shop) -> None:
    text = """
name: Meeting
master: { database: marketing, table: customers }
attributes:
  - { name: All, source: { database: marketing, table: contacts }, join: { parent_key: customer_id, child_key: id }, all_columns: true }
  - name: Email
    source: { database: marketing, table: contacts }
    join: { parent_key: customer_id, child_key: id }
    columns: [{ column: phone }]
"""
    shop.sql(
        "CREATE TABLE marketing.contacts (id VARCHAR, EMAIL VARCHAR, phone VARCHAR, ordinal INTEGER, photo BLOB, box STRUCT(a INTEGER))"
    )
    result, issues = check(shop, text)
    assert issues == [
        "3 NULL_KEYS",
        "5 NOTHING_MATCHES",
        "5 RESERVED_NAME",
        "5 TYPE_NOT_SUPPORTED",
        "5 KEPT_AS_TEXT",
        "5 COLUMN_COLLISION",
        "8 NOTHING_MATCHES",
        "9 COLUMN_COLLISION",
    ]
    assert [i.message for i in result.issues.errors] == [
        'the column "EMAIL" of "All" has the name of one of the master marketing.customers',
        'the column "phone" of "Email" has the name of one of "All"',
    ]


def test_one_part_at_a_time(shop: Shop) -> None:
    parent = parent_of(BOOK)
    only = validate_parent(shop.warehouse, parent, part="behavior", name="purchase")
    assert (only.attributes, len(only.behaviors)) == ((), 1)
    assert set(only.issues.codes()) == {"NULL_KEYS", "NO_TIME", "UNMATCHED_ROWS", "VALUES_DO_NOT_FIT"}
    assert validate_parent(shop.warehouse, parent, part="master").issues.codes() == ["NULL_KEYS"]
    with pytest.raises(UserError, match="no behavior named") as failure:
        validate_parent(shop.warehouse, parent, part="behavior", name="purchas")
    assert failure.value.hint == 'did you mean "purchase"?'


def test_previews_show_what_a_refresh_would_build(shop: Shop) -> None:
    parent = parent_of(BOOK)
    tables = preview_parent(shop.warehouse, parent, part="all")
    assert sorted(row["customer_id"] for row in tables["master"].to_pylist()) == ["c1", "c2", "c3"]
    values = {row["customer_id"]: row["lifetime_value"] for row in tables["lifetime_value"].to_pylist()}
    assert values == {"c1": 10.5, "c2": 7.0}
    purchases = tables["purchase"]
    assert (purchases.num_rows, purchases.column_names) == (4, ["customer_id", "amount", "category", "timestamp"])
    assert list(preview_parent(shop.warehouse, parent, part="behavior", name="purchase", limit=2)) == ["purchase"]
    assert preview_parent(shop.warehouse, parent, limit=2)["master"].num_rows == 2


def test_fields_are_promised_before_and_kept_after_a_refresh(shop: Shop) -> None:
    record = shop.push()
    promised = parent_fields(shop.warehouse, shop.store, record)
    assert (promised.refresh, promised.refreshed_at) == (None, None)
    done = shop.refresh(record)
    kept = parent_fields(shop.warehouse, shop.store, record)
    assert kept.catalog == promised.catalog
    assert kept.refreshed_at == done.finished_at


def test_a_field_that_is_there_says_so(shop: Shop) -> None:
    record = shop.push()
    assert "after the next refresh" in explain_missing(shop.warehouse, shop.store, record, "lifetime_value").present[0]
    shop.refresh(record)
    answer = explain_missing(shop.warehouse, shop.store, record, "Lifetime_Value")
    assert answer.present == ('"lifetime_value" is an attribute already (number, from analytics.customer_metrics.ltv)',)
    assert answer.places == ()
    assert (
        explain_missing(shop.warehouse, shop.store, record, "amount").present[0].startswith('"amount" is a field of the behavior purchase')
    )


def test_a_missing_field_comes_with_yaml_that_works(shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE analytics.loyalty (CUSTOMER_ID VARCHAR, loyalty_tier VARCHAR)",
        "INSERT INTO analytics.loyalty VALUES ('c1', 'Gold')",
        "CREATE TABLE events.opens (customerid VARCHAR, campaign VARCHAR, opened_at TIMESTAMP)",
        "INSERT INTO events.opens VALUES ('c1', 'x', '2024-01-01'), ('c1', 'y', '2024-01-02')",
        "CREATE TABLE events.weather (city VARCHAR, rain DOUBLE)",
    )
    record = shop.push()
    (tier,) = explain_missing(shop.warehouse, shop.store, record, "loyalty_teir").places
    assert (tier.table, tier.column, tier.exact, tier.kind, tier.key_found) == (
        "analytics.loyalty",
        "loyalty_tier",
        False,
        "attribute",
        True,
    )
    assert shop.refresh(shop.push(BOOK.replace("behaviors:", tier.yaml.removeprefix("attributes:\n") + "behaviors:"))).status == "success"
    (opens,) = explain_missing(shop.warehouse, shop.store, record, "campaign").places
    assert (opens.kind, opens.exact) == ("behavior", True)
    assert "timestamp_column: opened_at" in opens.yaml
    assert shop.refresh(shop.push(BOOK + opens.yaml.removeprefix("behaviors:\n"))).status == "success"
    (rain,) = explain_missing(shop.warehouse, shop.store, record, "rain").places
    assert not rain.key_found
    assert explain_missing(shop.warehouse, shop.store, record, "zodiac").places == ()


def test_a_column_of_a_joined_table_is_one_line_more(shop: Shop) -> None:
    listed = BOOK.replace(
        "lifetime_value\n    database: analytics\n    table: customer_metrics\n    key_column: customer_id\n    value_column: ltv",
        "Metrics\n    database: analytics\n    table: customer_metrics\n    key_column: customer_id\n    columns:\n      - column: ltv",
    )
    (visits,) = explain_missing(shop.warehouse, shop.store, shop.push(listed), "visits").places
    assert visits.yaml == "- column: visits\n  type: string\n"
    assert 'the attribute "Metrics"' in visits.advice
    assert shop.refresh(shop.push(listed.replace("- column: ltv\n", "- column: ltv\n      - column: visits\n"))).status == "success"


def test_beside_an_attribute_of_one_column_goes_an_entry_of_its_own(shop: Shop) -> None:
    (visits,) = explain_missing(shop.warehouse, shop.store, shop.push(), "visits").places
    assert "of which one is taken: add it as an attribute" in visits.advice
    entry = visits.yaml.removeprefix("attributes:\n")
    assert shop.refresh(shop.push(BOOK.replace("behaviors:", entry + "behaviors:"))).status == "success"
