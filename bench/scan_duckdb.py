"""The shared scan on DuckDB, over the tables of the refresh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.scan import Bools
from bench.scan_sql import ScanSql, Words
from kohort.evaluation.bitmap import Ordinals, bools_of
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.parent.layout import behavior_table, profiles_table
from kohort.ports.definitions import RefreshRecord
from kohort.ports.warehouse import Warehouse
from kohort.rules.core import Leaf, TopOrder
from kohort.sql.dialects import DUCKDB

WORDS = Words(DUCKDB, place="rowid", truth="bool_or", written=lambda part: part.sql(dialect="duckdb"), distinct_apart=True)
"""Rows of a refresh's tables lie in the order of (ordinal, timestamp, arrival)."""


class DuckDBScanner:
    """Asks one query per range."""

    def __init__(self, warehouse: Warehouse, last: RefreshRecord, catalog: FieldCatalog, as_of: Micros) -> None:
        def table(slug: str) -> str:
            ref = behavior_table(last.parent_id, last.number, slug) if slug else profiles_table(last.parent_id, last.number)
            return f'"{ref.database}"."{ref.table}"'

        self.warehouse, self.sql = warehouse, ScanSql(WORDS, catalog, as_of, table)

    def answers(self, leaves: Sequence[Leaf], low: int, high: int) -> tuple[Ordinals, Sequence[Bools]]:
        found = self.warehouse.query(self.sql.query(leaves, low, high)).combine_chunks()
        columns = [column.combine_chunks() for column in found.columns]
        return columns[0].to_numpy(zero_copy_only=False).astype(np.int64), [bools_of(column) for column in columns[1:]]

    def first(self, order: Sequence[TopOrder], limit: int) -> Ordinals:
        return self.warehouse.query(self.sql.ranking(order, limit)).column(0).to_numpy().astype(np.int64)
