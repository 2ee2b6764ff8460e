"""What is odd about a rule although it can be evaluated: conditions that contradict, repeat or swallow each other, and traps.

Everything found is a warning with a LINT_ code and the place of the condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import and_, or_
from typing import Literal
from zoneinfo import ZoneInfo

from kohort.foundation.instants import load_zone
from kohort.foundation.issues import Issue, Issues, Path
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import (
    NO_EXTRAS,
    TIME_COLUMN,
    AttributeCondition,
    BehaviorCondition,
    Comparison,
    Condition,
    FilterCondition,
    FilterGroup,
    Group,
    IsNull,
    Operator,
    ReferenceCondition,
    Rule,
    SequenceCondition,
    TimeCalendar,
    TimeInBetweenNext,
    TimeWithin,
)
from kohort.rules.bind import bind
from kohort.rules.canonical import name_of
from kohort.rules.core import All, AnyOf, AttributeLeaf, BehaviorLeaf, Expr, Not
from kohort.rules.known import KnownConditions
from kohort.rules.lint_items import Item, by_mark, counted, implies, related
from kohort.rules.lint_windows import mixed_units
from kohort.rules.normalize import normal_column
from kohort.rules.predicates import bind_tests
from kohort.rules.text import write_rule
from kohort.rules.text.write_operators import operator_text
from kohort.rules.value_sets import ANYTHING, COUNTS, TRUTHS, ValueSet, values_of

MayBeNull = Callable[[str], bool]
"""Whether an attribute is null for anybody."""


def lint_rule(
    rule: Rule,
    catalog: FieldCatalog,
    path: Path = (),
    may_be_null: MayBeNull | None = None,
    known: KnownConditions | None = None,
) -> Issues:
    """Warnings about a rule that was checked against the catalog.

    may_be_null: attributes that never are null set no traps (None: any may be). known: conditions met before, of the same catalog.
    """
    linter = _Linter(catalog, may_be_null or (lambda _: True), Issues(), known or KnownConditions(catalog))
    linter.group(rule, path)
    linter.issues.extend(mixed_units(rule, path))
    return linter.issues


@dataclass(frozen=True, slots=True)
class _Linter:
    catalog: FieldCatalog
    may_be_null: MayBeNull
    issues: Issues
    known: KnownConditions

    @property
    def zone(self) -> ZoneInfo:
        return load_zone(self.catalog.timezone) or ZoneInfo("UTC")

    # --- conditions over profiles ---------------------------------------------------------------------------------

    def group(self, group: Group, path: Path) -> None:
        """Everything about the conditions of a group and below it."""
        members = list(_members(group, path))
        own = [condition for _, condition in members if isinstance(condition, AttributeCondition)]
        told = {one.attribute for one in own if isinstance(one.operator, IsNull)}
        included = {one.attribute for one in own if not one.exclude} if group.match == "all" else set()
        self.compare([self._known_item(condition, place) for place, condition in members], group.match)
        for place, condition in members:
            match condition:
                case Group():
                    self.group(condition, place)
                case AttributeCondition():
                    self._null_traps(condition, place, told, included)
                case BehaviorCondition():
                    self._no_rows(condition, place, members)
                    self._known_rows(condition, place)
                case SequenceCondition():
                    self._known_rows(condition, place)
                case ReferenceCondition():
                    pass

    def _known_item(self, condition: Condition, path: Path) -> Item:
        return replace(self.known.of(condition).fact("compared", lambda: self._item(condition, ())), path=path)

    def _known_rows(self, condition: BehaviorCondition | SequenceCondition, path: Path) -> None:
        found = self.known.of(condition).fact("rows", lambda: self._rows_of(condition))
        self.issues.extend(replace(issue, path=(*path, *issue.path)) for issue in found)

    def _rows_of(self, condition: BehaviorCondition | SequenceCondition) -> tuple[Issue, ...]:
        """Everything about the filters of a condition; paths lead from it."""
        linter = replace(self, issues=Issues())
        if isinstance(condition, BehaviorCondition):
            linter._filter(condition.behavior, condition.filter, ("filter",))
        else:
            for index, step in enumerate(condition.steps):
                linter._filter(step.behavior, step.filter, ("steps", index, "filter"))
        return tuple(linter.issues)

    def _item(self, condition: Condition, path: Path) -> Item:
        text = write_rule(Group("all", (replace(condition, description="", extras=NO_EXTRAS),)))
        bound = bind(Group("all", (condition,)), self.catalog, lambda target: target)
        key, opposite = name_of(bound), name_of(bound.part if isinstance(bound, Not) else Not(bound))
        if condition.limit is not None:
            return Item(path, text, key, "")
        found = self._meaning(bound)
        if found is None:
            return Item(path, text, key, opposite)
        subject, passing, universe = found
        rows, window = counted(bound)
        return Item(path, text, key, opposite, subject, passing & universe, universe, rows, window)

    def _meaning(self, bound: Expr) -> tuple[str, ValueSet, ValueSet] | None:
        """(subject, values that pass, values there can be) of a condition on one thing."""
        match bound:
            case AttributeLeaf(attribute, test):
                passing = values_of(test)
                return None if passing is None else (f"attribute {attribute}", passing, TRUTHS if test.storage == "boolean" else ANYTHING)
            case BehaviorLeaf(aggregate, test) if not aggregate.grouping and aggregate.sliding_micros is None:
                passing = values_of(test)
                counts = aggregate.key in ("Count", "CountDistinct")
                return None if passing is None else (name_of(aggregate), passing, COUNTS if counts else ANYTHING)
            case Not(part):
                inner = self._meaning(part)
                return None if inner is None else (inner[0], inner[2].without(inner[1]), inner[2])
            case All(parts) | AnyOf(parts) if parts:
                found = [self._meaning(part) for part in parts]
                known = [one for one in found if one is not None]
                if len(known) < len(found) or len({subject for subject, _, _ in known}) > 1:
                    return None
                passing = known[0][1]
                for _, other, _ in known[1:]:
                    passing = passing & other if isinstance(bound, All) else passing | other
                return known[0][0], passing, known[0][2]
            case _:
                return None

    def _null_traps(self, condition: AttributeCondition, path: Path, told: set[str], included: set[str]) -> None:
        """told: attributes of which its group says what null does; included: those that somebody must have a value of."""
        name, operator = condition.attribute, condition.operator
        if isinstance(operator, IsNull) or not self.may_be_null(name):
            return
        if operator.negated and not condition.exclude:
            if name not in told:
                message = f'"{name} {operator_text(operator)}" leaves out everybody without a value of "{name}"'
                self.issues.warning("LINT_NULLS_LEFT_OUT", message, path, f"if they belong in: or {name} is null")
        elif condition.exclude and not operator.negated and name not in included:
            message = f'"not {name} {operator_text(operator)}" lets in everybody without a value of "{name}"'
            self.issues.warning("LINT_NULLS_LET_IN", message, path, f"if they do not belong in: and {name} is not null")

    def _no_rows(self, condition: BehaviorCondition, path: Path, members: _Members) -> None:
        operator = condition.operator
        low = (isinstance(operator, Comparison) and operator.key in ("Less", "LessEqual")) != operator.negated
        if condition.exclude or condition.aggregation.key not in ("Sum", "Average", "Min", "Max") or not low:
            return
        others = (other for _, other in members if isinstance(other, BehaviorCondition) and other is not condition)
        if any(other.behavior == condition.behavior for other in others):
            return
        message = f'customers without such rows of "{condition.behavior}" have no {condition.aggregation.key.lower()} and are left out'
        self.issues.warning("LINT_NO_ROWS_LEFT_OUT", message, path, f"if they belong in: or not {condition.behavior}")

    # --- conditions over rows -------------------------------------------------------------------------------------

    def _filter(self, behavior: str, group: FilterGroup | None, path: Path) -> None:
        if group is None:
            return
        members = list(_rows(group, path))
        self.compare([self._row_item(behavior, part, place) for place, part in members], group.match)
        for place, part in members:
            if isinstance(part, FilterGroup):
                self._filter(behavior, part, place)
            elif _is_future(part.operator) and part.column in (TIME_COLUMN, "time") and not part.exclude:
                message = f'no event is later than the instant of the evaluation: "{operator_text(part.operator)}" never holds'
                self.issues.warning("LINT_FUTURE_WINDOW", message, place, "events have a past only; use an attribute for planned times")

    def _row_item(self, behavior: str, part: FilterCondition, path: Path) -> Item:
        if isinstance(part, FilterGroup):
            key = name_of(part)
            return Item(path, "the group", key, "")
        field = self.catalog.behavior[behavior].by_name[part.column]
        text = f"{'not ' if part.exclude else ''}{part.column} {operator_text(part.operator)}"
        normal = normal_column(replace(part, extras=NO_EXTRAS))
        key, opposite = name_of(normal), name_of(replace(normal, exclude=not normal.exclude))
        tests = bind_tests(part.operator, field.storage, part.array_matching, self.zone)
        passing = values_of(tests.tests[0]) if len(tests.tests) == 1 else None
        if passing is None:
            return Item(path, text, key, opposite)
        universe = TRUTHS if field.storage == "boolean" else ANYTHING
        return Item(
            path, text, key, opposite, f"column {field.name}", (universe.without(passing) if part.exclude else passing) & universe, universe
        )

    # --- neighbours -----------------------------------------------------------------------------------------------

    def compare(self, items: list[Item], match: Literal["all", "any", "expr"]) -> None:
        """What conditions of one group say beside each other."""
        sound = [item for item in items if not self._alone(item)]
        broken = self._together(sound, match) if match != "expr" else set()
        different = self._different(sound, broken)
        if match == "expr":
            return
        for earlier, later in related(different):
            if earlier.subject and earlier.subject == later.subject and earlier.subject in broken:
                continue
            if earlier.key == later.opposite:
                self._opposites(earlier, later, match)
            else:
                self._subsumed(earlier, later, match)

    def _different(self, items: list[Item], broken: set[str]) -> list[Item]:
        """Items that say what none before them says; of the others it is told. Nothing is told where the whole subject is broken."""
        first: dict[object, Item] = {}
        different = []
        for item in items:
            same = first.get(item.key) or first.get((item.subject, item.passing))
            if same is None or item.subject in broken:
                different.append(item)
                first.setdefault(item.key, item)
                if item.subject:
                    first.setdefault((item.subject, item.passing), item)
            else:
                message = f'"{item.text}" says the same as "{same.text}"'
                self.issues.warning("LINT_DUPLICATE", message, item.path, "remove one of them")
        return different

    def _alone(self, item: Item) -> bool:
        """Whether a condition says nothing, whatever stands beside it."""
        if not item.subject:
            return False
        if item.passing.is_empty:
            self.issues.warning("LINT_NEVER", f'"{item.text}" never holds', item.path, "remove it, or correct its value")
        elif item.universe.is_within(item.passing):
            self.issues.warning("LINT_ALWAYS", f'"{item.text}" always holds', item.path, "remove it, or correct its value")
        else:
            return False
        return True

    def _together(self, items: list[Item], match: str) -> set[str]:
        """The subjects of which the conditions together let nothing through (all) or everything (any)."""
        found: set[str] = set()
        for subject, same in by_mark(items, lambda item: item.subject).items():
            if len(same) < 2:
                continue
            whole = _joined([item.passing for item in same], and_ if match == "all" else or_)
            texts = ", ".join(f'"{item.text}"' for item in same)
            if match == "all" and whole.is_empty:
                self.issues.warning(
                    "LINT_CONTRADICTION", f"{texts} cannot hold together", same[-1].path, "join them with any, or remove one"
                )
                found.add(subject)
            elif match == "any" and ValueSet(same[0].universe.values).is_within(whole):
                who = "everybody" if same[0].universe.is_within(whole) else "everybody who has a value"
                self.issues.warning(
                    "LINT_TAUTOLOGY", f"one of {texts} holds for {who}", same[-1].path, "remove them, or join them with all"
                )
                found.add(subject)
        return found

    def _opposites(self, earlier: Item, later: Item, match: str) -> None:
        texts = f'"{earlier.text}", "{later.text}"'
        if match == "all":
            self.issues.warning("LINT_CONTRADICTION", f"{texts} cannot hold together", later.path, "remove one of them")
        else:
            self.issues.warning("LINT_TAUTOLOGY", f"one of {texts} holds for everybody", later.path, "remove one of them")

    def _subsumed(self, earlier: Item, later: Item, match: str) -> None:
        for narrow, wide in ((earlier, later), (later, earlier)):
            if not implies(narrow, wide):
                continue
            idle, other = (wide, narrow) if match == "all" else (narrow, wide)
            message = f'"{idle.text}" changes nothing beside "{other.text}"'
            self.issues.warning("LINT_SUBSUMED", message, idle.path, f'remove "{idle.text}"')
            return


def _joined(sets: list[ValueSet], join: Callable[[ValueSet, ValueSet], ValueSet]) -> ValueSet:
    """All of the sets, joined two by two, so that none grows large before its time."""
    while len(sets) > 1:
        pairs = [join(one, other) for one, other in zip(sets[::2], sets[1::2], strict=False)]
        sets = pairs + sets[2 * len(pairs) :]
    return sets[0]


_Members = Sequence[tuple[Path, Condition]]


def _members(group: Group, path: Path) -> Iterator[tuple[Path, Condition]]:
    """The conditions of a group; those of plain inner groups of the same kind are its own."""
    for index, condition in enumerate(group.conditions):
        place = (*path, "conditions", index)
        plain = isinstance(condition, Group) and not condition.exclude and condition.limit is None
        if isinstance(condition, Group) and plain and condition.match == group.match != "expr":
            yield from _members(condition, place)
        else:
            yield place, condition


def _rows(group: FilterGroup, path: Path) -> Iterator[tuple[Path, FilterCondition]]:
    for index, part in enumerate(group.conditions):
        place = (*path, "conditions", index)
        if isinstance(part, FilterGroup) and not part.exclude and part.match == group.match:
            yield from _rows(part, place)
        else:
            yield place, part


def _is_future(operator: Operator) -> bool:
    match operator:
        case (
            TimeWithin(key="TimeWithinNext", negated=False) | TimeInBetweenNext(negated=False) | TimeCalendar(key="TimeNext", negated=False)
        ):
            return True
        case _:
            return False
