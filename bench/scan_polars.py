"""The shared scan on Polars, over the exported files: one group-by per behavior, its columns masked before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from bench.export import PROFILES, exported
from bench.polars_terms import aggregate_passes, exists, passes, selected, summed_up, value_of
from bench.scan import Bools, rows_before
from kohort.evaluation.aggregates import effective, holds_without_rows
from kohort.evaluation.bitmap import Ordinals
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.rows import Selection, common_bounds
from kohort.evaluation.times import Moment
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.core import Aggregate, AttributeLeaf, BehaviorLeaf, Leaf, SequenceLeaf, SequenceStep, TopOrder
from kohort.sql.dialects import DUCKDB

ORDINAL = "ordinal"


class PolarsScanner:
    """Collects one lazy frame per range."""

    def __init__(self, folder: Path, catalog: FieldCatalog, as_of: Micros) -> None:
        self.files = exported(folder)
        self.moment = Moment(as_of, ZoneInfo(catalog.timezone))
        self.predicates = Predicates(DUCKDB, self.moment)

    def answers(self, leaves: Sequence[Leaf], low: int, high: int) -> tuple[Ordinals, Sequence[Bools]]:
        names = {leaf: f"l{position}" for position, leaf in enumerate(leaves)}
        own = [self._attribute(leaf).fill_null(False).alias(names[leaf]) for leaf in leaves if isinstance(leaf, AttributeLeaf)]
        frame = self._rows(PROFILES, low, high).select(ORDINAL, *own)
        for found in self._scans(names, low, high):
            frame = frame.join(found, on=ORDINAL, how="left")
        defaults = [pl.col(name).fill_null(_default(leaf)) for leaf, name in names.items()]
        table = frame.select(ORDINAL, *defaults).collect()
        return table[ORDINAL].to_numpy().astype(np.int64), [table[name].to_numpy() for name in names.values()]

    def first(self, order: Sequence[TopOrder], limit: int) -> Ordinals:
        by = [one.by for one in order if isinstance(one.by, str)]
        if len(by) < len(order):
            raise NotImplementedError("a limit by an aggregate")
        columns = [*by, "cdp_customer_id"]
        frame = pl.scan_parquet(self.files / f"{PROFILES}.parquet").select(ORDINAL, *columns)
        descending = [*(one.descending for one in order), False]
        return frame.sort(columns, descending=descending, nulls_last=True).head(limit).collect()[ORDINAL].to_numpy().astype(np.int64)

    def _rows(self, name: str, low: int, high: int) -> pl.LazyFrame:
        return pl.scan_parquet(self.files / f"{name}.parquet").filter((pl.col(ORDINAL) >= low) & (pl.col(ORDINAL) < high))

    def _attribute(self, leaf: AttributeLeaf) -> pl.Expr:
        return passes(pl.col(leaf.attribute), leaf.test, self.moment)

    # --- behaviors --------------------------------------------------------------------------------------------------

    def _scans(self, names: dict[Leaf, str], low: int, high: int) -> list[pl.LazyFrame]:
        """Frames of at most one row per profile with the conditions they answer."""
        together: dict[object, list[BehaviorLeaf]] = {}
        found: list[pl.LazyFrame] = []
        for leaf, name in names.items():
            match leaf:
                case AttributeLeaf():
                    pass
                case BehaviorLeaf(aggregate) if aggregate.sliding_micros is not None:
                    found.append(self._sliding(leaf, name, low, high))
                case BehaviorLeaf(aggregate):
                    together.setdefault((aggregate.behavior, aggregate.grouping), []).append(leaf)
                case SequenceLeaf():
                    found.append(self._sequence(leaf, name, low, high))
                case _:
                    raise NotImplementedError(type(leaf).__name__)
        return [*found, *(self._scan(some, names, low, high) for some in together.values())]

    def _selected(self, part: Aggregate | SequenceStep) -> list[pl.Expr]:
        selection = Selection.of(part)
        return selected(selection, common_bounds(selection, self.moment.as_of, self.predicates), self.moment)

    def _scan(self, leaves: Sequence[BehaviorLeaf], names: dict[Leaf, str], low: int, high: int) -> pl.LazyFrame:
        head = effective(leaves[0].aggregate)
        keys = [ORDINAL, *head.grouping]
        masked: dict[bytes, tuple[str, pl.Expr]] = {}
        values: dict[bytes, tuple[str, pl.Expr]] = {}
        tests = []
        for leaf in leaves:
            aggregate = effective(leaf.aggregate)
            parts = [pl.col(_named(values, part, "v")) for part in self._parts(aggregate, masked)]
            tests.append(aggregate_passes(aggregate, parts, leaf.test, self.moment).fill_null(False).alias(names[leaf]))
        rows = self._rows(head.behavior, low, high).filter(exists(self.moment))
        rows = rows.select(*keys, *(value.alias(name) for name, value in masked.values()))
        summed = rows.group_by(keys).agg(value.alias(name) for name, value in values.values()).select(ORDINAL, *tests)
        return summed.group_by(ORDINAL).agg(pl.all().any()) if head.grouping else summed

    def _parts(self, aggregate: Aggregate, masked: dict[bytes, tuple[str, pl.Expr]]) -> list[pl.Expr]:
        """The aggregate over columns of `masked` (adding those it needs): values of rows that do not count are null."""
        conditions = self._selected(aggregate)

        def column(value: pl.Expr) -> pl.Expr:
            for condition in conditions:
                value = pl.when(condition).then(value)
            return pl.col(_named(masked, value, "m"))

        if not aggregate.order_column:
            return summed_up(aggregate, column(value_of(aggregate)))
        value, order = pl.col(aggregate.columns[0]), pl.col(aggregate.order_column)
        conditions += [value.is_not_null(), order.is_not_null()]
        sorted_values = column(value).drop_nulls().sort_by(column(order).drop_nulls(), column(pl.col("arrival")).drop_nulls())
        return [sorted_values.first() if aggregate.key == "First" else sorted_values.last()]

    def _sliding(self, leaf: BehaviorLeaf, name: str, low: int, high: int) -> pl.LazyFrame:
        """Owners of n rows within the window: the row n - 1 places before is near enough."""
        aggregate, before = leaf.aggregate, rows_before(leaf)
        rows = self._candidates(SequenceStep(aggregate.behavior, aggregate.filter, aggregate.windows), low, high)
        gap = (pl.col("t") - pl.col("t").shift(before)).dt.total_microseconds()
        same = pl.col(ORDINAL) == pl.col(ORDINAL).shift(before)
        return _true(rows.filter(same & (gap < aggregate.sliding_micros)), name)

    def _sequence(self, leaf: SequenceLeaf, name: str, low: int, high: int) -> pl.LazyFrame:
        """Each step's rows with the nearest earlier row that reached the step before."""
        first, *later = leaf.steps
        reached = self._candidates(first, low, high)
        for step in later:
            earlier = reached.rename({"t": "earlier"}).with_columns(seen=pl.col("earlier"))
            rows = self._candidates(step, low, high)
            joined = rows.join_asof(
                earlier, left_on="t", right_on="earlier", by=ORDINAL, strategy="backward", allow_exact_matches=False, check_sortedness=False
            )
            near = pl.col("seen").is_not_null()
            if step.within_micros is not None:
                near &= (pl.col("t") - pl.col("seen")).dt.total_microseconds() <= step.within_micros
            reached = joined.filter(near).select(ORDINAL, "t")
        return _true(reached, name)

    def _candidates(self, step: SequenceStep, low: int, high: int) -> pl.LazyFrame:
        rows = self._rows(step.behavior, low, high).filter(exists(self.moment), *self._selected(step))
        return rows.select(ORDINAL, t=pl.col("timestamp"))


def _named(known: dict[bytes, tuple[str, pl.Expr]], value: pl.Expr, prefix: str) -> str:
    """The name of an expression; equal ones have one."""
    return known.setdefault(value.meta.serialize(), (f"{prefix}{len(known)}", value))[0]


def _true(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    return rows.select(ORDINAL).unique().with_columns(pl.lit(True).alias(name))


def _default(leaf: Leaf) -> bool:
    """What holds for a profile without rows."""
    return isinstance(leaf, BehaviorLeaf) and leaf.aggregate.sliding_micros is None and holds_without_rows(leaf.aggregate, leaf.test)
