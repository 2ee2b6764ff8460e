"""Walking over the words of a text rule: look, take, expect, and say what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from kohort.foundation.issues import Issue, Issues, did_you_mean
from kohort.rules.text.marks import Marks
from kohort.rules.text.tokens import NEVER_NAMES, TextError, Token, in_text, syntax_error, tokenize

MAX_DEPTH = 60
"""How deep parentheses, lists and `not` may stand inside one another."""


class Cursor:
    """A position in the words of one text rule. Methods that expect something raise TextError; `issues` collects the rest."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.position = 0
        self.depth = 0
        self.issues = Issues()
        self.marks = Marks()

    @property
    def token(self) -> Token:
        return self.peek(0)

    @property
    def at_end(self) -> bool:
        return self.token.kind == "end"

    def peek(self, ahead: int) -> Token:
        """The word `ahead` positions further on; the end when there is none."""
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def at(self, *words: str, ahead: int = 0) -> bool:
        """True when these bare words (lower case) or signs stand here, one after the other."""
        first = self.position + ahead
        return all(self.tokens[min(at, len(self.tokens) - 1)].word == word for at, word in enumerate(words, first))

    def at_any(self, words: Iterable[str], ahead: int = 0) -> bool:
        return self.peek(ahead).word in words and self.peek(ahead).word != ""

    def accept(self, *words: str) -> bool:
        """Take these words when they stand here."""
        found = self.at(*words)
        if found:
            self.position += len(words)
        return found

    def expect(self, word: str, purpose: str = "") -> Token:
        if not self.at(word):
            raise self.unexpected(f'"{word}"{purpose}', [word])
        return self.next()

    def name(self, what: str) -> str:
        """A name, bare or between double quotes. `what` says which one, e.g. "a column"."""
        token = self.token
        if token.kind == "quoted" or (token.kind == "name" and token.word not in NEVER_NAMES):
            return self.next().text
        hint = f'put the name between double quotes: "{token.text}"' if token.word in NEVER_NAMES else ""
        hint = f'names stand between double quotes, texts between single ones: "{token.text}"' if token.kind == "text" else hint
        raise self.unexpected(f"{what} name", hint=hint)

    def text_value(self, what: str) -> str:
        """A text literal; double quotes are accepted where no name can stand."""
        if self.token.kind in ("text", "quoted"):
            return self.next().text
        hint = f"texts stand between single quotes: '{self.token.text}'" if self.token.kind == "name" else ""
        raise self.unexpected(what, hint=hint)

    def whole_number(self, what: str) -> int:
        if self.token.kind == "number":
            number = self.token.number
            if isinstance(number, int):
                self.next()
                return number
        raise self.unexpected(what)

    def unexpected(self, expected: str, known: Iterable[str] = (), hint: str = "") -> TextError:
        """The error "expected ..., found ..." at the current word, with the nearest of the `known` words as its hint."""
        token = self.token
        found = "the end" if token.kind == "end" else _shown(token)
        if not hint and token.kind == "name":
            near = did_you_mean(token.text, [word for word in known if word != token.word])
            hint = near if near.startswith("did you mean") else ""
        return self.error(token, f"expected {expected}, found {found}", hint)

    def error(self, token: Token, message: str, hint: str = "") -> TextError:
        return syntax_error(self.source, token.start, message, hint)

    def report(self, code: str, token: Token, message: str, hint: str = "") -> None:
        """Note a problem that does not stop the reading."""
        self.issues.add(in_text(Issue(code, message, hint=hint), self.source, token.start))

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Count one level of nesting."""
        if self.depth >= MAX_DEPTH:
            raise self.error(
                self.token,
                f"the rule is nested more than {MAX_DEPTH} levels deep",
                "save a part of it as a segment of its own and refer to it",
            )
        self.depth += 1
        yield
        self.depth -= 1


def _shown(token: Token) -> str:
    text = token.shown if len(token.shown) <= 40 else token.shown[:37] + "..."
    return text if token.kind in ("text", "quoted", "json") else f'"{text}"'
