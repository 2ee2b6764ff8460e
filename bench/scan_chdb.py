"""The shared scan on ClickHouse in this process (chdb), over tables of its own (MergeTree by ordinal) that it read from the export."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import chdb.session
import numpy as np
import pyarrow as pa
from sqlglot import exp

from bench.export import HAS, PROFILES, exported
from bench.scan import Bools
from bench.scan_sql import ScanSql, Words
from kohort.evaluation.bitmap import Ordinals
from kohort.foundation.instants import Micros
from kohort.parent.catalog import Field, FieldCatalog
from kohort.rules.core import Leaf, TopOrder
from kohort.sql.dialects import DUCKDB

CLICKHOUSE = replace(
    DUCKDB,
    name="clickhouse",  # type: ignore[arg-type]
    wide_integer="Nullable(Int128)",
    timestamp="DateTime64(6)",
    row="tuple",
    micros=lambda value: exp.Anonymous(this="toUnixTimestamp64Micro", expressions=[value]),
)
SETTINGS = (
    "SET session_timezone = 'UTC'",
    "SET join_use_nulls = 1",
    "SET output_format_arrow_string_as_string = 1",
    "SET max_query_size = 10000000",
    "SET max_ast_elements = 1000000",
    "SET max_expanded_ast_elements = 5000000",
)
FEW_VALUES = ("text",)
MANY_VALUES = ("customer_id", "email")
"""Text columns that are not worth a dictionary."""


def _written(part: exp.Expression) -> str:
    return part.sql(dialect="clickhouse").replace("Nullable(DATE)", "Nullable(Date32)").replace("AS DATE)", "AS Date32)")


WORDS = Words(CLICKHOUSE, place="(timestamp, arrival)", truth="max", written=_written, known_array=f'"{HAS}{{}}"')


class ChdbScanner:
    """Asks one query per range. Its tables are in a folder that is made anew and gone after `close`."""

    def __init__(self, folder: Path, catalog: FieldCatalog, as_of: Micros) -> None:
        files, self.place = exported(folder), folder / "chdb"
        shutil.rmtree(self.place, ignore_errors=True)
        self.session = chdb.session.Session(str(self.place))
        for setting in SETTINGS:
            self.session.query(setting)
        self.sql = ScanSql(WORDS, catalog, as_of, lambda slug: f'"{slug or PROFILES}"')
        self._load(files, PROFILES, catalog.attributes, ("ordinal",))
        for behavior in catalog.behaviors:
            self._load(files, behavior.name, behavior.fields, ("ordinal", "timestamp", "arrival"))

    def close(self) -> None:
        self.session.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def _load(self, files: Path, name: str, fields: Sequence[Field], keys: Sequence[str]) -> None:
        """A table in the order of its rows, texts of few values with a dictionary."""
        few = [field.name for field in fields if field.storage in FEW_VALUES and field.name not in MANY_VALUES]
        plain = [f'assumeNotNull("{key}") AS "{key}"' for key in keys]
        coded = [f'CAST("{name}" AS LowCardinality(Nullable(String))) AS "{name}"' for name in few]
        rest = ", ".join(f'"{one}"' for one in (*keys, *few))
        query = f"SELECT {', '.join((*plain, *coded))}, * EXCEPT ({rest}) FROM file('{files / name}.parquet', Parquet)"
        order = ", ".join(f'"{key}"' for key in keys)
        self.session.query(f'CREATE TABLE "{name}" ENGINE = MergeTree ORDER BY ({order}) AS {query}')

    def answers(self, leaves: Sequence[Leaf], low: int, high: int) -> tuple[Ordinals, Sequence[Bools]]:
        found = self._ask(self.sql.query(leaves, low, high))
        places, *truths = (column.combine_chunks().to_numpy(zero_copy_only=False) for column in found.columns)
        return places.astype(np.int64), [truth.astype(np.bool_) for truth in truths]

    def first(self, order: Sequence[TopOrder], limit: int) -> Ordinals:
        return self._ask(self.sql.ranking(order, limit)).column(0).to_numpy().astype(np.int64)

    def _ask(self, sql: str) -> pa.Table:
        with pa.ipc.open_file(pa.py_buffer(self.session.query(sql, "Arrow").bytes())) as reader:
            return reader.read_all()
