"""Reading operators with their values."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kohort.rules.ast import (
    ArrayMatching,
    Between,
    Comparison,
    ComparisonKey,
    In,
    IsNull,
    Operator,
    Regexp,
    Scalar,
    TextMatch,
    TextMatchKey,
)
from kohort.rules.text.cursor import Cursor
from kohort.rules.text.values import read_operand, read_scalar
from kohort.rules.text.windows import read_window

COMPARISONS: dict[str, tuple[ComparisonKey, bool]] = {
    "=": ("Equal", False),
    "==": ("Equal", False),
    "!=": ("Equal", True),
    "<>": ("Equal", True),
    ">": ("Greater", False),
    ">=": ("GreaterEqual", False),
    "<": ("Less", False),
    "<=": ("LessEqual", False),
}
EQUAL_WORDS = ("equals", "equal")
TEXT_MATCH_WORDS: dict[str, TextMatchKey] = {
    "contains": "Contain",
    "contain": "Contain",
    "starts": "StartWith",
    "start": "StartWith",
    "begins": "StartWith",
    "begin": "StartWith",
    "ends": "EndWith",
    "end": "EndWith",
}
MATCH_WORDS = ("matches", "match")
MORE_WORDS: dict[str, ComparisonKey] = {"more": "Greater", "less": "Less", "fewer": "Less"}
LEAST_WORDS: dict[str, ComparisonKey] = {"least": "GreaterEqual", "most": "LessEqual"}
OPERATOR_WORDS = (
    "=",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
    "between",
    "in",
    "contains",
    "starts",
    "ends",
    "matches",
    "is",
    "not",
    "within",
    "at",
    "exactly",
)


def at_operator(cursor: Cursor, ahead: int = 0) -> bool:
    """True when an operator (not a time phrase) begins here."""
    word = cursor.peek(ahead).word
    following = cursor.peek(ahead + 1).word
    if word in ("not", "does", "do"):
        return at_operator(cursor, ahead + 1)
    if word == "in":
        return following == "(" or (following == "any" and cursor.at("(", ahead=ahead + 2))
    if word == "at":
        return following in LEAST_WORDS
    if word in MORE_WORDS:
        return following == "than"
    known = word in COMPARISONS or word in EQUAL_WORDS or word in TEXT_MATCH_WORDS or word in MATCH_WORDS
    return known or word in ("between", "is", "within", "exactly", "like")


def at_array_matching(cursor: Cursor) -> bool:
    """True when `any`, `all` or `only` with an operator after it begins here."""
    return cursor.at_any(("any", "all", "only")) and at_operator(cursor, 1)


def read_array_matching(cursor: Cursor) -> ArrayMatching | None:
    """`any`, `all` (or `only`), `at least 2`, `at most 2`, `exactly 2`, when an operator follows."""
    if at_array_matching(cursor):
        return ArrayMatching("any" if cursor.next().word == "any" else "all")
    if cursor.at("at") and cursor.at_any(LEAST_WORDS, ahead=1) and _counts_elements(cursor, 2):
        cursor.next()
        key: Literal["at_least", "at_most"] = "at_least" if cursor.next().word == "least" else "at_most"
        return ArrayMatching(key, cursor.whole_number("a whole number of matches"))
    if cursor.at("exactly") and _counts_elements(cursor, 1):
        cursor.next()
        return ArrayMatching("exactly", cursor.whole_number("a whole number of matches"))
    return None


def _counts_elements(cursor: Cursor, ahead: int) -> bool:
    return cursor.peek(ahead).kind == "number" and at_operator(cursor, ahead + 1)


def read_operator(cursor: Cursor) -> Operator:
    """Any operator with its values, `not` before it included."""
    if cursor.at_any(("does", "do")) and cursor.at("not", ahead=1):
        cursor.next()
    start = cursor.token
    negated = cursor.accept("not")
    operator = _plain_operator(cursor)
    if negated and operator.negated:
        raise cursor.error(start, '"not" stands twice before one operator', 'put "not" before the whole condition instead')
    return replace(operator, negated=True) if negated else operator


def _plain_operator(cursor: Cursor) -> Operator:
    word = cursor.token.word
    if word in COMPARISONS:
        cursor.next()
        key, negated = COMPARISONS[word]
        return Comparison(key, read_operand(cursor), negated)
    if word in EQUAL_WORDS:
        cursor.next()
        cursor.accept("to")
        return Comparison("Equal", read_operand(cursor))
    if word in TEXT_MATCH_WORDS:
        return _text_match(cursor)
    if word in MATCH_WORDS:
        cursor.next()
        return Regexp(cursor.text_value("a pattern between single quotes"))
    if word == "in":
        cursor.next()
        cursor.accept("any")
        return In(_scalars(cursor))
    if word == "between":
        return _between(cursor)
    if word == "is":
        return _is(cursor)
    if word == "within":
        cursor.next()
        return read_window(cursor)
    return _wordy_comparison(cursor)


def _wordy_comparison(cursor: Cursor) -> Operator:
    if cursor.accept("exactly"):
        return Comparison("Equal", read_operand(cursor))
    if cursor.accept("at"):
        if not cursor.at_any(LEAST_WORDS):
            raise cursor.unexpected('"least" or "most"', LEAST_WORDS)
        return Comparison(LEAST_WORDS[cursor.next().word], read_operand(cursor))
    if cursor.at_any(MORE_WORDS) and cursor.at("than", ahead=1):
        key = MORE_WORDS[cursor.next().word]
        cursor.next()
        return Comparison(key, read_operand(cursor))
    if cursor.at("like"):
        raise cursor.unexpected("an operator", hint="write contains '...', starts with '...', ends with '...' or matches '...'")
    raise cursor.unexpected(
        "an operator (=, !=, >, >=, <, <=, between, in, contains, starts with, ends with, matches, is, within)", OPERATOR_WORDS
    )


def _text_match(cursor: Cursor) -> Operator:
    key = TEXT_MATCH_WORDS[cursor.next().word]
    if key != "Contain":
        cursor.expect("with")
    return TextMatch(key, _texts(cursor))


def _between(cursor: Cursor) -> Operator:
    start = cursor.next()
    low = None if cursor.accept("*") else read_operand(cursor)
    cursor.expect("and", " between the two bounds")
    high = None if cursor.accept("*") else read_operand(cursor)
    if low is None and high is None:
        raise cursor.error(start, "between needs at least one bound", "write between 1 and *, or between * and 5")
    return Between(low, high)


def _is(cursor: Cursor) -> Operator:
    cursor.next()
    negated = cursor.accept("not")
    if cursor.accept("null"):
        return IsNull(negated)
    if cursor.at_any(("in", "between", "within")):
        operator = _plain_operator(cursor)
        return replace(operator, negated=negated)
    return Comparison("Equal", read_operand(cursor), negated)


def _scalars(cursor: Cursor) -> tuple[Scalar, ...]:
    cursor.expect("(", " before a list of values")
    values = [read_scalar(cursor)]
    while cursor.accept(","):
        values.append(read_scalar(cursor))
    cursor.expect(")", " after a list of values")
    return tuple(values)


def _texts(cursor: Cursor) -> tuple[str, ...]:
    cursor.accept("any")
    if not cursor.accept("("):
        return (cursor.text_value("a text between single quotes"),)
    values = [cursor.text_value("a text between single quotes")]
    while cursor.accept(","):
        values.append(cursor.text_value("a text between single quotes"))
    cursor.expect(")", " after a list of texts")
    return tuple(values)
