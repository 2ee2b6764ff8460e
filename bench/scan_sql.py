"""One scan per behavior for all conditions of all segments, as SQL for DuckDB and for ClickHouse.

    SELECT p.ordinal, <one truth per condition> FROM profiles p LEFT JOIN (<one scan of behavior 1>) q0 ON ... LEFT JOIN ...

Written for speed from the same bound rules that Kohort evaluates: equal aggregates are computed once, all "since" windows share one
newest time, sliding windows look back by rows, sequences are ASOF joins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlglot import exp

from bench.scan import rows_before
from kohort.evaluation.aggregates import Aggregates, effective, holds_without_rows
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.rows import Rows, Selection, common_bounds
from kohort.evaluation.times import Moment
from kohort.foundation.instants import Micros
from kohort.parent.catalog import FieldCatalog
from kohort.rules.core import (
    Aggregate,
    AttributeLeaf,
    BehaviorLeaf,
    Compare,
    IsNullTest,
    Leaf,
    SequenceLeaf,
    SequenceStep,
    Test,
    TopOrder,
)
from kohort.sql import build
from kohort.sql.dialects import SqlDialect


@dataclass(frozen=True, slots=True)
class Words:
    """What an engine says differently.

    place: what orders rows of one profile by (time, arrival); truth: any of some booleans; known_array: whether an array is not null,
    where the engine cannot say; distinct_apart: distinct values are counted faster in a scan of their own.
    """

    dialect: SqlDialect
    place: str
    truth: str
    written: Callable[[exp.Expression], str]
    known_array: str = ""
    distinct_apart: bool = False


class ScanSql:
    """Writes the query for the conditions of a range of profiles. table: the SQL name of a behavior's table; "" of the profiles'."""

    def __init__(self, words: Words, catalog: FieldCatalog, as_of: Micros, table: Callable[[str], str]) -> None:
        self.words, self.catalog, self.table = words, catalog, table
        predicates = Predicates(words.dialect, Moment(as_of, ZoneInfo(catalog.timezone)))
        self.rows = Rows(predicates, catalog)
        self.as_of = as_of

    def query(self, leaves: Sequence[Leaf], low: int, high: int) -> str:
        """`ordinal`, then one boolean per condition in their order, for the profiles from `low` to below `high`."""
        joined, answers = [], dict[Leaf, str]()
        for position, (sql, found) in enumerate(self._scans(leaves, _between(low, high))):
            joined.append(f"LEFT JOIN ({sql}) q{position} ON q{position}.ordinal = p.ordinal")
            answers |= {leaf: f"coalesce(q{position}.{name}, {default})" for leaf, (name, default) in found.items()}
        columns = [
            f"{answers[leaf] if leaf in answers else f'coalesce({self._attribute(leaf)}, false)'} AS l{position}"
            for position, leaf in enumerate(leaves)
        ]
        profiles = f"(SELECT * FROM {self.table('')} WHERE {_between(low, high)}) p"
        return f"SELECT p.ordinal AS ordinal, {', '.join(columns)} FROM {profiles} {' '.join(joined)}"

    def ranking(self, order: Sequence[TopOrder], limit: int) -> str:
        """The ordinals of the first `limit` profiles by attributes, ties by cdp_customer_id."""
        terms = [f'"{one.by}" {"DESC" if one.descending else "ASC"} NULLS LAST' for one in order if isinstance(one.by, str)]
        if len(terms) < len(order):
            raise NotImplementedError("a limit by an aggregate")
        return f"SELECT ordinal FROM {self.table('')} ORDER BY {', '.join(terms)}, cdp_customer_id LIMIT {limit}"

    def _attribute(self, leaf: Leaf) -> str:
        if not isinstance(leaf, AttributeLeaf):
            raise NotImplementedError(type(leaf).__name__)
        known = self.catalog.attribute[leaf.attribute]
        flag = self.words.known_array.format(known.name) if known.is_array else ""
        if flag and isinstance(leaf.test.predicate, IsNullTest):
            return flag if leaf.test.negated else f"NOT {flag}"
        tested = self.words.written(self.rows.predicates.test(build.column(known.name, "p"), leaf.test, known.scale))
        return f"({flag} AND {tested})" if flag else tested

    # --- behaviors --------------------------------------------------------------------------------------------------

    def _scans(self, leaves: Sequence[Leaf], scope: str) -> list[tuple[str, dict[Leaf, tuple[str, str]]]]:
        """Queries with one row per profile; of each the conditions it answers, with the column and what holds without a row."""
        together: dict[object, list[BehaviorLeaf]] = {}
        found: list[tuple[str, dict[Leaf, tuple[str, str]]]] = []
        for leaf in leaves:
            match leaf:
                case BehaviorLeaf(aggregate) if aggregate.sliding_micros is not None:
                    found.append((self._sliding(leaf, scope), {leaf: ("c0", "false")}))
                case BehaviorLeaf(aggregate) if self._is_apart(aggregate):
                    found.append((self._distinct(leaf, scope), {leaf: ("c0", _default(leaf))}))
                case BehaviorLeaf(aggregate):
                    together.setdefault((aggregate.behavior, aggregate.grouping), []).append(leaf)
                case SequenceLeaf():
                    found.append((self._sequence(leaf, scope), {leaf: ("c0", "false")}))
                case _:
                    pass
        return [*found, *(self._scan(some, scope) for some in together.values())]

    def _scan(self, leaves: Sequence[BehaviorLeaf], scope: str) -> tuple[str, dict[Leaf, tuple[str, str]]]:
        head = effective(leaves[0].aggregate)
        selections = dict.fromkeys(Selection.of(leaf.aggregate) for leaf in leaves)
        values: dict[str, str] = {}
        tests = [self._test(leaf, values, len(selections) > 1) for leaf in leaves]
        if head.grouping:
            tests = [f"{self.words.truth}({test})" for test in tests]
        conditions = [scope, *(self.words.written(one) for one in self.rows.scanned(selections))]
        if len(selections) == 1 and (selected := self.rows.selected(next(iter(selections)))) is not None:
            conditions.append(self.words.written(selected))
        keys = ", ".join(["ordinal", *(f'"{name}"' for name in head.grouping)])
        columns = ", ".join(["ordinal", *(f"{sql} AS {name}" for sql, name in values.items())])
        inner = f"SELECT {columns} FROM {self.table(head.behavior)} WHERE {_all(conditions)} GROUP BY {keys}"
        named = ", ".join(f"{test} AS c{position}" for position, test in enumerate(tests))
        outer = f"SELECT ordinal, {named} FROM ({inner}) v{' GROUP BY ordinal' if head.grouping else ''}"
        return outer, {leaf: (f"c{position}", _default(leaf)) for position, leaf in enumerate(leaves)}

    def _is_apart(self, aggregate: Aggregate) -> bool:
        plain = aggregate.key == "CountDistinct" and len(aggregate.columns) == 1 and not aggregate.grouping
        return self.words.distinct_apart and plain and aggregate.sliding_micros is None

    def _distinct(self, leaf: BehaviorLeaf, scope: str) -> str:
        """The distinct values of each profile, then how many they are."""
        name, selection = leaf.aggregate.columns[0], Selection.of(leaf.aggregate)
        conditions = [scope, *(self.words.written(one) for one in self.rows.scanned([selection])), f'"{name}" IS NOT NULL']
        if (selected := self.rows.selected(selection)) is not None:
            conditions.append(self.words.written(selected))
        values = f'SELECT DISTINCT ordinal, "{name}" FROM {self.table(leaf.aggregate.behavior)} WHERE {_all(conditions)}'
        tested = self.words.written(Aggregates(self.rows).test(leaf.aggregate, [build.column("v0")], leaf.test))
        return f"SELECT ordinal, {tested} AS c0 FROM (SELECT ordinal, count(*) AS v0 FROM ({values}) d GROUP BY ordinal) v"

    def _test(self, leaf: BehaviorLeaf, values: dict[str, str], shared: bool) -> str:
        """The condition over the columns of the scan, whose aggregates it adds to `values` (SQL -> name)."""
        aggregate = effective(leaf.aggregate)

        def named(sql: str) -> exp.Column:
            return build.column(values.setdefault(sql, f"v{len(values)}"))

        newest = self._newest(aggregate, leaf.test)
        if newest is not None:
            sql, since, holds = newest
            tested = f"coalesce({named(sql).name} >= {self._time(since)}, false)"
            return tested if holds else f"NOT {tested}"
        where = self.rows.selected(Selection.of(aggregate)) if shared else None
        if aggregate.key in ("First", "Last") and not aggregate.order_column:
            parts: list[exp.Expression] = [named(self._at_end(aggregate, where))]
        else:
            parts = [named(self.words.written(part)) for part in Aggregates(self.rows).parts(aggregate, where)]
        tested = self.words.written(Aggregates(self.rows).test(aggregate, parts, leaf.test))
        if aggregate.grouping and where is not None:
            return f"({tested}) AND {named(f'count(*) FILTER (WHERE {self.words.written(where)})').name} > 0"
        return tested

    def _newest(self, aggregate: Aggregate, test: Test) -> tuple[str, Micros, bool] | None:
        """Whether there is (or is no) row since some time: (SQL of the newest time, the bound, whether there must be one)."""
        match test.predicate:
            case Compare(">=", 1):
                holds = not test.negated
            case Compare("<", 1) | Compare("<=", 0) | Compare("=", 0):
                holds = test.negated
            case _:
                return None
        bounds = common_bounds(Selection.of(aggregate), self.as_of, self.rows.predicates)
        if aggregate.key != "Count" or aggregate.grouping or bounds.is_empty or bounds.first is None or bounds.last is not None:
            return None
        passes = self.rows.selected(Selection(aggregate.behavior, aggregate.filter))
        filtered = "" if passes is None else f" FILTER (WHERE {self.words.written(passes)})"
        return f"max(timestamp){filtered}", bounds.first, holds

    def _at_end(self, aggregate: Aggregate, where: exp.Expression | None) -> str:
        name = aggregate.columns[0]
        conditions = [f'"{name}" IS NOT NULL', *([] if where is None else [self.words.written(where)])]
        function = exp.ArgMin if aggregate.key == "First" else exp.ArgMax
        place = exp.maybe_parse(self.words.place, dialect=self.words.dialect.name)
        return f"{self.words.written(function(this=build.column(name), expression=place))} FILTER (WHERE {_all(conditions)})"

    def _sliding(self, leaf: BehaviorLeaf, scope: str) -> str:
        """Owners of n rows within the window: the row n - 1 places before is near enough."""
        aggregate, before = leaf.aggregate, rows_before(leaf)
        rows = self._candidates(SequenceStep(aggregate.behavior, aggregate.filter, aggregate.windows), scope)
        micros = [self.words.written(self.rows.predicates.dialect.micros(build.column(name))) for name in ("t", "earlier")]
        back = f"SELECT ordinal, t, lag(t, {before}) OVER (PARTITION BY ordinal ORDER BY t) AS earlier FROM ({rows}) r"
        near = f"earlier IS NOT NULL AND {micros[0]} - {micros[1]} < {aggregate.sliding_micros}"
        return f"SELECT DISTINCT ordinal, true AS c0 FROM ({back}) s WHERE {near}"

    def _sequence(self, leaf: SequenceLeaf, scope: str) -> str:
        """Each step's rows with the nearest earlier row that reached the step before."""
        first, *later = leaf.steps
        reached = self._candidates(first, scope)
        for step in later:
            joined = f"({self._candidates(step, scope)}) b ASOF JOIN ({reached}) a ON a.ordinal = b.ordinal AND b.t > a.t"
            micros = [self.words.written(self.rows.predicates.dialect.micros(build.column("t", of))) for of in "ba"]
            near = "" if step.within_micros is None else f" WHERE {micros[0]} - {micros[1]} <= {step.within_micros}"
            reached = f"SELECT b.ordinal AS ordinal, b.t AS t FROM {joined}{near}"
        return f"SELECT DISTINCT ordinal, true AS c0 FROM ({reached}) s"

    def _candidates(self, step: SequenceStep, scope: str) -> str:
        selected = self.rows.selected(Selection.of(step))
        conditions = [scope, self.words.written(self.rows.exists()), *([] if selected is None else [self.words.written(selected)])]
        return f"SELECT ordinal, timestamp AS t FROM {self.table(step.behavior)} WHERE {_all(conditions)}"

    def _time(self, micros: Micros) -> str:
        return self.words.written(build.timestamp(micros, self.words.dialect))


def _default(leaf: BehaviorLeaf) -> str:
    """What holds for a profile without rows."""
    return "true" if holds_without_rows(leaf.aggregate, leaf.test) else "false"


def _between(low: int, high: int) -> str:
    return f"ordinal >= {low} AND ordinal < {high}"


def _all(conditions: Sequence[str]) -> str:
    return " AND ".join(f"({one})" for one in conditions)
