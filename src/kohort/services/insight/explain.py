"""Why one customer is, or is not, in a segment: the customer's own rows are fetched, everything is judged on them.

Limits choose among all customers; what they did comes from an evaluation of the limited conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap
from kohort.evaluation.explain import Explanation, Inquiry, LimitOutcome, Limits, walk
from kohort.evaluation.explain import explain as explain_inquiry
from kohort.evaluation.leaves import LeafQueries, RefreshTables
from kohort.evaluation.predicates import Predicates
from kohort.evaluation.reference import Profile, Row
from kohort.evaluation.source import SqlLeafSource
from kohort.evaluation.times import Moment
from kohort.evaluation.turning_points import NextChange, change_by_looking, moving_edges
from kohort.foundation.instants import MIN_MICROS, Micros, to_micros
from kohort.foundation.windows import Edge
from kohort.parent.catalog import TIME_FIELD, Behavior, Field, FieldCatalog
from kohort.parent.layout import ARRIVAL, CUSTOMER_ID, TIMESTAMP, behavior_table
from kohort.rules.ast import BehaviorCondition, Group, Rule, SequenceCondition
from kohort.rules.bind import bind
from kohort.rules.core import Expr, Top
from kohort.segments.definition import Segment
from kohort.segments.graph import SegmentGraph, bind_segments
from kohort.segments.rewriting import with_targets
from kohort.services.evaluation.evaluate import Engine, bind_rule
from kohort.services.profiles.card import find_profile, is_ordinal, naive_micros, profile_row
from kohort.sql import build
from kohort.sql.dialects import DUCKDB

TYPED = "\0typed"
"""The path of a rule that was typed."""
_LIMITED = "\0limited"
_LOOKED_AT_DAYS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class CustomerExplanation:
    """An explanation with who is meant. path: "" for a rule that was typed."""

    key: str
    customer_id: str
    path: str
    explanation: Explanation
    catalog: FieldCatalog


def explain_segment(engine: Engine, path: str, key: str, *, as_of: datetime | None = None, evidence: int = 5) -> CustomerExplanation:
    """Why the customer with that key is (not) in the segment or variant at `path`. Raises UserError PROFILE_NOT_FOUND."""
    engine.bound()
    return _explain(engine, path, engine.segments, key, as_of, evidence)


def explain_rule(engine: Engine, rule: Rule, key: str, *, as_of: datetime | None = None, evidence: int = 5) -> CustomerExplanation:
    """The same for a rule that is not saved. Raises InvalidInput."""
    bind_rule(engine, rule)
    return _explain(engine, TYPED, (*engine.segments, Segment(TYPED, rule=rule)), key, as_of, evidence)


def _explain(
    engine: Engine, path: str, segments: tuple[Segment, ...], key: str, as_of: datetime | None, evidence: int
) -> CustomerExplanation:
    moment = to_micros(as_of or engine.refresh.as_of)
    needed = needed_segments(engine, path, segments)
    ordinal, found_key = find_profile(engine, key)
    profile = _profile(engine, ordinal, needed)
    limits = _limits(engine, needed, ordinal, moment)
    inquiry = Inquiry(path, needed, engine.catalog, profile, moment, limits, evidence)
    explanation = explain_inquiry(inquiry)
    if explanation.next is None:
        explanation = replace(explanation, next=_next_among_others(engine, needed, path, ordinal, moment))
    return CustomerExplanation(found_key, profile.id, "" if path == TYPED else path, explanation, engine.catalog)


def _next_among_others(engine: Engine, segments: Mapping[str, Segment], path: str, ordinal: int, as_of: Micros) -> NextChange:
    """The next change of what depends on all customers: never where nothing moves with time, else looked for at up to 60 instants."""
    bound = bind_segments(segments.values(), engine.catalog, engine.key_column)
    if not _moves(engine, bound, path, as_of):
        return NextChange()
    return change_by_looking(lambda at: ordinal in engine.run(bound, at).members[path], as_of, _LOOKED_AT_DAYS)


def _moves(engine: Engine, bound: Mapping[str, Expr], path: str, as_of: Micros) -> bool:
    """Whether time alone can change anybody's membership: a window moves, or an event is dated later than now."""
    edges = moving_edges(bound[path], bound)
    if any(edge != Edge("as_of") or column != TIME_FIELD.name for (_, column), edge in edges):
        return True
    return any(latest_event(engine, behavior) > as_of for behavior in {behavior for (behavior, _), _ in edges})


def latest_event(engine: Engine, behavior: str) -> Micros:
    """The time of the last event there is."""
    ref = behavior_table(engine.parent.id, engine.refresh.number, behavior)
    query = exp.select(exp.Max(this=build.column(TIMESTAMP))).from_(build.table(ref.database, ref.table))
    value = engine.warehouse.query(query).column(0)[0].as_py()
    return MIN_MICROS if value is None else naive_micros(value)


def needed_segments(engine: Engine, path: str, segments: tuple[Segment, ...]) -> dict[str, Segment]:
    """The segment at `path` (or of that variant) and all it needs, targets as paths, key columns of A/B tests filled in."""
    graph = SegmentGraph.of(segments, engine.ids)
    found: dict[str, Segment] = {}
    queue = [graph.owners[path]]
    while queue:
        segment = graph.by_path[queue.pop()]
        if segment.path in found:
            continue
        found[segment.path] = _resolved(segment, graph, engine.key_column)
        queue.extend(graph.needs[segment.path])
    return found


def _resolved(segment: Segment, graph: SegmentGraph, key_column: str) -> Segment:
    resolved = with_targets(segment, lambda target: graph.resolve(target, segment.folder) or target)
    test = resolved.ab_test
    return resolved if test is None else replace(resolved, ab_test=replace(test, key_column=test.key_column or key_column))


# --- the customer's rows ------------------------------------------------------------------------------------------


def _profile(engine: Engine, ordinal: int, segments: Mapping[str, Segment]) -> Profile:
    """The customer with the rows of every behavior that the segments look at."""
    row = profile_row(engine, ordinal)
    attributes = {field.name: _value(row[field.name], field) for field in engine.catalog.attributes}
    attributes.setdefault(engine.key_column, row.get(engine.key_column))
    names = sorted({name for segment in segments.values() for name in _behaviors(segment.rule)})
    rows = {name: tuple(_rows(engine, engine.catalog.behavior[name], ordinal)) for name in names}
    return Profile(str(row[CUSTOMER_ID]), attributes, rows)


def _behaviors(rule: Rule) -> Iterator[str]:
    for _, condition in walk(rule):
        if isinstance(condition, BehaviorCondition):
            yield condition.behavior
        elif isinstance(condition, SequenceCondition):
            yield from (step.behavior for step in condition.steps)


def _rows(engine: Engine, behavior: Behavior, ordinal: int) -> Iterator[Row]:
    ref = behavior_table(engine.parent.id, engine.refresh.number, behavior.name)
    query = exp.select("*").from_(build.table(ref.database, ref.table)).where(is_ordinal(ordinal))
    for row in engine.warehouse.query(query).to_pylist():
        values = {field.name: _value(row[field.name], field) for field in behavior.fields}
        yield Row(naive_micros(row[TIMESTAMP]), int(row[ARRIVAL]), values)


def _value(value: Any, field: Field) -> Any:
    if isinstance(value, datetime):
        return naive_micros(value) if value.tzinfo is None else to_micros(value)
    return tuple(value) if field.is_array and value is not None else value


# --- limits -------------------------------------------------------------------------------------------------------


def _limits(engine: Engine, segments: Mapping[str, Segment], ordinal: int, as_of: Micros) -> Limits:
    """What every limit of the segments did to one customer."""
    places = [
        (path, place, condition)
        for path, segment in segments.items()
        for place, condition in walk(segment.rule)
        if condition.limit is not None
    ]
    if not places:
        return {}
    extra: list[Segment] = []
    for number, (path, _, condition) in enumerate(places):
        base = segments[path].base
        extra.append(Segment(f"{_LIMITED}{number}", rule=Group("all", (condition,)), base=base))
        extra.append(Segment(f"{_LIMITED}{number}\0all", rule=Group("all", (replace(condition, limit=None),)), base=base))
    bound = bind_segments((*segments.values(), *extra), engine.catalog, engine.key_column)
    members = engine.run(bound, as_of).members
    found = {}
    for number, (path, place, condition) in enumerate(places):
        kept, candidates = members[f"{_LIMITED}{number}"], members[f"{_LIMITED}{number}\0all"]
        top = bind(Group("all", (condition,)), engine.catalog, lambda target: target)
        rank = _rank(engine, top, candidates, ordinal, as_of) if isinstance(top, Top) and ordinal in candidates else None
        found[path, place] = LimitOutcome(candidates.count(), kept.count(), rank, ordinal in kept)
    return found


def _rank(engine: Engine, top: Top, candidates: Bitmap, ordinal: int, as_of: Micros) -> int | None:
    """The place of a customer among the candidates, from 1."""
    predicates = Predicates(DUCKDB, Moment(as_of, ZoneInfo(engine.catalog.timezone)))
    queries = LeafQueries(RefreshTables(engine.parent.id, engine.refresh.number), engine.catalog, predicates)
    source = SqlLeafSource(queries, engine.warehouse.query, candidates.size, engine.range_size, 1)
    among = candidates.to_bools()
    place = 0
    for chunk in source.ranked(candidates, top.order):
        ranked = chunk[among[chunk]]
        found = (ranked == ordinal).nonzero()[0]
        if len(found):
            return place + int(found[0]) + 1
        place += len(ranked)
    return None
