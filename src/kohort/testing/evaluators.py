"""Every way to evaluate segments over a `Dataset`, by name, so that one suite runs on all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from kohort.adapters.duckdb import DuckDBWarehouse
from kohort.evaluation.evaluate import combine, evaluate, sql_source
from kohort.evaluation.index_source import IndexLeafSource
from kohort.evaluation.leaves import RefreshTables
from kohort.evaluation.reference import segment_members
from kohort.evaluation.statement import rule_statement
from kohort.foundation.instants import Micros
from kohort.index.build import build_index
from kohort.index.columns import ProfileIndex
from kohort.index.open import open_index
from kohort.parent.layout import CUSTOMER_ID
from kohort.rules.core import Leaf
from kohort.segments.definition import Segment
from kohort.segments.graph import bind_segments
from kohort.testing.dataset import Dataset
from kohort.testing.dataset_tables import load_into


class Evaluator(Protocol):
    """Answers who is in each segment and variant."""

    def members(self, dataset: Dataset, segments: Mapping[str, Segment], asked: str, as_of: Micros) -> set[str]:
        """The cdp_customer_ids in the segment or variant at the path `asked`. References in `segments` are written as paths."""
        ...


class ReferenceEvaluator(AbstractContextManager["ReferenceEvaluator"]):
    """The oracle."""

    def members(self, dataset: Dataset, segments: Mapping[str, Segment], asked: str, as_of: Micros) -> set[str]:
        return segment_members(asked, dataset, as_of, segments)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class SqlEvaluator(AbstractContextManager["SqlEvaluator"]):
    """SQL over the tables of a refresh, in a DuckDB warehouse in memory. The ranges are small, so that several are put together."""

    def __init__(self, range_size: int = 13, leaves_per_query: int = 10) -> None:
        self.warehouse = DuckDBWarehouse(None, threads=1)
        self.range_size = range_size
        self.leaves_per_query = leaves_per_query
        self._loaded: dict[int, tuple[int, Dataset]] = {}

    def load(self, dataset: Dataset) -> int:
        """The parent id under which a dataset is loaded."""
        if id(dataset) not in self._loaded:
            parent_id = len(self._loaded) + 1
            load_into(self.warehouse, dataset, parent_id, 1)
            self._loaded[id(dataset)] = (parent_id, dataset)
        return self._loaded[id(dataset)][0]

    def forget(self) -> None:
        """Drop every dataset that was loaded."""
        for parent_id, _ in self._loaded.values():
            self.warehouse.execute(f"DROP SCHEMA IF EXISTS cdp_audience_{parent_id} CASCADE")
            self.warehouse.execute(f"DROP SCHEMA IF EXISTS cdp_audience_{parent_id}_r1 CASCADE")
        self._loaded.clear()

    def members(self, dataset: Dataset, segments: Mapping[str, Segment], asked: str, as_of: Micros) -> set[str]:
        return self.all_members(dataset, segments, as_of)[asked]

    def all_members(self, dataset: Dataset, segments: Mapping[str, Segment], as_of: Micros) -> dict[str, set[str]]:
        """The members of every segment and variant."""
        parent_id = self.load(dataset)
        exprs = bind_segments(segments.values(), dataset.catalog, "")
        ordinals = max(dataset.ordinals.values(), default=-1) + 1
        found = evaluate(
            exprs,
            self._run,
            parent_id=parent_id,
            refresh_number=1,
            catalog=dataset.catalog,
            as_of=as_of,
            ordinals=ordinals,
            range_size=self.range_size,
            leaves_per_query=self.leaves_per_query,
        )
        ids = {ordinal: customer for customer, ordinal in dataset.ordinals.items()}
        return {path: {ids[int(ordinal)] for ordinal in bitmap.ordinals()} for path, bitmap in found.members.items()}

    def statement_members(self, dataset: Dataset, segments: Mapping[str, Segment], as_of: Micros) -> dict[str, set[str]]:
        """The members of every segment and variant, each by a statement of its own over the public views."""
        parent_id = self.load(dataset)
        exprs = bind_segments(segments.values(), dataset.catalog, "")
        found: dict[str, set[str]] = {}
        for path, expr in exprs.items():
            statement = rule_statement(expr, parent_id=parent_id, catalog=dataset.catalog, as_of=as_of, segments=exprs)
            ids = self.warehouse.query(statement).column(CUSTOMER_ID).to_pylist()
            assert len(ids) == len(set(ids)), f"{path} has somebody twice"
            found[path] = set(ids)
        return found

    def _run(self, query: exp.Expression) -> pa.Table:
        return self.warehouse.query(query)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.warehouse.close()


class IndexEvaluator(AbstractContextManager["IndexEvaluator"]):
    """The profile index of a refresh, built from the same tables; what it leaves to SQL is in `left_to_sql`.

    The blocks are small, so that several are put together.
    """

    def __init__(self, threads: int = 1) -> None:
        self.sql = SqlEvaluator()
        self.threads = threads
        self.left_to_sql: dict[Leaf, str] = {}
        self._folder = TemporaryDirectory(prefix="kohort-index-")
        self._opened: dict[int, tuple[ProfileIndex, Dataset]] = {}

    def load(self, dataset: Dataset) -> ProfileIndex:
        """The index of a dataset."""
        if id(dataset) not in self._opened:
            parent_id, root = self.sql.load(dataset), Path(self._folder.name)
            build_index(self.sql.warehouse.stream, dataset.catalog, root, parent_id, 1)
            opened = open_index(root, parent_id, 1)
            assert opened is not None
            self._opened[id(dataset)] = (opened, dataset)
        return self._opened[id(dataset)][0]

    def forget(self) -> None:
        """Drop every dataset that was loaded."""
        self._opened.clear()
        self.sql.forget()

    def members(self, dataset: Dataset, segments: Mapping[str, Segment], asked: str, as_of: Micros) -> set[str]:
        return self.all_members(dataset, segments, as_of)[asked]

    def all_members(self, dataset: Dataset, segments: Mapping[str, Segment], as_of: Micros) -> dict[str, set[str]]:
        """The members of every segment and variant."""
        index = self.load(dataset)
        exprs = bind_segments(segments.values(), dataset.catalog, "")
        fallback = sql_source(RefreshTables(index.parent_id, 1), dataset.catalog, self.sql.warehouse.query, as_of, index.size)
        source = IndexLeafSource(index, dataset.catalog, as_of, fallback, threads=self.threads, block=64)
        found = combine(exprs, source)
        self.left_to_sql |= source.left_to_sql
        ids = {ordinal: customer for customer, ordinal in dataset.ordinals.items()}
        return {path: {ids[int(ordinal)] for ordinal in bitmap.ordinals()} for path, bitmap in found.members.items()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.clear()
        self._folder.cleanup()
        self.sql.warehouse.close()


EVALUATORS: Mapping[str, Callable[[], ReferenceEvaluator | SqlEvaluator | IndexEvaluator]] = {
    "reference": ReferenceEvaluator,
    "sql": SqlEvaluator,
    "index": IndexEvaluator,
}
