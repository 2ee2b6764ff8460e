"""A small shop in a real warehouse with a real store: customers, metrics and purchases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kohort.adapters.duckdb.warehouse import DuckDBWarehouse
from kohort.adapters.sqlalchemy.store import SQLAlchemyStore
from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.foundation.clock import FixedClock
from kohort.parent.codec import parent_to_document, read_parent
from kohort.parent.definition import ParentSegment
from kohort.ports.definitions import ParentRecord, RefreshRecord
from kohort.services.refresh.refresh import refresh

START = datetime(2024, 1, 1, tzinfo=UTC)

TABLES = """
CREATE SCHEMA marketing; CREATE SCHEMA analytics; CREATE SCHEMA events;
CREATE TABLE marketing.customers (customer_id VARCHAR, email VARCHAR, country VARCHAR);
INSERT INTO marketing.customers VALUES
  ('c3', 'c@example.com', 'US'), ('c1', 'a@example.com', 'JP'), ('c2', 'b@example.com', 'US'), (NULL, 'nobody@example.com', 'US');
CREATE TABLE analytics.customer_metrics (customer_id VARCHAR, ltv DOUBLE, visits VARCHAR);
INSERT INTO analytics.customer_metrics VALUES
  ('c1', 10.5, '3'), ('c2', 'nan', 'many'), ('c2', 7, '1'), ('c9', 1, '1'), (NULL, 2, '2');
CREATE TABLE events.purchases (customer_id VARCHAR, amount DECIMAL(10,2), category VARCHAR, purchased_at BIGINT);
INSERT INTO events.purchases VALUES
  ('c1', 20.00, 'Books', 1704060000), ('c2', 5.50, 'Toys', 1704050000), ('c1', 3.25, 'Toys', 1704050000),
  ('c1', 4.25, 'Food', 1704050000), ('c9', 9.00, 'Toys', 1704050000), ('c2', 1.00, 'Toys', NULL), (NULL, 1.00, 'Toys', 1704050000),
  ('c3', 1.00, 'Toys', 1704050000000)
"""

BOOK = """
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


def parent_of(text: str) -> ParentSegment:
    """The parent segment a YAML text describes; it must be without errors."""
    document, problems = read_yaml(text)
    parent, issues = read_parent(document)
    assert not problems, list(map(str, problems))
    assert parent is not None, list(map(str, issues))
    assert read_parent(Document(parent_to_document(parent)))[0] == parent
    return parent


@dataclass
class Shop:
    folder: Path
    warehouse: DuckDBWarehouse
    store: SQLAlchemyStore
    clock: FixedClock

    def sql(self, *statements: str) -> None:
        for statement in statements:
            for part in statement.split(";\n"):
                self.warehouse.execute(part)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        table = self.warehouse.query(query)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []

    def push(self, text: str = BOOK) -> ParentRecord:
        parent = parent_of(text)
        return self.store.save_parent(parent.name, parent.slug, parent_to_document(parent), by="ann", at=START)

    def refresh(self, record: ParentRecord, **options: Any) -> RefreshRecord:
        return refresh(self.warehouse, self.store, record, clock=self.clock, **options)

    def databases(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT schema_name FROM information_schema.schemata") if name.startswith("cdp_audience_")}

    def close(self) -> None:
        self.warehouse.close()
        self.store.close()


def open_shop(folder: Path) -> Shop:
    return Shop(folder, DuckDBWarehouse(folder / "warehouse.duckdb"), SQLAlchemyStore(f"sqlite:///{folder}/kohort.db"), FixedClock(START))
