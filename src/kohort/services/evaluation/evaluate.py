"""Who is in which segment: evaluate all segments of a parent, count one rule, list and keep members.

Everything reads the last good refresh. The instant is that of the refresh unless another one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.evaluate import Evaluation, combine, sql_source
from kohort.evaluation.indexed.cache import ByteCache, LeafCache
from kohort.evaluation.leaves import RefreshTables
from kohort.evaluation.source import LeafSource
from kohort.evaluation.statement import rule_sql
from kohort.foundation.clock import Clock
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.instants import Micros, to_micros
from kohort.foundation.issues import Issues, did_you_mean
from kohort.membership.snapshots import SegmentKey, SnapshotManifest, SnapshotSegment, SnapshotStore, variant_name
from kohort.parent.catalog import FieldCatalog
from kohort.parent.catalog_codec import catalog_from_document
from kohort.parent.layout import ORDINAL, profiles_table
from kohort.ports.definitions import (
    DefinitionStore,
    EvaluationRecord,
    ParentRecord,
    PopulationRecord,
    RefreshRecord,
    SegmentRecord,
)
from kohort.ports.progress import Progress, Silent
from kohort.ports.warehouse import Queries
from kohort.rules.ast import Rule
from kohort.rules.bind import bind, leaves
from kohort.rules.check import check_rule
from kohort.rules.core import Expr, MemberLeaf
from kohort.rules.known import KnownConditions
from kohort.rules.places import located_in_text
from kohort.rules.text import parse_rule
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, bind_segments, problems
from kohort.services.definitions.push import check_segment
from kohort.services.definitions.stored import last_refresh, parent_of, segment_ids, segment_of
from kohort.services.evaluation.profile_keys import KeyText, key_reader
from kohort.services.refresh.index_files import refresh_index
from kohort.sql import build
from kohort.sql.dialects import DialectName

if TYPE_CHECKING:
    from kohort.evaluation.index_source import IndexLeafSource
    from kohort.index.columns import ProfileIndex
    from kohort.membership.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class IndexUse:
    """Where the profile indexes are, and what evaluations of one process share. threads: 0 = all cores."""

    root: Path
    cache: LeafCache
    threads: int = 0


@dataclass(frozen=True)
class Engine:
    """What an evaluation runs on: the last good refresh of one parent segment and all its segments.

    indexes: without them, or where the refresh has no index, everything is evaluated by SQL. records: of the segments, by path.
    What it works out for one question it keeps for the next, also of another thread.
    """

    warehouse: Queries
    parent: ParentRecord
    refresh: RefreshRecord
    catalog: FieldCatalog
    key_column: str
    segments: tuple[Segment, ...]
    ids: Mapping[str, str]
    range_size: int
    indexes: IndexUse | None = None
    records: Mapping[str, SegmentRecord] = field(default_factory=dict)

    @cached_property
    def graph(self) -> SegmentGraph:
        return SegmentGraph.of(self.segments, self.ids)

    def bound(self) -> dict[str, Expr]:
        """Path -> core form of every segment and variant. Raises InvalidInput when a rule no longer fits the fields."""
        return dict(self._bound)

    @cached_property
    def _bound(self) -> Mapping[str, Expr]:
        issues = Issues()
        for segment in self.segments:
            for issue in check_segment(segment, self.catalog).errors:
                issues.error(issue.code, f"{segment.path}: {issue.message}", issue.path, issue.hint)
        issues.raise_if_errors()
        return bind_segments(self.segments, self.catalog, self.key_column, self.ids)

    @cached_property
    def problems(self) -> Mapping[str, Issues]:
        """What is wrong between the segments; see `kohort.segments.graph.problems`."""
        return problems(self.segments, self.ids)

    @cached_property
    def conditions(self) -> KnownConditions:
        """Conditions that were previewed before."""
        return KnownConditions(self.catalog)

    def run(self, exprs: Mapping[str, Expr], as_of: Micros, progress: Progress | None = None) -> Evaluation:
        """The members of each expression (those referred to stand first)."""
        return combine(exprs, self.source(as_of, progress))

    def source(self, as_of: Micros, progress: Progress | None = None) -> LeafSource:
        """What answers conditions at an instant: the profile index where there is one, else SQL."""
        report = progress or Silent()
        index = self.index

        def step(done: int, total: int) -> None:
            report.step("Evaluate segments", done, total)

        refresh, warehouse = RefreshTables(self.parent.id, self.refresh.number), self.warehouse

        def query(statement: Any) -> Any:
            return warehouse.query(statement)

        if index is None or self.indexes is None:
            return sql_source(refresh, self.catalog, query, as_of, self.ordinals(), self.range_size, progress=step)
        from kohort.evaluation.index_source import IndexLeafSource

        source = self._sources.get(as_of)
        if source is None:
            fallback = sql_source(refresh, self.catalog, query, as_of, index.size, self.range_size)
            source = IndexLeafSource(index, self.catalog, as_of, fallback, self.indexes.cache, self.indexes.threads, self._work)
            self._sources.clear()
            self._sources[as_of] = source
        source.progress = step
        source.compiling = lambda done, total: report.step("Compile for this machine (once)", done, total)
        return source

    @cached_property
    def index(self) -> ProfileIndex | None:
        """The open profile index of the refresh; None when there is none."""
        if self.indexes is None:
            return None
        return refresh_index(self.indexes.root, self.refresh)

    @cached_property
    def key_text(self) -> KeyText | None:
        """The master key of an ordinal, from the index; None when that does not have it."""
        return None if self.index is None else key_reader(self.index, self.catalog, self.key_column, self.parent, self.refresh)

    @cached_property
    def opened_snapshots(self) -> dict[int, Snapshot]:
        """Evaluation id -> its members, opened: the last one that was needed."""
        return {}

    @cached_property
    def rows_seen(self) -> dict[tuple[str, ...], dict[int, tuple[Any, ...]]]:
        """Columns -> ordinal -> row: samples shown before. Rows of a refresh never change."""
        return {}

    @cached_property
    def _sources(self) -> dict[Micros, IndexLeafSource]:
        """The last instant's source: what it worked out serves the next question."""
        return {}

    @cached_property
    def _work(self) -> ByteCache[Any]:
        """Masks and window edges of the index that serve questions of every instant."""
        from kohort.evaluation.index_source import WORK_BYTES

        return ByteCache(WORK_BYTES)

    def forget_work(self) -> None:
        """Give back the memory of what only makes the next question faster."""
        self._sources.clear()
        self.__dict__.pop("_work", None)

    def ordinals(self) -> int:
        """The exclusive upper bound of the refresh's ordinals."""
        table = profiles_table(self.parent.id, self.refresh.number)
        highest = exp.Max(this=build.column(ORDINAL))
        value = self.warehouse.query(exp.select(highest).from_(build.table(table.database, table.table))).column(0)[0].as_py()
        return 0 if value is None else int(value) + 1


def open_engine(
    warehouse: Queries,
    store: DefinitionStore,
    parent: ParentRecord,
    range_size: int,
    indexes: IndexUse | None = None,
    before: Engine | None = None,
) -> Engine:
    """Raises UserError NOT_REFRESHED when the parent segment has no good refresh yet.

    before: one that was opened earlier; what has not changed since is not read again.
    """
    refresh = last_refresh(store, parent)
    records = store.segments(parent.id)
    known = {segment.path: segment for segment in before.segments} if before is not None else {}
    old = before.records if before is not None else {}
    segments = tuple(known[one.path] if old.get(one.path) == one else segment_of(one) for one in records)
    catalog = before.catalog if before is not None and before.refresh == refresh else catalog_from_document(refresh.catalog)
    key, by_path = parent_of(parent).key_column, {record.path: record for record in records}
    return Engine(warehouse, parent, refresh, catalog, key, segments, segment_ids(records), range_size, indexes, by_path)


def evaluate_all(
    engine: Engine,
    store: DefinitionStore,
    snapshots: SnapshotStore,
    clock: Clock,
    *,
    as_of: datetime | None = None,
    keep: int = 30,
    progress: Progress | None = None,
) -> EvaluationRecord:
    """Evaluate every segment and variant, keep populations and members. as_of: default the refresh's instant."""
    moment = as_of or engine.refresh.as_of
    versions = {path: (record.id, record.version) for path, record in engine.records.items()}
    outcome = engine.run(engine.bound(), to_micros(moment), progress)
    counts = {path: members.count() for path, members in outcome.members.items()}
    total = outcome.live.count()
    populations = [_population(engine, path, counts, total, versions) for path in counts]
    with store.transaction():
        record = store.save_evaluation(
            engine.parent.id, engine.refresh.number, as_of=moment, at=clock.now(), total=total, populations=populations
        )
        manifest = SnapshotManifest(
            engine.parent.id, record.id, record.refresh_number, to_micros(moment), total, _kept(engine, populations)
        )
        snapshots.save(manifest, {path: members.words for path, members in outcome.members.items()}, outcome.live.words, keep)
    return record


def _kept(engine: Engine, populations: Sequence[PopulationRecord]) -> tuple[SnapshotSegment, ...]:
    owners = engine.graph.owners
    return tuple(
        SnapshotSegment(SegmentKey(p.segment_id, variant_name(p.path, owners[p.path])), p.path, p.version, p.count) for p in populations
    )


def _population(
    engine: Engine, path: str, counts: Mapping[str, int], total: int, versions: Mapping[str, tuple[int, int]]
) -> PopulationRecord:
    graph = engine.graph
    owner = graph.owners[path]
    segment = graph.by_path[owner]
    base = owner if path != owner else (graph.resolve(segment.base, segment.folder) if segment.base else None)
    segment_id, version = versions[owner]
    return PopulationRecord(path, segment_id, version, counts[path], base or engine.parent.name, counts[base] if base else total)


@dataclass(frozen=True, slots=True)
class Count:
    """How many of `total` profiles match at `as_of`."""

    count: int
    total: int
    as_of: datetime


def count_expr(engine: Engine, expr: Expr, as_of: datetime | None = None) -> Count:
    """Count a rule, saved or not."""
    members, live, moment = members_of(engine, expr, as_of)
    return Count(members.count(), live.count(), moment)


def bind_rule(engine: Engine, rule: Rule, folder: str = "") -> Expr:
    """The core form of a rule. Raises InvalidInput."""
    graph = engine.graph
    names = list(dict.fromkeys((*graph.owners, *graph.named, *graph.ids)))
    check_rule(rule, engine.catalog, names).raise_if_errors()
    return bind(rule, engine.catalog, lambda target: graph.resolve(target, folder))


def bind_segment(engine: Engine, segment: Segment) -> Expr:
    """The core form of a segment that need not be saved, its base included. Raises InvalidInput."""
    others = tuple(other for other in engine.segments if other.path != segment.path)
    issues = check_segment(segment, engine.catalog)
    issues.raise_if_errors()
    return bind_segments((*others, segment), engine.catalog, engine.key_column, engine.ids)[segment.path]


def resolve_path(engine: Engine, target: str) -> str:
    """The path of a segment or variant. Raises UserError SEGMENT_NOT_FOUND, AMBIGUOUS_SEGMENT."""
    graph = engine.graph
    path = graph.resolve(target.strip("/"))
    if path is None:
        same = graph.named.get(target, ())
        if same:
            raise UserError(
                "AMBIGUOUS_SEGMENT", f'"{target}" is the name of {len(same)} segments: {", ".join(same)}', hint="write the whole path"
            )
        raise UserError("SEGMENT_NOT_FOUND", f'there is no segment "{target}"', hint=did_you_mean(target, [*graph.owners, *graph.named]))
    return path


def statement_of(engine: Engine, expr: Expr, as_of: datetime | None = None, dialect: DialectName = "duckdb") -> str:
    """A rule as one SQL statement over the public views, for one engine."""
    moment = to_micros(as_of or engine.refresh.as_of)
    segments = _needed(expr, engine)
    return rule_sql(expr, parent_id=engine.parent.id, catalog=engine.catalog, as_of=moment, segments=segments, dialect=dialect)


def members_of(engine: Engine, expr: Expr, as_of: datetime | None = None) -> tuple[Bitmap, Bitmap, datetime]:
    """(members, all profiles, instant) of a rule."""
    moment = as_of or engine.refresh.as_of
    needed = _needed(expr, engine)
    outcome = engine.run({**needed, _ASKED: expr}, to_micros(moment))
    return outcome.members[_ASKED], outcome.live, moment


_ASKED = "\0asked"


def _needed(expr: Expr, engine: Engine) -> dict[str, Expr]:
    """The segments an expression refers to, directly or not, in the order of evaluation."""
    return needed_segments(engine, [leaf.path for leaf in leaves(expr) if isinstance(leaf, MemberLeaf)])


def needed_segments(engine: Engine, paths: Iterable[str]) -> dict[str, Expr]:
    """The core form of these segments and of all that they refer to, in the order of evaluation. Raises InvalidInput."""
    queue = list(dict.fromkeys(paths))
    if not queue:
        return {}
    bound = engine.bound()
    wanted = set(queue)
    while queue:
        for leaf in leaves(bound[queue.pop()]):
            if isinstance(leaf, MemberLeaf) and leaf.path not in wanted:
                wanted.add(leaf.path)
                queue.append(leaf.path)
    return {path: expr for path, expr in bound.items() if path in wanted}


def bind_text(engine: Engine, text: str) -> Expr:
    """The core form of a rule typed on a line. Raises InvalidInput with columns."""
    rule = read_text_rule(text, engine.catalog)
    with placed_in(text, engine.catalog):
        return bind_rule(engine, rule)


@contextmanager
def placed_in(text: str, catalog: FieldCatalog) -> Iterator[None]:
    """Problems of the rule that `text` says get their places in it."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(located_in_text(error.issues, text, catalog)) from None


def read_text_rule(text: str, catalog: FieldCatalog) -> Rule:
    """A rule typed on a line. Raises InvalidInput with columns."""
    rule, issues = parse_rule(text, catalog)
    issues.raise_if_errors()
    return rule
