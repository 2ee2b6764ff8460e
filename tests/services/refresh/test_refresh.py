"""A refresh end to end: profiles, behaviors, public views and the report of all that did not join or fit."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from kohort.foundation.errors import InvalidInput
from kohort.parent.catalog_codec import catalog_from_document, catalog_to_document
from kohort.parent.report import Misfit, report_from_document, report_to_document
from kohort.parent.statements import pretty
from kohort.services.refresh.refresh import planned_refresh
from tests.services.shop import BOOK, Shop, parent_of


def customer_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def test_the_printed_parent_segment_refreshes(shop: Shop) -> None:
    record = shop.push()
    done = shop.refresh(record, as_of=datetime(2024, 1, 2, tzinfo=UTC))
    assert (done.status, done.number, done.population) == ("success", 1, 3)
    assert done.as_of == datetime(2024, 1, 2, tzinfo=UTC)
    assert shop.rows(f"SELECT * FROM cdp_audience_{record.id}.customers ORDER BY customer_id") == [
        (customer_id("c1"), "c1", "a@example.com", "JP", 10.5),
        (customer_id("c2"), "c2", "b@example.com", "US", 7.0),
        (customer_id("c3"), "c3", "c@example.com", "US", None),
    ]
    columns = 'cdp_customer_id, amount, category, "timestamp", "time"'
    rows = shop.rows(f'SELECT {columns} FROM cdp_audience_{record.id}.behavior_purchase ORDER BY 1, "timestamp", arrival')
    early, late = datetime(2023, 12, 31, 19, 13, 20), datetime(2023, 12, 31, 22, 0)
    assert [(row[0], str(row[1]), *row[2:]) for row in rows] == sorted(
        [
            (customer_id("c1"), "3.25", "Toys", early, 1704050000),
            (customer_id("c1"), "4.25", "Food", early, 1704050000),
            (customer_id("c1"), "20.00", "Books", late, 1704060000),
            (customer_id("c2"), "5.50", "Toys", early, 1704050000),
        ],
        key=lambda row: row[0],
    )


def test_ordinals_follow_the_key_and_rows_lie_in_order(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    database = f"cdp_audience_{record.id}_r1"
    assert shop.rows(f"SELECT ordinal, customer_id FROM {database}.profiles") == [(0, "c1"), (1, "c2"), (2, "c3")]
    stored = shop.rows(f'SELECT ordinal, "timestamp", arrival FROM {database}.behavior_purchase')
    assert stored == sorted(stored)
    assert [ordinal for ordinal, *_ in stored] == [0, 0, 0, 1]
    tables = shop.rows(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' ORDER BY 1")
    assert tables == [("behavior_purchase",), ("profiles",)]


def test_the_report_counts_everything_that_was_left_out(shop: Shop) -> None:
    report = report_from_document(shop.refresh(shop.push()).report)
    master, (attribute,), (behavior,) = report.master, report.attributes, report.behaviors
    assert (master.rows_in, master.null_keys, master.customers, master.new_customers) == (4, 1, 3, 3)
    assert (attribute.rows_in, attribute.null_keys, attribute.keys, attribute.extra_rows) == (5, 1, 3, 1)
    assert (attribute.duplicate_keys, attribute.duplicate_samples) == (1, ("c2",))
    assert (attribute.unmatched_keys, attribute.unmatched_samples, attribute.customers_matched) == (1, ("c9",), 2)
    assert attribute.match_rate == pytest.approx(2 / 3)
    assert attribute.misfits == (Misfit("ltv", "number", 1, ("nan",)),)
    assert (behavior.rows_in, behavior.null_keys, behavior.no_time, behavior.unmatched_rows) == (8, 1, 2, 1)
    assert (behavior.rows_matched, behavior.rows_out, behavior.customers_matched) == (4, 4, 2)
    assert behavior.unmatched_samples == ("c9",)
    assert behavior.misfits == (Misfit("purchased_at", "timestamp", 1, ("1704050000000",)),)
    assert report_from_document(report_to_document(report)) == report


def test_the_catalog_is_kept_with_the_refresh(shop: Shop) -> None:
    catalog = catalog_from_document(shop.refresh(shop.push()).catalog)
    assert [(f.name, f.type, f.storage) for f in catalog.attributes] == [
        ("customer_id", "string", "text"),
        ("email", "string", "text"),
        ("country", "string", "text"),
        ("lifetime_value", "number", "float64"),
    ]
    assert catalog.attribute["lifetime_value"].source == "analytics.customer_metrics.ltv"
    assert [(f.name, f.storage, f.scale) for f in catalog.behavior["purchase"].fields] == [
        ("amount", "decimal", 2),
        ("category", "text", 0),
    ]
    assert catalog_from_document(catalog_to_document(catalog)) == catalog


def test_ordinals_are_for_life(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    shop.sql("DELETE FROM marketing.customers WHERE customer_id = 'c1'")
    shop.sql("INSERT INTO marketing.customers VALUES ('a0', 'z@example.com', 'US'), ('c25', 'y@example.com', 'US')")
    second = shop.refresh(record)
    assert report_from_document(second.report).master.new_customers == 2
    assert shop.rows(f"SELECT ordinal, customer_id FROM cdp_audience_{record.id}_r2.profiles") == [
        (1, "c2"),
        (2, "c3"),
        (3, "a0"),
        (4, "c25"),
    ]
    shop.sql("INSERT INTO marketing.customers VALUES ('c1', 'back@example.com', 'US')")
    shop.refresh(record)
    back = shop.rows(f"SELECT ordinal, cdp_customer_id FROM cdp_audience_{record.id}_r3.profiles WHERE customer_id = 'c1'")
    assert back == [(0, customer_id("c1"))]


def test_the_refresh_before_is_kept_and_older_ones_go(shop: Shop) -> None:
    record = shop.push()
    for _ in range(4):
        shop.refresh(record)
    name = f"cdp_audience_{record.id}"
    assert shop.databases() == {name, f"{name}_keys", f"{name}_r3", f"{name}_r4"}


def test_duplicate_master_keys_are_refused_and_the_last_refresh_answers(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    shop.sql("INSERT INTO marketing.customers VALUES ('c2', 'twin@example.com', 'US')")
    with pytest.raises(InvalidInput) as failure:
        shop.refresh(record)
    assert failure.value.issues.codes() == ["DUPLICATE_KEYS"]
    assert "c2" in failure.value.message
    assert shop.rows(f"SELECT COUNT(*) FROM cdp_audience_{record.id}.customers") == [(3,)]
    assert [(r.number, r.status) for r in shop.store.refreshes(record.id)] == [(2, "error"), (1, "success")]
    assert f"cdp_audience_{record.id}_r2" not in shop.databases()


def test_keys_that_are_personal_data_are_in_no_message(shop: Shop) -> None:
    record = shop.push(
        """
name: All Customers
master: { database: marketing, table: customers, key_column: customer_id }
attributes:
  - name: Card
    source: { database: marketing, table: customers }
    join: { parent_key: customer_id, child_key: customer_id }
    columns: [{ column: customer_id, name: card, visibility: pii }]
"""
    )
    shop.sql("INSERT INTO marketing.customers VALUES ('c2', 'twin@example.com', 'US')")
    with pytest.raises(InvalidInput) as failure:
        shop.refresh(record)
    assert failure.value.issues.codes() == ["DUPLICATE_KEYS"]
    assert "c2" not in failure.value.message


def test_views_of_behaviors_that_are_gone_disappear(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    text = """
name: All Customers
master: { database: marketing, table: customers, key_column: customer_id }
behaviors:
  - name: Orders
    source: { database: events, table: purchases }
    join: { parent_key: customer_id, child_key: customer_id }
    time_column: purchased_at
    columns: [{ column: amount, name: price }]
"""
    shop.refresh(shop.push(text))
    views = shop.rows(f"SELECT table_name FROM information_schema.tables WHERE table_schema = 'cdp_audience_{record.id}' ORDER BY 1")
    assert views == [("behavior_orders",), ("customers",)]
    assert shop.rows(f"SELECT SUM(price) FROM cdp_audience_{record.id}.behavior_orders")[0][0] == 33


def test_population_filters_keep_their_values_only(shop: Shop) -> None:
    text = """
name: Americans
master:
  database: marketing
  table: customers
  key_column: customer_id
  filters: [{ column: country, values: [US, "it's"] }]
behaviors:
  - name: purchase
    source: { database: events, table: purchases }
    join: { parent_key: customer_id, child_key: customer_id }
    timestamp_column: purchased_at
    all_columns: true
"""
    done = shop.refresh(shop.push(text))
    report = report_from_document(done.report)
    assert (done.population, report.master.filtered_out, report.master.null_keys) == (2, 1, 1)
    assert (report.behaviors[0].rows_out, report.behaviors[0].unmatched_rows) == (1, 4)


def test_customers_that_share_a_join_key_all_get_the_rows(shop: Shop) -> None:
    shop.sql("CREATE TABLE events.visits (country VARCHAR, seen TIMESTAMP)")
    shop.sql("INSERT INTO events.visits VALUES ('US', '2024-01-01 10:00:00'), ('JP', '2024-01-01 11:00:00'), ('FR', '2024-01-01')")
    text = """
name: Shared
master: { database: marketing, table: customers, key_column: customer_id }
behaviors:
  - name: visit
    source: { database: events, table: visits }
    join: { parent_key: country, child_key: country }
    timestamp_column: seen
    all_columns: true
"""
    (behavior,) = report_from_document(shop.refresh(shop.push(text)).report).behaviors
    assert (behavior.rows_in, behavior.unmatched_rows, behavior.rows_matched, behavior.rows_out, behavior.customers_matched) == (
        3,
        1,
        2,
        3,
        3,
    )


def test_keys_of_different_types_meet_as_text(shop: Shop) -> None:
    shop.sql(
        "CREATE TABLE marketing.people (id BIGINT, name VARCHAR)",
        "INSERT INTO marketing.people VALUES (7, 'Seven'), (8, 'Eight')",
        "CREATE TABLE analytics.scores (person VARCHAR, score INTEGER)",
        "INSERT INTO analytics.scores VALUES ('7', 1), ('x', 2)",
        "CREATE TABLE analytics.ranks (person DOUBLE, place INTEGER)",
        "INSERT INTO analytics.ranks VALUES (7.0, 10), (8.5, 20), ('nan', 30)",
        "CREATE TABLE analytics.ages (person INTEGER, age INTEGER)",
        "INSERT INTO analytics.ages VALUES (8, 80)",
    )
    join = "join: { parent_key: id, child_key: person }, all_columns: true"
    entries = [f"  - {{ name: {name}, source: {{ database: analytics, table: {name} }}, {join} }}" for name in ("scores", "ranks", "ages")]
    text = "name: People\nmaster: { database: marketing, table: people }\nattributes:\n" + "\n".join(entries)
    record = shop.push(text)
    shop.refresh(record)
    rows = shop.rows(f"SELECT id, score, place, age FROM cdp_audience_{record.id}.customers ORDER BY id")
    assert rows == [(7, 1, 10, None), (8, None, None, 80)]
    assert shop.rows(f"SELECT key, ordinal FROM cdp_audience_{record.id}_keys.ordinals ORDER BY 2") == [("7", 0), ("8", 1)]


def test_views_over_files_keep_their_order_of_arrival(shop: Shop) -> None:
    file = shop.folder / "clicks.parquet"
    shop.sql(
        f"COPY (SELECT 'c' || (1 + range % 3) AS customer_id, range AS n, 1704050000 AS time FROM range(3000)) TO '{file}' (FORMAT parquet)"
    )
    shop.sql(f"CREATE VIEW events.clicks AS SELECT * FROM read_parquet('{file}')")
    text = """
name: Clicks
master: { database: marketing, table: customers }
behaviors:
  - name: click
    source: { database: events, table: clicks }
    join: { parent_key: customer_id, child_key: customer_id }
    columns: [n]
"""
    record = shop.push(text)
    shop.refresh(record)
    values = [n for (n,) in shop.rows(f"SELECT n FROM cdp_audience_{record.id}_r1.behavior_click")]
    assert values == [*range(0, 3000, 3), *range(1, 3000, 3), *range(2, 3000, 3)]


def test_progress_is_told_step_by_step(shop: Shop) -> None:
    heard: list[tuple[str, int, int]] = []

    class Listener:
        def step(self, name: str, done: int, total: int) -> None:
            heard.append((name, done, total))

    shop.refresh(shop.push(), progress=Listener())
    assert [done for _, done, _ in heard[:-1]] == list(range(9))
    assert heard[0][0] == "Read the customers' keys"
    assert "Build behavior purchase" in [name for name, *_ in heard]
    assert heard[-1] == ("", 9, 9)


def test_names_of_any_kind_pass_through(shop: Shop) -> None:
    shop.sql(
        'CREATE SCHEMA "my db"',
        'CREATE TABLE "my db"."odd table" '
        '("key" VARCHAR, "we""ird" INTEGER, "select" VARCHAR, s STRUCT("key" INTEGER), c0 INTEGER, j0 INTEGER)',
        """INSERT INTO "my db"."odd table" VALUES ('k''1\\', 1, 'x', {'key': 5}, 7, 8)""",
        'CREATE TABLE "my db"."värde" '
        '("key" VARCHAR, copies INTEGER, pick VARCHAR, "value" VARCHAR, ordinal INTEGER, arrival INTEGER, "time" BIGINT)',
        """INSERT INTO "my db"."värde" VALUES ('k''1\\', 2, 'p', '12', 3, 4, 1700000000), ('k''1\\', 9, 'p', 'no', 3, 4, 1700000001)""",
    )
    text = """
name: Odd
master: { database: my db, table: odd table, key_column: key, filters: [{ column: key, values: ["k'1\\\\"] }] }
attributes:
  - name: A
    source: { database: my db, table: värde }
    join: { parent_key: key, child_key: key }
    columns: [copies, pick, { column: value, type: number }, { column: ordinal, name: "Order by; --" }]
behaviors:
  - name: Értékek 購入
    source: { database: my db, table: värde }
    join: { parent_key: key, child_key: key }
    columns: [copies, pick, { column: value, type: number }, { column: arrival, name: arrived }]
"""
    record = shop.push(text)
    report = report_from_document(shop.refresh(record).report)
    assert report.attributes[0].misfits == (Misfit("value", "number", 1, ("no",)),)
    columns = shop.rows(f"SELECT * FROM cdp_audience_{record.id}.customers")[0][1:]
    assert columns == ("k'1\\", 1, "x", "{'key': 5}", 7, 8, 2, "p", 12.0, 3)
    assert shop.rows(f'SELECT copies, "value" FROM cdp_audience_{record.id}."behavior_értékek_購入" ORDER BY 1') == [(2, 12.0), (9, None)]


def test_a_key_with_a_name_of_the_system_is_a_key(shop: Shop) -> None:
    shop.sql("CREATE TABLE marketing.ranked (ordinal INTEGER, name VARCHAR)", "INSERT INTO marketing.ranked VALUES (5, 'x')")
    record = shop.push("name: Ranked\nmaster: { database: marketing, table: ranked, key_column: ordinal }")
    done = shop.refresh(record)
    assert shop.rows(f"SELECT * FROM cdp_audience_{record.id}.customers") == [(customer_id("5"), "x")]
    assert "is left out" in report_from_document(done.report).warnings[0]


def test_empty_tables_refresh(shop: Shop) -> None:
    shop.sql("DELETE FROM marketing.customers", "DELETE FROM events.purchases", "DELETE FROM analytics.customer_metrics")
    done = shop.refresh(shop.push())
    assert (done.status, done.population) == ("success", 0)


def test_one_column_that_names_a_key_only_gives_no_attribute(shop: Shop) -> None:
    shop.sql("CREATE TABLE analytics.seen (customer_id VARCHAR)", "INSERT INTO analytics.seen VALUES ('c1')")
    join = "join: { parent_key: customer_id, child_key: customer_id }"
    entry = f"{{ name: Seen, source: {{ database: analytics, table: seen }}, {join}, all_columns: true }}"
    done = shop.refresh(shop.push(f"name: S\nmaster: {{ database: marketing, table: customers }}\nattributes:\n  - {entry}"))
    assert report_from_document(done.report).attributes[0].customers_matched == 1


def test_the_printed_statements_are_the_refresh(shop: Shop) -> None:
    plan = planned_refresh(shop.warehouse, parent_of(BOOK), 77, 3)
    for step in plan:
        shop.sql(pretty(step.statement))
    assert shop.rows("SELECT COUNT(*), SUM(lifetime_value) FROM cdp_audience_77.customers") == [(3, 17.5)]
    assert shop.rows("SELECT COUNT(*) FROM cdp_audience_77.behavior_purchase") == [(4,)]
    assert [step.name for step in plan][3:7] == [
        "Read the customers' keys",
        "Give new customers their ordinals",
        "Read the master table",
        "Read attributes lifetime_value",
    ]


def test_a_definition_that_does_not_fit_is_refused_with_all_its_problems(shop: Shop) -> None:
    record = shop.push(BOOK.replace("ltv", "ltw").replace("purchased_at", "bought_at"))
    with pytest.raises(InvalidInput) as failure:
        shop.refresh(record)
    assert failure.value.issues.codes() == ["COLUMN_NOT_FOUND", "TIME_COLUMN_NOT_FOUND"]
    assert shop.store.refreshes(record.id)[0].message == 'analytics.customer_metrics has no column "ltw" (and 1 more)'
    assert not [name for name in shop.databases() if "_r" in name]


def test_views_of_others_in_the_output_database_stay(shop: Shop) -> None:
    record = shop.push()
    shop.refresh(record)
    shop.sql(f"CREATE VIEW cdp_audience_{record.id}.mine AS SELECT 1 AS one")
    shop.refresh(record)
    assert shop.rows(f"SELECT one FROM cdp_audience_{record.id}.mine") == [(1,)]
