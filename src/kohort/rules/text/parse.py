"""Text to rule tree: what stands before, between and after the operators."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kohort.foundation.calendar import Duration
from kohort.foundation.issues import Issues, Path
from kohort.parent.catalog import FieldCatalog
from kohort.rules.ast import (
    EVERYBODY,
    Aggregation,
    ArrayMatching,
    AttributeCondition,
    BehaviorCondition,
    Comparison,
    Condition,
    FilterCondition,
    Group,
    Limit,
    Operator,
    Order,
    ReferenceCondition,
    ReferenceKind,
    Rule,
    SequenceCondition,
    Step,
)
from kohort.rules.text.combine import FOLLOWING_WORDS, Expressions, Match, Parsed
from kohort.rules.text.cursor import Cursor
from kohort.rules.text.marks import Places, aggregation_parts, operator_parts
from kohort.rules.text.names import Names
from kohort.rules.text.operators import OPERATOR_WORDS, at_array_matching, at_operator, read_array_matching, read_operator
from kohort.rules.text.rows import FilterExpressions, at_aggregation, read_aggregation, with_extras
from kohort.rules.text.tokens import TextError, Token
from kohort.rules.text.values import read_duration
from kohort.rules.text.windows import at_phrase, read_phrase, read_window

AT_LEAST_ONCE = Comparison("GreaterEqual", 1)
REFERENCE_WORDS: dict[ReferenceKind, tuple[str, ...]] = {
    "Segment": ("segment",),
    "FunnelStage": ("funnel", "stage"),
    "AbTestVariant": ("variant",),
    "PredictiveScore": ("predictive", "score"),
    "MlAttribute": ("ml", "attribute"),
}
LEFTOVER_HINTS = {
    "in": "after in comes a list such as ('a', 'b'), last 30 days, next 7 days or any 7 days",
    "by": "by follows an aggregation: count by sku >= 2",
    "per": "per follows an aggregation: count per sku >= 2",
    "this": "after this comes a unit: this month",
    "last": "write last 30 days, last month, or last(column)",
    "next": "write next 7 days or next month",
} | {word: f"write {word}(column)" for word in ("sum", "average", "avg", "mean", "min", "max", "first")}
"""The way out where a word that could follow a name is not followed by what it needs."""


def parse_rule(text: str, catalog: FieldCatalog | None = None) -> tuple[Rule, Issues]:
    """The rule that a text says. With errors among the issues (code, line, column, hint) the rule is to be ignored.

    With a catalog, names are looked up: unknown ones are reported, and a name that is only an attribute (or only a
    behavior) is read as such.

    >>> parse_rule("lifetime_value > 1000")[0].conditions[0].operator
    Comparison(key='Greater', value=1000, negated=False)
    """
    rule, issues, _ = parse_with_places(text, catalog)
    return rule, issues


def parse_with_places(text: str, catalog: FieldCatalog | None = None) -> tuple[Rule, Issues, Places]:
    """The same with the places of the rule's parts; none with errors that stop the reading."""
    try:
        cursor = Cursor(text)
    except TextError as problem:
        return EVERYBODY, Issues([problem.issue]), {}
    try:
        rule = _whole(cursor, catalog)
    except TextError as problem:
        cursor.issues.add(problem.issue)
        return EVERYBODY, cursor.issues, {}
    return rule, cursor.issues, cursor.marks.places(rule, cursor.tokens)


def _whole(cursor: Cursor, catalog: FieldCatalog | None) -> Rule:
    if cursor.at_end:
        raise cursor.unexpected("a rule", hint="all customers are written: everybody")
    node = _RuleExpressions(cursor, Names(cursor, catalog)).expression().node
    if not cursor.at_end:
        raise _leftover(cursor)
    return node if isinstance(node, Group) else Group("all", (node,))


def _leftover(cursor: Cursor) -> TextError:
    before = cursor.tokens[cursor.position - 1]
    if cursor.at(","):
        hint = "a number has no commas in it" if before.kind == cursor.peek(1).kind == "number" else "conditions are joined by and, or"
        return cursor.unexpected('"and", "or" or the end', hint=hint)
    if before.kind in ("name", "quoted") and cursor.token.kind != "sign":
        hint = LEFTOVER_HINTS.get(cursor.token.word, "")
        if before.word in ("segment", "variant"):
            hint = f"write in {before.word} '...'"
        return cursor.unexpected("an operator, an aggregation, a time phrase or the end", FOLLOWING_WORDS, hint)
    return cursor.unexpected('"and", "or" or the end', FOLLOWING_WORDS)


# --- conditions over customers ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Parts:
    """What was found after a name, in whatever order it was written."""

    matching: ArrayMatching | None = None
    operator: Operator | None = None
    aggregation: Aggregation | None = None
    time: Operator | None = None
    where: Parsed[FilterCondition] | None = None
    sliding: Duration | None = None
    times: bool = False
    time_start: int = 0
    places: dict[Path, int] = field(default_factory=dict)

    @property
    def of_a_behavior(self) -> bool:
        return self.times or any(part is not None for part in (self.aggregation, self.time, self.where, self.sliding))


class _RuleExpressions(Expressions[Condition]):
    lists = ("all", "any", "expr")

    def __init__(self, cursor: Cursor, names: Names) -> None:
        super().__init__(cursor)
        self.names = names

    # combining

    def group(self, match: Match, parts: tuple[Condition, ...], expr: str = "") -> Condition:
        return Group(match, parts, expr)

    def negate(self, parsed: Parsed[Condition]) -> Condition:
        node = parsed.node
        if parsed.enclosed and node.limit is not None:
            return Group("all", (node,), exclude=True)
        return replace(node, exclude=not node.exclude)

    def suffixes(self, parsed: Parsed[Condition]) -> Parsed[Condition]:
        """`limit ...`, `as '...'` and `with {...}`, in any order. A second limit applies to what the first one left."""
        node, open_limit = parsed.node, parsed.open_limit
        may_limit_again = parsed.enclosed
        while True:
            token = self.cursor.token
            if self.cursor.accept("limit"):
                if node.limit is not None and not may_limit_again:
                    raise self.cursor.error(token, "a condition has one limit", "put the first one in parentheses")
                node = node if node.limit is None else Group("all", (node,))
                node, open_limit, may_limit_again = replace(node, limit=self._limit()), token, False
            elif self.cursor.accept("as"):
                if node.description:
                    raise self.cursor.error(token, "a condition has one description")
                node = replace(node, description=self.cursor.text_value("a description between single quotes"))
            elif self.cursor.at("with"):
                node = with_extras(self.cursor, node)
            else:
                break
        if node is parsed.node:
            return parsed
        return Parsed(node, enclosed=may_limit_again, open_limit=open_limit)

    def _limit(self) -> Limit:
        if self.cursor.token.kind != "number":
            raise self.cursor.unexpected("a number of customers, or of percent")
        number = self.cursor.next().number
        percent = self.cursor.accept("percent") or self.cursor.accept("%")
        order: list[Order] = []
        if self.cursor.accept("by"):
            order.append(self._order())
            while self.cursor.accept(","):
                order.append(self._order())
        return Limit("Percent" if percent else "Count", number, tuple(order))

    def _order(self) -> Order:
        token = self.cursor.token
        attribute = self.cursor.name("an attribute")
        if token.word == "value":
            attribute = ""
        else:
            self.names.check_attribute(token, attribute)
        descending = self.cursor.accept("desc") or self.cursor.accept("descending")
        if not descending:
            _ = self.cursor.accept("asc") or self.cursor.accept("ascending")
        return Order(attribute, descending)

    # single conditions

    def leaf(self) -> Parsed[Condition]:
        if self.cursor.accept("everybody"):
            return Parsed(Group("all", ()))
        if self.cursor.accept("nobody"):
            return Parsed(Group("any", ()))
        if self.cursor.at("in"):
            return Parsed(self._reference())
        if self.cursor.at("sequence", "("):
            return Parsed(self._sequence())
        return Parsed(self._attribute_or_behavior())

    def _reference(self) -> Condition:
        self.cursor.next()
        for kind, words in REFERENCE_WORDS.items():
            if self.cursor.accept(*words):
                if self.cursor.token.kind == "name":
                    return ReferenceCondition(self.cursor.name("a segment"), kind)
                return ReferenceCondition(self.cursor.text_value(f"the {' '.join(words)} between single quotes"), kind)
        raise self.cursor.unexpected(
            "segment, funnel stage, variant, predictive score or ml attribute after in",
            [words[0] for words in REFERENCE_WORDS.values()],
        )

    def _attribute_or_behavior(self) -> Condition:
        token, start = self.cursor.token, self.cursor.position
        if token.kind not in ("name", "quoted"):
            hint = "a name stands on the left, its value on the right" if token.kind in ("text", "number", "date") else ""
            raise self.cursor.unexpected("a condition", hint=hint)
        name = self.cursor.name("a condition that begins with an attribute or behavior")
        if self.cursor.at("::"):
            return self._group_attribute(name)
        parts = self._parts(name)
        condition = self._of_parts(token, name, parts)
        self.cursor.marks.set(condition, start, parts.places)
        return condition

    def _of_parts(self, token: Token, name: str, parts: _Parts) -> Condition:
        if self.names.only_attribute(name):
            return self._attribute(token, name, parts)
        if parts.of_a_behavior or parts.operator is None or (parts.matching is None and self.names.only_behavior(name)):
            return self._behavior(token, name, parts)
        self.names.check_attribute(token, name)
        return AttributeCondition(name, parts.operator, parts.matching)

    def _group_attribute(self, group: str) -> Condition:
        self.cursor.next()
        attribute = self.cursor.name("an attribute")
        matching = read_array_matching(self.cursor)
        return AttributeCondition(attribute, read_operator(self.cursor), matching, customer_group=group)

    def _attribute(self, token: Token, name: str, parts: _Parts) -> Condition:
        """A condition whose name the catalog knows as an attribute only."""
        operator = parts.operator or parts.time
        if operator is None and self.names.boolean_attribute(name):
            operator = Comparison("Equal", True)
        both = parts.operator is not None and parts.time is not None
        if both or parts.times or parts.aggregation or parts.where or parts.sliding:
            self.names.check_behavior(token, name)
        if operator is None:
            self.cursor.report(
                "RULE_SYNTAX",
                token,
                f'"{name}" is an attribute and needs a test',
                "write an operator after it, such as = 'Gold' or is null",
            )
            operator = AT_LEAST_ONCE
        return AttributeCondition(name, operator, parts.matching)

    def _behavior(self, token: Token, name: str, parts: _Parts) -> Condition:
        self.names.check_behavior(token, name)
        if parts.matching is not None:
            raise self.cursor.error(token, "any, all, at least ... belong to attributes and columns, not to a behavior", "write count >= 2")
        if parts.aggregation is not None and parts.operator is None:
            raise self.cursor.unexpected("a comparison such as >= 1 after the aggregation", OPERATOR_WORDS)
        filters = FilterExpressions(self.names, name)
        return BehaviorCondition(
            behavior=name,
            aggregation=parts.aggregation or Aggregation(),
            operator=parts.operator or AT_LEAST_ONCE,
            filter=filters.root(parts.time, parts.where, parts.time_start),
            sliding=parts.sliding,
        )

    def _parts(self, name: str) -> _Parts:
        """Everything after a name, each part at most once."""
        parts = _Parts()
        while True:
            token, start = self.cursor.token, self.cursor.position
            if self.cursor.at("where"):
                self._once(token, parts.where, "filter")
                parts.where = self._where(name)
            elif self._at_sliding():
                self._once(token, parts.sliding, "sliding window")
                self.cursor.position += 2
                parts.sliding = read_duration(self.cursor)
            elif at_phrase(self.cursor):
                self._once(token, parts.time, "time phrase")
                parts.time, parts.time_start = read_phrase(self.cursor), start
            elif at_aggregation(self.cursor):
                self._once(token, parts.aggregation, "aggregation")
                parts.aggregation = read_aggregation(self.names, name)
                parts.places.update(aggregation_parts(self.cursor.tokens, start, self.cursor.position))
            elif self.cursor.at("within") and (parts.operator is not None or self._known_behavior(name, parts)):
                self._once(token, parts.time, "time phrase")
                self.cursor.next()
                parts.time, parts.time_start = read_window(self.cursor), start
            elif at_phrase(self.cursor, 1) and self.cursor.at("not"):
                self._once(token, parts.operator, "comparison")
                parts.operator = self._negated_phrase(name)
                parts.places.update(operator_parts(self.cursor.tokens, start, self.cursor.position))
            elif at_operator(self.cursor) or at_array_matching(self.cursor):
                self._once(token, parts.operator, "comparison")
                self._operator(parts)
            else:
                return parts

    def _known_behavior(self, name: str, parts: _Parts) -> bool:
        return self.names.only_behavior(name) and parts.aggregation is None

    def _operator(self, parts: _Parts) -> None:
        parts.matching = read_array_matching(self.cursor)
        start = self.cursor.position
        parts.operator = read_operator(self.cursor)
        parts.places.update(operator_parts(self.cursor.tokens, start, self.cursor.position))
        parts.times = self.cursor.accept("times") or self.cursor.accept("time")

    def _negated_phrase(self, name: str) -> Operator:
        if not self.names.only_attribute(name):
            raise self.cursor.unexpected("an operator", hint='put "not" before the whole condition: not purchase in last 30 days')
        self.cursor.next()
        return replace(read_phrase(self.cursor), negated=True)

    def _once(self, token: Token, found: object, what: str) -> None:
        if found is not None:
            hint = "further conditions are joined by and, or"
            if what == "time phrase":
                hint = "more tests of the time stand after where: where timestamp < ..."
            raise self.cursor.error(token, f'"{token.shown}" begins a second {what}', hint)

    def _where(self, behavior: str) -> Parsed[FilterCondition]:
        self.cursor.next()
        return FilterExpressions(self.names, behavior).expression()

    def _at_sliding(self) -> bool:
        return self.cursor.at_any(("in", "within")) and self.cursor.at("any", ahead=1) and self.cursor.peek(2).kind == "number"

    # sequences

    def _sequence(self) -> Condition:
        start = self.cursor.next()
        self.cursor.next()
        steps = [self._step(first=True)]
        while self.cursor.at(",") or self.cursor.at("then"):
            self.cursor.accept(",")
            self.cursor.accept("then")
            steps.append(self._step(first=False))
        self.cursor.expect(")", " or another step: , then ...")
        if len(steps) < 2:
            raise self.cursor.error(start, "a sequence has at least two steps", "write sequence(a, then b within 7 days)")
        return SequenceCondition(tuple(steps))

    def _step(self, first: bool) -> Step:
        first_word, begin, time_start = self.cursor.token, self.cursor.position, 0
        behavior = self.cursor.name("a behavior")
        self.names.check_behavior(first_word, behavior)
        time: Operator | None = None
        where: Parsed[FilterCondition] | None = None
        within: Duration | None = None
        while True:
            token = self.cursor.token
            if self.cursor.at("where"):
                self._once(token, where, "filter")
                where = self._where(behavior)
            elif self.cursor.at("within") and self.cursor.peek(1).kind == "number":
                self._once(token, within, "time limit")
                self.cursor.next()
                within = read_duration(self.cursor)
                if first:
                    raise self.cursor.error(token, "the first step has nothing before it to be within", "write within on the later steps")
            elif at_phrase(self.cursor) or self.cursor.at("within"):
                self._once(token, time, "time phrase")
                time_start = self.cursor.position
                time = read_phrase(self.cursor) if at_phrase(self.cursor) else self._within_phrase()
            else:
                step = Step(behavior, FilterExpressions(self.names, behavior).root(time, where, time_start), within)
                self.cursor.marks.set(step, begin)
                return step

    def _within_phrase(self) -> Operator:
        self.cursor.next()
        return read_window(self.cursor)
