"""A checked rule and the field catalog become the core form that evaluators see.

Names that the catalog does not know raise UserError with the code that `rules.check` would have given: a rule that was
checked against the same catalog never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, TypeVar, assert_never
from zoneinfo import ZoneInfo

from kohort.foundation.errors import UserError
from kohort.foundation.instants import load_zone
from kohort.foundation.issues import did_you_mean
from kohort.foundation.windows import Window
from kohort.parent.catalog import TIME_FIELD, Behavior, Field, FieldCatalog, Storage
from kohort.rules.ast import (
    TIME_COLUMN,
    Aggregation,
    AttributeCondition,
    BehaviorCondition,
    ColumnCondition,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    Limit,
    ReferenceCondition,
    Rule,
    SequenceCondition,
    Step,
)
from kohort.rules.canonical import name_of, text_of, trimmed
from kohort.rules.core import (
    ALL_ROWS,
    EVERYBODY,
    NOBODY,
    Aggregate,
    All,
    AnyOf,
    AttributeLeaf,
    BehaviorLeaf,
    Expr,
    InWindow,
    Leaf,
    MemberLeaf,
    Not,
    RowAll,
    RowAny,
    RowFilter,
    RowNot,
    RowTest,
    SequenceLeaf,
    SequenceStep,
    Top,
    TopOrder,
)
from kohort.rules.logic import LogicAnd, LogicItem, LogicNode, LogicOr, parse_logic
from kohort.rules.normalize import normal_column, normalize
from kohort.rules.predicates import JoinedTests, bind_tests

Resolve = Callable[[str], str | None]
_Part = TypeVar("_Part")


def bind(rule: Rule, catalog: FieldCatalog, resolve: Resolve) -> Expr:
    """The core form of a rule. `resolve` gives the path of a referenced segment (None: there is none, UserError)."""
    zone = load_zone(catalog.timezone)
    if zone is None:
        raise UserError("UNKNOWN_TIMEZONE", f'there is no time zone "{catalog.timezone}"', hint="use an IANA name such as Europe/Berlin")
    return _Binder(catalog, resolve, zone).condition(normalize(rule))


def leaves(expr: Expr) -> Iterator[Leaf]:
    """Every leaf of an expression in order, with repeats."""
    match expr:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part) | Top(part):
            yield from leaves(part)
        case _:
            yield expr


def leaf_fingerprint(leaf: Leaf) -> str:
    """The name of a leaf for ever: equal leaves of different segments share it."""
    return name_of(leaf)


def expr_fingerprint(expr: Expr) -> str:
    """The name of a whole expression."""
    return name_of(expr)


def joined(group: Group, parts: Sequence[Expr]) -> Expr:
    """The core form of a checked group, its exclude included and its limit not, from those of its conditions.

    It is evaluated like what `bind` gives and not the same tree: nothing is sorted. Raises UserError INVALID_EXPR.
    """
    if group.match == "expr":
        node = parse_logic(group.expr, len(group.conditions))[0]
        if node is None:
            raise UserError("INVALID_EXPR", f'"{group.expr}" does not combine {len(group.conditions)} conditions')
        found = _by_logic(node, parts)
    else:
        found = All(tuple(parts)) if group.match == "all" else AnyOf(tuple(parts))
    return not_(found) if group.exclude else found


def _by_logic(node: LogicNode, parts: Sequence[Expr]) -> Expr:
    match node:
        case LogicItem(index):
            return parts[index]
        case LogicAnd(inner):
            return All(tuple(_by_logic(part, parts) for part in inner))
        case LogicOr(inner):
            return AnyOf(tuple(_by_logic(part, parts) for part in inner))


def limited(expr: Expr, limit: Limit | None) -> Expr:
    """The first of an expression by attributes; all of it without a limit."""
    return expr if limit is None else _top(expr, limit, None)


# --- combinations: flat, sorted, without repeats ----------------------------------------------------------------


def all_of(parts: Iterable[Expr]) -> Expr:
    """Every part holds."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    if NOBODY in flat:
        return NOBODY
    members = _sorted(flat)
    return members[0] if len(members) == 1 else All(members)


def any_of(parts: Iterable[Expr]) -> Expr:
    """Some part holds."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, AnyOf) else (part,))]
    if EVERYBODY in flat:
        return EVERYBODY
    members = _sorted(flat)
    return members[0] if len(members) == 1 else AnyOf(members)


def not_(part: Expr) -> Expr:
    """The complement."""
    match part:
        case Not(inner):
            return inner
        case All(()):
            return NOBODY
        case AnyOf(()):
            return EVERYBODY
        case _:
            return Not(part)


def _rows_all(parts: Iterable[RowFilter]) -> RowFilter:
    members = _sorted([inner for part in parts for inner in (part.parts if isinstance(part, RowAll) else (part,))])
    if RowAny(()) in members:
        return RowAny(())
    return members[0] if len(members) == 1 else RowAll(members)


def _rows_any(parts: Iterable[RowFilter]) -> RowFilter:
    members = _sorted([inner for part in parts for inner in (part.parts if isinstance(part, RowAny) else (part,))])
    if ALL_ROWS in members:
        return ALL_ROWS
    return members[0] if len(members) == 1 else RowAny(members)


def _sorted(parts: Sequence[_Part]) -> tuple[_Part, ...]:
    if len(parts) < 2:
        return tuple(parts)
    by_text = {text_of(part): part for part in parts}
    return tuple(by_text[text] for text in sorted(by_text))


# --- binding ----------------------------------------------------------------------------------------------------


def _unknown(name: str, known: Iterable[str], code: str, what: str) -> UserError:
    return UserError(code, f'there is no {what} "{name}"', hint=did_you_mean(name, known))


@dataclass(frozen=True, slots=True)
class _Binder:
    """Binds the conditions of one normal rule."""

    catalog: FieldCatalog
    resolve: Resolve
    zone: ZoneInfo

    def condition(self, condition: Condition) -> Expr:
        """The condition with its exclude and, after that, its limit."""
        found = self._unlimited(condition)
        if condition.exclude:
            found = not_(found)
        if condition.limit is None:
            return found
        aggregate = self.aggregate(condition) if isinstance(condition, BehaviorCondition) else None
        return _top(found, condition.limit, aggregate)

    def _unlimited(self, condition: Condition) -> Expr:
        match condition:
            case Group(match="expr"):
                raise UserError("INVALID_EXPR", f'"{condition.expr}" does not combine {len(condition.conditions)} conditions')
            case Group():
                parts = [self.condition(part) for part in condition.conditions]
                return all_of(parts) if condition.match == "all" else any_of(parts)
            case AttributeCondition():
                return self._attribute(condition)
            case BehaviorCondition():
                return self._behavior(condition)
            case SequenceCondition():
                return SequenceLeaf(tuple(self._step(step) for step in condition.steps))
            case ReferenceCondition():
                return self._member(condition)
            case _:
                assert_never(condition)

    def _attribute(self, condition: AttributeCondition) -> Expr:
        field = self.catalog.attribute.get(condition.attribute)
        if condition.customer_group:
            raise _unknown(condition.customer_group, (), "UNKNOWN_CUSTOMER_GROUP", "customer group")
        if field is None:
            raise _unknown(condition.attribute, self.catalog.attribute, "UNKNOWN_ATTRIBUTE", "attribute")
        tests = bind_tests(condition.operator, field.storage, condition.array_matching, self.zone)
        found = [AttributeLeaf(field.name, test) for test in tests.tests]
        return all_of(found) if tests.join == "all" else any_of(found)

    def _behavior(self, condition: BehaviorCondition) -> Expr:
        aggregate = self.aggregate(condition)
        some = bool(aggregate.grouping) or aggregate.sliding_micros is not None
        tests = bind_tests(condition.operator, aggregate.storage, None, self.zone, some=some)
        found = [BehaviorLeaf(aggregate, test) for test in tests.tests]
        return all_of(found) if tests.join == "all" else any_of(found)

    def _member(self, condition: ReferenceCondition) -> MemberLeaf:
        if condition.kind not in ("Segment", "AbTestVariant"):
            raise UserError("UNSUPPORTED_REFERENCE", f"references to {condition.kind} cannot be evaluated")
        path = self.resolve(condition.target)
        if path is None:
            raise _unknown(condition.target, (), "MISSING_SEGMENT_REFERENCE", "segment")
        return MemberLeaf(path)

    # --- behaviors ----------------------------------------------------------------------------------------------

    def aggregate(self, condition: BehaviorCondition) -> Aggregate:
        """What a behavior condition computes, its test left aside."""
        behavior = self._find_behavior(condition.behavior)
        aggregation = condition.aggregation
        columns = _columns(behavior, aggregation.columns)
        rows, windows = self._filter(behavior, condition.filter)
        order = _column(behavior, aggregation.order_column).name if aggregation.order_column else ""
        return Aggregate(
            behavior.name,
            aggregation.key,
            tuple(column.name for column in columns),
            _result(aggregation, columns),
            columns[0].storage if columns else "int64",
            columns[0].scale if columns else 0,
            rows,
            windows,
            tuple(column.name for column in _columns(behavior, aggregation.grouping)),
            "" if order == TIME_COLUMN else order,
            condition.sliding.fixed_micros if condition.sliding else None,
        )

    def _find_behavior(self, name: str) -> Behavior:
        found = self.catalog.behavior.get(name)
        if found is None:
            raise _unknown(name, self.catalog.behavior, "UNKNOWN_BEHAVIOR", "behavior")
        return found

    def _step(self, step: Step) -> SequenceStep:
        behavior = self._find_behavior(step.behavior)
        rows, windows = self._filter(behavior, step.filter)
        return SequenceStep(behavior.name, rows, windows, step.within.fixed_micros if step.within else None)

    def _filter(self, behavior: Behavior, group: FilterGroup | None) -> tuple[RowFilter, tuple[Window, ...]]:
        """The filter over rows, and the windows of time that every row must be in."""
        if group is None:
            return ALL_ROWS, ()
        bound = self._rows(behavior, group)
        parts = bound.parts if isinstance(bound, RowAll) else (bound,)
        windows = _sorted([window for window in map(_window, parts) if window is not None])
        return _rows_all([part for part in parts if _window(part) is None]), windows

    def _rows(self, behavior: Behavior, part: FilterCondition) -> RowFilter:
        if isinstance(part, FilterGroup):
            parts = [self._rows(behavior, inner) for inner in part.conditions]
            found = _rows_all(parts) if part.match == "all" else _rows_any(parts)
            return RowNot(found) if part.exclude else found
        field = _column(behavior, part.column)
        if field is TIME_FIELD and part.column != TIME_COLUMN:
            part = normal_column(replace(part, column=TIME_COLUMN))
        found = self._row_tests(field, part)
        return RowNot(found) if part.exclude else found

    def _row_tests(self, field: Field, part: ColumnCondition) -> RowFilter:
        tests: JoinedTests = bind_tests(part.operator, field.storage, part.array_matching, self.zone)
        found = [RowTest(field.name, test) for test in tests.tests]
        return _rows_all(found) if tests.join == "all" else _rows_any(found)


def _window(part: RowFilter) -> Window | None:
    """The window of a plain test of the event's time."""
    match part:
        case RowTest(column="timestamp", test=test) if isinstance(test.predicate, InWindow) and not test.negated:
            return test.predicate.window
        case _:
            return None


def _column(behavior: Behavior, name: str) -> Field:
    found = behavior.by_name.get(name)
    if found is None:
        raise _unknown(name, behavior.by_name, "UNKNOWN_COLUMN", f'column of behavior "{behavior.name}" called')
    return found


def _columns(behavior: Behavior, names: Iterable[str]) -> list[Field]:
    """The distinct fields of these names, in the order of their names."""
    found = {field.name: field for field in (_column(behavior, name) for name in names)}
    return [found[name] for name in sorted(found)]


def _result(aggregation: Aggregation, columns: list[Field]) -> Storage:
    """The storage of what an aggregation gives."""
    match aggregation.key:
        case "Count" | "CountDistinct":
            return "int64"
        case "Sum" | "Average":
            return "decimal"
        case "Min" | "Max" | "First" | "Last":
            return columns[0].storage


def _top(part: Expr, limit: Limit, aggregate: Aggregate | None) -> Expr:
    order = tuple(TopOrder(key.attribute or _own(aggregate), key.descending) for key in limit.order)
    kind: Literal["Count", "Percent"] = limit.kind
    return Top(part, kind, trimmed(Decimal(repr(limit.number))), order)


def _own(aggregate: Aggregate | None) -> Aggregate:
    if aggregate is None:
        raise UserError("INVALID_LIMIT", "only a behavior condition has an aggregate to order by", hint="order by an attribute")
    return aggregate
