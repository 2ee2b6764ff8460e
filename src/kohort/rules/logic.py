"""Advanced match logic: "(A and B) or C" over the conditions of a group.

Conditions are named by position, A to Z or 1 to 9. `and` binds tighter than `or`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Literal

from kohort.foundation.issues import Issues

LETTERS = ascii_uppercase
DIGITS = "123456789"
_MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")


@dataclass(frozen=True, slots=True)
class LogicItem:
    """One condition, by its position from 0."""

    index: int


@dataclass(frozen=True, slots=True)
class LogicAnd:
    """All parts hold."""

    parts: tuple[LogicNode, ...]


@dataclass(frozen=True, slots=True)
class LogicOr:
    """Some part holds."""

    parts: tuple[LogicNode, ...]


LogicNode = LogicItem | LogicAnd | LogicOr


def parse_logic(expr: str, count: int) -> tuple[LogicNode | None, Issues]:
    """The tree of an expression over `count` conditions; None when there are errors (all of them are reported).

    >>> parse_logic("1 or 2 and 3", 3)[0]
    LogicOr(parts=(LogicItem(index=0), LogicAnd(parts=(LogicItem(index=1), LogicItem(index=2)))))
    """
    tokens = [match[1] for match in _TOKEN.finditer(expr)]
    parser = _Parser(tokens, count)
    node = parser.whole()
    parser.check_names()
    return (node if parser.issues.ok else None), parser.issues


@dataclass(slots=True)
class _Parser:
    """Recursive descent over `tokens`; problems are collected, the first of syntax ends the parse."""

    tokens: list[str]
    count: int
    at: int = 0
    issues: Issues = field(default_factory=Issues)

    def whole(self) -> LogicNode | None:
        if not self.tokens:
            return self._refuse("the expression is empty", 'write it like "(A and B) or C"')
        node = self._level("or", 0)
        if node is not None and self._next():
            return self._unexpected()
        return node

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _level(self, word: Literal["or", "and"], depth: int) -> LogicNode | None:
        """Parts joined by `word`; the parts of an `or` are `and` levels."""
        parts: list[LogicNode] = []
        while True:
            part = self._level("and", depth) if word == "or" else self._item(depth)
            if part is None:
                return None
            parts.append(part)
            if self._next() != word:
                break
            self.at += 1
        if len(parts) == 1:
            return parts[0]
        return LogicOr(tuple(parts)) if word == "or" else LogicAnd(tuple(parts))

    def _item(self, depth: int) -> LogicNode | None:
        token = self._next()
        if token == "(":
            return self._parenthesis(depth)
        if token in ("", ")", "and", "or") or token in ("AND", "OR", "And", "Or"):
            return self._unexpected()
        if token.lower() == "not":
            return self._refuse('"not" is no part of an expression', "name the condition alone, and negate the condition itself")
        self.at += 1
        index = _index(token)
        return LogicItem(index if index is not None else -1)

    def _parenthesis(self, depth: int) -> LogicNode | None:
        if depth >= _MAX_DEPTH:
            return self._refuse(f"parentheses are nested deeper than {_MAX_DEPTH}", "remove some of them")
        self.at += 1
        node = self._level("or", depth + 1)
        if node is None:
            return None
        if self._next() != ")":
            return self._unexpected(closing=True)
        self.at += 1
        return node

    def _unexpected(self, *, closing: bool = False) -> LogicNode | None:
        token, before = self._next(), " ".join(self.tokens[: self.at])
        after = f' after "{before}"' if before else ""
        if token.lower() in ("and", "or") and token != token.lower():
            return self._refuse(f'"{token}" is not an operator', f'write it in lower case: "{token.lower()}"')
        if token in ("and", "or"):
            return self._refuse(f'a condition is missing before "{token}"{after}', "name one, e.g. A")
        if token == ")":
            what = "nothing is open" if before.count("(") <= before.count(")") else "a condition is missing"
            return self._refuse(f'")" is not expected{after}: {what}', "check the parentheses")
        if not token:
            missing = '")" is missing' if closing else "a condition is missing"
            return self._refuse(
                f"{missing} at the end", "close every parenthesis" if closing else "remove the last operator or name a condition"
            )
        return self._refuse(f'an operator is missing before "{token}"{after}', "write and or or between conditions")

    def _refuse(self, message: str, hint: str) -> LogicNode | None:
        self.issues.error("INVALID_EXPR", message, hint=hint)
        return None

    def check_names(self) -> None:
        """Unknown, mixed, too many and never used names."""
        names = [token for token in self.tokens if token not in ("(", ")") and token.lower() not in ("and", "or", "not")]
        known = [name for name in names if _index(name) is not None]
        alphabet = DIGITS if known and all(name in DIGITS for name in known) else LETTERS
        if len({name in DIGITS for name in known}) > 1:
            self.issues.error("INVALID_EXPR", "letters and digits are mixed", hint="use A-Z or 1-9, not both")
            return
        if self.count > len(alphabet):
            limit = f"{len(alphabet)} conditions can be named {alphabet[0]}-{alphabet[-1]}, the group has {self.count}"
            self.issues.error("EXPR_TOO_MANY_CONDITIONS", limit, hint="move some of them into a group of their own")
        self._check_each(names, alphabet[: self.count])
        if known and len(known) == len(names) and self.count <= len(alphabet):
            for name in alphabet[: self.count]:
                if name not in known:
                    self.issues.error(
                        "EXPR_UNREFERENCED_CONDITION", f"condition {name} is never used", hint=f"add {name} or remove the condition"
                    )

    def _check_each(self, names: list[str], known: str) -> None:
        span = f"{known[0]}-{known[-1]}" if known else "none"
        for name in dict.fromkeys(names):
            if len(name) != 1 or name not in known:
                hint = f'did you mean "{name.upper()}"?' if name.upper() in known and len(name) == 1 else f"known: {span}"
                self.issues.error("EXPR_UNKNOWN_IDENTIFIER", f'there is no condition "{name}"', hint=hint)


def _index(name: str) -> int | None:
    if len(name) != 1:
        return None
    found = (DIGITS if name in DIGITS else LETTERS).find(name)
    return found if found >= 0 else None


def items(node: LogicNode) -> Iterator[int]:
    """The positions a tree names, in order, with repeats."""
    if isinstance(node, LogicItem):
        yield node.index
    else:
        for part in node.parts:
            yield from items(part)
