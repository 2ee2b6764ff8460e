"""`and`, `or`, `not`, parentheses and lists: the same over conditions of customers and over conditions of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from kohort.rules.text.cursor import Cursor
from kohort.rules.text.marks import limit_parts
from kohort.rules.text.tokens import Token

Node = TypeVar("Node")
Match = Literal["all", "any", "expr"]


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Node]):
    """A node with what matters about how it was written.

    and_parts: its parts, when it is a chain of `and` outside parentheses. enclosed: it stood in parentheses.
    open_limit: the word `limit` at its end, outside parentheses.
    """

    node: Node
    and_parts: tuple[Node, ...] = ()
    enclosed: bool = False
    open_limit: Token | None = None


class Expressions(ABC, Generic[Node]):
    """Recursive descent over combined conditions; subclasses know single conditions, groups and what may follow them."""

    lists: tuple[Match, ...] = ("all", "any")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    @abstractmethod
    def leaf(self) -> Parsed[Node]:
        """One condition."""

    @abstractmethod
    def group(self, match: Match, parts: tuple[Node, ...], expr: str = "") -> Node:
        """The parts combined."""

    @abstractmethod
    def negate(self, parsed: Parsed[Node]) -> Node:
        """Everybody (or every row) that does not match."""

    @abstractmethod
    def suffixes(self, parsed: Parsed[Node]) -> Parsed[Node]:
        """The node with what is written after it."""

    def expression(self) -> Parsed[Node]:
        """`or` of `and` of conditions."""
        return self._chain("or")

    def _chain(self, word: Literal["or", "and"]) -> Parsed[Node]:
        start = self.cursor.position
        parts = [self._part(word)]
        while self.cursor.accept(word):
            parts.append(self._part(word))
        if len(parts) == 1:
            return parts[0]
        if (limit := parts[-1].open_limit) is not None:
            hint = f"put what it limits in parentheses: (a {word} b) limit ..., or a {word} (b limit ...)"
            raise self.cursor.error(limit, f'it is unclear what "limit" limits after "{word}"', hint)
        nodes = tuple(part.node for part in parts)
        node = self.group("all" if word == "and" else "any", nodes)
        self.cursor.marks.set(node, start)
        return Parsed(node, and_parts=nodes if word == "and" else ())

    def _part(self, word: Literal["or", "and"]) -> Parsed[Node]:
        return self._chain("and") if word == "or" else self._negation()

    def _negation(self) -> Parsed[Node]:
        start = self.cursor.position
        if not self.cursor.accept("not"):
            return self._primary()
        with self.cursor.nested():
            inner = self._negation()
        node = self.negate(inner)
        self.cursor.marks.carry(inner.node, node, start)
        return Parsed(node, open_limit=inner.open_limit)

    def _primary(self) -> Parsed[Node]:
        start = self.cursor.position
        parsed = self._unlimited()
        self.cursor.marks.set(parsed.node, start)
        end = self.cursor.position
        found = self.suffixes(parsed)
        self.cursor.marks.carry(parsed.node, found.node, parts=limit_parts(self.cursor.tokens, end, self.cursor.position))
        return found

    def _unlimited(self) -> Parsed[Node]:
        """A condition, parentheses or a list, without what is written after it."""
        if self.cursor.at("("):
            return self._enclosed()
        if self.cursor.at_any(self.lists) and self.cursor.at("(", ahead=1):
            return Parsed(self._list())
        return self.leaf()

    def _enclosed(self) -> Parsed[Node]:
        opening = self.cursor.next()
        if self.cursor.at(")"):
            raise self.cursor.unexpected("a condition", hint="everybody is written: everybody")
        with self.cursor.nested():
            inner = self.expression()
        self._close(opening)
        return replace(inner, and_parts=(), enclosed=True, open_limit=None)

    def _list(self) -> Node:
        """`all(a, b)`, `any(a)`, `expr('(A and B) or C', a, b, c)`."""
        match: Match = next(word for word in self.lists if word == self.cursor.token.word)
        self.cursor.next()
        opening = self.cursor.next()
        expr = ""
        if match == "expr" or self.cursor.token.kind == "text":
            expr = self.cursor.text_value("the expression between single quotes, such as '(A and B) or C'")
            if not self.cursor.at(")"):
                self.cursor.expect(",", " after the expression")
        parts: list[Node] = []
        with self.cursor.nested():
            while not self.cursor.at(")"):
                parts.append(self.expression().node)
                if not self.cursor.accept(","):
                    break
        self._close(opening)
        return self.group(match, tuple(parts), expr)

    def _close(self, opening: Token) -> None:
        if self.cursor.accept(")"):
            return
        if self.cursor.token.kind == "end":
            raise self.cursor.error(opening, 'the "(" is never closed', 'write ")" at its end')
        raise self.cursor.unexpected('"and", "or" or ")"', FOLLOWING_WORDS)


FOLLOWING_WORDS = (
    *("and", "or", "limit", "as", "with", "where", "count", "sum", "average", "min", "max", "first", "last", "by", "in", "this", "today"),
    *("between", "contains", "starts", "ends", "matches", "is", "not", "within", "since", "before", "after", "until"),
)
"""Words that may follow a condition, for the nearest known one in an error."""
