"""What is odd about segments: their rules by themselves, and what the rules come to on the customers of the last refresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

from sqlglot import exp

from kohort.evaluation.bitmap import Bitmap
from kohort.foundation.instants import MIN_MICROS, Micros, from_micros, to_micros
from kohort.foundation.issues import Issue, Issues, Path
from kohort.parent.layout import profiles_table
from kohort.ports.progress import Progress
from kohort.rules.ast import EVERYBODY, Condition, Group
from kohort.rules.bind import bind
from kohort.rules.core import BehaviorLeaf, Expr, MemberLeaf
from kohort.rules.lint import lint_rule
from kohort.rules.lint_codes import OF_DATA, UNUSED_IGNORE
from kohort.rules.places import located
from kohort.rules.text import write_rule
from kohort.segments.definition import Segment
from kohort.services.evaluation.evaluate import Engine
from kohort.services.insight.explain import latest_event, needed_segments
from kohort.sql import build
from kohort.workspace.reading import SegmentFile

SAME_MEMBERS = 0.98
"""Segments of which the common members are at least this share of all members of the two are nearly the same."""
_RULE: Path = ("rule",)
_PART = "\0part"


@dataclass(frozen=True, slots=True)
class LintedSegment:
    """What is odd about one segment; issue paths lead into its document. silenced: what its `lint.ignore` says is meant so."""

    path: str
    population: int
    issues: tuple[Issue, ...]
    silenced: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class LintReport:
    """segments: those asked for, in order of path, with or without findings. total: customers of the refresh."""

    segments: tuple[LintedSegment, ...]
    total: int

    @property
    def findings(self) -> int:
        return sum(len(segment.issues) for segment in self.segments)

    @property
    def silenced(self) -> int:
        return sum(len(segment.silenced) for segment in self.segments)


def lint_segments(
    engine: Engine, paths: Collection[str] = (), *, as_of: datetime | None = None, progress: Progress | None = None
) -> LintReport:
    """Check segments (default: all) beyond validity. Raises InvalidInput when a rule no longer fits the fields."""
    bound = engine.bound()
    asked = [engine.graph.by_path[path] for path in sorted(paths or engine.graph.by_path)]
    parts = {f"{_PART}{number}": part for number, part in enumerate(_conditions(engine, asked))}
    exprs: dict[str, Expr] = {**bound, **{name: part.expr for name, part in parts.items()}}
    moment = to_micros(as_of or engine.refresh.as_of)
    outcome = engine.run(exprs, moment, progress)
    nullable = _nullable(engine)
    found = {segment.path: lint_rule(segment.rule, engine.catalog, _RULE, nullable.__contains__) for segment in asked}
    why = _Why(engine, moment)
    alone = {path for path, number in Counter(part.segment for part in parts.values()).items() if number == 1}
    hints = {
        part.segment: why.nobody(part.expr)
        for name, part in parts.items()
        if part.segment in alone and not outcome.members[name].count() and not isinstance(part.expr, MemberLeaf)
    }
    for segment in asked:
        _of_population(segment, outcome.members, outcome.live, found[segment.path], hints.get(segment.path, ""))
    for name, part in parts.items():
        if part.segment in alone and {"LINT_EMPTY", "LINT_EVERYBODY"} & set(found[part.segment].codes()):
            continue
        _of_condition(part, outcome.members[name], outcome.live, found[part.segment], why)
    _twins(engine, outcome.members, outcome.live.count(), found)
    linted = tuple(_linted(segment, outcome.members[segment.path].count(), found[segment.path]) for segment in asked)
    return LintReport(linted, outcome.live.count())


def in_files(report: LintReport, engine: Engine, files: Iterable[SegmentFile]) -> LintReport:
    """The same with file, line and column of what is odd, for segments whose file says what is saved."""
    documents = {
        file.segment.path: file.document
        for file in files
        if file.sound and file.segment.path in engine.graph.by_path and file.segment.rule == engine.graph.by_path[file.segment.path].rule
    }

    def placed(segment: LintedSegment, issues: tuple[Issue, ...]) -> tuple[Issue, ...]:
        found = located(Issues(list(issues)), documents[segment.path])
        return tuple(replace(one, path=issue.path) if issue.path else issue for issue, one in zip(issues, found, strict=True))

    segments = (
        replace(segment, issues=placed(segment, segment.issues)) if segment.path in documents else segment for segment in report.segments
    )
    return replace(report, segments=tuple(segments))


def _linted(segment: Segment, population: int, issues: Issues) -> LintedSegment:
    """Findings apart from those that are silenced; what is silenced for nothing is a finding."""
    ignored = segment.lint_ignore
    silenced = tuple(issue for issue in issues if issue.code in ignored)
    said = Issues()
    said.extend(issue for issue in issues if issue.code not in ignored)
    for index, code in enumerate(ignored):
        if code not in OF_DATA and code not in {issue.code for issue in silenced}:
            said.warning(UNUSED_IGNORE, f"{code} is silenced but not found", ("lint", "ignore", index), "remove it from lint.ignore")
    return LintedSegment(segment.path, population, tuple(said), silenced)


@dataclass(frozen=True, slots=True)
class _Part:
    """One condition of a segment. text: in text form."""

    segment: str
    path: Path
    text: str
    expr: Expr


def _conditions(engine: Engine, segments: list[Segment]) -> Iterator[_Part]:
    """Every condition that is not a group, its limit left aside."""
    for segment in segments:
        resolved = needed_segments(engine, segment.path, engine.segments)[segment.path]
        for path, condition in _leaves(resolved.rule, _RULE):
            plain = Group("all", (replace(condition, limit=None, description=""),))
            yield _Part(segment.path, path, write_rule(plain), bind(plain, engine.catalog, lambda target: target))


def _leaves(condition: Condition, path: Path) -> Iterator[tuple[Path, Condition]]:
    if isinstance(condition, Group):
        for index, part in enumerate(condition.conditions):
            yield from _leaves(part, (*path, "conditions", index))
    else:
        yield path, condition


def _nullable(engine: Engine) -> frozenset[str]:
    """The attributes that have no value for somebody."""
    names = [field.name for field in engine.catalog.attributes]
    if not names:
        return frozenset()
    table = profiles_table(engine.parent.id, engine.refresh.number)
    counts = [exp.Count(this=exp.Star()), *(exp.Count(this=build.column(name)) for name in names)]
    columns = [exp.alias_(count, f"c{position}") for position, count in enumerate(counts)]
    found = engine.warehouse.query(exp.select(*columns).from_(build.table(table.database, table.table)))
    total, *filled = [column.to_pylist()[0] for column in found.columns]
    return frozenset(name for name, number in zip(names, filled, strict=True) if number < total)


# --- what the data says -------------------------------------------------------------------------------------------


def _of_population(segment: Segment, members: Mapping[str, Bitmap], live: Bitmap, issues: Issues, hint: str) -> None:
    """hint: why its only condition holds for nobody, where that is so."""
    count = members[segment.path].count()
    if count == 0 and live.count():
        told = {"LINT_CONTRADICTION", "LINT_NEVER", "LINT_FUTURE_WINDOW"} & set(issues.codes())
        hint = "the finding above says why" if told else hint or f'see which condition drops all: kohort sg preview "{segment.path}"'
        issues.warning("LINT_EMPTY", f'nobody is in "{segment.path}"', _RULE, hint)
    elif count == live.count() and segment.rule != EVERYBODY:
        issues.warning("LINT_EVERYBODY", f'everybody is in "{segment.path}"', _RULE, "its rule keeps nobody out")


class _Why:
    """Why a condition may hold for nobody."""

    def __init__(self, engine: Engine, as_of: Micros) -> None:
        self._engine, self._as_of, self._zone = engine, as_of, ZoneInfo(engine.catalog.timezone)
        self._latest: dict[str, Micros] = {}

    def nobody(self, expr: Expr) -> str:
        """What to look at: its window may lie behind the last event."""
        if isinstance(expr, BehaviorLeaf):
            behavior = expr.aggregate.behavior
            if behavior not in self._latest:
                self._latest[behavior] = latest_event(self._engine, behavior)
            last = self._latest[behavior]
            if last == MIN_MICROS:
                return f'"{behavior}" has no events'
            if any(last < window.interval(self._as_of, self._zone).low for window in expr.aggregate.windows):
                return f'the last event of "{behavior}" is of {from_micros(last).astimezone(self._zone).date()}, before the window begins'
        return "is its value written as in the data?"


def _of_condition(part: _Part, members: Bitmap, live: Bitmap, issues: Issues, why: _Why) -> None:
    if isinstance(part.expr, MemberLeaf) or not live.count():
        return
    told = {issue.path for issue in issues if issue.code in ("LINT_NEVER", "LINT_ALWAYS", "LINT_FUTURE_WINDOW")}
    count = members.count()
    if count == 0 and part.path not in told:
        issues.warning("LINT_KEEPS_NOBODY", f'"{part.text}" holds for nobody', part.path, why.nobody(part.expr))
    elif count == live.count() and part.path not in told:
        issues.warning("LINT_KEEPS_EVERYBODY", f'"{part.text}" holds for everybody', part.path, "today it makes no difference")


def _twins(engine: Engine, members: Mapping[str, Bitmap], total: int, found: Mapping[str, Issues]) -> None:
    """Segments with nearly the same members, said once at the later one of those asked for."""
    counts = {path: members[path].count() for path in engine.graph.by_path}
    for one, other in combinations(sorted(counts), 2):
        low, high = sorted((counts[one], counts[other]))
        if low in (0, total) or low < SAME_MEMBERS * high or not {one, other} & set(found):
            continue
        if _is_split_of(engine, one, other) or _is_split_of(engine, other, one):
            continue
        common = (members[one] & members[other]).count()
        if common < SAME_MEMBERS * (low + high - common):
            continue
        place, twin = (other, one) if other in found and (one not in found or other not in engine.graph.needs[one]) else (one, other)
        if "LINT_SAME_MEMBERS" in found[place].codes():
            continue
        same = "the same" if common == high else "nearly the same"
        message = f'"{place}" and "{twin}" have {same} members: {common:,} in both, {low + high - common:,} in one or the other'
        found[place].warning("LINT_SAME_MEMBERS", message, _RULE, f"one may do, or one may refer to the other: in segment '{twin}'")


def _is_split_of(engine: Engine, path: str, other: str) -> bool:
    """Whether a segment is there to split another one in an A/B test."""
    return engine.graph.by_path[path].ab_test is not None and other in engine.graph.needs[path]
