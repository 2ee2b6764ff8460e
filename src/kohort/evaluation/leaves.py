"""One query that tests every leaf of every segment for a range of profiles.

    select p.ordinal, <tests of attributes>, <tests of aggregates> from profiles p left join (<one scan of behavior 1>) ... where <range>

Leaves that look at the same rows share a scan: one per behavior, one more per set of grouping columns, one per sliding
window, one per step of a sequence. Equal aggregates are computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from sqlglot import exp

from kohort.evaluation.aggregates import Aggregates, effective, holds_without_rows
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.ranking import Ranking
from kohort.evaluation.rows import Rows, Selection
from kohort.evaluation.sequences import Sequences
from kohort.evaluation.variants import variant
from kohort.parent.catalog import FieldCatalog
from kohort.parent.definition import TableRef
from kohort.parent.layout import ORDINAL, behavior_table, profiles_table
from kohort.rules.core import Aggregate, AttributeLeaf, BehaviorLeaf, Leaf, MemberLeaf, SequenceLeaf, TopOrder, VariantLeaf
from kohort.sql import build

PROFILES = "p"
SEQUENCE_DONE = "done"


@dataclass(frozen=True, slots=True)
class RefreshTables:
    """The tables of one refresh."""

    parent_id: int
    number: int

    def profiles(self, alias: str) -> exp.Table:
        return _table(profiles_table(self.parent_id, self.number), alias)

    def behavior(self, slug: str) -> exp.Table:
        return _table(behavior_table(self.parent_id, self.number, slug), "")


def _table(ref: TableRef, alias: str) -> exp.Table:
    return build.table(ref.database, ref.table, alias)


@dataclass
class Joined:
    """A query of at most one row per ordinal, to be joined, and the condition and default of each leaf it answers."""

    query: exp.Select
    answers: dict[Leaf, tuple[exp.Expression, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeafQueries:
    """Writes the queries for the tables of one refresh at one moment."""

    tables: RefreshTables
    catalog: FieldCatalog
    predicates: Predicates

    def query(self, leaves: Sequence[Leaf], low: int, high: int) -> exp.Select:
        """`ordinal`, then one boolean column per leaf in their order, for the ordinals from `low` to below `high`."""
        answers: dict[Leaf, exp.Expression] = {}
        select = exp.Select().from_(self.tables.profiles(PROFILES))
        for position, joined in enumerate(self._joined(leaves, low, high)):
            alias = f"q{position}"
            on = exp.EQ(this=build.column(ORDINAL, alias), expression=build.column(ORDINAL, PROFILES))
            select = select.join(exp.Subquery(this=joined.query), on=on, join_type="left", join_alias=alias, copy=False)
            for leaf, (condition, default) in joined.answers.items():
                held = build.column(condition.name, alias)
                answers[leaf] = exp.Coalesce(this=held, expressions=[build.boolean(default)])
        for leaf in leaves:
            if leaf not in answers:
                answers[leaf] = build.known(self._attribute_condition(leaf))
        columns = [build.named(answers[leaf], f"l{position}") for position, leaf in enumerate(leaves)]
        select.set("expressions", [build.column(ORDINAL, PROFILES), *columns])
        return select.where(in_range(PROFILES, low, high), copy=False)

    def ranking(self, order: Sequence[TopOrder], low: int, high: int, listed: Sequence[int] | None = None) -> exp.Select:
        """The ordinals from `low` to below `high` (only those listed), best first; ties by cdp_customer_id."""
        ranking = Ranking(self._rows(), ORDINAL, PROFILES, self.tables.behavior, (in_range("", low, high),))
        select = exp.Select(expressions=[build.column(ORDINAL, PROFILES)]).from_(self.tables.profiles(PROFILES))
        select, terms = ranking.joined(select.where(in_range(PROFILES, low, high), copy=False), order)
        if listed is not None:
            numbers = [build.integer(ordinal) for ordinal in listed]
            select = select.where(exp.In(this=build.column(ORDINAL, PROFILES), expressions=numbers), copy=False)
        select.set("order", terms)
        return select

    def _attribute_condition(self, leaf: Leaf) -> exp.Expression:
        match leaf:
            case AttributeLeaf(attribute, test):
                known = self.catalog.attribute[attribute]
                return self.predicates.test(build.column(known.name, PROFILES), test, known.scale)
            case VariantLeaf():
                return variant(leaf, PROFILES, self.predicates.dialect)
            case BehaviorLeaf() | SequenceLeaf() | MemberLeaf():
                raise AssertionError(f"not a test of the profile's own columns: {leaf}")
            case _:
                assert_never(leaf)

    # --- behaviors --------------------------------------------------------------------------------------------------

    def _joined(self, leaves: Sequence[Leaf], low: int, high: int) -> Iterable[Joined]:
        scans: dict[object, list[BehaviorLeaf]] = {}
        for leaf in leaves:
            if isinstance(leaf, BehaviorLeaf):
                scans.setdefault(_scan_key(effective(leaf.aggregate)), []).append(leaf)
            elif isinstance(leaf, SequenceLeaf):
                yield self._sequence(leaf, low, high)
        for together in scans.values():
            yield self._scan(together, low, high)

    def _rows(self) -> Rows:
        return Rows(self.predicates, self.catalog)

    def _sequence(self, leaf: SequenceLeaf, low: int, high: int) -> Joined:
        sequences = Sequences(self._rows(), ORDINAL, self.tables.behavior, (in_range("", low, high),))
        owners = sequences.owners(leaf).select(build.named(build.boolean(True), SEQUENCE_DONE), copy=False)
        return Joined(owners, {leaf: (build.column(SEQUENCE_DONE), False)})

    def _scan(self, leaves: Sequence[BehaviorLeaf], low: int, high: int) -> Joined:
        """Values per ordinal (per group, per row when sliding), then the tests of them; any group or row that passes counts."""
        scan = _ScanWriter(self, [effective(leaf.aggregate) for leaf in leaves], low, high)
        answers: dict[Leaf, tuple[exp.Expression, bool]] = {}
        columns: list[exp.Expression] = [build.column(ORDINAL)]
        for position, leaf in enumerate(leaves):
            name = f"c{position}"
            condition = scan.condition(effective(leaf.aggregate), leaf)
            columns.append(build.named(exp.LogicalOr(this=condition) if scan.gathers else condition, name))
            answers[leaf] = (build.column(name), holds_without_rows(leaf.aggregate, leaf.test))
        query = exp.Select(expressions=columns).from_(exp.Subquery(this=scan.values(), alias=_alias("v")))
        return Joined(query.group_by(build.column(ORDINAL), copy=False) if scan.gathers else query, answers)


class _ScanWriter:
    """Writes the inner query of a scan; equal SQL aggregates become one column."""

    def __init__(self, queries: LeafQueries, aggregates: Sequence[Aggregate], low: int, high: int) -> None:
        self.rows = queries._rows()
        self.sql = Aggregates(self.rows)
        self.table = queries.tables.behavior(aggregates[0].behavior)
        self.head = aggregates[0]
        self.selections = {Selection.of(one): None for one in aggregates}
        self.is_shared = len(self.selections) > 1
        self.gathers = bool(self.head.grouping) or self.head.sliding_micros is not None
        self.scope = in_range("", low, high)
        self.columns: dict[exp.Expression, str] = {}

    def condition(self, aggregate: Aggregate, leaf: BehaviorLeaf) -> exp.Expression:
        """The leaf's test over the columns of the inner query."""
        where = self.rows.selected(Selection.of(aggregate)) if self.is_shared else None
        parts = [self._column(part) for part in self.sql.parts(aggregate, where)]
        tested = self.sql.test(aggregate, parts, leaf.test)
        if not aggregate.grouping or where is None:
            return tested
        rows_in_group = self._column(exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=where.copy())))
        return build.all_of([exp.GT(this=rows_in_group, expression=build.integer(0)), tested])

    def _column(self, part: exp.Expression) -> exp.Column:
        return build.column(self.columns.setdefault(part, f"v{len(self.columns)}"))

    def values(self) -> exp.Select:
        """The values of the asked SQL aggregates."""
        keys: list[exp.Expression] = [build.column(ORDINAL), *(self.rows.column(name) for name in self.head.grouping)]
        conditions = [self.scope, *self.rows.scanned(self.selections)]
        if not self.is_shared:
            selected = self.rows.selected(next(iter(self.selections)))
            conditions += [] if selected is None else [selected]
        sliding = self.head.sliding_micros
        found = [
            build.named(part if sliding is None else sliding_window(part, keys, self.rows.micros, sliding), name)
            for part, name in self.columns.items()
        ]
        select = exp.Select(expressions=[build.column(ORDINAL), *found]).from_(self.table)
        select = select.where(build.all_of(conditions), copy=False)
        return select.group_by(*keys, copy=False) if sliding is None else select


def sliding_window(part: exp.Expression, keys: Sequence[exp.Expression], micros: exp.Expression, length: int) -> exp.Expression:
    """A SQL aggregate over the rows of the window `(t - length, t]` that ends at each row's time t (microseconds)."""
    return exp.Window(
        this=part,
        partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=[exp.Ordered(this=micros)]),
        spec=exp.WindowSpec(
            kind="RANGE", start=build.integer(min(length, 2**60) - 1), start_side="PRECEDING", end="CURRENT ROW", end_side=""
        ),
    )


def _scan_key(aggregate: Aggregate) -> object:
    if aggregate.sliding_micros is None:
        return aggregate.behavior, aggregate.grouping
    return aggregate.grouping, aggregate.sliding_micros, Selection.of(aggregate)


def in_range(alias: str, low: int, high: int) -> exp.Expression:
    """Ordinals from `low` to below `high`."""
    above = exp.GTE(this=build.column(ORDINAL, alias), expression=build.integer(low))
    below = exp.LT(this=build.column(ORDINAL, alias), expression=build.integer(high))
    return exp.And(this=above, expression=below)


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
